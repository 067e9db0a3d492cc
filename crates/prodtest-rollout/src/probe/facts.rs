//! What a probe saw, as plain facts: a part of the run record.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a probe saw. Its size is bounded, however long it ran. All times are in milliseconds, counted from the `begin`
/// that the probe was given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ProbeFacts {
    /// What was asked for, without its query.
    pub url: String,
    /// The status that counts as good.
    pub status: u16,
    /// The deadline of each request.
    pub timeout_ms: u64,
    /// When the first request was due.
    pub from_ms: u64,
    /// When the last one could have been due.
    pub until_ms: u64,
    /// When the change began, if it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub change_ms: Option<u64>,
    /// What ended before the change.
    pub before: PhaseFacts,
    /// What ended after it began.
    pub after: PhaseFacts,
    /// How many requests had not ended when this was written.
    pub open: u64,
    /// Whether the probe itself did its part.
    pub pace: Pace,
    /// How long one bin is: a second, or more in a run of more than an hour.
    pub bin_ms: u64,
    /// What became of the requests that were due in each bin, the bins in their order and without a gap.
    pub bins: Vec<Bin>,
    /// The first failed requests, in the order in which they ended.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<FailedRequest>,
}

/// What became of the requests that ended before the change, or after it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct PhaseFacts {
    /// Requests that ended, and those that could not be sent: the sum of `ok` and `failed`.
    pub requests: u64,
    /// Answered as they should be.
    pub ok: u64,
    /// All others.
    pub failed: u64,
    /// Of all requests those that showed a sign of the service, be it a wrong one.
    pub answered: u64,
    /// Of `ok`, those whose kept connection was gone before a byte of the answer.
    pub reconnected: u64,
    /// Of `failed`, those that could not be sent because too many others still waited.
    pub late: u64,
    /// Of `failed`, those whose cause was on this side.
    pub ours: u64,
    /// `failed` by what it looked like: `connection refused`, `status 503`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub by_kind: BTreeMap<String, u64>,
    /// When the first failed request was due.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_failure_ms: Option<u64>,
    /// The longest that a request took, from when it was due.
    pub slowest_ms: f64,
    /// The longest time without a good answer that ended in this phase; it may have begun in the one before.
    pub longest_gap: Gap,
}

/// A time without a good answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Gap {
    /// When the last good answer before it came, or the probe began.
    pub from_ms: u64,
    /// When the next one came, or the probe or its phase ended.
    pub until_ms: u64,
}

impl Gap {
    /// How long it is.
    #[must_use]
    pub const fn length_ms(self) -> u64 {
        self.until_ms.saturating_sub(self.from_ms)
    }
}

/// How well the schedule was kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Pace {
    /// Requests a second that were asked for.
    pub asked: u32,
    /// Requests a second whose turn came, whether there was room for them or not.
    pub achieved: f64,
    /// How long after its time the turn of a request came, of 99 in 100 at most.
    pub lag_p99_ms: u64,
    /// The same, of all.
    pub lag_max_ms: u64,
}

/// The requests that were due in one span of time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Bin {
    /// When it begins.
    pub at_ms: u64,
    /// How many ended.
    pub requests: u64,
    /// How many of them failed.
    pub failed: u64,
    /// The longest that one of them took.
    pub slowest_ms: f64,
}

/// One failed request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct FailedRequest {
    /// When it was due.
    pub at_ms: u64,
    /// How it was sent.
    pub lane: Lane,
    /// What it looked like, a key of [`PhaseFacts::by_kind`].
    pub kind: String,
    /// The particulars. They may quote the service: hostile text.
    pub detail: String,
}

/// How a request was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Lane {
    /// On a connection of its own.
    New,
    /// On a kept connection, if one was there.
    Kept,
}

impl ProbeFacts {
    /// Requests that ended.
    #[must_use]
    pub const fn requests(&self) -> u64 {
        self.before.requests + self.after.requests
    }

    /// Of them, those that failed.
    #[must_use]
    pub const fn failed(&self) -> u64 {
        self.before.failed + self.after.failed
    }
}
