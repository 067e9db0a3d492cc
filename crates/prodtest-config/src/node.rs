//! A tree of YAML in which every value knows where it was written.

use std::{collections::HashMap, fmt, path::PathBuf, sync::Arc};

use prodtest_gate::Place;
use serde::Deserialize;

use crate::{ConfigError, Source, nearest::shortened, secret};

/// Line and column from 1; with the source's label, a [`Place`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

/// A value and its place. Keys of maps are nodes too, and always texts.
#[derive(Clone, Debug)]
pub struct Node {
    pub(crate) source: Arc<Source>,
    pub(crate) mark: Mark,
    pub(crate) kind: Kind,
    /// The section that this empty map stands for, when the file does not have it.
    pub(crate) absent: Option<String>,
}

#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Null,
    Bool(bool),
    /// Every 64-bit number, and as it was written, for messages.
    Whole(i128, String),
    /// The same for numbers that are not whole.
    Float(f64, String),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// Reads a text that is one YAML document with something in it.
    ///
    /// # Errors
    /// When it is not, with the place: bad YAML, a key written twice, several documents, none, or a text that is
    /// made to exhaust its reader.
    pub fn parse(file_label: &str, text: &str) -> Result<Self, ConfigError> {
        Self::of(&Source::new(file_label, text)?)
    }

    /// The same, of a file that is already read.
    ///
    /// # Errors
    /// As [`Node::parse`].
    pub fn of(source: &Arc<Source>) -> Result<Self, ConfigError> {
        crate::parse::parse(source)
    }

    /// An empty map in place of a section that the file does not have.
    pub(crate) fn absent(like: &Self, section: &str) -> Self {
        let kind = Kind::Map(Vec::new());
        Self { source: Arc::clone(&like.source), mark: like.mark, kind, absent: Some(section.to_owned()) }
    }

    /// Reads the tree as a `T`, with the place in every error.
    ///
    /// # Errors
    /// When it does not have the shape of a `T`.
    pub fn read<'a, T: Deserialize<'a>>(&'a self) -> Result<T, ConfigError> {
        T::deserialize(self)
    }

    /// Where it was written; for a map in lines, the place of its first key.
    #[must_use]
    pub fn place(&self) -> Place {
        Place { file: self.source.label().to_owned(), line: self.mark.line, column: self.mark.column }
    }

    /// The file it was written in.
    #[must_use]
    pub const fn source(&self) -> &Arc<Source> {
        &self.source
    }

    /// An error about this value, which can show its line.
    #[must_use]
    pub fn error(&self, message: impl Into<String>) -> ConfigError {
        ConfigError::new(message).at(self.place()).with_source(&self.source)
    }

    /// The text, if it is one.
    #[must_use]
    pub fn as_text(&self) -> Option<&str> {
        if let Kind::Text(text) = &self.kind { Some(text) } else { None }
    }

    /// What was written, if it is a text, a number or a truth: a number as its author wrote it.
    #[must_use]
    pub fn scalar(&self) -> Option<String> {
        match &self.kind {
            Kind::Text(text) | Kind::Whole(_, text) | Kind::Float(_, text) => Some(text.clone()),
            Kind::Bool(value) => Some(value.to_string()),
            Kind::Null | Kind::List(_) | Kind::Map(_) => None,
        }
    }

    /// Whether nothing was written.
    #[must_use]
    pub const fn is_null(&self) -> bool {
        matches!(self.kind, Kind::Null)
    }

    /// Keys and values, if it is a map; none otherwise.
    pub fn entries(&self) -> impl Iterator<Item = (&Self, &Self)> {
        let entries = if let Kind::Map(entries) = &self.kind { entries.as_slice() } else { &[] };
        entries.iter().map(|(key, value)| (key, value))
    }

    /// The values of a list; none otherwise.
    pub fn items(&self) -> impl Iterator<Item = &Self> {
        if let Kind::List(items) = &self.kind { items.iter() } else { [].iter() }
    }

    /// The value of a key, if it is a map that has it.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&Self> {
        self.entries().find(|(known, _)| known.key() == key).map(|(_, value)| value)
    }

    /// A path written here, relative to the file.
    pub(crate) fn path(&self, written: &str) -> PathBuf {
        self.source.join(written)
    }

    /// The text of a node that is a key.
    pub(crate) fn key(&self) -> &str {
        self.as_text().unwrap_or_default()
    }

    /// The map without some of its keys.
    pub(crate) fn without(&self, keys: &[&str]) -> Self {
        let mut rest = self.clone();
        if let Kind::Map(entries) = &mut rest.kind {
            entries.retain(|(key, _)| !keys.contains(&key.key()));
        }
        rest
    }

    /// `over` laid over `base`: maps merge key by key, everything else is replaced, and nothing (`key:`) takes away
    /// what was inherited. A secret by reference is one value, so it is replaced too.
    #[must_use]
    pub fn merge(base: &Self, over: &Self) -> Self {
        let (Kind::Map(below), Kind::Map(above)) = (&base.kind, &over.kind) else { return over.clone() };
        if base.is_reference() && over.is_reference() {
            return over.clone();
        }
        let mut entries = below.clone();
        let index: HashMap<&str, usize> = below.iter().enumerate().map(|(i, (key, _))| (key.key(), i)).collect();
        for (key, value) in above {
            match index.get(key.key()) {
                Some(&i) => entries[i] = (key.clone(), Self::merge(&below[i].1, value)),
                None => entries.push((key.clone(), value.clone())),
            }
        }
        Self { kind: Kind::Map(entries), ..over.clone() }
    }

    /// Whether it is a secret by reference. `kubernetes` is a key of environments too; what it has there no reference
    /// has.
    fn is_reference(&self) -> bool {
        let is_part = |key: &Self, value: &Self| match key.key() {
            "kubernetes" => value.get("secret").is_some() || value.get("key").is_some(),
            key => secret::KEYS.contains(&key) && value.as_text().is_some(),
        };
        self.entries().next().is_some() && self.entries().all(|(key, value)| is_part(key, value))
    }

    /// What it is, for `expected …, seen …`.
    pub(crate) fn seen(&self) -> Seen<'_> {
        Seen(&self.kind)
    }
}

