//! GitLab's Code Quality report: what counts, on lines of files that a merge request shows.
//!
//! GitLab drops an entry without a severity and every entry that shares a fingerprint with another, without a word.

use std::collections::HashMap;

use prodtest_gate::{Finding, RunRecord, Severity};
use serde::Serialize;

use crate::{Format, RenderError, problem, text};

/// As many as SARIF shows; the run record has them all.
const MAX_ENTRIES: usize = 5_000;
/// The longest description: the widget shows a line of it.
const MAX_DESCRIPTION: usize = 1024;

#[derive(Serialize)]
struct Entry {
    description: String,
    check_name: String,
    fingerprint: String,
    severity: &'static str,
    location: Location,
}

#[derive(Serialize)]
struct Location {
    path: String,
    lines: Lines,
}

#[derive(Serialize)]
struct Lines {
    begin: u32,
}

/// The findings that count, worst first.
pub(crate) fn render(record: &RunRecord) -> Result<String, RenderError> {
    let problems = problem::problems(record);
    let mut seen: HashMap<String, usize> = HashMap::new();
    let mut entries: Vec<Entry> =
        problems.iter().take(MAX_ENTRIES).map(|problem| entry(&problem.finding, &mut seen)).collect();
    if let Some(left_out) = problems.len().checked_sub(MAX_ENTRIES).filter(|left_out| *left_out > 0) {
        let word = format!("{left_out} more findings are in `{}`", Format::Run.file_name(&record.gate));
        entries.push(Entry {
            description: word,
            check_name: format!("{}/more", record.gate),
            fingerprint: format!("prodtest-{}-more", record.gate),
            severity: "info",
            location: Location { path: "prodtest.yaml".to_owned(), lines: Lines { begin: 1 } },
        });
    }
    let mut json = serde_json::to_string_pretty(&entries)?;
    json.push('\n');
    Ok(json)
}

fn entry(finding: &Finding, seen: &mut HashMap<String, usize>) -> Entry {
    let place = problem::anchor(finding);
    let times = seen.entry(finding.fingerprint.clone()).or_default();
    *times += 1;
    let fingerprint = match *times {
        1 => finding.fingerprint.clone(),
        nth => format!("{}-{nth}", finding.fingerprint),
    };
    Entry {
        description: text::cut(&description(finding), MAX_DESCRIPTION).into_owned(),
        check_name: finding.check.to_string(),
        fingerprint,
        severity: severity(finding.severity),
        location: Location { path: place.file, lines: Lines { begin: place.line } },
    }
}

fn description(finding: &Finding) -> String {
    let message = problem::message(finding);
    match (&finding.expected, &finding.seen) {
        (Some(expected), Some(seen)) => {
            format!("{message} (expected {}, saw {})", text::line(expected), text::line(seen))
        }
        _ => message,
    }
}

/// GitLab knows `info`, `minor`, `major`, `critical` and `blocker`.
const fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Low => "minor",
        Severity::Medium => "major",
        Severity::High => "critical",
        Severity::Critical => "blocker",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::fixture;

    fn entries(record: &RunRecord) -> Vec<serde_json::Value> {
        serde_json::from_str(&render(record).unwrap()).unwrap()
    }

    #[test]
    fn only_what_counts_is_told() {
        let entries = entries(&fixture::red());
        let names: Vec<&str> = entries.iter().map(|entry| entry["check_name"].as_str().unwrap()).collect();
        assert_eq!(names, ["smoke/spawn", "smoke/health", "smoke/lifecycle"]);
        insta::assert_snapshot!(serde_json::to_string_pretty(&entries[0]).unwrap(), @r#"
        {
          "description": "`POST /api/agents` answered 500 (expected 201, saw 500 Internal Server Error)",
          "check_name": "smoke/spawn",
          "fingerprint": "f9d67b891725d9b9657343c6349622560b9a4726b6ba66867ff5e3d87a866b7e",
          "severity": "blocker",
          "location": {
            "path": "scenarios/agent life.yaml",
            "lines": {
              "begin": 7
            }
          }
        }
        "#);
    }

    #[test]
    fn a_green_gate_has_an_empty_list() {
        assert_eq!(render(&fixture::green()).unwrap(), "[]\n");
    }

    #[test]
    fn no_two_entries_share_a_fingerprint() {
        let mut record = fixture::red();
        let twin = record.findings[0].clone();
        record.findings.push(twin);
        let entries = entries(&record);
        let prints: HashSet<&str> = entries.iter().map(|entry| entry["fingerprint"].as_str().unwrap()).collect();
        assert_eq!(prints.len(), entries.len());
    }

    #[test]
    fn a_flood_is_cut_and_says_so() {
        let entries = entries(&fixture::flood(MAX_ENTRIES + 7));
        assert_eq!(entries.len(), MAX_ENTRIES + 1);
        assert_eq!(entries[MAX_ENTRIES]["description"], "7 more findings are in `smoke.run.json`");
    }
}
