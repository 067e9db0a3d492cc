//! What runs is what was built, and it says so itself.

use prodtest_gate::{CheckId, Evidence, Finding, Judged, Quantity};

use super::{conclude, not_reached, troubled};
use crate::{
    engine::{
        facts::{Facts, IdentitySeen},
        plan::Plan,
    },
    identity::{Expected, VersionMismatch, judge as judge_pods, judge_version},
};

/// What the facts say of the pods and of the version that answers.
#[must_use]
pub fn judge(id: CheckId, plan: &Plan, facts: &Facts) -> Judged {
    let seen = match &facts.identity {
        None => return not_reached(id, facts),
        Some(Err(trouble)) => return troubled(id, trouble, &plan.release, plan.places.namespace.clone()),
        Some(Ok(seen)) => seen,
    };
    let asks_version = plan.version.as_ref().zip(facts.version.as_ref());
    if seen.digests.is_empty() && asks_version.is_none() {
        let reason = "neither the digest nor the version that must run is known: the image is not pinned, and \
                      `deploy.identity` names no place where the service says its version";
        return Judged::skipped(id, reason);
    }
    let (mut findings, mut unknown) = pods(&id, plan, seen);
    if let Some((expected, answers)) = asks_version {
        let rule = |mismatch: &VersionMismatch| match mismatch {
            VersionMismatch::Unanswered { .. } | VersionMismatch::NotAsked => "unanswered",
            VersionMismatch::Other { .. } | VersionMismatch::Without { .. } => "version",
        };
        findings.extend(judge_version(expected, answers).iter().map(|mismatch| {
            Finding::new(&id, rule(mismatch), &plan.release, mismatch.to_string())
                .expected(format!("version `{expected}`"), mismatch.to_string())
                .at(plan.places.url.clone())
        }));
    }
    let mut judged = conclude(id, findings, unknown.pop());
    let pods = u32::try_from(seen.running.len()).unwrap_or(u32::MAX);
    judged.evidence.push(Evidence::new("containers that run", Quantity::count(pods)));
    if let Some((expected, _)) = asks_version {
        judged.evidence.push(Evidence::new("version", Quantity::Text(expected.clone())));
    }
    judged
}

/// What is wrong with the pods, and what could not be told of them.
fn pods(id: &CheckId, plan: &Plan, seen: &IdentitySeen) -> (Vec<Finding>, Vec<String>) {
    if seen.digests.is_empty() {
        return (Vec::new(), Vec::new());
    }
    let expected = Expected { digests: seen.digests.clone(), containers: seen.containers.clone() };
    let (unknown, wrong): (Vec<_>, Vec<_>) =
        judge_pods(&expected, &seen.running).into_iter().partition(|mismatch| mismatch.is_undetermined());
    let wanted = seen.digests.iter().next().cloned().unwrap_or_default();
    let mut findings = Vec::new();
    if let Some(first) = wrong.first() {
        let message = match wrong.len() {
            1 => first.to_string(),
            several => format!("{first}; {several} containers in all"),
        };
        findings.push(
            Finding::new(id, "digest", &plan.release, message)
                .expected(format!("`{wanted}`"), first.to_string())
                .at(plan.places.image.clone()),
        );
    }
    (findings, unknown.iter().map(ToString::to_string).collect())
}
