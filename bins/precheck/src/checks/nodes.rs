//! `precheck/nodes`: all nodes are ready, and those that take the pods have room for what the rollout adds.

mod admit;
mod fit;

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, Pod};
use prodtest_cli::Refusal;
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Place, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use prodtest_kube::Amount;
use prodtest_rollout::trace::Subject;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::{
    admit::admits,
    fit::{Left, Wanted, place},
};
use crate::{
    gate::Precheck,
    room::{self, Added, Amounts, Shape, amounts},
    shared,
    site::Site,
};

/// What a pod takes besides what it requests: its own number.
const PODS: &str = "pods";

/// The nodes of the cluster.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// How many nodes may be not ready, where nodes come and go; 0 when left out.
    pub(crate) max_not_ready: u32,
}

/// The check.
pub(crate) struct Nodes;

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    max_not_ready: u32,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    nodes: Vec<NodeSeen>,
    /// What wants a place, or why that is not known.
    wanted: Result<Vec<Wants>, Unseen>,
}

/// A node.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct NodeSeen {
    name: String,
    /// Why it is not ready, where it is not.
    not_ready: Option<String>,
    cordoned: bool,
    /// What it has that no pod on it requests.
    free: Amounts,
}

/// Pods that want a place, and where that is said.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Wants {
    #[serde(flatten)]
    wanted: Wanted,
    /// Where it says what it requests.
    resources: Option<Place>,
    /// Where it says on which nodes it goes.
    placement: Option<Place>,
}

impl Inspection<Precheck> for Nodes {
    const NAME: &'static str = "nodes";

    type Target = ();
    type Limits = Limits;
    type Facts = Facts;

    fn target(_asked: &Asked<'_, Precheck>) -> Result<Target<()>, Refusal> {
        Ok(Target::At(()))
    }

    fn limits(asked: &Asked<'_, Precheck>) -> Result<Limits, Refusal> {
        Ok(Limits { max_not_ready: asked.section.nodes.max_not_ready })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        Check {
            why: Some(
                "A rollout has more pods than the release. Where none of the nodes has room, the new ones wait for ever, and \
                 a node that is lost already leaves no room for the next."
                    .to_owned(),
            ),
            help: Some("Mend or add a node, or request less.".to_owned()),
            limits: vec![Limit { name: "nodes that are not ready".to_owned(), value: format!("at most {}", limits.max_not_ready) }],
            needs: super::ids(["chart"]),
            ..Check::new(id, "the nodes are ready, and have room for the rollout")
        }
    }

    fn rules(site: &Site, (): &()) -> Vec<Rule> {
        let mut rules = vec![shared::nodes_rule(), shared::pods_rule()];
        rules.extend(room::rules(site));
        rules
    }

    async fn observe(seeing: &Seeing<'_, Precheck>, (): &()) -> Result<Facts, Unseen> {
        let (nodes, pods) = tokio::try_join!(shared::nodes(seeing), shared::running(seeing))?;
        let seen: Vec<NodeSeen> = nodes.iter().map(|node| see(node, pods)).collect::<Result<_, _>>()?;
        let wanted = wanted(seeing, nodes, &seen).await;
        Ok(Facts { nodes: seen, wanted })
    }

    fn judge(id: &CheckId, (): &(), limits: &Limits, facts: &Facts) -> Judged {
        if facts.nodes.is_empty() {
            return Judged::undetermined(id.clone(), "the cluster has no nodes");
        }
        let (mut findings, mut evidence) = (Vec::new(), Vec::new());
        let count = |number: usize| Quantity::count(u32::try_from(number).unwrap_or(u32::MAX));
        let not_ready: Vec<(&str, &str)> =
            facts.nodes.iter().filter_map(|node| Some((node.name.as_str(), node.not_ready.as_deref()?))).collect();
        evidence.push(Evidence::new("nodes", count(facts.nodes.len())));
        evidence.push(
            Evidence::new("nodes that are not ready", count(not_ready.len()))
                .limited(Quantity::count(limits.max_not_ready)),
        );
        if u32::try_from(not_ready.len()).is_ok_and(|number| number > limits.max_not_ready) {
            for (name, why) in &not_ready {
                let message = format!("the node `{name}` is not ready: {why}");
                let finding = Finding::new(id, "not-ready", *name, message).expected("Ready", *why);
                findings.push(finding.help(format!("look at `kubectl describe node {name}`")));
            }
        }
        match &facts.wanted {
            Ok(wants) => {
                let pods = wants.iter().fold(0_u32, |sum, one| sum.saturating_add(one.wanted.pods));
                evidence.push(Evidence::new("pods that the rollout adds", Quantity::count(pods)));
                let usable = facts.nodes.iter().filter(|node| node.not_ready.is_none() && !node.cordoned);
                let free: BTreeMap<String, Amounts> =
                    usable.map(|node| (node.name.clone(), node.free.clone())).collect();
                let wanted: Vec<Wanted> = wants.iter().map(|one| one.wanted.clone()).collect();
                findings.extend(
                    place(&free, &wanted).iter().map(|left| no_room(id, facts.nodes.len(), &wants[left.wanted], left)),
                );
            }
            Err(unseen) if findings.is_empty() => return Judged::undetermined(id.clone(), unseen.to_string()),
            Err(_) => {}
        }
        Judged { evidence, ..Judged::by_findings(id.clone(), findings) }
    }
}

