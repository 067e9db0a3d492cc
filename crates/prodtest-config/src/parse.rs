//! From YAML text to a [`Node`].
//!
//! The library resolves anchors, aliases and merge keys, and keeps to a budget, so that a text of a kilobyte cannot
//! become a tree of gigabytes. A value that came by an alias has the place where it was written, not the alias'.

use std::{collections::HashMap, fmt, sync::Arc};

use prodtest_gate::Place;
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{
    DuplicateKeyPolicy, Location, MessageFormatter, NonFiniteFloatPolicy, Spanned, UserMessageFormatter,
};

use crate::{
    ConfigError, Source,
    node::{Kind, Mark, Node},
};

/// No configuration that a person wrote is as deep; each level takes some 30 kB of the 2 MB stack of a thread.
const MAX_DEPTH: usize = 32;
/// Nor has as many values, counting those that aliases repeat.
const MAX_NODES: usize = 200_000;

pub(crate) fn parse(source: &Arc<Source>) -> Result<Node, ConfigError> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MAX_NODES },
        // Told apart below, where both places are known.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        strict_booleans: true,
        leading_zero_numbers_as_strings: true,
        underscored_numbers_as_strings: true,
        reject_unsupported_tags: true,
        non_finite_float_policy: NonFiniteFloatPolicy::Reject,
        with_snippet: false,
    };
    let tree: Spanned<Tree> =
        serde_saphyr::from_str_with_options(source.text(), options).map_err(|error| broken(source, &error))?;
    let node = placed(source, tree)?;
    if node.is_null() {
        return Err(ConfigError::new(format!("`{}` is empty", source.label())));
    }
    Ok(node)
}

/// A tree before it knows its source.
enum Tree {
    Null,
    Bool(bool),
    Whole(i128),
    Float(f64),
    Text(String),
    List(Vec<Spanned<Self>>),
    Map(Vec<(Spanned<Key>, Spanned<Self>)>),
}

/// A key is a text, whatever it looks like.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyVisitor;
        impl Visitor<'_> for KeyVisitor {
            type Value = Key;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text as the key")
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Key, E> {
                Ok(Key(text.to_owned()))
            }
        }
        deserializer.deserialize_str(KeyVisitor)
    }
}

impl<'de> Deserialize<'de> for Tree {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TreeVisitor;
        impl<'de> Visitor<'de> for TreeVisitor {
            type Value = Tree;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value")
            }

            fn visit_unit<E>(self) -> Result<Tree, E> {
                Ok(Tree::Null)
            }

            fn visit_bool<E>(self, value: bool) -> Result<Tree, E> {
                Ok(Tree::Bool(value))
            }

            fn visit_i64<E>(self, value: i64) -> Result<Tree, E> {
                Ok(Tree::Whole(value.into()))
            }

            fn visit_u64<E>(self, value: u64) -> Result<Tree, E> {
                Ok(Tree::Whole(value.into()))
            }

            fn visit_f64<E>(self, value: f64) -> Result<Tree, E> {
                Ok(Tree::Float(value))
            }

