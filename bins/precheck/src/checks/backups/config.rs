//! Where backups are, as the configuration says.

use prodtest_config::{FilePath, Located, Period};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How old the newest good backup may be, and where it is looked for.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// How old the newest good backup may be, the recovery point objective; `4h` when left out.
    pub(crate) max_age: Option<Period>,
    /// Where backups are looked for; the check is skipped when left out.
    pub(crate) from: Option<Located<Source>>,
}

/// Where backups are looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Source {
    /// A CronJob of the namespace, by name: when it last succeeded.
    CronJob(String),
    /// The VolumeSnapshots of the namespace with these labels, `app=postgres`: when the newest that is ready was made.
    VolumeSnapshots(String),
    /// What pgBackRest says: when the newest backup without an error was done, of each stanza.
    Pgbackrest(Pgbackrest),
    /// The Backups of Velero: when the newest that is `Completed` was done.
    Velero(Velero),
    /// A program and its arguments, which prints when the newest good backup was done: an RFC 3339 time, or the seconds of
    /// Unix.
    Command(Vec<String>),
}

/// How pgBackRest is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pgbackrest {
    /// The program and its arguments: `[pgbackrest, info, --output=json]`, by whatever leads to where it is.
    Command(Vec<String>),
    /// A file with what it printed.
    File(FilePath),
}

/// The Backups of Velero.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Velero {
    /// The namespace that Velero is in.
    pub(crate) namespace: String,
    /// The Schedule that makes them; those of all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) schedule: Option<String>,
}
