//! Reasoned exceptions.

use jiff::civil::Date;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{CheckId, Place};

/// What a waiver excuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum WaiverTarget {
    /// A whole check, whatever it finds.
    Check(CheckId),
    /// One finding, by its fingerprint.
    Finding(String),
}

/// A named person's reasoned exception to one finding or check, with an expiry date.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Waiver {
    /// What is excused.
    pub target: WaiverTarget,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds (UTC).
    #[schemars(with = "String")]
    pub expires: Date,
    /// Where it is written.
    pub place: Place,
}

/// Why a check or finding does not count towards the verdict, though its outcome stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", tag = "by")]
pub enum Pardon {
    /// A waiver.
    Waiver {
        /// Who answers for it.
        owner: String,
        /// Why.
        reason: String,
        /// Until when.
        #[schemars(with = "String")]
        expires: Date,
    },
    /// `--allow-undetermined`.
    AllowUndetermined,
}

impl std::fmt::Display for Pardon {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Waiver { owner, reason, expires } => write!(f, "waived by {owner} until {expires}: {reason}"),
            Self::AllowUndetermined => f.write_str("allowed by `--allow-undetermined`"),
        }
    }
}
