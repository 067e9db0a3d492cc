//! `cargo xtask soak`: what a CI run does once, many times; to find what fails now and then.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum as _;

use crate::{
    demo, repo, say, sh,
    test::{self, Stage},
};

/// Options of `cargo xtask soak`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How many times
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,

    /// `smoke`, a healthy run of the gate; `patience`, what the deploy gate must not call doomed, on the lab that the tests
    /// share; or a stage of `cargo xtask test`
    what: String,
}

/// Repeats it until the first red one.
///
/// # Errors
/// With the red run, and where its report is.
pub fn run(options: &Options) -> Result<()> {
    let mut times = Vec::new();
    let result = match options.what.as_str() {
        "smoke" | "demo" => smoke(options.times, &mut times),
        "patience" => repeat(options.times, &mut times, |_| test::patience()),
        stage => match Stage::from_str(stage, true) {
            Ok(stage) => repeat(options.times, &mut times, |_| stage.run()),
            Err(_) => {
                let stages = Stage::value_variants().iter().filter_map(|stage| stage.to_possible_value());
                let names: Vec<String> = stages.map(|stage| stage.get_name().to_owned()).collect();
                bail!("nothing to repeat is called `{stage}`\n  hint: smoke, patience, {}", names.join(", "));
            }
        },
    };
    summary(&mut times);
    result
}

fn repeat(n: u32, times: &mut Vec<Duration>, mut what: impl FnMut(u32) -> Result<()>) -> Result<()> {
    for i in 1..=n {
        let begun = Instant::now();
        what(i).with_context(|| format!("run {i} of {n}"))?;
        times.push(begun.elapsed());
        say::line(format_args!("run {i} of {n}: ok, {}", say::time(begun.elapsed())));
    }
    Ok(())
}

fn smoke(n: u32, times: &mut Vec<Duration>) -> Result<()> {
    let programs = demo::build()?;
    let all = repo::root().join("prodtest-results").join("soak");
    repeat(n, times, |i| {
        let out = all.join(format!("run-{i}"));
        // What an earlier soak left.
        let _ = fs::remove_dir_all(&out);
        fs::create_dir_all(&out).with_context(|| format!("could not make `{}`", out.display()))?;
        let status = demo::once(&programs, None, &out, Some(&out.join("output.txt")))?;
        ensure!(status.success(), "exit code {}; its reports and output are in {}", sh::code(status), out.display());
        forget(&out);
        Ok(())
    })
}

/// A green run has nothing to tell.
fn forget(out: &Path) {
    let _ = fs::remove_dir_all(out);
}

fn summary(times: &mut [Duration]) {
    times.sort_unstable();
    let [fastest, median, slowest] = match &*times {
        [] => return,
        times => [times[0], times[times.len() / 2], times[times.len() - 1]].map(say::time),
    };
    say::line(format_args!("{} green; fastest {fastest}, median {median}, slowest {slowest}", times.len()));
}
