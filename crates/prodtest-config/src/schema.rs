//! The JSON Schema of `prodtest.yaml`, which editors complete and check by.

mod parts;

use schemars::{JsonSchema, Schema, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use crate::{Environment, model::SHARED_WITH_TOP, waivers::WaiverEntry};
use parts::Parts;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The schema of the whole file: the shared part, and the sections of these gates at the top and in environments.
///
/// Where maps are merged (an environment with the one that it extends, a section of an environment with the one at
/// the top) no single map needs to be complete, so nothing is required there.
#[must_use]
pub fn schema(sections: Vec<(&str, Schema)>) -> Value {
    let mut definitions = Map::new();
    let mut environment = definition(&mut definitions, "environment", schema_of::<Environment>());
    let waiver = definition(&mut definitions, "waiver", schema_of::<WaiverEntry>());
    let mut top = Map::new();
    top.insert("service".into(), json!({ "type": "string", "minLength": 1, "description": "The service under test." }));
    let mut gates = Map::new();
    for (gate, section) in sections {
        let mut section = definition(&mut definitions, gate, section);
        section.insert("title".into(), format!("The section of the gate `{gate}`").into());
        definitions.insert(format!("{gate}.section"), section.into());
        // `smoke:` with nothing after it is an empty section.
        let reference = json!({ "anyOf": [{ "$ref": format!("#/$defs/{gate}.section") }, { "type": "null" }] });
        gates.insert(gate.to_owned(), reference);
    }
    if let Some(Value::Object(properties)) = environment.get_mut("properties") {
        let extends =
            json!({ "type": ["string", "null"], "description": "Another environment that this one is laid over." });
        properties.insert("extends".into(), extends);
        properties.extend(gates.clone());
    }
    let shared: Vec<(String, Value)> = SHARED_WITH_TOP
        .into_iter()
        .filter_map(|key| Some((key.to_owned(), environment.get("properties")?.get(key)?.clone())))
        .collect();
    let mut parts = Parts::new(&mut definitions);
    let shared: Map<String, Value> = shared.into_iter().map(|(key, schema)| (key, parts.of(&schema))).collect();
    let environment = parts.of(&environment.into());
    let gates: Map<String, Value> = gates.iter().map(|(gate, section)| (gate.clone(), parts.of(section))).collect();
    top.insert(
        "environments".into(),
        json!({
            "type": "object",
            "description": "The environments that a release is judged in, by name.",
            "minProperties": 1,
            "propertyNames": { "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$" },
            "additionalProperties": { "anyOf": [{ "$ref": "#/$defs/environment" }, { "type": "null" }] },
        }),
    );
    top.insert(
        "waivers".into(),
        json!({
            "description": "Reasoned exceptions: a list, or the path of a file with one.",
            "anyOf": [{ "type": "array", "items": waiver }, { "type": "string", "minLength": 1 }, { "type": "null" }],
        }),
    );
    top.extend(shared);
    top.extend(gates);
    definitions.insert("environment".into(), environment);
    json!({
        "$schema": DIALECT,
        "title": "prodtest.yaml",
        "description": "What prodtest's gates know of a service: its environments, and a section for each gate.",
        "type": "object",
        "properties": top,
        "required": ["service", "environments"],
        "additionalProperties": false,
        "$defs": definitions,
    })
}

fn schema_of<T: JsonSchema>() -> Schema {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<T>()
}

/// The schema itself, its own definitions moved to the common ones. Two gates may call different things by the same
/// name, so each definition gets its owner's name in front.
fn definition(definitions: &mut Map<String, Value>, owner: &str, schema: Schema) -> Map<String, Value> {
    let mut schema = schema.to_value();
    renamed(&mut schema, owner);
    let Value::Object(mut schema) = schema else { return Map::new() };
    schema.remove("$schema");
    if let Some(Value::Object(own)) = schema.remove("$defs") {
        definitions.extend(own.into_iter().map(|(name, definition)| (format!("{owner}.{name}"), definition)));
    }
    schema
}

fn renamed(value: &mut Value, owner: &str) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                match value {
                    Value::String(target) if key == "$ref" => {
                        if let Some(name) = target.strip_prefix("#/$defs/") {
                            *target = format!("#/$defs/{owner}.{name}");
                        }
                    }
                    _ => renamed(value, owner),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| renamed(item, owner)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
