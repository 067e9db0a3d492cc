//! The drill: a bad version is deployed, called bad, and undone.

use std::time::Duration;

use prodtest_rollout::{
    backup::collect,
    engine::{
        Halt, Hold, Session, Step,
        end::{self, Undo},
        facts::Trouble,
        helm_way,
        judge::{served, way_back::pods},
        manifests_way, prepare, recover, runs,
        upgrade::{Live, journal, upgrade},
        way::Way,
        way_back::{self, To},
    },
    helm::{Document, Manifest},
    journal::{Decision, OnFailure},
    watch::RolloutVerdict,
};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::{Beside, at_last, state::State, target};
use crate::{checks, facts::StateSeen};

/// How long the state may take to be as before, once the pods are: what is left is for controllers to write down.
const SETTLED: Duration = Duration::from_secs(10);

/// Drills.
pub(super) async fn drill(session: &mut Session<'_>, beside: &mut Beside<'_>) -> Step {
    let cluster = session.connect().await?;
    let way = session.way().await?;
    let mut hold = session.hold(cluster, way).await?;
    let went = drill_held(session, beside, &mut hold).await;
    // Whatever was begun and is not undone.
    let stopped = matches!(went, Err(Halt::Stopped(_)));
    undo(session, &mut hold, stopped).await;
    end::release(session, hold).await;
    went
}

async fn drill_held(session: &mut Session<'_>, beside: &mut Beside<'_>, hold: &mut Hold) -> Step {
    recover::before(session, hold).await?;
    beside.started(session, "target");
    let looked = match hold.way {
        Way::Helm(_) => before(session, beside, hold).await,
        Way::Manifests => before_of_manifests(session, beside, hold).await,
    };
    beside.finished(session, "target");
    let Before { revision, documents, state } = looked?;
    if beside.plan.dry_run {
        return dry_run(session, hold).await;
    }
    let (rendered, backup) = prepare(session, hold).await?;
    let mut live = Live::start(session, hold).await?;
    let mut journal = journal(session, hold, backup);
    // Back to where it began, whatever else was good once; and that in any case.
    (journal.good, journal.on_failure) = (Some(revision), OnFailure::Rollback);
    let went = upgrade(session, hold, &rendered, &journal, &mut live).await;
    let stopped = matches!(went, Err(Halt::Stopped(_)));
    beside.facts.probe_at_decision = live.probed();
    session.facts.probe.clone_from(&beside.facts.probe_at_decision);
    live.note();
    undo(session, hold, stopped).await;
    beside.finished(session, "detection-time");
    let after = match went {
        Ok(()) => after(session, beside, hold, &mut live, &documents, &state).await,
        Err(halt) => Err(halt),
    };
    live.end(session).await;
    after?;
    beside.started(session, "service-restored");
    at_last(session, beside, hold, revision).await
}

/// What is there before anything is changed.
struct Before {
    revision: u32,
    documents: Vec<Document>,
    state: State,
}

/// Looks whether what runs can be come back to, and notes all of it.
async fn before(session: &mut Session<'_>, beside: &mut Beside<'_>, hold: &Hold) -> Step<Before> {
    let history = session.history(&hold.cluster).await?;
    session.note_before(&history, &hold.kept);
    let chosen = target::of_drill(&history, &hold.kept);
    let revision = target::look(session, beside, hold, &history, chosen).await?;
    // What is not whole before will not be whole after.
    if let Some(rollout) = way_back::look(session, hold, &history).await? {
        let (findings, unknown) = pods(&checks::id("target"), session.plan, Some(&rollout));
        let wrong = findings.first().map(|finding| finding.message.clone()).or(unknown);
        if let Some(message) = wrong {
            let message = format!("what runs is not whole before the drill: {message}");
            let is_known = !matches!(rollout.verdict(&session.plan.patience), RolloutVerdict::Unknown { .. });
            let trouble = match is_known {
                true => Trouble::measured("not-whole", message, None),
                false => Trouble::unmeasured(message, None),
            };
            beside.facts.target = Some(Err(trouble));
            return Err(Halt::Told);
        }
    }
    let release = history.release(revision);
    let documents = release.and_then(|release| Manifest::of(release).ok()).unwrap_or_default().documents;
    beside.facts.version_before = runs::ask_version(session).await?;
    match State::read(session, hold, &documents, release).await? {
        Ok(state) => Ok(Before { revision, documents, state }),
        Err(trouble) => session.halt(trouble),
    }
}

