//! The deploy gate on a cluster: what must pass, and every fault of its table, each on a release of its own.

#[path = "lab_deploy/landed.rs"]
mod landed;
#[path = "lab_deploy/specimen.rs"]
mod specimen;
#[path = "lab_deploy/upset.rs"]
mod upset;

use std::time::Instant;

use prodtest_testkit::{Fault, FaultTable, How};
use prodtest_tests::{shared, side_by_side};
use xtask::lab::Lab;

use crate::specimen::Installed;

/// How many releases and gates run side by side.
const SIDE_BY_SIDE: usize = 4;
/// How often a fault is done to a machine that is too busy for the probe, which the gate says by itself.
const ATTEMPTS: usize = 3;
const BUSY: &str = "this machine was too busy";

#[test]
fn lab_deploy_every_fault_turns_exactly_its_checks_red() {
    let Some(lab) = shared() else { return };
    let table = FaultTable::of("deploy");
    assert!(table.faults.len() > 25, "the table is short: this looks in the wrong place");
    let wrong = side_by_side(SIDE_BY_SIDE, &table.faults, |fault| {
        let begun = Instant::now();
        let said = differences(&lab, fault);
        // For who reads the log of CI.
        let word = if said.is_some() { "WRONG" } else { "ok" };
        println!("{:5.1} s  {word:<5}  {}", begun.elapsed().as_secs_f64(), fault.name);
        said
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

/// What is not as this fault must turn out, with all that the gate said. What a busy machine could not measure, and what shows
/// itself by chance, is done again.
fn differences(lab: &Lab, fault: &Fault) -> Option<String> {
    let mut said = None;
    for number in 1..=ATTEMPTS {
        // The namespace of the one before still ends.
        said = attempt(lab, fault, &format!("faults-{}-{number}", fault.name));
        let by_chance = matches!(&fault.how, How::Specimen(specimen) if specimen.by_chance);
        if !said.as_ref().is_some_and(|said| by_chance || said.contains(BUSY)) {
            break;
        }
    }
    said
}

fn attempt(lab: &Lab, fault: &Fault, namespace: &str) -> Option<String> {
    let How::Specimen(specimen) = &fault.how else { panic!("`{}` is done to no specimen", fault.name) };
    let upset = specimen.upset.as_deref();
    let installed = Installed::prepare(lab, namespace, specimen.image_with_faults);
    upset::before(&installed, upset);
    installed.install(&specimen.was.clone().into());
    upset::inject(&installed, upset);
    let was = installed.state();
    let done = installed.gate(&specimen.values.clone().into(), &specimen.arguments).run();
    let mut differences = fault.differences("deploy", &done);
    differences.extend(installed.not_as_before(&was, fault, &done));
    (!differences.is_empty()).then(|| format!("{}:\n  {}\n{}", fault.name, differences.join("\n  "), done.said()))
}
