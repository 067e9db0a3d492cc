//! An object without what the cluster owns, so that it can be put in again. Pure.
//!
//! Gone are: `status`; what the API sets in `metadata` (uid, versions, times, managed fields); owners, for their uids do
//! not outlive them; addresses and node ports that the cluster gave a Service; the volume a claim was bound to; the
//! selector that a Job was given by its controller. Kept are all labels and annotations of people and tools, Helm's and
//! kubectl's last applied configuration among them: without it, kubectl would no longer remove what is taken out of a
//! manifest.

use serde_json::{Map, Value};

const METADATA: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "ownerReferences",
    "resourceVersion",
    "uid",
];

/// Annotations that a controller writes, by how they begin.
const ANNOTATIONS: [&str; 5] = [
    "deployment.kubernetes.io/",
    "deprecated.daemonset.template.generation",
    "pv.kubernetes.io/",
    "volume.beta.kubernetes.io/",
    "volume.kubernetes.io/",
];

/// Labels that a Job's controller gives its pods.
const JOB_LABELS: [&str; 4] =
    ["batch.kubernetes.io/controller-uid", "batch.kubernetes.io/job-name", "controller-uid", "job-name"];

/// The object without what the cluster owns.
#[must_use]
pub fn clean(object: &Value) -> Value {
    let mut object = object.clone();
    let kind = object["kind"].as_str().unwrap_or_default().to_owned();
    let Some(fields) = object.as_object_mut() else { return object };
    fields.remove("status");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        clean_metadata(metadata);
    }
    match kind.as_str() {
        "ServiceAccount" => {
            // The token of a cluster of old; another one is made.
            fields.remove("secrets");
        }
        "Service" => within(fields, "spec", clean_service),
        "PersistentVolumeClaim" => within(fields, "spec", |spec| {
            spec.remove("volumeName");
        }),
        "Job" => within(fields, "spec", clean_job),
        _ => {}
    }
    object
}

fn within(fields: &mut Map<String, Value>, name: &str, change: impl FnOnce(&mut Map<String, Value>)) {
    if let Some(inner) = fields.get_mut(name).and_then(Value::as_object_mut) {
        change(inner);
    }
}

fn clean_metadata(metadata: &mut Map<String, Value>) {
    for name in METADATA {
        metadata.remove(name);
    }
    within(metadata, "annotations", |annotations| {
        annotations.retain(|name, _| !ANNOTATIONS.iter().any(|prefix| name.starts_with(prefix)));
    });
    if let Some(finalizers) = metadata.get_mut("finalizers").and_then(Value::as_array_mut) {
        // The cluster's own: it sets them again.
        finalizers.retain(|name| !name.as_str().is_some_and(|name| name.starts_with("kubernetes.io/")));
    }
    for name in ["annotations", "finalizers"] {
        if metadata.get(name).is_some_and(|value| *value == serde_json::json!({}) || *value == serde_json::json!([])) {
            metadata.remove(name);
        }
    }
}

fn clean_service(spec: &mut Map<String, Value>) {
    // `None` is no address but a headless Service, and was asked for.
    if spec.get("clusterIP").is_some_and(|address| address != "None") {
        spec.remove("clusterIP");
        spec.remove("clusterIPs");
    }
    spec.remove("healthCheckNodePort");
    for port in spec.get_mut("ports").and_then(Value::as_array_mut).into_iter().flatten() {
        if let Some(port) = port.as_object_mut() {
            port.remove("nodePort");
        }
    }
}

fn clean_job(spec: &mut Map<String, Value>) {
    if spec.get("manualSelector") == Some(&Value::Bool(true)) {
        return;
    }
    spec.remove("selector");
    if let Some(labels) = spec.get_mut("template").and_then(|template| template.pointer_mut("/metadata/labels"))
        && let Some(labels) = labels.as_object_mut()
    {
        for label in JOB_LABELS {
            labels.remove(label);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_cluster_owns_goes_and_the_rest_stays() {
        let metadata = json!({
            "name": "a", "uid": "1", "resourceVersion": "2", "generation": 3, "creationTimestamp": "t",
            "managedFields": [], "ownerReferences": [{ "uid": "4" }], "labels": { "app": "a" },
            "annotations": { "deployment.kubernetes.io/revision": "5", "meta.helm.sh/release-name": "a" },
        });
        let cleaned = clean(&json!({ "kind": "Deployment", "metadata": metadata, "spec": { "a": 1 }, "status": {} }));
        let metadata = json!({
            "name": "a", "labels": { "app": "a" }, "annotations": { "meta.helm.sh/release-name": "a" },
        });
        assert_eq!(cleaned, json!({ "kind": "Deployment", "metadata": metadata, "spec": { "a": 1 } }));
    }

    #[test]
    fn a_service_keeps_no_address_but_that_it_has_none() {
        let service = |address: &str| {
            let ports = json!([{ "port": 80, "nodePort": 30000 }]);
            let spec = json!({ "clusterIP": address, "clusterIPs": [address], "ports": ports });
            clean(&json!({ "kind": "Service", "spec": spec }))["spec"].clone()
        };
        assert_eq!(service("10.0.0.1"), json!({ "ports": [{ "port": 80 }] }));
        assert_eq!(service("None")["clusterIPs"], json!(["None"]));
    }

    #[test]
    fn a_claim_is_not_bound_to_the_volume_that_it_had() {
        let claim = json!({
            "kind": "PersistentVolumeClaim",
            "metadata": { "annotations": { "pv.kubernetes.io/bound": "yes" }, "finalizers": ["kubernetes.io/pvc"] },
            "spec": { "volumeName": "pvc-1", "storageClassName": "a" },
        });
        let cleaned = json!({
            "kind": "PersistentVolumeClaim", "metadata": {}, "spec": { "storageClassName": "a" },
        });
        assert_eq!(clean(&claim), cleaned);
    }

    #[test]
    fn a_job_gets_a_selector_of_its_own() {
        let labels = json!({ "controller-uid": "1", "batch.kubernetes.io/job-name": "a", "app": "a" });
        let template = json!({ "metadata": { "labels": labels } });
        let job = json!({ "kind": "Job", "spec": { "selector": {}, "template": template } });
        assert_eq!(clean(&job)["spec"], json!({ "template": { "metadata": { "labels": { "app": "a" } } } }));
    }

    proptest! {
        #[test]
        fn what_is_clean_stays_as_it_is(object in crate::backup::compare::tests::any_object()) {
            let once = clean(&object);
            prop_assert_eq!(clean(&once), once);
        }
    }
}
