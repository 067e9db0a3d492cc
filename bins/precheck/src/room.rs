//! What a rollout adds to what runs: how many pods, and what they take.

mod shape;

use std::collections::BTreeMap;

use prodtest_gate::{Place, Rule};
use prodtest_inspect::{Seeing, Unseen};
use prodtest_kube::{
    Call,
    kube::{
        Api,
        core::{ApiResource, DynamicObject, GroupVersionKind},
    },
};
use prodtest_rollout::trace::Subject;
use serde::{Deserialize, Serialize};

pub(crate) use self::shape::{Amounts, Shape, amounts};
use crate::{
    gate::Precheck,
    shared::{self, Workload},
    site::Site,
};

/// The pods that a rollout of one workload has beside those that run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Added {
    /// `Deployment godel-api`.
    pub(crate) workload: String,
    /// How many at most.
    pub(crate) pods: u32,
    /// Each of them.
    pub(crate) shape: Shape,
    /// Where each container says what it takes.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) places: BTreeMap<String, Place>,
}

impl Added {
    /// Where the container, or else the first, says what it takes.
    pub(crate) fn place(&self, container: Option<&str>) -> Option<Place> {
        let first = self.shape.containers.iter().find_map(|it| self.places.get(&it.name));
        container.and_then(|name| self.places.get(name)).or(first).cloned()
    }
}

/// What all workloads of the chart add: their surge where they run, all their pods where they do not.
///
/// # Errors
/// When the chart or the cluster does not tell.
pub(crate) async fn added<'a>(seeing: &Seeing<'a, Precheck>) -> Result<&'a [Added], Unseen> {
    seeing.means.own.added.get_or_init(|| of_chart(seeing)).await.as_deref().map_err(Clone::clone)
}

async fn of_chart(seeing: &Seeing<'_, Precheck>) -> Result<Vec<Added>, Unseen> {
    let manifest = shared::rendered(seeing).await?;
    let mut added = Vec::new();
    for workload in shared::workloads(manifest)? {
        let standing = standing(seeing, &workload).await?;
        let pods = match (workload.kind.as_str(), standing) {
            // One on each node; which these are is the nodes' to say.
            ("DaemonSet", None) => u32::try_from(shared::nodes(seeing).await?.len()).unwrap_or(u32::MAX),
            _ => more(&workload, standing),
        };
        let spec = workload.template.spec.clone().unwrap_or_default();
        let shape = Shape::of(&spec).map_err(|why| Unseen::new(format!("{}: {why}", workload.name)))?;
        let document = manifest.find(&workload.kind, &workload.own_name);
        let mut places = BTreeMap::new();
        for container in &shape.containers {
            let subject = Subject::Resources { container: Some(container.name.clone()) };
            if let Some(place) = shared::place(seeing, document, &subject) {
                places.insert(container.name.clone(), place);
            }
        }
        added.push(Added { workload: workload.name, pods, shape, places });
    }
    Ok(added)
}

/// What one must be allowed to do for [`added`].
pub(crate) fn rules(site: &Site) -> Vec<Rule> {
    let namespace = site.namespace();
    vec![
        Rule::new(namespace, "apps", &["deployments", "statefulsets", "daemonsets"], &["get"]),
        Rule::new(namespace, "batch", &["jobs"], &["get"]),
        shared::nodes_rule(),
    ]
}

/// How many pods more there are at the height of a rollout. `standing`: how many are wanted now, where it is deployed.
fn more(workload: &Workload, standing: Option<u32>) -> u32 {
    let Some(now) = standing else { return workload.replicas };
    // A Job that is there is left as it is.
    if workload.kind == "Job" {
        return 0;
    }
    let then = if workload.scaled { now.max(workload.replicas) } else { workload.replicas };
    then.saturating_sub(now).saturating_add(workload.surge_of(then))
}

/// How many pods are wanted of a workload as it is in the cluster.
async fn standing(seeing: &Seeing<'_, Precheck>, workload: &Workload) -> Result<Option<u32>, Unseen> {
    let (cluster, namespace) = (seeing.means.cluster()?, seeing.site.namespace());
    let group = if workload.kind == "Job" { "batch" } else { "apps" };
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, "v1", &workload.kind));
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client(), namespace, &kind);
    let call = Call {
        asked: format!("get {} `{}` in the namespace `{namespace}`", workload.kind, workload.own_name),
        rule: Rule::new(namespace, group, &[kind.plural.as_str()], &["get"]),
    };
    let found = cluster.ask(&call, api.get_opt(&workload.own_name)).await?;
    let wanted = |object: DynamicObject| object.data["spec"]["replicas"].as_u64().unwrap_or(1);
    Ok(found.map(|object| u32::try_from(wanted(object)).unwrap_or(u32::MAX)))
}

#[cfg(test)]
mod tests {
    use prodtest_rollout::helm::Manifest;
    use serde_json::json;

    use super::*;

    fn workload(kind: &str, spec: serde_json::Value, least: Option<u32>) -> Workload {
        let mut spec = spec;
        spec["template"] = json!({ "spec": { "containers": [] } });
        let api = if kind == "Job" { "batch/v1" } else { "apps/v1" };
        let object = json!({ "apiVersion": api, "kind": kind, "metadata": { "name": "a" }, "spec": spec });
        let scaler = least.map(|least| {
            json!({
                "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": { "name": "a" },
                "spec": { "minReplicas": least, "scaleTargetRef": { "kind": kind, "name": "a" } },
            })
        });
        let text = format!("{object}\n---\n{}\n", scaler.map(|it| it.to_string()).unwrap_or_default());
        shared::workloads(&Manifest::parse(&text).unwrap()).unwrap().remove(0)
    }

    #[test]
    fn a_rollout_adds_its_surge_and_what_it_grows_by() {
        let rolling =
            |surge: serde_json::Value| json!({ "replicas": 4, "strategy": { "rollingUpdate": { "maxSurge": surge } } });
        let of = |surge, standing| more(&workload("Deployment", rolling(surge), None), standing);
        assert_eq!(
            [of(json!(1), None), of(json!(1), Some(4)), of(json!(1), Some(2)), of(json!(1), Some(9))],
            [4, 1, 3, 1]
        );
        assert_eq!([of(json!("50%"), Some(4)), of(json!("10%"), Some(4)), of(json!(null), Some(4))], [2, 1, 1]);
        let recreated = json!({ "replicas": 4, "strategy": { "type": "Recreate" } });
        assert_eq!(more(&workload("Deployment", recreated, None), Some(4)), 0);
        assert_eq!(more(&workload("StatefulSet", json!({ "replicas": 3 }), None), Some(3)), 0);
    }

    #[test]
    fn what_an_autoscaler_has_is_not_taken_back() {
        let of = |standing| more(&workload("Deployment", json!({}), Some(3)), standing);
        assert_eq!([of(None), of(Some(3)), of(Some(1)), of(Some(10))], [3, 1, 3, 3]);
    }

    #[test]
    fn a_job_runs_as_many_at_once_as_it_says_and_no_more_than_it_needs() {
        let of = |spec, standing| more(&workload("Job", spec, None), standing);
        assert_eq!(of(json!({}), None), 1);
        assert_eq!(of(json!({ "parallelism": 5, "completions": 2 }), None), 2);
        assert_eq!(of(json!({}), Some(1)), 0);
    }
}
