//! What the rollback gate will do in this run, with everything resolved but the secrets.

use std::{fmt, path::PathBuf, str::FromStr};

use prodtest_config::Period;
use prodtest_rollout::engine::plan;
use serde::{Deserialize, Serialize};

use crate::flags::Fault;

/// The plan of one run; kept in the run record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Plan {
    /// What is done.
    pub(crate) action: Action,
    /// Whether it is only shown.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) dry_run: bool,
    /// How the release is changed, and within which limits. Its image is that of the bad version, or without a tag.
    #[serde(flatten)]
    pub(crate) change: plan::Plan,
    /// How long the way back may take.
    pub(crate) rto: Period,
    /// How long it may take until a bad version is called bad.
    pub(crate) detection_time: Period,
    /// The share of requests that is to be answered well, in percent.
    pub(crate) availability: f64,
    /// What that is reckoned over.
    pub(crate) budget_window: Period,
    /// The smoke gate, played at the end; none where there are no scenarios, or nobody wants it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) smoke: Option<SmokePlan>,
    /// Migrations that earlier versions can live with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) reversible_migrations: Vec<String>,
    /// Whether it goes back across those that nobody says can be undone.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) across_migrations: bool,
    /// The version that must answer after `to`, where a person said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) expected: Option<String>,
    /// The checks that the selection leaves out, by name, with the reason.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) left_out: Vec<(String, String)>,
}

/// What is done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Action {
    /// The release goes back there.
    To(Target),
    /// A bad version is deployed, and undone.
    Drill(Fault),
    /// What a run that did not come to its end has changed is put back.
    Recover,
}

/// Where to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Target {
    /// The newest earlier one that was good.
    Previous,
    /// That one.
    Revision(u32),
    /// The newest earlier one of that version.
    Version(String),
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "previous" => Self::Previous,
            "" => return Err("the target is empty".to_owned()),
            number if number.bytes().all(|byte| byte.is_ascii_digit()) => {
                Self::Revision(number.parse().map_err(|_| format!("`{number}` is no number of a revision"))?)
            }
            version => Self::Version(version.to_owned()),
        })
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Previous => f.write_str("previous"),
            Self::Revision(number) => write!(f, "{number}"),
            Self::Version(version) => f.write_str(version),
        }
    }
}

/// How the smoke gate is called.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct SmokePlan {
    /// What it is told.
    pub(crate) arguments: Vec<String>,
    /// Where its reports go.
    pub(crate) out: PathBuf,
}

impl Plan {
    /// What a drill deploys that is bad.
    pub(crate) const fn fault(&self) -> Option<Fault> {
        match self.action {
            Action::Drill(fault) => Some(fault),
            Action::To(_) | Action::Recover => None,
        }
    }

    /// Why the selection leaves out the check of this name, if it does.
    pub(crate) fn left_out(&self, name: &str) -> Option<&str> {
        self.left_out.iter().find(|(known, _)| known == name).map(|(_, why)| why.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_a_revision_and_a_word_a_version() {
        let read = |text: &str| text.parse::<Target>();
        assert_eq!(read("previous"), Ok(Target::Previous));
        assert_eq!(read("12"), Ok(Target::Revision(12)));
        assert_eq!(read("1.2"), Ok(Target::Version("1.2".to_owned())));
        assert!(read("99999999999").is_err() && read("").is_err());
    }
}
