//! The `rollback` section of `prodtest.yaml`. How a release is changed and watched is in `deploy`.

use std::collections::BTreeMap;

use prodtest_config::{FilePath, Located, Period};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::flags::Fault;

/// What the way back is held against, and how it is tried. The probe, the patience and the timeouts are those of `deploy`.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// How long the way back may take until service and state are as before; `5m` when left out.
    pub(crate) rto: Option<Period>,
    /// How long it may take until a bad version is called bad, from the start of Helm; `1m` when left out.
    pub(crate) detection_time: Option<Period>,
    /// How available the service is to be, in percent of its requests; `99.9` when left out. What the drill burnt of the
    /// error budget is told, and not held against anything.
    pub(crate) availability: Option<f64>,
    /// The time that the availability is reckoned over; `720h` when left out.
    pub(crate) budget_window: Option<Period>,
    /// Whether the scenarios of `smoke` are played after the way back; yes when there are any.
    pub(crate) smoke: Option<bool>,
    /// The versions that a drill deploys, by what is wrong with them; `tag` needs none.
    pub(crate) drill: BTreeMap<Fault, BadVersion>,
    /// Migrations of `deploy.migrations` that earlier versions can live with, by their names: those without a file that
    /// undoes them.
    pub(crate) reversible_migrations: Vec<String>,
}

/// A version that is bad on purpose: an image of yours, and values where it needs them.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct BadVersion {
    /// The tag of its image; the one that is not there when left out.
    #[serde(default)]
    pub(crate) tag: Option<String>,
    /// Values files over those of the environment; the last one wins.
    #[serde(default)]
    pub(crate) values: Vec<Located<FilePath>>,
}