fn no_room(id: &CheckId, all: usize, one: &Wants, left: &Left) -> Finding {
    let Wanted { workload, pods, requests, on, .. } = &one.wanted;
    if on.is_empty() {
        let message = format!(
            "no node that is ready takes a pod of {workload}: its selector, its affinity or a taint keeps it off all {all}"
        );
        return Finding::new(id, "no-node", workload, message)
            .expected("a node that takes it", "none")
            .at(one.placement.clone());
    }
    let asked = requests
        .iter()
        .filter(|(name, _)| *name != PODS)
        .map(|(name, amount)| format!("{} of {name}", amount.of(name)));
    let asked: Vec<String> = asked.collect();
    let lacked: Vec<String> =
        left.lacked.iter().map(|(name, nodes)| format!("{nodes} have too little {name}")).collect();
    let message = format!(
        "{} of the {pods} pods that the rollout adds to {workload} find no room, each with {}; of the {} nodes that take it {}",
        left.pods,
        asked.join(" and "),
        on.len(),
        lacked.join(", ")
    );
    Finding::new(id, "no-room", workload, message)
        .expected(format!("room for {pods} more pods"), format!("room for {}", pods.saturating_sub(left.pods)))
        .at(one.resources.clone())
}

/// A node, without what the pods on it request.
fn see(node: &Node, pods: &[Pod]) -> Result<NodeSeen, Unseen> {
    let name = node.metadata.name.clone().unwrap_or_default();
    let status = node.status.as_ref();
    let mut free = amounts(status.and_then(|status| status.allocatable.as_ref())).map_err(Unseen::new)?;
    for pod in pods.iter().filter_map(|pod| pod.spec.as_ref()).filter(|spec| spec.node_name.as_ref() == Some(&name)) {
        let shape = Shape::of(pod).map_err(Unseen::new)?;
        for (resource, left) in &mut free {
            let takes = if resource == PODS { Amount::whole(1) } else { shape.requested(resource) };
            *left = left.minus(takes);
        }
    }
    let condition = status.and_then(|status| status.conditions.as_ref()?.iter().find(|it| it.type_ == "Ready"));
    let not_ready = match condition {
        Some(ready) if ready.status == "True" => None,
        Some(ready) => {
            let said = ready
                .message
                .clone()
                .or_else(|| ready.reason.clone())
                .unwrap_or_else(|| "no reason is said".to_owned());
            Some(said.trim_end_matches('.').to_owned())
        }
        None => Some("its kubelet has not said anything".to_owned()),
    };
    let cordoned = node.spec.as_ref().and_then(|spec| spec.unschedulable).unwrap_or_default();
    Ok(NodeSeen { name, not_ready, cordoned, free })
}

async fn wanted(seeing: &Seeing<'_, Precheck>, nodes: &[Node], seen: &[NodeSeen]) -> Result<Vec<Wants>, Unseen> {
    let (manifest, added) = (shared::rendered(seeing).await?, room::added(seeing).await?);
    let usable = |name: &Option<String>| {
        let seen = seen.iter().find(|seen| Some(&seen.name) == name.as_ref());
        seen.is_some_and(|seen| seen.not_ready.is_none() && !seen.cordoned)
    };
    let mut wants = Vec::new();
    for (workload, added) in shared::workloads(manifest)?.into_iter().zip(added) {
        let spec = workload.template.spec.clone().unwrap_or_default();
        let takes = nodes.iter().filter(|node| usable(&node.metadata.name) && admits(node, &spec));
        let on: Vec<String> = takes.filter_map(|node| node.metadata.name.clone()).collect();
        let document = manifest.find(&workload.kind, &workload.own_name);
        let placement = shared::place(seeing, document, &Subject::Placement);
        // Not again where it runs already: those are counted as pods that run.
        let on_each = workload.kind == "DaemonSet" && added.pods > 1;
        wants.push(Wants { wanted: want(added.clone(), on, on_each), resources: added.place(None), placement });
    }
    wants.retain(|one| one.wanted.pods > 0);
    Ok(wants)
}

