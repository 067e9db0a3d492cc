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

use std::{collections::BTreeSet, time::Duration};

use prodtest_gate::Outcome;
use prodtest_tests::{OwnLab, Release, every_fault, is_wanted};
use serde_json::json;
use xtask::lab::{Lab, up};

/// How many namespaces and gates run side by side.
const SIDE_BY_SIDE: usize = 4;
/// All prechecks together, where all is well.
const SOON: Duration = Duration::from_secs(5);

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
        (upset::while_upset(&release, specimen), Vec::new())
    });
}

/// All pass before the first deployment and after it, but for what does not apply.
fn healthy(lab: &Lab) {
    let release = Release::prepare(lab, "healthy", false);
    let skipped = |expected: &[&str]| {
        let done = release.precheck(&json!({})).run().expect_code(0);
        let expected: BTreeSet<String> = expected.iter().map(|check| (*check).to_owned()).collect();
        assert_eq!(done.checks("precheck", Outcome::Skipped), expected, "{}", done.said());
        assert!(done.took < SOON, "{:?}", done.took);
    };
    skipped(&[upset::SKIPPED, &["precheck/rollback-plan"]].concat());
    release.deploy(&json!({})).expect("Godel");
    // There is something to go back to now.
    skipped(upset::SKIPPED);
}
