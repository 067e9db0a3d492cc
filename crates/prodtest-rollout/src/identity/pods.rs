//! The containers that run, as facts.

use prodtest_gate::Rule;
use prodtest_kube::{
    Call, Cluster, ClusterError, Problem,
    kube::{
        Api,
        api::{ApiResource, DynamicObject, ListParams},
        core::GroupVersionKind,
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::apply::patiently;

/// A container of a pod that is ready.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Running {
    /// The pod.
    pub pod: String,
    /// The container.
    pub container: String,
    /// The image, as it was asked for.
    pub image: String,
    /// The image, as the runtime has it; empty, where it does not say.
    pub image_id: String,
}

/// The pods of a namespace with these labels, `app=godel,tier in (a, b)`.
///
/// # Errors
/// When the cluster does not say.
pub async fn list_pods(cluster: &Cluster, namespace: &str, selector: &str) -> Result<Vec<Value>, ClusterError> {
    let call = Call {
        asked: format!("list the pods with `{selector}` in the namespace `{namespace}`"),
        rule: Rule::new(namespace, "", &["pods"], &["list"]),
    };
    let pods = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Pod"));
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client(), namespace, &pods);
    let parameters = ListParams::default().labels(selector);
    let list = patiently(|| cluster.ask(&call, api.list(&parameters))).await?;
    let value =
        |pod| serde_json::to_value(pod).map_err(|_| cluster.error(&call, Problem::Garbage("no pod".to_owned())));
    list.items.iter().map(value).collect()
}

/// The containers of those that are ready, and not on their way out. Pure.
#[must_use]
pub fn running(pods: &[Value]) -> Vec<Running> {
    let word = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let ready = pods.iter().filter(|pod| is_ready(pod) && pod["metadata"]["deletionTimestamp"].is_null());
    ready
        .flat_map(|pod| {
            let statuses = pod["status"]["containerStatuses"].as_array();
            statuses.into_iter().flatten().map(|status| Running {
                pod: word(&pod["metadata"]["name"]),
                container: word(&status["name"]),
                image: word(&status["image"]),
                image_id: word(&status["imageID"]),
            })
        })
        .collect()
}

fn is_ready(pod: &Value) -> bool {
    let conditions = pod["status"]["conditions"].as_array();
    conditions.into_iter().flatten().any(|one| one["type"] == "Ready" && one["status"] == "True")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pod(ready: &str) -> Value {
        let status = json!({ "name": "api", "image": "r/a:1", "imageID": "r/a@sha256:1" });
        let conditions = json!([{ "type": "Ready", "status": ready }]);
        json!({ "metadata": { "name": "a" }, "status": { "conditions": conditions, "containerStatuses": [status] } })
    }

    #[test]
    fn only_pods_that_are_ready_and_stay_count() {
        let mut ending = pod("True");
        ending["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        let found = running(&[pod("True"), pod("False"), ending, json!({})]);
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].image_id, "r/a@sha256:1");
    }
}
