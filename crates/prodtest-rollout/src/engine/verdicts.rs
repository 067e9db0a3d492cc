//! What is written down of each revision. Without it nobody could tell which was good: Helm calls a doomed one `deployed`.

use crate::{
    helm::History,
    journal::{Decision, Verdict},
    watch::RolloutVerdict,
};

use super::{Hold, Session, facts::WayBack, migrations};

/// What the checks made of the revision that this run has made, if Helm has it.
pub(super) async fn of_this_run(
    session: &mut Session<'_>,
    hold: &mut Hold,
    history: Option<&History>,
    decision: Decision,
    why: String,
) {
    let Some(journal) = hold.kept.journal.clone() else { return };
    let Some(revision) = journal.to.filter(|revision| history.is_none_or(|history| has(history, *revision))) else {
        return;
    };
    let verdict = Verdict {
        verdict: decision,
        version: journal.version,
        digest: journal.digest,
        migration: migration(session),
        at: jiff::Timestamp::now(),
        gate: session.eye.gate().to_owned(),
        why,
    };
    note(session, hold, revision, verdict, &numbers(history)).await;
}

/// That a revision was never judged, for its run was cut off.
pub(super) async fn of_cut_off(session: &mut Session<'_>, hold: &mut Hold, history: &History) {
    let Some(journal) = hold.kept.journal.clone() else { return };
    let Some(revision) = journal.to.filter(|revision| has(history, *revision)) else { return };
    if hold.kept.verdicts.contains_key(&revision) {
        return;
    }
    let verdict = Verdict {
        verdict: Decision::Undetermined,
        version: journal.version,
        digest: journal.digest,
        migration: None,
        at: jiff::Timestamp::now(),
        gate: journal.gate,
        why: format!("its run was cut off while it was {}", journal.phase),
    };
    note(session, hold, revision, verdict, &numbers(Some(history))).await;
}

/// A rollback makes a revision that is an earlier one again: where it came back whole, what was found of that one holds
/// for it too. Helm prunes the earlier one some day.
pub(super) async fn of_rollback(session: &mut Session<'_>, hold: &mut Hold, history: Option<&History>) {
    let Some(way) = &session.facts.way_back else { return };
    let (Some(to), Some(revision)) = (way.to, way.revision) else { return };
    let Some(earlier) = hold.kept.verdicts.get(&to).filter(|_| is_whole(session, way)) else { return };
    let again = Verdict { at: jiff::Timestamp::now(), why: format!("it is revision {to} again"), ..earlier.clone() };
    note(session, hold, revision, again, &numbers(history)).await;
}

fn migration(session: &Session<'_>) -> Option<String> {
    let names = migrations::names(session.plan.migrations.as_ref()?).ok()?;
    migrations::newest(&names).cloned()
}

fn is_whole(session: &Session<'_>, way: &WayBack) -> bool {
    let came_back = way.rollout.as_ref().map(|rollout| rollout.verdict(&session.plan.patience));
    way.trouble.is_none() && way.differences.is_empty() && matches!(came_back, Some(RolloutVerdict::Done { .. }))
}

fn numbers(history: Option<&History>) -> Vec<u32> {
    history.iter().flat_map(|history| &history.revisions).map(|one| one.number).collect()
}

fn has(history: &History, revision: u32) -> bool {
    history.revisions.iter().any(|one| one.number == revision)
}

/// Writes down what was found of a revision. Kept are the verdicts of these revisions, which Helm has, and the newest of
/// the others.
pub async fn note(session: &mut Session<'_>, hold: &mut Hold, revision: u32, verdict: Verdict, known: &[u32]) {
    let deciding = hold.store.decide(&hold.held, revision, &verdict, known);
    if let Some(Err(error)) = session.run.unless_overdue(deciding).await {
        session.facts.remarks.push(format!("the verdict of revision {revision} could not be written down: {error}"));
    }
    hold.kept.decide(revision, verdict, known);
}
