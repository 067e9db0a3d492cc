//! `deploy/rollout`: every workload of the release got to the new revision.

use prodtest_gate::{Check, Judged, Limit};
use prodtest_rollout::engine::{facts::Facts, judge};

use super::{dry, id};
use crate::plan::Plan;

const NAME: &str = "rollout";

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    let within = Limit { name: "within".to_owned(), value: plan.change.timeout.to_string() };
    let mut limits = vec![within];
    limits.extend(judge::rollout::limits(&plan.change));
    Check {
        why: Some("A release that does not get ready runs the old version, or none.".to_owned()),
        help: Some(
            "The finding says why the cluster will not get there, with the events and the last lines of the log, and points \
             at the line of the chart or of the values that it comes from."
                .to_owned(),
        ),
        needs: vec![id("image"), id("backup"), id("upgrade")],
        limits,
        ..Check::new(id(NAME), "every workload got to the new revision, ready and available")
    }
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    if let Some(skipped) = dry(NAME, plan) {
        return skipped;
    }
    judge::rollout::judge(id(NAME), &plan.change, facts)
}
