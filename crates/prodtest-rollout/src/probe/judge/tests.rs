use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::*;
use crate::probe::{Gap, Pace};

fn phase(ok: u64, failed: &[(&str, u64)]) -> PhaseFacts {
    let count = failed.iter().map(|(_, count)| count).sum();
    PhaseFacts {
        requests: ok + count,
        ok,
        failed: count,
        answered: ok,
        by_kind: failed.iter().map(|(kind, count)| ((*kind).to_owned(), *count)).collect(),
        first_failure_ms: (count > 0).then_some(2500),
        ..PhaseFacts::default()
    }
}

fn facts(before: PhaseFacts, after: PhaseFacts) -> ProbeFacts {
    ProbeFacts {
        url: "http://a.example/health".to_owned(),
        change_ms: Some(2000),
        pace: Pace { asked: 20, achieved: 20.0, lag_p99_ms: 2, lag_max_ms: 5 },
        before,
        after,
        ..ProbeFacts::default()
    }
}

fn why(facts: &ProbeFacts) -> String {
    match facts.judge(&Limits::default()) {
        ProbeVerdict::Unknown(why) => why,
        verdict => panic!("{verdict:?}"),
    }
}

fn broken(facts: &ProbeFacts, limits: &Limits) -> Vec<(&'static str, String)> {
    match facts.judge(limits) {
        ProbeVerdict::Broken(problems) => problems.into_iter().map(|one| (one.rule, one.message)).collect(),
        verdict => panic!("{verdict:?}"),
    }
}

#[test]
fn good_answers_alone_are_served() {
    assert_eq!(facts(phase(40, &[]), phase(40, &[])).judge(&Limits::default()), ProbeVerdict::Served);
}

#[test]
fn failures_after_the_change_are_told_with_kind_and_time() {
    let facts = facts(phase(40, &[]), phase(37, &[("status 503", 1), ("connection refused", 2)]));
    let told =
        "3 of 40 requests failed, the first 500 ms after the change began: 2 × connection refused, 1 × status 503";
    assert_eq!(broken(&facts, &Limits::default()), [("failed-requests", told.to_owned())]);
    assert_eq!(facts.judge(&Limits { max_failed: 3, ..Limits::default() }), ProbeVerdict::Served);
}

#[test]
fn a_service_that_was_broken_before_is_no_fault_of_the_change() {
    let facts = facts(phase(39, &[("status 503", 1)]), phase(0, &[("status 503", 40)]));
    assert_eq!(why(&facts), "1 of 40 requests failed already before the change: 1 × status 503");
}

#[test]
fn a_service_that_never_answered_may_be_a_broken_runner() {
    let refused = || phase(0, &[("connection refused", 40)]);
    let told =
        "`http://a.example/health` never answered the probe, before the change or after it: 80 × connection refused";
    assert_eq!(why(&facts(refused(), refused())), told);
}

#[test]
fn a_service_that_answered_once_and_then_no_more_is_broken() {
    assert_eq!(broken(&facts(phase(1, &[]), phase(0, &[("connection refused", 40)])), &Limits::default()).len(), 1);
}

#[test]
fn without_samples_nothing_is_said() {
    assert_eq!(why(&ProbeFacts::default()), "the probe sent no request that ended");
    assert_eq!(why(&facts(phase(40, &[]), phase(0, &[]))), "no request ended after the change began");
    let unmarked = ProbeFacts { change_ms: None, ..facts(phase(40, &[]), phase(0, &[])) };
    assert_eq!(why(&unmarked), "the change never began while the probe ran");
}

#[test]
fn a_starved_probe_is_not_believed_in_good_or_in_bad() {
    for after in [phase(40, &[]), phase(0, &[("no answer in time", 40)])] {
        let mut facts = facts(phase(40, &[]), after);
        facts.pace.achieved = 17.9;
        assert_eq!(why(&facts), "this machine was too busy: 17.9 of 20 requests a second were sent");
        facts.pace.achieved = 18.0;
        facts.pace.lag_p99_ms = 251;
        let told = "this machine was too busy: requests were sent up to 251 ms after their time, and 250ms is allowed";
        assert_eq!(why(&facts), told);
    }
}

#[test]
fn what_this_side_could_not_do_is_not_the_services() {
    let ours = |theirs| {
        let kinds = [("this machine could not do its part", 2), ("status 503", theirs)];
        PhaseFacts { ours: 2, ..phase(30, &kinds) }
    };
    assert!(why(&facts(phase(40, &[]), ours(0))).starts_with("2 requests failed for reasons on this side"));
    assert_eq!(broken(&facts(phase(40, &[]), ours(1)), &Limits::default()).len(), 1);
}

#[test]
fn gaps_and_reconnections_count_when_they_are_limited() {
    let mut facts = facts(phase(40, &[]), phase(40, &[]));
    facts.after.longest_gap = Gap { from_ms: 1900, until_ms: 3000 };
    facts.after.reconnected = 4;
    assert_eq!(facts.judge(&Limits::default()), ProbeVerdict::Served);
    let second = Some(Period(Duration::from_secs(1)));
    let limits = Limits { max_gap: second, max_reconnected: Some(3), ..Limits::default() };
    let gap = "no good answer came for 1.1 s, 100 ms before the change began".to_owned();
    let reconnected = "4 requests found their kept connection gone".to_owned();
    assert_eq!(broken(&facts, &limits), [("gap", gap), ("reconnected", reconnected)]);
    facts.after.longest_gap.until_ms = 2900;
    assert_eq!(facts.judge(&Limits { max_reconnected: None, ..limits }), ProbeVerdict::Served);
}

proptest! {
    #[test]
    fn served_means_that_enough_was_seen_and_little_failed(
        before in (0..50_u64, 0..3_u64),
        after in (0..50_u64, 0..3_u64),
        is_marked in any::<bool>(),
        achieved in 0.0..20.0_f64,
        max_failed in 0..3_u64,
    ) {
        let kinds = |failed| if failed == 0 { vec![] } else { vec![("status 500", failed)] };
        let mut facts = facts(phase(before.0, &kinds(before.1)), phase(after.0, &kinds(after.1)));
        facts.change_ms = facts.change_ms.filter(|_| is_marked);
        facts.pace.achieved = achieved;
        let limits = Limits { max_failed, ..Limits::default() };
        let is_measured = is_marked && achieved >= 18.0 && after.0 + after.1 > 0 && before.0 + after.0 > 0 && before.1 == 0;
        let expected = match facts.judge(&limits) {
            ProbeVerdict::Served => is_measured && after.1 <= max_failed,
            ProbeVerdict::Broken(_) => is_measured && after.1 > max_failed,
            ProbeVerdict::Unknown(_) => !is_measured,
        };
        prop_assert!(expected, "{facts:?}");
    }
}

#[test]
fn the_commonest_kind_comes_first() {
    let by_kind = BTreeMap::from([("a".to_owned(), 1), ("b".to_owned(), 2)]);
    let one = PhaseFacts { by_kind: by_kind.clone(), ..PhaseFacts::default() };
    assert_eq!(kinds(&[&one, &PhaseFacts { by_kind, ..PhaseFacts::default() }]), "4 × b, 2 × a");
}
