//! `deploy/served-throughout`: a steady probe saw nothing of the rollout.

use prodtest_gate::{Check, Evidence, Finding, Judged, Limit, Mark, Quantity};
use prodtest_rollout::probe::{Limits, ProbeFacts, ProbeVerdict, series};

use super::{dry, id, not_reached};
use crate::{
    facts::Facts,
    plan::{Plan, ProbePlan},
};

const NAME: &str = "served-throughout";
/// More lines than this nobody tells apart in a plot.
const MOST_MARKS: usize = 24;

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    let limits = plan.probe.iter().flat_map(|probe| {
        let mut limits = vec![
            Limit { name: "rate".to_owned(), value: format!("{}/s", probe.rate) },
            Limit { name: "failed at most".to_owned(), value: probe.max_failed.to_string() },
        ];
        limits.extend(probe.max_gap.map(|gap| Limit { name: "gap at most".to_owned(), value: gap.to_string() }));
        limits
    });
    Check {
        why: Some("A rollout that drops requests is an outage that nobody planned.".to_owned()),
        help: Some(
            "Look what happened when the first request failed: old pods must serve on until endpoints and proxies have \
             forgotten them (a preStop hook that sleeps, a drain after SIGTERM), new ones must not be ready too early, and \
             `maxUnavailable` must be 0."
                .to_owned(),
        ),
        // Not the upgrade: while that fails, users are served or not all the same.
        needs: vec![id("image"), id("backup")],
        limits: limits.collect(),
        ..Check::new(id(NAME), "no user noticed: a steady probe was answered throughout the rollout")
    }
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    if let Some(skipped) = dry(NAME, plan) {
        return skipped;
    }
    let Some(probe) = &plan.probe else {
        return Judged::skipped(id(NAME), "the environment has no `url`, so there is nothing to probe");
    };
    if let Some(why) = &facts.no_probe {
        return Judged::skipped(id(NAME), why.clone());
    }
    let Some(seen) = &facts.probe else {
        let refused = facts.upgrade.as_ref().is_some_and(|upgrade| upgrade.started_ms.is_none());
        return match refused {
            true => Judged::undetermined(id(NAME), "nothing was changed, for `deploy/upgrade` was refused beforehand"),
            false => not_reached(NAME, facts),
        };
    };
    if seen.before.requests > 0 && seen.before.ok == 0 && seen.before.answered > 0 {
        return Judged::skipped(id(NAME), "nothing was served before either, so there was nothing to interrupt");
    }
    let mut judged = match seen.judge(&limits(probe)) {
        ProbeVerdict::Served => Judged::by_findings(id(NAME), Vec::new()),
        ProbeVerdict::Unknown(why) => Judged::undetermined(id(NAME), why),
        ProbeVerdict::Broken(problems) => {
            let findings = problems.into_iter().map(|problem| {
                Finding::new(&id(NAME), problem.rule, &plan.release, problem.message)
                    .expected(problem.expected, problem.seen)
                    .at(plan.places.url.clone())
            });
            Judged::by_findings(id(NAME), findings.collect())
        }
    };
    judged.evidence = evidence(probe, seen);
    judged.series = series(seen, &marks(facts));
    judged.duration_ms = seen.until_ms.saturating_sub(seen.from_ms) as f64;
    judged
}

fn limits(probe: &ProbePlan) -> Limits {
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
