//! A chart, by Helm: its values, what it is rendered to, and what Helm's end means.

use crate::{
    helm::{BadDocument, Ended, Helm, HelmProblem, History, Manifest, Release, Running, Upgrade, as_path, values_of},
    trace::ChartFiles,
    watch::{Aim, Kind, Subject},
};
use prodtest_gate::Stop;
use prodtest_kube::Cluster;
use serde_json::Value;

use super::{
    Halt, Hold, Session, Step,
    facts::{Trouble, UpgradeSeen},
    plan::{ImagePlan, Plan, What},
    runs,
    upgrade::{Rendered, digest},
};

/// The values that the gate gives: the digest, or with `--no-pin` the tag, and the version.
fn own_values(plan: &Plan, digest: Option<&str>) -> Value {
    let Some(image) = &plan.image else { return Value::Null };
    let ImagePlan { repository, repository_key, digest_key, tag_key, version_key, tag, pin, .. } = image;
    let (digest, tag) = if *pin {
        (digest, None)
    } else {
        // A digest that an earlier revision had would win over the tag; one in a values file is meant.
        (Some("").filter(|_| tag.is_some() || !says(plan, digest_key.as_deref())), tag.as_deref())
    };
    values_of([
        (repository_key.as_deref(), Some(repository.as_str())),
        (digest_key.as_deref(), digest),
        (tag_key.as_deref(), tag),
        (version_key.as_deref(), plan.version.as_deref()),
    ])
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

/// What Helm is asked for. A plan without a chart gets none, and Helm's own words about it.
fn asked<T>(plan: &Plan, own: &Value, ask: impl FnOnce(&Upgrade<'_>) -> T) -> T {
    let (chart, values) = match &plan.what {
        Some(What::Chart { path, values }) => (as_path(path), values.as_slice()),
        Some(What::Manifests(_)) | None => (String::new(), &[][..]),
    };
    ask(&Upgrade {
        release: &plan.release,
        chart: &chart,
        values,
        set_json: &[],
        own,
        mode: plan.values_mode,
        hooks: plan.hook_timeout.0,
    })
}

/// Lets Helm begin.
pub(super) fn start(session: &Session<'_>, helm: &Helm, rendered: &Rendered) -> Running {
    match rendered.revision {
        Some(revision) => helm.rollback(&session.plan.release, revision, session.plan.hook_timeout.0),
        None => asked(session.plan, &rendered.own, |upgrade| helm.upgrade(upgrade)),
    }
}

/// Renders it against the cluster, which is asked whether it would take it. Nothing is changed.
pub(super) async fn render(session: &mut Session<'_>, helm: &Helm) -> Step<Rendered> {
    let by = format!("helm {}", helm.version());
    let refuse = |session: &mut Session<'_>, trouble| {
        session.facts.upgrade = Some(UpgradeSeen { by: by.clone(), trouble: Some(trouble), ..UpgradeSeen::default() });
        Err(Halt::Told)
    };
    let own = own_values(session.plan, digest(session).as_deref());
    let mut running = asked(session.plan, &own, |upgrade| helm.dry_run(upgrade));
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
            Ok(Rendered { documents: manifest.documents, aim, revision: None, own, written: ChartFiles::default() })
        }
        Err(error) => refuse(session, Trouble::measured("manifest", error.to_string(), None)),
    }
}

/// The workloads of a release, and the hooks that an install or upgrade runs: those of tests wait to be asked for.
pub(super) fn aim(release: &Release, manifest: &Manifest) -> Aim {
    aim_of(release, manifest, &["install", "upgrade"])
}

/// A revision that was there before, to go back to.
///
/// # Errors
/// When its manifest cannot be read.
pub fn earlier(release: &Release) -> Result<Rendered, BadDocument> {
    let manifest = Manifest::of(release)?;
    let aim = aim_of(release, &manifest, &["rollback"]);
    let (documents, revision) = (manifest.documents, Some(release.revision));
    Ok(Rendered { documents, aim, revision, own: Value::Null, written: ChartFiles::default() })
}

fn aim_of(release: &Release, manifest: &Manifest, when: &[&str]) -> Aim {
    let runs = |event: &String| when.iter().any(|when| event.ends_with(&format!("-{when}")));
    let workloads = manifest.documents.iter().filter(|document| !document.hook);
    let hooks = release.hooks.iter().filter(|hook| hook.events.iter().any(runs));
    Aim {
        workloads: workloads
            .filter_map(|document| Some(Subject::new(Kind::named(&document.kind)?, &document.name)))
            .collect(),
        hooks: hooks.filter_map(|hook| Some(Subject::new(Kind::named(&hook.kind)?, &hook.name))).collect(),
    }
}

/// What is wrong with Helm's own record of what it has done, if anything: where it may not write down a first install, it
/// says so to nobody, ends well, and leaves the release pending (`pkg/action/install.go`).
///
/// # Errors
/// When the gate is told to stop.
pub(super) async fn unrecorded(session: &Session<'_>, hold: &Hold) -> Result<Option<Trouble>, Stop> {
    let reading = History::read(&hold.cluster, session.plan.namespace(), &session.plan.release);
    Ok(match session.run.unless_stopped(reading).await? {
        Err(error) => Some(Trouble::unmeasured(error.to_string(), error.hint())),
        Ok(history) => match history.newest().map(|newest| (newest.number, newest.release.as_ref())) {
            Some((_, Ok(release))) if !release.status.is_pending() => None,
            Some((number, Ok(release))) => {
                let message =
                    format!("Helm ended well, and its record says that revision {number} is {}", release.status);
                let hint = "it may not update its Secrets: `kubectl auth can-i update secrets`";
                Some(Trouble::measured("record", message, Some(hint.to_owned())))
            }
            Some((_, Err(error))) => Some(Trouble::unmeasured(error.to_string(), None)),
            None => Some(Trouble::measured("record", "Helm ended well, and has no record of the release", None)),
        },
    })
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
///
/// # Errors
/// When it cannot be rendered.
pub async fn dry_run(session: &mut Session<'_>, cluster: &Cluster, helm: &Helm) -> Step {
    let rendered = render(session, helm).await?;
    let history = session.history(cluster).await?;
    let before = history.newest().and_then(|newest| newest.release.as_ref().ok());
    let old = before.and_then(|release| Manifest::of(release).ok()).unwrap_or_default();
    session.facts.diff = Some(runs::difference(&old.documents, &rendered.documents));
    session.facts.upgrade = Some(UpgradeSeen { by: format!("helm {}", helm.version()), ..UpgradeSeen::default() });
    Ok(())
}
