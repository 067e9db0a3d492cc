//! `deploy/restored`: what did not land was undone, and all is as it was.

use prodtest_gate::{Check, Evidence, Finding, Judged, Limit, Quantity};
use prodtest_rollout::watch::{RolloutFacts, RolloutVerdict};

use super::{id, not_reached, troubled};
use crate::{
    facts::{Facts, RecoverySeen, RestoreSeen, WayBack},
    plan::{Action, Plan},
};

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
        limits: vec![Limit { name: "within".to_owned(), value: plan.rollback_timeout.to_string() }],
        ..Check::new(id(NAME), "the release is on a known revision, and its objects are as they were")
    }
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    match (&plan.action, &facts.restored, &facts.recovery, &facts.way_back) {
        (Action::Restore(_), Some(Ok(seen)), _, _) => backup(plan, seen),
        (Action::Restore(_), Some(Err(trouble)), _, _) => {
            troubled(NAME, trouble, &plan.release, plan.places.namespace.clone())
        }
        (Action::Recover, _, Some(seen), way_back) => recovered(plan, seen, way_back.as_ref()),
        (Action::Deploy | Action::DryRun, _, _, Some(way_back)) => went_back(plan, way_back),
        _ => not_reached(NAME, facts),
    }
}

fn backup(plan: &Plan, seen: &RestoreSeen) -> Judged {
    let findings = seen.differences.iter().map(|difference| {
        Finding::new(&id(NAME), "difference", subject(difference), difference.clone()).at(plan.places.namespace.clone())
    });
    let mut judged = Judged::by_findings(id(NAME), findings.collect());
    judged.evidence.push(Evidence::new("backup", Quantity::Text(seen.name.clone())));
    let objects = u32::try_from(seen.objects).unwrap_or(u32::MAX);
    judged.evidence.push(Evidence::new("objects", Quantity::count(objects)));
    judged
}

/// `configmap/a: data.b: …` is about `configmap/a`.
fn subject(difference: &str) -> String {
    difference.split(':').next().unwrap_or_default().to_owned()
}

fn recovered(plan: &Plan, seen: &RecoverySeen, way_back: Option<&WayBack>) -> Judged {
    let mut judged = match (&seen.trouble, way_back) {
        (Some(trouble), _) => troubled(NAME, trouble, &plan.release, plan.places.namespace.clone()),
        (None, Some(way_back)) => went_back(plan, way_back),
        (None, None) => {
            let (findings, unknown) = pods(plan, seen.rollout.as_ref());
            conclude(findings, unknown)
        }
    };
    judged.evidence.insert(0, Evidence::new("found", Quantity::Text(seen.found.clone())));
    if let Some(done) = &seen.done {
        judged.evidence.insert(1, Evidence::new("done", Quantity::Text(done.clone())));
    }
    judged
}

fn went_back(plan: &Plan, seen: &WayBack) -> Judged {
    let place = plan.places.chart.clone();
    let mut findings: Vec<Finding> = seen
        .differences
        .iter()
        .map(|difference| {
            Finding::new(&id(NAME), "difference", subject(difference), difference.clone()).at(place.clone())
        })
        .collect();
    let mut unknown = None;
    if let Some(trouble) = &seen.trouble {
        match trouble.measured {
            true => findings.extend(troubled(NAME, trouble, &plan.release, place.clone()).findings),
            false => unknown = Some(trouble.message.clone()),
        }
    }
    let (of_pods, not_known) = pods(plan, seen.rollout.as_ref());
    findings.extend(of_pods);
    let mut judged = conclude(findings, unknown.or(not_known));
    let took = seen.ended_ms.saturating_sub(seen.started_ms) as f64;
    let limit = Quantity::milliseconds(plan.rollback_timeout.0.as_secs_f64() * 1000.0);
    judged.duration_ms = took;
    judged.evidence.push(Evidence::new("took", Quantity::milliseconds(took)).limited(limit));
    judged.evidence.push(Evidence::new(
        "back to",
        Quantity::Text(seen.to.map_or_else(|| "nothing, as before".to_owned(), |to| format!("revision {to}"))),
    ));
    judged.evidence.extend(seen.status.clone().map(|status| Evidence::new("release", Quantity::Text(status))));
    judged
}

/// What is wrong with the pods of what is there now, and why that is not known, if it is not.
fn pods(plan: &Plan, rollout: Option<&RolloutFacts>) -> (Vec<Finding>, Option<String>) {
    let place = plan.places.chart.clone();
    match rollout.map(|rollout| rollout.verdict(&plan.patience)) {
        None | Some(RolloutVerdict::Done { .. }) => (Vec::new(), None),
        Some(RolloutVerdict::Unknown { why }) => (Vec::new(), Some(why)),
        Some(RolloutVerdict::Unfinished { why }) => {
            let message = format!("the pods did not come back: {why}");
            (vec![Finding::new(&id(NAME), "unfinished", &plan.release, message).at(place)], None)
        }
        Some(RolloutVerdict::Doomed { dooms, .. }) => {
            let found = dooms.iter().map(|doom| {
                let message = format!("the release is back, and {doom}");
                Finding::new(&id(NAME), "doomed", doom.subject.to_string(), message).at(place.clone())
            });
            (found.collect(), None)
        }
    }
}

fn conclude(findings: Vec<Finding>, unknown: Option<String>) -> Judged {
    match unknown {
        Some(why) if findings.is_empty() => Judged::undetermined(id(NAME), why),
        _ => Judged::by_findings(id(NAME), findings),
    }
}
