//! `rollback/rto`: how long the way back takes until service and state are as before, and what it cost.

use prodtest_gate::{Check, Evidence, Finding, Judged, Limit, Mark, Quantity};
use prodtest_rollout::{
    engine::{
        facts::WayBack,
        judge::{conclude, not_reached, rollout, troubled, way_back},
    },
    probe::series,
};

use super::{detection_time, dry, id};
use crate::{
    facts::Facts,
    plan::{Action, Plan},
};

const NAME: &str = "rto";

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    Check {
        why: Some("A team that has never timed its way back does not have one.".to_owned()),
        help: Some(
            "The finding says what kept it: a hook of the chart, a pod that did not come back, a step that only a person can \
             do. What it cost is reckoned over `rollback.budget-window`."
                .to_owned(),
        ),
        needs: vec![id("target")],
        limits: vec![Limit { name: "within".to_owned(), value: plan.rto.to_string() }],
        requirements: vec!["FR5.4".to_owned(), "NFR2.4".to_owned()],
        ..Check::new(id(NAME), "service and state are as before within the time that is allowed")
    }
}

/// From when to when the way back went, in milliseconds of the run: from the start of Helm until all was as before, and
/// no request failed any more.
pub(crate) fn span(facts: &Facts) -> Option<(u64, u64)> {
    let change = &facts.change;
    let (from, done) = match (&change.way_back, &change.upgrade) {
        (Some(way), _) => (way.started_ms, way.ended_ms),
        (None, Some(upgrade)) => (upgrade.started_ms?, change.rollout.as_ref()?.last_ms),
        (None, None) => return None,
    };
    let equal = facts.state.as_ref().and_then(|state| state.as_ref().ok()?.at_ms).unwrap_or_default();
    // A request counts with the second that it was due in.
    let failing = change.probe.iter().flat_map(|probe| {
        let failed = probe.bins.iter().filter(|bin| bin.failed > 0 && bin.at_ms >= from);
        failed.map(|bin| bin.at_ms + probe.bin_ms)
    });
    Some((from, failing.chain([done, equal]).max().unwrap_or(done)))
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    if let Some(skipped) = dry(NAME, plan) {
        return skipped;
    }
    let way = match (&plan.action, &facts.change.way_back) {
        (_, Some(way)) => way,
        (Action::To(_), None) => return of_rollback(plan, facts),
        (_, None) => return not_reached(id(NAME), &facts.change),
    };
    let (mut findings, not_known) = way_back::pods(&id(NAME), &plan.change, way.rollout.as_ref());
    let mut unknown = not_known;
    if let Some(trouble) = &way.trouble {
        let judged = troubled(id(NAME), trouble, &plan.change.release, plan.change.places.chart.clone());
        findings.extend(judged.findings);
        unknown = unknown.or(judged.reason);
    }
    if let WayBack { rollout: None, trouble: None, .. } = way {
        unknown = unknown.or_else(|| Some("nobody could see whether the pods came back".to_owned()));
    }
    measured(plan, facts, findings, unknown)
}

fn of_rollback(plan: &Plan, facts: &Facts) -> Judged {
    let Some(upgrade) = facts.change.upgrade.as_ref() else { return not_reached(id(NAME), &facts.change) };
    let judged = match &upgrade.trouble {
        _ if upgrade.hook => rollout::doomed(id(NAME), &facts.change),
        Some(trouble) => troubled(id(NAME), trouble, &plan.change.release, plan.change.places.chart.clone()),
        None => rollout::judge(id(NAME), &plan.change, &facts.change),
    };
    measured(plan, facts, judged.findings, judged.reason)
}

fn measured(plan: &Plan, facts: &Facts, mut findings: Vec<Finding>, unknown: Option<String>) -> Judged {
    let Some((from, until)) = span(facts) else { return not_reached(id(NAME), &facts.change) };
    let took = until.saturating_sub(from) as f64;
    let limit = plan.rto.0.as_secs_f64() * 1000.0;
    let is_back = findings.is_empty() && unknown.is_none();
    if is_back && took > limit {
        findings.push(
            Finding::new(&id(NAME), "late", &plan.change.release, "the way back took too long")
                .expected(format!("within {}", plan.rto), Quantity::milliseconds(took).to_string())
                .at(plan.change.places.chart.clone()),
        );
    }
    let mut judged = conclude(id(NAME), findings, unknown);
    judged.duration_ms = took;
    if is_back {
        let took = Evidence::new("way back", Quantity::milliseconds(took));
        judged.evidence.push(took.limited(Quantity::milliseconds(limit)));
        let began = facts.change.upgrade.as_ref().and_then(|upgrade| upgrade.started_ms).unwrap_or(from);
        let whole = until.saturating_sub(began) as f64;
        judged.evidence.push(Evidence::new("from the start of the change", Quantity::milliseconds(whole)));
    }
    judged.evidence.extend(cost(plan, facts));
    judged.series =
        facts.change.probe.iter().flat_map(|seen| series(seen, &marks(plan, facts, from, until, is_back))).collect();
    judged
}

/// The moments of it, to be drawn across what users saw.
fn marks(plan: &Plan, facts: &Facts, from: u64, until: u64, is_back: bool) -> Vec<Mark> {
    let mark = |at_ms: u64, label: &str| Mark { at_ms: at_ms as f64, label: label.to_owned() };
    let began = facts.change.upgrade.as_ref().and_then(|upgrade| upgrade.started_ms);
    let mut marks = Vec::new();
    if plan.fault().is_some() {
        marks.extend(began.map(|at| mark(at, "a bad version is deployed")));
        marks.extend(detection_time::called(plan, facts).map(|called| mark(called.at_ms, "it is called bad")));
    }
    marks.push(mark(from, "the way back begins"));
    marks.extend(is_back.then(|| mark(until, "all is as before")));
    marks
}

/// The requests that failed, and the share of the error budget that this is.
fn cost(plan: &Plan, facts: &Facts) -> Vec<Evidence> {
    let (Some(probe), Some(asked)) = (&facts.change.probe, &plan.change.probe) else { return Vec::new() };
    let failed = u32::try_from(probe.after.failed).unwrap_or(u32::MAX);
    let share = burnt(f64::from(failed), f64::from(asked.rate), plan);
    vec![
        Evidence::new("requests failed", Quantity::count(failed)),
        Evidence::new("error budget burnt", Quantity::Text(format!("{share:.3} %"))),
    ]
}

/// The share of the error budget, in percent: failed requests of those that may fail at this rate in the window.
fn burnt(failed: f64, rate: f64, plan: &Plan) -> f64 {
    let requests = rate * plan.budget_window.0.as_secs_f64();
    let may_fail = requests * (100.0 - plan.availability) / 100.0;
    failed / may_fail * 100.0
}
