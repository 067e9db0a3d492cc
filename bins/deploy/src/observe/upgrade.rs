//! Renders the new revision, puts it into the cluster, and watches what becomes of it, as the cluster and as users see it.

use std::time::Duration;

use prodtest_gate::Stop;
use prodtest_http::Client;
use prodtest_kube::Cluster;
use prodtest_rollout::{
    helm::{Document, Ended, Helm, HelmProblem, Manifest, Release, Upgrade},
    journal::{Journal, OnFailure as Policy, Phase, Standing},
    probe::{Options, Probe, Target, run_controls},
    watch::{
        Aim, Follow, Kind, Moment, Noted, RolloutVerdict, State, Subject, Tracker, Watch, diagnose, old_pods_gone,
    },
};
use serde_json::{Value, json};
use tokio::{sync::watch, time::timeout};

use super::{Halt, Hold, Session, Step, as_path, origin, runs, secrets};
use crate::{
    checks,
    facts::{Diagnosed, Trouble, UpgradeSeen},
    plan::{ImagePlan, Plan, What},
    section::OnFailure,
};

/// How long a Helm that is no longer wanted may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);
/// The same, where the gate itself was told to stop: what is left of its time is for the way back.
const HURRY: Duration = Duration::from_secs(2);
/// How long a lock that is not sure is waited for: as long as the API may be away.
pub(super) const SURE: Duration = Duration::from_secs(60);
/// How long the cluster may take to tell why a hook failed, once Helm has said that it did.
const HOOK_NEWS: Duration = Duration::from_secs(3);
/// How long the probe looks before anything is changed.
const BASELINE: Duration = Duration::from_secs(1);
/// How long the probe looks on after the last of the old pods has gone: proxies learn of it late.
const AFTERMATH: Duration = Duration::from_secs(1);
/// How long old pods may take to end, whatever their grace period says.
const OLD_PODS: Duration = Duration::from_secs(120);
/// Longer than any request of the probe may wait its turn.
const PROBE_RUNS: usize = 64;

/// What is about to be put into the cluster.
pub(super) struct Rendered {
    /// Its objects and hooks.
    pub(super) documents: Vec<Document>,
    /// What is to come of it.
    pub(super) aim: Aim,
}

/// The values that the gate gives: the digest, or with `--no-pin` the tag, and the version.
fn own_values(plan: &Plan, digest: Option<&str>) -> Value {
    let mut values = Value::Null;
    let Some(image) = &plan.image else { return values };
    let ImagePlan { repository, repository_key, digest_key, tag_key, version_key, tag, pin, .. } = image;
    let mut set = |key: &Option<String>, value: Option<&str>| {
        let (Some(key), Some(value)) = (key, value) else { return };
        let mut at = &mut values;
        for name in key.split('.') {
            if !at.is_object() {
                *at = json!({});
            }
            at = &mut at[name];
        }
        *at = value.into();
    };
    set(repository_key, Some(repository.as_str()));
    if *pin {
        set(digest_key, digest);
    } else {
        set(tag_key, tag.as_deref());
        // A digest that an earlier revision had would win over the tag; one in a values file is meant.
        set(digest_key, Some("").filter(|_| tag.is_some() || !says(plan, digest_key.as_deref())));
    }
    set(version_key, plan.version.as_deref());
    values
}

/// Whether a values file sets this key.
fn says(plan: &Plan, key: Option<&str>) -> bool {
    let (Some(What::Chart { values, .. }), Some(key)) = (&plan.what, key) else { return false };
    let pointer = format!("/{}", key.replace('.', "/"));
    values.iter().any(|path| {
        let text = std::fs::read_to_string(path).unwrap_or_default();
        // What cannot be read is Helm's to refuse.
        let read: Result<Value, _> = serde_saphyr::from_str(&text);
        read.is_ok_and(|values| values.pointer(&pointer).is_some_and(|value| !value.is_null()))
    })
}

/// The digest that is to run.
pub(super) fn digest(session: &Session<'_>) -> Option<String> {
    let resolved = session.facts.image.as_ref()?.registry.as_ref()?.resolved.as_ref()?;
    Some(resolved.digest.to_string())
}

/// Renders it against the cluster, which is asked whether it would take it. Nothing is changed.
pub(super) async fn render(session: &mut Session<'_>, hold: &Hold) -> Step<Rendered> {
    rendered(session, &hold.helm).await
}

