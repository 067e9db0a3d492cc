//! The end of a deploy: what is bad is undone, and what came of it is written down for whoever comes next.

use prodtest_gate::Outcome;
use prodtest_rollout::journal::{Decision, Journal, Phase, Verdict};

use super::{
    Halt, Hold, Session, Step,
    way_back::{self, To},
};
use crate::{checks, section::OnFailure};

/// Goes back if need be, writes down the verdict, and gives the release back. `went`: the journal of the change, if one
/// was begun.
pub(super) async fn settle(session: &mut Session<'_>, hold: Hold, went: Step<Option<Journal>>) -> Step {
    let stopped = matches!(went, Err(Halt::Stopped(_)));
    // What the journal says was begun, however it ended.
    let journal = hold.kept.journal.clone().filter(|journal| {
        journal.run == hold.held.holder.run && !matches!(journal.phase, Phase::Done | Phase::BackedUp)
    });
    let mut journal = match journal {
        Some(journal) => journal,
        None => {
            release(session, hold).await;
            return went.map(|_| ());
        }
    };
    let judged = checks::judge(session.plan, &session.facts);
    let failed = judged.iter().any(|judged| judged.outcome == Outcome::Failed);
    let decision = match (failed, stopped || judged.iter().any(|judged| judged.outcome == Outcome::Undetermined)) {
        (true, _) => Decision::Failed,
        (false, true) => Decision::Undetermined,
        (false, false) => Decision::Passed,
    };
    if (failed || stopped) && session.plan.on_failure == OnFailure::Rollback {
        journal.phase = Phase::RollingBack;
        write(session, &hold, &journal).await;
        let good = session.facts.before.as_ref().and_then(|before| before.good.as_ref());
        let to = match (good, journal.from) {
            (Some((good, _)), _) => To::Revision(*good),
            (None, Some(from)) => To::Revision(from),
            (None, None) => To::Nothing,
        };
        way_back::go(session, &hold, to, stopped).await;
    }
    let back = session.facts.way_back.as_ref();
    // A rollback that was only asked for is not seen through: whoever recovers looks again.
    if back.is_none_or(|back| back.trouble.is_none()) {
        journal.phase = Phase::Done;
        write(session, &hold, &journal).await;
    }
    decide(session, &hold, &journal, decision).await;
    release(session, hold).await;
    went.map(|_| ())
}

async fn write(session: &mut Session<'_>, hold: &Hold, journal: &Journal) {
    let written = session.run.unless_overdue(hold.store.write(&hold.held, journal)).await;
    if let Some(Err(error)) = written {
        session.facts.remarks.push(format!("the journal could not be written: {error}"));
    }
}

/// Without it nobody could tell which revision was good: Helm calls a doomed one `deployed`.
async fn decide(session: &mut Session<'_>, hold: &Hold, journal: &Journal, decision: Decision) {
    let Some(revision) = session.facts.upgrade.as_ref().and_then(|upgrade| upgrade.revision) else { return };
    let red: Vec<String> = checks::judge(session.plan, &session.facts)
        .into_iter()
        .filter(|judged| judged.outcome.blocks())
        .map(|judged| format!("{} {}", judged.id, judged.outcome))
        .collect();
    let verdict = Verdict {
        verdict: decision,
        version: journal.version.clone(),
        digest: journal.digest.clone(),
        at: jiff::Timestamp::now(),
        gate: "deploy".to_owned(),
        why: red.join(", "),
    };
    // What the history has by now is at most this one and what came before; too many are kept rather than too few.
    let history: Vec<u32> = (1..=revision).collect();
    let deciding = hold.store.decide(&hold.held, revision, &verdict, &history);
    if let Some(Err(error)) = session.run.unless_overdue(deciding).await {
        session.facts.remarks.push(format!("the verdict of revision {revision} could not be written down: {error}"));
    }
}

async fn release(session: &mut Session<'_>, hold: Hold) {
    if let Some(Err(error)) = session.run.unless_overdue(hold.held.release()).await {
        session.facts.remarks.push(format!("the release could not be given back, and is free in 15 s: {error}"));
    }
}
