//! The end of a deploy: what is bad is undone, and what came of it is written down for whoever comes next.

use std::time::Duration;

use prodtest_gate::Outcome;
use prodtest_rollout::{
    helm::History,
    journal::{Decision, Journal, Phase},
};

use tokio::time::timeout;

use super::{
    Halt, Hold, Session, Step,
    upgrade::SURE,
    verdicts,
    way::Way,
    way_back::{self, To},
};
use crate::{checks, section::OnFailure};

/// How long giving the release back may take.
const LAST: Duration = Duration::from_secs(1);

/// Goes back if need be, writes down the verdict, and gives the release back. `went`: the journal of the change, if one
/// was begun.
pub(super) async fn settle(session: &mut Session<'_>, mut hold: Hold, went: Step<Option<Journal>>) -> Step {
    let stopped = matches!(went, Err(Halt::Stopped(_)));
    // What the journal says was begun, however it ended.
    let journal = hold.kept.journal.clone().filter(|journal| {
        journal.run == hold.held.holder.run && !matches!(journal.phase, Phase::Done | Phase::BackedUp)
    });
    if let Some(journal) = journal {
        undo(session, &mut hold, journal, stopped).await;
    }
    release(session, hold).await;
    went.map(|_| ())
}

async fn undo(session: &mut Session<'_>, hold: &mut Hold, mut journal: Journal, stopped: bool) {
    let judged = checks::judge(session.plan, &session.facts);
    let failed = judged.iter().any(|judged| judged.outcome == Outcome::Failed);
    let decision = match (failed, stopped || judged.iter().any(|judged| judged.outcome == Outcome::Undetermined)) {
        (true, _) => Decision::Failed,
        (false, true) => Decision::Undetermined,
        (false, false) => Decision::Passed,
    };
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
    if (failed || stopped) && !untouched && session.plan.on_failure == OnFailure::Rollback {
        journal.phase = Phase::RollingBack;
        write(session, hold, &journal).await;
        let good = session.facts.before.as_ref().and_then(|before| before.good.as_ref());
        let to = match (good, journal.from) {
            (Some((good, _)), _) => To::Revision(*good),
            (None, Some(from)) => To::Revision(from),
            (None, None) => To::Nothing,
        };
        way_back::go(session, hold, to, stopped).await;
    }
    let back = session.facts.way_back.as_ref();
    // A rollback that was only asked for is not seen through: whoever recovers looks again.
    if back.is_none_or(|back| back.trouble.is_none()) {
        journal.phase = Phase::Done;
        write(session, hold, &journal).await;
    }
    verdicts::of_this_run(session, hold, history.as_ref(), decision).await;
    verdicts::of_rollback(session, hold, history.as_ref()).await;
}

async fn write(session: &mut Session<'_>, hold: &Hold, journal: &Journal) {
    let written = session.run.unless_overdue(hold.store.write(&hold.held, journal)).await;
    if let Some(Err(error)) = written {
        session.facts.remarks.push(format!("the journal could not be written: {error}"));
    }
}

async fn release(session: &mut Session<'_>, hold: Hold) {
    // A moment of its own: the undoing of a run that was told to stop may have used up all of its time.
    if let Ok(Err(error)) = timeout(LAST, hold.held.release()).await {
        session.facts.remarks.push(format!("the release could not be given back, and is free in 15 s: {error}"));
    }
}
