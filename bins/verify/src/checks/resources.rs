//! `verify/resources`: what containers use leaves room below what they may take, none was killed for it, none stands still.

mod seen;

use std::time::Duration;

use jiff::Timestamp;
use prodtest_cli::Refusal;
use prodtest_config::Period;
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Quantity, Rule, Unit};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::{gate::Verify, live, site::Site};
use seen::{ContainerSeen, Throttled};

/// A choice: a fifth of the limit for a peak between two looks.
const HEADROOM: u32 = 20;
/// As the rule `CPUThrottlingHigh` of the kubernetes-mixin has it.
const MAX_THROTTLED: u32 = 25;
/// Of fewer periods, a tenth of a second each, no share is told: a start alone takes some.
const MIN_PERIODS: f64 = 100.0;
/// A metrics server looks every 15 s, and a kubelet's own look may be as old: four times both.
const METRICS_WITHIN: Duration = Duration::from_secs(120);
/// How long is waited for the metrics of pods that are young: less than a check may take.
const WAIT: Duration = Duration::from_secs(20);
const AGAIN: Duration = Duration::from_secs(2);

/// What containers use.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// How much of its memory limit a container must leave, in per cent; 20 when left out.
    pub(crate) headroom: Option<u32>,
    /// In how many of the periods in which it ran a container may be throttled, in per cent; 25 when left out.
    pub(crate) max_throttled: Option<u32>,
    /// How long after its start a container may be without metrics; `2m` when left out.
    pub(crate) metrics_within: Option<Period>,
    /// Whether throttling is looked at, for which nodes are asked through the API (`nodes/proxy`); when left out, it is.
    pub(crate) throttling: Option<bool>,
}

/// The check.
pub(crate) struct Resources;

/// Where it looks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Where {
    throttling: bool,
}

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    headroom: u32,
    max_throttled: u32,
    metrics_within: Period,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// When the release was rolled out; none where nobody knows.
    since: Option<Timestamp>,
    looked: Timestamp,
    containers: Vec<ContainerSeen>,
    /// Why what they use is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    use_unseen: Option<Unseen>,
    /// Why throttling is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    throttling_unseen: Option<Unseen>,
}

impl Inspection<Verify> for Resources {
    const NAME: &'static str = "resources";

    type Target = Where;
    type Limits = Limits;
    type Facts = Facts;

    fn target(asked: &Asked<'_, Verify>) -> Result<Target<Where>, Refusal> {
        Ok(Target::At(Where { throttling: asked.section.resources.throttling.unwrap_or(true) }))
    }

    fn limits(asked: &Asked<'_, Verify>) -> Result<Limits, Refusal> {
        let section = &asked.section.resources;
        Ok(Limits {
            headroom: section.headroom.unwrap_or(HEADROOM).min(100),
            max_throttled: section.max_throttled.unwrap_or(MAX_THROTTLED),
            metrics_within: section.metrics_within.unwrap_or(Period(METRICS_WITHIN)),
        })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        Check {
            why: Some(
                "A container that comes to its memory limit is killed with what it works on; one that is throttled stands \
                 still for most of each tenth of a second, and so do its users."
                    .to_owned(),
            ),
            help: Some(
                "Look at `kubectl top pods --containers`, and raise limits or mend what leaks. Throttling is told by nodes \
                 alone: whoever looks needs the right to `get` `nodes/proxy`, or `resources.throttling: false` leaves it out."
                    .to_owned(),
            ),
            limits: vec![
                Limit { name: "memory left".to_owned(), value: format!("at least {} % of the limit", limits.headroom) },
                Limit { name: "throttled".to_owned(), value: format!("at most {} % of the periods", limits.max_throttled) },
                Limit { name: "OOM kills".to_owned(), value: "0".to_owned() },
            ],
            requirements: vec!["FR1.1".to_owned()],
            ..Check::new(id, "containers leave room below their limits, none was killed for memory, none is throttled")
        }
    }

    fn rules(site: &Site, target: &Where) -> Vec<Rule> {
        let mut rules = live::workload_rules(site);
        rules.extend(live::rollout_rules(site));
        rules.push(live::list_rule(site, "", "pods"));
        rules.push(live::list_rule(site, "metrics.k8s.io", "pods"));
        if target.throttling {
            rules.push(seen::nodes_rule());
        }
        rules
    }

