//! What is written down: the run, and the verdict of each revision. Pure.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Holder;

/// The version of what [`Journal`] and [`Verdict`] look like.
const SCHEMA: u32 = 1;

/// How many verdicts are kept beyond those of revisions that Helm still has.
pub const MOST_VERDICTS: usize = 50;

/// How far a run got. Each is written before what it names begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// The backup is stored; nothing was changed.
    BackedUp,
    /// Helm, or an apply, may have changed things.
    Upgrading,
    /// It has ended; what the cluster makes of it is watched.
    Watching,
    /// Things are being put back.
    RollingBack,
    /// Nothing is left to do.
    Done,
}

/// What becomes of a release that did not land.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OnFailure {
    /// Back to the last revision that was good; a first install is taken away.
    #[default]
    Rollback,
    /// It stays as it is, to be looked at.
    Keep,
}

/// What a run wrote down before it changed anything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Journal {
    /// The version of its shape.
    pub schema: u32,
    /// The gate.
    pub gate: String,
    /// Its run.
    pub run: String,
    /// Where it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// When it began.
    pub began: Timestamp,
    /// How far it got.
    pub phase: Phase,
    /// The revision that was there; none before a first install.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<u32>,
    /// The revision that it made, once it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<u32>,
    /// The revision to go back to; none where none was ever good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub good: Option<u32>,
    /// What becomes of a rollout that failed.
    pub on_failure: OnFailure,
    /// The backup's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backup: Option<String>,
    /// The digest that is to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The version that is to answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

impl Journal {
    /// The first entry of a run: backed up, nothing changed.
    #[must_use]
    pub fn new(holder: &Holder, began: Timestamp, on_failure: OnFailure) -> Self {
        Self {
            schema: SCHEMA,
            gate: holder.gate.clone(),
            run: holder.run.clone(),
            at: holder.at.clone(),
            began,
            phase: Phase::BackedUp,
            from: None,
            to: None,
            good: None,
            on_failure,
            backup: None,
            digest: None,
            version: None,
        }
    }

    /// Who wrote it.
    #[must_use]
    pub fn holder(&self) -> Holder {
        Holder { gate: self.gate.clone(), run: self.run.clone(), at: self.at.clone() }
    }
}

/// What a gate made of a revision. Helm calls a doomed one `deployed`, so its word is not enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Decision {
    /// It is good.
    Passed,
    /// It is not.
    Failed,
    /// It could not be told.
    Undetermined,
}

/// The verdict of a revision.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verdict {
    /// What came of it.
    pub verdict: Decision,
    /// The version that it was to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The digest that it was to run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The newest migration of the database that was there to be applied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub migration: Option<String>,
    /// When it was judged.
    pub at: Timestamp,
    /// By which gate.
    pub gate: String,
    /// Why, in a sentence.
    pub why: String,
}

/// All that is kept of a release.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// The last run.
    pub journal: Option<Journal>,
    /// The verdict of each revision.
    pub verdicts: BTreeMap<u32, Verdict>,
}

/// What is kept cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// It is none of ours.
    #[error("its key `{key}` is no journal of prodtest: {why}")]
    Garbage {
        /// The key of the ConfigMap.
        key: &'static str,
        /// Where it ends to be one.
        why: String,
    },
    /// It is of a later version.
    #[error("it was written by a later version of prodtest: its schema is {schema}, this one knows {SCHEMA}")]
    Later {
        /// Its schema.
        schema: u64,
    },
}

/// The keys of the ConfigMap.
pub(super) const JOURNAL: &str = "journal";
pub(super) const VERDICTS: &str = "verdicts";
/// Where what could not be read is put aside.
pub(super) const UNREADABLE: &str = "journal-unreadable";

type Data = BTreeMap<String, String>;

impl Kept {
    /// Reads the data of a ConfigMap.
    ///
    /// # Errors
    /// When a key holds something else.
    pub fn read(data: &Data) -> Result<Self, Unreadable> {
        let journal = data.get(JOURNAL).map(|text| read_journal(text)).transpose()?;
        let verdicts = match data.get(VERDICTS) {
            Some(text) => serde_json::from_str(text).map_err(|error| garbage(VERDICTS, &error))?,
            None => BTreeMap::new(),
        };
        Ok(Self { journal, verdicts })
    }

    /// Adds a verdict. Kept are those of the revisions that Helm still has, and the newest [`MOST_VERDICTS`] of all.
    pub fn decide(&mut self, revision: u32, verdict: Verdict, in_history: &[u32]) {
        self.verdicts.insert(revision, verdict);
        let newest: Vec<u32> = self.verdicts.keys().rev().take(MOST_VERDICTS).copied().collect();
        self.verdicts.retain(|one, _| newest.contains(one) || in_history.contains(one));
    }
}

fn read_journal(text: &str) -> Result<Journal, Unreadable> {
    let document: serde_json::Value = serde_json::from_str(text).map_err(|error| garbage(JOURNAL, &error))?;
    if let Some(schema) = document["schema"].as_u64().filter(|schema| *schema > u64::from(SCHEMA)) {
        return Err(Unreadable::Later { schema });
    }
    serde_json::from_value(document).map_err(|error| garbage(JOURNAL, &error))
}

fn garbage(key: &'static str, error: &serde_json::Error) -> Unreadable {
    Unreadable::Garbage { key, why: error.to_string() }
}

/// What a run of it was doing.
impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::BackedUp => "about to upgrade",
            Self::Upgrading => "upgrading",
            Self::Watching => "watching",
            Self::RollingBack => "rolling back",
            Self::Done => "done",
        })
    }
}

#[cfg(test)]
mod tests;
