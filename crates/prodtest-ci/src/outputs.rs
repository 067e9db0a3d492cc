//! What later steps read of a gate.

use std::{fs::OpenOptions, io::Write as _, path::Path};

use prodtest_gate::{Outcome, Quantity, RunRecord};
use prodtest_report::text;

use crate::Environment;

/// The longest value: GitHub takes a megabyte for all outputs of a job together.
const MAX_VALUE: usize = 16 * 1024;

/// How many outputs every gate has; they come after its figures.
pub(crate) const OF_EVERY_GATE: usize = 4;

/// The outputs of a gate: each main figure, then `verdict`, `failed`, `undetermined` (the names of the checks that
/// block, with commas between) and `report` (the path of the HTML page).
///
/// What is named twice counts as it was written last, so that no figure can pass for the verdict.
#[must_use]
pub fn outputs(record: &RunRecord, report: &Path) -> Vec<(String, String)> {
    let figures = record.figures.iter().map(|figure| (name(&figure.name), value(&figure.value)));
    let rest: [_; OF_EVERY_GATE] = [
        ("verdict", record.verdict.to_string()),
        ("failed", blocking(record, Outcome::Failed)),
        ("undetermined", blocking(record, Outcome::Undetermined)),
        ("report", report.display().to_string()),
    ];
    figures
        .chain(rest.map(|(name, value)| (name.to_owned(), value)))
        .map(|(name, value)| (name, text::cut(&text::line(&value), MAX_VALUE).into_owned()))
        .collect()
}

/// Adds the outputs to the file that GitHub names for them. What could not be written comes back as a note.
#[must_use]
pub fn append_outputs(environment: &Environment, outputs: &[(String, String)]) -> Option<String> {
    let path = environment.var("GITHUB_OUTPUT")?;
    let written = OpenOptions::new()
        .create(true)
        .append(true)
        .open(&path)
        .and_then(|mut file| file.write_all(heredocs(outputs).as_bytes()));
    written.err().map(|error| format!("the outputs could not be written to `{path}`: {error}"))
}

/// Each output between two lines of a word that is not in it.
fn heredocs(outputs: &[(String, String)]) -> String {
    outputs
        .iter()
        .map(|(name, value)| {
            let word = delimiter(value);
            format!("{name}<<{word}\n{value}\n{word}\n")
        })
        .collect()
}

/// The runner ends a value at the first line that is the word, so the word must not be in the value.
fn delimiter(value: &str) -> String {
    let words = (0_u64..).map(|number| format!("prodtest_{number}"));
    words.into_iter().find(|word| !value.contains(word.as_str())).unwrap_or_default()
}

fn blocking(record: &RunRecord, outcome: Outcome) -> String {
    let checks = record.checks.iter().filter(|check| check.outcome == outcome && check.blocks());
    checks.map(|check| check.check.id.name()).collect::<Vec<_>>().join(",")
}

/// A number stands without its unit, which is in the figure's name, so that a step can compare it.
fn value(quantity: &Quantity) -> String {
    match quantity {
        Quantity::Number { number, .. } => ((number * 1000.0).round() / 1000.0).to_string(),
        Quantity::Text(text) => text.clone(),
    }
}

/// An output is a word in kebab case, whatever a figure is called.
fn name(figure: &str) -> String {
    prodtest_gate::CheckId::slug(figure)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use prodtest_gate::Figure;
    use proptest::prelude::*;

    use super::*;
    use crate::fixture::{self, environment, file};

    /// What the runner reads from the file.
    fn read(content: &str) -> Vec<(String, String)> {
        let mut lines = content.lines();
        let mut outputs = Vec::new();
        while let Some(line) = lines.next() {
            let (name, word) = line.split_once("<<").unwrap();
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != word).collect();
            outputs.push((name.to_owned(), value.join("\n")));
        }
        outputs
    }

    #[test]
    fn later_steps_read_verdict_checks_report_and_figures() {
        let mut record = fixture::red();
        record.figures.push(Figure { name: "verdict".into(), value: Quantity::Text("passed".into()) });
        let target = file("earlier<<x\nvalue\nx\n");
        let environment = environment(&[("GITHUB_OUTPUT", target.path().to_str().unwrap())]);
        assert_eq!(append_outputs(&environment, &outputs(&record, Path::new("out/smoke.html"))), None);
        let read = read(&fs::read_to_string(target.path()).unwrap());
        let last = |name: &str| read.iter().rfind(|(output, _)| output == name).map(|(_, value)| value.as_str());
        assert_eq!(last("earlier"), Some("value"));
        assert_eq!(last("verdict"), Some("failed"));
        assert_eq!(last("failed"), Some("health"));
        assert_eq!(last("undetermined"), Some("lifecycle"));
        assert_eq!(last("report"), Some("out/smoke.html"));
        assert_eq!(last("slowest-ms"), Some("212.5"));
    }

    #[test]
    fn what_cannot_be_written_is_a_note() {
        let environment = environment(&[("GITHUB_OUTPUT", "/nowhere/at/all")]);
        let note = append_outputs(&environment, &[]).unwrap();
        assert!(note.starts_with("the outputs could not be written to `/nowhere/at/all`: "), "{note}");
        assert_eq!(append_outputs(&fixture::environment(&[]), &[]), None);
    }

    proptest! {
        #[test]
        fn a_value_is_read_as_it_was_written(value in "(prodtest_[0-3]|\n|[a-z<=]){0,12}") {
            let outputs = vec![("a".to_owned(), value), ("b".to_owned(), "last".to_owned())];
            prop_assert_eq!(read(&heredocs(&outputs)), outputs);
        }
    }
}
