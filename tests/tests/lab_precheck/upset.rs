//! What is done to a namespace, its stores and its cluster before the gate looks, by name; and undone afterwards.

#[path = "configured.rs"]
mod configured;
#[path = "migrations.rs"]
mod migrations;
#[path = "sentinel.rs"]
mod sentinel;
#[path = "stores.rs"]
mod stores;

use std::{process::Stdio, time::Duration};

use anyhow::ensure;
use prodtest_testkit::{Done, GateCommand, Specimen};
use prodtest_tests::{Injected, Release, access};
use serde_json::json;
use tempfile::NamedTempFile;
use xtask::lab::{
    self,
    godel::{CHART, Helm, RELEASE},
    until,
};

use crate::{images, told};

const PATIENCE: Duration = Duration::from_secs(20);

/// The checks that do not apply where all is well, before anything is deployed.
pub(crate) const SKIPPED: &[&str] = &[];

/// Runs the gate while that is upset.
pub(crate) fn while_upset(release: &Release<'_>, specimen: &Specimen) -> Done {
    let values = specimen.values.clone().into();
    let run = |gate: GateCommand| gate.args(&specimen.arguments).run();
    let as_usual = || run(release.precheck(&values));
    match specimen.upset.as_deref() {
        None => as_usual(),
        Some("expired-client-certificate") => {
            let expired = access::certified(release.lab(), "lab-admin", -1);
            run(release.precheck_as(expired.path(), &values))
        }
        Some("revoked-right") => {
            let kubeconfig = revoked_right(release);
            run(release.precheck_as(kubeconfig.path(), &values))
        }
        Some("pending-release") => {
            leave_pending(release);
            as_usual()
        }
        Some("redis-sentinel-quorum") => sentinel::without_quorum(release, specimen),
        Some("wrong-pull-secret") => {
            images::wrong_pull_secret(release);
            as_usual()
        }
        Some("foreign-image") => {
            images::foreign_image(release);
            as_usual()
        }
        Some("registry-that-has-everything") => {
            let (_stub, address) = images::registry_that_has_everything();
            run(told::instead(release, &values, &[("--registry-connect", &address)]))
        }
        Some("earlier-image-gone") => {
            images::earlier_image_gone(release);
            as_usual()
        }
        Some("only-revision-failed") => {
            only_revision_failed(release);
            as_usual()
        }
        Some(service @ ("registry-stopped" | "registry-cut-off")) => {
            let injected = Injected::new(release.lab(), service);
            let done = as_usual();
            injected.heal();
            done
        }
        Some(name) if name.starts_with("migrations-") => {
            let done = migrations::while_upset(release, name, specimen);
            done.unwrap_or_else(|| panic!("nobody knows how to do `{name}`"))
        }
        Some(other) => {
            let upset = stores::upset(release, other);
            let upset = upset.unwrap_or_else(|| panic!("nobody knows how to do `{other}`"));
            let done = as_usual();
            upset.heal();
            done
        }
    }
}

/// A service account that may do everything in the namespace but read Leases.
fn revoked_right(release: &Release<'_>) -> NamedTempFile {
    let namespace = release.namespace.as_str();
    let name = "prodtest";
    let of = |group: &str, resources: &[&str], verbs: &[&str]| json!({ "apiGroups": [group], "resources": resources, "verbs": verbs });
    let all = ["", "apps", "batch", "autoscaling", "networking.k8s.io", "policy", "rbac.authorization.k8s.io"];
    let mut rules: Vec<_> = all.iter().map(|group| of(group, &["*"], &["*"])).collect();
    rules.push(of("coordination.k8s.io", &["leases"], &["create", "update"]));
    let api = "rbac.authorization.k8s.io/v1";
    let subject = json!([{ "kind": "ServiceAccount", "name": name, "namespace": namespace }]);
    let binding = |kind: &str, name: &str, role: serde_json::Value| json!({ "apiVersion": api, "kind": kind, "metadata": { "name": name, "namespace": namespace }, "roleRef": role, "subjects": subject });
    let group = "rbac.authorization.k8s.io";
    lab::apply(
        release.lab(),
        &[
            json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": { "name": name, "namespace": namespace } }),
            json!({ "apiVersion": api, "kind": "Role", "metadata": { "name": name, "namespace": namespace }, "rules": rules }),
            binding("RoleBinding", name, json!({ "apiGroup": group, "kind": "Role", "name": name })),
            json!({
                "apiVersion": api, "kind": "ClusterRole", "metadata": { "name": namespace },
                "rules": [of("", &["nodes"], &["list"])],
            }),
            binding("ClusterRoleBinding", namespace, json!({ "apiGroup": group, "kind": "ClusterRole", "name": namespace })),
        ],
    )
    .expect("a service account");
    access::of_service_account(release.lab(), namespace, name)
}

/// A first install that Helm gave up waiting for.
fn only_revision_failed(release: &Release<'_>) {
    let values = json!({ "image": { "digest": "", "tag": "no-such-tag" } });
    let output = release.upgrade(Helm::Three, &values, &["--wait", "--timeout=3s"]).expect("helm");
    assert!(!output.status.success(), "it must fail");
}

/// A Helm that somebody else killed while it waited for pods.
fn leave_pending(release: &Release<'_>) {
    release.deploy(&json!({ "replicaCount": 1 })).expect("Godel");
    let mut helm = release.helm(Helm::Three).expect("helm");
    helm.args(["upgrade", RELEASE, CHART, "--reuse-values", "--wait", "--set", "image.digest=,image.tag=no-such-tag"]);
    let mut helm = helm.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("it starts");
    let pending = until("the release to be pending", PATIENCE, || {
        // Not there yet, it is waited for too.
        let name = ["--namespace", &release.namespace, "secret/sh.helm.release.v1.godel.v2"];
        let status = lab::get(release.lab(), &name)?["metadata"]["labels"]["status"].clone();
        ensure!(status == "pending-upgrade", "it is {status}");
        Ok(())
    });
    helm.kill().expect("it still runs");
    helm.wait().expect("its end");
    pending.expect("a pending release");
}
