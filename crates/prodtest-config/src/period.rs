//! Durations, always with a unit.

use std::{borrow::Cow, fmt, str::FromStr, time::Duration};

use jiff::fmt::friendly::{FractionalUnit, Spacing, SpanParser, SpanPrinter};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What is longer is a mistake, and would overflow the clock of some system.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 60 * 60);

/// The same grammar for editors. Units go from large to small, each at most once; the last number may have a fraction.
const PATTERN: &str =
    r"^(?=[0-9])([0-9]+(\.[0-9]{1,9})?h)?([0-9]+(\.[0-9]{1,9})?m)?([0-9]+(\.[0-9]{1,9})?s)?([0-9]+(\.[0-9]{1,9})?ms)?$";

static PRINTER: SpanPrinter = SpanPrinter::new().spacing(Spacing::None).fractional(Some(FractionalUnit::Millisecond));

/// A duration with its unit: `500ms`, `2s`, `1m30s`, `10m`, `4h`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Period(pub Duration);

/// Why a text is no duration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidPeriod {
    /// A number alone.
    #[error("`{0}` has no unit\nhint: write `{0}s`, `{0}ms`, `{0}m` or `{0}h`")]
    NoUnit(String),
    /// Below zero.
    #[error("`{0}` is negative")]
    Negative(String),
    /// Longer than anybody waits.
    #[error("`{0}` is longer than a year")]
    TooLong(String),
    /// Anything else.
    #[error(
        "`{0}` is not a duration\nhint: write it with the units `h`, `m`, `s` and `ms`, as in `500ms`, `2s` or `1m30s`"
    )]
    Unreadable(String),
}

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, InvalidPeriod> {
        let number = text.strip_prefix(['-', '+']).unwrap_or(text);
        if text.starts_with('-') && number.starts_with(|c: char| c.is_ascii_digit()) {
            return Err(InvalidPeriod::Negative(text.to_owned()));
        }
        if number.parse::<f64>().is_ok() {
            return Err(InvalidPeriod::NoUnit(number.to_owned()));
        }
        if !is_compact(text) {
            return Err(InvalidPeriod::Unreadable(text.to_owned()));
        }
        let period = SpanParser::new().parse_unsigned_duration(text).map(Self);
        let period = period.map_err(|_| match text.trim_start_matches(|c: char| c.is_ascii_digit()) {
            // One huge number with a unit: readable, but not countable.
            "h" | "m" | "s" | "ms" => InvalidPeriod::TooLong(text.to_owned()),
            _ => InvalidPeriod::Unreadable(text.to_owned()),
        })?;
        if period.0 > LONGEST { Err(InvalidPeriod::TooLong(text.to_owned())) } else { Ok(period) }
    }
}

/// Numbers and our four units without spaces: of the library's many spellings, the one that the schema allows too.
fn is_compact(text: &str) -> bool {
    let is_number = |c: char| c.is_ascii_digit() || c == '.';
    let mut rest = text;
    while !rest.is_empty() {
        let after = rest.trim_start_matches(is_number);
        if !rest.starts_with(|c: char| c.is_ascii_digit()) || rest[..rest.len() - after.len()].ends_with('.') {
            return false;
        }
        rest = after.trim_start_matches(|c: char| !is_number(c));
        if !["h", "m", "s", "ms"].contains(&&after[..after.len() - rest.len()]) {
            return false;
        }
    }
    !text.is_empty()
}

impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_zero() { f.pad("0s") } else { f.pad(&PRINTER.unsigned_duration_to_string(&self.0)) }
    }
}

impl From<Duration> for Period {
    fn from(duration: Duration) -> Self {
        Self(duration)
    }
}

impl Serialize for Period {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct PeriodVisitor;
        impl de::Visitor<'_> for PeriodVisitor {
            type Value = Period;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration such as `2s`")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Period, E> {
                text.parse().map_err(E::custom)
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Period, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Period, E> {
                self.visit_str(&number.to_string())
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Period, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(PeriodVisitor)
    }
}

impl JsonSchema for Period {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Period".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": PATTERN,
            "description": "A duration with its unit.",
            "examples": ["500ms", "2s", "1m30s", "10m", "4h"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_shown_as_it_is_written() {
        for (text, millis) in [
            ("500ms", 500),
            ("2s", 2_000),
            ("1m30s", 90_000),
            ("10m", 600_000),
            ("4h", 14_400_000),
            ("1s500ms", 1_500),
            ("0s", 0),
        ] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.0, Duration::from_millis(millis), "{text}");
            assert_eq!(period.to_string(), text);
        }
    }

    #[test]
    fn every_duration_can_be_read_again() {
        for text in ["1.5s", "0.25ms", "90s", "1.5h", "3600s", "24h", "0ms", "100m"] {
            let period: Period = text.parse().unwrap();
            assert_eq!(period.to_string().parse(), Ok(period), "{text} -> {period}");
        }
        let odd = Period(Duration::new(3_661, 1_000_001));
        assert_eq!(odd.to_string().parse(), Ok(odd), "{odd}");
    }

    #[test]
    fn what_is_no_duration_says_why() {
        let error = |text: &str| text.parse::<Period>().unwrap_err().to_string();
        assert_eq!(error("10"), "`10` has no unit\nhint: write `10s`, `10ms`, `10m` or `10h`");
        assert!(error("1.5").starts_with("`1.5` has no unit"));
        assert_eq!(error("-2s"), "`-2s` is negative");
        assert_eq!(error("-2"), "`-2` is negative");
        assert_eq!(error("9999999h"), "`9999999h` is longer than a year");
        assert_eq!(error("99999999999999999999999h"), "`99999999999999999999999h` is longer than a year");
        for bad in [
            "",
            " ",
            "s",
            "2 s",
            "2 seconds",
            "2sec",
            "1d",
            "30s1m",
            "1.5m30s",
            "1..5s",
            "1.s",
            "2s ago",
            "PT2S",
            "٣s",
            "2s2s",
        ] {
            assert!(error(bad).contains("is not a duration"), "{bad}: {}", error(bad));
        }
    }

    #[test]
    fn the_plan_holds_text() {
        let json = serde_json::to_value(Period(Duration::from_secs(90))).unwrap();
        assert_eq!(json, serde_json::json!("1m30s"));
        assert_eq!(serde_json::from_value::<Period>(json).unwrap().0, Duration::from_secs(90));
        assert!(serde_json::from_value::<Period>(serde_json::json!(90)).is_err());
    }
}
