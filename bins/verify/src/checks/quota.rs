//! `verify/quota`: the namespace has a quota with room left, and each container says what it needs and may take.

use std::collections::BTreeMap;

use k8s_openapi::{
    api::core::v1::{Container, LimitRange, ResourceQuota},
    apimachinery::pkg::api::resource,
};
use prodtest_cli::Refusal;
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Place, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    gate::Verify,
    live::{self, number},
    site::Site,
};

/// A choice: what is left must be enough to be warned, and to roll out one pod in ten more.
const MAX_USED: u32 = 90;

/// The quota of the namespace.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// How much of each quota may be used, in per cent; 90 when left out.
    pub(crate) max_used: Option<u32>,
    /// Whether the namespace must have a LimitRange too; when left out, it need not.
    pub(crate) limit_range: bool,
    /// Whether containers may be without a limit of their processor time; when left out, they may not.
    pub(crate) without_cpu_limit: bool,
}

/// The check.
pub(crate) struct Quota;

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    max_used: u32,
    limit_range: bool,
    without_cpu_limit: bool,
    place: Option<Place>,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    namespace: String,
    quotas: Vec<QuotaSeen>,
    limit_ranges: usize,
    containers: Vec<ContainerSeen>,
}

/// A quota.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct QuotaSeen {
    name: String,
    /// By resource: what is used, and what may be. None is used before it was counted.
    hard: BTreeMap<String, (Option<String>, String)>,
}

/// What a container lacks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ContainerSeen {
    workload: String,
    name: String,
    /// `memory limit`.
    lacks: Vec<String>,
}

impl Inspection<Verify> for Quota {
    const NAME: &'static str = "quota";

    type Target = ();
    type Limits = Limits;
    type Facts = Facts;

    fn target(_asked: &Asked<'_, Verify>) -> Result<Target<()>, Refusal> {
        Ok(Target::At(()))
    }

    fn limits(asked: &Asked<'_, Verify>) -> Result<Limits, Refusal> {
        let section = &asked.section.quota;
        Ok(Limits {
            max_used: section.max_used.unwrap_or(MAX_USED),
            limit_range: section.limit_range,
            without_cpu_limit: section.without_cpu_limit,
            place: asked.site.place.clone(),
        })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        Check {
            why: Some(
                "Without a quota one service takes what all others need; in one that is full the next rollout stands still."
                    .to_owned(),
            ),
            help: Some(
                "Give the namespace a ResourceQuota with room for a rollout at the autoscaler's maximum, and each container \
                 requests and limits."
                    .to_owned(),
            ),
            limits: vec![Limit { name: "used of a quota".to_owned(), value: format!("at most {} %", limits.max_used) }],
            requirements: vec!["FR1.1".to_owned()],
            ..Check::new(id, "the namespace has a quota with room left, and each container requests and limits")
        }
    }

    fn rules(site: &Site, (): &()) -> Vec<Rule> {
        let mut rules = live::workload_rules(site);
        rules.extend(["pods", "resourcequotas", "limitranges"].map(|plural| live::list_rule(site, "", plural)));
        rules
    }

    async fn observe(seeing: &Seeing<'_, Verify>, (): &()) -> Result<Facts, Unseen> {
        let quotas = live::list::<ResourceQuota>(seeing, "", "resourcequotas");
        let ranges = live::list::<LimitRange>(seeing, "", "limitranges");
        let (workloads, pods) = (live::workloads(seeing), live::pods(seeing));
        let (quotas, ranges, workloads, pods) = tokio::try_join!(quotas, ranges, workloads, pods)?;
        let mut containers: Vec<ContainerSeen> = Vec::new();
        for workload in workloads {
            // As the cluster has them: a LimitRange adds to what the template says.
            let own = pods.iter().filter(|pod| workload.selects(pod)).filter_map(|pod| pod.spec.as_ref());
            for container in own.flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers)) {
                let seen =
                    ContainerSeen { workload: workload.shown(), name: container.name.clone(), lacks: lacks(container) };
                let known = containers.iter().any(|it| it.workload == seen.workload && it.name == seen.name);
                if !known || !seen.lacks.is_empty() {
                    containers.retain(|it| it.workload != seen.workload || it.name != seen.name);
                    containers.push(seen);
                }
            }
        }
        Ok(Facts {
            namespace: seeing.site.namespace().to_owned(),
            quotas: quotas.iter().map(quota_seen).collect(),
            limit_ranges: ranges.len(),
            containers,
        })
    }

    fn judge(id: &CheckId, (): &(), limits: &Limits, facts: &Facts) -> Judged {
        if facts.containers.is_empty() {
            return Judged::undetermined(id.clone(), "the release has no pod in the cluster");
        }
        let (mut findings, mut evidence, mut uncounted) = (Vec::new(), Vec::new(), None);
        let mut add = |rule: &str, subject: String, message: String, expected: String| {
            let finding = Finding::new(id, rule, subject, message.clone()).expected(expected, message);
            findings.push(finding.at(limits.place.clone()));
        };
        let namespace = &facts.namespace;
        if facts.quotas.is_empty() {
            let message = format!("the namespace `{namespace}` has no quota");
            add("missing", "ResourceQuota".to_owned(), message, "a ResourceQuota".to_owned());
        }
        if limits.limit_range && facts.limit_ranges == 0 {
            let message = format!("the namespace `{namespace}` has no LimitRange");
            add("no-limit-range", "LimitRange".to_owned(), message, "a LimitRange".to_owned());
        }
        for quota in &facts.quotas {
            for (resource, (used, hard)) in &quota.hard {
                let numbers = used.as_deref().and_then(number).zip(number(hard));
                let Some((used_number, hard_number)) = numbers else {
                    uncounted =
                        Some(format!("how much of `{resource}` in the quota `{}` is used is not known", quota.name));
                    continue;
                };
                let (name, used) = (&quota.name, used.as_deref().unwrap_or_default());
                if used_number * 100.0 > hard_number * f64::from(limits.max_used) {
                    let message = format!("of the quota `{name}`, {used} of {hard} are used of `{resource}`");
                    add("used", format!("{name} {resource}"), message, format!("at most {} %", limits.max_used));
                }
                let shown = Evidence::new(format!("{resource} used"), Quantity::Text(used.to_owned()));
                evidence.push(shown.limited(Quantity::Text(hard.clone())));
            }
        }
        for container in &facts.containers {
            let ContainerSeen { workload, name, lacks } = container;
            let lacks: Vec<&str> = lacks.iter().map(String::as_str).collect();
            let counts = |what: &&str| !(limits.without_cpu_limit && *what == "cpu limit");
            let lacks: Vec<&str> = lacks.into_iter().filter(counts).collect();
            if !lacks.is_empty() {
                let message = format!("the container `{name}` of {workload} has no {}", lacks.join(", no "));
                let expected = "requests and limits of cpu and memory".to_owned();
                add("container", format!("{workload} container {name}"), message, expected);
            }
        }
        match uncounted {
            Some(why) if findings.is_empty() => Judged { evidence, ..Judged::undetermined(id.clone(), why) },
            _ => Judged { evidence, ..Judged::by_findings(id.clone(), findings) },
        }
    }
}

