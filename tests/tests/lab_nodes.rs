//! What a lab is for: losing parts of it. Each test has a lab of its own.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use prodtest_testkit::{FaultTable, How};
use prodtest_tests::{Injected, OwnLab, Release};
use serde_json::{Value, json};
use xtask::lab::{self, Lab, until, up};

const PATIENCE: Duration = Duration::from_secs(120);

fn is_ready(object: &Value) -> bool {
    let conditions = object["status"]["conditions"].as_array().cloned().unwrap_or_default();
    conditions.iter().any(|condition| condition["type"] == "Ready" && condition["status"] == "True")
}

fn node_is_ready(lab: &Lab, node: &str) -> anyhow::Result<bool> {
    Ok(is_ready(&lab::get(lab, &["node", node])?))
}

#[test]
fn lab_nodes_pods_move_from_a_node_that_is_lost_and_the_service_answers_on() {
    let options = up::Options { nodes: 3, fast: true, ..up::Options::default() };
    let Some(lab) = OwnLab::up("t-lost", &options) else { return };
    let release = Release::prepare(&lab, "godel", false);
    release.deploy(&json!({})).expect("Godel");
    let on = |node: &str| {
        release.objects("pods").iter().filter(|pod| is_ready(pod) && pod["spec"]["nodeName"] == node).count()
    };
    for node in ["node-1", "node-2", "node-3"] {
        assert_eq!(on(node), 1, "one pod on each node");
    }

    let lost = Injected::new(&lab, "node-3-off");
    let begun = Instant::now();
    let (mut asked, mut unanswered) = (0, 0);
    until("the pods to be whole on two nodes", PATIENCE, || {
        let mut ask = release.curl("/api/health")?;
        let answered = ask.args(["--max-time", "1"]).output()?.status.success();
        asked += 1;
        unanswered += u32::from(!answered);
        ensure!(!node_is_ready(&lab, "node-3")?, "the lost node still counts as ready");
        ensure!(on("node-1") + on("node-2") == 3, "{} + {} pods are ready", on("node-1"), on("node-2"));
        Ok(())
    })
    .expect("the cluster heals itself");
    assert!(begun.elapsed() > Duration::from_secs(2), "noticed before it could be: this looks in the wrong place");
    release.get("/api/health/ready").expect("it answers");
    // Between the loss and its notice, what is sent to the lost pod, one of three, is lost: that, and no more.
    assert!(asked > 5, "only {asked} requests: too few to tell");
    assert!(unanswered * 2 < asked, "{unanswered} of {asked} requests failed in {:?}", begun.elapsed());

    lost.heal();
    until("the node to come back", PATIENCE, || {
        ensure!(node_is_ready(&lab, "node-3")?, "it is not ready yet");
        Ok(())
    })
    .expect("it comes back");
}

#[test]
fn lab_nodes_readiness_tells_of_stores_that_are_gone_and_no_agent_is_lost() {
    let Some(lab) = OwnLab::up("t-stores", &up::Options::default()) else { return };
    let release = Release::one(&lab, "godel", &[]);
    let agent = r#"{"type":"test","task":"outlive the database"}"#;
    let mut spawn = release.curl("/api/agents").expect("a command");
    spawn.args(["--header", "Content-Type: application/json", "--data", agent]);
    let spawned = spawn.output().expect("`curl` starts");
    assert!(spawned.status.success(), "{}", String::from_utf8_lossy(&spawned.stdout));
    let spawned: Value = serde_json::from_slice(&spawned.stdout).expect("JSON");
    let id = spawned["data"]["id"].as_str().expect("an id").to_owned();

    for (fault, store) in [
        ("postgres-stopped", "database"),
        ("postgres-killed", "database"),
        ("postgres-cut-off", "database"),
        ("redis-stopped", "redis"),
        ("redis-cut-off", "redis"),
    ] {
        let broken = Injected::new(&lab, fault);
        // Asked inside its pod: what is not ready has no way in from outside.
        until(&format!("readiness to tell of `{fault}`"), PATIENCE, || {
            let pod = release.objects("pods").into_iter().find(|pod| pod["metadata"]["deletionTimestamp"].is_null());
            let pod = pod.context("no pod")?;
            let address = pod["status"]["podIP"].as_str().context("no address")?.to_owned();
            let said = ask(&lab, &address)?;
            ensure!(said["data"]["checks"][store]["ok"] == false, "it says {said}");
            ensure!(!is_ready(&pod), "the kubelet thinks it is ready");
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{fault}: {error:#}"));
        broken.heal();
        until(&format!("the service to be ready after `{fault}`"), PATIENCE, || release.get("/api/health/ready"))
            .unwrap_or_else(|error| panic!("{fault}: {error:#}"));
        let found = release.get(&format!("/api/agents/{id}")).unwrap_or_else(|error| panic!("{fault}: {error:#}"));
        assert!(found.contains(&id), "{fault}: {found}");
    }
    let restarts: Vec<Value> = release
        .objects("pods")
        .iter()
        .map(|pod| pod["status"]["containerStatuses"][0]["restartCount"].clone())
        .collect();
    assert_eq!(restarts, [json!(0)], "liveness must not hang on a store");
}

#[test]
fn lab_nodes_every_fault_of_a_store_turns_exactly_its_checks() {
    let Some(lab) = OwnLab::up("t-faults", &up::Options::default()) else { return };
    let release = Release::one(&lab, "godel", &[]);
    let table = FaultTable::of("smoke");
    let mut tried = 0;
    for fault in &table.faults {
        let How::Cluster(name) = &fault.how else { continue };
        tried += 1;
        let broken = Injected::new(&lab, name);
        until("the ingress to know of no ready pod", PATIENCE, || {
            let output = release.curl("/api/health")?.args(["--write-out", "%{http_code}"]).output()?;
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            ensure!(said.ends_with("503"), "it answers {said}");
            Ok(())
        })
        .unwrap_or_else(|error| panic!("{name}: {error:#}"));
        let done = release.smoke().run();
        let differences = fault.differences("smoke", &done);
        assert!(differences.is_empty(), "{name}:\n  {}\n{}", differences.join("\n  "), done.said());
        broken.heal();
        until("the service to be ready again", PATIENCE, || release.get("/api/health/ready"))
            .unwrap_or_else(|error| panic!("{name}: {error:#}"));
        let _ = release.smoke().run().expect_code(0);
    }
    assert!(tried > 1, "the table has no faults of a cluster: this looks in the wrong place");
}

/// What a pod's readiness says, asked from its node: the chart's policies let nobody else in.
fn ask(lab: &Lab, address: &str) -> anyhow::Result<Value> {
    let node = lab::machine(lab, "node-1").context("no node")?;
    let url = format!("http://{address}:7373/api/health/ready");
    let output = node.enter("curl")?.args(["--silent", "--max-time", "5", &url]).output()?;
    Ok(serde_json::from_slice(&output.stdout)?)
}