/// What a node is, in words.
pub(crate) struct Seen<'a>(&'a Kind);

impl fmt::Display for Seen<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Kind::Null => f.write_str("nothing"),
            Kind::Bool(value) => write!(f, "`{value}`"),
            Kind::Whole(_, written) | Kind::Float(_, written) => write!(f, "the number `{written}`"),
            Kind::Text(text) => write!(f, "the text `{}`", shortened(text)),
            Kind::List(_) => f.write_str("a list"),
            Kind::Map(_) => f.write_str("a map"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(base: &str, over: &str) -> serde_json::Value {
        let node = |text| Node::parse("x.yaml", text).unwrap();
        Node::merge(&node(base), &node(over)).read().unwrap()
    }

    #[test]
    fn maps_merge_and_everything_else_is_replaced() {
        let json = merged("{a: {b: 1, c: 2}, l: [1, 2], s: x}", "{a: {c: 3, d: 4}, l: [5], n: y}");
        assert_eq!(json, serde_json::json!({ "a": { "b": 1, "c": 3, "d": 4 }, "l": [5], "s": "x", "n": "y" }));
        assert_eq!(merged("{a: {b: 1}}", "{a: x}"), serde_json::json!({ "a": "x" }));
        assert_eq!(merged("{a: x, b: y}", "{a: }"), serde_json::json!({ "a": null, "b": "y" }));
    }

    #[test]
    fn a_secret_by_reference_is_replaced_whole() {
        let json = merged("v: {env: A}", "v: {file: b}");
        assert_eq!(json, serde_json::json!({ "v": { "file": "b" } }));
        let json = merged("v: {env: A}", "v: {kubernetes: {secret: a, key: b}}");
        assert_eq!(json, serde_json::json!({ "v": { "kubernetes": { "secret": "a", "key": "b" } } }));
        let json = merged("v: {kubernetes: {secret: a, key: b, namespace: n}}", "v: {kubernetes: {key: c}}");
        assert_eq!(json, serde_json::json!({ "v": { "kubernetes": { "key": "c" } } }));
        // A map that only happens to have such a key merges as any other.
        let json = merged("{kubernetes: {namespace: a, context: c}}", "{kubernetes: {namespace: b}}");
        assert_eq!(json, serde_json::json!({ "kubernetes": { "namespace": "b", "context": "c" } }));
        let json = merged("identities: {file: {header: A}}", "identities: {env: {header: B}}");
        assert_eq!(json, serde_json::json!({ "identities": { "file": { "header": "A" }, "env": { "header": "B" } } }));
    }

    #[test]
    fn a_scalar_is_what_was_written() {
        let node = Node::parse("x.yaml", "[1.10, '007', true, 3, ~, [], {}]").unwrap();
        let scalars: Vec<_> = node.items().filter_map(Node::scalar).collect();
        assert_eq!(scalars, ["1.10", "007", "true", "3"]);
    }

    #[test]
    fn merged_values_keep_their_places() {
        let base = Node::parse("base.yaml", "a:\n  b: 1\n").unwrap();
        let over = Node::parse("over.yaml", "a: {c: 2}\n").unwrap();
        let merged = Node::merge(&base, &over);
        let place = |key: &str| merged.get("a").and_then(|a| a.get(key)).unwrap().place().to_string();
        assert_eq!((place("b").as_str(), place("c").as_str()), ("base.yaml:2:6", "over.yaml:1:8"));
    }
}