async fn rendered(session: &mut Session<'_>, helm: &Helm) -> Step<Rendered> {
    let by = format!("helm {}", helm.version());
    let refuse = |session: &mut Session<'_>, trouble| {
        session.facts.upgrade = Some(UpgradeSeen { by: by.clone(), trouble: Some(trouble), ..UpgradeSeen::default() });
        Err(Halt::Told)
    };
    let Some(What::Chart { path, values }) = &session.plan.what else {
        return session.halt(Trouble::unmeasured("only charts can be deployed so far", None));
    };
    let own = own_values(session.plan, digest(session).as_deref());
    let chart = as_path(path);
    let upgrade = Upgrade {
        release: &session.plan.release,
        chart: &chart,
        values,
        set_json: &[],
        own: &own,
        mode: session.plan.values_mode,
        hooks: session.plan.hook_timeout.0,
    };
    let mut running = helm.dry_run(&upgrade);
    let ended = session.run.unless_stopped(running.wait()).await?;
    let printed = match ended {
        Ended::Done(printed) => printed,
        other => return refuse(session, trouble(&other)),
    };
    let release = match Release::of_json(&printed) {
        Ok(release) => release,
        Err(error) => return refuse(session, Trouble::unmeasured(error.to_string(), None)),
    };
    match Manifest::of(&release) {
        Ok(manifest) if !runs::runs_the_image(session.plan, &manifest.documents) => {
            let repository = session.plan.image.as_ref().map(|image| image.repository.clone()).unwrap_or_default();
            let message = format!("no container of the release would run `{repository}`, which is what is deployed");
            let hint = "say which value takes it, `repository-key: image.repository` in `image`, or name the image that \
                        the chart runs";
            refuse(session, Trouble::measured("repository", message, Some(hint.to_owned())))
        }
        Ok(manifest) => {
            let aim = aim(&release, &manifest);
            Ok(Rendered { documents: manifest.documents, aim })
        }
        Err(error) => refuse(session, Trouble::measured("manifest", error.to_string(), None)),
    }
}

/// The workloads of a release, and the hooks that an install or upgrade runs: those of tests wait to be asked for.
pub(super) fn aim(release: &Release, manifest: &Manifest) -> Aim {
    let runs = |event: &String| ["install", "upgrade"].iter().any(|when| event.ends_with(&format!("-{when}")));
    let workloads = manifest.documents.iter().filter(|document| !document.hook);
    let hooks = release.hooks.iter().filter(|hook| hook.events.iter().any(runs));
    Aim {
        workloads: workloads
            .filter_map(|document| Some(Subject::new(Kind::named(&document.kind)?, &document.name)))
            .collect(),
        hooks: hooks.filter_map(|hook| Some(Subject::new(Kind::named(&hook.kind)?, &hook.name))).collect(),
    }
}

/// What Helm's end means.
pub(super) fn trouble(ended: &Ended) -> Trouble {
    match ended {
        Ended::Failed { problem, .. } => {
            let message = problem.to_string();
            match problem {
                HelmProblem::Unreachable(_) => Trouble::unmeasured(message, None),
                HelmProblem::InProgress => {
                    let hint = "if no Helm runs any more: `prodtest-deploy --recover`";
                    Trouble::measured("in-progress", message, Some(hint.to_owned()))
                }
                HelmProblem::Template { .. } => Trouble::measured("template", message, None),
                HelmProblem::Values(_) => Trouble::measured("values", message, None),
                HelmProblem::Refused(_) | HelmProblem::UnknownKind(_) => Trouble::measured("refused", message, None),
                HelmProblem::Hook(_) | HelmProblem::Timeout(_) => Trouble::measured("hook", message, None),
                _ => Trouble::measured("helm", message, None),
            }
        }
        Ended::Done(_) => Trouble::unmeasured("helm ended well", None),
        other => Trouble::unmeasured(format!("helm did not come to its end: {other}"), None),
    }
}

/// Renders it, and tells what it would change.
pub(super) async fn dry_run(session: &mut Session<'_>, cluster: &Cluster, helm: &Helm) -> Step {
    let rendered = rendered(session, helm).await?;
    let history = session.history(cluster).await?;
    let before = history.newest().and_then(|newest| newest.release.as_ref().ok());
    let old = before.and_then(|release| Manifest::of(release).ok()).unwrap_or_default();
    session.facts.diff = Some(runs::difference(&old.documents, &rendered.documents));
    session.facts.upgrade = Some(UpgradeSeen { by: format!("helm {}", helm.version()), ..UpgradeSeen::default() });
    Ok(())
}

/// What is live during an upgrade.
struct Live {
    watch: Watch,
    noted: Noted,
    probe: Option<Probe>,
}

