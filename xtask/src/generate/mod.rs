//! `cargo xtask generate`: actions, templates, schemas and check pages, from what the gates say of themselves.

mod detection;
mod pages;
mod render;
mod wrappers;

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};
use serde_json::{Map, Value};

use crate::{
    describe::{self, Gate},
    repo, say,
};

pub use self::wrappers::PINS;

/// Options of `cargo xtask generate`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Write nothing; fail when a file differs from what would be written
    #[arg(long)]
    pub check: bool,

    /// Ask the programs in this folder, instead of building them
    #[arg(long, value_name = "DIR")]
    pub bin_dir: Option<PathBuf>,
}

/// The folders in which every file is generated, so that one that nobody generates any more is noticed.
const FOLDERS: &[&str] = &["schemas", "docs/checks"];

/// What each gate must be allowed to do, for the one that asks whether whoever runs them may.
const RIGHTS: &str = "bins/precheck/src/checks/permissions/gates.json";

/// Files by their path relative to the root of the clone.
type Files = BTreeMap<PathBuf, String>;

/// Writes them, or says which differ.
///
/// # Errors
/// When a gate cannot be built or asked, or with `--check` when something differs.
pub fn run(options: &Options) -> Result<()> {
    let folder = match &options.bin_dir {
        Some(folder) => std::path::absolute(folder).context("`--bin-dir` is no path")?,
        None => describe::build()?,
    };
    let gates: Vec<Gate> = describe::GATES.iter().map(|gate| describe::ask(gate, &folder)).collect::<Result<_>>()?;
    let files = files(&gates, &folder)?;
    let stale = stale(&files)?;
    let changed: Vec<&PathBuf> = files
        .iter()
        .filter(|(path, text)| fs::read_to_string(repo::root().join(path)).ok().as_ref() != Some(text))
        .map(|(path, _)| path)
        .collect();
    if options.check {
        let names: Vec<String> =
            changed.into_iter().chain(&stale).map(|path| format!("  {}", path.display())).collect();
        if !names.is_empty() {
            bail!("not as generated:\n{}\n  hint: cargo xtask generate", names.join("\n"));
        }
        say::line(format_args!("{} files are as generated", files.len()));
        return Ok(());
    }
    for path in changed {
        write(path, &files[path])?;
        say::line(format_args!("wrote {}", path.display()));
    }
    for path in &stale {
        fs::remove_file(repo::root().join(path)).with_context(|| format!("could not remove `{}`", path.display()))?;
        say::line(format_args!("removed {}", path.display()));
    }
    say::line(format_args!("{} files generated", files.len()));
    Ok(())
}

fn write(path: &Path, text: &str) -> Result<()> {
    let path = repo::root().join(path);
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).with_context(|| format!("could not make `{}`", folder.display()))?;
    }
    fs::write(&path, text).with_context(|| format!("could not write `{}`", path.display()))
}

fn files(gates: &[Gate], folder: &Path) -> Result<Files> {
    let mut files = Files::new();
    let mut rights = Map::new();
    let mut tables = Vec::new();
    let mut schemas: BTreeMap<PathBuf, Value> = BTreeMap::new();
    for gate in gates {
        let faults = detection::Table::of(gate)?;
        files.insert(format!("actions/{}/action.yml", gate.gate).into(), wrappers::action(gate)?);
        files.insert(format!("ci-templates/{}/template.yml", gate.gate).into(), wrappers::template(gate)?);
        for check in &gate.checks {
            let page = pages::check(gate, check, &faults.noticed_by(&check.id))?;
            files.insert(format!("docs/checks/{}.md", check.id).into(), page);
        }
        rights.insert(gate.gate.clone(), describe::rights(gate, folder)?.into());
        tables.push((gate, faults));
        for (name, schema) in &gate.schemas {
            let path = PathBuf::from(format!("schemas/{name}.schema.json"));
            // Gates share the schemas of what they share; of the configuration each knows its own section.
            let schema = match schemas.remove(&path) {
                Some(before) => united(before, schema).with_context(|| format!("two gates disagree on `{name}`"))?,
                None => schema.clone(),
            };
            schemas.insert(path, schema);
        }
    }
    for (path, schema) in &schemas {
        files.insert(path.clone(), noted(schema)?);
    }
    files.insert(RIGHTS.into(), rights_of(rights));
    files.insert("docs/checks/README.md".into(), pages::index(gates)?);
    files.insert("docs/detection.md".into(), detection::page(&tables)?);
    Ok(files)
}

/// One rule a line, by gate, so that a change is one of a line; a gate that asks no cluster is not in it.
fn rights_of(rights: Map<String, Value>) -> String {
    let asks = rights.into_iter().filter(|(_, rules)| rules.as_array().is_some_and(|rules| !rules.is_empty()));
    let gates: Vec<String> = asks
        .map(|(gate, rules)| {
            let rules: Vec<String> = rules.as_array().into_iter().flatten().map(|rule| format!("    {rule}")).collect();
            format!("  \"{gate}\": [\n{}\n  ]", rules.join(",\n"))
        })
        .collect();
    format!("{{\n{}\n}}\n", gates.join(",\n"))
}

/// Both schemas in one. What both have must be the same, all the way down.
fn united(one: Value, other: &Value) -> Result<Value> {
    match (one, other) {
        (Value::Object(mut one), Value::Object(other)) => {
            for (key, value) in other {
                let both = match one.remove(key) {
                    Some(before) => united(before, value).with_context(|| format!("at `{key}`"))?,
                    None => value.clone(),
                };
                one.insert(key.clone(), both);
            }
            Ok(Value::Object(one))
        }
        (one, other) => {
            ensure!(one == *other, "`{one}` or `{other}`");
            Ok(one)
        }
    }
}

/// A schema that says where it comes from, as far as JSON can.
fn noted(schema: &Value) -> Result<String> {
    let schema = schema.as_object().context("a schema is an object")?;
    let note = [("$comment".to_owned(), Value::from(render::NOTE))];
    let noted: Map<String, Value> = note.into_iter().chain(schema.clone()).collect();
    Ok(serde_json::to_string_pretty(&noted).context("could not write a schema")? + "\n")
}

/// Files in generated folders that nobody generates any more.
fn stale(files: &Files) -> Result<BTreeSet<PathBuf>> {
    let there = repo::files()?;
    let generated = |path: &PathBuf| FOLDERS.iter().any(|folder| path.starts_with(folder));
    Ok(there.into_iter().filter(|path| generated(path) && !files.contains_key(path)).collect())
}
