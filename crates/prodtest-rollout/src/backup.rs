//! All objects of a release, kept so that they can be put back.
//!
//! [`collect`] reads the live objects and cleans them of what the cluster owns; a [`Backup`] is kept in Secrets of the
//! namespace ([`Secrets`]) or in a file ([`write_file`]), with a checksum; [`restore`] puts it back by server-side apply
//! and compares what is there then with what was kept.
//!
//! Invariant: what a backup holds is secret. It has no `Debug` of its contents, and no error or fact quotes them.

mod clean;
mod collect;
mod compare;
mod file;
mod pack;
mod restore;
mod secrets;

use std::fmt;

use base64::{Engine, prelude::BASE64_STANDARD};
use jiff::Timestamp;
use prodtest_gate::Rule;
use prodtest_kube::ClusterError;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::apply::{NoObject, Reference};

pub use clean::clean;
pub use collect::collect;
pub use compare::{Difference, compare};
pub use file::{read_file, write_file};
pub use restore::{LeftOut, RestoreFacts, restore};
pub use secrets::{KEPT, Secrets};

/// The objects of a release as they were.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Backup {
    /// The version of its shape.
    pub schema: u32,
    /// The release.
    pub release: String,
    /// Its namespace.
    pub namespace: String,
    /// When it was made.
    pub made: Timestamp,
    /// The objects, cleaned of what the cluster owns.
    pub objects: Vec<Value>,
    /// Objects of the release that were not there.
    #[serde(default)]
    pub missing: Vec<Reference>,
    /// The Secrets in which Helm keeps the release, its values among it.
    #[serde(default)]
    pub helm: Vec<Value>,
}

/// How much, and not what.
impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup")
            .field("release", &self.release)
            .field("namespace", &self.namespace)
            .field("made", &self.made)
            .field("objects", &self.objects.len())
            .field("missing", &self.missing)
            .field("helm", &self.helm.len())
            .finish()
    }
}

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// An object does not say what it is.
    #[error("the release has an object that cannot be kept: {0}")]
    NoObject(#[from] NoObject),
    /// What was kept is not what was written.
    #[error("the backup `{from}` cannot be used: {why}")]
    Damaged {
        /// Which.
        from: String,
        /// Why.
        why: String,
    },
    /// The folder or the file cannot be used.
    #[error("the backup cannot be kept in `{place}`: {why}")]
    Unwritable {
        /// The folder or file.
        place: String,
        /// Why.
        why: String,
    },
    /// The cluster did not do it.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

impl BackupError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::NoObject(_) => None,
            Self::Damaged { .. } => Some("use another one: the newest three are kept".to_owned()),
            Self::Unwritable { .. } => {
                Some("name a folder that only this user can enter: `--backup-dir DIR`".to_owned())
            }
            Self::Cluster(error) => error.hint(),
        }
    }
}

/// What one must be allowed to do for backups in Secrets of the namespace; to read and put back the objects themselves
/// takes [`crate::apply::rules`].
#[must_use]
pub fn rules(namespace: &str) -> Vec<Rule> {
    vec![Rule::new(namespace, "", &["secrets"], &["get", "list", "create", "delete", "patch"])]
}

/// The values of a Secret, as its object has them, those that are text: for whoever keeps them out of reports.
#[must_use]
pub fn secret_texts(secret: &Value) -> Vec<String> {
    let of = |field: &str| secret[field].as_object().into_iter().flat_map(|map| map.values()).filter_map(Value::as_str);
    let decoded = of("data").filter_map(|text| String::from_utf8(BASE64_STANDARD.decode(text).ok()?).ok());
    decoded.chain(of("stringData").map(str::to_owned)).collect()
}

fn damaged(from: &str, why: impl fmt::Display) -> BackupError {
    BackupError::Damaged { from: from.to_owned(), why: why.to_string() }
}
