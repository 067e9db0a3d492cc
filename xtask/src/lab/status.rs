//! What runs, where, and how it is reached.

use anyhow::Result;
use serde_json::{Value, json};

use super::{machine, place::Lab, services};
use crate::{say, tools};

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
        say::data(format_args!("lab `{}`: none\n  hint: cargo xtask lab up", lab.name));
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
            true if machine.is_plugged()? => "on",
            true => "cut off",
        };
        machines.push(json!({ "name": machine.name, "address": machine.address, "state": state }));
    }
    let services = settings.services.iter().map(|name| {
        let service = services::by_name(name)?;
        let ports: serde_json::Map<String, Value> = service
            .ports
            .iter()
            .filter_map(|(name, _)| Some(((*name).to_owned(), super::forward::port(lab, name)?.into())))
            .collect();
        let state = if service.runs(lab) { "running" } else { "stopped" };
        Ok(json!({ "name": name, "what": service.what, "state": state, "ports": ports }))
    });
    let services = services.collect::<Result<Vec<_>>>()?;
    Ok(json!({
        "lab": lab.name, "state": state, "nodes": settings.nodes, "machines": machines, "services": services,
    }))
}

/// What a shell needs to be told to work with the lab: lines that it can evaluate.
///
/// # Errors
/// When the lab does not run.
pub(super) fn environment(lab: &Lab) -> Result<Vec<(String, String)>> {
    lab.running()?;
    let mut variables = vec![("KUBECONFIG".to_owned(), lab.kubeconfig().display().to_string())];
    // `helm` as well as `kubectl`, where they have been built.
    let folders = ["kube", "helm3"].into_iter().filter_map(tools::find);
    let folders: Vec<String> = folders.filter_map(|program| Some(program.parent()?.display().to_string())).collect();
    variables.push(("LAB_BIN".to_owned(), folders.join(":")));
    variables.push(("LAB_CA".to_owned(), lab.pki("ca.crt").display().to_string()));
    for service in lab.running()?.services {
        for (name, _) in services::by_name(&service)?.ports {
            if let Some(port) = super::forward::port(lab, name) {
                let variable = format!("LAB_{}", name.to_uppercase().replace('-', "_"));
                variables.push((variable, format!("127.0.0.1:{port}")));
            }
        }
    }
    Ok(variables)
}
