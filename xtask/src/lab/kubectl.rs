//! The cluster's API, by the `kubectl` of the cluster's own version.

use std::process::Command;

use anyhow::{Context as _, Result};
use serde_json::Value;

use super::place::Lab;
use crate::{sh, tools};

/// How long the API may take for one answer.
const PATIENCE: &str = "--request-timeout=20s";

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
    sh::fed(kubectl(lab)?.args(["apply", PATIENCE, "--filename", "-"]), &list.to_string())?;
    Ok(())
}

/// What the API answers, as JSON.
///
/// # Errors
/// When it does not answer, or says no.
pub fn get(lab: &Lab, words: &[&str]) -> Result<Value> {
    let said = sh::quietly(kubectl(lab)?.args(["get", PATIENCE]).args(words).args(["--output", "json"]))?;
    serde_json::from_str(&said).context("`kubectl` said something that is no JSON")
}
