//! `verify/autoscaling`: an autoscaler is over each Deployment, reads its metrics, and has room to do something.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use prodtest_cli::Refusal;
use prodtest_config::Period;
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use super::replicas;
use crate::{gate::Verify, live, site::Site};

/// A metrics server looks every 15 s, and twice before it knows how much a pod works; an autoscaler looks every 15 s, and
/// passes over the processor of pods that are young. Two minutes are twice that.
const METRICS_WITHIN: Duration = Duration::from_secs(120);
/// How long is waited for the metrics of a rollout that is just over: less than a check may take.
const WAIT: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_secs(2);

/// Autoscalers.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// Whether each Deployment must have one; when left out, it must.
    pub(crate) required: Option<bool>,
    /// How many pods it must keep at least; what `replicas.min` says when left out.
    pub(crate) min: Option<u32>,
    /// How long after a rollout it may be without metrics; `2m` when left out.
    pub(crate) metrics_within: Option<Period>,
}

/// The check.
pub(crate) struct Autoscaling;

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    required: bool,
    min: u32,
    metrics_within: Period,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// When the release was rolled out; none where nobody knows.
    rolled_out: Option<Timestamp>,
    looked: Timestamp,
    workloads: Vec<WorkloadSeen>,
}

/// A workload.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WorkloadSeen {
    kind: String,
    name: String,
    scalers: Vec<ScalerSeen>,
}

/// An autoscaler that is over it.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ScalerSeen {
    name: String,
    min: u32,
    max: u32,
    pods: u32,
    /// How many metrics it is told to go by, and how many it has read.
    asked: usize,
    read: usize,
    active: Option<Condition>,
    able: Option<Condition>,
    limited: Option<Condition>,
}

/// What it says of itself.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Condition {
    holds: bool,
    reason: String,
    message: String,
}

impl Inspection<Verify> for Autoscaling {
    const NAME: &'static str = "autoscaling";

    type Target = ();
    type Limits = Limits;
    type Facts = Facts;

    fn target(_asked: &Asked<'_, Verify>) -> Result<Target<()>, Refusal> {
        Ok(Target::At(()))
    }

    fn limits(asked: &Asked<'_, Verify>) -> Result<Limits, Refusal> {
        let section = &asked.section.autoscaling;
        Ok(Limits {
            required: section.required.unwrap_or(true),
            min: section.min.or(asked.section.replicas.min).unwrap_or(replicas::MIN),
            metrics_within: section.metrics_within.unwrap_or(Period(METRICS_WITHIN)),
        })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        Check {
            why: Some(
                "An autoscaler that reads no metrics, or has no room, does nothing when load comes, and nothing says so."
                    .to_owned(),
            ),
            help: Some(
                "Look at `kubectl describe hpa`: its conditions say what it lacks. Metrics by the share of what is \
                 requested need requests on each container, and a metrics server."
                    .to_owned(),
            ),
            limits: vec![
                Limit { name: "minReplicas".to_owned(), value: format!("at least {}", limits.min) },
                Limit { name: "metrics within".to_owned(), value: limits.metrics_within.to_string() },
            ],
            requirements: vec!["FR1.3".to_owned()],
            ..Check::new(id, "an autoscaler is over each Deployment, reads its metrics, and has room")
        }
    }

    fn rules(site: &Site, (): &()) -> Vec<Rule> {
        let mut rules = live::workload_rules(site);
        rules.extend(live::rollout_rules(site));
        rules.push(live::list_rule(site, "autoscaling", "horizontalpodautoscalers"));
        rules
    }

    async fn observe(seeing: &Seeing<'_, Verify>, (): &()) -> Result<Facts, Unseen> {
        let begin = Instant::now();
        let (workloads, rolled_out) = tokio::try_join!(live::workloads(seeing), live::rolled_out(seeing))?;
        loop {
            let scalers: Vec<HorizontalPodAutoscaler> =
                live::list(seeing, "autoscaling", "horizontalpodautoscalers").await?;
            let looked = Timestamp::now();
            let seen = workloads.iter().map(|workload| {
                let own = scalers.iter().filter(|scaler| is_over(scaler, workload));
                let scalers = own.map(scaler_seen).collect();
                WorkloadSeen { kind: workload.kind.clone(), name: workload.shown(), scalers }
            });
            let facts = Facts { rolled_out, looked, workloads: seen.collect() };
            let mut all = facts.workloads.iter().flat_map(|workload| &workload.scalers);
            // A metric has no watch.
            if begin.elapsed() >= WAIT || !facts.is_young(METRICS_WITHIN) || all.all(ScalerSeen::reads) {
                return Ok(facts);
            }
            sleep(AGAIN).await;
        }
    }

