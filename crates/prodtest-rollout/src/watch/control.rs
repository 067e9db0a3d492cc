//! The proof, in the same run, that the rules can tell a doomed rollout from a finished one and from one under way.

use prodtest_gate::{CheckId, Control};
use serde_json::{Value, json};

use super::{Aim, Assessment, Kind, Noted, Patience, State, Subject, Tracker};

const NAME: &str = "planted";

/// What a rollout of one pod comes to, of which the kubelet says this.
fn assessed(container: &Value, ready: bool) -> Assessment {
    let owner = |kind: &str, uid: &str| json!([{ "apiVersion": "apps/v1", "kind": kind, "name": NAME, "uid": uid, "controller": true }]);
    let (labels, revision) = (json!({ "app": NAME }), json!({ "deployment.kubernetes.io/revision": "1" }));
    let template = json!({
        "metadata": { "labels": labels },
        "spec": { "containers": [{ "name": NAME, "image": "registry.invalid/planted:1" }] },
    });
    let count = u32::from(ready);
    let spec = json!({ "replicas": 1, "selector": { "matchLabels": labels }, "template": template });
    let deployment = json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": NAME, "uid": "d", "generation": 1, "annotations": revision },
        "spec": spec,
        "status": {
            "observedGeneration": 1, "replicas": 1, "updatedReplicas": 1, "readyReplicas": count, "availableReplicas": count,
        },
    });
    let set = json!({
        "apiVersion": "apps/v1", "kind": "ReplicaSet",
        "metadata": {
            "name": NAME, "uid": "r", "generation": 1, "annotations": revision, "labels": labels,
            "ownerReferences": owner("Deployment", "d"),
        },
        "spec": spec,
        "status": { "observedGeneration": 1, "replicas": 1, "readyReplicas": count, "availableReplicas": count },
    });
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod",
        "metadata": { "name": NAME, "uid": "p", "labels": labels, "ownerReferences": owner("ReplicaSet", "r") },
        "spec": template["spec"],
        "status": {
            "phase": if ready { "Running" } else { "Pending" },
            "conditions": [{ "type": "Ready", "status": if ready { "True" } else { "False" } }],
            "containerStatuses": [container],
        },
    });
    let mut state = State::default();
    [deployment, set, pod].iter().for_each(|object| state.take(object));
    let aim = Aim { workloads: vec![Subject::new(Kind::Deployment, NAME)], hooks: Vec::new() };
    let mut tracker = Tracker::new(aim, Noted::default(), Patience::default());
    tracker.look(&state, true, 0);
    tracker.assessment()
}

/// What a container is, in its pod's status.
fn container(ready: bool, state: &Value) -> Value {
    json!({ "name": NAME, "ready": ready, "restartCount": 0, "state": state })
}

/// Holds the rules to three planted rollouts. Pure.
#[must_use]
pub fn controls(proves: &[CheckId]) -> Vec<Control> {
    let waiting = |reason: &str, message: &str| json!({ "waiting": { "reason": reason, "message": message } });
    let missing = waiting("ErrImagePull", "failed to pull and unpack image: registry.invalid/planted:1: not found");
    let [doomed, done, under_way] = [
        assessed(&container(false, &missing), false),
        assessed(&container(true, &json!({ "running": {} })), true),
        assessed(&container(false, &waiting("ContainerCreating", "")), false),
    ];
    let control = |name: &str, seen: Assessment, must: Assessment| Control {
        name: name.to_owned(),
        tripped: seen == must,
        detail: format!("called {seen}"),
        proves: proves.to_vec(),
    };
    vec![
        control("a planted rollout whose image is not there", doomed, Assessment::Doomed),
        control("a planted rollout that is ready", done, Assessment::Done),
        control("a planted rollout that is under way", under_way, Assessment::Progressing),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_tell_the_planted_rollouts_apart() {
        for control in controls(&[]) {
            assert!(control.tripped, "{}: {}", control.name, control.detail);
        }
    }
}
