//! `cargo xtask demo`: the reference service on a real cluster, judged there by the gate, healthy or broken.
//!
//! Three stages that it can be shown on: the lab; a cluster of the user's; and, where neither can be had, a process on
//! loopback, of which less can be judged.

mod on_current;
mod on_lab;
mod process;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use anyhow::{Context as _, Result};
use clap::ValueEnum;

pub use self::process::once;
use crate::{
    describe,
    lab::{self, up},
    say, sh,
    test::FEATURES,
    tools,
};

/// Options of `cargo xtask demo`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Break the service; `cargo run -p godel --features faults -- --list-faults` shows how
    #[arg(long, value_name = "NAME")]
    fault: Option<String>,

    /// Folder for the reports
    #[arg(long, value_name = "DIR", default_value = "prodtest-results")]
    out: PathBuf,

    /// Leave everything up, and say how to look around
    #[arg(long)]
    keep: bool,

    /// Which cluster
    #[arg(long, value_enum, default_value_t = Cluster::Lab)]
    cluster: Cluster,

    /// With `--cluster current`: an image of Godel that the cluster can pull, `REGISTRY/godel@sha256:…`
    #[arg(long, value_name = "IMAGE", required_if_eq("cluster", "current"))]
    image: Option<String>,

    /// No cluster: the service as a process of this machine
    #[arg(long, conflicts_with_all = ["cluster", "keep"])]
    local: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Cluster {
    /// One that is made for it of this machine's namespaces; needs root and Go
    Lab,
    /// The current context of `KUBECONFIG`; a namespace is made in it, and removed
    Current,
}

/// The gate of the demo, on any stage.
const GATE: &str = "smoke";
/// Those that ask before, deploy, and look afterwards, on a lab.
const PRECHECK: &str = "precheck";
const DEPLOY: &str = "deploy";
const VERIFY: &str = "verify";
/// And the one that tries the way back.
const ROLLBACK: &str = "rollback";

/// All of them, in the order of a pipeline.
const GATES: [&str; 5] = [PRECHECK, DEPLOY, VERIFY, GATE, ROLLBACK];

/// The lab of the demo: a user's own is not touched.
const LAB: &str = "demo";

/// Builds, runs, shows. The exit code is the gate's.
///
/// # Errors
/// When something cannot be built or started.
pub fn run(options: &Options) -> Result<ExitCode> {
    let begun = Instant::now();
    let out = std::path::absolute(&options.out).context("`--out` is no path")?;
    let cannot = up::possible().err().filter(|_| options.cluster == Cluster::Lab);
    let status = if options.local || cannot.is_some() {
        if let Some(why) = &cannot {
            say::line(format_args!("no cluster: {why:#}"));
        }
        say::line("the service runs as a process of this machine; what is missing for the rest: a cluster");
        once(&build()?, options.fault.as_deref(), &out, None)?
    } else {
        let lab = lab::Lab::named(LAB)?;
        if options.cluster == Cluster::Lab && tools::find("kube").is_none() {
            say::line(
                "the first time takes about 20 minutes on two cores, for Kubernetes is built; then it is less than a minute",
            );
        }
        let programs = build()?;
        match (options.cluster, &options.image) {
            (Cluster::Current, Some(image)) => on_current::show(&programs, options, image, &out)?,
            _ => on_lab::show(&lab, &programs, options, &out)?,
        }
    };
    say::line("");
    for report in GATES.map(|gate| out.join(format!("{gate}.html"))).iter().filter(|report| report.is_file()) {
        say::line(format_args!("report: {}", report.display()));
    }
    if options.fault.is_none() {
        say::line("a red one: cargo xtask demo --fault NAME (godel --list-faults names them)");
    }
    let code = sh::code(status);
    say::line(format_args!("exit code of the gate: {code}, after {}", say::time(begun.elapsed())));
    Ok(ExitCode::from(code))
}

/// Builds the gates and the service; says in which folder they are.
///
/// # Errors
/// When cargo fails.
pub fn build() -> Result<PathBuf> {
    let programs = GATES.map(describe::program);
    let mut packages: Vec<&str> = programs.iter().flat_map(|program| ["--package", program.as_str()]).collect();
    packages.extend(["--package", "godel", "--features", FEATURES]);
    Ok(sh::build(&packages)?.join("debug"))
}

/// A gate, told where its configuration is and where to report.
pub(crate) fn gate(programs: &Path, gate: &str, environment: &str, out: &Path) -> std::process::Command {
    let (config, _) = describe::EXAMPLE;
    let mut command = std::process::Command::new(programs.join(describe::program(gate)));
    command.current_dir(crate::repo::root()).args(["--config", config, "--env", environment, "--out"]).arg(out);
    command
}
