//! `to previous`, over histories that Helm alone would go back wrongly in.

use std::os::unix::fs::symlink;

use prodtest_gate::Outcome;
use prodtest_testkit::repository;
use prodtest_tests::shared;
use serde_json::{Value, json};
use xtask::{
    lab::godel::{Helm, merge},
    sh,
};

use crate::{
    drilled::names,
    specimen::{Installed, NAME},
};

/// Whether users noticed is not asked here: a machine with much to do is too busy for the probe, which the gate says.
const BUSY: [&str; 2] = ["--allow-undetermined", "rollback/served-throughout"];

/// What a history is made of.
#[derive(Clone, Copy, Debug)]
enum Step {
    /// The deploy gate finds it good.
    Good,
    /// The deploy gate is told to leave it, and finds it bad.
    Bad,
    /// By Helm alone, and doomed: Helm calls it deployed.
    Unjudged,
}

/// What tells one revision from another.
fn stamp(number: usize) -> Value {
    json!({ "stamp": format!("revision-{number}") })
}

/// Makes a history, from revision 2 on.
fn make(installed: &Installed<'_>, steps: &[Step]) {
    for (number, step) in steps.iter().enumerate() {
        let mut values = stamp(number + 2);
        match step {
            Step::Good => {
                // What was doomed before is not to be reused.
                merge(&mut values, &json!({ "arguments": [] }));
                let _ = installed.gate(&values, &[]).run().expect_code(0);
            }
            Step::Bad => {
                merge(&mut values, &json!({ "arguments": ["--no-such-flag"] }));
                let words = ["--tag", "0.1.0", "--on-failure", "keep"].map(str::to_owned);
                let _ = installed.gate(&values, &words).run().expect_code(1);
            }
            Step::Unjudged => {
                merge(&mut values, &json!({ "arguments": ["--no-such-flag"] }));
                let mut helm = installed.helm(Helm::Three).expect("helm");
                helm.args(["upgrade", NAME, "tests/specimen/chart", "--reset-then-reuse-values", "--values", "-"]);
                sh::fed(&mut helm, &values.to_string()).expect("a revision");
            }
        }
    }
}

/// The stamp of the pods that are wanted.
fn stamped(installed: &Installed<'_>) -> Value {
    let deployment = installed.object(&format!("deployment/{NAME}"));
    let env = deployment["spec"]["template"]["spec"]["containers"][0]["env"].clone();
    let stamp = env.as_array().expect("variables").iter().find(|variable| variable["name"] == "STAMP");
    stamp.expect("a stamp")["value"].clone()
}

/// Goes back in a history; `right` is where `previous` is, and `helm_alone` where Helm would have gone.
fn goes_back(namespace: &str, steps: &[Step], right: usize, helm_alone: usize) {
    let Some(lab) = shared() else { return };
    let installed = Installed::prepare(&lab, namespace, false);
    // What the API writes in its own way is no difference: a variable without a value, a whole processor.
    let resources = json!({ "limits": { "cpu": "1000m", "memory": "64Mi" } });
    installed.install(&json!({ "replicas": 2, "resources": resources, "env": [{ "name": "EMPTY", "value": "" }] }));
    make(&installed, steps);
    let gate = || installed.gate_called("rollback", &Value::Null).args(["to", "previous"]).args(BUSY);
    let said = [format!("revision {right},"), format!("revision {helm_alone}")];
    let said: Vec<&str> = said.iter().map(String::as_str).collect();
    let dry = gate().arg("--dry-run").run().expect_code(0).expect_said(&said);
    assert_eq!(names(&dry, Outcome::Passed), ["target"], "{}", dry.said());
    let done = gate().run().expect_code(0);
    let passed = ["target", "rto", "state-restored", "service-restored", "history-clean"];
    let is_so = names(&done, Outcome::Passed).into_iter().filter(|name| name != "served-throughout");
    assert_eq!(is_so.collect::<Vec<_>>(), passed, "{}", done.said());
    assert_eq!(stamped(&installed), stamp(right)["stamp"], "{}", done.said());
    // What was left is not where the next one goes, and what runs is none either.
    let again = gate().arg("--dry-run").run();
    assert!(!again.said().contains(&format!("goes back to  revision {right},")), "{}", again.said());
}

#[test]
fn lab_rollback_passes_over_a_revision_that_was_found_bad() {
    goes_back("back-bad", &[Step::Good, Step::Bad], 2, 2);
}

