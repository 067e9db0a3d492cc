//! `rollback/history-clean`: nothing is pending, and the way back is still there.

use prodtest_gate::{Check, Evidence, Finding, Judged, Quantity};
use prodtest_rollout::engine::{
    judge::{not_reached, troubled},
    plan::What,
};

use super::{dry, id};
use crate::{facts::Facts, plan::Plan};

const NAME: &str = "history-clean";
/// What Helm calls a release that is in order.
const DEPLOYED: &str = "deployed";

/// What it declares.
pub(crate) fn declare(_plan: &Plan) -> Check {
    Check {
        why: Some("A pending release refuses the next deployment; a pruned revision is a way back that is gone.".to_owned()),
        help: Some(
            "`prodtest-rollback --recover` frees a pending release. Helm keeps 10 revisions: `--history-max` keeps more."
                .to_owned(),
        ),
        needs: vec![id("target"), id("rto")],
        ..Check::new(id(NAME), "nothing is pending, and the revision gone back to is still there")
    }
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    if let Some(skipped) = dry(NAME, plan) {
        return skipped;
    }
    if matches!(plan.change.what, Some(What::Manifests(_))) {
        return Judged::skipped(id(NAME), "plain manifests have no history");
    }
    let place = plan.change.places.namespace.clone();
    let seen = match &facts.history {
        None => return not_reached(id(NAME), &facts.change),
        Some(Err(trouble)) => return troubled(id(NAME), trouble, &plan.change.release, place),
        Some(Ok(seen)) => seen,
    };
    let finding =
        |rule: &str, message: String| Finding::new(&id(NAME), rule, &plan.change.release, message).at(place.clone());
    let mut findings = Vec::new();
    match &seen.newest {
        None => findings.push(finding("gone", "Helm has no revision of the release any more".to_owned())),
        Some((number, status)) if status != DEPLOYED => {
            let message = format!("the newest revision, {number}, is {status}");
            findings.push(finding("status", message).expected(DEPLOYED, status.clone()));
        }
        Some(_) => {}
    }
    let newest = seen.newest.as_ref().map(|(number, _)| *number);
    for number in seen.pending.iter().filter(|number| Some(**number) != newest) {
        findings.push(finding("pending", format!("revision {number} is pending")));
    }
    if !seen.has_target {
        let message = "Helm has pruned the revision that was gone back to".to_owned();
        findings.push(finding("pruned", message).help("keep more revisions: `helm upgrade --history-max`"));
    }
    let mut judged = Judged::by_findings(id(NAME), findings);
    let revisions = u32::try_from(seen.revisions).unwrap_or(u32::MAX);
    judged.evidence.push(Evidence::new("revisions", Quantity::count(revisions)));
    if let Some((number, status)) = &seen.newest {
        judged.evidence.push(Evidence::new("newest", Quantity::Text(format!("revision {number}, {status}"))));
    }
    judged
}