    fn judge(id: &CheckId, (): &(), limits: &Limits, facts: &Facts) -> Judged {
        if facts.workloads.is_empty() {
            return Judged::undetermined(id.clone(), "the release has no workload in the cluster");
        }
        let (mut findings, mut evidence, mut too_soon) = (Vec::new(), Vec::new(), None);
        for workload in &facts.workloads {
            let mut add = |rule: &str, message: String, expected: String| {
                findings.push(Finding::new(id, rule, &workload.name, message.clone()).expected(expected, message));
            };
            let scaler = match workload.scalers.as_slice() {
                [] => {
                    if limits.required && workload.kind == "Deployment" {
                        let message = format!("no autoscaler is over {}", workload.name);
                        add("missing", message, "a HorizontalPodAutoscaler".to_owned());
                    }
                    continue;
                }
                [scaler] => scaler,
                several => {
                    let names: Vec<&str> = several.iter().map(|scaler| scaler.name.as_str()).collect();
                    let message =
                        format!("{} autoscalers pull at {}: `{}`", names.len(), workload.name, names.join("`, `"));
                    add("several", message, "one".to_owned());
                    continue;
                }
            };
            let ScalerSeen { name, min, max, pods, .. } = scaler;
            if *min < limits.min {
                let message = format!("the autoscaler `{name}` lets {} shrink to {min} pods", workload.name);
                add("min", message, format!("minReplicas of at least {}", limits.min));
            }
            if max <= min {
                let message = format!("the autoscaler `{name}` has a maximum of {max} pods, and a minimum of {min}");
                add("max", message, "a maximum above the minimum".to_owned());
            } else if pods >= max && scaler.limited.as_ref().is_some_and(Condition::is_at_max) {
                let message = format!(
                    "{} has as many pods as the autoscaler `{name}` may give it, {max}, and needs more",
                    workload.name
                );
                add("at-max", message, "room for more load".to_owned());
            }
            if let Some(able) = scaler.able.as_ref().filter(|able| !able.holds) {
                let message = format!("the autoscaler `{name}` cannot scale {}: {}", workload.name, able.shown());
                add("able", message, "`AbleToScale`".to_owned());
            }
            if let Some(message) = scaler.lacks() {
                if facts.is_young(limits.metrics_within.0) {
                    too_soon = Some(message);
                } else {
                    add("metrics", message, format!("all {} metrics that it goes by", scaler.asked));
                }
            }
            let of =
                |what: &str| if facts.workloads.len() == 1 { what.to_owned() } else { format!("{what} of {name}") };
            let count = |number: usize| Quantity::count(u32::try_from(number).unwrap_or(u32::MAX));
            evidence.push(Evidence::new(of("metrics read"), count(scaler.read)).limited(count(scaler.asked)));
            evidence.push(Evidence::new(of("minReplicas"), Quantity::count(*min)).limited(Quantity::count(limits.min)));
            evidence.push(Evidence::new(of("pods"), Quantity::count(*pods)).limited(Quantity::count(*max)));
        }
        if let (true, Some(lacks)) = (findings.is_empty(), too_soon) {
            let why =
                format!("{lacks}; it is less than {} since the rollout\nhint: look again then", limits.metrics_within);
            return Judged { evidence, ..Judged::undetermined(id.clone(), why) };
        }
        if evidence.is_empty() && findings.is_empty() {
            return Judged::skipped(id.clone(), "no workload of the release has or needs an autoscaler");
        }
        Judged { evidence, ..Judged::by_findings(id.clone(), findings) }
    }
}

impl Facts {
    /// Whether the rollout was so short a time ago that metrics may be missing.
    fn is_young(&self, within: Duration) -> bool {
        let Some(age) = self.rolled_out.map(|at| self.looked.duration_since(at)) else { return false };
        age.unsigned_abs() < within
    }
}

impl ScalerSeen {
    fn reads(&self) -> bool {
        self.lacks().is_none()
    }

    /// What it does not have of metrics, in words.
    fn lacks(&self) -> Option<String> {
        let Self { name, asked, read, .. } = self;
        match &self.active {
            None => Some(format!("the autoscaler `{name}` has not looked yet")),
            Some(active) if !active.holds => {
                Some(format!("the autoscaler `{name}` reads no metrics: {}", active.shown()))
            }
            Some(_) if read < asked => Some(format!("the autoscaler `{name}` reads {read} of its {asked} metrics")),
            Some(_) => None,
        }
    }
}

impl Condition {
    fn is_at_max(&self) -> bool {
        self.holds && self.reason == "TooManyReplicas"
    }

