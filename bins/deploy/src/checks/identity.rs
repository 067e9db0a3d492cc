//! `deploy/identity`: what runs is what was built, and it says so itself.

use prodtest_gate::{Check, Evidence, Finding, Judged, Limit, Quantity};
use prodtest_rollout::identity::{Expected, VersionMismatch, judge as judge_pods, judge_version};

use super::{dry, id, not_reached, troubled};
use crate::{
    facts::{Facts, IdentitySeen},
    plan::Plan,
};

const NAME: &str = "identity";

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    let version = plan.version.iter().map(|version| Limit { name: "version".to_owned(), value: version.clone() });
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
    let seen = match &facts.identity {
        None => return not_reached(NAME, facts),
        Some(Err(trouble)) => return troubled(NAME, trouble, &plan.release, plan.places.namespace.clone()),
        Some(Ok(seen)) => seen,
    };
    let asks_version = plan.version.as_ref().zip(facts.version.as_ref());
    if seen.digests.is_empty() && asks_version.is_none() {
        let reason = "neither the digest nor the version that must run is known: the image is not pinned, and \
                      `deploy.identity` names no place where the service says its version";
        return Judged::skipped(id(NAME), reason);
    }
    let (mut findings, mut unknown) = pods(plan, seen);
    if let Some((expected, answers)) = asks_version {
        let rule = |mismatch: &VersionMismatch| match mismatch {
            VersionMismatch::Unanswered { .. } | VersionMismatch::NotAsked => "unanswered",
            VersionMismatch::Other { .. } | VersionMismatch::Without { .. } => "version",
        };
        findings.extend(judge_version(expected, answers).iter().map(|mismatch| {
            Finding::new(&id(NAME), rule(mismatch), &plan.release, mismatch.to_string())
                .expected(format!("version `{expected}`"), mismatch.to_string())
                .at(plan.places.url.clone())
        }));
    }
    let mut judged = match unknown.pop() {
        Some(why) if findings.is_empty() => Judged::undetermined(id(NAME), why),
        _ => Judged::by_findings(id(NAME), findings),
    };
    let pods = u32::try_from(seen.running.len()).unwrap_or(u32::MAX);
    judged.evidence.push(Evidence::new("containers that run", Quantity::count(pods)));
    if let Some((expected, _)) = asks_version {
        judged.evidence.push(Evidence::new("version", Quantity::Text(expected.clone())));
    }
    judged
}

/// What is wrong with the pods, and what could not be told of them.
fn pods(plan: &Plan, seen: &IdentitySeen) -> (Vec<Finding>, Vec<String>) {
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
            Finding::new(&id(NAME), "digest", &plan.release, message)
                .expected(format!("`{wanted}`"), first.to_string())
                .at(plan.places.image.clone()),
        );
    }
    (findings, unknown.iter().map(ToString::to_string).collect())
}
