//! A service that stalls, turns bad, or is gone while it is probed.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use prodtest_config::Period;
use prodtest_rollout::probe::{Limits, Options, ProbeVerdict};

use crate::server::{Deed, Server, settled};

const STEADY: Options = Options { rate: 50, timeout: Duration::from_secs(5), concurrency: 256 };

/// How busy the machine is that runs the tests is not what they are about.
fn patient() -> Limits {
    Limits { min_pace: 0.0, max_lag: Period(Duration::from_secs(60)), ..Limits::default() }
}

/// A switch, and a script that stands good until it is on.
fn turning(then: Deed) -> (Arc<AtomicBool>, impl Fn(u64) -> Deed + Send + Sync + 'static) {
    let switch = Arc::new(AtomicBool::new(false));
    let seen = Arc::clone(&switch);
    (switch, move |_| if seen.load(Ordering::SeqCst) { then } else { Deed::Answer(200) })
}

#[tokio::test]
async fn a_stalled_server_does_not_slow_the_schedule_down() {
    let begun = std::time::Instant::now();
    let pause = Duration::from_secs(1);
    let came = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&came);
    // Everything that comes before the end of the stall waits for it.
    let stall = move |_| {
        let left = pause.saturating_sub(begun.elapsed());
        counter.fetch_add(u64::from(!left.is_zero()), Ordering::SeqCst);
        Deed::Stall(left)
    };
    let server = Server::start(stall).await;
    let facts = server.probed(STEADY, 75).await;
    let in_the_stall = facts.bins.first().map_or(0, |bin| bin.requests);
    assert!((48..=50).contains(&in_the_stall), "{in_the_stall} requests were due in the first second");
    let came = came.load(Ordering::SeqCst);
    assert!((40..=50).contains(&came), "{came} requests came while none was answered");
    assert_eq!((facts.after.failed, facts.after.late), (0, 0));
    assert!(facts.after.longest_gap.length_ms() >= 900, "{:?}", facts.after.longest_gap);
    assert!(facts.after.slowest_ms >= 900.0, "measured from when it was due: {}", facts.after.slowest_ms);
    assert!(facts.pace.achieved > 45.0, "{:?}", facts.pace);
}

#[tokio::test]
async fn what_has_no_room_is_late_and_failed() {
    let server = Server::start(|_| Deed::Stall(Duration::from_secs(60))).await;
    let options = Options { concurrency: 3, timeout: Duration::from_millis(900), ..STEADY };
    let facts = server.probed(options, 30).await;
    let (late, failed) = (facts.after.late, facts.after.failed);
    assert_eq!((failed, facts.after.by_kind["not sent in time"]), (facts.after.requests, late));
    assert_eq!(failed - late, server.requests());
    assert!(late >= 20 && facts.failures.iter().any(|one| one.detail.starts_with("3 others")), "{facts:?}");
}

#[tokio::test]
async fn a_service_that_turns_bad_at_the_change_is_broken_by_it() {
    let (switch, script) = turning(Deed::Answer(503));
    let server = Server::start(script).await;
    let probe = server.probe(STEADY);
    settled(&probe, 10).await;
    assert!(matches!(probe.snapshot().judge(&patient()), ProbeVerdict::Unknown(_)), "nothing has changed yet");
    probe.mark_change();
    switch.store(true, Ordering::SeqCst);
    settled(&probe, 20).await;
    let facts = probe.stop().await;
    assert_eq!(facts.before.failed, 0);
    let ProbeVerdict::Broken(problems) = facts.judge(&patient()) else { panic!("{facts:?}") };
    assert_eq!(problems[0].rule, "failed-requests");
    assert!(problems[0].message.contains("status 503"), "{}", problems[0].message);
}

#[tokio::test]
async fn a_service_that_was_bad_before_is_not() {
    let server = Server::start(|n| Deed::Answer(if n == 3 { 503 } else { 200 })).await;
    let probe = server.probe(STEADY);
    settled(&probe, 10).await;
    probe.mark_change();
    settled(&probe, 20).await;
    let ProbeVerdict::Unknown(why) = probe.stop().await.judge(&patient()) else { panic!() };
    assert!(why.ends_with("requests failed already before the change: 1 × status 503"), "{why}");
}

#[tokio::test]
async fn a_service_that_goes_away_refuses_connections() {
    let server = Server::start(|_| Deed::Answer(200)).await;
    let probe = server.probe(STEADY);
    settled(&probe, 10).await;
    probe.mark_change();
    drop(server);
    settled(&probe, 30).await;
    let facts = probe.stop().await;
    assert!(facts.after.by_kind["connection refused"] >= 15, "{facts:?}");
    assert!(matches!(facts.judge(&patient()), ProbeVerdict::Broken(_)));
    let gap = facts.after.longest_gap;
    assert!(gap.length_ms() > 200 && gap.until_ms == facts.until_ms, "{gap:?}");
}

#[tokio::test]
async fn a_probe_that_is_dropped_sends_no_more() {
    let server = Server::start(|_| Deed::Answer(200)).await;
    let probe = server.probe(Options { rate: 200, ..STEADY });
    settled(&probe, 5).await;
    drop(probe);
    // Those under way may still arrive; then nothing comes for the time of many requests.
    tokio::time::sleep(Duration::from_millis(100)).await;
    let came = server.requests();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(server.requests(), came);
}
