//! Whether a user noticed.

use prodtest_config::Period;
use prodtest_gate::Quantity;
use serde::{Deserialize, Serialize};

use super::facts::{PhaseFacts, ProbeFacts};

/// What a change may cost, and what a probe must achieve to be believed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Limits {
    /// Failed requests after the change began.
    pub max_failed: u64,
    /// The longest time without a good answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_gap: Option<Period>,
    /// Requests that had to be sent on a new connection, because the kept one was gone. None: as many as there are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_reconnected: Option<u64>,
    /// The share of the requests asked for whose turn must have come.
    pub min_pace: f64,
    /// By how much the turn of 99 in 100 requests may have come after its time.
    pub max_lag: Period,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_failed: 0,
            max_gap: None,
            max_reconnected: None,
            min_pace: 0.9,
            max_lag: Period(std::time::Duration::from_millis(250)),
        }
    }
}

/// What a probe's facts mean.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeVerdict {
    /// Served throughout.
    Served,
    /// A user noticed.
    Broken(Vec<Problem>),
    /// It cannot be told, and why.
    Unknown(String),
}

/// One thing that a user noticed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which limit was passed: `failed-requests`, `gap`, `reconnected`.
    pub rule: &'static str,
    /// What happened.
    pub message: String,
    /// What was asked for.
    pub expected: String,
    /// What was measured.
    pub seen: String,
}

impl ProbeFacts {
    /// Holds the facts against limits.
    ///
    /// A service that failed already before the change says nothing of the change: unknown, with the reason. So is a
    /// probe that could not keep its schedule, whatever it saw, and one to which nothing ever answered. Without any
    /// request before the change there is nothing to compare with, and what failed after it counts.
    #[must_use]
    pub fn judge(&self, limits: &Limits) -> ProbeVerdict {
        if let Some(why) = self.unknown(limits) {
            return ProbeVerdict::Unknown(why);
        }
        let problems: Vec<Problem> =
            [self.failures(limits), self.gap(limits), self.reconnections(limits)].into_iter().flatten().collect();
        if problems.is_empty() { ProbeVerdict::Served } else { ProbeVerdict::Broken(problems) }
    }

    fn unknown(&self, limits: &Limits) -> Option<String> {
        let (before, after) = (&self.before, &self.after);
        if self.requests() == 0 {
            return Some("the probe sent no request that ended".to_owned());
        }
        if before.answered + after.answered == 0 {
            let seen = kinds(&[before, after]);
            return Some(format!("`{}` never answered the probe, before the change or after it: {seen}", self.url));
        }
        if let Some(why) = self.starved(limits) {
            return Some(why);
        }
        if before.failed > 0 {
            let (failed, requests) = (before.failed, before.requests);
            let seen = kinds(&[before]);
            return Some(format!("{failed} of {requests} requests failed already before the change: {seen}"));
        }
        if self.change_ms.is_none() {
            return Some("the change never began while the probe ran".to_owned());
        }
        if after.requests == 0 {
            return Some("no request ended after the change began".to_owned());
        }
        if after.ours > 0 && after.failed - after.ours <= limits.max_failed {
            return Some(format!("{} requests failed for reasons on this side: {}", after.ours, kinds(&[after])));
        }
        None
    }

    /// Why what was seen may be this machine's doing.
    fn starved(&self, limits: &Limits) -> Option<String> {
        let (pace, most) = (&self.pace, limits.max_lag);
        let wanted = f64::from(pace.asked) * limits.min_pace;
        if pace.achieved < wanted {
            let (achieved, asked) = (pace.achieved, pace.asked);
            return Some(format!("this machine was too busy: {achieved} of {asked} requests a second were sent"));
        }
        (u128::from(pace.lag_p99_ms) > most.0.as_millis()).then(|| {
            let lag = ms(pace.lag_p99_ms);
            format!("this machine was too busy: requests were sent up to {lag} after their time, and {most} is allowed")
        })
    }

    fn failures(&self, limits: &Limits) -> Option<Problem> {
        let after = &self.after;
        (after.failed > limits.max_failed).then(|| Problem {
            rule: "failed-requests",
            message: format!(
                "{} of {} requests failed, the first {}: {}",
                after.failed,
                after.requests,
                self.when(after.first_failure_ms.unwrap_or_default()),
                kinds(&[after])
            ),
            expected: match limits.max_failed {
                0 => "no failed request".to_owned(),
                most => format!("at most {most} failed requests"),
            },
            seen: format!("{} failed requests", after.failed),
        })
    }

    fn gap(&self, limits: &Limits) -> Option<Problem> {
        let (gap, most) = (self.after.longest_gap, limits.max_gap?);
        (u128::from(gap.length_ms()) > most.0.as_millis()).then(|| Problem {
            rule: "gap",
            message: format!("no good answer came for {}, {}", ms(gap.length_ms()), self.when(gap.from_ms)),
            expected: format!("a good answer at least every {most}"),
            seen: format!("none for {}", ms(gap.length_ms())),
        })
    }

    fn reconnections(&self, limits: &Limits) -> Option<Problem> {
        let (seen, most) = (self.after.reconnected, limits.max_reconnected?);
        (seen > most).then(|| Problem {
            rule: "reconnected",
            message: format!("{seen} requests found their kept connection gone"),
            expected: format!("at most {most}"),
            seen: seen.to_string(),
        })
    }

    /// A time of the facts, told from the change.
    fn when(&self, at_ms: u64) -> String {
        let change = self.change_ms.unwrap_or_default();
        match at_ms.checked_sub(change) {
            Some(after) => format!("{} after the change began", ms(after)),
            None => format!("{} before the change began", ms(change - at_ms)),
        }
    }
}

/// `3 × connection refused, 1 × status 503`, the commonest first.
fn kinds(phases: &[&PhaseFacts]) -> String {
    let mut counts: Vec<(u64, &str)> = Vec::new();
    for (kind, count) in phases.iter().flat_map(|phase| &phase.by_kind) {
        match counts.iter_mut().find(|(_, known)| known == kind) {
            Some((sum, _)) => *sum += count,
            None => counts.push((*count, kind)),
        }
    }
    counts.sort_by(|one, two| two.cmp(one));
    counts.iter().map(|(count, kind)| format!("{count} × {kind}")).collect::<Vec<_>>().join(", ")
}

fn ms(number: u64) -> String {
    Quantity::milliseconds(number as f64).to_string()
}

#[cfg(test)]
mod tests;
