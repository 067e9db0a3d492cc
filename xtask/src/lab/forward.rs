//! Ports of the host's loopback that lead into the lab. Nothing else of it can be reached from outside.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};

use super::{machine::Machine, place::Lab, process, wait};
use crate::tools;

/// The port of 127.0.0.1 that leads to `address` as the control plane sees it. The same port as long as the lab is up.
pub(super) fn open(lab: &Lab, name: &str, address: &str) -> Result<u16> {
    let port_file = file(lab, name);
    let log = port_file.with_extension("log");
    if let Some(port) = port(lab, name) {
        return Ok(port);
    }
    let folder = port_file.parent().context("a file without a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("could not make `{}`", folder.display()))?;
    let _ = fs::remove_file(&port_file);
    let inside = Machine::control_plane(lab).pid().context("the control plane does not run")?;
    let output = fs::File::create(&log).context("could not make a log")?;
    let mut forward = Command::new("setsid");
    forward
        .arg(tools::need("kube")?)
        .args(["forward", "-netns", &format!("/proc/{inside}/ns/net"), "-to", address, "-port-file"])
        .arg(&port_file)
        .arg(lab.mark())
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(output.try_clone().context("could not share a log")?)
        .stderr(output);
    let child = forward.spawn().context("could not start `setsid kube forward`")?;
    wait::until(&format!("the port that leads to {name}"), Duration::from_secs(10), || {
        let said = || fs::read_to_string(&log).unwrap_or_default();
        ensure!(process::arguments(child.id()).is_some(), "`kube forward` ended: {}", said());
        port(lab, name).context("it is not open yet")
    })
}

/// The port, if it is open.
#[must_use]
pub fn port(lab: &Lab, name: &str) -> Option<u16> {
    let file = file(lab, name);
    let port = fs::read_to_string(&file).ok()?.trim().parse().ok()?;
    let shown = file.display().to_string();
    process::of_lab(lab).iter().any(|(_, arguments)| arguments.contains(&shown)).then_some(port)
}

fn file(lab: &Lab, name: &str) -> PathBuf {
    lab.folder.join("ports").join(name)
}
