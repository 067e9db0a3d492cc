//! The horizontal axis: the place in a row, or the time.

use prodtest_gate::{Series, Unit};

use super::{LEFT, RIGHT, TICKS, WIDTH, position, rounded, shown, step};

const SECOND: f64 = 1000.0;
/// Room for a word of the axis, `1234.5 s`.
const WORD: f64 = 60.0;

/// A word under the axis.
#[derive(Debug, PartialEq)]
pub(crate) struct Word {
    pub(crate) x: f64,
    /// The `text-anchor`.
    pub(crate) anchor: &'static str,
    pub(crate) label: String,
}

/// Where along the axis a value stands.
pub(super) enum Axis {
    /// One slot for each of so many values.
    Row(usize),
    /// A stretch of time in milliseconds, and how long one value's part of it is.
    Time { from: f64, until: f64, slot: f64 },
}

impl Axis {
    /// The axis of a series, of which `kept` values can be drawn: of time, if each value has one.
    pub(super) fn of(series: &Series, kept: usize) -> Self {
        let is_timed = series.times.len() == series.values.len() && series.times.iter().all(|time| time.is_finite());
        let from = series.times.iter().copied().reduce(f64::min);
        let last = series.times.iter().copied().reduce(f64::max);
        match (from, last) {
            (Some(from), Some(last)) if is_timed && (last - from).is_finite() => {
                // One value's part is taken to be as long as the shortest distance of two.
                let mut sorted = series.times.clone();
                sorted.sort_by(f64::total_cmp);
                let distances = sorted.windows(2).map(|two| two[1] - two[0]).filter(|distance| *distance > 0.0);
                let slot = distances.reduce(f64::min).unwrap_or(SECOND);
                let until = last + slot;
                // Of huge times the next second is the same number.
                if until > from { Self::Time { from, until, slot } } else { Self::Row(kept) }
            }
            _ => Self::Row(kept),
        }
    }

    pub(super) const fn is_timed(&self) -> bool {
        matches!(self, Self::Time { .. })
    }

    /// The x of a place in the row, or of a time.
    pub(super) fn x(&self, at: f64) -> f64 {
        let (from, length) = match self {
            Self::Row(count) => (0.0, position(*count)),
            Self::Time { from, until, .. } => (*from, until - from),
        };
        LEFT + (WIDTH - LEFT - RIGHT) * (at - from) / length
    }

    /// The width of one value's part.
    pub(super) fn slot(&self) -> f64 {
        match self {
            Self::Row(_) => self.x(1.0) - self.x(0.0),
            Self::Time { from, slot, .. } => self.x(from + slot) - self.x(*from),
        }
    }

    /// Whether a time is on it.
    pub(super) fn has(&self, time: f64) -> bool {
        matches!(self, Self::Time { from, until, .. } if (*from..=*until).contains(&time))
    }

    /// The words under it: first and last of a row, round numbers of seconds of a time.
    pub(super) fn words(&self) -> Vec<Word> {
        let (from, until) = match self {
            Self::Row(count) => {
                let first = Word { x: LEFT, anchor: "start", label: "1".to_owned() };
                return vec![first, Word { x: WIDTH - RIGHT, anchor: "end", label: count.to_string() }];
            }
            Self::Time { from, until, .. } => (from / SECOND, until / SECOND),
        };
        // About twice as many as on the other axis: this one is longer.
        let step = step((until - from) / (2.0 * TICKS));
        let first = (from / step).ceil();
        (0..32)
            .map(|i| (first + f64::from(i)) * step)
            .take_while(|seconds| *seconds <= until)
            .map(|seconds| (self.x(seconds * SECOND), seconds))
            .map(|(x, seconds)| Word {
                x: rounded(x),
                anchor: if x + WORD / 2.0 > WIDTH { "end" } else { "middle" },
                label: time(seconds * SECOND),
            })
            .collect()
    }
}

/// A time of the run, `12.5 s`.
pub(super) fn time(milliseconds: f64) -> String {
    match milliseconds {
        0.0 => "0 s".to_owned(),
        _ => shown(milliseconds, Unit::Milliseconds),
    }
}
