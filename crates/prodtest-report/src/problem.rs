//! What keeps a gate from being green, worst first: the order in which every report tells it.

use std::{borrow::Cow, cmp::Reverse, collections::HashMap};

use prodtest_gate::{CheckId, CheckRecord, Finding, Outcome, Pardon, Place, RULE_UNDETERMINED, RunRecord, Verdict};

use crate::text;

/// The longest that one field of a finding is in a report; the run record has it whole.
const MAX_FIELD: usize = 8 * 1024;

/// A finding that counts, and what came of its check.
#[derive(Clone, Debug)]
pub struct Problem<'a> {
    /// The finding.
    pub finding: Cow<'a, Finding>,
    /// Whether its check was measured.
    pub outcome: Outcome,
}

/// The findings that count, worst first: what failed before what could not be measured, for the one is often the
/// other's cause; then by severity; equals in the order of the checks.
///
/// A gate that is not green for want of any measurement has one too, so that no report of it looks green.
#[must_use]
pub fn problems(record: &RunRecord) -> Vec<Problem<'_>> {
    let outcomes: HashMap<&CheckId, Outcome> =
        record.checks.iter().map(|check| (&check.check.id, check.outcome)).collect();
    let counting = record.findings.iter().filter(|finding| finding.pardon.is_none());
    let mut problems: Vec<Problem<'_>> = counting
        .map(|finding| {
            let outcome = outcomes.get(&finding.check).copied().unwrap_or(Outcome::Failed);
            Problem { finding: Cow::Borrowed(finding), outcome }
        })
        .collect();
    problems.sort_by_key(|problem| (problem.outcome == Outcome::Undetermined, Reverse(problem.finding.severity)));
    if problems.is_empty() && record.verdict != Verdict::Passed {
        problems.extend(nothing_measured(record));
    }
    problems
}

/// The finding of a gate none of whose checks passed or blocks.
fn nothing_measured(record: &RunRecord) -> Option<Problem<'static>> {
    let id = CheckId::new(&record.gate, "verdict").ok()?;
    let message = match &record.stopped {
        Some(why) => format!("the run ended before anything was measured: {}", text::line(why)),
        None => "no check passed, so nothing is proven".to_owned(),
    };
    let finding = Finding::new(&id, RULE_UNDETERMINED, "", message)
        .expected("at least one check that passes", "none")
        .help("see why each check was skipped or pardoned, in the table of checks");
    Some(Problem { finding: Cow::Owned(finding), outcome: Outcome::Undetermined })
}

/// Each check's findings, gathered once: asking the record for every check's is slow where there are many of both.
pub(crate) fn by_check(record: &RunRecord) -> HashMap<&CheckId, Vec<&Finding>> {
    let mut by_check: HashMap<&CheckId, Vec<&Finding>> = HashMap::new();
    for finding in &record.findings {
        by_check.entry(&finding.check).or_default().push(finding);
    }
    by_check
}

/// What does not count and why: checks, then single findings of checks that count all the same.
pub(crate) fn pardoned(record: &RunRecord) -> Vec<(String, &Pardon)> {
    let excused = |check: &CheckRecord| check.pardon.is_some();
    let checks: HashMap<&CheckId, bool> = record.checks.iter().map(|check| (&check.check.id, excused(check))).collect();
    let of_checks = record.checks.iter().filter_map(|check| {
        let pardon = check.pardon.as_ref()?;
        Some((format!("`{}` {}", check.check.id, check.outcome), pardon))
    });
    let of_findings = record.findings.iter().filter(|finding| checks.get(&finding.check) != Some(&true));
    let of_findings = of_findings.filter_map(|finding| {
        let pardon = finding.pardon.as_ref()?;
        Some((format!("`{}`: {}", finding.check, text::line(&finding.message)), pardon))
    });
    of_checks.chain(of_findings).collect()
}

