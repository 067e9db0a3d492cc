//! What a probe has seen so far, kept where an interruption cannot take it away.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use tokio::{sync::watch, time::Instant};

use super::{
    bins::Bins,
    facts::{FailedRequest, Gap, Lane, Pace, PhaseFacts, ProbeFacts},
    outcome::{Ended, LATE},
    target::{Options, Target},
};

/// How many failed requests are kept one by one.
const MAX_FAILURES: usize = 100;
/// A lag beyond this is counted as this.
const MAX_LAG_MS: u64 = 60_000;

/// The record of one probe, written by each of its requests.
pub(super) struct Record {
    begin: Instant,
    settled: watch::Sender<u64>,
    tally: Mutex<Tally>,
}

impl Record {
    /// Nothing seen yet; the first request is due now.
    pub(super) fn new(target: &Target, options: &Options, begin: Instant) -> Self {
        let from_ms = since(begin, Instant::now());
        let tally = Tally::new(target, options, from_ms);
        Self { begin, settled: watch::Sender::new(0), tally: Mutex::new(tally) }
    }

    pub(super) fn settled(&self) -> watch::Receiver<u64> {
        self.settled.subscribe()
    }

    pub(super) fn mark_change(&self) {
        self.lock().mark_change(since(self.begin, Instant::now()));
    }

    /// No request is due from now on.
    pub(super) fn close(&self) {
        self.lock().closed_ms = Some(since(self.begin, Instant::now()));
    }

    /// The turn of a request has come that was due at `due`.
    pub(super) fn turn(&self, due: Instant) {
        self.lock().turn(since(due, Instant::now()));
    }

    /// A request has ended that was due at `due`.
    pub(super) fn ended(&self, due: Instant, lane: Lane, ended: Ended) {
        let settled = {
            let mut tally = self.lock();
            // Under the lock, so that answers are in the order of their times.
            let now = Instant::now();
            let took_ms = (now.saturating_duration_since(due).as_secs_f64() * 10_000.0).round() / 10.0;
            tally.ended(since(self.begin, due), since(self.begin, now), took_ms, lane, ended);
            tally.facts.requests()
        };
        self.settled.send_replace(settled);
    }

    pub(super) fn facts(&self) -> ProbeFacts {
        self.lock().facts(since(self.begin, Instant::now()))
    }

    fn lock(&self) -> MutexGuard<'_, Tally> {
        self.tally.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn since(begin: Instant, now: Instant) -> u64 {
    u64::try_from(now.saturating_duration_since(begin).as_millis()).unwrap_or(u64::MAX)
}

/// The sums. Without a clock: it is told what time it is.
struct Tally {
    facts: ProbeFacts,
    bins: Bins,
    turns: u64,
    /// How many turns came so many milliseconds after their time.
    lags: BTreeMap<u64, u64>,
    last_ok_ms: u64,
    closed_ms: Option<u64>,
}

impl Tally {
    fn new(target: &Target, options: &Options, from_ms: u64) -> Self {
        let facts = ProbeFacts {
            url: target.name(),
            status: target.status,
            timeout_ms: u64::try_from(options.timeout.as_millis()).unwrap_or(u64::MAX),
            from_ms,
            pace: Pace { asked: options.rate.max(1), ..Pace::default() },
            ..ProbeFacts::default()
        };
        Self { facts, bins: Bins::new(from_ms), turns: 0, lags: BTreeMap::new(), last_ok_ms: from_ms, closed_ms: None }
    }

    fn phase(&mut self) -> &mut PhaseFacts {
        if self.facts.change_ms.is_some() { &mut self.facts.after } else { &mut self.facts.before }
    }

    fn mark_change(&mut self, now_ms: u64) {
        if self.facts.change_ms.is_none() {
            self.no_answer_until(now_ms);
            self.facts.change_ms = Some(now_ms);
        }
    }

    fn turn(&mut self, lag_ms: u64) {
        self.turns += 1;
        *self.lags.entry(lag_ms.min(MAX_LAG_MS)).or_default() += 1;
        self.facts.pace.lag_max_ms = self.facts.pace.lag_max_ms.max(lag_ms);
    }

    fn ended(&mut self, due_ms: u64, now_ms: u64, took_ms: f64, lane: Lane, ended: Ended) {
        self.bins.add(due_ms, ended.failure.is_some(), took_ms);
        if ended.failure.is_none() {
            self.no_answer_until(now_ms);
            self.last_ok_ms = self.last_ok_ms.max(now_ms);
        }
        let phase = self.phase();
        phase.requests += 1;
        phase.answered += u64::from(ended.answered);
        phase.slowest_ms = phase.slowest_ms.max(took_ms);
        let Some(why) = ended.failure else {
            phase.ok += 1;
            phase.reconnected += u64::from(ended.reconnected);
            return;
        };
        phase.failed += 1;
        phase.late += u64::from(why.kind == LATE);
        phase.ours += u64::from(why.ours);
        phase.first_failure_ms = Some(phase.first_failure_ms.map_or(due_ms, |first| first.min(due_ms)));
        *phase.by_kind.entry(why.kind.clone()).or_default() += 1;
        if self.facts.failures.len() < MAX_FAILURES {
            self.facts.failures.push(FailedRequest { at_ms: due_ms, lane, kind: why.kind, detail: why.detail });
        }
    }

    /// The time since the last good answer has come to an end, or is looked at.
    fn no_answer_until(&mut self, now_ms: u64) {
        let gap = Gap { from_ms: self.last_ok_ms, until_ms: now_ms.max(self.last_ok_ms) };
        let phase = self.phase();
        if gap.length_ms() > phase.longest_gap.length_ms() {
            phase.longest_gap = gap;
        }
    }

    fn facts(&mut self, now_ms: u64) -> ProbeFacts {
        let until_ms = self.closed_ms.unwrap_or(now_ms).max(self.facts.from_ms);
        self.no_answer_until(until_ms);
        let pace = &mut self.facts.pace;
        let seconds = (until_ms - self.facts.from_ms) as f64 / 1000.0;
        // The first is due at once: of one a second there are two within the first second.
        let due = (seconds * f64::from(pace.asked)).floor() + 1.0;
        pace.achieved = (f64::from(pace.asked) * (self.turns as f64 / due).min(1.0) * 100.0).round() / 100.0;
        pace.lag_p99_ms = percentile(&self.lags, self.turns);
        ProbeFacts {
            until_ms,
            open: self.turns.saturating_sub(self.facts.requests()),
            bin_ms: self.bins.length_ms(),
            bins: self.bins.bins().to_vec(),
            ..self.facts.clone()
        }
    }
}

/// What 99 in 100 do not exceed.
fn percentile(lags: &BTreeMap<u64, u64>, turns: u64) -> u64 {
    let within = turns - turns / 100;
    let mut seen = 0;
    let reaches = |(lag, count): (&u64, &u64)| {
        seen += count;
        (seen >= within).then_some(*lag)
    };
    lags.iter().find_map(reaches).unwrap_or_default()
}

#[cfg(test)]
mod tests;
