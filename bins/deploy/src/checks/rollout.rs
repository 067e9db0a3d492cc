//! `deploy/rollout`: every workload of the release got to the new revision.

use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Quantity};
use prodtest_rollout::watch::{Diagnosis, RolloutVerdict};

use super::{dry, id, not_reached};
use crate::{
    facts::{Diagnosed, Facts},
    plan::Plan,
};

const NAME: &str = "rollout";
/// Lines of a log in a finding: the last ones say why.
const LOG_LINES: usize = 10;

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    let patience = &plan.patience;
    let limits = [
        ("within", plan.timeout.to_string()),
        ("an image not found, refused or misnamed", patience.image.to_string()),
        ("another pull error", patience.pull.to_string()),
        ("a missing ConfigMap, Secret or key", patience.config.to_string()),
        ("unschedulable", patience.unschedulable.to_string()),
        ("a crash", format!("until exit {}", patience.exits)),
    ];
    Check {
        why: Some("A release that does not get ready runs the old version, or none.".to_owned()),
        help: Some(
            "The finding says why the cluster will not get there, with the events and the last lines of the log, and points \
             at the line of the chart or of the values that it comes from."
                .to_owned(),
        ),
        needs: vec![id("image"), id("backup"), id("upgrade")],
        limits: limits.into_iter().map(|(name, value)| Limit { name: name.to_owned(), value }).collect(),
        ..Check::new(id(NAME), "every workload got to the new revision, ready and available")
    }
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    if let Some(skipped) = dry(NAME, plan) {
        return skipped;
    }
    let stopped_before = facts.upgrade.as_ref().is_none_or(|upgrade| upgrade.hook || upgrade.trouble.is_some());
    let Some(seen) = facts.rollout.as_ref().filter(|_| !stopped_before) else {
        return match &facts.upgrade {
            Some(_) => Judged::undetermined(id(NAME), "the upgrade did not come to its end"),
            None => not_reached(NAME, facts),
        };
    };
    let began = facts.upgrade.as_ref().and_then(|upgrade| upgrade.started_ms).unwrap_or_default();
    let (mut judged, ended) = match seen.verdict(&plan.patience) {
        RolloutVerdict::Done { at_ms } => (Judged::by_findings(id(NAME), Vec::new()), at_ms),
        RolloutVerdict::Doomed { at_ms, .. } => (doomed(NAME, facts), at_ms),
        RolloutVerdict::Unknown { why } => {
            (Judged::undetermined(id(NAME), format!("the cluster was not heard of: {why}")), seen.last_ms)
        }
        RolloutVerdict::Unfinished { .. } if facts.halted.is_some() => (not_reached(NAME, facts), seen.last_ms),
        RolloutVerdict::Unfinished { why } => {
            let message = format!("not done within {}: {why}", plan.timeout);
            let finding = Finding::new(&id(NAME), "unfinished", &plan.release, message);
            (Judged::by_findings(id(NAME), vec![finding.at(plan.places.chart.clone())]), seen.last_ms)
        }
    };
    judged.duration_ms = ended.saturating_sub(began) as f64;
    let took = Quantity::milliseconds(judged.duration_ms);
    let limit = Quantity::milliseconds(plan.timeout.0.as_secs_f64() * 1000.0);
    judged.evidence.push(Evidence::new("verdict after", took).limited(limit));
    let workloads: Vec<String> = seen.aim.workloads.iter().map(ToString::to_string).collect();
    judged.evidence.push(Evidence::new("workloads", Quantity::Text(workloads.join(", "))));
    judged
}

/// Red, with a finding for each doom that was looked into.
pub(super) fn doomed(name: &str, facts: &Facts) -> Judged {
    let check = id(name);
    let findings: Vec<Finding> = facts.diagnoses.iter().map(|diagnosed| finding(&check, diagnosed)).collect();
    if findings.is_empty() {
        // It failed, whatever became of the diagnosis.
        let finding =
            Finding::new(&check, "doomed", "release", "the rollout will not get there, and nobody could say why");
        return Judged::by_findings(check, vec![finding]);
    }
    Judged::by_findings(check, findings)
}

fn finding(check: &CheckId, diagnosed: &Diagnosed) -> Finding {
    let Diagnosed { diagnosis, place, set_by } = diagnosed;
    let evidence = &diagnosis.evidence;
    let rule = evidence.kind.to_string();
    let subject = match &evidence.container {
        Some(container) => format!("{}/{container}", evidence.subject),
        None => evidence.subject.to_string(),
    };
    let mut finding = Finding::new(check, &rule, subject, diagnosis.reason.clone()).at(place.clone());
    finding.seen = Some(evidence.message.clone()).filter(|message| !diagnosis.reason.contains(message.as_str()));
    finding.because = because(diagnosis);
    finding.command = Some(diagnosis.command.clone());
    finding.help = set_by.as_ref().map(|key| format!("look at `{key}`, which says so"));
    finding
}

/// The events and the logs, as far as a reader of a report wants them.
fn because(diagnosis: &Diagnosis) -> Option<String> {
    let mut lines: Vec<String> = diagnosis.events.clone();
    for log in &diagnosis.logs {
        let whose = if log.previous { "the container before wrote" } else { "the container wrote" };
        match (&log.problem, log.lines.as_slice()) {
            (Some(_), _) | (None, []) => {}
            (None, written) => {
                lines.push(format!("{whose}:"));
                let last = written.len().saturating_sub(LOG_LINES);
                lines.extend(written[last..].iter().map(|line| format!("  {line}")));
            }
        }
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}
