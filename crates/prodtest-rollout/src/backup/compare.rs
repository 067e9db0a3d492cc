//! Whether an object is there as it was. Pure.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::apply::Reference;

/// The longest value that a difference quotes.
const LONGEST: usize = 120;

/// A field that is not as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Difference {
    /// Of which object, as `deployment.apps/godel-api`.
    pub object: String,
    /// Where in it, as `spec.replicas`; empty, when it is the whole object.
    pub path: String,
    /// What was expected.
    pub expected: String,
    /// What is there.
    pub seen: String,
}

/// Every field of `expected` that `seen` has otherwise, or not at all. What `seen` has beside is the cluster's defaults,
/// and ignored, but for items of a list: one more of those is a change. Values of Secrets are not quoted.
#[must_use]
pub fn compare(expected: &Value, seen: &Value) -> Vec<Difference> {
    let object = Reference::of(expected).map_or_else(|error| error.to_string(), |object| object.to_string());
    let mut found = Found { object, secret: expected["kind"] == "Secret", differences: Vec::new() };
    found.walk("", expected, Some(seen));
    found.differences
}

struct Found {
    object: String,
    secret: bool,
    differences: Vec<Difference>,
}

impl Found {
    fn walk(&mut self, path: &str, expected: &Value, seen: Option<&Value>) {
        match (expected, seen) {
            (Value::Object(fields), Some(Value::Object(others))) => {
                for (name, value) in fields {
                    // A name with a dot of its own (`meta.helm.sh/release-name`) would read as more than one.
                    let name_in_path = if name.contains('.') { format!("[{name}]") } else { name.clone() };
                    let dot = if path.is_empty() || name.contains('.') { "" } else { "." };
                    self.walk(&format!("{path}{dot}{name_in_path}"), value, others.get(name));
                }
            }
            (Value::Array(items), Some(Value::Array(others))) if items.len() == others.len() => {
                for (number, (item, other)) in items.iter().zip(others).enumerate() {
                    self.walk(&format!("{path}[{number}]"), item, Some(other));
                }
            }
            // The API leaves out what is empty.
            (Value::Null, None) => {}
            (Value::Object(fields), None) if fields.is_empty() => {}
            (Value::Array(items), None) if items.is_empty() => {}
            (expected, seen) if Some(expected) == seen => {}
            (expected, seen) => {
                let difference = Difference {
                    object: self.object.clone(),
                    path: path.to_owned(),
                    expected: self.quoted(expected),
                    seen: seen.map_or_else(|| "nothing".to_owned(), |seen| self.quoted(seen)),
                };
                self.differences.push(difference);
            }
        }
    }

    fn quoted(&self, value: &Value) -> String {
        if self.secret {
            return "a value that is not shown".to_owned();
        }
        match value {
            Value::Array(items) => format!("{} items", items.len()),
            value => {
                let text = value.to_string();
                match text.char_indices().nth(LONGEST) {
                    Some((end, _)) => format!("{}…", &text[..end]),
                    None => text,
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;

/// In one line: `deployment.apps/godel-api: spec.replicas: expected 3, seen 2`.
impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { object, path, expected, seen } = self;
        let path = if path.is_empty() { String::new() } else { format!("{path}: ") };
        write!(f, "{object}: {path}expected {expected}, seen {seen}")
    }
}
