//! What the rollback gate does: it looks where back leads, goes there, or deploys something bad first, and holds what is
//! there then against what must be.

mod drill;
mod smoke;
mod state;
mod target;
mod to;

use prodtest_gate::{CheckId, Judged, Outcome, Progress, Run};
use prodtest_rollout::{
    engine::{
        Eye, Hold, Means, Session, Stage, Step,
        facts::{Facts as Change, Trouble},
        recover, runs,
        way::Way,
    },
    helm::{History, Status},
};

use crate::{
    checks,
    facts::{Facts, HistorySeen},
    plan::{Action, Plan},
};

/// Shows each stage as the check that it counts for.
struct Going<'a>(&'a Plan);

impl Eye for Going<'_> {
    fn gate(&self) -> &'static str {
        checks::GATE
    }

    fn check(&self, stage: Stage) -> Option<CheckId> {
        let name = match (stage, &self.0.action) {
            (Stage::Upgrade | Stage::Rollout, Action::Drill(_)) => "detection-time",
            (Stage::Served, _) => "served-throughout",
            (Stage::Restored, Action::Recover) => "state-restored",
            (Stage::Upgrade | Stage::Rollout | Stage::Restored, _) => "rto",
            (Stage::Image | Stage::Backup | Stage::Identity, _) => return None,
        };
        Some(checks::id(name))
    }

    fn ends(&self, stage: Stage) -> bool {
        match stage {
            // Whether it was called bad is known when it is decided what becomes of it.
            Stage::Upgrade => false,
            Stage::Rollout => !matches!(self.0.action, Action::Drill(_)),
            _ => true,
        }
    }

    fn judge(&self, facts: &Change) -> Vec<Judged> {
        checks::judge(self.0, &Facts { change: facts.clone(), ..Facts::default() })
    }
}

/// What is seen beside the change.
struct Beside<'a> {
    plan: &'a Plan,
    facts: Facts,
}

impl Beside<'_> {
    /// All that was seen so far.
    fn so_far(&self, session: &Session<'_>) -> Facts {
        Facts { change: session.facts.clone(), ..self.facts.clone() }
    }

    fn started(&self, session: &Session<'_>, name: &str) {
        session.run.report(Progress::Started(checks::id(name)));
    }

    fn finished(&self, session: &Session<'_>, name: &str) {
        let id = checks::id(name);
        let judged = checks::judge(self.plan, &self.so_far(session)).into_iter().find(|judged| judged.id == id);
        let outcome = judged.map_or(Outcome::Skipped, |judged| judged.outcome);
        session.run.report(Progress::Finished(id, outcome));
    }
}

/// Looks whether users are served as before, and whether Helm's history is in order. `target`: the revision that was gone
/// back to.
async fn at_last(session: &mut Session<'_>, beside: &mut Beside<'_>, hold: &Hold, target: u32) -> Step {
    beside.facts.version_after = runs::ask_version(session).await?;
    if let Some(plan) = &beside.plan.smoke {
        beside.facts.smoke = Some(smoke::play(session, plan).await?);
    }
    beside.finished(session, "service-restored");
    beside.facts.history = look_at_history(session, hold, target).await?;
    beside.finished(session, "history-clean");
    Ok(())
}

/// Looks what Helm has afterwards.
async fn look_at_history(
    session: &mut Session<'_>,
    hold: &Hold,
    target: u32,
) -> Step<Option<Result<HistorySeen, Trouble>>> {
    if let Way::Manifests = hold.way {
        return Ok(None);
    }
    let reading = History::read(&hold.cluster, session.plan.namespace(), &session.plan.release);
    Ok(Some(match session.run.unless_stopped(reading).await? {
        Err(error) => Err(Trouble::unmeasured(error.to_string(), error.hint())),
        Ok(history) => Ok(seen(&history, target)),
    }))
}

fn seen(history: &History, target: u32) -> HistorySeen {
    let status =
        |status: Option<_>| status.map_or_else(|| "unreadable".to_owned(), |status: Status| status.to_string());
    let statuses = history.statuses();
    let pending = statuses.iter().filter(|(_, status)| status.is_some_and(Status::is_pending));
    HistorySeen {
        newest: statuses.last().map(|(number, is)| (*number, status(*is))),
        pending: pending.map(|(number, _)| *number).collect(),
        has_target: history.release(target).is_some(),
        revisions: statuses.len(),
    }
}

/// Does it all. Returns what was seen, however it ended.
pub(crate) async fn observe(plan: &Plan, means: &Means, run: &Run) -> Facts {
    let eye = Going(plan);
    let mut session = Session::new(&plan.change, means, run, &eye);
    let mut beside = Beside { plan, facts: Facts::default() };
    let went = match &plan.action {
        Action::Drill(_) => drill::drill(&mut session, &mut beside).await,
        Action::To(target) => to::to(&mut session, &mut beside, target).await,
        Action::Recover => recover::only(&mut session).await,
    };
    let (change, secrets) = session.end(went);
    Facts { change, ..beside.facts }.redacted(&secrets)
}
