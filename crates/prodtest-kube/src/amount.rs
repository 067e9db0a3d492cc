//! Amounts as Kubernetes writes them: `500m`, `2Gi`, `1e3`.

use std::fmt;

use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// The finest step that Kubernetes knows is `n`.
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>
const ONE: i128 = 1_000_000_000;
const SUFFIXES: [(&str, i128); 16] = [
    ("Ki", ONE << 10),
    ("Mi", ONE << 20),
    ("Gi", ONE << 30),
    ("Ti", ONE << 40),
    ("Pi", ONE << 50),
    ("Ei", ONE << 60),
    ("n", 1),
    ("u", 1_000),
    ("m", 1_000_000),
    ("", ONE),
    ("k", ONE * 1_000),
    ("M", ONE * 1_000_000),
    ("G", ONE * 1_000_000_000),
    ("T", ONE * 1_000_000_000_000),
    ("P", ONE * 1_000_000_000_000_000),
    ("E", ONE * 1_000_000_000_000_000_000),
];

/// An amount of something, in billionths. What is finer is rounded up, what is larger than can be counted is the largest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Amount(i128);

impl Amount {
    /// So many whole ones.
    #[must_use]
    pub const fn whole(number: u32) -> Self {
        Self(number as i128 * ONE)
    }

    /// As Kubernetes writes it; none, where it is none.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (negative, rest) = match text.strip_prefix('-') {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix('+').unwrap_or(text)),
        };
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, suffix) = rest.split_at(end);
        let (whole, part) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{part}");
        if digits.is_empty() || part.contains('.') {
            return None;
        }
        let digits: i128 = digits.parse().ok()?;
        let part = i32::try_from(part.len()).ok()?;
        let scaled = match SUFFIXES.iter().find(|(known, _)| *known == suffix) {
            Some((_, unit)) => digits.checked_mul(*unit).map(|amount| tenth(amount, part)),
            None => {
                let exponent: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
                let exponent = exponent.checked_sub(part)?;
                let amount = digits.checked_mul(ONE)?;
                if exponent < 0 {
                    Some(tenth(amount, exponent.checked_neg()?))
                } else {
                    10_i128.checked_pow(exponent.unsigned_abs()).and_then(|power| amount.checked_mul(power))
                }
            }
        };
        let amount = scaled.unwrap_or(i128::MAX);
        Some(Self(if negative { -amount } else { amount }))
    }

    /// The sum.
    #[must_use]
    pub const fn plus(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }

    /// The difference; it may be less than none.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }

    /// So many times as much.
    #[must_use]
    pub fn times(self, number: u32) -> Self {
        Self(self.0.saturating_mul(i128::from(number)))
    }

    /// Whether it is more than so many times another.
    #[must_use]
    pub fn exceeds_ratio(self, other: Self, ratio: Self) -> bool {
        self.0.saturating_mul(ONE) > other.0.saturating_mul(ratio.0)
    }

    /// In whole ones and their parts, bytes or processors, for what is a share and need not be exact.
    #[must_use]
    pub fn number(self) -> f64 {
        self.0 as f64 / ONE as f64
    }

    /// As a person writes it of that resource: `1500m` of `cpu`, `1.5Gi` of `memory`.
    #[must_use]
    pub fn of(self, resource: &str) -> String {
        let bytes = ["memory", "storage", "hugepages"].iter().any(|word| resource.contains(word));
        let unit = SUFFIXES[..6].iter().rev().find(|(_, unit)| bytes && self.0.abs() >= *unit);
        match unit {
            Some((suffix, unit)) if self.0 % unit == 0 => format!("{}{suffix}", self.0 / unit),
            Some((suffix, unit)) => format!("{:.1}{suffix}", self.0 as f64 / *unit as f64),
            None => self.to_string(),
        }
    }
}

/// Divided by ten so many times, rounded up.
fn tenth(amount: i128, times: i32) -> i128 {
    let power = 10_i128.checked_pow(times.unsigned_abs()).unwrap_or(i128::MAX);
    amount / power + i128::from(amount % power != 0)
}

/// In a form that can be read again.
impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let unit = [("", ONE), ("m", 1_000_000), ("u", 1_000)].into_iter().find(|(_, unit)| self.0 % unit == 0);
        let (suffix, unit) = unit.unwrap_or(("n", 1));
        write!(f, "{}{suffix}", self.0 / unit)
    }
}

impl TryFrom<&Quantity> for Amount {
    type Error = String;

    fn try_from(quantity: &Quantity) -> Result<Self, String> {
        Self::read(&quantity.0).ok_or_else(|| format!("`{}` is no amount", quantity.0))
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is no amount")))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Amount {
        Amount::read(text).unwrap_or_else(|| panic!("{text}"))
    }

    #[test]
    fn one_amount_is_written_in_many_ways() {
        for (one, other) in [
            ("0.5", "500m"),
            (".5", "500m"),
            ("1.", "1000m"),
            ("1Gi", "1073741824"),
            ("1.5Gi", "1536Mi"),
            ("2E", "2e18"),
            ("1e3", "1k"),
            ("1E-3", "1m"),
            ("1.25e1", "12500m"),
            ("+3", "3"),
            ("-1k", "-1000"),
            ("100n", "0.1u"),
        ] {
            assert_eq!(read(one), read(other), "{one} {other}");
        }
        assert!(read("0.1n") > read("0"), "rounded up");
        assert!(read("9999999999Ei") > read("1Ei"), "too large to be counted is large");
    }

    #[test]
    fn what_is_no_amount_is_told() {
        for bad in ["", ".", "1.2.3", "Gi", "1gi", "1 Gi", "1KB", "1e", "ten", "--1", "1mi", "0x10"] {
            assert_eq!(Amount::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_amount_is_shown_as_a_person_writes_it() {
        let shown = |text: &str, resource: &str| read(text).of(resource);
        assert_eq!(shown("1.5", "requests.cpu"), "1500m");
        assert_eq!(shown("2000m", "cpu"), "2");
        assert_eq!(shown("134217728", "memory"), "128Mi");
        assert_eq!(shown("1.5Gi", "limits.memory"), "1.5Gi");
        assert_eq!(shown("512", "memory"), "512");
        assert_eq!(shown("3", "pods"), "3");
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same(number in 0_i128..1_000_000_000_000_000_000_000, negative: bool) {
            let amount = Amount(if negative { -number } else { number });
            prop_assert_eq!(Amount::read(&amount.to_string()), Some(amount));
        }

        #[test]
        fn no_text_upsets_it(text in "[-+0-9.eEkKMGinum ]{0,12}") {
            let _ = Amount::read(&text);
        }
    }
}
