//! A job that is cancelled: the gate ends by itself before it is killed, and what it changed is undone, or journalled.

use std::time::Duration;

use prodtest_testkit::Done;
use prodtest_tests::{Release, shared};
use xtask::lab::godel::Helm;

use crate::{
    eyes::{Eyes, Seen, helms, in_order, round},
    killed::{Version, deploy, is_on, recover, says},
};

/// After that the runner sends SIGTERM.
const LIMIT: Duration = Duration::from_millis(7500);

/// Every report is there, and says that the run did not come to its end.
#[track_caller]
fn told(done: &Done, gate: &str, moment: &str) {
    let names =
        ["codequality.json", "html", "junit.xml", "md", "run.json", "sarif"].map(|name| format!("{gate}.{name}"));
    let files: Vec<String> = done.files().into_keys().collect();
    assert_eq!(files, names, "{moment}: {}", done.said());
    assert_eq!(done.record(gate).stopped.as_deref(), Some("interrupted (SIGINT)"), "{moment}");
}

#[test]
fn lab_recover_a_cancelled_job_leaves_reports_and_a_journal() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "recover-cancel", false);
    let eyes = Eyes::of(&release);
    let _ = release.deploy_gate(&round(&release, 1)).run().expect_code(0);
    type When = fn(&Seen, &Seen) -> bool;
    let moments: [(&str, Version, When); 6] = [
        ("the lease is taken", Version::Good, |_, now| now.holder.is_some()),
        ("pending-upgrade", Version::Good, |before, now| is_on(before, now, 1, "pending-upgrade")),
        ("a new pod", Version::Good, |before, now| now.sets.iter().any(|set| !before.sets.contains(set))),
        ("rolling back", Version::Doomed, |before, now| says(before, now, "rolling-back")),
        ("a drill's bad version", Version::Drill, |before, now| is_on(before, now, 1, "deployed")),
        ("a drill's way back", Version::Drill, |before, now| says(before, now, "rolling-back")),
    ];
    for (number, (moment, version, is_so)) in (2..).zip(moments) {
        let before = eyes.look();
        let (gate, values) = if version == Version::Drill { ("rollback", 1) } else { ("deploy", number) };
        let running = deploy(&release, Helm::Three, values, version).spawn();
        eyes.wait(moment, |now| is_so(&before, now));
        let signalled = std::time::Instant::now();
        let done = running.cancel().expect_code(130);
        assert!(signalled.elapsed() < LIMIT, "{moment}: {:?}, {}", signalled.elapsed(), done.said());
        println!("{moment}: ended {:.1} s after SIGINT", signalled.elapsed().as_secs_f64());
        told(&done, gate, moment);
        assert_eq!(helms(&release.namespace), [""; 0], "{moment}");
        let left = eyes.look();
        let pending = left.newest().is_some_and(|(_, status)| status.starts_with("pending"));
        assert!(!pending || left.phase() != Some("done"), "{moment}: half done, and the journal says so: {left:#?}");
        let _ = recover(&release, Helm::Three).expect_code(0);
        in_order(&release, &eyes, 1, moment);
    }
}
