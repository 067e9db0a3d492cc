//! The demo, as a newcomer runs it: on a lab, on a cluster of theirs, and where there is none.

use std::{
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::Command,
};

use prodtest_testkit::binary;
use prodtest_tests::{OwnLab, shared};
use xtask::{
    image,
    lab::{self, Lab, up},
};

/// What a gate says by itself where its probe was late: then it is done once more.
const BUSY: &str = "this machine was too busy";

/// `cargo xtask demo`: its exit code and what it said.
fn demo(out: &Path, arguments: &[&str], kubeconfig: Option<&Path>) -> (Option<i32>, String) {
    let mut command = Command::new(binary("xtask"));
    command.args(["demo", "--out"]).arg(out).args(arguments);
    if let Some(kubeconfig) = kubeconfig {
        command.env("KUBECONFIG", kubeconfig);
    }
    let output = command.output().expect("it starts");
    let said = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
    (output.status.code(), said)
}

#[test]
fn lab_demo_deploys_judges_reports_and_leaves_nothing() {
    if shared().is_none() {
        return;
    }
    let out = tempfile::tempdir().expect("a folder");
    let (mut code, mut said) = demo(out.path(), &[], None);
    if said.contains(BUSY) {
        (code, said) = demo(out.path(), &[], None);
    }
    assert_eq!(code, Some(0), "{said}");
    // A first install: there is nothing to keep, and nothing was served before.
    assert!(said.contains("deploy: passed — 4 passed, 0 failed, 0 undetermined, 2 skipped"), "{said}");
    // Nothing is there to go back to yet; no backups and no Vault are configured.
    assert!(said.contains("precheck: passed — 12 passed, 0 failed, 0 undetermined, 3 skipped"), "{said}");
    assert!(said.contains("verify: passed — 14 passed, 0 failed, 0 undetermined, 0 skipped"), "{said}");
    assert!(said.contains("smoke: passed — 10 passed, 0 failed, 0 undetermined, 0 skipped"), "{said}");
    // The smoke scenarios once more in it.
    assert!(said.contains("rollback: passed — 7 passed, 0 failed, 0 undetermined, 0 skipped"), "{said}");
    for report in ["precheck.html", "deploy.html", "verify.html", "smoke.html", "rollback.html"] {
        assert!(out.path().join(report).is_file(), "{said}");
    }
    assert!(Lab::named("demo").expect("a lab").running().is_err(), "{said}");
}

#[test]
fn lab_demo_on_a_cluster_of_the_users_takes_a_namespace_and_removes_it() {
    // It stands for a cluster of the user's; this is how they would bring an image to it. On the shared one, the kubelet
    // has pulled the same image with a login, and gives it to nobody who has none.
    let wanted = up::Options { with: vec!["dns".to_owned()], ..up::Options::default() };
    let Some(lab) = OwnLab::up("t-current", &wanted) else { return };
    let image = image::build(&image::Options::default()).expect("an image");
    lab::load(&lab, &image.archive).expect("it is loaded");
    let name = format!("docker.io/library/{}", image.reference);
    let out = tempfile::tempdir().expect("a folder");
    let arguments = ["--cluster", "current", "--image", &name];
    let (code, said) = demo(out.path(), &arguments, Some(&lab.kubeconfig()));
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("9 passed, 0 failed, 0 undetermined, 1 skipped"), "{said}");
    assert!(said.contains("not there, and so not judged: TLS and an ingress, PostgreSQL, Redis"), "{said}");
    let left = lab::get(&lab, &["namespaces"]).expect("an answer");
    let left = left["items"]
        .as_array()
        .expect("a list")
        .iter()
        .any(|one| one["metadata"]["name"] == "prodtest-demo" && one["metadata"]["deletionTimestamp"].is_null());
    assert!(!left, "the namespace is still there: {said}");
}

/// A machine without Go: Kubernetes cannot be built there.
#[test]
fn lab_demo_falls_back_to_a_process_where_there_can_be_no_lab() {
    let folder = tempfile::tempdir().expect("a folder");
    // What it builds is not the question, so it finds cargo to be a program that does nothing but say where the programs
    // are; and nothing else, for its path is empty.
    let cargo = folder.path().join("cargo");
    let target = binary("xtask").ancestors().nth(2).expect("a target folder").display().to_string();
    let says = format!("#!/bin/sh\n[ \"$1\" = build ] || echo '{{\"target_directory\":\"{target}\"}}'\n");
    fs::write(&cargo, says).expect("a script");
    fs::set_permissions(&cargo, Permissions::from_mode(0o755)).expect("a program");
    let mut command = Command::new(binary("xtask"));
    command.args(["demo", "--out"]).arg(folder.path().join("out"));
    command.env("CARGO", &cargo).env("PATH", folder.path().join("nothing"));
    let output = command.output().expect("it starts");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("no cluster: a lab needs"), "{said}");
    assert!(said.contains("what is missing for the rest: a cluster"), "{said}");
    assert_eq!(output.status.code(), Some(0), "{said}");
}

#[test]
fn lab_demo_without_a_cluster_judges_a_process_and_says_what_is_missing() {
    let out = tempfile::tempdir().expect("a folder");
    let (code, said) = demo(out.path(), &["--local", "--fault", "tenant-leak"], None);
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("9 passed, 1 failed"), "{said}");
    assert!(said.contains("what is missing for the rest: a cluster"), "{said}");
}
