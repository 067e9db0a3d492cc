//! `rollback/state-restored`: the release's objects and pods are as they were, field by field.

use prodtest_gate::{Check, Evidence, Finding, Judged, Quantity};
use prodtest_rollout::engine::judge::{not_reached, troubled, way_back};

use super::{dry, id};
use crate::{
    facts::Facts,
    plan::{Action, Plan},
};

const NAME: &str = "state-restored";

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    let (title, needs) = match plan.action {
        Action::Recover => ("the release is on a known revision, and its objects are as they were", Vec::new()),
        Action::To(_) => ("every object is as the revision has it, field by field", vec![id("target"), id("rto")]),
        Action::Drill(_) => {
            ("manifest, values, objects, configuration and digests are as before", vec![id("target"), id("rto")])
        }
    };
    Check {
        why: Some(
            "Helm puts back what is in its record: not what a hook has made, nor what others have set beside it."
                .to_owned(),
        ),
        help: Some(
            "What a `pre-upgrade` hook makes is made anew by an upgrade alone: let a rollback make it too \
             (`pre-upgrade,pre-rollback`), or make it no hook. Custom resource definitions and data do not come back."
                .to_owned(),
        ),
        needs,
        ..Check::new(id(NAME), title)
    }
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    if plan.action == Action::Recover {
        return match &facts.change.recovery {
            Some(seen) => way_back::recovered(id(NAME), &plan.change, seen, facts.change.way_back.as_ref()),
            None => not_reached(id(NAME), &facts.change),
        };
    }
    if let Some(skipped) = dry(NAME, plan) {
        return skipped;
    }
    let place = plan.change.places.chart.clone();
    let seen = match &facts.state {
        None => return not_reached(id(NAME), &facts.change),
        Some(Err(trouble)) => return troubled(id(NAME), trouble, &plan.change.release, place),
        Some(Ok(seen)) => seen,
    };
    let findings = seen.differences.iter().map(|difference| {
        let subject = way_back::subject(difference);
        Finding::new(&id(NAME), "difference", subject, difference.clone()).at(place.clone())
    });
    let mut judged = Judged::by_findings(id(NAME), findings.collect());
    let count = |number: usize| Quantity::count(u32::try_from(number).unwrap_or(u32::MAX));
    judged.evidence.push(Evidence::new("objects compared", count(seen.objects)));
    judged.evidence.push(Evidence::new("fields compared", count(seen.fields)));
    if !seen.digests.is_empty() {
        judged.evidence.push(Evidence::new("digests", Quantity::Text(seen.digests.join(", "))));
    }
    judged
}
