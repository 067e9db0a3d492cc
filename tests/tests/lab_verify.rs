//! The verify gate on a cluster: what must pass, and every fault of its table, each in a namespace of its own. On a lab of its
//! own: some are felt by everybody.

#[path = "lab_verify/upset.rs"]
mod upset;

use std::time::{Duration, Instant};

use anyhow::ensure;
use prodtest_gate::Outcome;
use prodtest_testkit::{Fault, FaultTable, How, Specimen};
use prodtest_tests::{OwnLab, Release, side_by_side};
use serde_json::{Value, json};
use xtask::{
    env,
    lab::{Lab, until, up},
};

/// How many namespaces and gates run side by side.
const SIDE_BY_SIDE: usize = 4;
const PATIENCE: Duration = Duration::from_secs(10);

#[test]
fn lab_verify_every_fault_turns_exactly_its_checks_red() {
    let options = up::Options { nodes: 2, fast: true, ..up::Options::default() };
    let Some(lab) = OwnLab::up_or_kept("verify", &options) else { return };
    let table = FaultTable::of("verify");
    // For who works on some of them: the beginnings of their names, with commas.
    let only = env::get("PRODTEST_FAULT").map(|only| only.to_string_lossy().into_owned()).unwrap_or_default();
    let is_wanted = |name: &str| only.split(',').any(|only| name.starts_with(only));
    if is_wanted("healthy") {
        healthy(&lab);
        leaves_nothing(&lab);
    }
    let wanted = table.faults.iter().filter(|fault| is_wanted(&fault.name));
    let (alone, others): (Vec<_>, Vec<_>) = wanted.partition(|fault| specimen(fault).alone);
    let mut wrong = side_by_side(SIDE_BY_SIDE, others, |fault| differences(&lab, fault));
    wrong.extend(alone.into_iter().filter_map(|fault| differences(&lab, fault)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// All pass of a release that is as it must be.
fn healthy(lab: &Lab) {
    let release = Release::prepare(lab, "healthy", false);
    upset::deploy(&release, &Value::Null);
    let done = release.verify().run().expect_code(0);
    let skipped: Vec<String> = done.checks("verify", Outcome::Skipped).into_iter().collect();
    assert_eq!(skipped, upset::SKIPPED, "{}", done.said());
    println!("{:5.1} s  healthy", done.took.as_secs_f64());
}

/// What the gate makes in the cluster goes with it, however it ends.
fn leaves_nothing(lab: &Lab) {
    let release = Release::prepare(lab, "healthy-cancelled", false);
    release.deploy(&json!({ "replicaCount": 1 })).expect("Godel");
    let gate = release.verify().args(["--only", "network-policy"]).spawn();
    let jobs = || release.objects("jobs").len();
    until("a probe", PATIENCE, || Ok(ensure!(jobs() > 0, "there is none"))).expect("a probe");
    let _done = gate.cancel().expect_code(130);
    until("the probes to be gone", PATIENCE, || Ok(ensure!(jobs() == 0, "there are {}", jobs()))).expect("no probe");
}

fn specimen(fault: &Fault) -> &Specimen {
    let How::Specimen(specimen) = &fault.how else { panic!("`{}` is done to no release", fault.name) };
    specimen
}

/// What is not as this fault must turn out, with all that the gate said.
fn differences(lab: &Lab, fault: &Fault) -> Option<String> {
    let (begun, specimen) = (Instant::now(), specimen(fault));
    let release = Release::prepare(lab, &format!("faults-{}", fault.name), specimen.image_with_faults);
    upset::deploy(&release, &specimen.was.clone().into());
    let done = upset::while_upset(&release, specimen);
    let differences = fault.differences("verify", &done);
    // For who reads the log of CI.
    let word = if differences.is_empty() { "ok" } else { "WRONG" };
    println!("{:5.1} s  {word:<5}  {}", begun.elapsed().as_secs_f64(), fault.name);
    (!differences.is_empty()).then(|| format!("{}:\n  {}\n{}", fault.name, differences.join("\n  "), done.said()))
}
