//! Two deployments of one release at once.

use std::{fs, thread};

use prodtest_tests::{Release, shared};
use serde_json::json;

use crate::eyes::{Eyes, in_order, limit, round};

#[test]
fn lab_recover_of_two_at_once_one_waits_for_the_other() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "recover-two", false);
    let eyes = Eyes::of(&release);
    let _ = release.deploy_gate(&round(&release, 1)).run().expect_code(0);
    let folder = tempfile::tempdir().expect("a folder");
    let gates = [2, 3].map(|number| {
        let values = folder.path().join(format!("{number}.json"));
        fs::write(&values, round(&release, number).to_string()).expect("a file");
        release.deploy_gate(&round(&release, 1)).arg("--values").arg(values)
    });
    // Each run and phase that the journal went through.
    let mut told: Vec<(String, String)> = Vec::new();
    thread::scope(|scope| {
        let running = gates.map(|gate| scope.spawn(|| gate.run()));
        while !running.iter().all(thread::ScopedJoinHandle::is_finished) {
            let seen = eyes.look();
            let now = (seen.run().unwrap_or_default().to_owned(), seen.phase().unwrap_or_default().to_owned());
            if told.last() != Some(&now) {
                told.push(now);
            }
        }
        for gate in running {
            let _ = gate.join().expect("it ends").expect_code(0);
        }
    });
    for pair in told.windows(2) {
        assert!(pair[0].0 == pair[1].0 || pair[0].1 == "done", "they were at it at the same time: {told:?}");
    }
    let mut runs: Vec<&str> = told.iter().map(|(run, _)| run.as_str()).collect();
    runs.dedup();
    assert_eq!(runs.len(), 3, "the first install, and one after the other: {told:?}");
    let seen = eyes.look();
    let whole: Vec<&str> = seen.revisions.iter().map(|(_, status)| status.as_str()).collect();
    assert_eq!(whole, ["superseded", "superseded", "deployed"]);
    let settings = release.object("configmap/godel-api");
    let last =
        [2, 3].into_iter().find(|number| settings["data"]["GODEL_RATE_LIMIT"] == json!(limit(*number).to_string()));
    in_order(&release, &eyes, last.expect("one of the two"), "both have ended");
}
