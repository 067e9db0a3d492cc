//! What a gate adds to `prodtest_gate::Gate` to have a command line.

use std::rc::Rc;

use clap::Args;
use prodtest_config::{Config, ConfigError};
use prodtest_gate::{Gate, Rule, Run};
use schemars::JsonSchema;

use crate::{Common, Selection};

/// A gate with a command line.
pub trait CommandLine: Gate {
    /// What `--help` says first, after the question.
    const ABOUT: &'static str;
    /// Examples for the end of `--help`, as shell lines with comments.
    const EXAMPLES: &'static str;
    /// The outputs of the gate's own (its figures), with what they are.
    const OUTPUTS: &'static [(&'static str, &'static str)];

    /// The gate's own flags.
    type Flags: Args;
    /// The gate's section of `prodtest.yaml`.
    type Section: JsonSchema;

    /// Resolves flags and configuration into a plan. Touches nothing but files.
    ///
    /// # Errors
    /// When the plan could not be run as asked.
    fn plan(input: &Input<'_, Self::Flags>) -> Result<Self::Plan, Refusal>;

    /// Resolves secrets and makes the clients. Touches nothing but files.
    ///
    /// # Errors
    /// When a secret is missing or a client cannot be made.
    fn means(plan: &Self::Plan, input: &Input<'_, Self::Flags>) -> Result<Self::Means, Refusal>;

    /// Gets what must be asked for elsewhere, such as secrets of the cluster, when the run has begun: it has a deadline
    /// then, signals end it, and reports are there. What could not be had is for [`Gate::observe`] to tell.
    ///
    /// # Errors
    /// When the configuration turns out to be wrong: nothing of the service was touched.
    fn fetch(_means: &mut Self::Means, _run: &Run) -> impl Future<Output = Result<(), Refusal>> {
        std::future::ready(Ok(()))
    }

    /// What whoever runs this plan must be allowed to do in the cluster.
    fn rbac(_plan: &Self::Plan) -> Vec<Rule> {
        Vec::new()
    }

    /// The values that must be kept out of everything.
    fn secrets(means: &Self::Means) -> Vec<&str>;

    /// How long the gate may take when `--timeout` does not say.
    fn timeout(input: &Input<'_, Self::Flags>) -> Result<std::time::Duration, Refusal>;

    /// Schemas of further files that users write for this gate, by name; in a released binary, the published ones.
    fn schemas() -> Vec<(&'static str, serde_json::Value)> {
        Vec::new()
    }
}

/// Reads one variable of the process's environment.
pub type Variable = Rc<dyn Fn(&str) -> Option<String>>;

/// What a plan is made of.
pub struct Input<'a, F> {
    /// The effective configuration.
    pub config: &'a Config,
    /// The flags that all gates share.
    pub common: &'a Common,
    /// The gate's own flags.
    pub flags: &'a F,
    /// What `--only` and `--skip` leave out.
    pub selection: &'a Selection,
    /// Reads one variable of the process's environment.
    pub variable: Variable,
    /// With `--replay`, the plan of the recorded run. Where it went and what it left out is as it was; the limits are
    /// the configuration's.
    pub recorded: Option<&'a serde_json::Value>,
}

/// Why a gate does not begin: exit code 2, nothing touched.
#[derive(Debug)]
pub enum Refusal {
    /// The configuration is wrong at a place that can be shown.
    Config(ConfigError),
    /// The command line is wrong.
    Usage {
        /// What is wrong.
        message: String,
        /// What to do.
        hint: Option<String>,
    },
}

impl Refusal {
    /// A wrong command line.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: None }
    }

    /// A wrong command line, and what to do.
    pub fn usage_with_hint(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::Usage { message: message.into(), hint: Some(hint.into()) }
    }
}

/// One line, without the hint.
impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Config(error) => error.fmt(f),
            Self::Usage { message, .. } => f.write_str(message),
        }
    }
}

impl From<ConfigError> for Refusal {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}
