//! `verify/replicas`: there are enough pods, on enough nodes, and a disruption takes only so many at once.

use std::collections::BTreeSet;

use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use prodtest_cli::Refusal;
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{gate::Verify, live, site::Site};

/// As many as the PRD asks for (FR1.2).
pub(crate) const MIN: u32 = 3;
/// One node that is lost must not take them all.
const MIN_NODES: u32 = 2;

/// How many pods, and where.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// How many ready pods a workload must have; 3 when left out.
    pub(crate) min: Option<u32>,
    /// On how many nodes they must be; 2 when left out.
    pub(crate) min_nodes: Option<u32>,
    /// Whether a disruption budget may be missing; when left out, it may not.
    pub(crate) without_budget: bool,
}

/// The check.
pub(crate) struct Replicas;

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    min: u32,
    min_nodes: u32,
    without_budget: bool,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    workloads: Vec<WorkloadSeen>,
}

/// A workload.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WorkloadSeen {
    name: String,
    ready: u32,
    nodes: BTreeSet<String>,
    /// The budget over its pods, and whether it lets none go though all are ready.
    budget: Option<(String, bool)>,
}

impl Inspection<Verify> for Replicas {
    const NAME: &'static str = "replicas";

    type Target = ();
    type Limits = Limits;
    type Facts = Facts;

    fn target(_asked: &Asked<'_, Verify>) -> Result<Target<()>, Refusal> {
        Ok(Target::At(()))
    }

    fn limits(asked: &Asked<'_, Verify>) -> Result<Limits, Refusal> {
        let section = &asked.section.replicas;
        Ok(Limits {
            min: section.min.unwrap_or(MIN),
            min_nodes: section.min_nodes.unwrap_or(MIN_NODES),
            without_budget: section.without_budget,
        })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        Check {
            why: Some(
                "What stands on one pod, or on one node, is gone with it; a drain without a budget takes all at once."
                    .to_owned(),
            ),
            help: Some(
                "Raise the replicas, spread them (`topologySpreadConstraints`), and give them a PodDisruptionBudget."
                    .to_owned(),
            ),
            limits: vec![
                Limit { name: "ready pods".to_owned(), value: format!("at least {}", limits.min) },
                Limit { name: "nodes".to_owned(), value: format!("at least {}", limits.min_nodes) },
            ],
            requirements: vec!["FR1.2".to_owned()],
            ..Check::new(id, "there are enough pods, on enough nodes, under a disruption budget")
        }
    }

    fn rules(site: &Site, (): &()) -> Vec<Rule> {
        let mut rules = live::workload_rules(site);
        rules.extend([live::list_rule(site, "", "pods"), live::list_rule(site, "policy", "poddisruptionbudgets")]);
        rules
    }

    async fn observe(seeing: &Seeing<'_, Verify>, (): &()) -> Result<Facts, Unseen> {
        let budgets = live::list::<PodDisruptionBudget>(seeing, "policy", "poddisruptionbudgets");
        let (workloads, pods, budgets) = tokio::try_join!(live::workloads(seeing), live::pods(seeing), budgets)?;
        let seen = workloads.iter().map(|workload| {
            let ready: Vec<_> = pods.iter().filter(|pod| workload.selects(pod) && live::is_ready(pod)).collect();
            let nodes = ready.iter().filter_map(|pod| pod.spec.as_ref()?.node_name.clone()).collect();
            let budget = budgets.iter().find(|budget| {
                let selector = budget.spec.as_ref().and_then(|spec| spec.selector.as_ref());
                selector.is_some_and(|selector| ready.iter().any(|pod| live::selects(selector, pod)))
            });
            // While a pod is not ready, a budget lets none go: that is what it is for.
            let stuck = |budget: &PodDisruptionBudget| {
                let status = budget.status.as_ref();
                status.is_some_and(|it| it.disruptions_allowed == Some(0) && it.current_healthy >= it.expected_pods)
            };
            WorkloadSeen {
                name: workload.shown(),
                ready: u32::try_from(ready.len()).unwrap_or(u32::MAX),
                nodes,
                budget: budget.map(|budget| (budget.metadata.name.clone().unwrap_or_default(), stuck(budget))),
            }
        });
        Ok(Facts { workloads: seen.collect() })
    }

    fn judge(id: &CheckId, (): &(), limits: &Limits, facts: &Facts) -> Judged {
        if facts.workloads.is_empty() {
            return Judged::undetermined(id.clone(), "the release has no workload in the cluster");
        }
        let (mut findings, mut evidence) = (Vec::new(), Vec::new());
        for workload in &facts.workloads {
            let name = &workload.name;
            let on = u32::try_from(workload.nodes.len()).unwrap_or(u32::MAX);
            let mut add = |rule: &str, message: String, expected: String| {
                findings.push(Finding::new(id, rule, name, message.clone()).expected(expected, message));
            };
            if workload.ready < limits.min {
                let message = format!("{name} has {} ready pods", workload.ready);
                add("too-few", message, format!("at least {}", limits.min));
            }
            if workload.ready > 1 && on < limits.min_nodes {
                let nodes: Vec<&str> = workload.nodes.iter().map(String::as_str).collect();
                let message = format!("all {} pods of {name} are on `{}`", workload.ready, nodes.join("`, `"));
                add("spread", message, format!("on at least {} nodes", limits.min_nodes));
            }
            match &workload.budget {
                None if !limits.without_budget => {
                    let message = format!("no disruption budget is over the pods of {name}");
                    add("budget", message, "a PodDisruptionBudget".to_owned());
                }
                Some((budget, true)) if workload.ready > 0 => {
                    let message =
                        format!("the disruption budget `{budget}` lets no pod of {name} go: no node can be drained");
                    add("budget-stuck", message, "at least one pod that may go".to_owned());
                }
                _ => {}
            }
            let of =
                |what: &str| if facts.workloads.len() == 1 { what.to_owned() } else { format!("{what} of {name}") };
            evidence.push(
                Evidence::new(of("ready pods"), Quantity::count(workload.ready)).limited(Quantity::count(limits.min)),
            );
            evidence.push(Evidence::new(of("nodes"), Quantity::count(on)).limited(Quantity::count(limits.min_nodes)));
        }
        Judged { evidence, ..Judged::by_findings(id.clone(), findings) }
    }
}
