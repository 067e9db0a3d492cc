//! A steady probe saw nothing of it.

use prodtest_gate::{CheckId, Evidence, Finding, Judged, Limit, Mark, Quantity};

use super::not_reached;
use crate::{
    engine::{
        facts::Facts,
        plan::{Plan, ProbePlan},
    },
    probe::{Limits, ProbeFacts, ProbeVerdict, Problem, series},
};

/// More lines than this nobody tells apart in a plot.
const MOST_MARKS: usize = 24;

/// What the probe is held against.
#[must_use]
pub fn limits(plan: &Plan) -> Vec<Limit> {
    let limits = plan.probe.iter().flat_map(|probe| {
        let mut limits = vec![
            Limit { name: "rate".to_owned(), value: format!("{}/s", probe.rate) },
            Limit { name: "failed at most".to_owned(), value: probe.max_failed.to_string() },
        ];
        limits.extend(probe.max_gap.map(|gap| Limit { name: "gap at most".to_owned(), value: gap.to_string() }));
        limits
    });
    limits.collect()
}

/// What the facts say.
#[must_use]
pub fn judge(id: CheckId, plan: &Plan, facts: &Facts) -> Judged {
    let Some(probe) = &plan.probe else {
        return Judged::skipped(id, "the environment has no `url`, so there is nothing to probe");
    };
    if let Some(why) = &facts.no_probe {
        return Judged::skipped(id, why.clone());
    }
    let Some(seen) = &facts.probe else {
        let refused = facts.upgrade.as_ref().is_some_and(|upgrade| upgrade.started_ms.is_none());
        return match refused {
            true => Judged::undetermined(id, "nothing was changed, for the upgrade was refused beforehand"),
            false => not_reached(id, facts),
        };
    };
    if seen.before.requests > 0 && seen.before.ok == 0 && seen.before.answered > 0 {
        return Judged::skipped(id, "nothing was served before either, so there was nothing to interrupt");
    }
    let mut judged = match seen.judge(&held(probe)) {
        ProbeVerdict::Served => Judged::by_findings(id, Vec::new()),
        ProbeVerdict::Unknown(why) => Judged::undetermined(id, why),
        ProbeVerdict::Broken(problems) => {
            let finding = |problem: Problem| {
                Finding::new(&id, problem.rule, &plan.release, problem.message)
                    .expected(problem.expected, problem.seen)
                    .at(plan.places.url.clone())
            };
            let findings = problems.into_iter().map(finding).collect();
            Judged::by_findings(id, findings)
        }
    };
    judged.evidence = evidence(probe, seen);
    judged.series = series(seen, &marks(facts));
    judged.duration_ms = seen.until_ms.saturating_sub(seen.from_ms) as f64;
    judged
}

/// What users have noticed of a change so far, in words.
#[must_use]
pub fn problems(plan: &Plan, seen: &ProbeFacts) -> Vec<String> {
    match plan.probe.as_ref().map(|probe| seen.judge(&held(probe))) {
        Some(ProbeVerdict::Broken(problems)) => problems.into_iter().map(|problem| problem.message).collect(),
        Some(ProbeVerdict::Served | ProbeVerdict::Unknown(_)) | None => Vec::new(),
    }
}

fn held(probe: &ProbePlan) -> Limits {
    Limits { max_failed: u64::from(probe.max_failed), max_gap: probe.max_gap, ..Limits::default() }
}

fn evidence(probe: &ProbePlan, seen: &ProbeFacts) -> Vec<Evidence> {
    let count = |number: u64| Quantity::count(u32::try_from(number).unwrap_or(u32::MAX));
    let gap = Evidence::new("longest gap", Quantity::milliseconds(seen.after.longest_gap.length_ms() as f64));
    let limit = probe.max_gap.map(|gap| Quantity::milliseconds(gap.0.as_secs_f64() * 1000.0));
    vec![
        Evidence::new("requests", count(seen.requests())),
        Evidence::new("failed", count(seen.after.failed)).limited(count(u64::from(probe.max_failed))),
        Evidence::new("reconnected", count(seen.after.reconnected)),
        Evidence::new("slowest", Quantity::milliseconds(seen.after.slowest_ms)),
        Evidence { limit, ..gap },
    ]
}

/// The rollout's events, to be drawn across.
fn marks(facts: &Facts) -> Vec<Mark> {
    let moments = facts.rollout.iter().chain(facts.way_back.iter().filter_map(|way| way.rollout.as_ref()));
    moments
        .flat_map(|rollout| &rollout.moments)
        .map(|moment| Mark { at_ms: moment.at_ms as f64, label: moment.to_string() })
        .take(MOST_MARKS)
        .collect()
}