    fn shown(&self) -> String {
        format!("{}: {}", self.reason, self.message)
    }
}

fn is_over(scaler: &HorizontalPodAutoscaler, workload: &live::Workload) -> bool {
    let target = &scaler.spec.scale_target_ref;
    target.kind == workload.kind && target.name == workload.name
}

fn scaler_seen(scaler: &HorizontalPodAutoscaler) -> ScalerSeen {
    let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok());
    let (spec, status) = (&scaler.spec, scaler.status.as_ref());
    let condition = |kind: &str| {
        let all = status?.conditions.as_deref().unwrap_or_default();
        let of = all.iter().find(|it| it.type_ == kind)?;
        let (reason, message) = (of.reason.clone().unwrap_or_default(), of.message.clone().unwrap_or_default());
        Some(Condition { holds: of.status == "True", reason, message })
    };
    // One that could not be read is there, without a type.
    let read = status.and_then(|status| status.current_metrics.as_deref()).unwrap_or_default();
    ScalerSeen {
        name: scaler.metadata.name.clone().unwrap_or_default(),
        // Kubernetes' own.
        min: count(spec.min_replicas).unwrap_or(1),
        max: count(Some(spec.max_replicas)).unwrap_or_default(),
        pods: count(status.and_then(|status| status.current_replicas)).unwrap_or_default(),
        asked: spec.metrics.as_ref().map_or(1, Vec::len),
        read: read.iter().filter(|metric| !metric.type_.is_empty()).count(),
        active: condition("ScalingActive"),
        able: condition("AbleToScale"),
        limited: condition("ScalingLimited"),
    }
}

#[cfg(test)]
mod tests {
    use prodtest_gate::Outcome;

    use super::*;

    fn condition(holds: bool, reason: &str) -> Option<Condition> {
        Some(Condition { holds, reason: reason.to_owned(), message: "as it is".to_owned() })
    }

    fn judged(change: impl FnOnce(&mut ScalerSeen), age: i64) -> Judged {
        let mut scaler = ScalerSeen {
            name: "api".to_owned(),
            min: 3,
            max: 5,
            pods: 3,
            asked: 2,
            read: 2,
            active: condition(true, "ValidMetricFound"),
            able: condition(true, "ReadyForNewScale"),
            limited: condition(false, "DesiredWithinRange"),
        };
        change(&mut scaler);
        let workload =
            WorkloadSeen { kind: "Deployment".to_owned(), name: "Deployment api".to_owned(), scalers: vec![scaler] };
        let rolled_out = Some(Timestamp::UNIX_EPOCH);
        let looked = Timestamp::from_second(age).unwrap();
        let limits = Limits { required: true, min: 3, metrics_within: Period(METRICS_WITHIN) };
        let id = CheckId::new("verify", "autoscaling").unwrap();
        Autoscaling::judge(&id, &(), &limits, &Facts { rolled_out, looked, workloads: vec![workload] })
    }

    fn rules(judged: &Judged) -> Vec<&str> {
        judged.findings.iter().map(|finding| finding.rule.as_str()).collect()
    }

    #[test]
    fn one_that_reads_and_has_room_passes() {
        assert_eq!(judged(|_| {}, 1000).outcome, Outcome::Passed);
    }

    #[test]
    fn metrics_may_be_missing_for_a_while_only() {
        let silent = |scaler: &mut ScalerSeen| scaler.active = condition(false, "FailedGetResourceMetric");
        assert_eq!(judged(silent, 60).outcome, Outcome::Undetermined);
        assert_eq!(rules(&judged(silent, 121)), ["metrics"]);
        assert_eq!(rules(&judged(|scaler| scaler.read = 1, 121)), ["metrics"]);
        assert_eq!(rules(&judged(|scaler| scaler.active = None, 121)), ["metrics"]);
    }

    #[test]
    fn no_room_is_found() {
        assert_eq!(rules(&judged(|scaler| scaler.max = 3, 1000)), ["max"]);
        assert_eq!(rules(&judged(|scaler| scaler.min = 2, 1000)), ["min"]);
        assert_eq!(rules(&judged(|scaler| scaler.able = condition(false, "FailedGetScale"), 1000)), ["able"]);
        let full = |scaler: &mut ScalerSeen| {
            (scaler.pods, scaler.limited) = (5, condition(true, "TooManyReplicas"));
        };
        assert_eq!(rules(&judged(full, 1000)), ["at-max"]);
        // At the least, it is limited too.
        let least = |scaler: &mut ScalerSeen| scaler.limited = condition(true, "TooFewReplicas");
        assert_eq!(judged(least, 1000).outcome, Outcome::Passed);
    }
}
