//! The smoke gate on a cluster, through the ingress: the same faults, the same checks red. The keys come from the
//! cluster's Secrets.

use prodtest_gate::Outcome;
use prodtest_testkit::{FaultTable, How};
use prodtest_tests::{Release, shared, side_by_side};

/// How many services and gates run side by side.
const SIDE_BY_SIDE: usize = 6;

#[test]
fn lab_cluster_a_healthy_release_passes_and_no_key_is_in_any_report() {
    let Some(lab) = shared() else { return };
    let release = Release::one(&lab, "healthy", &[]);
    let done = release.smoke().run().expect_code(0);
    assert_eq!(done.checks("smoke", Outcome::Passed).len(), 10, "{}", done.said());
    for (name, bytes) in done.files() {
        let text = String::from_utf8_lossy(&bytes);
        for key in [&release.keys.own, &release.keys.other, &release.keys.admin] {
            assert!(!text.contains(key.as_str()), "a key is in {name}");
        }
    }
}

#[test]
fn lab_cluster_every_fault_turns_the_same_checks_red() {
    let Some(lab) = shared() else { return };
    let table = FaultTable::of("smoke");
    let switches: Vec<_> = table.faults.iter().filter(|fault| matches!(fault.how, How::Godel(_))).collect();
    assert!(switches.len() > 10, "the table has no switches: this looks in the wrong place");
    let wrong = side_by_side(SIDE_BY_SIDE, switches, |fault| {
        let How::Godel(switch) = &fault.how else { return None };
        let release = Release::one(&lab, &format!("fault-{switch}"), &[switch]);
        let done = release.smoke().run();
        let differences = fault.differences("smoke", &done);
        (!differences.is_empty()).then(|| format!("{}:\n  {}\n{}", fault.name, differences.join("\n  "), done.said()))
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}