    async fn observe(seeing: &Seeing<'_, Verify>, target: &Where) -> Result<Facts, Unseen> {
        let begin = Instant::now();
        let (workloads, pods, since) =
            tokio::try_join!(live::workloads(seeing), live::pods(seeing), live::rolled_out(seeing))?;
        let mut containers = seen::containers(workloads, pods);
        let throttling = if target.throttling { seen::throttling(seeing, &mut containers).await } else { Ok(()) };
        loop {
            let usage = seen::usage(seeing, &mut containers).await;
            let looked = Timestamp::now();
            let is_awaited = |it: &ContainerSeen| it.memory.used.is_none() && it.is_young(looked, METRICS_WITHIN);
            // A metric has no watch.
            if usage.is_err() || begin.elapsed() >= WAIT || !containers.iter().any(is_awaited) {
                let (use_unseen, throttling_unseen) = (usage.err(), throttling.err());
                return Ok(Facts { since, looked, containers, use_unseen, throttling_unseen });
            }
            sleep(AGAIN).await;
        }
    }

    fn judge(id: &CheckId, target: &Where, limits: &Limits, facts: &Facts) -> Judged {
        if facts.containers.is_empty() {
            return Judged::undetermined(id.clone(), "the release has no container that runs");
        }
        let mut findings: Vec<Finding> = Vec::new();
        let mut unknown: Vec<String> = Vec::new();
        for container in &facts.containers {
            of_container(id, container, target, limits, facts, &mut findings, &mut unknown);
        }
        let evidence = evidence(facts, limits);
        let unseen = facts.use_unseen.iter().chain(&facts.throttling_unseen).map(ToString::to_string);
        let unseen = unseen.chain(unknown).next();
        match unseen {
            Some(why) if findings.is_empty() => Judged { evidence, ..Judged::undetermined(id.clone(), why) },
            _ => Judged { evidence, ..Judged::by_findings(id.clone(), findings) },
        }
    }
}

fn of_container(
    id: &CheckId,
    container: &ContainerSeen,
    target: &Where,
    limits: &Limits,
    facts: &Facts,
    findings: &mut Vec<Finding>,
    unknown: &mut Vec<String>,
) {
    let subject = format!("{} container {}", container.workload, container.name);
    let shown = format!("the container `{}` of the pod `{}`", container.name, container.pod);
    let mut add = |rule: &str, message: String, expected: String| {
        // Pods have other names the next time: one finding for all of them.
        if !findings.iter().any(|it| it.rule == rule && it.subject == subject) {
            findings.push(Finding::new(id, rule, &subject, message.clone()).expected(expected, message));
        }
    };
    if let Some(at) = container.oom_killed.filter(|at| facts.since.is_none_or(|since| *at >= since)) {
        let message = format!("{shown} was killed at {at}, for it came to its memory limit");
        add("oom", message, "no OOM kill since the rollout".to_owned());
    }
    let is_young = container.is_young(facts.looked, limits.metrics_within.0);
    let any_measured = facts.containers.iter().any(|it| it.memory.used.is_some());
    match (container.memory.used, container.memory.limit) {
        (Some(used), Some(limit)) if used > limit * f64::from(100 - limits.headroom) / 100.0 => {
            let message = format!("{shown} uses {} of the {} of memory that it may take", bytes(used), bytes(limit));
            add("memory", message, format!("at least {} % of the limit left", limits.headroom));
        }
        (None, _) if facts.use_unseen.is_none() && !(is_young && any_measured) => {
            let within = limits.metrics_within;
            unknown.push(format!(
                "the metrics API knows nothing of {shown}\nhint: it may take until {within} after its start; then look at the \
                 metrics server's log"
            ));
        }
        _ => {}
    }
    if container.cpu.limit.is_some() && target.throttling && facts.throttling_unseen.is_none() {
        match container.throttled {
            Some(Throttled { throttled, periods }) => {
                let share = throttled * 100.0 / periods.max(1.0);
                if periods >= MIN_PERIODS && share > f64::from(limits.max_throttled) {
                    let message =
                        format!("{shown} was throttled in {share:.0} % of the {periods:.0} periods in which it ran");
                    add("throttling", message, format!("at most {} %", limits.max_throttled));
                }
            }
            None if is_young && facts.containers.iter().any(|it| it.throttled.is_some()) => {}
            None => unknown.push(format!("its node says nothing of the throttling of {shown}")),
        }
    }
}

