//! The `precheck` section of `prodtest.yaml`: what each check is told is with the check.

use prodtest_config::{FilePath, Located, Period};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::checks::{backups, cluster, database, migrations, nodes, permissions, redis, runbooks, secrets, vault};

/// What must be in order before a deployment.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// How long each check may take; `10s` when left out. All are made side by side.
    pub(crate) deadline: Option<Period>,
    /// The cluster itself.
    pub(crate) cluster: cluster::Section,
    /// What the later gates must be allowed to do.
    pub(crate) permissions: permissions::Section,
    /// The nodes of the cluster.
    pub(crate) nodes: nodes::Section,
    /// The `helm` program; the first in `PATH` when left out.
    pub(crate) helm: Option<Located<FilePath>>,
    /// Secrets that must be there beside those that the chart refers to, each with the keys that it must have; all that it
    /// has are looked at where none is named. Of each that is there, no value may be empty, be one line with an end of line
    /// after it, or be a placeholder, in whatever case: `changeme`, `change-me`, `change_me`, `replaceme`, `replace-me`,
    /// `replace_me`, `todo`, `tbd`, `fixme`, `example`, `placeholder`, `dummy`, `your-secret-here`, nothing but three `x` or
    /// more, or all of it in `<…>`, `${…}` or `{{…}}`. None when left out.
    pub(crate) secrets: secrets::Section,
    /// The Vault of the service; its check is skipped when left out.
    pub(crate) vault: Option<vault::Section>,
    /// The database of the service, which must be PostgreSQL; its check is skipped when left out.
    pub(crate) database: Option<database::Section>,
    /// The migrations of that database; their check is skipped when left out.
    pub(crate) migrations: Option<migrations::Section>,
    /// The Redis of the service; its check is skipped when left out.
    pub(crate) redis: Option<redis::Section>,
    /// How old the newest backup may be.
    pub(crate) backups: backups::Section,
    /// What somebody reads when it burns.
    pub(crate) runbooks: runbooks::Section,
}
