//! Facts that were kept are judged again.

use std::time::Duration;

use prodtest_config::Period;

use super::*;

fn unschedulable(times: &[u64]) -> RolloutFacts {
    let state = state(include_str!("../fixtures/unschedulable.json"));
    let mut tracker = tracker(&[Subject::new(Kind::Deployment, "unschedulable")]);
    times.iter().for_each(|at| tracker.look(&state, true, *at));
    tracker.facts().clone()
}

#[test]
fn another_patience_gives_another_verdict() {
    let facts = unschedulable(&[0, 10_000, 30_000]);
    let facts: RolloutFacts = serde_json::from_str(&serde_json::to_string(&facts).unwrap()).unwrap();
    let verdict = |seconds| {
        let unschedulable = Period(Duration::from_secs(seconds));
        facts.verdict(&Patience { unschedulable, ..Patience::default() })
    };
    assert!(matches!(verdict(30), RolloutVerdict::Doomed { at_ms: 30_000, .. }), "{:?}", verdict(30));
    assert!(matches!(verdict(7), RolloutVerdict::Doomed { at_ms: 7_000, .. }), "{:?}", verdict(7));
    let why = "deployment/unschedulable: 0 of 1 pods are available".replace("available", "ready");
    assert_eq!(verdict(31), RolloutVerdict::Unfinished { why });
}

#[test]
fn a_cluster_that_is_away_at_the_end_leaves_it_unknown() {
    let state = state(include_str!("../fixtures/unschedulable.json"));
    let mut tracker = tracker(&[Subject::new(Kind::Deployment, "unschedulable")]);
    tracker.look(&state, true, 0);
    tracker.blind(1_000, "connection refused");
    tracker.blind(2_000, "another reason");
    assert_eq!(
        tracker.facts().verdict(&Patience::default()),
        RolloutVerdict::Unknown { why: "connection refused".to_owned() }
    );
    tracker.look(&state, true, 9_000);
    assert_eq!(tracker.facts().blind.len(), 1);
    assert_eq!(tracker.facts().blind[0].until_ms, Some(9_000));
    assert!(matches!(tracker.facts().verdict(&Patience::default()), RolloutVerdict::Unfinished { .. }));
}

#[test]
fn the_next_deadline_is_that_of_what_stands() {
    let state = state(include_str!("../fixtures/unschedulable.json"));
    let mut tracker = tracker(&[Subject::new(Kind::Deployment, "unschedulable")]);
    tracker.look(&state, true, 500);
    assert_eq!(tracker.next_deadline_ms(), Some(30_500));
    let mut healed = state.clone();
    healed.pods.values_mut().for_each(|pod| pod.status.conditions.clear());
    tracker.look(&healed, true, 1_000);
    assert_eq!(tracker.next_deadline_ms(), None);
    // What comes again begins anew.
    tracker.look(&state, true, 20_000);
    assert_eq!(tracker.next_deadline_ms(), Some(50_000));
}

#[test]
fn patience_is_written_as_durations() {
    let patience: Patience = serde_json::from_value(serde_json::json!({ "pull": "1m", "exits": 3 })).unwrap();
    assert_eq!(patience, Patience { pull: Period(Duration::from_secs(60)), exits: 3, ..Patience::default() });
    assert!(serde_json::from_value::<Patience>(serde_json::json!({ "pul": "1m" })).is_err());
}
