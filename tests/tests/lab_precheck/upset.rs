//! What is done to a namespace, its stores and its cluster before the gate looks, by name; and undone afterwards.

#[path = "configured.rs"]
mod configured;
#[path = "detour.rs"]
mod detour;
#[path = "migrations.rs"]
mod migrations;
#[path = "sentinel.rs"]
mod sentinel;
#[path = "stores.rs"]
mod stores;
#[path = "vault.rs"]
mod vault;

use std::{
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::ensure;
use prodtest_testkit::{Done, GateCommand, Specimen, repository};
use prodtest_tests::{Injected, Release, access};
use serde_json::{Value, json};
use tempfile::{NamedTempFile, TempDir};
use xtask::{
    lab::{
        self,
        godel::{CHART, Helm, RELEASE},
        until,
    },
    sh,
};

use crate::{backups, images, runbooks, told};

const PATIENCE: Duration = Duration::from_secs(20);
/// Until a node that is lost counts as such, or one that is back; pods on it are waited for by nobody.
const NOTICE: Duration = Duration::from_secs(120);

/// The Secret of the keys, which no other check reads.
const KEYS: &str = "secret/godel-api-key";

/// The checks that do not apply where all is well, before anything is deployed.
pub(crate) const SKIPPED: &[&str] = &["precheck/backups", "precheck/vault"];

/// Runs the gate while that is upset.
pub(crate) fn while_upset(release: &Release<'_>, specimen: &Specimen) -> Done {
    let values = specimen.values.clone().into();
    let run = |gate: GateCommand| gate.args(&specimen.arguments).run();
    let as_usual = || run(release.precheck(&values));
    if let Some(how) = specimen.upset.as_deref().and_then(|upset| upset.strip_prefix("backup-")) {
        return backups::upset(release, how, &run);
    }
    if let Some(what) = specimen.upset.as_deref().and_then(|upset| upset.strip_prefix("runbook-")) {
        return runbooks::upset(release, what, &run);
    }
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
        Some("node-off") => {
            let off = Injected::new(release.lab(), "node-2-off");
            node_is(release, "Unknown");
            let done = as_usual();
            off.heal();
            node_is(release, "True");
            done
        }
        Some("chart-with-a-removed-api") => {
            let folder = chart_with(&json!({
                "apiVersion": "policy/v1beta1", "kind": "PodDisruptionBudget", "metadata": { "name": "old" },
                "spec": { "maxUnavailable": 1, "selector": { "matchLabels": { "app": "godel" } } },
            }));
            run(release.precheck_of(&folder.path().join("prodtest.yaml"), &values))
        }
        Some("chart-with-a-deprecated-api") => {
            let folder = chart_with(
                &json!({ "apiVersion": "v1", "kind": "Endpoints", "metadata": { "name": "old" }, "subsets": [] }),
            );
            run(release.precheck_of(&folder.path().join("prodtest.yaml"), &values))
        }
        Some("secret-missing") => {
            let mut kubectl = release.kubectl().expect("kubectl");
            sh::quietly(kubectl.args(["delete", KEYS])).expect("the API takes it");
            as_usual()
        }
        Some("secret-without-its-key") => {
            key(release, "admin-key", None);
            as_usual()
        }
        Some("secret-with-an-empty-key") => {
            key(release, "key", Some(""));
            as_usual()
        }
        Some("secret-with-an-end-of-line") => {
            key(release, "key", Some("s3cret-of-one-line\n"));
            as_usual()
        }
        Some("secret-with-a-placeholder") => {
            key(release, "admin-key", Some("CHANGE-ME"));
            as_usual()
        }
        Some("sealed-secret-that-is-not-synced") => {
            let group = ("bitnami.com", "v1alpha1", "SealedSecret", "Synced");
            with_sources(release, group, "no key could decrypt secret", as_usual)
        }
        Some("external-secret-that-is-not-ready") => {
            let group = ("external-secrets.io", "v1", "ExternalSecret", "Ready");
            with_sources(release, group, "could not get secret data from provider", as_usual)
        }
        Some("namespace-gone") => {
            namespace(release, "delete");
            let done = as_usual();
            // What ends the test removes it again.
            namespace(release, "create");
            done
        }
        Some("namespace-terminating") => {
            held_up(release, true);
            let done = as_usual();
            held_up(release, false);
            done
        }
        Some("quota-one-pod-too-small") => {
            quota(release, 3);
            as_usual()
        }
        Some("limit-range-too-small") => {
            limit_range(release);
            as_usual()
        }
        Some("database-slow") => detour::slow_database(release, specimen),
        Some("redis-cluster-broken") => detour::broken_cluster(release, specimen),
        Some("redis-sentinel-quorum") => sentinel::without_quorum(release, specimen),
        Some(name) if name.starts_with("vault-") => {
            let done = vault::while_flawed(release, name, specimen);
            done.unwrap_or_else(|| panic!("nobody knows how to do `{name}`"))
        }
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
    let of = |group: &str, resources: &[&str], verbs: &[&str]| json!({ "apiGroups": [group], "resources": resources, "verbs": verbs });
    let all = [
        "",
        "apps",
        "batch",
        "autoscaling",
        "networking.k8s.io",
        "policy",
        "rbac.authorization.k8s.io",
        "bitnami.com",
        "external-secrets.io",
    ];
    let mut rules: Vec<_> = all.iter().map(|group| of(group, &["*"], &["*"])).collect();
    rules.push(of("coordination.k8s.io", &["leases"], &["create", "update"]));
    let in_cluster = json!([of("", &["nodes", "pods"], &["list"])]);
    access::account(release.lab(), &release.namespace, &json!(rules), &in_cluster)
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
        let name = "secret/sh.helm.release.v1.godel.v2";
        let secret = lab::get(release.lab(), &["--namespace", &release.namespace, name])?;
        let status = &secret["metadata"]["labels"]["status"];
        ensure!(status == "pending-upgrade", "it is {status}");
        Ok(())
    });
    helm.kill().expect("it still runs");
    helm.wait().expect("its end");
    pending.expect("a pending release");
}

