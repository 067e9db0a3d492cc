//! `cargo xtask test`: everything that CI runs.

mod lint;

use std::{
    path::PathBuf,
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Result, bail, ensure};
use clap::ValueEnum;

use crate::{
    env, generate, interrupt,
    lab::{self, Lab},
    repo, say, sh, tools,
};

/// The features of the workspace that tests need: a reference service that can be broken.
pub const FEATURES: &str = "godel/faults";

/// Options of `cargo xtask test`.
#[derive(clap::Args)]
pub struct Options {
    /// Only this stage; may be given several times
    #[arg(long = "stage", value_name = "NAME")]
    stages: Vec<Stage>,
}

/// A part of the tests that can be run by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Stage {
    /// Install what the others need.
    Tools,
    /// Formatting.
    Fmt,
    /// Clippy, with the faults of the reference service and without.
    Clippy,
    /// Whether the generated files are what the gates say of themselves.
    Generate,
    /// Unit and integration tests.
    Unit,
    /// Scripts, workflows, actions, licences.
    Lint,
    /// The lab, and what is tested on it.
    Lab,
    /// The actions under act, the templates under gitlab-ci-local, the reports against their schemas.
    Platforms,
}

impl Stage {
    /// Its name on the command line.
    fn name(self) -> String {
        self.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default()
    }

    /// Does it.
    ///
    /// # Errors
    /// When it is red.
    pub fn run(self) -> Result<()> {
        match self {
            Self::Tools => tools::ensure_all(),
            Self::Fmt => sh::run(sh::cargo().args(["fmt", "--all", "--check"])),
            Self::Clippy => {
                let clippy = || {
                    let mut clippy = sh::cargo();
                    clippy.args(["clippy", "--locked", "--workspace", "--all-targets"]);
                    clippy
                };
                sh::run(clippy().args(["--features", FEATURES, "--", "--deny", "warnings"]))?;
                sh::run(clippy().args(["--", "--deny", "warnings"]))
            }
            Self::Generate => generate::run(&generate::Options { check: true, bin_dir: Some(build()?) }),
            Self::Unit => {
                tools::ensure_all()?;
                build()?;
                let skips = PLATFORMS.iter().chain(&LABS).flat_map(|prefix| ["--skip", prefix]);
                sh::run(cargo_test().args(["--no-fail-fast", "--"]).args(skips))
            }
            Self::Lint => lint::run(),
            Self::Lab => on_lab(),
            Self::Platforms => {
                tools::ensure_all()?;
                build()?;
                sh::run(cargo_test().args(["--no-fail-fast", "--test", "platform_*"]))
            }
        }
    }
}

/// How the names of the tests of the platforms begin; each is the name of its file.
const PLATFORMS: [&str; 3] = ["platform_act_", "platform_gitlab_", "platform_schemas_"];

/// How the names of the tests begin that need a lab; likewise.
const LABS: [&str; 13] = [
    "lab_cluster_",
    "lab_demo_",
    "lab_deploy_",
    "lab_life_",
    "lab_manifests_",
    "lab_nodes_",
    "lab_patience_",
    "lab_platforms_",
    "lab_precheck_",
    "lab_recover_",
    "lab_rights_",
    "lab_rollback_",
    "lab_verify_",
];

/// The name of the lab that the tests share.
pub const SHARED: &str = "test";

/// Tests the lab, and what is tested on it: one for all that do no harm to each other, and one for each that does.
fn on_lab() -> Result<()> {
    if let Err(why) = lab::up::possible() {
        ensure!(!env::in_ci(), "{why:#}");
        say::line(format_args!("SKIPPED: {why:#}"));
        return Ok(());
    }
    tools::ensure_all()?;
    tools::ensure_lab()?;
    let mut rules = sh::program("go");
    // As that module's program is built, or everything under it would be built again.
    rules.args(["test", "-trimpath", "-buildvcs=false", "./rules"]).env("CGO_ENABLED", "0");
    sh::run(rules.current_dir(repo::root().join("tests/lab/kube")))?;
    build()?;
    interrupt::catch()?;
    let lab = Lab::named(SHARED)?;
    // What a run that was killed left: it may be of another state of this clone.
    lab::down(&lab)?;
    lab::up(&lab, &lab::up::Options::default())?;
    let tested = sh::run(cargo_test().args(["--no-fail-fast", "--test", "lab_*", "--", "--test-threads=3"]));
    lab::down(&lab)?;
    tested
}

/// Tests, on the shared lab as it runs, that the deploy gate waits for what may pass.
///
/// # Errors
/// When one is red, or that lab does not run.
pub fn patience() -> Result<()> {
    Lab::named(SHARED)?.running()?;
    build()?;
    sh::run(cargo_test().args(["--test", "lab_patience", "--", "--test-threads=3"]))
}

/// What every build of the tests has in common, so that nothing is built twice.
const SELECTION: [&str; 4] = ["--locked", "--workspace", "--features", FEATURES];

/// Everything at once: tests of one package run the programs of others, which `cargo test` would not build for them.
fn build() -> Result<PathBuf> {
    Ok(sh::build(&[&SELECTION[..], &["--all-targets"]].concat())?.join("debug"))
}

fn cargo_test() -> Command {
    let mut test = sh::cargo();
    test.arg("test").args(SELECTION);
    test
}

/// Runs the stages that were asked for, or all; goes on after a red one, so that one run tells everything.
///
/// # Errors
/// When one was red.
pub fn run(options: &Options) -> Result<()> {
    let stages = if options.stages.is_empty() { Stage::value_variants() } else { &options.stages };
    let mut done: Vec<(Stage, Duration, Result<()>)> = Vec::new();
    for &stage in stages {
        say::title(stage.name());
        let begun = Instant::now();
        let result = stage.run();
        let took = begun.elapsed();
        match &result {
            Ok(()) => say::line(format_args!("-- {} ok, {}", stage.name(), say::time(took))),
            Err(error) => say::line(format_args!("-- {} FAILED, {}: {error:#}", stage.name(), say::time(took))),
        }
        done.push((stage, took, result));
    }
    say::title("what took how long");
    for (stage, took, result) in &done {
        let word = if result.is_ok() { "ok" } else { "FAILED" };
        say::line(format_args!("{:<10} {word:<7} {:>12}", stage.name(), say::time(*took)));
    }
    say::line(format_args!("{:<10} {:<7} {:>12}", "all", "", say::time(done.iter().map(|(_, took, _)| *took).sum())));
    let red: Vec<String> =
        done.iter().filter(|(_, _, result)| result.is_err()).map(|(stage, _, _)| stage.name()).collect();
    if !red.is_empty() {
        bail!("{} failed\n  hint: cargo xtask test --stage {}", red.join(", "), red.join(" --stage "));
    }
    Ok(())
}
