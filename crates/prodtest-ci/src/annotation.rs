//! What GitHub shows beside the lines of a change.

use prodtest_gate::{Finding, RunRecord};
use prodtest_report::{Format, Problem, anchor, plain, problems, text};

use crate::command::command;

/// GitHub shows ten errors of a step and drops the rest without a word.
const MAX_ERRORS: usize = 10;
/// The longest message; a longer one is in the reports.
const MAX_MESSAGE: usize = 4 * 1024;
/// The longest title that GitHub shows.
const MAX_TITLE: usize = 255;

/// The commands that annotate what counts, worst first, one a line; when there is more than GitHub shows, one more
/// says so.
#[must_use]
pub fn annotations(record: &RunRecord) -> Vec<String> {
    let problems = problems(record);
    let mut lines: Vec<String> = problems.iter().take(MAX_ERRORS).map(|problem| error(record, problem)).collect();
    if let Some(left_out) = problems.len().checked_sub(MAX_ERRORS).filter(|left_out| *left_out > 0) {
        let title = format!("prodtest {}", record.gate);
        let file = Format::Html.file_name(&record.gate);
        let message = format!("{left_out} more in the step summary and in {file}");
        lines.push(command("notice", &[("title", title)], &message));
    }
    lines
}

fn error(record: &RunRecord, problem: &Problem<'_>) -> String {
    let finding: &Finding = &problem.finding;
    let place = anchor(finding);
    let environment = text::line(&record.environment);
    let title = format!("{} {} ({environment})", finding.check, problem.outcome);
    let properties = [
        ("title", text::cut(&title, MAX_TITLE).into_owned()),
        ("file", place.file),
        ("line", place.line.to_string()),
        ("col", place.column.to_string()),
    ];
    command("error", &properties, &text::cut(&plain(finding), MAX_MESSAGE))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn an_annotation_says_what_where_and_what_to_do() {
        insta::assert_snapshot!(annotations(&fixture::red()).join("\n"), @r#"
        ::error title=smoke/health failed (staging),file=scenarios/a%2C b.yaml,line=12,col=3::`GET /api/health` answered 503%0Aexpected: 200%0Aseen: 503 Service Unavailable%0Awhere: scenarios/a, b.yaml:12:3%0Awhat to do: read the log of the pod that answered
        ::error title=smoke/lifecycle undetermined (staging),file=prodtest.yaml,line=1,col=1::could not be measured: `smoke/health` failed
        "#);
    }

    #[test]
    fn only_so_many_as_are_shown() {
        let lines = annotations(&fixture::flood(15));
        assert_eq!(lines.len(), MAX_ERRORS + 1);
        assert!(
            lines.iter().take(MAX_ERRORS).all(|line| line.starts_with("::error title=smoke/health failed (staging),"))
        );
        assert_eq!(lines[MAX_ERRORS], "::notice title=prodtest smoke::5 more in the step summary and in smoke.html");
        assert_eq!(annotations(&fixture::flood(MAX_ERRORS)).len(), MAX_ERRORS);
    }

    #[test]
    fn strangers_stay_inside() {
        let mut record = fixture::red();
        record.findings[0].message = "x\n::error::y\u{1b}[31m\r##[error]z %0A".into();
        record.environment = "a,b::c\nd".into();
        let lines = annotations(&record);
        assert!(lines.iter().all(|line| !line.contains(['\n', '\r', '\u{1b}'])));
        assert!(lines.iter().any(|line| line.contains("x ::error::y ##[error]z %250A")));
    }

    #[test]
    fn a_green_gate_annotates_nothing() {
        assert!(annotations(&fixture::green()).is_empty());
    }
}
