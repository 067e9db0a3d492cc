//! The cluster's API, by the `kubectl` of the cluster's own version.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;

use super::place::Lab;
use crate::{sh, tools};

/// `kubectl` with the administrator's access to the lab.
///
/// # Errors
/// When it cannot be built.
pub fn kubectl(lab: &Lab) -> Result<Command> {
    let mut kubectl = sh::program(tools::need("kube")?.with_file_name("kubectl"));
    kubectl.env("KUBECONFIG", lab.kubeconfig());
    Ok(kubectl)
}

/// Makes these objects, or makes them as they are here.
///
/// # Errors
/// With what the API says of them.
pub fn apply(lab: &Lab, objects: &[Value]) -> Result<()> {
    if objects.is_empty() {
        return Ok(());
    }
    let list = serde_json::json!({ "apiVersion": "v1", "kind": "List", "items": objects });
    let mut child = kubectl(lab)?
        .args(["apply", "--filename", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .context("could not start `kubectl`")?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(list.to_string().as_bytes()).context("`kubectl` reads nothing")?;
    }
    let output = child.wait_with_output().context("could not wait for `kubectl`")?;
    ensure!(output.status.success(), "`kubectl`: {}", String::from_utf8_lossy(&output.stderr).trim());
    Ok(())
}

/// What the API answers, as JSON.
///
/// # Errors
/// When it does not answer, or says no.
pub fn get(lab: &Lab, words: &[&str]) -> Result<Value> {
    let said = sh::quietly(kubectl(lab)?.arg("get").args(words).args(["--output", "json"]))?;
    serde_json::from_str(&said).context("`kubectl` said something that is no JSON")
}
