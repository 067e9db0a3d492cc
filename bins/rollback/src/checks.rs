//! The checks of the rollback gate, one file each: what it declares, and what it concludes from what was seen.

pub(crate) mod detection_time;
pub(crate) mod history_clean;
pub(crate) mod rto;
pub(crate) mod served_throughout;
pub(crate) mod service_restored;
pub(crate) mod state_restored;
pub(crate) mod target;

use prodtest_gate::{Check, CheckId, Judged};

use crate::{
    facts::Facts,
    plan::{Action, Plan},
};

/// The gate's name.
pub(crate) const GATE: &str = "rollback";

/// Their names, in the order in which they are made.
pub(crate) const NAMES: [&str; 7] =
    ["target", "detection-time", "served-throughout", "rto", "state-restored", "service-restored", "history-clean"];

/// The id of a check of this gate.
pub(crate) fn id(name: &str) -> CheckId {
    #[expect(clippy::unwrap_used, reason = "the names are literals that the unit tests parse")]
    CheckId::new(GATE, name).unwrap()
}

/// The checks that this plan makes.
pub(crate) fn declared(plan: &Plan) -> Vec<Check> {
    let all: &[fn(&Plan) -> Check] = match plan.action {
        Action::Drill(_) | Action::To(_) => &[
            target::declare,
            detection_time::declare,
            served_throughout::declare,
            rto::declare,
            state_restored::declare,
            service_restored::declare,
            history_clean::declare,
        ],
        Action::Recover => &[state_restored::declare],
    };
    let mut checks: Vec<Check> = all.iter().map(|declare| declare(plan)).collect();
    for check in &mut checks {
        check.left_out = plan.left_out(check.id.name()).map(str::to_owned);
    }
    checks
}

/// What the facts say of each check that is not left out.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Vec<Judged> {
    let included = declared(plan).into_iter().filter(|check| check.left_out.is_none());
    included
        .map(|check| match check.id.name() {
            "target" => target::judge(plan, facts),
            "detection-time" => detection_time::judge(plan, facts),
            "served-throughout" => served_throughout::judge(plan, facts),
            "rto" => rto::judge(plan, facts),
            "state-restored" => state_restored::judge(plan, facts),
            "service-restored" => service_restored::judge(plan, facts),
            _ => history_clean::judge(plan, facts),
        })
        .collect()
}

/// Skipped in a dry run, which changes nothing.
fn dry(name: &str, plan: &Plan) -> Option<Judged> {
    plan.dry_run.then(|| Judged::skipped(id(name), "a dry run changes nothing"))
}

/// What the drill deployed did not come to where it is called bad or good.
fn not_begun(facts: &Facts) -> bool {
    facts.change.upgrade.as_ref().is_none_or(|upgrade| upgrade.started_ms.is_none())
}

#[cfg(test)]
mod tests;
