//! `deploy/identity`: what runs is what was built, and it says so itself.

use prodtest_gate::{Check, Judged, Limit};
use prodtest_rollout::engine::{facts::Facts, judge};

use super::{dry, id};
use crate::plan::Plan;

const NAME: &str = "identity";

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    let version =
        plan.change.version.iter().map(|version| Limit { name: "version".to_owned(), value: version.clone() });
    Check {
        why: Some("A tag can be moved, a pod left over, a cache stale: then users get another version than was tested.".to_owned()),
        help: Some(
            "Deploy the digest (not `--no-pin`), and look which pods the Service selects; the version is what the service \
             says at `deploy.identity`."
                .to_owned(),
        ),
        needs: vec![id("image"), id("backup"), id("upgrade"), id("rollout")],
        limits: version.collect(),
        ..Check::new(id(NAME), "every ready pod runs the built digest, and the service answers with its version")
    }
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    if let Some(skipped) = dry(NAME, plan) {
        return skipped;
    }
    judge::identity::judge(id(NAME), &plan.change, facts)
}
