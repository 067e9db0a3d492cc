//! A value that knows where it was written.

use std::{borrow::Cow, fmt, ops::Deref};

use prodtest_gate::Place;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// A value and the place where it was written, for findings that trace to a line.
///
/// Read from a [`crate::Node`], it is the plain value, and the place comes with it. Read from or written to anything
/// else, as in a run record's plan, it is `{ "value": …, "place": … }`. Inside `#[serde(flatten)]` and untagged
/// enums serde forgets places, so it cannot be used there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
// The name tells `read` that the place is wanted too; it must be that of `read::LOCATED`.
#[serde(rename = "__prodtest_located", deny_unknown_fields)]
pub struct Located<T> {
    /// The value.
    pub value: T,
    /// Where it was written.
    pub place: Place,
}

impl<T> Located<T> {
    /// A value and its place.
    #[must_use]
    pub const fn new(value: T, place: Place) -> Self {
        Self { value, place }
    }

    /// Another value at the same place.
    #[must_use]
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Located<U> {
        Located { value: change(self.value), place: self.place }
    }
}

impl<T> Deref for Located<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.value
    }
}

impl<T: fmt::Display> fmt::Display for Located<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.value.fmt(f)
    }
}

/// That of the value: it is what a user writes.
impl<T: JsonSchema> JsonSchema for Located<T> {
    fn inline_schema() -> bool {
        T::inline_schema()
    }

    fn schema_name() -> Cow<'static, str> {
        T::schema_name()
    }

    fn schema_id() -> Cow<'static, str> {
        T::schema_id()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        T::json_schema(generator)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::Node;

    #[test]
    fn the_place_comes_with_the_value() {
        let node = Node::parse("a.yaml", "one: 1\né: [2,\n  3]\n").unwrap();
        let map: BTreeMap<Located<String>, Located<serde_json::Value>> = node.read().unwrap();
        let places: Vec<(String, String)> =
            map.iter().map(|(key, value)| (key.place.to_string(), value.place.to_string())).collect();
        let expected = [("a.yaml:1:1", "a.yaml:1:6"), ("a.yaml:2:1", "a.yaml:2:4")];
        assert_eq!(places, expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
        let list: BTreeMap<String, Vec<Located<u8>>> = Node::parse("a.yaml", "é: [2,\n  3]\n").unwrap().read().unwrap();
        assert_eq!(list["é"][1].place.to_string(), "a.yaml:2:3");
    }

    #[test]
    fn a_plan_keeps_it_and_can_be_read_again() {
        let node = Node::parse("a.yaml", "[7]").unwrap();
        let value: Vec<Located<Option<u8>>> = node.read().unwrap();
        let json = serde_json::to_value(&value).unwrap();
        let expected = serde_json::json!([{ "value": 7, "place": { "file": "a.yaml", "line": 1, "column": 2 } }]);
        assert_eq!(json, expected);
        assert_eq!(serde_json::from_value::<Vec<Located<Option<u8>>>>(json).unwrap(), value);
    }
}
