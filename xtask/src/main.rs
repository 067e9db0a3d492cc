//! `cargo xtask`: the chores of this project.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use xtask::{bench, demo, dist, generate, image, lab, say, soak, test, tools};

/// The chores of this project.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Subcommand)]
enum Chore {
    /// Deploy the reference service on a real cluster, judge it there, show where the report is
    Demo(demo::Options),
    /// Everything that CI runs, after installing what it needs into the cache
    Test(test::Options),
    /// A real Kubernetes on this machine, with PostgreSQL, Redis, a registry and Prometheus beside it
    Lab(lab::command::Options),
    /// Write actions, templates, schemas and check pages from what the gates say of themselves
    Generate(generate::Options),
    /// Build the release tree, and the binaries that belong to it
    Dist(dist::Options),
    /// Build the container image of the reference service
    Image(image::Options),
    /// Repeat what a CI run does once; stop at the first red
    Soak(soak::Options),
    /// How fast a gate is, beside its peers
    Bench(bench::Options),
    /// Install the tools that the tests need
    Tools {
        /// Print the path of this one's program
        #[arg(long, value_name = "NAME")]
        path: Option<String>,
    },
}

fn main() -> ExitCode {
    match chore(Args::parse().chore) {
        Ok(code) => code,
        Err(error) => {
            say::line(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn chore(chore: Chore) -> Result<ExitCode> {
    match chore {
        Chore::Demo(options) => return demo::run(&options),
        Chore::Lab(options) => return lab::command::run(&options),
        Chore::Test(options) => test::run(&options)?,
        Chore::Generate(options) => generate::run(&options)?,
        Chore::Dist(options) => dist::run(&options)?,
        Chore::Image(options) => image::run(&options)?,
        Chore::Bench(options) => bench::run(&options)?,
        Chore::Soak(options) => soak::run(&options)?,
        Chore::Tools { path: None } => tools::ensure_all()?,
        Chore::Tools { path: Some(name) } => say::data(tools::need(&name)?.display()),
    }
    Ok(ExitCode::SUCCESS)
}
