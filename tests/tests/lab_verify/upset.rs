//! What is done to a release that runs, and to what is beside it, before the gate looks, by name; and undone afterwards.

use prodtest_testkit::{Done, Specimen};
use prodtest_tests::Release;
use serde_json::json;
use xtask::lab;

/// How many checks pass where all is well.
pub(crate) const CHECKS: usize = 2;

/// Runs the gate while that is upset.
pub(crate) fn while_upset(release: &Release<'_>, specimen: &Specimen) -> Done {
    let run = || release.verify().args(&specimen.arguments).run();
    match specimen.upset.as_deref() {
        None => run(),
        Some("left-over-pod") => {
            left_over_pod(release);
            run()
        }
        Some(other) => panic!("nobody knows how to do `{other}`"),
    }
}

/// A pod that somebody made by hand, under the labels by which the service finds its own.
fn left_over_pod(release: &Release<'_>) {
    let template = release.object("deployment/godel-api")["spec"]["template"].clone();
    let metadata = json!({
        "name": "by-hand", "namespace": release.namespace, "labels": template["metadata"]["labels"],
    });
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"] });
    lab::apply(release.lab(), &[pod]).expect("a pod");
}
