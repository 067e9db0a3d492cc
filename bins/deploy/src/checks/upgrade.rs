//! `deploy/upgrade`: the cluster took the new revision, hooks and all.

use prodtest_gate::{Check, Evidence, Judged, Limit, Quantity};
use prodtest_rollout::engine::{
    facts::Facts,
    judge::{not_reached, rollout, troubled},
};

use super::{dry, id};
use crate::plan::Plan;

const NAME: &str = "upgrade";

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    Check {
        why: Some("What the cluster refuses, or a hook that fails, leaves a release half way.".to_owned()),
        help: Some(
            "The finding says who refused what; `helm template` renders a chart without the cluster.".to_owned(),
        ),
        needs: vec![id("image"), id("backup")],
        limits: vec![Limit { name: "a hook within".to_owned(), value: plan.change.hook_timeout.to_string() }],
        ..Check::new(id(NAME), "the cluster took the new revision, and its hooks succeeded")
    }
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    let Some(seen) = &facts.upgrade else {
        return not_reached(id(NAME), facts);
    };
    let mut judged = match &seen.trouble {
        _ if seen.hook => rollout::doomed(id(NAME), facts),
        Some(trouble) => {
            let place = seen.place.clone().or_else(|| plan.change.places.chart.clone());
            troubled(id(NAME), trouble, &plan.change.release, place)
        }
        None => Judged::by_findings(id(NAME), Vec::new()),
    };
    judged.evidence.push(Evidence::new("by", Quantity::Text(seen.by.clone())));
    if let Some(revision) = seen.revision.filter(|_| dry(NAME, plan).is_none()) {
        judged.evidence.push(Evidence::new("revision", Quantity::count(revision)));
    }
    if let (Some(started), Some(ended)) = (seen.started_ms, seen.ended_ms) {
        judged.duration_ms = ended.saturating_sub(started) as f64;
        judged.evidence.push(Evidence::new("took", Quantity::milliseconds(judged.duration_ms)));
    }
    judged
}