/// A finding's fields that are filled, with the words that introduce them, cleaned and of bounded length.
pub(crate) fn fields(finding: &Finding) -> impl Iterator<Item = (&'static str, String)> {
    let place = finding.place.as_ref().map(Place::to_string);
    let fields = [
        ("expected", finding.expected.clone()),
        ("seen", finding.seen.clone()),
        ("where", place),
        ("why", finding.because.clone()),
        ("what to do", finding.help.clone()),
        (COMMAND, finding.command.clone()),
    ];
    fields.into_iter().filter_map(|(word, field)| {
        let field = text::clean(field.as_deref()?).trim_end().to_owned();
        (!field.is_empty()).then(|| (word, text::cut(&field, MAX_FIELD).into_owned()))
    })
}

/// The word before the command of a finding: the one field that is never wrapped or rewritten.
pub(crate) const COMMAND: &str = "to see more";

/// A finding's message on one line, of bounded length.
pub(crate) fn message(finding: &Finding) -> String {
    text::cut(&text::line(&finding.message), MAX_FIELD).into_owned()
}

/// A finding as plain text: its message, then each field on lines of its own.
#[must_use]
pub fn plain(finding: &Finding) -> String {
    let mut plain = message(finding);
    for (word, field) in fields(finding) {
        plain.push_str(&format!("\n{word}: {}", field.replace('\n', "\n  ")));
    }
    plain
}

/// Where a forge shows a finding: its place, if that is a file of the repository, else the configuration's first line.
#[must_use]
pub fn anchor(finding: &Finding) -> Place {
    let place = finding.place.as_ref().filter(|place| is_inside(&place.file));
    match place {
        Some(Place { file, line, column }) => {
            Place { file: file.clone(), line: (*line).max(1), column: (*column).max(1) }
        }
        None => Place { file: "prodtest.yaml".to_owned(), line: 1, column: 1 },
    }
}

/// A relative path that does not leave its folder and that a forge can show.
fn is_inside(file: &str) -> bool {
    let climbs = file.split('/').any(|part| part == "..");
    !file.is_empty() && !file.starts_with('/') && !climbs && text::line(file) == file
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn what_failed_comes_before_what_it_explains() {
        let record = fixture::red();
        let problems = problems(&record);
        let order: Vec<&str> = problems.iter().map(|problem| problem.finding.check.name()).collect();
        assert_eq!(order, ["spawn", "health", "lifecycle"]);
    }

    #[test]
    fn a_gate_that_measured_nothing_has_a_problem() {
        let mut record = fixture::green();
        record.verdict = Verdict::Undetermined;
        record.checks.clear();
        let problems = problems(&record);
        assert_eq!(problems[0].finding.check.as_str(), "smoke/verdict");
    }

    #[test]
    fn only_files_of_the_repository_are_anchors() {
        let mut finding = fixture::red().findings[0].clone();
        let mut at = |file: &str| {
            finding.place = Some(Place { file: file.into(), line: 0, column: 4 });
            anchor(&finding).to_string()
        };
        assert_eq!(at("helm/values.yaml"), "helm/values.yaml:1:4");
        assert_eq!(at("/etc/passwd"), "prodtest.yaml:1:1");
        assert_eq!(at("../x"), "prodtest.yaml:1:1");
        assert_eq!(at("a\nb"), "prodtest.yaml:1:1");
    }

    #[test]
    fn plain_text_keeps_each_field_apart() {
        let finding = fixture::red().findings.into_iter().find(|finding| finding.check.name() == "spawn").unwrap();
        insta::assert_snapshot!(plain(&finding), @r#"
        `POST /api/agents` answered 500
        expected: 201
        seen: 500 Internal Server Error
        where: scenarios/agent life.yaml:7:5
        why: the database refuses connections:
          `dial tcp 10.0.0.7:5432: connection refused`
        what to do: read the log of the pod that answered
        to see more: curl -sS -X POST http://127.0.0.1:7373/api/agents
        "#);
    }
}
