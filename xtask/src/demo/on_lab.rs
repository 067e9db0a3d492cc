//! The demo on a lab: what a team's pipeline does, from the image to the report.

use std::{
    ffi::OsString,
    path::Path,
    process::ExitStatus,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result};
use serde_json::json;

use super::{DEPLOY, GATE, Options, PRECHECK, ROLLBACK, VERIFY, gate, process::Signals};
use crate::{
    image, interrupt,
    lab::{
        Lab, down,
        godel::{self, Godel, Helm},
        up,
    },
    say,
};

/// One that is lost must not take the service with it, which the verify gate looks at.
const NODES: u8 = 2;

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
    let options_of_lab = up::Options { nodes: NODES, ..up::Options::default() };
    steps.run("a Kubernetes, and what stands beside it", || up(lab, &options_of_lab))?;
    let faults: Vec<&str> = options.fault.as_deref().into_iter().collect();
    let image = steps.run("Godel's image", || {
        let image = image::build(&image::Options { faults: !faults.is_empty(), ..image::Options::default() })?;
        godel::push(lab, &image)
    })?;
    let godel = steps.run("its keys, its database, its certificate", || Godel::prepare(lab, godel::RELEASE, &image))?;
    let mut values = Godel::whole();
    values["faults"] = json!(faults);
    let deploy_target = godel.deploy_target(Helm::Three, &values)?;
    let run = |name: &str, arguments: Vec<OsString>| {
        let signals = Signals::catch()?;
        let mut gate = gate(programs, name, "lab", out);
        gate.args(arguments);
        signals.wait(gate.spawn().context("could not start the gate")?)
    };
    let asked = steps.run("the precheck gate: may it be deployed?", || {
        let mut words = godel.precheck_target(Helm::Three, &values)?;
        words.extend(["--kubeconfig".into(), lab.kubeconfig().into(), "--repository".into()]);
        words.push(image.repository.clone().into());
        run(PRECHECK, words)
    })?;
    if !asked.success() {
        return Ok(asked);
    }
    let deployed = steps.run("the deploy gate: Godel's chart, by Helm", || {
        let mut words = godel.target()?;
        words.extend(["--repository", &image.repository, "--digest", &image.digest].map(OsString::from));
        words.extend(deploy_target);
        if !faults.is_empty() {
            // Some faults are noticed here already, and the later gates are to see them too.
            words.extend(["--on-failure", "keep"].map(OsString::from));
        }
        run(DEPLOY, words)
    })?;
    if !deployed.success() && faults.is_empty() {
        return Ok(deployed);
    }
    let verified = steps.run("the verify gate: is it as it should be?", || {
        let probe = image::build(&image::Options { probe: true, ..image::Options::default() })?;
        let mut words = godel.target()?;
        words.extend(godel.verify_target(&godel::push(lab, &probe)?, &std::env::current_exe()?)?);
        run(VERIFY, words)
    })?;
    let smoked = steps.run("the smoke gate, through the ingress", || run(GATE, godel.target()?))?;
    let mut status = if smoked.success() { verified } else { smoked };
    // With a fault there is nothing good to come back to.
    if faults.is_empty() && status.success() {
        status = steps.run("the rollback gate: a drill, with a version that does not exist", || {
            let mut words = vec![OsString::from("drill")];
            words.extend(godel.target()?);
            words.extend(["--repository", &image.repository].map(OsString::from));
            words.extend(godel.deploy_target(Helm::Three, &values)?);
            run(ROLLBACK, words)
        })?;
    }
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
