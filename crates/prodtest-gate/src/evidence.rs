//! What a check measured.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The unit of a measured number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Milliseconds.
    Milliseconds,
    /// Whole days.
    Days,
    /// Bytes.
    Bytes,
    /// A plain count.
    Count,
}

/// A measured or limiting value: a number with its unit, or a word.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum Quantity {
    /// A number and its unit.
    Number {
        /// The number, in `unit`.
        number: f64,
        /// Its unit.
        unit: Unit,
    },
    /// Anything that is not a number: a status word, a version, a digest.
    Text(String),
}

impl Quantity {
    /// A duration in milliseconds.
    #[must_use]
    pub const fn milliseconds(number: f64) -> Self {
        Self::Number { number, unit: Unit::Milliseconds }
    }

    /// A count of things.
    #[must_use]
    pub const fn count(number: u32) -> Self {
        Self::Number { number: number as f64, unit: Unit::Count }
    }
}

impl fmt::Display for Quantity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number { number, unit: Unit::Milliseconds } if *number >= 1000.0 => {
                let seconds = format!("{:.2}", number / 1000.0);
                write!(f, "{} s", seconds.trim_end_matches('0').trim_end_matches('.'))
            }
            Self::Number { number, unit: Unit::Milliseconds } if *number >= 10.0 || *number == 0.0 => {
                write!(f, "{number:.0} ms")
            }
            Self::Number { number, unit: Unit::Milliseconds } => write!(f, "{number:.1} ms"),
            Self::Number { number, unit: Unit::Days } if *number == 1.0 => f.write_str("1 day"),
            Self::Number { number, unit: Unit::Days } => write!(f, "{number:.0} days"),
            Self::Number { number, unit: Unit::Count } => write!(f, "{number:.0}"),
            Self::Number { number, unit: Unit::Bytes } => write_bytes(f, *number),
        }
    }
}

fn write_bytes(f: &mut fmt::Formatter<'_>, bytes: f64) -> fmt::Result {
    const STEP: f64 = 1024.0;
    if bytes < STEP {
        write!(f, "{bytes:.0} B")
    } else if bytes < STEP * STEP {
        write!(f, "{:.1} KiB", bytes / STEP)
    } else {
        write!(f, "{:.1} MiB", bytes / (STEP * STEP))
    }
}

/// One thing a check measured, beside the limit it was held against.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// What was measured, `GET /api/health`.
    pub name: String,
    /// What it was.
    pub value: Quantity,
    /// What it was held against, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Quantity>,
}

impl Evidence {
    /// A measurement without a limit.
    #[must_use]
    pub fn new(name: impl Into<String>, value: Quantity) -> Self {
        Self { name: name.into(), value, limit: None }
    }

    /// The same, held against `limit`.
    #[must_use]
    pub fn limited(mut self, limit: Quantity) -> Self {
        self.limit = Some(limit);
        self
    }
}

/// A row of numbers for a plot, each at its place in the row or, with `times`, at its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Series {
    /// What the numbers are, `duration of each request`.
    pub name: String,
    /// Their unit.
    pub unit: Unit,
    /// The numbers, in order.
    pub values: Vec<f64>,
    /// A limit to draw across, in the same unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<f64>,
    /// When each number was measured or, of a span of time, when the span began, in milliseconds of the run; as many as
    /// there are numbers, or none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub times: Vec<f64>,
    /// What happened meanwhile, on the axis of `times`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub marks: Vec<Mark>,
}

impl Series {
    /// Numbers without a limit or times.
    #[must_use]
    pub fn new(name: impl Into<String>, unit: Unit, values: Vec<f64>) -> Self {
        Self { name: name.into(), unit, values, limit: None, times: Vec::new(), marks: Vec::new() }
    }

    /// The same, held against `limit`.
    #[must_use]
    pub fn limited(mut self, limit: Option<f64>) -> Self {
        self.limit = limit;
        self
    }

    /// The same, measured at `times`, while `marks` happened.
    #[must_use]
    pub fn over_time(mut self, times: Vec<f64>, marks: Vec<Mark>) -> Self {
        self.times = times;
        self.marks = marks;
        self
    }
}

/// Something that happened while a series was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Mark {
    /// When, in milliseconds, on the axis of the series' `times`.
    pub at_ms: f64,
    /// What. It may quote a cluster: hostile text.
    pub label: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantities_carry_their_unit() {
        let shown = |number, unit| Quantity::Number { number, unit }.to_string();
        assert_eq!(shown(3.26, Unit::Milliseconds), "3.3 ms");
        assert_eq!(shown(250.4, Unit::Milliseconds), "250 ms");
        assert_eq!(shown(2000.0, Unit::Milliseconds), "2 s");
        assert_eq!(shown(2049.0, Unit::Milliseconds), "2.05 s");
        assert_eq!(shown(1.0, Unit::Days), "1 day");
        assert_eq!(shown(1536.0, Unit::Bytes), "1.5 KiB");
    }

    #[test]
    fn a_series_without_times_is_written_as_ever() {
        let series = Series::new("a", Unit::Count, vec![1.0]);
        assert_eq!(serde_json::to_string(&series).unwrap(), r#"{"name":"a","unit":"count","values":[1.0]}"#);
        let mark = Mark { at_ms: 5.0, label: "b".to_owned() };
        let timed = series.over_time(vec![0.0], vec![mark]);
        let json = serde_json::to_string(&timed).unwrap();
        assert!(json.ends_with(r#""times":[0.0],"marks":[{"at-ms":5.0,"label":"b"}]}"#), "{json}");
        assert_eq!(serde_json::from_str::<Series>(&json).unwrap(), timed);
    }
}
