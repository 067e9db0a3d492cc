//! `cargo xtask bench`: how fast a gate is, beside its peers, in one run on one machine.

mod bed;
mod contestant;
mod deploy;
mod doom;
mod page;

use anyhow::Result;

/// Options of `cargo xtask bench`.
#[derive(Debug, clap::Args)]
pub struct Options {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// From the start of Helm to the verdict, of rollouts that cannot succeed and of good ones: the deploy gate beside
    /// `helm upgrade --wait` of both versions and `kubectl rollout status`
    Deploy(deploy::Options),
}

/// Measures.
///
/// # Errors
/// When there is no lab, or a contestant cannot be started.
pub fn run(options: &Options) -> Result<()> {
    match &options.what {
        What::Deploy(options) => deploy::run(options),
    }
}
