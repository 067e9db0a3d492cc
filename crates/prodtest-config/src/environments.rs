//! Picks an environment and lays it over the ones that it extends.

use prodtest_gate::Place;

use crate::{
    ConfigError, DEFAULT_IDENTITY, Environment, GATES, Node,
    model::SHARED_WITH_TOP,
    nearest::{listed, nearest},
    node::Kind,
    read::fields_of,
};

/// The key by which an environment inherits.
const EXTENDS: &str = "extends";

/// The environments of a file, none of them read yet.
pub(crate) struct Environments<'a> {
    key: &'a Node,
    map: &'a Node,
    /// What goes for all of them, under each.
    shared: Node,
}

impl<'a> Environments<'a> {
    /// Looks at what is under the key `environments`.
    pub(crate) fn new(key: &'a Node, map: &'a Node, root: &Node) -> Result<Self, ConfigError> {
        if !matches!(map.kind, Kind::Map(_) | Kind::Null) {
            return Err(map.error(format!("expected a map of environments, seen {}", map.seen())));
        }
        if map.entries().next().is_none() {
            let error = key.error("no environment, and at least one is needed");
            return Err(error.with_hint("write `environments: { local: { url: http://127.0.0.1:8080 } }`"));
        }
        let is_shared = |key: &Node| SHARED_WITH_TOP.contains(&key.key());
        let entries = root.entries().filter(|(key, _)| is_shared(key));
        let entries = entries.map(|(key, value)| (key.clone(), value.clone())).collect();
        Ok(Self { key, map, shared: Node { kind: Kind::Map(entries), ..root.clone() } })
    }

    fn names(&self) -> Vec<&'a str> {
        self.map.entries().map(|(name, _)| name.key()).collect()
    }

    /// The environment that is asked for, or the only one.
    pub(crate) fn pick(&self, asked: Option<&str>) -> Result<&'a str, ConfigError> {
        let names = self.names();
        match (asked, names.as_slice()) {
            (None, [only]) => Ok(only),
            (None, _) => {
                let error = self.key.error(format!("{} environments, and none is chosen", names.len()));
                Err(error.with_hint(format!("name one by `--env`: {}", listed(&names))))
            }
            (Some(asked), _) => names.iter().copied().find(|name| *name == asked).ok_or_else(|| {
                let error = self.key.error(format!("there is no environment `{asked}`"));
                match nearest(asked, names.iter().copied()) {
                    Some(near) => error
                        .with_hint(format!("did you mean `{near}`?"))
                        .with_note(format!("known: {}", listed(&names))),
                    None => error.with_hint(format!("known: {}", listed(&names))),
                }
            }),
        }
    }

    /// Reads every environment, so that a mistake in one is found before it is needed. Sections of gates are left
    /// unread. Returns the one asked for, read and as a tree.
    pub(crate) fn read(&self, picked: &str) -> Result<(Environment, Node), ConfigError> {
        let mut found = None;
        for (name, node) in self.map.entries() {
            check_name(name)?;
            check_keys(node)?;
            let effective = self.effective(name.key(), node)?;
            let unread: Vec<&str> = GATES.into_iter().chain([EXTENDS]).collect();
            let environment: Environment = effective.without(&unread).read()?;
            if let Some(identity) = environment.identities.get(DEFAULT_IDENTITY) {
                let error = effective.error(format!("the identity `{DEFAULT_IDENTITY}` is written as `auth`"));
                return Err(error.at(identity.place.clone()).with_hint("move it to `auth`, beside `identities`"));
            }
            if name.key() == picked {
                found = Some((environment, effective));
            }
        }
        found.ok_or_else(|| self.key.error(format!("there is no environment `{picked}`")))
    }

    /// The environment laid over the ones it extends, the farthest at the bottom.
    fn effective(&self, name: &'a str, node: &'a Node) -> Result<Node, ConfigError> {
        let mut chain = vec![(name, or_empty(node))];
        let mut steps: Vec<Step<'_>> = Vec::new();
        let mut at = node;
        while let Some(extends) = at.get(EXTENDS).filter(|extends| !extends.is_null()) {
            let parent: &'a str = extends.read()?;
            if chain.iter().any(|(known, _)| *known == parent) {
                return Err(circle(extends, chain.iter().map(|(name, _)| *name), parent, &steps));
            }
            let from = chain.last().map_or(name, |(last, _)| *last);
            steps.push(Step { from, to: parent, place: extends.place() });
            at = self.map.get(parent).ok_or_else(|| {
                let known: Vec<&str> = self.names().into_iter().filter(|known| *known != name).collect();
                let error = ConfigError::unknown("environment", parent, &known);
                error.at(extends.place()).with_source(extends.source())
            })?;
            chain.push((parent, or_empty(at)));
        }
        let layers = chain.into_iter().map(|(_, layer)| layer).rev();
        Ok(layers.fold(self.shared.clone(), |base, over| Node::merge(&base, &over)))
    }
}

/// One environment that names another.
struct Step<'a> {
    from: &'a str,
    to: &'a str,
    place: Place,
}

fn circle<'a>(
    extends: &Node,
    chain: impl Iterator<Item = &'a str>,
    parent: &'a str,
    steps: &[Step<'_>],
) -> ConfigError {
    let names: Vec<&str> = chain.skip_while(|name| *name != parent).chain([parent]).collect();
    let error = extends.error(format!("environments extend each other in a circle: {}", names.join(" → ")));
    let others = steps.iter().filter(|step| names.contains(&step.from));
    others
        .fold(error, |error, step| {
            error.with_related(step.place.clone(), format!("`{}` extends `{}`", step.from, step.to))
        })
        .with_hint("let one of them stand alone")
}

/// An environment with nothing in it, `local:`, is an empty map.
pub(crate) fn or_empty(node: &Node) -> Node {
    if node.is_null() { Node { kind: Kind::Map(Vec::new()), ..node.clone() } } else { node.clone() }
}

/// The name becomes a folder and a part of other names.
fn check_name(name: &Node) -> Result<(), ConfigError> {
    let text = name.key();
    let is_plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
    if is_plain && text.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        return Ok(());
    }
    let hint = "use letters, digits, `.`, `_` and `-`, and begin with a letter or digit";
    Err(name.error(format!("`{text}` cannot be the name of an environment")).with_hint(hint))
}

fn check_keys(environment: &Node) -> Result<(), ConfigError> {
    let mut known: Vec<&str> = vec![EXTENDS];
    known.extend(fields_of::<Environment>());
    known.extend(GATES);
    for (key, _) in environment.entries() {
        if !known.contains(&key.key()) {
            let error = ConfigError::unknown("key", key.key(), &known);
            return Err(error.at(key.place()).with_source(key.source()));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
