//! The page of what was broken, and which checks noticed: from the tables that the tests inject faults by.

use std::{fs, path::PathBuf};

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::render::render;
use crate::{describe::Gate, repo};

/// The faults of a gate, as far as a reader wants to know.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Table {
    faults: Vec<Fault>,
}

#[derive(Debug, Deserialize, Serialize)]
struct Fault {
    name: String,
    what: String,
    #[serde(default)]
    red: Vec<String>,
    #[serde(default)]
    undetermined: Vec<String>,
    exit: u8,
}

impl Table {
    /// Reads the table of a gate, and sees that every check of the gate is turned red by something in it.
    pub(super) fn of(gate: &Gate) -> Result<Self> {
        let path = PathBuf::from(format!("tests/faults/{}.yaml", gate.gate));
        let text = fs::read_to_string(repo::root().join(&path));
        let text = text.with_context(|| format!("could not read `{}`", path.display()))?;
        let table: Self =
            serde_saphyr::from_str(&text).with_context(|| format!("could not understand `{}`", path.display()))?;
        for check in &gate.checks {
            ensure!(
                !table.noticed_by(&check.id).is_empty(),
                "no fault in `{}` turns `{}` red",
                path.display(),
                check.id
            );
        }
        Ok(table)
    }

    /// What turns this check red.
    pub(super) fn noticed_by(&self, check: &str) -> Vec<&str> {
        let red = self.faults.iter().filter(|fault| fault.red.iter().any(|id| id == check));
        red.map(|fault| fault.what.as_str()).collect()
    }
}

/// The page.
pub(super) fn page(gates: &[(&Gate, Table)]) -> Result<String> {
    let gates: Vec<_> =
        gates.iter().map(|(gate, table)| json!({ "gate": gate.gate, "faults": table.faults })).collect();
    render(include_str!("../../templates/detection.md.jinja"), json!({ "gates": gates }))
}
