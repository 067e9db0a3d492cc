//! What is done beside a release that is drilled with, by name.

use std::time::Duration;

use anyhow::ensure;
use prodtest_testkit::{Done, GateCommand};
use prodtest_tests::registry::Repository;
use serde_json::{Map, Value, json};
use xtask::{
    lab::{self, until},
    sh,
};

use crate::specimen::{Installed, NAME};

const PATIENCE: Duration = Duration::from_secs(60);
/// Where its verdicts and its journal are.
const KEPT: &str = "prodtest-specimen";

/// The values that it is installed with.
pub(crate) fn was(installed: &Installed<'_>, name: Option<&str>, mut was: Map<String, Value>) -> Value {
    if name == Some("image-gone") {
        let repository = gone(installed);
        let (registry, usual) = installed.image.repository.split_once('/').expect("a registry");
        Repository { lab: installed.lab(), name: &repository }.put_from(usual, &installed.image.digest, "earlier");
        was.insert("image".to_owned(), json!({ "repository": format!("{registry}/{repository}") }));
    }
    was.into()
}

fn gone(installed: &Installed<'_>) -> String {
    format!("gone-{}", installed.namespace)
}

/// Once it is there.
pub(crate) fn inject(installed: &Installed<'_>, name: Option<&str>) {
    match name {
        None | Some("short-history" | "lost-revision") => {}
        Some("stray-pod") => stray_pod(installed),
        Some("image-gone") => {
            Repository { lab: installed.lab(), name: &gone(installed) }.delete(&installed.image.digest);
        }
        Some("found-bad") => found_bad(installed),
        Some("not-whole") => {
            let mut kubectl = installed.kubectl().expect("kubectl");
            let image = "godel=registry.lab:5000/godel:no-such-tag";
            sh::quietly(kubectl.args(["set", "image", &format!("deployment/{NAME}"), image])).expect("another image");
        }
        Some(other) => panic!("nobody knows how to do `{other}`"),
    }
}

/// Runs the gate, and does the rest meanwhile.
pub(crate) fn meanwhile(installed: &Installed<'_>, name: Option<&str>, gate: GateCommand) -> Done {
    match name {
        Some("stray-pod") => {
            let running = gate.spawn();
            until("the bad version to be on its way", PATIENCE, || {
                let map =
                    lab::get(installed.lab(), &["--namespace", &installed.namespace, &format!("configmap/{KEPT}")])?;
                ensure!(map["data"]["journal"].as_str().unwrap_or_default().contains("upgrading"), "not yet");
                Ok(())
            })
            .expect("a drill");
            let mut kubectl = installed.kubectl().expect("kubectl");
            sh::quietly(kubectl.args(["label", "--overwrite", "pod/stray", &format!("app={NAME}")])).expect("a label");
            running.wait()
        }
        Some("lost-revision") => {
            let running = gate.spawn();
            let record = |number: u32| format!("secret/sh.helm.release.v1.{NAME}.v{number}");
            until("Helm to be done with the bad version", PATIENCE, || {
                let made = lab::get(installed.lab(), &["--namespace", &installed.namespace, &record(2)])?;
                ensure!(made["metadata"]["labels"]["status"] == "deployed", "not yet");
                Ok(())
            })
            .expect("a drill");
            let mut kubectl = installed.kubectl().expect("kubectl");
            sh::quietly(kubectl.args(["delete", &record(1)])).expect("it goes");
            running.wait()
        }
        Some("short-history") => gate.env("HELM_MAX_HISTORY", "2").run(),
        _ => gate.run(),
    }
}

/// A gate has written down that what runs is bad.
fn found_bad(installed: &Installed<'_>) {
    let verdict = json!({
        "1": { "verdict": "failed", "at": "2026-01-01T00:00:00Z", "gate": "deploy", "why": "too many errors" },
    });
    let map = json!({
        "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": KEPT, "namespace": installed.namespace },
        "data": { "verdicts": verdict.to_string() },
    });
    lab::apply(installed.lab(), &[map]).expect("a verdict");
}

/// A pod as those of the release, of nobody, that says that it is another version. Ready, and not selected yet.
fn stray_pod(installed: &Installed<'_>) {
    let template = installed.object(&format!("deployment/{NAME}"))["spec"]["template"].clone();
    let mut spec = template["spec"].clone();
    for variable in spec["containers"][0]["env"].as_array_mut().expect("variables") {
        if variable["name"] == "GODEL_VERSION" {
            variable["value"] = "another-configuration".into();
        }
    }
    let pod = json!({
        "apiVersion": "v1", "kind": "Pod", "spec": spec,
        "metadata": { "name": "stray", "namespace": installed.namespace, "labels": { "app": "stray" } },
    });
    lab::apply(installed.lab(), &[pod]).expect("a pod");
    let mut kubectl = installed.kubectl().expect("kubectl");
    sh::quietly(kubectl.args(["wait", "--for=condition=Ready", "pod/stray", "--timeout=60s"])).expect("it is ready");
}