/// Puts it into the cluster and sees it through. The journal says what was done, whatever comes of it.
pub(super) async fn upgrade(
    session: &mut Session<'_>,
    hold: &mut Hold,
    rendered: &Rendered,
    backup: Option<String>,
) -> Step<Journal> {
    let watching = Watch::start(&hold.cluster, session.plan.namespace());
    let watch = match session.run.unless_stopped(watching).await? {
        Ok(watch) => watch,
        Err(error) => return session.no_cluster(&error),
    };
    let noted = Noted::of(&watch.state());
    session.started("served-throughout");
    let probe = start_probe(session).await?;
    let mut live = Live { watch, noted, probe };

    let journal = journal(session, hold, backup);
    // Ahead of the change that it tells of. Seen to its end, so that it is known whether it says so.
    match session.run.unless_overdue(hold.store.write(&hold.held, &journal)).await {
        Some(Ok(())) => {}
        Some(Err(error)) => return session.halt(Trouble::unmeasured(error.to_string(), error.hint())),
        None => return Err(Halt::Stopped(session.run.until_stopped().await)),
    }
    hold.kept.journal = Some(journal.clone());
    // Told to stop meanwhile, Helm is not started at all.
    if let Err(standing) = session.run.unless_stopped(hold.held.sure(SURE)).await? {
        let message = format!("the lock on the release was lost, and nothing was changed: {standing:?}");
        return session.halt(Trouble::unmeasured(message, None));
    }
    let went = change(session, hold, rendered, &mut live).await;
    if let Some(probe) = live.probe.take() {
        session.facts.probe = Some(probe.stop().await);
    }
    session.finished("served-throughout");
    if !session.facts.diagnoses.is_empty() || session.facts.upgrade.as_ref().is_some_and(|seen| seen.trouble.is_some())
    {
        // Now, for the way back may take new ones away.
        secrets::read(session, hold, rendered).await?;
    }
    went?;
    runs::look(session, hold, rendered).await?;
    Ok(journal)
}

fn journal(session: &Session<'_>, hold: &Hold, backup: Option<String>) -> Journal {
    let policy = match session.plan.on_failure {
        OnFailure::Rollback => Policy::Rollback,
        OnFailure::Keep => Policy::Keep,
    };
    let before = session.facts.before.clone().unwrap_or_default();
    let mut journal = Journal::new(&hold.held.holder, jiff::Timestamp::now(), policy);
    journal.phase = Phase::Upgrading;
    journal.from = before.revision;
    journal.to = Some(before.revision.map_or(1, |revision| revision.saturating_add(1)));
    journal.good = before.good.map(|(good, _)| good);
    journal.backup = backup;
    journal.digest = digest(session);
    journal.version.clone_from(&session.plan.version);
    journal
}

/// The probe, once it has seen the service as it was; none where there is nothing to see.
async fn start_probe(session: &mut Session<'_>) -> Step<Option<Probe>> {
    let (Some(plan), Some(options)) = (&session.plan.probe, &session.means.service) else { return Ok(None) };
    if session.facts.before.as_ref().is_none_or(|before| before.revision.is_none()) {
        session.facts.no_probe = Some("a first install: nothing was served before".to_owned());
        return Ok(None);
    }
    session.facts.probe_controls = session.run.unless_stopped(run_controls()).await?;
    let client = match Client::new(options.clone()) {
        Ok(client) => client,
        Err(error) => return session.halt(Trouble::unmeasured(error.to_string(), None)),
    };
    let mut target = Target::new(&plan.url, &plan.path);
    target.status = plan.status;
    let options =
        Options { rate: plan.rate, timeout: plan.timeout.0, concurrency: PROBE_RUNS.max(plan.rate as usize * 4) };
    let probe = Probe::start(client, target, options, session.begin);
    session.run.unless_stopped(tokio::time::sleep(BASELINE)).await?;
    probe.mark_change();
    Ok(Some(probe))
}