fn lacks(container: &Container) -> Vec<String> {
    let resources = container.resources.as_ref();
    let (requests, limits) =
        (resources.and_then(|it| it.requests.as_ref()), resources.and_then(|it| it.limits.as_ref()));
    let mut lacks = Vec::new();
    for (of, map) in [("request", requests), ("limit", limits)] {
        let missing = ["cpu", "memory"].into_iter().filter(|kind| !map.is_some_and(|map| map.contains_key(*kind)));
        lacks.extend(missing.map(|kind| format!("{kind} {of}")));
    }
    lacks
}

fn quota_seen(quota: &ResourceQuota) -> QuotaSeen {
    let empty = BTreeMap::new();
    let hard = quota.spec.as_ref().and_then(|spec| spec.hard.as_ref()).unwrap_or(&empty);
    let used = quota.status.as_ref().and_then(|status| status.used.as_ref()).unwrap_or(&empty);
    let text = |it: &resource::Quantity| it.0.clone();
    let hard = hard.iter().map(|(resource, hard)| (resource.clone(), (used.get(resource).map(text), text(hard))));
    QuotaSeen { name: quota.metadata.name.clone().unwrap_or_default(), hard: hard.collect() }
}

#[cfg(test)]
mod tests {
    use prodtest_gate::Outcome;
    use serde_json::json;

    use super::*;

    fn judged(quotas: &[(&str, Option<&str>, &str)], lacks: &[&str], change: impl FnOnce(&mut Limits)) -> Judged {
        let quota = |(resource, used, hard): &(&str, Option<&str>, &str)| QuotaSeen {
            name: "a".to_owned(),
            hard: BTreeMap::from([((*resource).to_owned(), (used.map(str::to_owned), (*hard).to_owned()))]),
        };
        let lacks = lacks.iter().map(|it| (*it).to_owned()).collect();
        let container = ContainerSeen { workload: "Deployment api".to_owned(), name: "api".to_owned(), lacks };
        let facts = Facts {
            namespace: "shop".to_owned(),
            quotas: quotas.iter().map(quota).collect(),
            limit_ranges: 0,
            containers: vec![container],
        };
        let mut limits = Limits { max_used: 90, limit_range: false, without_cpu_limit: false, place: None };
        change(&mut limits);
        Quota::judge(&CheckId::new("verify", "quota").unwrap(), &(), &limits, &facts)
    }

    #[test]
    fn units_are_compared_as_numbers() {
        assert_eq!(judged(&[("limits.memory", Some("921600Ki"), "1000Mi")], &[], |_| {}).outcome, Outcome::Passed);
        assert_eq!(judged(&[("limits.memory", Some("921601Ki"), "1000Mi")], &[], |_| {}).findings[0].rule, "used");
        assert_eq!(judged(&[("cpu", Some("950m"), "1")], &[], |_| {}).findings[0].subject, "a cpu");
    }

    #[test]
    fn what_is_not_there_is_found_and_what_was_not_counted_is_not_known() {
        assert_eq!(judged(&[], &[], |_| {}).findings[0].rule, "missing");
        assert_eq!(judged(&[("pods", None, "9")], &[], |_| {}).outcome, Outcome::Undetermined);
        let pods = [("pods", Some("3"), "9")];
        assert_eq!(judged(&pods, &["memory limit"], |_| {}).findings[0].rule, "container");
        assert_eq!(judged(&pods, &["cpu limit"], |it| it.without_cpu_limit = true).outcome, Outcome::Passed);
        assert_eq!(judged(&pods, &[], |it| it.limit_range = true).findings[0].rule, "no-limit-range");
    }

    #[test]
    fn a_container_says_what_it_needs_and_may_take() {
        let container = |resources: serde_json::Value| -> Container {
            serde_json::from_value(json!({ "name": "a", "resources": resources })).unwrap()
        };
        let full = json!({ "requests": { "cpu": "1", "memory": "1" }, "limits": { "cpu": "1", "memory": "1" } });
        assert_eq!(lacks(&container(full)), [""; 0]);
        assert_eq!(
            lacks(&container(json!({ "limits": { "memory": "1" } }))),
            ["cpu request", "memory request", "cpu limit"]
        );
    }
}
