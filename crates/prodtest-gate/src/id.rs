//! The stable name of a check.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize};

/// The id of a check, `gate/name`: the same word in code, reports, documents and SARIF rules.
///
/// Both halves are lower-case letters, digits and hyphens, so that an id is safe in a file name, a URL fragment, an
/// environment variable's suffix and a SARIF `ruleId` without escaping.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct CheckId(String);

/// Why a text is no check id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a check id: expected `gate/name` in lower-case letters, digits and hyphens")]
pub struct InvalidCheckId(String);

impl CheckId {
    /// Joins a gate's name and a check's name.
    ///
    /// # Errors
    /// When either half is empty or has a character other than `a-z`, `0-9` and `-`.
    pub fn new(gate: &str, name: &str) -> Result<Self, InvalidCheckId> {
        let id = format!("{gate}/{name}");
        if is_word(gate) && is_word(name) { Ok(Self(id)) } else { Err(InvalidCheckId(id)) }
    }

    /// Turns any text into the name half of an id: what is not a letter or a digit becomes one hyphen.
    ///
    /// Takes `should respond to /health`, returns `should-respond-to-health`; empty when nothing is left.
    #[must_use]
    pub fn slug(text: &str) -> String {
        let mut slug = String::with_capacity(text.len());
        for c in text.chars() {
            if c.is_ascii_alphanumeric() {
                slug.push(c.to_ascii_lowercase());
            } else if !slug.is_empty() && !slug.ends_with('-') {
                slug.push('-');
            }
        }
        slug.truncate(slug.trim_end_matches('-').len());
        slug
    }

    /// The whole id, `smoke/health`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The gate's half, `smoke`.
    #[must_use]
    pub fn gate(&self) -> &str {
        self.0.split_once('/').map_or("", |(gate, _)| gate)
    }

    /// The check's half, `health`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, name)| name)
    }
}

fn is_word(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

impl FromStr for CheckId {
    type Err = InvalidCheckId;

    fn from_str(text: &str) -> Result<Self, InvalidCheckId> {
        let (gate, name) = text.split_once('/').ok_or_else(|| InvalidCheckId(text.to_owned()))?;
        Self::new(gate, name)
    }
}

impl fmt::Display for CheckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for CheckId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl JsonSchema for CheckId {
    fn schema_name() -> Cow<'static, str> {
        "CheckId".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[a-z0-9-]+/[a-z0-9-]+$",
            "description": "A check's id, `gate/name`.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_two_plain_halves() {
        let id: CheckId = "smoke/agent-lifecycle".parse().unwrap();
        assert_eq!((id.gate(), id.name()), ("smoke", "agent-lifecycle"));
        for bad in ["smoke", "smoke/", "/x", "Smoke/x", "smoke/a b", "smoke/a/b", "smoke/é"] {
            assert!(bad.parse::<CheckId>().is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn a_slug_keeps_letters_and_digits() {
        assert_eq!(CheckId::slug("Smoke › should GET /api/health (200)!"), "smoke-should-get-api-health-200");
        assert_eq!(CheckId::slug("  "), "");
    }
}
