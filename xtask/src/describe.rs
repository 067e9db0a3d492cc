//! What a gate says of itself: the output of `--describe`.

use std::{
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::{repo, sh};

/// The gates there are. Each has a program `prodtest-<gate>`, an action, a template and check pages.
pub const GATES: &[&str] = &["precheck", "deploy", "verify", "smoke", "rollback"];

/// The program that a gate calls, and that has to come with it; empty where it calls none of ours.
#[must_use]
pub fn helper(gate: &str) -> String {
    if gate == "rollback" { program("smoke") } else { String::new() }
}

/// The configuration whose checks the pages show, relative to the root of the clone, and its environment.
pub const EXAMPLE: (&str, &str) = ("examples/godel/prodtest.yaml", "local");

/// The environment of the example that a gate is asked about: a process is enough for those that need no cluster.
#[must_use]
pub fn environment(gate: &str) -> &'static str {
    if gate == "smoke" { EXAMPLE.1 } else { "lab" }
}

/// A gate as it describes itself.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Gate {
    /// Its name, `smoke`.
    pub gate: String,
    /// The question it answers.
    pub question: String,
    /// A few sentences on how it answers.
    pub about: String,
    /// Its version.
    pub version: String,
    /// Its flags, in the order of its help.
    pub flags: Vec<Flag>,
    /// What it hands on to later steps.
    pub outputs: Vec<Output>,
    /// The checks of the configuration it was given.
    pub checks: Vec<Check>,
    /// What it asks of a cluster.
    #[serde(default)]
    pub rbac: Vec<Value>,
    /// The schemas of the files that people and programs meet, by name.
    pub schemas: Map<String, Value>,
}

/// A flag, which is also a variable `PRODTEST_<FLAG>`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Flag {
    /// Its name without the dashes.
    pub name: String,
    /// What its value is called in the help; a switch has none.
    pub value: Option<String>,
    /// The values that it takes, as a variable too, where they can be counted.
    #[serde(default)]
    pub values: Vec<String>,
    /// What it does.
    pub help: String,
    /// The value it has when nobody gives one.
    pub default: Option<String>,
    /// Whether it may be given several times.
    #[serde(default)]
    pub repeat: bool,
    /// Whether actions and templates offer it.
    #[serde(default)]
    pub input: bool,
}

/// Something a gate hands on.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Output {
    /// Its name.
    pub name: String,
    /// What it is.
    pub description: String,
}

/// A check of the configuration at hand.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check {
    /// Its id, `smoke/health`.
    pub id: String,
    /// What is true when it passes.
    pub title: String,
    /// Why a user cares.
    pub why: Option<String>,
    /// What to do when it fails.
    pub help: Option<String>,
    /// How much its failure matters.
    pub severity: String,
    /// The checks it leans on.
    #[serde(default)]
    pub needs: Vec<String>,
    /// What it judges by.
    #[serde(default)]
    pub limits: Vec<Limit>,
    /// The requirements it proves.
    #[serde(default)]
    pub requirements: Vec<String>,
}

/// A limit of a check.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Limit {
    /// What is limited.
    pub name: String,
    /// The limit with its unit.
    pub value: String,
}

/// The program of a gate.
#[must_use]
pub fn program(gate: &str) -> String {
    format!("prodtest-{gate}")
}

/// Builds the programs of all gates as the tests do; says in which folder they are.
///
/// # Errors
/// When cargo fails.
pub fn build() -> Result<PathBuf> {
    let programs: Vec<String> = GATES.iter().map(|gate| program(gate)).collect();
    let packages: Vec<&str> = programs.iter().flat_map(|program| ["--package", program.as_str()]).collect();
    Ok(sh::build(&packages)?.join("debug"))
}

/// Asks the program of `gate` in `folder`.
///
/// # Errors
/// When it fails, or says something that is not understood.
pub fn ask(gate: &str, folder: &Path) -> Result<Gate> {
    ask_as(gate, folder, &[])
}

/// The namespace and the release that stand for those of whoever asks, in the rights that gates need.
pub const STAND_IN: (&str, &str) = ("prodtest-namespace", "prodtest-release");

/// What it asks of the cluster, for the namespace and release that stand in. One that knows no release asks for nothing
/// but the secrets that its configuration names.
///
/// # Errors
/// As [`ask`].
pub fn rights(gate: &Gate, folder: &Path) -> Result<Vec<Value>> {
    if !gate.flags.iter().any(|flag| flag.name == "release") {
        return Ok(Vec::new());
    }
    let (namespace, release) = STAND_IN;
    let rules = ask_as(&gate.gate, folder, &["--namespace", namespace, "--release", release])?.rbac;
    // What the example's configuration names, its Secrets, is nobody else's.
    let is_anybodys = |rule: &Value| {
        let names = rule["resourceNames"].as_array().map(Vec::as_slice).unwrap_or_default();
        names.is_empty() || names.iter().any(|name| name.as_str().is_some_and(|name| name.contains(release)))
    };
    Ok(rules.into_iter().filter(is_anybodys).collect())
}

fn ask_as(gate: &str, folder: &Path, more: &[&str]) -> Result<Gate> {
    let (config, environment) = (EXAMPLE.0, environment(gate));
    let program = folder.join(program(gate));
    let mut command = Command::new(&program);
    command.current_dir(repo::root()).args(["--describe", "--config", config, "--env", environment]).args(more);
    // What the caller has set must not find its way into files that are committed.
    command.env_clear();
    let said = sh::quietly(&mut command)?;
    serde_json::from_str(&said).with_context(|| format!("`{} --describe` said something unexpected", program.display()))
}
