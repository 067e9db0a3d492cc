//! Puts back what a run that did not come to its end has changed.

use crate::{
    helm::History,
    journal::{HelmState, Phase, Recovery, plan_recovery, plan_recovery_of_objects},
};

use super::{
    Halt, Hold, Session, Stage, Step,
    facts::{RecoverySeen, Trouble, UpgradeSeen},
    verdicts,
    way::Way,
    way_back::{self, To},
};

/// `--recover`: that, and nothing else.
///
/// # Errors
/// When it cannot be begun, or the gate is told to stop.
pub async fn only(session: &mut Session<'_>) -> Step {
    let cluster = session.connect().await?;
    let way = session.way().await?;
    session.started(Stage::Restored);
    let mut hold = session.hold(cluster, way).await?;
    let went = recover(session, &mut hold, true).await;
    if let Some(seen) = &session.facts.recovery {
        let done = seen.done.as_deref().unwrap_or("nothing was to be done");
        session.facts.remarks.push(format!("found: {}; {done}", seen.found));
    }
    // The way back has its own end.
    if session.facts.way_back.is_none() {
        session.finished(Stage::Restored);
    }
    if let Some(Err(error)) = session.run.unless_overdue(hold.held.release()).await {
        session.facts.remarks.push(format!("the release could not be given back, and is free in 15 s: {error}"));
    }
    went
}

/// Before a deploy: what an earlier one left is put in order first.
///
/// # Errors
/// When it is in no state to be changed.
pub async fn before(session: &mut Session<'_>, hold: &mut Hold) -> Step {
    recover(session, hold, false).await?;
    let Some(seen) = &session.facts.recovery else { return Ok(()) };
    if let Some(trouble) = seen.trouble.clone() {
        if !trouble.measured {
            return session.halt(trouble);
        }
        // The release is in no state to be upgraded, and that much is known.
        let by = hold.way.by();
        session.facts.upgrade = Some(UpgradeSeen { by, trouble: Some(trouble), ..UpgradeSeen::default() });
        return Err(Halt::Told);
    }
    if let Some(done) = &seen.done {
        session.facts.remarks.push(format!("before: {}; {done}", seen.found));
    }
    // The way back of this run is its own.
    if let Some(trouble) = session.facts.way_back.take().and_then(|way| way.trouble) {
        return session.halt(trouble);
    }
    Ok(())
}

async fn recover(session: &mut Session<'_>, hold: &mut Hold, asked: bool) -> Step {
    let (release, recovery, history) = match &hold.way {
        Way::Helm(_) => {
            let history = session.history(&hold.cluster).await?;
            let helm = HelmState::of(&history, jiff::Timestamp::now());
            (newest(&helm), plan_recovery(hold.kept.journal.as_ref(), &helm, None, asked), history)
        }
        Way::Manifests => {
            let recovery = plan_recovery_of_objects(hold.kept.journal.as_ref(), None);
            // Helm knows nothing of them.
            ("objects by plain manifests".to_owned(), recovery, History { revisions: Vec::new() })
        }
    };
    let mut seen = RecoverySeen { found: found(hold, &release), ..RecoverySeen::default() };
    let to = match &recovery {
        Recovery::Nothing | Recovery::MarkDone => None,
        Recovery::Wait(holder) => {
            seen.trouble = Some(Trouble::unmeasured(format!("{holder} is at it"), None));
            None
        }
        Recovery::Refuse { why } => {
            seen.trouble = Some(Trouble::measured("stuck", why.clone(), None));
            None
        }
        Recovery::Rollback { to } => Some(To::Revision(*to)),
        Recovery::Uninstall => Some(To::Nothing),
    };
    seen.done = match to {
        None if recovery == Recovery::MarkDone => Some("the release was in order; the journal now says so".to_owned()),
        None => None,
        Some(To::Revision(revision)) => Some(format!("went back to revision {revision}")),
        Some(To::Nothing) => Some("took the release away, for it never got there".to_owned()),
    };
    session.facts.recovery = Some(seen);
    if let Some(to) = to {
        way_back::go(session, hold, to, false).await;
    }
    if asked && recovery == Recovery::MarkDone {
        let rollout = way_back::look(session, hold, &history).await?;
        if let Some(seen) = &mut session.facts.recovery {
            seen.rollout = rollout;
        }
    }
    let is_back = session.facts.way_back.as_ref().is_none_or(|way| way.trouble.is_none() || way.resort.is_some());
    if is_back && !matches!(recovery, Recovery::Nothing | Recovery::Wait(_) | Recovery::Refuse { .. }) {
        verdicts::of_cut_off(session, hold, &history).await;
        verdicts::of_rollback(session, hold, Some(&history)).await;
        if let Some(journal) = hold.kept.journal.as_mut() {
            journal.phase = Phase::Done;
            let journal = journal.clone();
            let written = session.run.unless_overdue(hold.store.write(&hold.held, &journal)).await;
            if let Some(Err(error)) = written {
                session.halted(Trouble::unmeasured(error.to_string(), error.hint()));
                return Err(Halt::Told);
            }
        }
    }
    Ok(())
}

fn newest(helm: &HelmState) -> String {
    match helm.history.last() {
        None => "no release".to_owned(),
        Some(newest) => format!("revision {}, {}", newest.number, newest.state),
    }
}

fn found(hold: &Hold, release: &str) -> String {
    let journal = match &hold.kept.journal {
        Some(journal) if journal.phase != Phase::Done => {
            format!("a run of {} that was {}", journal.began, journal.phase)
        }
        Some(_) | None => "nothing that was left half way".to_owned(),
    };
    format!("{release}; {journal}")
}
