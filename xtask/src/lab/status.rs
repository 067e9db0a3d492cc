//! What runs, where, and how it is reached.

use std::{fs, os::unix::fs::symlink};

use anyhow::{Context as _, Result};
use serde_json::{Value, json};

use super::{forward, machine, place::Lab, services};
use crate::{env, say, tools};

/// Says what runs of a lab.
///
/// # Errors
/// When its files are not as they were written.
pub(super) fn show(lab: &Lab, as_json: bool) -> Result<()> {
    let status = of(lab)?;
    if as_json {
        say::data(status);
        return Ok(());
    }
    if status["state"] == "none" {
        say::data(format_args!("lab `{}`: none\n  hint: cargo xtask lab up{}", lab.name, lab.flag()));
        return Ok(());
    }
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    say::data(format_args!("lab `{}`: {}", lab.name, text(&status["state"])));
    for machine in status["machines"].as_array().into_iter().flatten() {
        let (name, address, state) = (text(&machine["name"]), text(&machine["address"]), text(&machine["state"]));
        say::data(format_args!("  {name:<15} {address:<13} {state}"));
    }
    for service in status["services"].as_array().into_iter().flatten() {
        let ports: Vec<String> = service["ports"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(name, port)| format!("{name} 127.0.0.1:{port}"))
            .collect();
        let (name, state) = (text(&service["name"]), text(&service["state"]));
        say::data(format_args!("  {name:<15} {state:<13} {}", ports.join(", ")));
    }
    Ok(())
}

fn of(lab: &Lab) -> Result<Value> {
    let Some(settings) = lab.settings()? else { return Ok(json!({ "lab": lab.name, "state": "none" })) };
    let dead = machine::dead(lab);
    let state = match (&dead, lab.running()) {
        (Some(dead), _) => dead.lines().next().unwrap_or_default().to_owned(),
        (None, Ok(_)) => "up".to_owned(),
        (None, Err(_)) => "not whole".to_owned(),
    };
    let mut machines = Vec::new();
    for machine in machine::all(lab) {
        let state = match machine.is_running() {
            false => "off",
            // With the switch off, nothing is plugged in anywhere, and that is said already.
            true if machine.is_plugged().unwrap_or(true) => "on",
            true => "cut off",
        };
        machines.push(json!({ "name": machine.name, "address": machine.address, "state": state }));
    }
    let services = settings.services.iter().map(|name| {
        let service = services::by_name(name)?;
        let ports: serde_json::Map<String, Value> = service
            .ports
            .iter()
            .filter_map(|(name, _)| Some(((*name).to_owned(), forward::port(lab, name)?.into())))
            .collect();
        let state = if service.runs(lab) { "running" } else { "stopped" };
        Ok(json!({ "name": name, "what": service.what, "state": state, "ports": ports }))
    });
    let services = services.collect::<Result<Vec<_>>>()?;
    Ok(json!({
        "lab": lab.name, "state": state, "nodes": settings.nodes, "machines": machines, "services": services,
    }))
}

/// What a shell needs to be told to work with the lab.
///
/// # Errors
/// When the lab does not run.
pub(super) fn environment(lab: &Lab) -> Result<Vec<(String, String)>> {
    let settings = lab.running()?;
    let mut variables = vec![
        ("KUBECONFIG".to_owned(), lab.kubeconfig().display().to_string()),
        ("PATH".to_owned(), path(lab)?),
        ("LAB_CA".to_owned(), lab.pki("ca.crt").display().to_string()),
    ];
    for service in settings.services {
        for (name, _) in services::by_name(&service)?.ports {
            if let Some(port) = forward::port(lab, name) {
                let variable = format!("LAB_{}", name.to_uppercase().replace('-', "_"));
                variables.push((variable, format!("127.0.0.1:{port}")));
            }
        }
    }
    Ok(variables)
}

/// Where programs are looked for: first those that a person at work with the lab calls, under the names that they know.
pub(super) fn path(lab: &Lab) -> Result<String> {
    let bin = lab.folder.join("bin");
    fs::create_dir_all(&bin).context("could not make a folder")?;
    for (name, tool) in [("kubectl", "kube"), ("helm", "helm3")] {
        // What is not built yet, or no more, is not offered.
        let Some(program) = tools::find(tool) else { continue };
        let program = if name == "kubectl" { program.with_file_name(name) } else { program };
        let link = bin.join(name);
        let _ = fs::remove_file(&link);
        symlink(program, link).with_context(|| format!("could not make a link `{name}`"))?;
    }
    let others = env::get("PATH").unwrap_or_default();
    Ok(format!("{}:{}", bin.display(), others.to_string_lossy()))
}