/// The most that one container used, and so on.
fn evidence(facts: &Facts, limits: &Limits) -> Vec<Evidence> {
    let most = |of: &dyn Fn(&ContainerSeen) -> Option<f64>| facts.containers.iter().filter_map(of).reduce(f64::max);
    let share = |used: Option<f64>, of: Option<f64>| Some(used? * 100.0 / of.filter(|of| *of > 0.0)?);
    let percent = |share: f64| Quantity::Text(format!("{share:.0} %"));
    let memory = |of: fn(&ContainerSeen) -> Option<f64>| most(&|it: &ContainerSeen| share(it.memory.used, of(it)));
    let cpu = |of: fn(&ContainerSeen) -> Option<f64>| most(&|it: &ContainerSeen| share(it.cpu.used, of(it)));
    let throttled = most(&|it: &ContainerSeen| {
        let Throttled { throttled, periods } = it.throttled?;
        (periods >= MIN_PERIODS).then_some(throttled * 100.0 / periods)
    });
    let used = most(&|it: &ContainerSeen| it.memory.used);
    let of = |name: &str, quantity: Option<Quantity>| Some(Evidence::new(name, quantity?));
    let limited = |evidence: Option<Evidence>, limit: u32| Some(evidence?.limited(percent(f64::from(limit))));
    let taken = facts.containers.iter().filter_map(|it| it.taken).min();
    let all = [
        of("most memory", used.map(|number| Quantity::Number { number, unit: Unit::Bytes })),
        limited(of("of its limit", memory(|it| it.memory.limit).map(percent)), 100 - limits.headroom),
        of("of its memory request", memory(|it| it.memory.request).map(percent)),
        of("most cpu of its limit", cpu(|it| it.cpu.limit).map(percent)),
        of("of its cpu request", cpu(|it| it.cpu.request).map(percent)),
        limited(of("most throttled", throttled.map(percent)), limits.max_throttled),
        of("measured at", taken.map(|at| Quantity::Text(at.to_string()))),
    ];
    all.into_iter().flatten().collect()
}

fn bytes(number: f64) -> String {
    Quantity::Number { number, unit: Unit::Bytes }.to_string()
}

#[cfg(test)]
mod tests {
    use prodtest_gate::Outcome;

    use super::{seen::Used, *};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// The rollout is at 100, the container runs since 110, and it is looked at 500.
    fn judged(change: impl FnOnce(&mut ContainerSeen, &mut Facts)) -> Judged {
        let mut container = ContainerSeen {
            workload: "Deployment api".to_owned(),
            pod: "api-1-a".to_owned(),
            name: "api".to_owned(),
            id: None,
            node: None,
            started: Some(at(110)),
            memory: Used { request: Some(50.0), limit: Some(100.0), used: Some(80.0) },
            cpu: Used { request: Some(0.1), limit: Some(1.0), used: Some(0.5) },
            taken: Some(at(490)),
            throttled: Some(Throttled { throttled: 25.0, periods: 100.0 }),
            oom_killed: None,
        };
        let mut facts = Facts {
            since: Some(at(100)),
            looked: at(500),
            containers: Vec::new(),
            use_unseen: None,
            throttling_unseen: None,
        };
        change(&mut container, &mut facts);
        facts.containers.push(container);
        let limits = Limits { headroom: 20, max_throttled: 25, metrics_within: Period(METRICS_WITHIN) };
        let id = CheckId::new("verify", "resources").unwrap();
        Resources::judge(&id, &Where { throttling: true }, &limits, &facts)
    }

    fn rule(change: impl FnOnce(&mut ContainerSeen, &mut Facts)) -> String {
        judged(change).findings.remove(0).rule
    }

    #[test]
    fn limits_are_kept_exactly() {
        assert_eq!(judged(|_, _| {}).outcome, Outcome::Passed);
        assert_eq!(rule(|it, _| it.memory.used = Some(80.1)), "memory");
        assert_eq!(rule(|it, _| it.throttled = Some(Throttled { throttled: 26.0, periods: 100.0 })), "throttling");
        let few = judged(|it, _| it.throttled = Some(Throttled { throttled: 99.0, periods: 99.0 }));
        assert_eq!(few.outcome, Outcome::Passed);
        assert_eq!(rule(|it, _| it.oom_killed = Some(at(100))), "oom");
        assert_eq!(judged(|it, _| it.oom_killed = Some(at(99))).outcome, Outcome::Passed);
    }

    #[test]
    fn what_was_not_measured_did_not_pass() {
        let outcome = |change: fn(&mut ContainerSeen, &mut Facts)| judged(change).outcome;
        assert_eq!(outcome(|it, _| it.memory.used = None), Outcome::Undetermined);
        assert_eq!(outcome(|it, _| it.throttled = None), Outcome::Undetermined);
        assert_eq!(outcome(|_, facts| facts.throttling_unseen = Some(Unseen::new("forbidden"))), Outcome::Undetermined);
        assert_eq!(outcome(|_, facts| facts.use_unseen = Some(Unseen::new("no such API"))), Outcome::Undetermined);
        // One that has just started alone is no measurement either.
        assert_eq!(outcome(|it, _| (it.memory.used, it.started) = (None, Some(at(450)))), Outcome::Undetermined);
        assert_eq!(outcome(|it, _| (it.throttled, it.started) = (None, Some(at(450)))), Outcome::Undetermined);
        // Without a limit nothing is throttled.
        assert_eq!(outcome(|it, _| (it.throttled, it.cpu.limit) = (None, None)), Outcome::Passed);
    }
}
