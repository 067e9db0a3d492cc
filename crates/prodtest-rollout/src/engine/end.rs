//! The end of a change: what is bad is undone, and what came of it is written down for whoever comes next.

use std::time::Duration;

use prodtest_gate::Outcome;
use tokio::time::timeout;

use super::{
    Hold, Session,
    upgrade::SURE,
    verdicts,
    way::Way,
    way_back::{self, To},
};
use crate::{
    helm::History,
    journal::{Decision, Journal, Phase},
};

/// How long giving the release back may take.
const LAST: Duration = Duration::from_secs(1);

/// What is made of a change.
#[derive(Clone, Debug)]
pub struct Undo {
    /// What is written down of the revision.
    pub decision: Decision,
    /// Why.
    pub why: String,
    /// Where the release goes back to, if it does.
    pub to: Option<To>,
}

/// What the gate's checks say of what was seen so far: the decision, and what is against it.
#[must_use]
pub fn by_checks(session: &Session<'_>, stopped: bool) -> (Decision, String) {
    let judged = session.eye.judge(&session.facts);
    let any = |outcome| judged.iter().any(|judged| judged.outcome == outcome);
    let decision = match (any(Outcome::Failed), stopped || any(Outcome::Undetermined)) {
        (true, _) => Decision::Failed,
        (false, true) => Decision::Undetermined,
        (false, false) => Decision::Passed,
    };
    let against = judged.iter().filter(|judged| judged.outcome.blocks());
    let against: Vec<String> = against.map(|judged| format!("{} {}", judged.id, judged.outcome)).collect();
    (decision, against.join(", "))
}

/// Goes back if that is to be, and writes down the verdicts. Nothing is done where the journal has no change of this run
/// under way. `stopped`: the gate was told to stop, and has only a moment.
pub async fn undo(
    session: &mut Session<'_>,
    hold: &mut Hold,
    stopped: bool,
    decide: impl FnOnce(&Session<'_>, &Journal) -> Undo,
) {
    // What the journal says was begun, however it ended.
    let journal = hold.kept.journal.clone().filter(|journal| {
        journal.run == hold.held.holder.run && !matches!(journal.phase, Phase::Done | Phase::BackedUp)
    });
    let Some(journal) = journal else { return };
    let Undo { decision, why, to } = decide(session, &journal);
    session.facts.decided_ms = Some(session.now_ms());
    // Whoever took the lock puts things back by what the journal says.
    if let Some(Err(standing)) = session.run.unless_overdue(hold.held.sure(SURE)).await {
        session.facts.remarks.push(format!("the lock on the release was lost, and nothing is put back: {standing:?}"));
        return;
    }
    let history = match &hold.way {
        Way::Helm(_) => {
            let reading = History::read(&hold.cluster, session.plan.namespace(), &session.plan.release);
            session.run.unless_overdue(reading).await.and_then(Result::ok)
        }
        // Helm knows nothing of them, which does not mean that nothing was done.
        Way::Manifests => None,
    };
    // Told to stop before Helm had written anything down: there is nothing to undo.
    let untouched = history
        .as_ref()
        .is_some_and(|history| history.newest().map_or(0, |newest| newest.number) <= journal.from.unwrap_or(0));
    if let Some(to) = to.filter(|_| !untouched) {
        reached(session, hold, Phase::RollingBack).await;
        way_back::go(session, hold, to, stopped).await;
    }
    let back = session.facts.way_back.as_ref();
    // A rollback that was only asked for is not seen through: whoever recovers looks again.
    if back.is_none_or(|back| back.trouble.is_none() || back.resort.is_some()) {
        reached(session, hold, Phase::Done).await;
    }
    verdicts::of_this_run(session, hold, history.as_ref(), decision, why).await;
    verdicts::of_rollback(session, hold, history.as_ref()).await;
}

/// Writes down that nothing is left to do.
pub async fn done(session: &mut Session<'_>, hold: &mut Hold) {
    reached(session, hold, Phase::Done).await;
}

/// Writes down how far it got.
async fn reached(session: &mut Session<'_>, hold: &mut Hold, phase: Phase) {
    let Some(journal) = hold.kept.journal.as_mut() else { return };
    journal.phase = phase;
    let written = session.run.unless_overdue(hold.store.write(&hold.held, &*journal)).await;
    if let Some(Err(error)) = written {
        session.facts.remarks.push(format!("the journal could not be written: {error}"));
    }
}

/// Gives the release back.
pub async fn release(session: &mut Session<'_>, hold: Hold) {
    // A moment of its own: the undoing of a run that was told to stop may have used up all of its time.
    if let Ok(Err(error)) = timeout(LAST, hold.held.release()).await {
        session.facts.remarks.push(format!("the release could not be given back, and is free in 15 s: {error}"));
    }
}
