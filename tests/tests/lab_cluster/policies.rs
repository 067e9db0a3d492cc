//! The chart's NetworkPolicies and its Pod Security, tried rather than read.

use prodtest_tests::{Release, shared};
use serde_json::{Value, json};
use xtask::{lab, sh};

/// A pod that asks an address and ends as the answer was: `godel --check URL`.
fn asks(release: &Release<'_>, name: &str, labels: &Value, url: &str) -> bool {
    let security = json!({ "allowPrivilegeEscalation": false, "capabilities": { "drop": ["ALL"] } });
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": name, "namespace": release.namespace, "labels": labels },
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": false,
            "imagePullSecrets": [{ "name": "registry-login" }],
            "securityContext": { "runAsNonRoot": true, "seccompProfile": { "type": "RuntimeDefault" } },
            "containers": [{
                "name": "ask",
                "image": format!("{}@{}", release.image.repository, release.image.digest),
                "args": ["--check", url],
                "securityContext": security,
            }],
        },
    });
    lab::apply(release.lab(), &[pod]).expect("a pod");
    let phase = lab::until("the pod to end", crate::PATIENCE, || {
        let pod = release.object(&format!("pod/{name}"));
        let phase = pod["status"]["phase"].as_str().unwrap_or_default().to_owned();
        anyhow::ensure!(["Succeeded", "Failed"].contains(&phase.as_str()), "{}", pod["status"]);
        Ok(phase)
    });
    phase.expect("it ends") == "Succeeded"
}

#[test]
fn lab_cluster_only_who_is_allowed_reaches_the_pods() {
    let Some(lab) = shared() else { return };
    let release = Release::one(&lab, "policies", &[]);
    let url = "http://godel-api/api/health";
    assert!(!asks(&release, "stranger", &json!({ "app": "stranger" }), url), "a stranger was let in");
    assert!(asks(&release, "tester", &json!({ "app": "godel-test" }), url), "the chart's own test was not");
    // Past the Service as well, on one node, where nothing but the node's own kernel is between the two.
    let pod = release.objects("pods").into_iter().find(|pod| pod["metadata"]["labels"]["app"] == "godel");
    let address = pod.expect("a pod")["status"]["podIP"].as_str().expect("an address").to_owned();
    let past = format!("http://{address}:7373/api/health");
    assert!(!asks(&release, "stranger-past", &json!({ "app": "stranger" }), &past), "a stranger was let in");
    // It is the policies that hold the stranger back, and nothing else.
    sh::quietly(release.kubectl().expect("kubectl").args(["delete", "networkpolicy", "--all"])).expect("it is done");
    assert!(asks(&release, "stranger-again", &json!({ "app": "stranger" }), url), "nothing forbids it any more");
}

#[test]
fn lab_cluster_a_pod_that_asks_for_too_much_is_refused() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "restricted", false);
    let pod = json!({
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": { "name": "root", "namespace": release.namespace },
        "spec": { "containers": [{ "name": "root", "image": "any", "securityContext": { "runAsUser": 0 } }] },
    });
    let error = lab::apply(&lab, &[pod]).expect_err("it must be refused");
    assert!(error.to_string().contains("violates PodSecurity \"restricted:latest\""), "{error}");
}
