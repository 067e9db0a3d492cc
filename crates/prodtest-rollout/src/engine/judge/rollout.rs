//! Every workload of the release got to the new revision, or why not.

use prodtest_gate::{CheckId, Evidence, Finding, Judged, Limit, Quantity};

use super::not_reached;
use crate::{
    engine::{
        facts::{Diagnosed, Facts},
        plan::Plan,
    },
    watch::{Diagnosis, RolloutVerdict},
};

/// Lines of a log in a finding: the last ones say why.
const LOG_LINES: usize = 10;

/// How long evidence that may pass is given.
#[must_use]
pub fn limits(plan: &Plan) -> Vec<Limit> {
    let patience = &plan.patience;
    let limits = [
        ("an image not found, refused or misnamed", patience.image.to_string()),
        ("another pull error", patience.pull.to_string()),
        ("a missing ConfigMap, Secret or key", patience.config.to_string()),
        ("unschedulable", patience.unschedulable.to_string()),
        ("a crash", format!("until exit {}", patience.exits)),
    ];
    limits.into_iter().map(|(name, value)| Limit { name: name.to_owned(), value }).collect()
}

/// What the facts say.
#[must_use]
pub fn judge(id: CheckId, plan: &Plan, facts: &Facts) -> Judged {
    let stopped_before = facts.upgrade.as_ref().is_none_or(|upgrade| upgrade.hook || upgrade.trouble.is_some());
    let Some(seen) = facts.rollout.as_ref().filter(|_| !stopped_before) else {
        return match &facts.upgrade {
            Some(_) => Judged::undetermined(id, "the upgrade did not come to its end"),
            None => not_reached(id, facts),
        };
    };
    let began = facts.upgrade.as_ref().and_then(|upgrade| upgrade.started_ms).unwrap_or_default();
    let (mut judged, ended) = match seen.verdict(&plan.patience) {
        RolloutVerdict::Done { at_ms } => (Judged::by_findings(id, Vec::new()), at_ms),
        RolloutVerdict::Doomed { at_ms, .. } => (doomed(id, facts), at_ms),
        RolloutVerdict::Unknown { why } => {
            (Judged::undetermined(id, format!("the cluster was not heard of: {why}")), seen.last_ms)
        }
        RolloutVerdict::Unfinished { .. } if facts.halted.is_some() => (not_reached(id, facts), seen.last_ms),
        RolloutVerdict::Unfinished { why } => {
            let message = format!("not done within {}: {why}", plan.timeout);
            let finding = Finding::new(&id, "unfinished", &plan.release, message);
            (Judged::by_findings(id, vec![finding.at(plan.places.chart.clone())]), seen.last_ms)
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
#[must_use]
pub fn doomed(check: CheckId, facts: &Facts) -> Judged {
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
