//! The precheck gate on a cluster: what must pass, and every fault of its table, each in a namespace of its own. On a lab of its
//! own: some are felt by everybody.

#[path = "lab_precheck/images.rs"]
mod images;
#[path = "lab_precheck/told.rs"]
mod told;
#[path = "lab_precheck/upset.rs"]
mod upset;

use std::time::Instant;

use prodtest_gate::Outcome;
use prodtest_testkit::{Fault, FaultTable, How, Specimen};
use prodtest_tests::{OwnLab, Release, side_by_side};
use serde_json::json;
use xtask::lab::{Lab, up};

/// How many namespaces and gates run side by side.
const SIDE_BY_SIDE: usize = 4;

#[test]
fn lab_precheck_every_fault_turns_exactly_its_checks_red() {
    let options = up::Options { nodes: 2, fast: true, ..up::Options::default() };
    let Some(lab) = OwnLab::up_or_kept("precheck", &options) else { return };
    healthy(&lab);
    let table = FaultTable::of("precheck");
    let (alone, others): (Vec<_>, Vec<_>) = table.faults.iter().partition(|fault| specimen(fault).alone);
    let mut wrong = side_by_side(SIDE_BY_SIDE, others, |fault| differences(&lab, fault));
    wrong.extend(alone.into_iter().filter_map(|fault| differences(&lab, fault)));
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// All pass before the first deployment and after it, and that in time.
fn healthy(lab: &Lab) {
    let release = Release::prepare(lab, "healthy", false);
    let done = release.precheck(&json!({})).run().expect_code(0);
    let skipped: Vec<String> = done.checks("precheck", Outcome::Skipped).into_iter().collect();
    assert_eq!(skipped, upset::SKIPPED, "{}", done.said());
    println!("{:5.1} s  healthy", done.took.as_secs_f64());
    release.deploy(&json!({})).expect("Godel");
    let done = release.precheck(&json!({})).run().expect_code(0);
    // What needs something to go back to is made now.
    assert_eq!(done.checks("precheck", Outcome::Passed).len(), upset::CHECKS + 1, "{}", done.said());
    println!("{:5.1} s  healthy, with something deployed", done.took.as_secs_f64());
}

fn specimen(fault: &Fault) -> &Specimen {
    let How::Specimen(specimen) = &fault.how else { panic!("`{}` is done to no release", fault.name) };
    specimen
}

/// What is not as this fault must turn out, with all that the gate said.
fn differences(lab: &Lab, fault: &Fault) -> Option<String> {
    let (begun, specimen) = (Instant::now(), specimen(fault));
    let release = Release::prepare(lab, &format!("faults-{}", fault.name), false);
    if !specimen.was.is_empty() {
        release.deploy(&specimen.was.clone().into()).expect("Godel");
    }
    let done = upset::while_upset(&release, specimen);
    let differences = fault.differences("precheck", &done);
    // For who reads the log of CI.
    let word = if differences.is_empty() { "ok" } else { "WRONG" };
    println!("{:5.1} s  {word:<5}  {}", begun.elapsed().as_secs_f64(), fault.name);
    (!differences.is_empty()).then(|| format!("{}:\n  {}\n{}", fault.name, differences.join("\n  "), done.said()))
}
