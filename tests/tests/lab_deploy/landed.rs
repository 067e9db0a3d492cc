//! What must land: an upgrade, the same once more, and a first install.

use prodtest_gate::Outcome;
use prodtest_tests::shared;
use serde_json::{Value, json};

use crate::specimen::Installed;

/// The names of the checks with this outcome, without the gate's.
fn names(done: &prodtest_testkit::Done, outcome: Outcome) -> Vec<String> {
    let all = done.outcomes("deploy").into_iter();
    all.filter(|(_, was)| *was == outcome.to_string()).map(|(name, _)| name).collect()
}

const ALL: [&str; 6] = ["image", "backup", "upgrade", "rollout", "served-throughout", "identity"];

#[test]
fn lab_deploy_an_upgrade_lands_and_the_same_once_more_changes_nothing() {
    let Some(lab) = shared() else { return };
    let installed = Installed::prepare(&lab, "deploy-landed", false);
    installed.install(&json!({ "replicas": 3 }));
    let values = json!({ "stamp": "new" });
    let done = installed.gate(&values, &[]).run().expect_code(0);
    assert_eq!(names(&done, Outcome::Passed), ALL, "{}", done.said());
    let landed = installed.state();
    let again = installed.gate(&values, &[]).run().expect_code(0);
    assert_eq!(names(&again, Outcome::Passed), ALL, "{}", again.said());
    assert_eq!(installed.state(), landed, "a no-op changed something");
}

#[test]
fn lab_deploy_a_first_install_has_nothing_to_keep_and_nothing_to_interrupt() {
    let Some(lab) = shared() else { return };
    let installed = Installed::prepare(&lab, "deploy-first", false);
    let values = json!({ "stamp": "first" });
    let done = installed.gate(&values, &[]).run().expect_code(0);
    assert_eq!(names(&done, Outcome::Passed), ["image", "upgrade", "rollout", "identity"], "{}", done.said());
    assert_eq!(names(&done, Outcome::Skipped), ["backup", "served-throughout"], "{}", done.said());
}

#[test]
fn lab_deploy_a_first_install_that_is_doomed_is_taken_away() {
    let Some(lab) = shared() else { return };
    let installed = Installed::prepare(&lab, "deploy-first-doomed", false);
    let values = json!({ "arguments": ["--no-such-flag"] });
    let done = installed.gate(&values, &[]).run().expect_code(1);
    assert_eq!(names(&done, Outcome::Failed), ["rollout"], "{}", done.said());
    assert!(names(&done, Outcome::Passed).contains(&"restored".to_owned()), "{}", done.said());
    assert_eq!(installed.objects("deployments"), Vec::<Value>::new(), "it is still there");
}
