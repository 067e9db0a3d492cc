//! Drills that must pass, one for each thing that can be wrong with a version, and what they tell.

use prodtest_gate::Outcome;
use prodtest_testkit::{Done, GateCommand};
use prodtest_tests::{Release, shared, side_by_side};
use serde_json::{Value, json};
use xtask::lab::godel::Helm;

use crate::{ATTEMPTS, BUSY, specimen::Installed};

const ALL: [&str; 7] =
    ["target", "detection-time", "served-throughout", "rto", "state-restored", "service-restored", "history-clean"];

/// The names of the checks with this outcome, without the gate's.
pub(crate) fn names(done: &Done, outcome: Outcome) -> Vec<String> {
    let all = done.outcomes("rollback").into_iter();
    all.filter(|(_, was)| *was == outcome.to_string()).map(|(name, _)| name).collect()
}

/// A figure of the record.
fn figure(done: &Done, name: &str) -> f64 {
    let record = done.record("rollback");
    let figure = record.figures.iter().find(|figure| figure.name == name);
    let figure = figure.unwrap_or_else(|| panic!("no `{name}`: {}", done.said()));
    serde_json::to_value(&figure.value).expect("JSON")["number"].as_f64().expect("a number")
}

/// What is wrong with the version, and whether users meet it.
const FAULTS: [(&str, bool); 5] =
    [("tag", false), ("crash", false), ("unready", false), ("error-rate", true), ("slow", true)];

#[test]
fn lab_rollback_a_drill_passes_and_tells_what_it_took() {
    let Some(lab) = shared() else { return };
    let wrong = side_by_side(2, &FAULTS, |(fault, is_served)| {
        let installed = Installed::prepare(&lab, &format!("drill-{fault}"), *is_served);
        // What gets ready is called bad when the last of the old pods has ended: few of them, and soon.
        let shutdown = if *is_served { 1 } else { 5 };
        installed.install(
            &json!({ "replicas": 2, "shutdown": { "preStopSeconds": shutdown }, "progressDeadlineSeconds": 5 }),
        );
        let was = installed.state();
        let drill = || installed.gate_called("rollback", &Value::Null).args(["drill", "--fault", fault]).run();
        let mut done = drill();
        // It comes back to where it began, so that it can be done again.
        for _ in 1..ATTEMPTS {
            if done.said().contains(BUSY) {
                done = drill();
            }
        }
        let expected: Vec<&str> = ALL.into_iter().filter(|name| !is_served || *name != "served-throughout").collect();
        let passed = names(&done, Outcome::Passed);
        if passed != expected {
            return Some(format!("{fault}: {passed:?} passed\n{}", done.said()));
        }
        // The record tells the same again, without the cluster.
        let record = done.out.join("rollback.run.json");
        let again = GateCommand::new("rollback")
            .args(["--config", "tests/specimen/prodtest.yaml", "--env", "lab", "--replay"])
            .arg(record)
            .run();
        if again.outcomes("rollback") != done.outcomes("rollback") {
            return Some(format!("{fault}: judged again, otherwise\n{}", again.said()));
        }
        let figures = ["detection-time", "rto", "failed-requests"].map(|name| figure(&done, name));
        let [detection, rto, failed] = figures;
        println!("{fault:<12} called bad after {detection:.0} ms, back after {rto:.0} ms, {failed:.0} requests failed");
        let is = installed.state();
        if is != was {
            return Some(format!("{fault}: it is {is:?}, must be {was:?}"));
        }
        ((failed > 0.0) != *is_served).then(|| format!("{fault}: {failed} requests failed\n{}", done.said()))
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn lab_rollback_a_dry_run_changes_nothing_and_tells_where_back_is() {
    let Some(lab) = shared() else { return };
    let installed = Installed::prepare(&lab, "drill-dry", false);
    installed.install(&json!({}));
    let was = installed.state();
    let done = installed.gate_called("rollback", &Value::Null).args(["drill", "--dry-run"]).run().expect_code(0);
    assert_eq!(names(&done, Outcome::Passed), ["target"], "{}", done.said());
    let done = done.expect_said(&["prodtest-drill-no-such-tag", "revision 1"]);
    assert_eq!(installed.state(), was, "{}", done.said());
}

/// Godel's scenarios are played; where the smoke gate does not begin, the record of a run before is none of this one.
#[test]
fn lab_rollback_the_record_of_an_earlier_smoke_run_is_not_taken_for_this_one() {
    let Some(lab) = shared() else { return };
    let release = Release::one(&lab, "drill-smoke", &[]);
    let out = tempfile::tempdir().expect("a folder");
    let drill = || release.rollback_gate_by(Helm::Three, &json!({ "replicaCount": 1 })).arg("drill").out(out.path());
    let busy = ["--allow-undetermined", "rollback/served-throughout"];
    let _ = drill().args(busy).run().expect_code(0);
    let done = drill().args(busy).env("PRODTEST_SCENARIO", "/nowhere.yaml").run().expect_code(3);
    assert!(names(&done, Outcome::Undetermined).contains(&"service-restored".to_owned()), "{}", done.said());
    let _ = done.expect_said(&["the smoke gate has no record", "/nowhere.yaml"]);
}
