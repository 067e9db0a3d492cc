//! `deploy/restored`: what did not land was undone, and all is as it was.

use prodtest_gate::{Check, Evidence, Finding, Judged, Limit, Quantity};
use prodtest_rollout::engine::{
    facts::{Facts, RestoreSeen},
    judge::{not_reached, troubled, way_back},
};

use super::id;
use crate::plan::{Action, Plan};

const NAME: &str = "restored";

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    Check {
        why: Some("A release that is neither the old one nor the new one is worse than either.".to_owned()),
        help: Some(
            "Look at `helm history` and at the pods. `prodtest-deploy --recover` tries again; `prodtest-deploy restore` puts \
             the objects of the backup back."
                .to_owned(),
        ),
        limits: vec![Limit { name: "within".to_owned(), value: plan.change.rollback_timeout.to_string() }],
        ..Check::new(id(NAME), "the release is on a known revision, and its objects are as they were")
    }
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    match (&plan.action, &facts.restored, &facts.recovery, &facts.way_back) {
        (Action::Restore(_), Some(Ok(seen)), _, _) => backup(plan, seen),
        (Action::Restore(_), Some(Err(trouble)), _, _) => {
            troubled(id(NAME), trouble, &plan.change.release, plan.change.places.namespace.clone())
        }
        (Action::Recover, _, Some(seen), back) => way_back::recovered(id(NAME), &plan.change, seen, back.as_ref()),
        (Action::Deploy | Action::DryRun, _, _, Some(way_back)) => way_back::judge(id(NAME), &plan.change, way_back),
        _ => not_reached(id(NAME), facts),
    }
}

fn backup(plan: &Plan, seen: &RestoreSeen) -> Judged {
    let findings = seen.differences.iter().map(|difference| {
        Finding::new(&id(NAME), "difference", way_back::subject(difference), difference.clone()).at(plan
            .change
            .places
            .namespace
            .clone())
    });
    let mut judged = Judged::by_findings(id(NAME), findings.collect());
    judged.evidence.push(Evidence::new("backup", Quantity::Text(seen.name.clone())));
    let objects = u32::try_from(seen.objects).unwrap_or(u32::MAX);
    judged.evidence.push(Evidence::new("objects", Quantity::count(objects)));
    judged
}
