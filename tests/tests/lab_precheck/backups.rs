//! Backups: first one that is young, of which the gate must say so, then an old one. What makes them is stood in for: no lab has
//! a CSI driver that makes snapshots, Velero or pgBackRest, but the API server and its objects are real.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use prodtest_gate::Outcome;
use prodtest_testkit::{Done, GateCommand};
use prodtest_tests::Release;
use serde_json::{Value, json};
use xtask::{
    lab::{self, until},
    sh,
};

use crate::told;

const CHECK: &str = "precheck/backups";

/// Runs the gate while the newest backup is too old, or there is none. `how`: what tells of backups.
pub(crate) fn upset(release: &Release<'_>, how: &str, run: &dyn Fn(GateCommand) -> Done) -> Done {
    let (young, old) = (ago(1), ago(50));
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("info.json");
    let from = match how {
        "cron-job" => json!({ "cron-job": "backup" }),
        "none" => json!({ "cron-job": "never-run" }),
        "volume-snapshots" => json!({ "volume-snapshots": "app=godel" }),
        "velero" => json!({ "velero": { "namespace": release.namespace, "schedule": "nightly" } }),
        "pgbackrest" => json!({ "pgbackrest": { "file": file } }),
        "command" => json!({ "command": ["sh", "-c", format!("cat {}", file.display())] }),
        "command-fails" => json!({ "command": ["sh", "-c", "echo no such host >&2; exit 3"] }),
        other => panic!("nobody knows how to ask `{other}`"),
    };
    let over = json!({ "precheck": { "backups": { "from": from } } });
    let gate = || {
        let (gate, _folder) = told::configured(release, &json!({}), &over);
        run(gate)
    };
    let mut make: Box<dyn FnMut(Timestamp)> = match how {
        "cron-job" => {
            cron_job(release, "backup");
            Box::new(|time| succeeded(release, "backup", time))
        }
        "none" => {
            cron_job(release, "never-run");
            return gate();
        }
        "volume-snapshots" => {
            kind(release, "snapshot.storage.k8s.io", "volumesnapshots", "VolumeSnapshot");
            Box::new(|time| snapshots(release, time))
        }
        "velero" => {
            kind(release, "velero.io", "backups", "Backup");
            Box::new(|time| velero(release, time))
        }
        "pgbackrest" => Box::new(|time| std::fs::write(&file, info(time).to_string()).expect("a file")),
        "command" => Box::new(|time| std::fs::write(&file, format!("{time}\n")).expect("a file")),
        _ => return gate(),
    };
    make(young);
    let done = gate();
    assert!(done.checks("precheck", Outcome::Passed).contains(CHECK), "{}", done.said());
    make(old);
    gate()
}

fn ago(hours: i64) -> Timestamp {
    let seconds = (Timestamp::now() - SignedDuration::from_hours(hours)).as_second();
    Timestamp::from_second(seconds).expect("a time")
}

fn cron_job(release: &Release<'_>, name: &str) {
    let container = json!({ "name": "backup", "image": "registry.lab:5000/nothing:0" });
    let pod = json!({ "spec": { "containers": [container], "restartPolicy": "Never" } });
    let job = json!({
        "apiVersion": "batch/v1", "kind": "CronJob", "metadata": { "name": name, "namespace": release.namespace },
        "spec": { "schedule": "0 0 1 1 *", "jobTemplate": { "spec": { "template": pod } } },
    });
    lab::apply(release.lab(), &[job]).expect("a cronjob");
}

/// As its controller writes it when a job is done.
fn succeeded(release: &Release<'_>, name: &str, time: Timestamp) {
    let patch = json!({ "status": { "lastSuccessfulTime": time, "lastScheduleTime": time } }).to_string();
    let mut kubectl = release.kubectl().expect("kubectl");
    kubectl.args(["patch", "cronjob", name, "--subresource=status", "--type=merge", "--patch", &patch]);
    sh::quietly(&mut kubectl).expect("a status");
}

/// A kind of objects with whatever fields. Of one group several tests may ask at once.
fn kind(release: &Release<'_>, group: &str, plural: &str, kind: &str) {
    let name = format!("{plural}.{group}");
    let schema = json!({ "openAPIV3Schema": { "type": "object", "x-kubernetes-preserve-unknown-fields": true } });
    let version = json!({ "name": "v1", "served": true, "storage": true, "schema": schema });
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": { "name": name, "annotations": { "api-approved.kubernetes.io": "unapproved, a test's" } },
        "spec": {
            "group": group, "scope": "Namespaced", "versions": [version],
            "names": { "plural": plural, "singular": kind.to_lowercase(), "kind": kind },
        },
    });
    lab::apply(release.lab(), &[definition]).expect("a kind");
    until(&format!("the kind {name}"), Duration::from_secs(20), || {
        lab::get(release.lab(), &["--namespace", &release.namespace, &name]).map(|_| ())
    })
    .expect("it is served");
}

fn snapshots(release: &Release<'_>, time: Timestamp) {
    let snapshot = |name: &str, ready: bool, time: Timestamp| {
        json!({
            "apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot",
            "metadata": { "name": name, "namespace": release.namespace, "labels": { "app": "godel" } },
            "status": { "readyToUse": ready, "creationTime": time },
        })
    };
    // One that is not ready is no backup, however young.
    let both = [snapshot("done", true, time), snapshot("begun", false, Timestamp::now())];
    lab::apply(release.lab(), &both).expect("snapshots");
}

fn velero(release: &Release<'_>, time: Timestamp) {
    let backup = |name: &str, phase: &str, time: Timestamp| {
        let labels = json!({ "velero.io/schedule-name": "nightly" });
        json!({
            "apiVersion": "velero.io/v1", "kind": "Backup",
            "metadata": { "name": name, "namespace": release.namespace, "labels": labels },
            "status": { "phase": phase, "completionTimestamp": time },
        })
    };
    let both = [backup("whole", "Completed", time), backup("half", "PartiallyFailed", Timestamp::now())];
    lab::apply(release.lab(), &both).expect("backups");
}

/// What pgBackRest prints of one stanza with a backup of that time, and a younger one with an error.
fn info(time: Timestamp) -> Value {
    let backup = |stop: Timestamp, error: bool| json!({ "label": "x", "type": "full", "error": error, "timestamp": { "start": stop.as_second(), "stop": stop.as_second() } });
    let backups = [backup(time, false), backup(Timestamp::now(), true)];
    json!([{ "name": "godel", "backup": backups, "status": { "code": 0, "message": "ok" } }])
}