fn want(added: Added, on: Vec<String>, on_each: bool) -> Wanted {
    let names = added.shape.containers.iter().flat_map(|it| it.requests.keys()).chain(added.shape.requests.keys());
    let names = names.chain(added.shape.overhead.keys());
    let mut requests: Amounts = names.map(|name| (name.clone(), added.shape.requested(name))).collect();
    requests.insert(PODS.to_owned(), Amount::whole(1));
    Wanted { workload: added.workload, pods: added.pods, requests, on, on_each }
}

#[cfg(test)]
mod tests {
    use prodtest_gate::Outcome;
    use serde_json::json;

    use super::*;

    fn node(name: &str, ready: &str, cordoned: bool) -> Node {
        let value = json!({
            "metadata": { "name": name },
            "spec": { "unschedulable": cordoned },
            "status": {
                "allocatable": { "cpu": "2", "memory": "4Gi", "pods": "3" },
                "conditions": [{ "type": "Ready", "status": ready, "reason": "KubeletReady", "message": "Kubelet stopped posting node status." }],
            },
        });
        serde_json::from_value(value).unwrap()
    }

    fn pod(node: &str, cpu: &str) -> Pod {
        let container = json!({ "name": "a", "resources": { "requests": { "cpu": cpu } } });
        serde_json::from_value(json!({ "spec": { "nodeName": node, "containers": [container] } })).unwrap()
    }

    fn judged(nodes: &[Node], pods: &[Pod], cpu: &str, max_not_ready: u32) -> Judged {
        let seen: Vec<NodeSeen> = nodes.iter().map(|node| see(node, pods).unwrap()).collect();
        let requests =
            BTreeMap::from([("cpu".to_owned(), Amount::read(cpu).unwrap()), (PODS.to_owned(), Amount::whole(1))]);
        let on = seen.iter().filter(|seen| seen.not_ready.is_none() && !seen.cordoned).map(|seen| seen.name.clone());
        let wanted =
            Wanted { workload: "Deployment a".to_owned(), pods: 1, requests, on: on.collect(), on_each: false };
        let wants = Wants { wanted, resources: None, placement: None };
        let facts = Facts { nodes: seen, wanted: Ok(vec![wants]) };
        Nodes::judge(&CheckId::new("precheck", "nodes").unwrap(), &(), &Limits { max_not_ready }, &facts)
    }

    fn rules_of(judged: &Judged) -> Vec<&str> {
        judged.findings.iter().map(|finding| finding.rule.as_str()).collect()
    }

    #[test]
    fn there_must_be_room_beside_what_runs() {
        let nodes = [node("one", "True", false)];
        assert_eq!(judged(&nodes, &[pod("one", "1")], "1", 0).outcome, Outcome::Passed);
        assert_eq!(rules_of(&judged(&nodes, &[pod("one", "1001m")], "1", 0)), ["no-room"]);
        assert_eq!(judged(&nodes, &[pod("two", "2")], "1", 0).outcome, Outcome::Passed, "on another node");
        let full = [pod("one", "0"), pod("one", "0"), pod("one", "0")];
        let of_pods = judged(&nodes, &full, "0", 0);
        assert!(of_pods.findings[0].message.contains("1 have too little pods"), "{of_pods:?}");
    }

    #[test]
    fn a_node_that_is_not_ready_or_cordoned_has_no_room() {
        let cordoned = [node("one", "True", true)];
        assert_eq!(rules_of(&judged(&cordoned, &[], "1", 0)), ["no-node"]);
        let off = [node("one", "True", false), node("two", "Unknown", false)];
        assert_eq!(rules_of(&judged(&off, &[], "1", 0)), ["not-ready"]);
        assert_eq!(judged(&off, &[], "1", 1).outcome, Outcome::Passed);
        assert_eq!(rules_of(&judged(&off, &[pod("one", "2")], "1", 0)), ["not-ready", "no-room"]);
        assert_eq!(judged(&[], &[], "1", 0).outcome, Outcome::Undetermined);
    }
}
