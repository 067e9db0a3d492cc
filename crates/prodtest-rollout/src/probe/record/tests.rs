use proptest::prelude::*;
use url::Url;

use super::*;
use crate::probe::outcome::Why;

fn tally(from_ms: u64) -> Tally {
    let target = Target::new(&Url::parse("http://a.example/").unwrap(), "/");
    Tally::new(&target, &Options { rate: 10, ..Options::default() }, from_ms)
}

fn good() -> Ended {
    Ended { answered: true, reconnected: false, failure: None }
}

fn bad(kind: &str) -> Ended {
    let why = Why { kind: kind.to_owned(), detail: "x".to_owned(), ours: false };
    Ended { answered: false, reconnected: false, failure: Some(why) }
}

fn add(tally: &mut Tally, due_ms: u64, now_ms: u64, ended: Ended) {
    tally.turn(0);
    tally.ended(due_ms, now_ms, (now_ms - due_ms) as f64, Lane::New, ended);
}

#[test]
fn what_was_in_flight_at_the_change_belongs_to_it() {
    let mut tally = tally(0);
    add(&mut tally, 0, 5, good());
    tally.mark_change(100);
    add(&mut tally, 90, 110, bad("connection reset"));
    let facts = tally.facts(200);
    assert_eq!((facts.before.failed, facts.after.failed), (0, 1));
    assert_eq!(facts.after.first_failure_ms, Some(90));
    tally.mark_change(150);
    assert_eq!(tally.facts(200).change_ms, Some(100), "a change begins once");
}

#[test]
fn a_gap_reaches_over_the_change_and_to_the_end() {
    let mut tally = tally(50);
    add(&mut tally, 50, 60, good());
    tally.mark_change(1000);
    assert_eq!(tally.facts(1000).before.longest_gap, Gap { from_ms: 60, until_ms: 1000 });
    add(&mut tally, 100, 1100, good());
    assert_eq!(tally.facts(1200).after.longest_gap, Gap { from_ms: 60, until_ms: 1100 });
    assert_eq!(tally.facts(5000).after.longest_gap, Gap { from_ms: 1100, until_ms: 5000 });
}

#[test]
fn a_service_that_never_answers_is_one_gap() {
    let mut tally = tally(10);
    for i in 0..20 {
        add(&mut tally, 10 + i * 100, 11 + i * 100, bad("connection refused"));
    }
    tally.closed_ms = Some(2010);
    assert_eq!(tally.facts(9000).before.longest_gap, Gap { from_ms: 10, until_ms: 2010 });
}

#[test]
fn only_the_first_failures_are_kept_one_by_one() {
    let mut tally = tally(0);
    for i in 0..1000 {
        add(&mut tally, i, i, bad("connection refused"));
    }
    let facts = tally.facts(1000);
    assert_eq!((facts.failures.len(), facts.before.failed), (MAX_FAILURES, 1000));
}

#[test]
fn a_late_turn_is_a_lag_and_a_missing_one_a_slow_pace() {
    let mut tally = tally(0);
    (0..200).for_each(|i| tally.turn(if i < 197 { 1 } else { 400 }));
    assert_eq!((tally.facts(19_900).pace.lag_p99_ms, tally.facts(19_900).pace.lag_max_ms), (400, 400));
    assert_eq!(tally.facts(19_900).pace.achieved, 10.0);
    assert_eq!(tally.facts(39_900).pace.achieved, 5.0);
    assert_eq!(tally.facts(39_900).open, 200);
}

#[test]
fn one_slow_turn_in_a_hundred_is_none() {
    let lags = |slow: u64| percentile(&BTreeMap::from([(1, 200 - slow), (400, slow)]), 200);
    assert_eq!((lags(2), lags(3)), (1, 400));
    assert_eq!(percentile(&BTreeMap::new(), 0), 0);
}

proptest! {
    #[test]
    fn the_sums_agree_whatever_happens(
        from in 0..1000_u64,
        change in prop::option::of(0..100_usize),
        requests in prop::collection::vec((0..50_u64, 0..3000_u64, 0..5_u8), 0..100),
    ) {
        let mut tally = tally(from);
        let mut now = from;
        for (i, (pause, took, what)) in requests.iter().enumerate() {
            now += pause;
            if Some(i) == change {
                tally.mark_change(now);
            }
            let ended = match what {
                0 | 1 => good(),
                2 => Ended { reconnected: true, ..good() },
                3 => bad("status 503"),
                _ => Ended::late(9),
            };
            add(&mut tally, now.saturating_sub(*took).max(from), now, ended);
        }
        let facts = tally.facts(now);
        prop_assert_eq!(facts.requests(), requests.len() as u64);
        prop_assert_eq!(facts.open, 0);
        prop_assert_eq!(facts.bins.iter().map(|bin| bin.requests).sum::<u64>(), facts.requests());
        prop_assert_eq!(facts.bins.iter().map(|bin| bin.failed).sum::<u64>(), facts.failed());
        let slowest = facts.bins.iter().map(|bin| bin.slowest_ms).fold(0.0, f64::max);
        prop_assert_eq!(slowest, facts.before.slowest_ms.max(facts.after.slowest_ms));
        for phase in [&facts.before, &facts.after] {
            prop_assert_eq!(phase.ok + phase.failed, phase.requests);
            prop_assert_eq!(phase.by_kind.values().sum::<u64>(), phase.failed);
            prop_assert!(phase.reconnected <= phase.ok && phase.late <= phase.failed);
            prop_assert!(phase.longest_gap.from_ms <= phase.longest_gap.until_ms);
            prop_assert!(phase.longest_gap.until_ms <= now);
        }
        // A snapshot changes nothing that was seen.
        prop_assert_eq!(tally.facts(now), facts.clone());
        let json = serde_json::to_string(&facts).unwrap();
        prop_assert_eq!(serde_json::from_str::<ProbeFacts>(&json).unwrap(), facts);
    }
}
