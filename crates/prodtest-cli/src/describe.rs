//! `--describe`: everything that is generated from a gate (actions, templates, schemas, pages), as JSON.

use prodtest_gate::{Check, Rule};
#[cfg(debug_assertions)]
use schemars::SchemaGenerator;
use serde_json::{Map, Value, json};

use crate::{
    CommandLine,
    flags::{Common, command, is_input, is_switch, takes_value, variable_of},
};

/// The outputs that every gate has.
const OUTPUTS: [(&str, &str); 4] = [
    ("verdict", "What the gate answers: `passed`, `failed` or `undetermined`."),
    ("failed", "The checks that failed, separated by commas."),
    ("undetermined", "The checks that could not be measured, separated by commas."),
    ("report", "The path of the HTML report."),
];

/// The description of a gate, with the checks of a plan, and what it asks of a cluster, if there is one.
pub(crate) fn describe<G: CommandLine>(checks: &[Check], rbac: &[Rule]) -> Value {
    let common = <Common as clap::Args>::augment_args(clap::Command::new("common"));
    let is_common = |arg: &clap::Arg| common.get_arguments().any(|other| other.get_id() == arg.get_id());
    let command = command::<G>();
    let flags: Vec<Value> = command
        .get_arguments()
        .filter(|arg| arg.get_long().is_some() || arg.is_positional())
        .map(|arg| {
            json!({
                "name": arg.get_long().unwrap_or(arg.get_id().as_str()),
                "value": takes_value(arg).then(|| arg.get_value_names().and_then(|names| names.first()).map(ToString::to_string)),
                "values": values(arg),
                "help": arg.get_help().map(ToString::to_string),
                "default": arg.get_default_values().first().map(|value| value.to_string_lossy()),
                "env": (takes_value(arg) || is_switch(arg)).then(|| variable_of(arg)),
                "repeat": matches!(arg.get_action(), clap::ArgAction::Append),
                "common": is_common(arg),
                "input": is_input(arg),
            })
        })
        .collect();
    let outputs: Vec<Value> = OUTPUTS
        .iter()
        .chain(G::OUTPUTS)
        .map(|(name, description)| json!({ "name": name, "description": description }))
        .collect();
    let schemas = schemas::<G>();
    json!({
        "gate": G::NAME,
        "question": G::QUESTION,
        "about": G::ABOUT,
        "version": env!("CARGO_PKG_VERSION"),
        "flags": flags,
        "outputs": outputs,
        "checks": checks,
        "schema": schemas["prodtest"]["properties"][G::NAME],
        "schemas": schemas,
        // The rules a service account needs, as in a Role of the namespace; none for a plan that asks no cluster.
        "rbac": rbac,
    })
}

/// The values that it takes, where they can be counted.
fn values(arg: &clap::Arg) -> Vec<String> {
    if is_switch(arg) {
        return vec!["true".to_owned(), "false".to_owned()];
    }
    arg.get_possible_values().iter().map(|value| value.get_name().to_owned()).collect()
}

/// The schemas of the files that people and programs meet, by name.
///
/// A build for development makes them from the types, and `cargo xtask generate` publishes those; a released binary
/// carries the published text, for the code that makes them is three times as large. CI checks that the two agree.
#[cfg(debug_assertions)]
fn schemas<G: CommandLine>() -> Map<String, Value> {
    let section = SchemaGenerator::default().into_root_schema_for::<G::Section>();
    let run = SchemaGenerator::default().into_root_schema_for::<prodtest_gate::RunRecord>();
    let shared =
        [("prodtest".to_owned(), prodtest_config::schema(vec![(G::NAME, section)])), ("run".to_owned(), json!(run))];
    shared.into_iter().chain(G::schemas().into_iter().map(|(name, schema)| (name.to_owned(), schema))).collect()
}

#[cfg(not(debug_assertions))]
fn schemas<G: CommandLine>() -> Map<String, Value> {
    let published = |text| serde_json::from_str(text).unwrap_or_default();
    let shared = [
        ("prodtest".to_owned(), published(include_str!("../../../schemas/prodtest.schema.json"))),
        ("run".to_owned(), published(include_str!("../../../schemas/run.schema.json"))),
    ];
    shared.into_iter().chain(G::schemas().into_iter().map(|(name, schema)| (name.to_owned(), schema))).collect()
}