/// Deletes the namespace and waits until it is gone, or makes an empty one.
fn namespace(release: &Release<'_>, verb: &str) {
    let mut kubectl = lab::kubectl(release.lab()).expect("kubectl");
    kubectl.args([verb, "namespace", &release.namespace]);
    sh::quietly(&mut kubectl).expect("the API takes it");
}

/// Deletes the namespace while something in it does not let go; or lets go, and waits until it is gone.
fn held_up(release: &Release<'_>, held: bool) {
    let metadata = json!({
        "name": "held", "namespace": release.namespace, "finalizers": if held { json!(["test.prodtest/held"]) } else { json!([]) },
    });
    let object = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata });
    if held {
        lab::apply(release.lab(), &[object]).expect("a ConfigMap");
        let mut kubectl = lab::kubectl(release.lab()).expect("kubectl");
        kubectl.args(["delete", "namespace", &release.namespace, "--wait=false"]);
        sh::quietly(&mut kubectl).expect("the API takes it");
    } else {
        let mut kubectl = release.kubectl().expect("kubectl");
        kubectl.args(["patch", "configmap", "held", "--type=json", "--patch"]);
        kubectl.arg(json!([{ "op": "remove", "path": "/metadata/finalizers" }]).to_string());
        sh::quietly(&mut kubectl).expect("the API takes it");
        namespace(release, "delete");
        namespace(release, "create");
    }
}

/// A quota of so many pods.
fn quota(release: &Release<'_>, pods: u32) {
    let metadata = json!({ "name": "small", "namespace": release.namespace });
    let quota = json!({ "apiVersion": "v1", "kind": "ResourceQuota", "metadata": metadata, "spec": { "hard": { "pods": pods } } });
    lab::apply(release.lab(), &[quota]).expect("a quota");
    until("the quota to have counted", PATIENCE, || {
        let counted = release.object("resourcequota/small")["status"]["used"]["pods"].clone();
        ensure!(counted.is_string(), "it has not");
        Ok(())
    })
    .expect("the quota controller counts");
}

