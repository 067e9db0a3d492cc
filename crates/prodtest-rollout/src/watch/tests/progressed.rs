//! How far a workload is, where that is not only a matter of numbers.

use serde_json::{Value, json};

use super::*;

/// What a workload waits for.
fn waits(objects: &[Value], kind: Kind) -> Option<String> {
    let mut state = State::default();
    objects.iter().for_each(|object| state.take(object));
    assert!(state.unreadable.is_empty(), "{:?}", state.unreadable);
    progress::of(&state, &Subject::new(kind, "web")).waits
}

fn object(kind: &str, spec: &Value, status: &Value) -> Value {
    json!({ "kind": kind, "metadata": { "name": "web", "uid": "web", "generation": 2 }, "spec": spec, "status": status })
}

#[test]
fn none_of_none_is_done() {
    let none = object("Deployment", &json!({ "replicas": 0 }), &json!({ "observedGeneration": 2 }));
    assert_eq!(waits(&[none], Kind::Deployment), None);
    let none = object("DaemonSet", &json!({}), &json!({ "observedGeneration": 2 }));
    assert_eq!(waits(&[none], Kind::DaemonSet), None);
    assert_eq!(waits(&[], Kind::Deployment).unwrap(), "it is not there");
}

#[test]
fn an_autoscaler_has_the_say_over_the_number() {
    let all = |count: i64| json!({ "observedGeneration": 2, "replicas": count, "updatedReplicas": count, "readyReplicas": count, "availableReplicas": count });
    let scaler = json!({ "kind": "HorizontalPodAutoscaler", "metadata": { "name": "any" }, "spec": { "scaleTargetRef": { "kind": "Deployment", "name": "web" }, "minReplicas": 3 } });
    let of = |count: i64| {
        waits(&[object("Deployment", &json!({ "replicas": count }), &all(count)), scaler.clone()], Kind::Deployment)
    };
    // Helm has put the chart's own number back.
    assert_eq!(of(1).unwrap(), "its autoscaler is to make 3 pods of 1");
    assert_eq!(of(5), None);
    // Nothing of it: the autoscaler leaves it alone.
    assert_eq!(of(0), None);
}

#[test]
fn pods_that_nobody_replaces_are_not_waited_for() {
    let status = json!({ "observedGeneration": 2, "replicas": 3, "updatedReplicas": 1, "readyReplicas": 3, "availableReplicas": 3 });
    let of = |strategy: Value| {
        waits(
            &[object("StatefulSet", &json!({ "replicas": 3, "updateStrategy": strategy }), &status)],
            Kind::StatefulSet,
        )
    };
    assert_eq!(of(json!({ "type": "RollingUpdate" })).unwrap(), "1 of 3 pods are new");
    assert_eq!(
        of(json!({ "type": "RollingUpdate", "rollingUpdate": { "partition": 1 } })).unwrap(),
        "1 of 2 pods are new"
    );
    assert_eq!(of(json!({ "type": "RollingUpdate", "rollingUpdate": { "partition": 2 } })), None);
    assert_eq!(of(json!({ "type": "OnDelete" })), None);
    let status = json!({ "observedGeneration": 2, "desiredNumberScheduled": 2, "currentNumberScheduled": 2, "numberReady": 2, "numberAvailable": 2 });
    let of = |strategy: &str| {
        waits(&[object("DaemonSet", &json!({ "updateStrategy": { "type": strategy } }), &status)], Kind::DaemonSet)
    };
    assert_eq!(of("RollingUpdate").unwrap(), "0 of 2 pods are new");
    assert_eq!(of("OnDelete"), None);
}

#[test]
fn a_job_is_done_when_it_has_completed_or_is_not_to_run() {
    let of = |spec: Value, conditions: Value| {
        waits(&[object("Job", &spec, &json!({ "conditions": conditions }))], Kind::Job)
    };
    assert_eq!(of(json!({}), json!([])).unwrap(), "it has not completed");
    assert_eq!(
        of(json!({}), json!([{ "type": "SuccessCriteriaMet", "status": "True" }])).unwrap(),
        "it has not completed"
    );
    assert_eq!(of(json!({}), json!([{ "type": "Complete", "status": "True" }])), None);
    assert_eq!(of(json!({ "suspend": true }), json!([])), None);
}
