//! The verify gate on a cluster: what must pass, and every fault of its table, each in a namespace of its own. On a lab of its
//! own: some are felt by everybody.

#[path = "lab_verify/upset.rs"]
mod upset;

use std::time::Duration;

use anyhow::ensure;
use prodtest_gate::Outcome;
use prodtest_tests::{OwnLab, Release, every_fault, is_wanted};
use serde_json::{Value, json};
use xtask::lab::{Lab, until, up};

/// How many namespaces and gates run side by side.
const SIDE_BY_SIDE: usize = 4;
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn lab_verify_every_fault_turns_exactly_its_checks_red() {
    let options = up::Options { nodes: 2, fast: true, ..up::Options::default() };
    let Some(lab) = OwnLab::up_or_kept("verify", &options) else { return };
    if is_wanted("healthy") {
        healthy(&lab);
        leaves_nothing(&lab);
    }
    every_fault("verify", SIDE_BY_SIDE, |fault, specimen| {
        let release = Release::prepare(&lab, &format!("faults-{}", fault.name), specimen.image_with_faults);
        upset::deploy(&release, &specimen.was.clone().into());
        (upset::while_upset(&release, specimen), Vec::new())
    });
}

/// All pass of a release that is as it must be.
fn healthy(lab: &Lab) {
    let release = Release::prepare(lab, "healthy", false);
    upset::deploy(&release, &Value::Null);
    let done = release.verify().run().expect_code(0);
    let skipped: Vec<String> = done.checks("verify", Outcome::Skipped).into_iter().collect();
    assert_eq!(skipped, upset::SKIPPED, "{}", done.said());
}

/// What the gate makes in the cluster goes with it, however it ends.
fn leaves_nothing(lab: &Lab) {
    let release = Release::prepare(lab, "healthy-cancelled", false);
    release.deploy(&json!({ "replicaCount": 1 })).expect("Godel");
    let gate = release.verify().args(["--only", "network-policy"]).spawn();
    let jobs = || release.objects("jobs").len();
    let probing = || {
        ensure!(jobs() > 0, "there is none");
        Ok(())
    };
    until("a probe", PATIENCE, probing).expect("a probe");
    let _done = gate.cancel().expect_code(130);
    let gone = || {
        ensure!(jobs() == 0, "there are {}", jobs());
        Ok(())
    };
    until("the probes to be gone", PATIENCE, gone).expect("no probe");
}