/// Helm, and beside it the eyes on the cluster.
async fn change(session: &mut Session<'_>, hold: &Hold, rendered: &Rendered, live: &mut Live) -> Step {
    let Some(What::Chart { path, values }) = &session.plan.what else { return Err(Halt::Told) };
    session.started("upgrade");
    let own = own_values(session.plan, digest(session).as_deref());
    let chart = as_path(path);
    let upgrade = Upgrade {
        release: &session.plan.release,
        chart: &chart,
        values,
        set_json: &[],
        own: &own,
        mode: session.plan.values_mode,
        hooks: session.plan.hook_timeout.0,
    };
    let mut seen = UpgradeSeen {
        by: format!("helm {}", hold.helm.version()),
        started_ms: Some(session.now_ms()),
        ..UpgradeSeen::default()
    };
    let deadline = session.begin.elapsed() + session.plan.timeout.0;
    let (applied, is_applied) = watch::channel(None);
    let tracker = Tracker::new(rendered.aim.clone(), live.noted.clone(), session.plan.patience.clone());
    let mut follow = Follow::new(&mut live.watch, tracker, session.begin, is_applied);
    let run = session.run;
    let mut standing = hold.held.watch();
    let tell = |moment: &Moment| {
        let id = checks::id("rollout");
        run.report(prodtest_gate::Progress::Note(id, moment.to_string()));
    };
    let mut helm = hold.helm.upgrade(&upgrade);
    let mut ended: Option<Ended> = None;
    let mut stopped: Option<Stop> = None;
    loop {
        tokio::select! {
            biased;
            reason = run.until_stopped() => {
                stopped = Some(reason);
                break;
            }
            _ = standing.wait_for(|standing| matches!(standing, Standing::Lost { .. })) => {
                seen.trouble = Some(Trouble::unmeasured("the lock on the release was lost to another run", None));
                break;
            }
            end = helm.wait(), if ended.is_none() => {
                let good = matches!(end, Ended::Done(_));
                seen.ended_ms = Some(session.now_ms());
                ended = Some(end);
                if !good {
                    break;
                }
                applied.send_replace(Some(session.now_ms()));
                run.report(prodtest_gate::Progress::Started(checks::id("rollout")));
            }
            _ = follow.run(deadline, tell) => break,
        }
    }
    if ended.is_none() {
        // Doomed while hooks ran, out of time, or told to stop: Helm marks its revision failed when it is asked to end.
        let end = helm.end(if stopped.is_some() { HURRY } else { GRACE }).await;
        seen.ended_ms = Some(session.now_ms());
        let doomed = follow.facts().verdict(&session.plan.patience);
        match (stopped, doomed) {
            (None, RolloutVerdict::Doomed { .. }) => seen.hook = true,
            (None, _) if seen.trouble.is_none() => seen.trouble = Some(trouble(&end)),
            _ => {}
        }
    } else if let Some(end @ Ended::Failed { .. }) = &ended {
        let said = trouble(end);
        if said.rule == "hook" {
            // The cluster may be a moment later than Helm in telling why.
            let _ = timeout(HOOK_NEWS, follow.run(deadline, tell)).await;
            seen.hook = matches!(follow.facts().verdict(&session.plan.patience), RolloutVerdict::Doomed { .. });
        }
        seen.trouble = Some(said).filter(|_| !seen.hook);
    } else if let Some(end) = ended.as_ref().filter(|end| !matches!(end, Ended::Done(_))) {
        seen.trouble = Some(trouble(end));
    }
    seen.revision = session.facts.before.as_ref().map(|before| before.revision.map_or(1, |revision| revision + 1));
    let facts = follow.facts().clone();
    drop(follow);
    let is_whole = seen.trouble.is_none() && !seen.hook && ended.is_some();
    session.facts.upgrade = Some(seen);
    let verdict = facts.verdict(&session.plan.patience);
    session.facts.rollout = Some(facts);
    session.finished("upgrade");
    if let Some(reason) = stopped {
        return Err(Halt::Stopped(reason));
    }
    if let RolloutVerdict::Doomed { dooms, .. } = &verdict {
        let state = live.watch.state();
        let looking = diagnose(&hold.cluster, session.plan.namespace(), &state, dooms);
        let diagnoses = session.run.unless_stopped(looking).await?;
        session.facts.diagnoses = diagnoses
            .into_iter()
            .map(|diagnosis| {
                let traced = origin::of(session.plan, rendered, &own, &diagnosis.evidence);
                let (place, set_by) = traced.map_or((None, None), |(place, key)| (Some(place), key));
                Diagnosed { diagnosis, place, set_by }
            })
            .collect();
    }
    if is_whole {
        session.finished("rollout");
    }
    if matches!(verdict, RolloutVerdict::Done { .. }) {
        wait_for_old_pods(session, rendered, live).await?;
    }
    Ok(())
}

/// The old pods end after the new ones are there, and it is then that requests get lost.
async fn wait_for_old_pods(session: &Session<'_>, rendered: &Rendered, live: &mut Live) -> Step {
    let Live { watch, noted, .. } = live;
    let gone = async {
        while !watch.with(|state: &State| old_pods_gone(state, noted, &rendered.aim)) {
            watch.changed().await;
        }
    };
    session.note("served-throughout", "until the old pods have ended");
    let _ = session.run.unless_stopped(timeout(OLD_PODS, gone)).await?;
    session.run.unless_stopped(tokio::time::sleep(AFTERMATH)).await?;
    Ok(())
}
