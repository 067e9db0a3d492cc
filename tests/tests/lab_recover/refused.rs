//! Bad input where a deployment makes it dear: nothing is touched, and it is said what to do.

use std::{
    ffi::OsString,
    fs::{self, Permissions},
    os::unix::fs::PermissionsExt as _,
    path::Path,
    time::{Duration, Instant},
};

use prodtest_gate::Outcome;
use prodtest_testkit::{GateCommand, Project, has_namespaces};
use prodtest_tests::{Release, shared};
use xtask::lab::godel::Helm;

use crate::eyes::{Eyes, round};

/// Where a file system of a few pages is mounted, which nobody else sees and which ends with the gate.
const PRIVATE: [&str; 2] = ["--mount", "--propagation=private"];

/// The deploy gate with another value for one of its flags.
fn but_for(release: &Release<'_>, flag: &str, value: &Path) -> GateCommand {
    let mut words: Vec<OsString> = release.target().expect("an ingress");
    words.extend(release.deploy_target(Helm::Three, &round(release, 1)).expect("a registry"));
    let at = words.iter().position(|word| word == flag).expect("the flag");
    words[at + 1] = value.into();
    GateCommand::new("deploy").args(["--config", "examples/godel/prodtest.yaml", "--env", "lab"]).args(words)
}

/// Asserts that no run was at the namespace.
#[track_caller]
fn untouched(eyes: &Eyes) {
    let seen = eyes.look();
    assert!(seen.revisions.is_empty() && seen.journal.is_none() && seen.backup == 0, "{seen:#?}");
    assert!(seen.sets.is_empty(), "{seen:#?}");
}

/// A stand-in for Helm: no Helm prints what is to be tried here.
fn stand_in(project: &Project, name: &str, script: &str) -> std::path::PathBuf {
    project.write(name, &format!("#!/bin/sh\n{script}\n"));
    let path = project.path(name);
    fs::set_permissions(&path, Permissions::from_mode(0o755)).expect("a program");
    path
}

#[test]
fn lab_recover_a_helm_that_is_none_is_told_and_nothing_is_touched() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "recover-no-helm", false);
    let eyes = Eyes::of(&release);
    let project = Project::new(&[]);
    // Right until it is to render.
    let late = r#"case "$1" in version) echo v3.22.0;; *) echo 'this is no manifest';; esac"#;
    let helms = [
        ("/nonexistent", "/nonexistent".into(), "--helm FILE"),
        ("garbage", stand_in(&project, "garbage", "echo 'what is a version'"), "--helm FILE"),
        ("two", stand_in(&project, "two", "echo v2.17.0"), "2.17"),
        ("late", stand_in(&project, "late", late), "it printed no JSON"),
    ];
    for (name, helm, words) in helms {
        let done = but_for(&release, "--helm", &helm).run().expect_code(3).expect_said(&[words]);
        assert!(done.checks("deploy", Outcome::Failed).is_empty(), "{name}: {}", done.said());
        untouched(&eyes);
        assert_eq!(eyes.look().holder, None, "{name}");
    }
}

#[test]
fn lab_recover_a_cluster_that_is_not_there_is_told_soon() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "recover-nowhere", false);
    let project = Project::new(&[]);
    let config = "apiVersion: v1\nkind: Config\ncurrent-context: a\ncontexts: [{ name: a, context: { cluster: a, user: a } }]\n\
                  clusters: [{ name: a, cluster: { server: 'https://127.0.0.1:1' } }]\nusers: [{ name: a, user: { token: none } }]\n";
    project.write("kubeconfig", config);
    for action in [&[][..], &["--no-pin"], &["--recover"]] {
        let begun = Instant::now();
        let gate = but_for(&release, "--kubeconfig", &project.path("kubeconfig")).args(action);
        let done = gate.run().expect_code(3).expect_said(&["https://127.0.0.1:1", "refused"]);
        assert!(begun.elapsed() < Duration::from_secs(15), "{action:?}: {:?}", begun.elapsed());
        for outcome in [Outcome::Failed, Outcome::Passed] {
            assert!(done.checks("deploy", outcome).is_empty(), "{action:?}: {}", done.said());
        }
    }
}

#[test]
fn lab_recover_a_full_disk_is_told_before_anything_is_touched() {
    let Some(lab) = shared() else { return };
    if !has_namespaces(&PRIVATE) {
        return;
    }
    let release = Release::prepare(&lab, "recover-full", false);
    let project = Project::new(&[]);
    let full = project.path("full");
    fs::create_dir(&full).expect("a folder");
    let mount = format!("mount -t tmpfs -o size=4k none '{}' && exec \"$@\"", full.display());
    let gate = release.deploy_gate(&round(&release, 1)).out(&full.join("out"));
    let gate = gate.under(&["sh", "-c", &mount, "sh"]).under(&["unshare", PRIVATE[0], PRIVATE[1]]);
    let _ = gate.run().expect_code(2).expect_said(&["full/out`, cannot be written to", "No space left on device"]);
    untouched(&Eyes::of(&release));
}

#[test]
fn lab_recover_what_must_not_be_is_refused_and_nothing_is_touched() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "recover-refused", false);
    let eyes = Eyes::of(&release);
    let project = Project::new(&[]);
    let out = project.path("reports");
    let gate = release.deploy_gate(&round(&release, 1)).out(&out).arg("--backup-dir").arg(out.join("a/../backups"));
    let done = gate.run().expect_code(2).expect_said(&["is in the folder of the reports", "a backup holds Secrets"]);
    assert!(!done.out.exists(), "{}", done.said());

    // The same cluster, called production.
    let production = "service: godel\nenvironments:\n  production:\n    extends: lab\n    protected: true\n";
    let lab_of = fs::read_to_string("../examples/godel/prodtest.yaml").expect("Godel's configuration");
    let (_, environments) = lab_of.split_once("  lab:\n").expect("the lab");
    let (own, _) = environments.split_once("\n  staging:").expect("its end");
    project.write("prodtest.yaml", &format!("{production}  lab:\n{own}\n"));
    let mut words = release.target().expect("an ingress");
    words.extend(release.deploy_target(Helm::Three, &round(&release, 1)).expect("a registry"));
    let gate = GateCommand::new("deploy").arg("--config").arg(project.path("prodtest.yaml"));
    let gate = gate.args(["--env", "production", "--no-pin"]).args(words).out(&out);
    let done = gate.run().expect_code(2).expect_said(&["`production` is protected", "--confirm 0.1.0"]);
    assert!(!done.out.exists(), "{}", done.said());
    untouched(&eyes);
    assert_eq!(eyes.look().holder, None);
}
