//! The way back for good: to an earlier revision, under the eyes of the cluster and of a probe.

use jiff::Timestamp;
use prodtest_rollout::{
    engine::{
        Halt, Hold, Session, Stage, Step, backup, end,
        facts::Trouble,
        helm_way, recover, runs,
        upgrade::{Live, Rendered, journal, upgrade},
        verdicts,
        way::Way,
    },
    helm::{History, Manifest},
    identity::{list_pods, running},
    journal::{Decision, Phase, Verdict},
};

use super::{Beside, look_at_history, smoke, state, target};
use crate::{checks, facts::StateSeen, plan::Target};

/// Goes there.
pub(super) async fn to(session: &mut Session<'_>, beside: &mut Beside<'_>, target: &Target) -> Step {
    let cluster = session.connect().await?;
    let way = session.way().await?;
    let mut hold = session.hold(cluster, way).await?;
    let went = to_held(session, beside, &mut hold, target).await;
    end::release(session, hold).await;
    went
}

async fn to_held(session: &mut Session<'_>, beside: &mut Beside<'_>, hold: &mut Hold, target: &Target) -> Step {
    recover::before(session, hold).await?;
    if let Way::Manifests = hold.way {
        let hint = "`prodtest-deploy restore` puts the objects of the newest backup back";
        let trouble = Trouble::unmeasured("plain manifests have no revisions to go back to", Some(hint.to_owned()));
        beside.facts.target = Some(Err(trouble));
        return Err(Halt::Told);
    }
    beside.started(session, "target");
    let history = session.history(&hold.cluster).await?;
    session.note_before(&history, &hold.kept);
    let chosen = target::resolve(target, &history, &hold.kept);
    let looked = target::look(session, beside, hold, &history, chosen).await;
    beside.finished(session, "target");
    let revision = looked?;
    let Some(rendered) = history.release(revision).and_then(|release| helm_way::earlier(release).ok()) else {
        return session.halt(Trouble::unmeasured(format!("Helm's record of revision {revision} cannot be read"), None));
    };
    if beside.plan.dry_run {
        let now = history.newest().and_then(|newest| newest.release.as_ref().ok());
        let now = now.and_then(|release| Manifest::of(release).ok()).unwrap_or_default();
        session.facts.diff = Some(runs::difference(&now.documents, &rendered.documents));
        return Ok(());
    }
    session.started(Stage::Backup);
    let kept = backup::keep(session, hold, backup::Objects::OfHelm(history.clone())).await;
    session.finished(Stage::Backup);
    let kept = kept?;
    let mut live = Live::start(session, hold).await?;
    let mut journal = journal(session, hold, kept);
    // A run that is cut off is to be brought to its end, and that is there. What it makes comes after what is there now.
    (journal.phase, journal.good, journal.to) = (Phase::RollingBack, Some(revision), journal.from);
    let went = upgrade(session, hold, &rendered, &journal, &mut live).await;
    live.end(session).await;
    went?;
    let looked = look(session, beside, hold, &rendered, revision).await;
    settle(session, beside, hold, &history, revision, looked.is_ok()).await;
    looked
}

/// Looks whether objects, pods and service are those of the revision.
async fn look(
    session: &mut Session<'_>,
    beside: &mut Beside<'_>,
    hold: &Hold,
    rendered: &Rendered,
    revision: u32,
) -> Step {
    beside.started(session, "state-restored");
    let compared = state::against(session, hold, &rendered.documents).await?;
    beside.facts.state = Some(compared.map(|(objects, fields, differences)| {
        let at_ms = differences.is_empty().then(|| session.now_ms());
        StateSeen { objects, fields, digests: Vec::new(), differences, at_ms }
    }));
    beside.finished(session, "state-restored");
    beside.started(session, "service-restored");
    for selector in rendered.documents.iter().filter(|document| !document.hook).filter_map(runs::selector) {
        let listing = list_pods(&hold.cluster, session.plan.namespace(), &selector);
        match session.run.unless_stopped(listing).await? {
            Ok(pods) => beside.facts.running.extend(running(&pods)),
            Err(error) => return session.halt(Trouble::unmeasured(error.to_string(), error.hint())),
        }
    }
    beside.facts.version_after = runs::ask_version(session).await?;
    if let Some(plan) = &beside.plan.smoke {
        beside.facts.smoke = Some(smoke::play(session, plan).await?);
    }
    beside.finished(session, "service-restored");
    beside.facts.history = look_at_history(session, hold, revision).await?;
    beside.finished(session, "history-clean");
    Ok(())
}

/// Writes down what came of it: of the new revision, and of the one that was left.
async fn settle(
    session: &mut Session<'_>,
    beside: &Beside<'_>,
    hold: &mut Hold,
    before: &History,
    revision: u32,
    is_whole: bool,
) {
    let judged = checks::judge(beside.plan, &beside.so_far(session));
    let against: Vec<String> = judged
        .iter()
        .filter(|judged| judged.outcome.blocks())
        .map(|judged| format!("{} {}", judged.id, judged.outcome))
        .collect();
    let failed = judged.iter().any(|judged| judged.outcome == prodtest_gate::Outcome::Failed);
    let decision = match (failed, against.is_empty() && is_whole) {
        (true, _) => Decision::Failed,
        (false, true) => Decision::Passed,
        (false, false) => Decision::Undetermined,
    };
    let earlier = hold.kept.verdicts.get(&revision).cloned();
    let (Some(left), Some(made)) = (
        before.newest().map(|newest| newest.number),
        beside.facts.history.as_ref().and_then(|seen| seen.as_ref().ok()?.newest.as_ref()).map(|(number, _)| *number),
    ) else {
        return;
    };
    let why = match against.as_slice() {
        [] => format!("it is revision {revision} again"),
        against => against.join(", "),
    };
    let of = |decision: Decision, why: String, like: Option<&Verdict>| Verdict {
        verdict: decision,
        version: like.and_then(|like| like.version.clone()),
        digest: like.and_then(|like| like.digest.clone()),
        migration: like.and_then(|like| like.migration.clone()),
        at: Timestamp::now(),
        gate: checks::GATE.to_owned(),
        why,
    };
    let again = of(decision, why, earlier.as_ref());
    verdicts::note(session, hold, made, again, Some(before)).await;
    // Whoever went back from it had a reason: the next `previous` is not that one.
    let was = hold.kept.verdicts.get(&left).cloned();
    let given_up = of(Decision::Failed, format!("it was left for revision {revision}"), was.as_ref());
    verdicts::note(session, hold, left, given_up, Some(before)).await;
    end::done(session, hold).await;
}
