//! What did not land was undone, and all is as it was.

use prodtest_gate::{CheckId, Evidence, Finding, Judged, Quantity};

use super::{conclude, troubled};
use crate::{
    engine::{
        facts::{RecoverySeen, WayBack},
        plan::Plan,
    },
    watch::{RolloutFacts, RolloutVerdict},
};

/// What the facts of a way back say.
#[must_use]
pub fn judge(id: CheckId, plan: &Plan, seen: &WayBack) -> Judged {
    let place = plan.places.chart.clone();
    let mut findings: Vec<Finding> = seen
        .differences
        .iter()
        .map(|difference| Finding::new(&id, "difference", subject(difference), difference.clone()).at(place.clone()))
        .collect();
    let mut unknown = None;
    if let Some(trouble) = &seen.trouble {
        match trouble.measured {
            true => findings.extend(troubled(id.clone(), trouble, &plan.release, place.clone()).findings),
            false => unknown = Some(trouble.message.clone()),
        }
    }
    let (of_pods, not_known) = pods(&id, plan, seen.rollout.as_ref());
    findings.extend(of_pods);
    let mut judged = conclude(id, findings, unknown.or(not_known));
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
#[must_use]
pub fn pods(id: &CheckId, plan: &Plan, rollout: Option<&RolloutFacts>) -> (Vec<Finding>, Option<String>) {
    let place = plan.places.chart.clone();
    match rollout.map(|rollout| rollout.verdict(&plan.patience)) {
        None | Some(RolloutVerdict::Done { .. }) => (Vec::new(), None),
        Some(RolloutVerdict::Unknown { why }) => (Vec::new(), Some(why)),
        Some(RolloutVerdict::Unfinished { why }) => {
            let message = format!("the pods did not come back: {why}");
            (vec![Finding::new(id, "unfinished", &plan.release, message).at(place)], None)
        }
        Some(RolloutVerdict::Doomed { dooms, .. }) => {
            let found = dooms.iter().map(|doom| {
                let message = format!("the release is back, and {doom}");
                Finding::new(id, "doomed", doom.subject.to_string(), message).at(place.clone())
            });
            (found.collect(), None)
        }
    }
}

/// `configmap/a: data.b: …` is about `configmap/a`.
#[must_use]
pub fn subject(difference: &str) -> String {
    difference.split(':').next().unwrap_or_default().to_owned()
}

/// What the facts of a recovery say.
#[must_use]
pub fn recovered(id: CheckId, plan: &Plan, seen: &RecoverySeen, way_back: Option<&WayBack>) -> Judged {
    let mut judged = match (&seen.trouble, way_back) {
        (Some(trouble), _) => troubled(id, trouble, &plan.release, plan.places.namespace.clone()),
        (None, Some(way_back)) => judge(id, plan, way_back),
        (None, None) => {
            let (findings, unknown) = pods(&id, plan, seen.rollout.as_ref());
            conclude(id, findings, unknown)
        }
    };
    judged.evidence.insert(0, Evidence::new("found", Quantity::Text(seen.found.clone())));
    if let Some(done) = &seen.done {
        judged.evidence.insert(1, Evidence::new("done", Quantity::Text(done.clone())));
    }
    judged
}