/// No container may have as much memory as Godel's has.
fn limit_range(release: &Release<'_>) {
    let metadata = json!({ "name": "small", "namespace": release.namespace });
    let limits = json!([{ "type": "Container", "max": { "memory": "127Mi" } }]);
    let range = json!({ "apiVersion": "v1", "kind": "LimitRange", "metadata": metadata, "spec": { "limits": limits } });
    lab::apply(release.lab(), &[range]).expect("a limit range");
}

/// Waits until the cluster has noticed what became of the second node.
fn node_is(release: &Release<'_>, status: &str) {
    until(&format!("`node-2` to be ready: {status}"), NOTICE, || {
        let node = lab::get(release.lab(), &["node", "node-2"])?;
        let conditions = node["status"]["conditions"].as_array().cloned().unwrap_or_default();
        let ready = conditions.iter().find(|condition| condition["type"] == "Ready");
        let taints = node["spec"]["taints"].as_array().map_or(0, Vec::len);
        ensure!(
            ready.is_some_and(|ready| ready["status"] == status) && (taints == 0) == (status == "True"),
            "{ready:?}"
        );
        Ok(())
    })
    .expect("the cluster notices");
}

/// Godel's configuration and its chart in a folder of their own, with an object more.
fn chart_with(object: &Value) -> TempDir {
    let folder = TempDir::new().expect("a folder");
    let mut copy = Command::new("cp");
    copy.arg("--recursive").args(["chart", "migrations", "runbooks", "prodtest.yaml"]).arg(folder.path());
    sh::quietly(copy.current_dir(repository().join("examples/godel"))).expect("a copy");
    std::fs::write(folder.path().join("chart/templates/more.yaml"), object.to_string()).expect("a template");
    folder
}

/// Sets a key, or takes it away.
fn key(release: &Release<'_>, name: &str, value: Option<&str>) {
    let patch = match value {
        Some(value) => json!({ "stringData": { name: value } }),
        None => json!({ "data": { name: null } }),
    };
    let mut kubectl = release.kubectl().expect("kubectl");
    kubectl.args(["patch", KEYS, "--type=merge", "--patch", &patch.to_string()]);
    sh::quietly(&mut kubectl).expect("the API takes it");
}

/// Does something while the cluster has a kind of objects that Secrets are made of, and two of these, of which one is not as it
/// must be. Their controller is stood in for: the status is ours.
fn with_sources(
    release: &Release<'_>,
    (group, version, kind, condition): (&str, &str, &str, &str),
    why: &str,
    work: impl FnOnce() -> Done,
) -> Done {
    let plural = format!("{}s", kind.to_lowercase());
    let schema = json!({ "type": "object", "x-kubernetes-preserve-unknown-fields": true });
    let name = format!("{plural}.{group}");
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition", "metadata": { "name": name },
        "spec": {
            "group": group, "scope": "Namespaced", "names": { "kind": kind, "plural": plural },
            "versions": [{ "name": version, "served": true, "storage": true, "schema": { "openAPIV3Schema": schema } }],
        },
    });
    let definitions = |words: &[&str]| {
        let mut kubectl = lab::kubectl(release.lab()).expect("kubectl");
        sh::quietly(kubectl.args(words).arg(format!("customresourcedefinition/{name}"))).expect("the API takes it");
    };
    lab::apply(release.lab(), &[definition]).expect("a definition");
    definitions(&["wait", "--for=condition=Established", "--timeout=20s"]);
    let object = |name: &str, status: &str, message: &str| {
        json!({
            "apiVersion": format!("{group}/{version}"), "kind": kind,
            "metadata": { "name": name, "namespace": release.namespace },
            "status": { "conditions": [{ "type": condition, "status": status, "message": message }] },
        })
    };
    let objects = [object("good", "True", ""), object("bad", "False", why)];
    // Whoever asks which kinds there are may be told a moment late.
    until("the objects to be taken", PATIENCE, || lab::apply(release.lab(), &objects)).expect("the objects");
    let done = work();
    definitions(&["delete"]);
    done
}
