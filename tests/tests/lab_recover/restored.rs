//! `prodtest-deploy restore`: the objects of a backup, in a namespace that has none of them.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
};

use prodtest_rollout::backup::clean;
use prodtest_testkit::GateCommand;
use prodtest_tests::{Release, shared};
use serde_json::{Value, json};
use xtask::{
    lab::{self, Lab, kubectl},
    sh,
};

use crate::{eyes::round, site::Namespace};

/// All kinds that the chart makes.
const KINDS: &str = "deployments,services,configmaps,serviceaccounts,ingresses,networkpolicies,poddisruptionbudgets";

/// The objects of the release in a namespace, without what the cluster adds, as if they were in this other namespace.
fn objects(lab: &Lab, namespace: &str, as_of: &str) -> Vec<Value> {
    let all = ["--namespace", namespace, KINDS, "--selector=app.kubernetes.io/managed-by=Helm"];
    let all = lab::get(lab, &all).expect("an answer");
    all["items"].as_array().expect("a list").iter().map(|object| moved(clean(object), namespace, as_of)).collect()
}

fn moved(mut object: Value, from: &str, to: &str) -> Value {
    for pointer in ["/metadata/namespace", "/metadata/annotations/meta.helm.sh~1release-namespace"] {
        if let Some(name) = object.pointer_mut(pointer).filter(|name| **name == from) {
            *name = json!(to);
        }
    }
    object
}

fn restore(lab: &Lab, namespace: &str, folder: Option<&Path>) -> GateCommand {
    let gate = GateCommand::new("deploy")
        .args(["restore", "--config", "examples/godel/prodtest.yaml", "--env", "lab", "--namespace", namespace])
        .arg("--kubeconfig")
        .arg(lab.kubeconfig());
    match folder {
        Some(folder) => gate.arg("--backup-dir").arg(folder),
        None => gate,
    }
}

#[test]
fn lab_recover_a_backup_is_put_back_into_an_empty_namespace() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "recover-kept", false);
    let _ = release.deploy_gate(&round(&release, 1)).run().expect_code(0);
    let kept = objects(&lab, "recover-kept", "recover-kept");
    assert_eq!(kept.len(), 9, "{kept:#?}");

    // One backup in the namespace, one in a folder, both of what was there before.
    let _ = release.deploy_gate(&round(&release, 2)).run().expect_code(0);
    let folder = tempfile::tempdir().expect("a folder");
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).expect("it is ours");
    let _ = release.deploy_gate(&round(&release, 1)).arg("--backup-dir").arg(folder.path()).run().expect_code(0);

    let empty = Namespace::new(&lab, "recover-empty");
    let none = restore(&lab, empty.name, None).run().expect_code(1);
    let _ = none.expect_said(&["`godel`", "there is none in the namespace `recover-empty`"]);
    let mut secret = release.object("secret/prodtest-backup-godel-1");
    secret["metadata"] = json!({
        "name": secret["metadata"]["name"], "namespace": empty.name,
        "labels": secret["metadata"]["labels"], "annotations": secret["metadata"]["annotations"],
    });
    lab::apply(&lab, &[secret]).expect("the backup alone");
    let done = restore(&lab, empty.name, None).run().expect_code(0);
    assert_eq!(done.outcomes("deploy"), [("restored".to_owned(), "passed".to_owned())]);
    assert_eq!(objects(&lab, empty.name, "recover-kept"), kept);

    let empty = Namespace::new(&lab, "recover-empty-too");
    let _ = restore(&lab, empty.name, Some(folder.path())).run().expect_code(0);
    let second = objects(&lab, empty.name, "recover-kept");
    let settings =
        |objects: &[Value]| objects.iter().find(|one| one["kind"] == "ConfigMap").expect("it has one").clone();
    assert_eq!(settings(&second)["data"]["GODEL_RATE_LIMIT"], "10002", "the second round was kept in the folder");
    assert_eq!(second.len(), kept.len());

    // A byte of it is another.
    let path = fs::read_dir(folder.path()).expect("a folder").next().expect("a file").expect("a file").path();
    let mut bytes = fs::read(&path).expect("the backup");
    let last = bytes.last_mut().expect("bytes");
    *last ^= 1;
    fs::write(&path, bytes).expect("the backup");
    let gone = Namespace::new(&lab, "recover-damaged");
    let done = restore(&lab, gone.name, Some(folder.path())).run().expect_code(1);
    let _ = done.expect_said(&["cannot be used", ".prodtest-backup", "use another one"]);
    let found =
        sh::quietly(kubectl(&lab).expect("kubectl").args(["--namespace", gone.name, "get", KINDS, "--output=name"]));
    assert!(!found.expect("an answer").contains("godel"), "half a backup was put back");
}
