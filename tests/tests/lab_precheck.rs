//! The precheck gate on a cluster: what must pass, and every fault of its table, each in a namespace of its own. On a lab of its
//! own: some are felt by everybody.

#[path = "lab_precheck/backups.rs"]
mod backups;
#[path = "lab_precheck/images.rs"]
mod images;
#[path = "lab_precheck/runbooks.rs"]
mod runbooks;
#[path = "lab_precheck/told.rs"]
mod told;
#[path = "lab_precheck/upset.rs"]
mod upset;

use prodtest_gate::Outcome;
use prodtest_tests::{OwnLab, Release, every_fault, is_wanted};
use serde_json::json;
use xtask::lab::{Lab, up};

/// How many namespaces and gates run side by side.
const SIDE_BY_SIDE: usize = 4;

#[test]
fn lab_precheck_every_fault_turns_exactly_its_checks_red() {
    let options = up::Options { nodes: 2, fast: true, ..up::Options::default() };
    let Some(lab) = OwnLab::up_or_kept("precheck", &options) else { return };
    if is_wanted("healthy") {
        healthy(&lab);
    }
    every_fault("precheck", SIDE_BY_SIDE, |fault, specimen| {
        let release = Release::prepare(&lab, &format!("faults-{}", fault.name), false);
        if !specimen.was.is_empty() {
            release.deploy(&specimen.was.clone().into()).expect("Godel");
        }
        upset::while_upset(&release, specimen)
    });
}

/// All pass before the first deployment and after it, but for what does not apply.
fn healthy(lab: &Lab) {
    let release = Release::prepare(lab, "healthy", false);
    let skipped = |upset: &[&str]| {
        let done = release.precheck(&json!({})).run().expect_code(0);
        let skipped: Vec<String> = done.checks("precheck", Outcome::Skipped).into_iter().collect();
        assert_eq!(skipped, upset, "{}", done.said());
        println!("{:5.1} s  healthy", done.took.as_secs_f64());
    };
    skipped(&[&["precheck/rollback-plan"], upset::SKIPPED].concat());
    release.deploy(&json!({})).expect("Godel");
    // There is something to go back to now.
    skipped(upset::SKIPPED);
}