            fn visit_str<E>(self, text: &str) -> Result<Tree, E> {
                Ok(Tree::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Tree, A::Error> {
                let mut list = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(Tree::List(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree, A::Error> {
                let mut map = Vec::new();
                while let Some(entry) = entries.next_entry()? {
                    map.push(entry);
                }
                Ok(Tree::Map(map))
            }
        }
        deserializer.deserialize_any(TreeVisitor)
    }
}

fn placed(source: &Arc<Source>, tree: Spanned<Tree>) -> Result<Node, ConfigError> {
    let node = |kind, at| Node { source: Arc::clone(source), mark: mark(at), kind, absent: None };
    let at = tree.defined;
    let kind = match tree.value {
        Tree::Null => Kind::Null,
        Tree::Bool(value) => Kind::Bool(value),
        Tree::Whole(value) => Kind::Whole(value, written(source, at, || value.to_string())),
        Tree::Float(value) => {
            let written = written(source, at, || value.to_string());
            if written.trim_start_matches(['+', '-']).bytes().all(|b| b.is_ascii_digit()) {
                let error = node(Kind::Null, at).error(format!("`{written}` is too large for a whole number"));
                return Err(error.with_hint(format!("put it in quotes if it is a text: \"{written}\"")));
            }
            Kind::Float(value, written)
        }
        Tree::Text(text) => Kind::Text(text),
        Tree::List(items) => Kind::List(items.into_iter().map(|item| placed(source, item)).collect::<Result<_, _>>()?),
        Tree::Map(entries) => {
            let mut seen = HashMap::with_capacity(entries.len());
            let mut map = Vec::with_capacity(entries.len());
            for (key, value) in entries {
                let at = key.defined;
                let key = node(Kind::Text(key.value.0), at);
                if let Some(first) = seen.insert(key.key().to_owned(), mark(at)) {
                    let first = Node { mark: first, ..key.clone() }.place();
                    let line = first.line;
                    return Err(key
                        .error(format!("the key `{}` is written twice", key.key()))
                        .with_related(first, "first here")
                        .with_hint(format!("keep one of them; the other is on line {line}")));
                }
                map.push((key, placed(source, value)?));
            }
            Kind::Map(map)
        }
    };
    Ok(node(kind, at))
}

fn mark(at: Location) -> Mark {
    let number = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
    Mark { line: number(at.line()), column: number(at.column()) }
}

/// A number as its author wrote it: `1.10` is not `1.1` in a message that says to put it in quotes.
fn written(source: &Source, at: Location, otherwise: impl FnOnce() -> String) -> String {
    let span = at.span();
    let range =
        span.byte_offset().zip(span.byte_len()).map(|(start, length)| start as usize..(start + length) as usize);
    range.and_then(|range| source.text().get(range)).map_or_else(otherwise, |text| text.trim().to_owned())
}

fn broken(source: &Arc<Source>, error: &serde_saphyr::Error) -> ConfigError {
    let (message, hint) = explained(error);
    let mut broken = ConfigError::new(message);
    if let Some(at) = error.location() {
        let Mark { line, column } = mark(at);
        broken = broken.at(Place { file: source.label().to_owned(), line, column }).with_source(source);
        let content = source.text().lines().nth(line.saturating_sub(1) as usize).unwrap_or_default();
        if content.starts_with([' ', '\t']) && content.trim_start_matches(' ').starts_with('\t') {
            return broken.with_hint("indent with spaces: YAML takes no tabs there");
        }
    }
    match hint {
        Some(hint) => broken.with_hint(hint),
        None => broken,
    }
}

/// What the library says, in our words where it speaks of its own types and options.
fn explained(error: &serde_saphyr::Error) -> (String, Option<&'static str>) {
    use serde_saphyr::Error as E;
    let says = |message: &str, hint| (message.to_owned(), Some(hint));
    match error.without_snippet() {
        E::MultipleDocuments { .. } => says("a second YAML document", "keep one document: no `---` after the first"),
        E::Eof { .. } => ("the text ends too early".to_owned(), None),
        E::UnknownAnchor { .. } => says("an alias of an anchor that is not there", "define it first: `&name`"),
        E::NonFiniteFloat { value, .. } => (format!("`{value}` is not a finite number"), Some("put a text in quotes")),
        E::UnsupportedTag { tag, .. } => (format!("the tag `{tag}` means nothing here"), Some("leave it out")),
        E::MergeValueNotMapOrSeqOfMaps { .. } => ("`<<` merges a map, or a list of maps".to_owned(), None),
        E::SerdeInvalidType { .. } | E::NullIntoString { .. } | E::Unexpected { .. } => {
            says("this cannot be a key", "a key is a text; put it in quotes")
        }
        E::RecursiveReferencesRequireWeakTypes { .. } => ("an alias of what it is part of".to_owned(), None),
        E::Budget { .. }
        | E::AliasReplayLimitExceeded { .. }
        | E::AliasExpansionLimitExceeded { .. }
        | E::AliasReplayStackDepthExceeded { .. }
        | E::AliasReplayCounterOverflow { .. } => {
            says("too deep, or too much", "a configuration is at most 32 levels deep and 200,000 values large")
        }
        E::AliasError { error, .. } => explained(error),
        other => {
            let message = UserMessageFormatter.format_message(other).into_owned();
            let wants_quotes = ["mapping values are not allowed", "unexpected character"];
            let hint = wants_quotes.iter().any(|begin| message.starts_with(begin));
            (message, hint.then_some("put a text that holds `: ` or begins with a sign in quotes"))
        }
    }
}

#[cfg(test)]
mod tests;
