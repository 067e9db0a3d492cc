//! What wraps a gate on a platform: GitHub's action, GitLab's template.

use anyhow::{Result, ensure};
use serde::Serialize;

use super::render::render;
use crate::describe::{self, Flag, Gate};

/// The lines of a GitLab template that a release fills in: a variable of the script each.
pub const PINS: [&str; 5] =
    ["version", "sha256_x86_64", "sha256_aarch64", "helper_sha256_x86_64", "helper_sha256_aarch64"];

/// An input of an action or a template.
#[derive(Debug, PartialEq, Serialize)]
struct Input {
    /// Its name, that of the flag.
    name: String,
    /// The variable that carries it to the gate.
    env: String,
    /// That variable without its prefix.
    short: String,
    /// What it is, on one line.
    description: String,
    /// Whether it is on or off.
    switch: bool,
}

/// A gate, as the templates see it.
#[derive(Serialize)]
struct Context<'a> {
    gate: &'a str,
    program: String,
    /// The program that it calls; empty where it calls none.
    helper: String,
    question: &'a str,
    inputs: Vec<Input>,
    outputs: &'a [describe::Output],
    /// Where reports go unless somebody says otherwise.
    out: &'a str,
    /// Whether it runs Helm, which is in few images.
    helm: bool,
    /// The script that finds or downloads the program, and runs it.
    script: Vec<&'a str>,
}

/// The flag that says where reports go. A template must know it, since it says where GitLab finds them.
const OUT: &str = "out";

/// The composite action.
pub(super) fn action(gate: &Gate) -> Result<String> {
    render(include_str!("../../templates/action.yml.jinja"), context(gate, &[])?)
}

/// The GitLab template.
pub(super) fn template(gate: &Gate) -> Result<String> {
    let script = include_str!("../../templates/gitlab.sh");
    for pin in PINS {
        let empty = format!("{pin}=''");
        ensure!(script.lines().filter(|line| *line == empty).count() == 1, "`{empty}` must stand once in `gitlab.sh`");
    }
    // The first lines tell a shell and a reader of that file what it is.
    let body: Vec<&str> = script.lines().skip_while(|line| line.starts_with('#')).collect();
    render(include_str!("../../templates/template.yml.jinja"), context(gate, &body)?)
}

fn context<'a>(gate: &'a Gate, script: &[&'a str]) -> Result<Context<'a>> {
    let out = gate.flags.iter().find(|flag| flag.name == OUT).and_then(|flag| flag.default.as_deref());
    ensure!(out.is_some(), "`{}` has no flag `--{OUT}` with a default", gate.gate);
    Ok(Context {
        gate: &gate.gate,
        program: describe::program(&gate.gate),
        helper: describe::helper(&gate.gate),
        question: &gate.question,
        inputs: gate.flags.iter().filter(|flag| flag.input && flag.name != OUT).map(input).collect(),
        outputs: &gate.outputs,
        out: out.unwrap_or_default(),
        helm: gate.flags.iter().any(|flag| flag.name == "helm"),
        script: script.to_vec(),
    })
}

fn input(flag: &Flag) -> Input {
    let short = flag.name.replace('-', "_").to_uppercase();
    let mut description = flag.help.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some(default) = &flag.default {
        description.push_str(&format!(" (default: {default})"));
    }
    if !flag.values.is_empty() {
        let values: Vec<String> = flag.values.iter().map(|value| format!("`{value}`")).collect();
        description.push_str(&format!(" ({})", values.join(" or ")));
    }
    if flag.repeat {
        description.push_str(" (several: one a line)");
    }
    Input {
        name: flag.name.clone(),
        env: format!("PRODTEST_{short}"),
        short,
        description,
        switch: flag.value.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flag(name: &str) -> Flag {
        Flag {
            name: name.into(),
            value: Some("WHAT".into()),
            values: vec![],
            help: "Say\nit".into(),
            default: None,
            repeat: false,
            input: true,
        }
    }

    #[test]
    fn an_input_says_its_default_and_how_to_give_several() {
        let shown = input(&Flag { default: Some("a".into()), repeat: true, ..flag("only-this") });
        assert_eq!(shown.env, "PRODTEST_ONLY_THIS");
        assert_eq!(shown.description, "Say it (default: a) (several: one a line)");
    }

    #[test]
    fn an_input_says_which_values_it_takes() {
        let values = vec!["true".to_owned(), "false".to_owned()];
        let shown = input(&Flag { value: None, values, ..flag("recover") });
        assert_eq!(shown.description, "Say it (`true` or `false`)");
    }

    #[test]
    fn every_input_goes_through_the_environment() {
        let out = Flag { default: Some("results".into()), ..flag(OUT) };
        let gate = Gate {
            gate: "smoke".into(),
            question: "Does it?".into(),
            about: String::new(),
            version: "1".into(),
            flags: vec![out, flag("url"), Flag { value: None, ..flag("dry-run") }],
            outputs: vec![],
            checks: vec![],
            rbac: vec![],
            schemas: serde_json::Map::new(),
        };
        let action = action(&gate).unwrap();
        let template = template(&gate).unwrap();
        assert!(action.contains("PRODTEST_URL: ${{ inputs.url || env.PRODTEST_URL }}"), "{action}");
        assert!(template.contains(r#"PRODTEST_INPUT_URL: "$[[ inputs.url ]]""#), "{template}");
        // GitLab takes `dry-run: true` for a boolean and nothing else.
        assert!(template.contains("      type: boolean\n      default: false\n"), "{template}");
        assert!(template.contains("      switches='DRY_RUN'\n"), "{template}");
        for pin in PINS {
            assert_eq!(template.matches(&format!("      {pin}=''\n")).count(), 1, "{template}");
        }
    }
}
