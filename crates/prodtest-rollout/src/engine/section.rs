//! The `deploy` section of `prodtest.yaml`: how a release is changed, by whichever gate.

use prodtest_config::{FilePath, Located, Period};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{helm::ValuesMode, journal::OnFailure, watch::Patience};

/// How the deploy gate deploys, and what it holds a rollout against.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Section {
    /// How long the rollout may take, from the start of Helm; `10m` when left out.
    #[serde(default)]
    pub timeout: Option<Period>,
    /// How long evidence that may pass is given, before it is called doom.
    #[serde(default)]
    pub patience: Patience,
    /// What becomes of a release that did not land: `rollback` when left out.
    #[serde(default)]
    pub on_failure: Option<OnFailure>,
    /// How long the way back may take; `5m` when left out. A budget of its own: what the rollout used up is not missing.
    #[serde(default)]
    pub rollback_timeout: Option<Period>,
    /// What becomes of values that were given to an earlier revision and are not in the values files:
    /// `reset-then-reuse` when left out.
    #[serde(default)]
    pub values_mode: Option<ValuesMode>,
    /// How long a hook may take; `5m` when left out, as with Helm.
    #[serde(default)]
    pub hook_timeout: Option<Period>,
    /// The folder with the migrations of the database. The name of the newest is kept with the verdict of a revision, so
    /// that it is known across which of them a rollback would go; not looked at when left out.
    #[serde(default)]
    pub migrations: Option<Located<FilePath>>,
    /// The `helm` program; the first in `PATH` when left out.
    #[serde(default)]
    pub helm: Option<Located<FilePath>>,
    /// The steady probe, which sees the rollout as users do.
    #[serde(default)]
    pub probe: ProbeSection,
    /// Where the service says which version it is.
    #[serde(default)]
    pub identity: Option<IdentitySection>,
}

/// The steady probe: one request after the other at a steady rate, each second one on a connection of its own.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct ProbeSection {
    /// What is asked for; `/` when left out.
    pub path: Option<String>,
    /// Requests a second; 20 when left out.
    pub rate: Option<u32>,
    /// The status that is right; 200 when left out.
    pub status: Option<u16>,
    /// How long an answer may take; `2s` when left out.
    pub timeout: Option<Period>,
    /// How many requests may fail; none when left out.
    pub max_failed: Option<u32>,
    /// The longest time without any good answer; not held against anything when left out.
    pub max_gap: Option<Period>,
}

/// Where the service says which version it is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct IdentitySection {
    /// What is asked for, `/api/health`.
    pub path: String,
    /// Where in the JSON of the answer the version is, `version` or `data.version`.
    pub field: String,
}
