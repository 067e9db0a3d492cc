//! The flags of the rollback gate.

use clap::{Args, ValueEnum};
use prodtest_cli::ReleaseFlags;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The flags of the rollback gate.
#[derive(Args, Clone, Debug)]
pub(crate) struct Flags {
    /// What to do: go back, or try whether one could
    #[arg(value_enum, value_name = "ACTION")]
    pub(crate) action: Option<Verb>,
    /// Where `to` goes: `previous`, the number of a revision, or a version
    #[arg(value_name = "TARGET")]
    pub(crate) target: Option<String>,
    #[command(flatten)]
    pub(crate) release: ReleaseFlags,
    /// What is wrong with the version that the drill deploys; all but `tag` need an image of yours, see `rollback.drill`
    #[arg(long, value_enum, value_name = "FAULT", help_heading = "Drill")]
    pub(crate) fault: Option<Fault>,
    /// The tag that the drill deploys, instead of `rollback.drill` and of one that is not there
    #[arg(long, value_name = "TAG", help_heading = "Drill")]
    pub(crate) bad_tag: Option<String>,
    /// Leave out the smoke scenarios after the way back
    #[arg(long, help_heading = "Drill")]
    pub(crate) no_smoke: bool,
    /// Go back across migrations of the database that nobody says can be undone
    #[arg(long, help_heading = "Change")]
    pub(crate) across_migrations: bool,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verb {
    /// Go back to an earlier revision
    To,
    /// Deploy a bad version, and see how soon that is noticed and how soon all is as it was
    Drill,
}

/// What is wrong with the version that a drill deploys.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema, ValueEnum,
)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Fault {
    /// Its image does not exist
    #[default]
    Tag,
    /// It ends soon after its start
    Crash,
    /// It never gets ready
    Unready,
    /// It gets ready, and answers some requests with errors
    ErrorRate,
    /// It gets ready, and answers too late
    Slow,
}

impl Fault {
    /// Whether users meet it, because it gets ready.
    pub(crate) const fn is_served(self) -> bool {
        matches!(self, Self::ErrorRate | Self::Slow)
    }
}

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Tag => "tag",
            Self::Crash => "crash",
            Self::Unready => "unready",
            Self::ErrorRate => "error-rate",
            Self::Slow => "slow",
        })
    }
}
