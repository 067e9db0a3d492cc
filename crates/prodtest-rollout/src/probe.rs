//! What a user would notice: a steady stream of requests while something changes.
//!
//! Requests are sent on an open-loop schedule: each has its time, and a server that stalls does not slow it down, so
//! that a stall of a second costs as many requests as users would have sent in it. Every second request opens a
//! connection of its own, the others go over kept ones: a rollout hurts the two in different ways. New ones meet pods
//! that no longer listen, or do not yet; kept ones stay with a pod until its end.
//!
//! What counts as noticed:
//! - No answer, for whatever reason, or one with another status than the one asked for, is a *failed* request. 429 has a
//!   name of its own, for it may be the probe that was too much.
//! - A kept connection may be closed by the server whenever it likes, and HTTP clients that find it so before a byte of
//!   the answer came send a safe request once more on a new one (RFC 9110, 9.2.2; [`prodtest_http::Client::send`] does
//!   the same). That is *reconnected*: told, and not failed, unless [`Limits`] say so. Whatever ends in the middle of
//!   an answer is failed, and so is the second try.
//! - A request for which there is no room, because too many still wait for an answer, is *late*, and failed.
//!
//! What happened before the change and after it is kept apart by the moment at which a request ended: one that was in
//! flight when the change began belongs to the change.

mod bins;
mod control;
mod facts;
mod judge;
mod outcome;
mod record;
mod schedule;
mod series;
mod target;

use std::{sync::Arc, time::Duration};

use prodtest_http::Client;
use tokio::{
    sync::{Notify, watch},
    task::JoinHandle,
    time::Instant,
};

pub use control::{ControlRun, controls, run_controls};
pub use facts::{Bin, FailedRequest, Gap, Lane, Pace, PhaseFacts, ProbeFacts};
pub use judge::{Limits, ProbeVerdict, Problem};
pub use series::series;
pub use target::{Options, Target};

use record::Record;

/// A probe at work, a task of the runtime that it was started in. It ends with this.
pub struct Probe {
    record: Arc<Record>,
    enough: Arc<Notify>,
    task: JoinHandle<()>,
    /// How long the last requests can take once no more are sent.
    patience: Duration,
}

impl Probe {
    /// Begins to send requests. `begin` is the zero of all times in the facts: the beginning of the run, or of whatever
    /// else they are to be shown beside.
    #[must_use]
    pub fn start(client: Client, target: Target, options: Options, begin: Instant) -> Self {
        let record = Arc::new(Record::new(&target, &options, begin));
        let enough = Arc::new(Notify::new());
        // An answer may come a moment after the deadline struck.
        let patience = options.timeout + Duration::from_secs(1);
        let task = tokio::spawn(schedule::run(client, target, options, Arc::clone(&record), Arc::clone(&enough)));
        Self { record, enough, task, patience }
    }

    /// The change begins now: what ends from here on is its doing.
    pub fn mark_change(&self) {
        self.record.mark_change();
    }

    /// How many requests have ended so far, to be watched: a change may wait for enough of them before it begins.
    #[must_use]
    pub fn settled(&self) -> watch::Receiver<u64> {
        self.record.settled()
    }

    /// Waits until that many more requests have ended, each of which has its deadline.
    pub async fn more(&self, requests: u64) {
        let mut settled = self.settled();
        let enough = settled.borrow().saturating_add(requests);
        // Whoever sends is there for as long as this is.
        let _ = settled.wait_for(|ended| *ended >= enough).await;
    }

    /// What was seen so far.
    #[must_use]
    pub fn snapshot(&self) -> ProbeFacts {
        self.record.facts()
    }

    /// Sends no more, waits for the answers that are still due, each of which has its deadline, and tells all.
    pub async fn stop(mut self) -> ProbeFacts {
        self.record.close();
        self.enough.notify_one();
        // Whatever became of the task, what was seen is in the record.
        let _ = tokio::time::timeout(self.patience, &mut self.task).await;
        self.record.facts()
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.task.abort();
    }
}
