//! The demo on a lab: what a team's pipeline does, from the image to the report.

use std::{
    path::Path,
    process::ExitStatus,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{Options, gate, process::Signals};
use crate::{
    image, interrupt,
    lab::{
        Lab, down,
        godel::{self, Godel},
        up,
    },
    say,
};

/// How long the steps took.
struct Steps(Vec<(&'static str, Duration)>);

impl Steps {
    fn run<T>(&mut self, what: &'static str, step: impl FnOnce() -> Result<T>) -> Result<T> {
        say::title(what);
        let begun = Instant::now();
        let done = step()?;
        self.0.push((what, begun.elapsed()));
        Ok(done)
    }
}

/// A lab that ends with this, unless it is to be kept.
struct Kept<'a> {
    lab: &'a Lab,
    keep: bool,
}

impl Drop for Kept<'_> {
    fn drop(&mut self) {
        if self.keep {
            return;
        }
        if let Err(error) = down(self.lab) {
            say::line(format_args!(
                "the lab could not be ended: {error:#}\n  hint: cargo xtask lab down --lab {}",
                self.lab.name
            ));
        }
    }
}

/// Shows it, and says how the gate ended.
pub(super) fn show(lab: &Lab, programs: &Path, options: &Options, out: &Path) -> Result<ExitStatus> {
    interrupt::catch()?;
    let mut steps = Steps(Vec::new());
    // One that was kept is kept on.
    let kept = Kept { lab, keep: options.keep || lab.running().is_ok() };
    steps.run("a Kubernetes, and what stands beside it", || up(lab, &up::Options::default()))?;
    let faults: Vec<&str> = options.fault.as_deref().into_iter().collect();
    let image = steps.run("Godel's image", || {
        let image = image::build(&image::Options { faults: !faults.is_empty(), ..image::Options::default() })?;
        godel::push(lab, &image)
    })?;
    let godel = steps.run("Godel's chart, by Helm", || {
        let godel = Godel::prepare(lab, godel::RELEASE, &image)?;
        godel.deploy(&json!({ "faults": faults, "autoscaling": { "enabled": true } }))?;
        say::line(format_args!("Godel answers at {} (by {})", godel.url(), godel.connect()?));
        Ok(godel)
    })?;
    let status = steps.run("the gate, through the ingress", || {
        let signals = Signals::catch()?;
        let mut gate = gate(programs, "lab", out);
        gate.args(godel.target()?);
        signals.wait(gate.spawn().context("could not start the gate")?)
    })?;
    say::title("what took how long");
    for (what, took) in &steps.0 {
        say::line(format_args!("{:>12}  {what}", say::time(*took)));
    }
    if kept.keep {
        say::line(format_args!("\nthe lab is left up; look around:"));
        say::line(format_args!("  eval \"$(cargo xtask lab env --lab {})\"", lab.name));
        say::line("  kubectl get nodes,deploy,hpa,pdb,ingress,networkpolicy --all-namespaces");
        say::line("  kubectl --namespace godel logs deploy/godel-api");
        say::line(format_args!("  cargo xtask lab status --lab {0}; cargo xtask lab down --lab {0}", lab.name));
    }
    Ok(status)
}
