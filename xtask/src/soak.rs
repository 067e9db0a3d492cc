//! `cargo xtask soak`: what a CI run does once, many times; to find what fails now and then.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use clap::ValueEnum as _;

use crate::{
    demo, image, interrupt,
    lab::{
        self, Lab,
        godel::{self, Godel, Helm},
        up::{self, up},
    },
    repo, say, sh,
    test::{self, Stage},
};

/// Options of `cargo xtask soak`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How many times
    #[arg(value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    times: u32,

    /// `smoke`, a healthy run of the gate; `looks`, healthy runs of precheck and verify on a lab; `patience`, what the deploy
    /// gate must not call doomed, on the lab that the tests share; or a stage of `cargo xtask test`
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
        "looks" => looks(options.times, &mut times),
        "patience" => repeat(options.times, &mut times, |_| test::patience()),
        stage => match Stage::from_str(stage, true) {
            Ok(stage) => repeat(options.times, &mut times, |_| stage.run()),
            Err(_) => {
                let stages = Stage::value_variants().iter().filter_map(|stage| stage.to_possible_value());
                let names: Vec<String> = stages.map(|stage| stage.get_name().to_owned()).collect();
                bail!("nothing to repeat is called `{stage}`\n  hint: smoke, looks, patience, {}", names.join(", "));
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

/// The lab of the gates that look: a user's own is not touched.
const LAB: &str = "soak";

fn looks(n: u32, times: &mut Vec<Duration>) -> Result<()> {
    let programs = demo::build()?;
    interrupt::catch()?;
    let lab = Lab::named(LAB)?;
    up(&lab, &up::Options { nodes: 2, ..up::Options::default() })?;
    let looked = looks_on(&lab, &programs, n, times);
    lab::down(&lab)?;
    looked
}

/// The same release is asked about and looked at each time, so that all that changes is the time.
fn looks_on(lab: &Lab, programs: &Path, n: u32, times: &mut Vec<Duration>) -> Result<()> {
    let pushed = |probe| godel::push(lab, &image::build(&image::Options { probe, ..image::Options::default() })?);
    let (image, probe) = (pushed(false)?, pushed(true)?);
    let godel = Godel::prepare(lab, LAB, &image)?;
    godel.deploy(&Godel::whole())?;
    let mut precheck = godel.precheck_target(Helm::Three, &Godel::whole())?;
    precheck.extend(["--kubeconfig".into(), lab.kubeconfig().into(), "--repository".into(), image.repository.into()]);
    let mut verify = godel.target()?;
    verify.extend(godel.verify_target(&probe, &std::env::current_exe().context("this program has no path")?)?);
    let out = repo::root().join("prodtest-results").join("soak");
    repeat(n, times, |_| {
        for (gate, words) in [("precheck", &precheck), ("verify", &verify)] {
            let output = demo::gate(programs, gate, "lab", &out).args(words).output().context("it does not start")?;
            let said = String::from_utf8_lossy(&output.stdout);
            ensure!(output.status.success(), "{gate}: {}; its reports are in {}\n{said}", output.status, out.display());
        }
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
