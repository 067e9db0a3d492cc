//! The rollback gate on a cluster: drills that must pass, every fault of its table, each on a release of its own, and the
//! way back over real histories.

#[path = "lab_rollback/back.rs"]
mod back;
#[path = "lab_rollback/drilled.rs"]
mod drilled;
#[path = "lab_deploy/specimen.rs"]
#[expect(dead_code, reason = "shared with the tests of the deploy gate; each uses a part")]
mod specimen;
#[path = "lab_rollback/upset.rs"]
mod upset;

use prodtest_testkit::{Done, Specimen};
use prodtest_tests::{every_fault, shared};
use xtask::lab::Lab;

use crate::specimen::Installed;

/// How many releases and gates run side by side.
const SIDE_BY_SIDE: usize = 3;
/// How often a fault is done to a machine that is too busy for the probe, which the gate says by itself.
const ATTEMPTS: usize = 3;
const BUSY: &str = "this machine was too busy";

#[test]
fn lab_rollback_every_fault_turns_exactly_its_checks_red() {
    let Some(lab) = shared() else { return };
    every_fault("rollback", SIDE_BY_SIDE, |fault, specimen| {
        let mut attempts = (1..=ATTEMPTS).map(|number| {
            // The namespace of the one before still ends.
            attempt(&lab, specimen, &format!("rollback-{}-{number}", fault.name))
        });
        let mut last = attempts.next().expect("an attempt");
        while last.0.said().contains(BUSY) {
            let Some(again) = attempts.next() else { break };
            last = again;
        }
        last
    });
}

/// What the gate made of it, and whether the release is left as it was.
fn attempt(lab: &Lab, specimen: &Specimen, namespace: &str) -> (Done, Vec<String>) {
    let upset = specimen.upset.as_deref();
    let installed = Installed::prepare(lab, namespace, specimen.image_with_faults);
    installed.install(&upset::was(&installed, upset, specimen.was.clone()));
    upset::inject(&installed, upset);
    let was = installed.state();
    let gate = installed.gate_called("rollback", &specimen.values.clone().into());
    let done = upset::meanwhile(&installed, upset, gate.arg("drill").args(&specimen.arguments));
    let is = installed.state();
    let left = (is != was).then(|| format!("it is {is:?}, must be {was:?}"));
    (done, left.into_iter().collect())
}
