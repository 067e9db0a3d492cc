//! Every fault of `tests/faults/<gate>.yaml`, injected into the real service: exactly the checks that are named turn
//! red or undetermined; and on a healthy service nothing does.

use std::collections::BTreeSet;

use prodtest_gate::Outcome;
use prodtest_testkit::{FaultTable, Flaw, GateCommand, Godel, How, binary};

/// How many services and gates run side by side. They mostly wait.
const SIDE_BY_SIDE: usize = 6;

#[test]
fn every_fault_turns_exactly_its_checks() {
    let table = FaultTable::of("smoke");
    let queue = std::sync::Mutex::new(table.faults.iter());
    let wrong = std::sync::Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                loop {
                    let Some(fault) = queue.lock().unwrap().next() else { return };
                    // What takes a cluster is injected there: lab_nodes.rs.
                    let Some(done) = fault.smoke() else { continue };
                    let differences = fault.differences("smoke", &done);
                    if !differences.is_empty() {
                        wrong.lock().unwrap().push(format!(
                            "{}:\n  {}\n{}",
                            fault.name,
                            differences.join("\n  "),
                            done.said()
                        ));
                    }
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn a_healthy_service_over_tls_passes_every_check() {
    let done = GateCommand::smoke(&Godel::start(&[], Some(Flaw::None))).run().expect_code(0);
    assert_eq!(done.checks("smoke", Outcome::Passed).len(), 10, "{}", done.said());
    assert_eq!(done.record("smoke").checks.len(), 10, "{}", done.said());
}

#[test]
fn a_healthy_service_over_plain_http_has_no_certificate_to_judge() {
    let done = GateCommand::smoke(&Godel::healthy()).run().expect_code(0);
    assert_eq!(done.checks("smoke", Outcome::Skipped), BTreeSet::from(["smoke/tls".to_owned()]));
    let record = done.record("smoke");
    let tls = record.check(&"smoke/tls".parse().unwrap()).unwrap();
    assert_eq!(tls.reason.as_deref(), Some("the target is plain HTTP: there is no certificate"));
}

#[test]
fn every_check_has_a_fault_that_turns_it_red() {
    let list = GateCommand::new("smoke").godel().arg("--list").run().expect_code(0).stdout();
    let checks: BTreeSet<String> =
        list.lines().filter_map(|line| Some(line.split_whitespace().next()?.to_owned())).collect();
    let red: BTreeSet<String> = FaultTable::of("smoke").faults.into_iter().flat_map(|fault| fault.red).collect();
    assert_eq!(checks, red);
}

/// The service's own table and ours tell the same.
#[test]
fn every_switch_of_the_service_is_in_the_table() {
    let output = std::process::Command::new(binary("godel")).args(["--list-faults", "--json"]).output().unwrap();
    let switches: Vec<serde_json::Value> = serde_json::from_slice(&output.stdout).unwrap();
    assert!(switches.len() > 10, "{switches:?}");
    for switch in switches {
        let (name, told) = (switch["name"].as_str().unwrap(), switch["check"].as_str().unwrap());
        let gate = told.split_once('/').map_or("smoke", |(gate, _)| gate);
        let table = FaultTable::of(gate);
        // By its name, or among what a deployment is told.
        let is_it = |how: &How| match how {
            How::Godel(switch) => switch == name,
            How::Specimen(_) => format!("{how:?}").contains(&format!("\"{name}\"")),
            _ => false,
        };
        let fault = table.faults.iter().find(|fault| is_it(&fault.how));
        let fault = fault.unwrap_or_else(|| panic!("`{name}` is not in tests/faults/{gate}.yaml"));
        let red: Vec<&str> = fault.red.iter().map(String::as_str).collect();
        assert_eq!(red, if told == "none" { vec![] } else { vec![told] }, "{name}");
    }
}
