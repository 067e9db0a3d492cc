//! `prodtest.yaml` as one gate sees it.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use prodtest_gate::Waiver;

use crate::{
    ConfigError, Environment, GATES, Located, Node, Source,
    environments::{Environments, or_empty},
    nearest::shortened,
    node::Kind,
    read::fields_of,
    waivers,
};

/// The keys at the top that belong to no gate.
const SHARED_KEYS: [&str; 4] = ["service", "environments", "image", "waivers"];

/// The shared part of a `prodtest.yaml`, one environment of it, and the section of one gate.
#[derive(Clone, Debug)]
pub struct Config {
    /// The service under test.
    pub service: String,
    /// The name of the environment.
    pub environment_name: String,
    /// The environment, laid over what it extends.
    pub environment: Environment,
    /// The section of the gate, that of the environment laid over the top-level one; an empty map when there is none.
    pub section: Node,
    /// The waivers for this gate's checks, and all for findings.
    pub waivers: Vec<Waiver>,
    /// The folder that paths in the file are relative to.
    pub folder: PathBuf,
    /// What the file is called in places.
    pub label: String,
    sources: Vec<Arc<Source>>,
    /// The whole file, and the environment.
    trees: (Node, Node),
}

impl Config {
    /// Reads the file as `gate` sees it, in the environment of that name, or in the only one.
    ///
    /// # Errors
    /// When the file is missing or wrong, or there is no such environment.
    pub fn load(path: &Path, gate: &str, environment: Option<&str>) -> Result<Self, ConfigError> {
        Self::of(&Source::read(path)?, gate, environment)
    }

    /// The same, of a file that is already read.
    ///
    /// # Errors
    /// As [`Config::load`].
    pub fn of(source: &Arc<Source>, gate: &str, environment: Option<&str>) -> Result<Self, ConfigError> {
        let root = Node::of(source)?;
        if !matches!(root.kind, Kind::Map(_)) {
            let error = root.error(format!("expected a map, seen {}", root.seen()));
            return Err(error.with_hint("a `prodtest.yaml` begins with `service: NAME`"));
        }
        check_keys(&root, gate)?;
        let service: Located<String> = required(&root, "service", "write `service: NAME`")?.1.read()?;
        if service.trim().is_empty() || service.chars().any(char::is_control) {
            let message = format!("expected a name in one line, seen the text `{}`", shortened(&service));
            return Err(root.error(message).at(service.place));
        }
        let hint = "write `environments: { local: { url: http://127.0.0.1:8080 } }`";
        let (key, map) = required(&root, "environments", hint)?;
        let environments = Environments::new(key, map, &root)?;
        let name = environments.pick(environment)?;
        let (environment, tree) = environments.read(name)?;
        let (waivers, waiver_source) = root.get("waivers").map(waivers::read).transpose()?.unwrap_or_default();
        Ok(Self {
            service: service.value,
            environment_name: name.to_owned(),
            environment,
            section: section(&root, &tree, gate),
            waivers: waivers::of_gate(waivers, gate),
            folder: source.folder().to_owned(),
            label: source.label().to_owned(),
            sources: [Arc::clone(source)].into_iter().chain(waiver_source).collect(),
            trees: (root, tree),
        })
    }

    /// The name of the file's first environment, for what needs an environment and cares not which.
    ///
    /// # Errors
    /// When the file is missing or has no environments.
    pub fn first_environment(path: &Path) -> Result<Option<String>, ConfigError> {
        let root = Node::of(&Source::read(path)?)?;
        let first = root.get("environments").and_then(|map| map.entries().next());
        Ok(first.and_then(|(name, _)| name.as_text()).map(str::to_owned))
    }

    /// The section of another gate, for one that does as that gate does: how a release is deployed is said once.
    #[must_use]
    pub fn section_of(&self, gate: &str) -> Node {
        section(&self.trees.0, &self.trees.1, gate)
    }

    /// Lets an error show its lines, when it was made from a place alone.
    #[must_use]
    pub fn explain(&self, error: ConfigError) -> ConfigError {
        self.sources.iter().fold(error, ConfigError::with_source)
    }
}

fn required<'a>(root: &'a Node, key: &str, hint: &str) -> Result<(&'a Node, &'a Node), ConfigError> {
    let entry = root.entries().find(|(known, _)| known.key() == key);
    entry.ok_or_else(|| root.error(format!("missing key `{key}`")).with_hint(hint))
}

/// A section that is written without anything in it is an empty map, not an end to what it is laid over.
fn section(root: &Node, environment: &Node, gate: &str) -> Node {
    match (root.get(gate).map(or_empty), environment.get(gate).map(or_empty)) {
        (Some(base), Some(over)) => Node::merge(&base, &over),
        (Some(only), None) | (None, Some(only)) => only,
        (None, None) => Node::absent(root, gate),
    }
}

fn check_keys(root: &Node, gate: &str) -> Result<(), ConfigError> {
    let mut known: Vec<&str> = SHARED_KEYS.to_vec();
    known.extend(GATES);
    for (key, _) in root.entries() {
        if known.contains(&key.key()) || key.key() == gate {
            continue;
        }
        let error = if fields_of::<Environment>().contains(&key.key()) {
            let message = format!("`{}` belongs to an environment", key.key());
            ConfigError::new(message)
                .with_hint(format!("move it under `environments: {{ NAME: {{ {}: … }} }}`", key.key()))
        } else {
            ConfigError::unknown("key", key.key(), &known)
        };
        return Err(error.at(key.place()).with_source(key.source()));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
