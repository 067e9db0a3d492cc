//! The `deploy` section of `prodtest.yaml`.

use prodtest_config::{FilePath, Located, Period};
use prodtest_rollout::{helm::ValuesMode, watch::Patience};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the deploy gate deploys, and what it holds a rollout against.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Section {
    /// How long the rollout may take, from the start of Helm; `10m` when left out.
    #[serde(default)]
    pub(crate) timeout: Option<Period>,
    /// How long evidence that may pass is given, before it is called doom.
    #[serde(default)]
    pub(crate) patience: Patience,
    /// What becomes of a release that did not land: `rollback` when left out.
    #[serde(default)]
    pub(crate) on_failure: Option<OnFailure>,
    /// How long the way back may take; `5m` when left out. A budget of its own: what the rollout used up is not missing.
    #[serde(default)]
    pub(crate) rollback_timeout: Option<Period>,
    /// What becomes of values that were given to an earlier revision and are not in the values files:
    /// `reset-then-reuse` when left out.
    #[serde(default)]
    pub(crate) values_mode: Option<ValuesMode>,
    /// How long a hook may take; `5m` when left out, as with Helm.
    #[serde(default)]
    pub(crate) hook_timeout: Option<Period>,
    /// The `helm` program; the first in `PATH` when left out.
    #[serde(default)]
    pub(crate) helm: Option<Located<FilePath>>,
    /// The steady probe, which sees the rollout as users do.
    #[serde(default)]
    pub(crate) probe: ProbeSection,
    /// Where the service says which version it is.
    #[serde(default)]
    pub(crate) identity: Option<IdentitySection>,
}

/// What becomes of a release that did not land.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum OnFailure {
    /// Back to the last revision that was good; a first install is taken away.
    #[default]
    Rollback,
    /// It stays as it is, to be looked at.
    Keep,
}

/// The steady probe: one request after the other at a steady rate, each second one on a connection of its own.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct ProbeSection {
    /// What is asked for; `/` when left out.
    pub(crate) path: Option<String>,
    /// Requests a second; 20 when left out.
    pub(crate) rate: Option<u32>,
    /// The status that is right; 200 when left out.
    pub(crate) status: Option<u16>,
    /// How long an answer may take; `2s` when left out.
    pub(crate) timeout: Option<Period>,
    /// How many requests may fail; none when left out.
    pub(crate) max_failed: Option<u32>,
    /// The longest time without any good answer; not held against anything when left out.
    pub(crate) max_gap: Option<Period>,
}

/// Where the service says which version it is.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct IdentitySection {
    /// What is asked for, `/api/health`.
    pub(crate) path: String,
    /// Where in the JSON of the answer the version is, `version` or `data.version`.
    pub(crate) field: String,
}
