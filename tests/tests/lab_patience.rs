//! What may pass is given its time: none of these may be called doomed. And what users see of a rollout is told as it
//! was, the good and the bad.
//!
//! Each is on the lab that a run shares, in a namespace of its own, with the real gate.

#[path = "lab_patience/api.rs"]
mod api;
#[path = "lab_patience/registry.rs"]
mod registry;
#[path = "lab_patience/relay.rs"]
mod relay;

use std::{
    ffi::OsString,
    path::Path,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::ensure;
use prodtest_gate::Outcome;
use prodtest_testkit::{Done, GateCommand, repository};
use prodtest_tests::{Release, shared};
use serde_json::{Value, json};
use xtask::lab::{
    godel::{CHART, Helm},
    until,
};

use self::{api::Api, registry::Registry};

const PATIENCE: Duration = Duration::from_secs(60);

/// One pod, and a change that makes it a new one.
fn one() -> Value {
    json!({ "replicaCount": 1, "env": { "GODEL_RATE_LIMIT": 999 } })
}

/// The facts of the rollout, of a gate that passed.
#[track_caller]
fn passed(done: Done) -> Value {
    let done = done.expect_code(0);
    serde_json::from_str::<Value>(&done.report("deploy", "run.json")).expect("JSON")["facts"]["rollout"].take()
}

/// Whether something spoke against the rollout that was borne.
fn has_evidence(rollout: &Value, kind: &str) -> bool {
    rollout["evidence"].as_array().into_iter().flatten().any(|evidence| evidence["kind"] == kind)
}

/// A gate that comes to the cluster by this way.
fn gate_by(kubeconfig: &Path, release: &Release<'_>, values: &Value) -> GateCommand {
    let mut target = release.target().expect("an ingress");
    let at = target.iter().position(|word| word == "--kubeconfig").expect("a kubeconfig");
    target[at + 1] = kubeconfig.into();
    command(release, Path::new("examples/godel/prodtest.yaml"), target, values)
}

/// A gate with a configuration of its own: Godel's, with a probe of this many requests a second.
fn gate_at_rate(rate: u32, folder: &Path, release: &Release<'_>, values: &Value) -> GateCommand {
    let chart = repository().join(CHART);
    let config = json!({
        "service": "godel",
        "image": { "repository": release.image.repository, "values-key": "image.digest", "tag-key": "image.tag", "version-key": "version",
            "tag": xtask::repo::VERSION, "plain-http": true },
        "environments": { "lab": {
            "version": xtask::repo::VERSION,
            "kubernetes": { "namespace": release.namespace, "release": "godel" },
            "chart": { "path": chart, "values": [chart.join("values-lab.yaml")] },
        } },
        "deploy": {
            "probe": { "path": "/api/health", "rate": rate },
            "identity": { "path": "/api/health", "field": "data.version" },
        },
    });
    let file = folder.join("prodtest.yaml");
    std::fs::write(&file, config.to_string()).expect("a file");
    command(release, &file, release.target().expect("an ingress"), values)
}

/// A gate that deploys from a registry whose name only the node knows: by its tag, for the gate cannot ask there.
fn gate_elsewhere(release: &Release<'_>, registry: &Registry) -> GateCommand {
    let repository = format!("{}/godel", registry.host);
    let target = release.target().expect("an ingress");
    from(&repository, release, Path::new("examples/godel/prodtest.yaml"), target, &one()).args([
        "--no-pin",
        "--tag",
        xtask::repo::VERSION,
    ])
}

fn command(release: &Release<'_>, config: &Path, target: Vec<OsString>, values: &Value) -> GateCommand {
    from(&release.image.repository, release, config, target, values)
}

fn from(repository: &str, release: &Release<'_>, config: &Path, target: Vec<OsString>, values: &Value) -> GateCommand {
    GateCommand::new("deploy")
        .arg("--config")
        .arg(config)
        .args(["--env", "lab", "--repository", repository])
        .args(target)
        .args(release.deploy_target(Helm::Three, values).expect("a registry"))
}

#[test]
fn lab_patience_a_registry_that_answers_503_for_10_s_is_waited_for() {
    let Some(lab) = shared() else { return };
    const DOWN: Duration = Duration::from_secs(10);
    const ANSWER: &str = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    let release = Release::one(&lab, "patience-503", &[]);
    let (first, refused) = (OnceLock::<Instant>::new(), Arc::new(AtomicU32::new(0)));
    let count = Arc::clone(&refused);
    let registry = Registry::behind(&lab, move || {
        let down = first.get_or_init(Instant::now).elapsed() < DOWN;
        count.fetch_add(down.into(), Ordering::SeqCst);
        down.then_some(ANSWER)
    });
    let rollout = passed(gate_elsewhere(&release, &registry).run());
    assert!(refused.load(Ordering::SeqCst) > 0, "nothing was refused: this looks in the wrong place");
    assert!(has_evidence(&rollout, "image-pull"), "{rollout}");
}

/// The layers are on the node already, by their digests, so it is the manifest that comes late. To the kubelet it is one
/// pull that takes its time.
#[test]
fn lab_patience_an_image_that_takes_30_s_to_pull_is_waited_for() {
    let Some(lab) = shared() else { return };
    const SLOW: Duration = Duration::from_secs(30);
    let release = Release::one(&lab, "patience-slow", &[]);
    let (asked, count) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let counter = Arc::clone(&count);
    let registry = Registry::behind(&lab, move || {
        counter.fetch_add(1, Ordering::SeqCst);
        if asked.fetch_add(1, Ordering::SeqCst) == 0 {
            // The fault itself.
            std::thread::sleep(SLOW);
        }
        None
    });
    let done = gate_elsewhere(&release, &registry).run();
    let took = done.took;
    let _ = passed(done);
    assert!(count.load(Ordering::SeqCst) > 0 && took > SLOW, "nothing was slow: this looks in the wrong place");
}

#[test]
fn lab_patience_a_pod_that_needs_40_s_to_be_ready_is_waited_for() {
    let Some(lab) = shared() else { return };
    let release = Release::one(&lab, "patience-ready", &[]);
    let mut values = one();
    values["probes"] = json!({ "readiness": { "initialDelaySeconds": 40 } });
    values["progressDeadlineSeconds"] = 90.into();
    let done = release.deploy_gate(&values).run();
    let took = done.took;
    let _ = passed(done);
    assert!(took > Duration::from_secs(40), "it took {took:?}: this looks in the wrong place");
}

/// The refusals begin when Helm has ended: it gives up after ten of them, and then it is Helm that failed.
#[test]
fn lab_patience_an_api_server_that_refuses_with_429_for_20_s_is_waited_for() {
    let Some(lab) = shared() else { return };
    let release = Release::one(&lab, "patience-429", &[]);
    // Watches end soon: one that stands hears all, whatever the server answers to others.
    let api = Api::behind(&lab, Some(Duration::from_secs(2)));
    let mut values = one();
    values["probes"] = json!({ "readiness": { "initialDelaySeconds": 5 } });
    let gate = gate_by(&api.kubeconfig(), &release, &values).spawn();
    until("Helm to call its second revision deployed", PATIENCE, || {
        let secrets = release.objects("secrets");
        let labels = |secret: &Value| secret["metadata"]["labels"].clone();
        let is_it = |labels: Value| labels["version"] == "2" && labels["status"] == "deployed";
        ensure!(secrets.iter().map(labels).any(is_it), "there are {}", secrets.len());
        Ok(())
    })
    .expect("it does");
    api.refuse(Duration::from_secs(20));
    let rollout = passed(gate.wait());
    assert!(api.hit() > 5, "{} requests were refused: this looks in the wrong place", api.hit());
    assert!(rollout["blind"].as_array().is_some_and(|blind| !blind.is_empty()), "{rollout}");
}

#[test]
fn lab_patience_a_watch_that_is_cut_off_every_2_s_misses_nothing() {
    let Some(lab) = shared() else { return };
    let release = Release::one(&lab, "patience-cut", &[]);
    let api = Api::behind(&lab, Some(Duration::from_secs(2)));
    let mut values = one();
    values["probes"] = json!({ "readiness": { "initialDelaySeconds": 10 } });
    let _ = passed(gate_by(&api.kubeconfig(), &release, &values).run());
    assert!(api.hit() > 20, "{} watches were cut off: this looks in the wrong place", api.hit());
}

#[test]
fn lab_patience_an_autoscaler_that_makes_more_pods_meanwhile_is_waited_for() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "patience-hpa", false);
    let scaled = |least: u32| {
        json!({
            "autoscaling": { "enabled": true, "minReplicas": least, "maxReplicas": 5 },
            "env": { "GODEL_RATE_LIMIT": 1000 + least },
        })
    };
    release.deploy(&scaled(1)).expect("Godel");
    let _ = passed(release.deploy_gate(&scaled(3)).run());
    let status = release.object("deployment/godel-api")["status"].take();
    assert!(status["availableReplicas"].as_u64() >= Some(3), "{status}");
}

