//! What a server did is what the probe counts.

use std::time::Duration;

use prodtest_rollout::probe::{Lane, Options, PhaseFacts};

use crate::server::{Deed, Server, settled};

const QUICK: Options = Options { rate: 100, timeout: Duration::from_secs(2), concurrency: 256 };

/// The first requests as scripted, all others good.
async fn after(deeds: &'static [Deed], requests: u64) -> (PhaseFacts, u64) {
    let at = |n: u64| usize::try_from(n).ok().and_then(|n| deeds.get(n)).copied().unwrap_or(Deed::Answer(200));
    let server = Server::start(at).await;
    let facts = server.probed(QUICK, requests).await;
    assert_eq!((facts.open, facts.before.requests), (0, 0));
    (facts.after, server.requests())
}

fn kinds(phase: &PhaseFacts) -> Vec<(&str, u64)> {
    phase.by_kind.iter().map(|(kind, count)| (kind.as_str(), *count)).collect()
}

#[tokio::test]
async fn a_good_server_is_counted_request_by_request() {
    let (after, came) = after(&[], 20).await;
    assert_eq!((after.ok, after.failed, after.reconnected, after.requests), (came, 0, 0, came));
}

#[tokio::test]
async fn every_wrong_status_is_failed_and_429_has_its_name() {
    let deeds = &[Deed::Answer(503), Deed::Answer(429), Deed::Answer(302), Deed::Answer(503)];
    let (after, came) = after(deeds, 20).await;
    let seen = [("status 302", 1), ("status 429 (too many requests)", 1), ("status 503", 2)];
    assert_eq!((kinds(&after), after.ok), (seen.to_vec(), came - 4));
}

#[tokio::test]
async fn a_new_connection_that_is_closed_is_failed() {
    // Requests are on new connections and on kept ones in turn, and the first kept one is new too.
    let (after, came) = after(&[Deed::Close, Deed::Close], 20).await;
    assert_eq!((kinds(&after), after.failed), (vec![("connection closed without an answer", 2)], 2));
    assert_eq!((after.requests, after.reconnected), (came, 0));
}

#[tokio::test]
async fn a_reset_in_the_body_is_failed_on_either_lane() {
    let (after, came) = after(&[Deed::ResetInBody, Deed::ResetInBody, Deed::Answer(200), Deed::ResetInBody], 20).await;
    assert_eq!((kinds(&after), after.requests), (vec![("connection reset", 3)], came));
}

#[tokio::test]
async fn a_kept_connection_that_ends_idle_is_reconnected_and_not_failed() {
    let server = Server::start(|_| Deed::Answer(200)).await;
    let probe = server.probe(Options { rate: 10, ..QUICK });
    for seen in [2, 6] {
        settled(&probe, seen).await;
        server.close_idle();
    }
    settled(&probe, 10).await;
    let facts = probe.stop().await;
    assert_eq!((facts.before.failed, facts.before.reconnected), (0, 2), "{facts:?}");
    assert_eq!(facts.requests(), server.requests());
}

#[tokio::test]
async fn a_kept_connection_that_ends_under_the_request_is_tried_once_more() {
    // The third request of the kept lane is closed on; it comes again, on a new connection.
    let server = Server::start(|n| if n == 5 { Deed::Close } else { Deed::Answer(200) }).await;
    let facts = server.probed(QUICK, 20).await;
    assert_eq!((facts.after.failed, facts.after.reconnected), (0, 1), "{facts:?}");
    assert_eq!(facts.after.requests + 1, server.requests());
}

#[tokio::test]
async fn the_second_try_is_the_last() {
    let server = Server::start(|n| if n == 5 || n == 6 { Deed::Close } else { Deed::Answer(200) }).await;
    let facts = server.probed(QUICK, 20).await;
    assert_eq!((facts.after.failed, facts.after.reconnected), (1, 0), "{facts:?}");
    let failure = &facts.failures[0];
    assert_eq!((failure.lane, failure.kind.as_str()), (Lane::Kept, "connection closed without an answer"));
}

#[tokio::test]
async fn no_answer_within_the_deadline_is_failed() {
    let server = Server::start(|n| if n == 2 { Deed::Stall(Duration::from_secs(60)) } else { Deed::Answer(200) }).await;
    let facts = server.probed(Options { timeout: Duration::from_millis(400), ..QUICK }, 60).await;
    assert_eq!(kinds(&facts.after), [("no answer in time", 1)]);
    assert!((400.0..2000.0).contains(&facts.after.slowest_ms), "{}", facts.after.slowest_ms);
}
