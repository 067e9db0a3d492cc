//! The schema of a map that others are merged with: the same, with nothing required.

use serde_json::{Map, Value};

const PREFIX: &str = "#/$defs/";

/// Makes such schemas, and beside each definition that they refer to, one for a part of it.
pub(super) struct Parts<'a> {
    definitions: &'a mut Map<String, Value>,
}

impl<'a> Parts<'a> {
    pub(super) const fn new(definitions: &'a mut Map<String, Value>) -> Self {
        Self { definitions }
    }

    /// The schema of a part. Lists are replaced whole, never merged, so what is in them stays as it is.
    pub(super) fn of(&mut self, schema: &Value) -> Value {
        let Value::Object(whole) = schema else { return schema.clone() };
        let mut part = Map::new();
        for (key, value) in whole {
            let value = match (key.as_str(), value) {
                ("required", _) => continue,
                ("$ref", Value::String(target)) => self.reference(target).into(),
                ("properties" | "patternProperties", Value::Object(properties)) => {
                    properties.iter().map(|(name, property)| (name.clone(), self.of(property))).collect()
                }
                ("additionalProperties", value) => self.of(value),
                ("anyOf" | "allOf", Value::Array(schemas)) => schemas.iter().map(|schema| self.of(schema)).collect(),
                (_, other) => other.clone(),
            };
            part.insert(key.clone(), value);
        }
        part.into()
    }

    /// The definition of a part of what `target` defines.
    fn reference(&mut self, target: &str) -> String {
        let part = format!("{target}.part");
        let (Some(name), Some(part_name)) = (target.strip_prefix(PREFIX), part.strip_prefix(PREFIX)) else {
            return target.to_owned();
        };
        let Some(whole) = self.definitions.get(name).cloned() else { return target.to_owned() };
        if !self.definitions.contains_key(part_name) {
            // Before its content, which may refer to itself.
            self.definitions.insert(part_name.to_owned(), Value::Null);
            let content = self.of(&whole);
            if content == whole {
                // Nothing in it was required: it is its own part.
                self.definitions.remove(part_name);
                return target.to_owned();
            }
            self.definitions.insert(part_name.to_owned(), content);
        }
        part
    }
}
