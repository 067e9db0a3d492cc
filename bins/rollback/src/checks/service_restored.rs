//! `rollback/service-restored`: the version of before answers, and does its job for a user.

use std::collections::BTreeSet;

use prodtest_gate::{Check, Evidence, Finding, Judged, Limit, Quantity, Verdict};
use prodtest_rollout::{
    engine::judge::{conclude, not_reached},
    identity::{Answer, Expected, VersionFacts, judge as judge_pods, judge_version},
};

use super::{dry, id};
use crate::{
    facts::Facts,
    plan::{Action, Plan},
};

const NAME: &str = "service-restored";

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    let smoke = plan.smoke.iter().map(|_| Limit { name: "smoke".to_owned(), value: "every scenario".to_owned() });
    Check {
        why: Some("Pods that are ready are not a service that works.".to_owned()),
        help: Some(
            "Look what answers: pods that the Service still selects, a route or a cache before it, a configuration that the \
             release does not own."
                .to_owned(),
        ),
        needs: vec![id("target"), id("rto")],
        limits: smoke.collect(),
        ..Check::new(id(NAME), "the earlier version answers, and the smoke scenarios are green")
    }
}

/// The version that must answer, and why it is not known, if it is not. None where nobody can tell a version.
fn expected(plan: &Plan, facts: &Facts) -> Result<Option<String>, String> {
    if let Some(said) = &plan.expected {
        return Ok(Some(said.clone()));
    }
    match plan.action {
        Action::To(_) => {
            Ok(facts.target.as_ref().and_then(|target| target.as_ref().ok()).and_then(|seen| seen.version.clone()))
        }
        Action::Drill(_) | Action::Recover => facts.version_before.as_ref().map(one).transpose(),
    }
}

/// The one version that answered; more than one, or none, is none to hold anything against.
fn one(seen: &VersionFacts) -> Result<String, String> {
    let mut versions = BTreeSet::new();
    for answer in &seen.answers {
        match answer {
            Answer::Version { version } => versions.insert(version.clone()),
            Answer::Without { why } | Answer::None { why } => {
                return Err(format!("which version answered before is not known: {why}"));
            }
        };
    }
    match (versions.pop_first(), versions.is_empty()) {
        (Some(version), true) => Ok(version),
        (Some(version), false) => Err(format!("several versions answered before: `{version}` and others")),
        (None, _) => Err("no version answered before".to_owned()),
    }
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    if let Some(skipped) = dry(NAME, plan) {
        return skipped;
    }
    let is_seen = facts.version_after.is_some() || facts.smoke.is_some() || !facts.running.is_empty();
    if !is_seen {
        return match plan.change.probe.is_none() && plan.smoke.is_none() && facts.state.is_some() {
            true => Judged::skipped(id(NAME), "the environment has no `url`, and no scenarios of `smoke`"),
            false => not_reached(id(NAME), &facts.change),
        };
    }
    let (mut findings, mut unknown, mut evidence) = (Vec::new(), Vec::new(), Vec::new());
    at_last(plan, facts, &mut findings);
    pods(plan, facts, &mut findings, &mut unknown);
    version(plan, facts, &mut findings, &mut unknown, &mut evidence);
    smoke(facts, plan, &mut findings, &mut unknown, &mut evidence);
    if evidence.is_empty() && findings.is_empty() && facts.running.is_empty() {
        unknown.push("neither a version nor a scenario says whether the service works".to_owned());
    }
    let mut judged = conclude(id(NAME), findings, unknown.into_iter().next());
    judged.evidence = evidence;
    judged
}

/// What the probe saw at last.
fn at_last(plan: &Plan, facts: &Facts, findings: &mut Vec<Finding>) {
    let Some(probe) = &facts.change.probe else { return };
    let last = probe.bins.iter().rev().find(|bin| bin.requests > 0).filter(|bin| bin.failed > 0);
    findings.extend(last.map(|bin| {
        let why = probe.failures.last().map(|failure| format!(": {}", failure.kind)).unwrap_or_default();
        let message = format!("the service still fails when all is back{why}");
        Finding::new(&id(NAME), "failing", &plan.change.release, message)
            .expected("no failed request in the last second", format!("{} of {}", bin.failed, bin.requests))
            .at(plan.change.places.url.clone())
    }));
}

/// What runs, where the revision's images are known.
fn pods(plan: &Plan, facts: &Facts, findings: &mut Vec<Finding>, unknown: &mut Vec<String>) {
    let Some(Ok(target)) = &facts.target else { return };
    if facts.running.is_empty() {
        return;
    }
    let resolved = target.images.iter().filter_map(|image| image.resolved.as_ref());
    let digests = resolved.flat_map(|resolved| {
        std::iter::once(resolved.digest.to_string()).chain(resolved.images.iter().map(|image| image.digest.to_string()))
    });
    let expected = Expected { digests: digests.collect(), containers: target.containers.iter().cloned().collect() };
    for mismatch in judge_pods(&expected, &facts.running) {
        if mismatch.is_undetermined() {
            unknown.push(mismatch.to_string());
        } else {
            let finding = Finding::new(&id(NAME), "digest", &plan.change.release, mismatch.to_string());
            findings.push(finding.at(plan.change.places.image.clone()));
        }
    }
}

fn version(
    plan: &Plan,
    facts: &Facts,
    findings: &mut Vec<Finding>,
    unknown: &mut Vec<String>,
    evidence: &mut Vec<Evidence>,
) {
    let Some(seen) = &facts.version_after else { return };
    match expected(plan, facts) {
        Ok(Some(version)) => {
            findings.extend(judge_version(&version, seen).iter().map(|mismatch| {
                Finding::new(&id(NAME), "version", &plan.change.release, mismatch.to_string())
                    .expected(format!("version `{version}`"), mismatch.to_string())
                    .at(plan.change.places.url.clone())
            }));
            evidence.push(Evidence::new("version", Quantity::Text(version)));
        }
        Ok(None) => {}
        Err(why) => unknown.push(why),
    }
}

fn smoke(
    facts: &Facts,
    plan: &Plan,
    findings: &mut Vec<Finding>,
    unknown: &mut Vec<String>,
    evidence: &mut Vec<Evidence>,
) {
    let Some(seen) = &facts.smoke else { return };
    let place = plan.change.places.url.clone();
    for failed in &seen.failed {
        let message = format!("a user is not served as before: {failed}");
        // `smoke/health: …` is about `smoke/health`.
        let subject = failed.split(':').next().unwrap_or_default();
        findings.push(Finding::new(&id(NAME), "smoke", subject, message).at(place.clone()));
    }
    if let Some(why) = &seen.trouble {
        unknown.push(why.clone());
    } else if seen.verdict != Some(Verdict::Passed) && seen.failed.is_empty() {
        unknown.push(format!("the smoke gate could not measure: {}", seen.undetermined.join(", ")));
    }
    evidence
        .push(Evidence::new("smoke checks passed", Quantity::count(u32::try_from(seen.passed).unwrap_or(u32::MAX))));
}
