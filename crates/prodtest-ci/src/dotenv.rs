//! The variables that GitLab hands to later jobs.

use std::path::Path;

use prodtest_gate::RunRecord;
use prodtest_report::text;

use crate::outputs::{OF_EVERY_GATE, outputs};

/// GitLab refuses a file of 5 KB or more, and with it every variable.
const MAX_FILE: usize = 4800;
/// It takes 20 variables on every tier.
const MAX_VARIABLES: usize = 20;
/// The longest value, so that one long list cannot push out the others.
const MAX_VALUE: usize = 900;

/// The content of `<gate>.env` for `artifacts:reports:dotenv`: `SMOKE_VERDICT=passed` and the gate's other outputs,
/// upper-case, with the gate's name before them.
#[must_use]
pub fn dotenv(record: &RunRecord, report: &Path) -> String {
    let prefix = variable(&record.gate);
    let mut names: Vec<String> = Vec::new();
    let mut file = String::new();
    let mut outputs = outputs(record, report);
    // The verdict and its kin come first here: what does not fit, or has a name that is taken, is a figure.
    outputs.rotate_right(OF_EVERY_GATE);
    for (name, value) in outputs {
        let line = format!("{prefix}_{}={}\n", variable(&name), plain(&value));
        let fits = names.len() < MAX_VARIABLES && file.len() + line.len() <= MAX_FILE;
        if fits && !names.contains(&name) {
            file.push_str(&line);
            names.push(name);
        }
    }
    file
}

fn variable(name: &str) -> String {
    name.to_ascii_uppercase().replace(|c: char| !c.is_ascii_alphanumeric(), "_")
}

/// One line. Later jobs expand `$NAME` in what they are handed, and a stranger's text must not name a secret of theirs.
fn plain(value: &str) -> String {
    text::cut(&text::line(value), MAX_VALUE).replace('$', "_")
}

#[cfg(test)]
mod tests {
    use prodtest_gate::{Figure, Quantity};

    use super::*;
    use crate::fixture;

    fn written(record: &RunRecord) -> String {
        dotenv(record, Path::new("prodtest-results/smoke.html"))
    }

    #[test]
    fn later_jobs_are_handed_the_outputs() {
        insta::assert_snapshot!(written(&fixture::red()), @r#"
        SMOKE_VERDICT=failed
        SMOKE_FAILED=health
        SMOKE_UNDETERMINED=lifecycle
        SMOKE_REPORT=prodtest-results/smoke.html
        SMOKE_SLOWEST_MS=212.5
        "#);
    }

    #[test]
    fn gitlab_takes_it_whatever_is_in_it() {
        let mut record = fixture::red();
        for i in 0..200 {
            let value = Quantity::Text(format!("a\nB=$CI_JOB_TOKEN {}", "long ".repeat(500)));
            record.figures.push(Figure { name: format!("figure {i}"), value });
        }
        let file = written(&record);
        assert!(file.len() < 5_000, "{}", file.len());
        assert!(file.lines().count() <= MAX_VARIABLES);
        assert!(file.lines().all(|line| line.split_once('=').is_some_and(|(name, _)| name.starts_with("SMOKE_"))));
        assert!(!file.contains('$'));
        assert!(file.contains("SMOKE_VERDICT=failed\n"));
    }
}
