//! `rollback/served-throughout`: the old pods served on, through the bad version and the way back from it.

use prodtest_gate::{Check, Judged};
use prodtest_rollout::engine::judge::served;

use super::{dry, id};
use crate::{facts::Facts, plan::Plan};

const NAME: &str = "served-throughout";

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    Check {
        why: Some("A way back that drops requests is a second outage after the first.".to_owned()),
        help: Some(
            "Old pods must serve until new ones are ready: `maxUnavailable: 0`, and a preStop hook or a drain after SIGTERM."
                .to_owned(),
        ),
        needs: vec![id("target")],
        limits: served::limits(&plan.change),
        ..Check::new(id(NAME), "no user noticed: a steady probe was answered throughout")
    }
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    if let Some(skipped) = dry(NAME, plan) {
        return skipped;
    }
    if let Some(fault) = plan.fault().filter(|fault| fault.is_served()) {
        let why =
            format!("a version with the fault `{fault}` serves users badly: what that cost is told by `rollback/rto`");
        return Judged::skipped(id(NAME), why);
    }
    // What one goes back from may well be why.
    let failed_before = facts.change.probe.as_ref().is_some_and(|probe| probe.before.failed > 0);
    if failed_before && plan.fault().is_none() {
        let why =
            "the service failed already before; whether it does afterwards is told by `rollback/service-restored`";
        return Judged::skipped(id(NAME), why);
    }
    served::judge(id(NAME), &plan.change, &facts.change)
}
