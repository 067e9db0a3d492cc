//! What containers may take and take: of their specs, of the metrics API, and of their nodes.

use std::{collections::BTreeSet, time::Duration};

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Container, ContainerStatus, Pod};
use prodtest_gate::Rule;
use prodtest_inspect::{Seeing, Unseen};
use prodtest_kube::{
    Call,
    kube::{
        Api,
        api::ListParams,
        core::{ApiResource, DynamicObject, Request},
    },
};
use serde::{Deserialize, Serialize};

use crate::{
    gate::Verify,
    live::{self, number},
};

/// What a container needs, may take, and takes: bytes, or seconds of processor time a second.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Used {
    pub(super) request: Option<f64>,
    pub(super) limit: Option<f64>,
    pub(super) used: Option<f64>,
}

/// In how many of the periods in which it wanted to run it was held up, since it was started.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Throttled {
    pub(super) throttled: f64,
    pub(super) periods: f64,
}

/// A container that runs.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct ContainerSeen {
    pub(super) workload: String,
    pub(super) pod: String,
    pub(super) name: String,
    /// As its runtime calls it.
    pub(super) id: Option<String>,
    pub(super) node: Option<String>,
    pub(super) started: Option<Timestamp>,
    pub(super) memory: Used,
    pub(super) cpu: Used,
    /// When what it uses was measured.
    pub(super) taken: Option<Timestamp>,
    pub(super) throttled: Option<Throttled>,
    /// When the one before it was killed for its memory.
    pub(super) oom_killed: Option<Timestamp>,
}

impl ContainerSeen {
    /// Whether it was started so short a time ago that metrics may be missing.
    pub(super) fn is_young(&self, looked: Timestamp, within: Duration) -> bool {
        self.started.is_some_and(|started| looked.duration_since(started).unsigned_abs() < within)
    }
}

/// The containers of the workloads that run, and those that were killed for their memory.
pub(super) fn containers(workloads: &[live::Workload], pods: &[Pod]) -> Vec<ContainerSeen> {
    let mut seen = Vec::new();
    for workload in workloads {
        let own = pods.iter().filter(|pod| workload.selects(pod) && pod.metadata.deletion_timestamp.is_none());
        for pod in own {
            let statuses = pod.status.iter().flat_map(|status| status.container_statuses.iter().flatten());
            let spec = pod.spec.as_ref();
            for status in statuses {
                let container = spec.and_then(|spec| spec.containers.iter().find(|it| it.name == status.name));
                let (Some(container), Some(spec)) = (container, spec) else { continue };
                let one = one(workload, pod, container, status, spec.node_name.clone());
                if one.started.is_some() || one.oom_killed.is_some() {
                    seen.push(one);
                }
            }
        }
    }
    seen
}

fn one(
    workload: &live::Workload,
    pod: &Pod,
    container: &Container,
    status: &ContainerStatus,
    node: Option<String>,
) -> ContainerSeen {
    let resources = container.resources.as_ref();
    let of = |kind: &str| Used {
        request: resources.and_then(|it| number(&it.requests.as_ref()?.get(kind)?.0)),
        limit: resources.and_then(|it| number(&it.limits.as_ref()?.get(kind)?.0)),
        used: None,
    };
    let states = status.state.iter().chain(&status.last_state);
    let mut killed =
        states.filter_map(|state| state.terminated.as_ref()).filter(|it| it.reason.as_deref() == Some("OOMKilled"));
    let running = status.state.as_ref().and_then(|state| state.running.as_ref());
    let id = status.container_id.as_deref().and_then(|id| Some(id.split_once("://")?.1.to_owned()));
    ContainerSeen {
        workload: workload.shown(),
        pod: pod.metadata.name.clone().unwrap_or_default(),
        name: container.name.clone(),
        id,
        node,
        started: running.and_then(|running| Some(running.started_at.as_ref()?.0)),
        memory: of("memory"),
        cpu: of("cpu"),
        taken: None,
        throttled: None,
        oom_killed: killed.find_map(|it| Some(it.finished_at.as_ref()?.0)),
    }
}

