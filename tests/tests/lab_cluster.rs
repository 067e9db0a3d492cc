//! Godel on the lab that a run shares, a namespace a test.

#[path = "lab_cluster/backup.rs"]
mod backup;
#[path = "lab_cluster/gate_helm.rs"]
mod gate_helm;
#[path = "lab_cluster/helm.rs"]
mod helm;
#[path = "lab_cluster/image.rs"]
mod image;
#[path = "lab_cluster/journal.rs"]
mod journal;
#[path = "lab_cluster/policies.rs"]
mod policies;
#[path = "lab_cluster/recovery.rs"]
mod recovery;
#[path = "lab_cluster/site.rs"]
mod site;
#[path = "lab_cluster/smoke.rs"]
mod smoke;

use std::time::{Duration, Instant};

use anyhow::ensure;
use prodtest_tests::{Release, shared};
use serde_json::{Value, json};
use xtask::lab::{self, until};

const PATIENCE: Duration = Duration::from_secs(120);

#[test]
fn lab_cluster_metrics_are_read_and_the_autoscaler_knows_them() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "metrics", false);
    let scaled = json!({ "autoscaling": { "enabled": true, "minReplicas": 2, "maxReplicas": 3 } });
    release.deploy(&scaled).expect("Godel");
    until("the autoscaler to read the processor", PATIENCE, || {
        let scaler = &release.objects("horizontalpodautoscalers")[0];
        let current = scaler["status"]["currentMetrics"][0]["resource"]["current"]["averageUtilization"].clone();
        ensure!(current.is_number(), "it says {}", scaler["status"]);
        ensure!(scaler["status"]["currentReplicas"] == 2, "it has not scaled to its minimum");
        Ok(())
    })
    .expect("an autoscaler that works");
    until("`kubectl top`", PATIENCE, || {
        let top = xtask::sh::quietly(release.kubectl()?.args(["top", "pods", "--no-headers"]))?;
        ensure!(top.lines().count() == 2, "{top}");
        Ok(())
    })
    .expect("it answers");
}

#[test]
fn lab_cluster_prometheus_discovers_every_pod() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "discovered", false);
    release.deploy(&json!({ "replicaCount": 2 })).expect("Godel");
    let port = lab::port(&lab, "prometheus").expect("a port");
    until("both pods to be targets", PATIENCE, || {
        let url = format!("http://127.0.0.1:{port}/api/v1/query");
        let query = "query=sum(up{job=\"pods\",namespace=\"discovered\"})";
        let answer =
            xtask::sh::quietly(xtask::sh::program("curl").args(["-sS", "--get", &url, "--data-urlencode", query]))?;
        ensure!(answer.contains("\"2\""), "{answer}");
        Ok(())
    })
    .expect("they are found");
}

#[test]
fn lab_cluster_an_alert_arrives_at_the_sink_once() {
    let Some(lab) = shared() else { return };
    let curl = |arguments: &[&str]| {
        xtask::sh::quietly(xtask::sh::program("curl").args(["-sS", "--fail-with-body"]).args(arguments))
    };
    let at = |name: &str| format!("http://127.0.0.1:{}", lab::port(&lab, name).expect("a port"));
    let run = xtask::random::hex().expect("a random number");
    let alert = json!([{ "labels": { "alertname": "Tried", "run": run } }]).to_string();
    for alertmanager in ["alertmanager-1", "alertmanager-2"] {
        let url = format!("{}/api/v2/alerts", at(alertmanager));
        curl(&["--header", "Content-Type: application/json", "--data", &alert, &url]).expect("it is taken");
    }
    let deliveries = || -> anyhow::Result<usize> {
        let received: Vec<Value> = serde_json::from_str(&curl(&[&at("sink")])?)?;
        Ok(received.iter().filter(|delivery| delivery.to_string().contains(&run)).count())
    };
    until("the webhook", PATIENCE, || {
        ensure!(deliveries()? > 0, "nothing came");
        Ok(())
    })
    .expect("it arrives");
    // The second waits a second for the first; then it would have sent it too.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(deliveries().expect("an answer"), 1, "both of them sent it");
}

/// How many tests can share a lab.
const SIDE_BY_SIDE: usize = 20;

#[test]
fn lab_cluster_twenty_namespaces_stand_side_by_side() {
    let Some(lab) = shared() else { return };
    let begun = Instant::now();
    std::thread::scope(|scope| {
        for number in 1..=SIDE_BY_SIDE {
            let lab = &lab;
            scope.spawn(move || {
                let release = Release::one(lab, &format!("side-{number}"), &[]);
                let done = release.smoke().run().expect_code(0);
                assert_eq!(done.record("smoke").checks.len(), 10, "{}", done.said());
            });
        }
    });
    // For who reads the log of CI.
    println!("{SIDE_BY_SIDE} namespaces, each with Godel and a smoke test: {:.0} s", begun.elapsed().as_secs_f64());
}
