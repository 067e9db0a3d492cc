//! The checks of the deploy gate, one file each: what it declares, and what it concludes from what was seen.

pub(crate) mod backup;
pub(crate) mod identity;
pub(crate) mod image;
pub(crate) mod restored;
pub(crate) mod rollout;
pub(crate) mod served_throughout;
pub(crate) mod upgrade;

use prodtest_gate::{Check, CheckId, Judged};
use prodtest_rollout::engine::facts::Facts;

use crate::plan::{Action, Plan};

/// Their names, in the order in which they are made.
pub(crate) const NAMES: [&str; 7] =
    ["image", "backup", "upgrade", "rollout", "served-throughout", "identity", "restored"];

/// The id of a check of this gate.
pub(crate) fn id(name: &str) -> CheckId {
    #[expect(clippy::unwrap_used, reason = "the names are literals that the unit tests parse")]
    CheckId::new("deploy", name).unwrap()
}

/// The checks that this plan makes. `restored` is one of a deploy that, as its facts tell, went back; before there are
/// facts it may be.
pub(crate) fn declared(plan: &Plan, facts: Option<&Facts>) -> Vec<Check> {
    let went_back = facts.map_or(plan.action == Action::Deploy, |facts| facts.way_back.is_some());
    let all: &[fn(&Plan) -> Check] = match plan.action {
        Action::Deploy | Action::DryRun => &[
            image::declare,
            backup::declare,
            upgrade::declare,
            rollout::declare,
            served_throughout::declare,
            identity::declare,
        ],
        Action::Recover | Action::Restore(_) => &[],
    };
    let mut checks: Vec<Check> = all.iter().map(|declare| declare(plan)).collect();
    if went_back || matches!(plan.action, Action::Recover | Action::Restore(_)) {
        checks.push(restored::declare(plan));
    }
    for check in &mut checks {
        check.left_out = plan.left_out(check.id.name()).map(str::to_owned);
    }
    checks
}

/// What the facts say of each check that is not left out.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Vec<Judged> {
    let included = declared(plan, Some(facts)).into_iter().filter(|check| check.left_out.is_none());
    included
        .map(|check| match check.id.name() {
            "image" => image::judge(plan, facts),
            "backup" => backup::judge(plan, facts),
            "upgrade" => upgrade::judge(plan, facts),
            "rollout" => rollout::judge(plan, facts),
            "served-throughout" => served_throughout::judge(plan, facts),
            "identity" => identity::judge(plan, facts),
            _ => restored::judge(plan, facts),
        })
        .collect()
}

/// Skipped in a dry run, which changes nothing.
fn dry(name: &str, plan: &Plan) -> Option<Judged> {
    (plan.action == Action::DryRun).then(|| Judged::skipped(id(name), "a dry run changes nothing"))
}