/// Adds what they use, as the metrics API has it.
pub(super) async fn usage(seeing: &Seeing<'_, Verify>, containers: &mut [ContainerSeen]) -> Result<(), Unseen> {
    let (cluster, namespace) = (seeing.means.cluster()?, seeing.site.namespace());
    let kind = ApiResource {
        group: "metrics.k8s.io".to_owned(),
        version: "v1beta1".to_owned(),
        api_version: "metrics.k8s.io/v1beta1".to_owned(),
        kind: "PodMetrics".to_owned(),
        plural: "pods".to_owned(),
    };
    let call = Call {
        asked: format!("list what the pods in the namespace `{namespace}` use"),
        rule: Rule::new(namespace, "metrics.k8s.io", &["pods"], &["list"]),
    };
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client(), namespace, &kind);
    let listed = cluster.ask(&call, api.list(&ListParams::default())).await.map_err(|error| {
        let unseen = Unseen::from(error);
        if unseen.hint.is_some() { unseen } else { unseen.hint("the cluster needs a metrics server") }
    })?;
    for container in containers {
        let Some(pod) = listed.items.iter().find(|it| it.metadata.name.as_ref() == Some(&container.pod)) else {
            continue;
        };
        let taken: Option<Timestamp> = pod.data["timestamp"].as_str().and_then(|at| at.parse().ok());
        // What was measured before it was started was of the one before.
        if taken.zip(container.started).is_some_and(|(taken, started)| taken < started) {
            continue;
        }
        let all = pod.data["containers"].as_array().map(Vec::as_slice).unwrap_or_default();
        let Some(of) = all.iter().find(|it| it["name"] == container.name.as_str()) else { continue };
        let used = |kind: &str| number(of["usage"][kind].as_str()?);
        (container.memory.used, container.cpu.used, container.taken) = (used("memory"), used("cpu"), taken);
    }
    Ok(())
}

/// What one must be allowed to do to ask nodes.
pub(super) fn nodes_rule() -> Rule {
    Rule::new("", "", &["nodes/proxy"], &["get"])
}

/// Adds how they were throttled, as their nodes have it.
pub(super) async fn throttling(seeing: &Seeing<'_, Verify>, containers: &mut [ContainerSeen]) -> Result<(), Unseen> {
    let cluster = seeing.means.cluster()?;
    let limited = containers.iter().filter(|container| container.cpu.limit.is_some());
    let nodes: BTreeSet<String> = limited.filter_map(|container| container.node.clone()).collect();
    for node in nodes {
        let call = Call { asked: format!("ask the node `{node}` what its containers took"), rule: nodes_rule() };
        let request = Request::new("/api/v1/nodes").get_subresource("proxy/metrics/cadvisor", &node);
        let request = request.map_err(|error| Unseen::new(format!("the node `{node}`: {error}")))?;
        let client = cluster.client();
        let page = cluster.ask(&call, client.request_text(request)).await.map_err(|error| {
            let unseen = Unseen::from(error);
            let leave = "or leave throttling out with `resources.throttling: false`";
            let hint = unseen.hint.clone().map_or_else(|| leave.to_owned(), |hint| format!("{hint}; {leave}"));
            unseen.hint(hint)
        })?;
        for container in containers.iter_mut().filter(|it| it.node.as_ref() == Some(&node)) {
            let Some(id) = &container.id else { continue };
            let of = |name: &str| page.lines().find_map(|line| sample(line, name, id));
            let throttled = of("container_cpu_cfs_throttled_periods_total");
            container.throttled = throttled
                .zip(of("container_cpu_cfs_periods_total"))
                .map(|(throttled, periods)| Throttled { throttled, periods });
        }
    }
    Ok(())
}

/// The number on a line of Prometheus' text format, if it is this metric of this container.
fn sample(line: &str, name: &str, id: &str) -> Option<f64> {
    let rest = line.strip_prefix(name)?.strip_prefix('{')?;
    // What stands in quotes may have braces; the number has none.
    let (labels, number) = rest.rsplit_once('}')?;
    // The group of a container ends with its id, and a systemd scope with `.scope` behind it.
    let (_, group) = labels.split_once("id=\"")?;
    let (group, _) = group.split_once('"')?;
    group.trim_end_matches(".scope").ends_with(id).then(|| number.split_whitespace().next()?.parse().ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_is_told_by_its_container() {
        let name = "container_cpu_cfs_periods_total";
        let line = r#"container_cpu_cfs_periods_total{container="a",id="/kubepods/pod1/e3bf",image="r@sha256:a",name="e3bf"} 25 1795789628689"#;
        assert_eq!(sample(line, name, "e3bf"), Some(25.0));
        assert_eq!(sample(line, name, "82c0"), None);
        assert_eq!(sample(line, "container_cpu_cfs_periods", "e3bf"), None);
        let scope = r#"container_cpu_cfs_periods_total{id="/kubepods.slice/cri-containerd-e3bf.scope"} 1e+06"#;
        assert_eq!(sample(scope, name, "e3bf"), Some(1e6));
    }
}
