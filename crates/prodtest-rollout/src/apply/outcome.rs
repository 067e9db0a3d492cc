//! What came of an object. Pure.

use std::fmt;

use prodtest_kube::{ClusterError, Problem};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Reference;

/// What came of an object, as a fact: no value of it is in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Applied {
    /// Which.
    pub object: Reference,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Outcome {
    /// It was not there.
    Created,
    /// It was there, and is another now.
    Configured,
    /// It was there, just so.
    Unchanged,
    /// Somebody else owns a field, and the apply was not forced.
    Conflict {
        /// What the cluster says of it: the owner and the fields.
        message: String,
    },
    /// The cluster did not take it: it is invalid, forbidden, or refused by a quota or an admission webhook.
    Refused {
        /// What the cluster says.
        message: String,
    },
    /// The cluster could not be asked, so that nobody knows.
    Unknown {
        /// Why.
        message: String,
    },
}

impl Outcome {
    /// Whether the object is there as it was given.
    #[must_use]
    pub const fn is_there(&self) -> bool {
        matches!(self, Self::Created | Self::Configured | Self::Unchanged)
    }

    /// From what was there before, and what is there now.
    pub(super) fn of(before: Option<&Value>, after: &Value) -> Self {
        let version = |object: &Value| object.pointer("/metadata/resourceVersion").cloned();
        match before {
            None => Self::Created,
            Some(before) if version(before) == version(after) => Self::Unchanged,
            Some(_) => Self::Configured,
        }
    }

    /// From what the cluster said instead. `secret`: its words quote values, and are left out.
    pub(super) fn failed(error: &ClusterError, secret: bool) -> Self {
        let hidden = |message: &String| {
            if secret { "its words are left out, for they may quote a Secret".to_owned() } else { message.clone() }
        };
        match &error.problem {
            Problem::Refused { code: 409, message } => Self::Conflict { message: hidden(message) },
            Problem::Refused { code: code @ 400..=499, message } if *code != 429 => {
                Self::Refused { message: hidden(message) }
            }
            Problem::Forbidden(_) | Problem::NotFound => Self::Refused { message: error.to_string() },
            _ => Self::Unknown { message: error.to_string() },
        }
    }
}

/// In one line.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Created => f.write_str("created"),
            Self::Configured => f.write_str("configured"),
            Self::Unchanged => f.write_str("unchanged"),
            Self::Conflict { message } => write!(f, "owned by somebody else: {message}"),
            Self::Refused { message } => write!(f, "refused: {message}"),
            Self::Unknown { message } => write!(f, "unknown: {message}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn failed(problem: Problem, secret: bool) -> Outcome {
        let error = ClusterError { asked: "apply it".to_owned(), server: "a".to_owned(), problem, rule: None };
        Outcome::failed(&error, secret)
    }

    fn refused(code: u16) -> Problem {
        Problem::Refused { code, message: "s3cret".to_owned() }
    }

    #[test]
    fn an_outcome_is_told_by_the_version() {
        let object = |version: &str| json!({ "metadata": { "resourceVersion": version } });
        assert_eq!(Outcome::of(None, &object("1")), Outcome::Created);
        assert_eq!(Outcome::of(Some(&object("1")), &object("1")), Outcome::Unchanged);
        assert_eq!(Outcome::of(Some(&object("1")), &object("2")), Outcome::Configured);
    }

    #[test]
    fn a_refusal_is_told_from_an_api_that_is_not_there() {
        assert!(matches!(failed(refused(409), false), Outcome::Conflict { .. }));
        assert!(matches!(failed(refused(422), false), Outcome::Refused { .. }));
        assert!(matches!(failed(Problem::Forbidden("quota".to_owned()), false), Outcome::Refused { .. }));
        for problem in [refused(429), refused(503), Problem::Unreachable("refused".to_owned())] {
            assert!(matches!(failed(problem, false), Outcome::Unknown { .. }));
        }
    }

    #[test]
    fn the_words_about_a_secret_are_not_kept() {
        for code in [409, 422] {
            assert!(!format!("{:?}", failed(refused(code), true)).contains("s3cret"));
        }
    }
}
