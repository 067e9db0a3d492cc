//! The chart on a cluster: installed, upgraded, rolled back and tested, by both Helms.

use prodtest_tests::{Release, shared};
use serde_json::{Value, json};
use xtask::{
    lab::godel::{Helm, RELEASE},
    sh,
};

fn lives(helm: Helm, namespace: &str) {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, namespace, false);
    let upgrade = |values: &Value| {
        let output = release.upgrade(helm, values, &["--wait", "--timeout", "90s"]).expect("helm starts");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    let level = || release.object("configmap/godel-api")["data"]["GODEL_LOG"].clone();
    let helm = |arguments: &[&str]| {
        let said = sh::quietly(release.helm(helm).expect("helm").args(arguments));
        said.unwrap_or_else(|error| panic!("{arguments:?}: {error:#}"))
    };
    upgrade(&json!({ "replicaCount": 1 }));
    assert_eq!(level(), json!("debug"));
    upgrade(&json!({ "replicaCount": 1, "env": { "GODEL_LOG": "warn" } }));
    assert_eq!(level(), json!("warn"));
    helm(&["rollback", RELEASE, "1", "--wait", "--timeout", "90s"]);
    assert_eq!(level(), json!("debug"), "what was rolled back is as before");
    release.wait().expect("it answers after the rollback");
    helm(&["test", RELEASE, "--timeout", "90s"]);
    let history: Value = serde_json::from_str(&helm(&["history", RELEASE, "--output", "json"])).expect("JSON");
    let states: Vec<&str> =
        history.as_array().expect("a list").iter().filter_map(|one| one["status"].as_str()).collect();
    assert_eq!(states, ["superseded", "superseded", "deployed"]);
}

#[test]
fn lab_cluster_helm_3_installs_upgrades_rolls_back_and_tests() {
    lives(Helm::Three, "helm-three");
}

#[test]
fn lab_cluster_helm_4_installs_upgrades_rolls_back_and_tests() {
    lives(Helm::Four, "helm-four");
}
