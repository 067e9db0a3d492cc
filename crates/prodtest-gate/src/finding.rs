//! One located problem.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{CheckId, Pardon, Severity};

/// The rule of the finding that every undetermined check carries.
pub const RULE_UNDETERMINED: &str = "undetermined";
/// The rule of a finding about something a gate made and could not take away again.
pub const RULE_CLEANUP: &str = "cleanup";

/// A line of a file that a person can open and change.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Place {
    /// The file, relative to the repository or working folder where that is possible, with `/` between folders.
    pub file: String,
    /// The line, from 1.
    pub line: u32,
    /// The column, from 1, in characters.
    pub column: u32,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}:{}", self.file, self.line, self.column)
    }
}

/// One located problem: what was expected, what was seen, where, and what to do.
///
/// Messages are lower-case fragments without a full stop, with back-ticks round literals, understandable without
/// colour. Texts that come from the system under test are hostile: renderers escape them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// The check it belongs to.
    pub check: CheckId,
    /// Which rule of the check was broken, `status`.
    pub rule: String,
    /// What it was broken by, `spawn`: stable from run to run, so no times, ids or hashes.
    pub subject: String,
    /// How much it matters.
    pub severity: Severity,
    /// One line that says it all.
    pub message: String,
    /// What was expected.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What was seen instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<String>,
    /// Why it is thought to be so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// What to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// A command that shows more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
    /// Where it can be mended, or at least where it was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// The same in every report and every run: SHA-256 of check, rule and subject, in hexadecimal.
    pub fingerprint: String,
    /// Why it does not count, if it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pardon: Option<Pardon>,
}

impl Finding {
    /// A finding with what it must have; the rest is added by the methods below or by field.
    #[must_use]
    pub fn new(check: &CheckId, rule: &str, subject: impl Into<String>, message: impl Into<String>) -> Self {
        let subject = subject.into();
        let fingerprint = fingerprint(check, rule, &subject);
        Self {
            check: check.clone(),
            rule: rule.to_owned(),
            subject,
            severity: Severity::default(),
            message: message.into(),
            expected: None,
            seen: None,
            because: None,
            help: None,
            command: None,
            place: None,
            fingerprint,
            pardon: None,
        }
    }

    /// Adds what was expected and what was seen instead.
    #[must_use]
    pub fn expected(mut self, expected: impl Into<String>, seen: impl Into<String>) -> Self {
        self.expected = Some(expected.into());
        self.seen = Some(seen.into());
        self
    }

    /// Adds where it is.
    #[must_use]
    pub fn at(mut self, place: Option<Place>) -> Self {
        self.place = place;
        self
    }

    /// Adds what to do about it.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// SHA-256 over the three parts, each followed by a byte that none of them may hold.
fn fingerprint(check: &CheckId, rule: &str, subject: &str) -> String {
    let mut hasher = Sha256::new();
    for part in [check.as_str(), rule, subject] {
        hasher.update(part.as_bytes());
        hasher.update([0]);
    }
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_depends_on_check_rule_and_subject_alone() {
        let id: CheckId = "smoke/health".parse().unwrap();
        let finding = |rule: &str, subject: &str, message: &str| Finding::new(&id, rule, subject, message).fingerprint;
        assert_eq!(finding("status", "get", "was 500"), finding("status", "get", "was 502"));
        assert_ne!(finding("status", "get", "x"), finding("statusg", "et", "x"));
        assert_eq!(finding("status", "get", "x").len(), 64);
    }
}
