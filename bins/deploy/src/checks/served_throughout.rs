//! `deploy/served-throughout`: a steady probe saw nothing of the rollout.

use prodtest_gate::{Check, Judged};
use prodtest_rollout::engine::{facts::Facts, judge};

use super::{dry, id};
use crate::plan::Plan;

const NAME: &str = "served-throughout";

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    Check {
        why: Some("A rollout that drops requests is an outage that nobody planned.".to_owned()),
        help: Some(
            "Look what happened when the first request failed: old pods must serve on until endpoints and proxies have \
             forgotten them (a preStop hook that sleeps, a drain after SIGTERM), new ones must not be ready too early, and \
             `maxUnavailable` must be 0."
                .to_owned(),
        ),
        // Not the upgrade: while that fails, users are served or not all the same.
        needs: vec![id("image"), id("backup")],
        limits: judge::served::limits(&plan.change),
        ..Check::new(id(NAME), "no user noticed: a steady probe was answered throughout the rollout")
    }
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    if let Some(skipped) = dry(NAME, plan) {
        return skipped;
    }
    judge::served::judge(id(NAME), &plan.change, facts)
}
