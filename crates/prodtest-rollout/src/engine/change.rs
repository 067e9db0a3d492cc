//! The change itself, and beside it the eyes on the cluster: who comes to an end first, decides.

use std::time::Duration;

use crate::{
    journal::{Phase, Standing},
    watch::{Follow, Moment, RolloutVerdict, Tracker, diagnose},
};
use prodtest_gate::{Progress, Stop};
use tokio::{sync::watch, time::timeout};

use super::{
    Halt, Hold, Session, Stage, Step,
    facts::{Diagnosed, Trouble, UpgradeSeen},
    helm_way, origin,
    upgrade::{Live, Rendered},
    way::Failure,
};

/// How long a change that is no longer wanted may take to end by itself.
const GRACE: Duration = Duration::from_secs(5);
/// The same, where the gate itself was told to stop: what is left of its time is for the way back.
const HURRY: Duration = Duration::from_secs(2);
/// How long the cluster may take to tell why a hook failed, once Helm has said that it did.
const HOOK_NEWS: Duration = Duration::from_secs(3);

impl UpgradeSeen {
    fn failed(&mut self, failure: Failure) {
        self.trouble = Some(failure.trouble);
        self.place = failure.place;
    }
}

/// Changes it, and keeps the eyes on the cluster meanwhile.
pub(super) async fn change(session: &mut Session<'_>, hold: &Hold, rendered: &Rendered, live: &mut Live) -> Step {
    session.started(Stage::Upgrade);
    let mut seen = UpgradeSeen { by: hold.way.by(), started_ms: Some(session.now_ms()), ..UpgradeSeen::default() };
    let deadline = session.begin.elapsed() + session.plan.timeout.0;
    let (applied, is_applied) = watch::channel(None);
    let tracker = Tracker::new(rendered.aim.clone(), live.noted.clone(), session.plan.patience.clone());
    let mut follow = Follow::new(&mut live.watch, tracker, session.begin, is_applied);
    let run = session.run;
    let mut standing = hold.held.watch();
    let rollout = &session.eye.check(Stage::Rollout);
    let tell = |moment: &Moment| {
        if let Some(id) = rollout {
            run.report(Progress::Note(id.clone(), moment.to_string()));
        }
    };
    let mut work = hold.way.start(session, &hold.cluster, rendered);
    let mut ended: Option<Result<(), Failure>> = None;
    let mut stopped: Option<Stop> = None;
    let mut is_whole = false;
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
            end = work.wait(), if ended.is_none() => {
                let good = end.is_ok();
                seen.ended_ms = Some(session.now_ms());
                ended = Some(end);
                if !good {
                    break;
                }
                if !work.has_hooks() {
                    all_in(session, hold).await;
                }
                applied.send_replace(Some(session.now_ms()));
                session.started(Stage::Rollout);
            }
            _ = follow.run(deadline, tell) => break,
        }
    }
    match ended {
        None => {
            // Doomed before its end, out of time, or told to stop: Helm marks its revision failed when it is asked to end.
            let end = work.end(if stopped.is_some() { HURRY } else { GRACE }).await;
            seen.ended_ms = Some(session.now_ms());
            let doomed = matches!(follow.facts().verdict(&session.plan.patience), RolloutVerdict::Doomed { .. });
            match end {
                _ if stopped.is_some() => {}
                _ if doomed && work.has_hooks() => seen.hook = true,
                Ok(()) => is_whole = seen.trouble.is_none(),
                Err(failure) if seen.trouble.is_none() => seen.failed(failure),
                Err(_) => {}
            }
        }
        Some(Ok(())) => is_whole = true,
        Some(Err(failure)) => {
            if failure.trouble.rule == "hook" {
                // The cluster may be a moment later than Helm in telling why.
                let _ = timeout(HOOK_NEWS, follow.run(deadline, tell)).await;
                seen.hook = matches!(follow.facts().verdict(&session.plan.patience), RolloutVerdict::Doomed { .. });
            }
            if !seen.hook {
                seen.failed(failure);
            }
        }
    }
    seen.revision = session.facts.before.as_ref().map(|before| before.next);
    if is_whole && work.has_hooks() {
        match helm_way::unrecorded(session, hold).await {
            Ok(trouble) => seen.trouble = trouble,
            Err(reason) => stopped = Some(reason),
        }
    }
    let facts = follow.facts().clone();
    drop(follow);
    is_whole = is_whole && seen.trouble.is_none();
    session.facts.upgrade = Some(seen);
    let verdict = facts.verdict(&session.plan.patience);
    session.facts.rollout = Some(facts);
    session.finished(Stage::Upgrade);
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
                let traced = origin::of(session.plan, rendered, &diagnosis.evidence);
                let (place, set_by) = traced.map_or((None, None), |(place, key)| (Some(place), key));
                Diagnosed { diagnosis, place, set_by }
            })
            .collect();
    }
    if is_whole {
        session.finished(Stage::Rollout);
    }
    if matches!(verdict, RolloutVerdict::Done { .. }) {
        live.settle(session, &rendered.aim).await?;
    }
    Ok(())
}

/// Writes down that all objects are in. Of Helm's releases its own record says so.
async fn all_in(session: &mut Session<'_>, hold: &Hold) {
    let Some(mut journal) = hold.kept.journal.clone() else { return };
    journal.phase = Phase::Watching;
    // Who is told to stop meanwhile hears it where the change is waited for, and ends in order.
    if let Ok(Err(error)) = session.run.unless_stopped(hold.store.write(&hold.held, &journal)).await {
        session.facts.remarks.push(format!("the journal could not be written: {error}"));
    }
}