/// The same of plain manifests, of which nobody has a record: what runs is what the cluster has of their objects.
async fn before_of_manifests(session: &mut Session<'_>, beside: &mut Beside<'_>, hold: &Hold) -> Step<Before> {
    let documents = manifests_way::render(session, hold).await?.documents;
    let objects: Vec<Value> = documents.iter().map(|document| document.object.clone()).collect();
    let reading = collect(&hold.cluster, session.plan.namespace(), &session.plan.release, &objects, &[]);
    let live = match session.run.unless_stopped(reading).await? {
        Ok(live) => target::documents(&live.objects),
        Err(error) => return session.halt(Trouble::unmeasured(error.to_string(), error.hint())),
    };
    let number = session.facts.before.as_ref().and_then(|before| before.revision);
    let chosen = target::of_manifests(number, &hold.kept);
    let revision = target::look_at(session, beside, hold, &live, chosen).await?;
    beside.facts.version_before = runs::ask_version(session).await?;
    match State::read(session, hold, &documents, None).await? {
        Ok(state) => Ok(Before { revision, documents, state }),
        Err(trouble) => session.halt(trouble),
    }
}

/// Shows what would be deployed that is bad.
async fn dry_run(session: &mut Session<'_>, hold: &Hold) -> Step {
    match &hold.way {
        Way::Helm(helm) => helm_way::dry_run(session, &hold.cluster, helm).await,
        Way::Manifests => manifests_way::dry_run(session, &hold.cluster).await,
    }
}

/// Undoes what this run has begun, if it has: back to where it began, whatever the bad version came to.
async fn undo(session: &mut Session<'_>, hold: &mut Hold, stopped: bool) {
    end::undo(session, hold, stopped, |session, journal| {
        let rollout = session.facts.rollout.as_ref().map(|rollout| rollout.verdict(&session.plan.patience));
        let noticed = session.facts.probe.as_ref().is_some_and(|seen| !served::problems(session.plan, seen).is_empty());
        let is_done = matches!(rollout, Some(RolloutVerdict::Done { .. })) && !noticed;
        let (decision, why) = match is_done {
            true => (Decision::Undetermined, "it was bad on purpose, and nothing called it bad"),
            false => (Decision::Failed, "it was bad on purpose, for a drill"),
        };
        Undo { decision, why: why.to_owned(), to: Some(journal.from.map_or(To::Nothing, To::Revision)) }
    })
    .await;
}

/// Waits until all is as before, and then until the last of the bad pods has gone.
async fn after(
    session: &mut Session<'_>,
    beside: &mut Beside<'_>,
    hold: &Hold,
    live: &mut Live,
    documents: &[Document],
    state: &State,
) -> Step {
    if session.facts.way_back.as_ref().is_none_or(|way| way.trouble.is_some()) {
        return Err(Halt::Told);
    }
    beside.started(session, "state-restored");
    let deadline = Instant::now() + SETTLED;
    let (objects, fields) = state.size();
    loop {
        let history = session.history(&hold.cluster).await?;
        let release = history.newest().and_then(|newest| newest.release.as_ref().ok());
        beside.facts.state = Some(State::read(session, hold, documents, release).await?.map(|now| {
            let differences = state.differences(&now);
            let at_ms = differences.is_empty().then(|| session.now_ms());
            StateSeen { objects, fields, digests: state.digests(), differences, at_ms }
        }));
        let is_equal = matches!(&beside.facts.state, Some(Ok(StateSeen { at_ms: Some(_), .. })));
        if is_equal || timeout_at(deadline, live.changed()).await.is_err() {
            break;
        }
    }
    beside.finished(session, "state-restored");
    let aim = session.facts.way_back.as_ref().and_then(|way| way.rollout.as_ref()).map(|rollout| rollout.aim.clone());
    match aim {
        Some(aim) => live.settle(session, &aim).await,
        None => Ok(()),
    }
}