#[test]
fn lab_rollback_passes_over_several_that_were_found_bad() {
    goes_back("back-several", &[Step::Good, Step::Bad, Step::Bad], 2, 3);
}

#[test]
fn lab_rollback_passes_over_what_helm_calls_deployed_and_nobody_has_judged() {
    goes_back("back-unjudged", &[Step::Good, Step::Unjudged, Step::Bad], 2, 3);
}

#[test]
fn lab_rollback_to_a_revision_or_a_version_by_name() {
    let Some(lab) = shared() else { return };
    let installed = Installed::prepare(&lab, "back-named", false);
    installed.install(&json!({ "stamp": "revision-1" }));
    make(&installed, &[Step::Good, Step::Good]);
    let gate = |words: &[&str]| installed.gate_called("rollback", &Value::Null).arg("to").args(words).args(BUSY).run();
    for (wrong, says) in [("3", "is the one that runs"), ("9", "has no revision 9"), ("7.7.7", "no revision")] {
        let done = gate(&[wrong]).expect_code(1).expect_said(&[says]);
        assert_eq!(names(&done, Outcome::Failed), ["target"], "{}", done.said());
    }
    let _ = gate(&["1"]).expect_code(0);
    assert_eq!(stamped(&installed), "revision-1");
    // The newest earlier one of that version that was good: the third was left.
    let _ = gate(&["0.1.0"]).expect_code(0);
    assert_eq!(stamped(&installed), "revision-2");
}

#[test]
fn lab_rollback_that_a_hook_keeps_from_it_is_red_and_gets_there() {
    let Some(lab) = shared() else { return };
    let installed = Installed::prepare(&lab, "back-hook", false);
    installed
        .install(&json!({ "stamp": "revision-1", "broken": { "preRollback": { "arguments": ["--no-such-flag"] } } }));
    make(&installed, &[Step::Good]);
    let done = installed.gate_called("rollback", &Value::Null).args(["to", "1"]).args(BUSY).run().expect_code(1);
    assert_eq!(names(&done, Outcome::Failed), ["rto"], "{}", done.said());
    let done = done.expect_said(&["pre-rollback", "leave out the chart's hooks"]);
    assert_eq!(stamped(&installed), "revision-1", "{}", done.said());
    assert_eq!(installed.state().status(), "deployed", "{}", done.said());
}

#[test]
fn lab_rollback_goes_across_a_migration_only_when_told() {
    let Some(lab) = shared() else { return };
    let installed = Installed::prepare(&lab, "back-migrations", false);
    // The configuration of the specimen, with migrations beside it.
    let folder = tempfile::tempdir().expect("a folder");
    let specimen = repository().join("tests/specimen");
    let text = std::fs::read_to_string(specimen.join("prodtest.yaml")).expect("a configuration");
    let text = text.replacen("deploy:\n", "deploy:\n  migrations: migrations\n", 1);
    std::fs::write(folder.path().join("prodtest.yaml"), text).expect("a file");
    for name in ["chart", "drill"] {
        symlink(specimen.join(name), folder.path().join(name)).expect("a link");
    }
    let migrations = folder.path().join("migrations");
    std::fs::create_dir(&migrations).expect("a folder");
    let add = |name: &str| std::fs::write(migrations.join(name), "select 1;").expect("a file");
    let config = folder.path().join("prodtest.yaml");
    let gate = |name: &str, values: &Value| installed.gate_of(&config, name, values);
    let deploy = |number: usize| gate("deploy", &stamp(number)).args(["--tag", "0.1.0"]).run().expect_code(0);
    let back = |words: &[&str]| gate("rollback", &Value::Null).args(["to", "previous"]).args(words).args(BUSY).run();

    add("0001_first.sql");
    installed.install(&stamp(1));
    let _ = deploy(2);
    add("0002_second.up.sql");
    add("0002_second.down.sql");
    let _ = deploy(3);
    add("0003_third.sql");
    let _ = deploy(4);
    let done = back(&["--dry-run"]).expect_code(1).expect_said(&["across the migration `0003_third.sql`"]);
    assert_eq!(names(&done, Outcome::Failed), ["target"], "{}", done.said());
    let _ = back(&["--dry-run", "--across-migrations"]).expect_code(0);
    let _ = back(&["--across-migrations"]).expect_code(0);
    assert_eq!(stamped(&installed), "revision-3");
    // That one has its way back beside it.
    let _ = back(&[]).expect_code(0);
    assert_eq!(stamped(&installed), "revision-2");
}