#[test]
fn lab_patience_a_rollout_that_follows_another_within_a_second_is_the_one_that_is_judged() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "patience-next", false);
    release.deploy(&json!({ "replicaCount": 2 })).expect("Godel");
    let with = |limit: u32| json!({ "replicaCount": 2, "env": { "GODEL_RATE_LIMIT": limit } });
    let first = release.upgrade(Helm::Three, &with(998), &[]).expect("Helm starts");
    assert!(first.status.success(), "{}", String::from_utf8_lossy(&first.stderr));
    // The pods of the first one are not there yet.
    let _ = passed(release.deploy_gate(&with(999)).run());
    let env = release.object("configmap/godel-api")["data"]["GODEL_RATE_LIMIT"].take();
    assert_eq!(env, "999");
}

#[test]
fn lab_patience_a_good_rollout_loses_no_request_of_50_a_second() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "patience-served", false);
    release.deploy(&json!({})).expect("Godel");
    let folder = tempfile::tempdir().expect("a folder");
    let values = json!({ "env": { "GODEL_RATE_LIMIT": 999 } });
    let done = gate_at_rate(50, folder.path(), &release, &values).run().expect_code(0);
    let record: Value = serde_json::from_str(&done.report("deploy", "run.json")).expect("JSON");
    let after = &record["facts"]["probe"]["after"];
    assert!(after["requests"].as_u64() > Some(150), "too few requests to tell: {after}");
    assert_eq!(after["failed"], 0, "{after}");
}

/// It is the old pods that end, so it is the release before that has to be without.
#[test]
fn lab_patience_a_rollout_without_prestop_and_drain_is_noticed() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "patience-dropped", false);
    let hasty = |limit: u32| json!({ "shutdown": { "preStopSeconds": 0, "drainSeconds": 0 }, "env": { "GODEL_RATE_LIMIT": limit } });
    release.deploy(&hasty(998)).expect("Godel");
    let folder = tempfile::tempdir().expect("a folder");
    // By chance: a request must meet a pod between its end and the news of it.
    let done = (999..1002)
        .map(|limit| gate_at_rate(50, folder.path(), &release, &hasty(limit)).args(["--on-failure", "keep"]).run())
        .find(|done| done.code() != Some(0))
        .expect("three rollouts, and nobody noticed any");
    let done = done.expect_code(1);
    assert_eq!(done.checks("deploy", Outcome::Failed).into_iter().collect::<Vec<_>>(), ["deploy/served-throughout"]);
    assert!(done.checks("deploy", Outcome::Undetermined).is_empty(), "{}", done.said());
}
