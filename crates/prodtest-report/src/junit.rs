//! `JUnit` XML: a suite a gate, a case a check.
//!
//! There is no one `JUnit`: what is written here is what every reader understands. Undetermined is an `<error>`, so
//! that no reader counts it as passed; a pardoned check is `<skipped>`, so that none counts it as failed. The schema
//! that Jenkins goes by allows no attribute on `<skipped>`, so reasons stand in `<system-out>`.

use jiff::Timestamp;
use junit_report::{Duration, OffsetDateTime, Report, TestCase, TestResult, TestSuite};
use prodtest_gate::{CheckRecord, Finding, Outcome, RunRecord};

use crate::{
    Format, RenderError,
    problem::{self, Problem},
    text, words,
};

/// Readers choke on more than 64 KiB a case: this for the findings, the rest for what was measured.
const MAX_CAUSE: usize = 48 * 1024;
/// What was measured, and why.
const MAX_OUTPUT: usize = 12 * 1024;
/// The one line that tables show.
const MAX_MESSAGE: usize = 1024;

/// The record as `JUnit` XML.
pub(crate) fn render(record: &RunRecord) -> Result<String, RenderError> {
    let findings = problem::by_check(record);
    let mut testcases: Vec<TestCase> = record
        .checks
        .iter()
        .map(|check| case(record, check, findings.get(&check.check.id).map_or(&[], Vec::as_slice)))
        .collect();
    if !record.checks.iter().any(CheckRecord::blocks) {
        // No case is red: what keeps the gate from being green, if anything does, is a case of its own.
        testcases.extend(problem::problems(record).iter().map(|problem| extra_case(record, problem)));
    }
    let suite = TestSuite {
        name: format!("prodtest {} ({})", record.gate, text::line(&record.environment)),
        package: format!("prodtest.{}", record.gate),
        timestamp: timestamp(record.started),
        hostname: "localhost".to_owned(),
        testcases,
        system_out: Some(cdata(&about(record), MAX_OUTPUT)),
        system_err: None,
    };
    let mut report = Report::new();
    report.add_testsuite(suite);
    let mut xml = Vec::new();
    report.write_xml(&mut xml).map_err(|error| RenderError::Xml(error.to_string()))?;
    xml.push(b'\n');
    String::from_utf8(xml).map_err(|error| RenderError::Xml(error.to_string()))
}

fn case(record: &RunRecord, check: &CheckRecord, findings: &[&Finding]) -> TestCase {
    let result = match check.outcome {
        Outcome::Passed => TestResult::Success,
        Outcome::Failed | Outcome::Undetermined if check.pardon.is_some() => TestResult::Skipped,
        Outcome::Failed => {
            let (type_, message, cause) = what_is_wrong(record, check, findings);
            TestResult::Failure { type_, message, cause: Some(cause) }
        }
        Outcome::Undetermined => {
            let (type_, message, cause) = what_is_wrong(record, check, findings);
            TestResult::Error { type_, message, cause: Some(cause) }
        }
        Outcome::Skipped => TestResult::Skipped,
    };
    TestCase {
        name: check.check.id.name().to_owned(),
        time: milliseconds(check.duration_ms),
        result,
        classname: Some(format!("prodtest.{}", record.gate)),
        filepath: file(check, findings),
        system_out: Some(cdata(&what_was_measured(check, findings), MAX_OUTPUT)),
        system_err: None,
    }
}

/// The file that the first finding, or else the check, is in: `JUnit` has no lines.
fn file(check: &CheckRecord, findings: &[&Finding]) -> Option<String> {
    let place = findings.iter().find_map(|finding| finding.place.as_ref()).or(check.check.place.as_ref())?;
    Some(text::cut(&text::line(&place.file), MAX_MESSAGE).into_owned())
}

fn what_is_wrong(record: &RunRecord, check: &CheckRecord, findings: &[&Finding]) -> (String, String, String) {
    let first = findings.first().map_or_else(|| words::reason(check), |finding| problem::message(finding));
    let message = match findings.len() {
        0 | 1 => first,
        many => format!("{many} findings, the first: {first}"),
    };
    let rule = findings.first().map_or("", |finding| finding.rule.as_str());
    (text::line(rule), text::cut(&message, MAX_MESSAGE).into_owned(), cause(record, findings))
}

/// Every finding as text, as many as fit.
fn cause(record: &RunRecord, findings: &[&Finding]) -> String {
    let mut cause = String::new();
    for (told, finding) in findings.iter().enumerate() {
        let plain = problem::plain(finding);
        if told > 0 && cause.len() + plain.len() > MAX_CAUSE - 100 {
            let left_out = findings.len() - told;
            cause.push_str(&format!("\n\n{left_out} more findings are in {}", Format::Run.file_name(&record.gate)));
            break;
        }
        cause.push_str(if told == 0 { "" } else { "\n\n" });
        cause.push_str(&plain);
    }
    cdata(&cause, MAX_CAUSE)
}

fn what_was_measured(check: &CheckRecord, findings: &[&Finding]) -> String {
    let mut lines = vec![text::line(&check.check.title)];
    if check.outcome != Outcome::Passed {
        lines.extend(check.reason.as_deref().map(|reason| format!("{}: {}", check.outcome, text::line(reason))));
    }
    if let Some(pardon) = &check.pardon {
        lines.push(format!("{}, and does not count: {}", check.outcome, text::line(&pardon.to_string())));
        lines.extend(findings.iter().map(|finding| problem::message(finding)));
    }
    lines.extend(check.evidence.iter().map(words::evidence));
    if !check.check.requirements.is_empty() {
        lines.push(format!("proves {}", text::line(&check.check.requirements.join(", "))));
    }
    lines.join("\n")
}

/// The verdict and what else holds for the gate as a whole.
fn about(record: &RunRecord) -> String {
    let mut lines = vec![text::line(&record.question), words::closing(record)];
    lines.extend(record.stopped.as_deref().map(|why| format!("ended early: {}", text::line(why))));
    lines.extend(record.controls.iter().map(words::control));
    lines.extend(record.notes.iter().map(|note| format!("note: {}", text::line(note))));
    lines.join("\n")
}

fn extra_case(record: &RunRecord, problem: &Problem<'_>) -> TestCase {
    TestCase {
        name: problem.finding.check.name().to_owned(),
        time: Duration::ZERO,
        result: TestResult::Error {
            type_: text::line(&problem.finding.rule),
            message: text::cut(&problem::message(&problem.finding), MAX_MESSAGE).into_owned(),
            cause: Some(cause(record, &[&*problem.finding])),
        },
        classname: Some(format!("prodtest.{}", record.gate)),
        filepath: None,
        system_out: None,
        system_err: None,
    }
}

/// Clean text of bounded length for a CDATA section. The library writes such a section as it is given, so `]]>` has
/// to be spread over two; a test reads back what was written, in case that changes.
fn cdata(text: &str, max: usize) -> String {
    text::cut(&text::clean(text), max).replace("]]>", "]]]]><![CDATA[>")
}

/// To the microsecond; what is no duration is none: a float that does not fit saturates, and NaN becomes 0.
fn milliseconds(number: f64) -> Duration {
    Duration::microseconds((number * 1000.0).clamp(0.0, 1e15).round() as i64)
}

/// The library cannot write a year of five digits, or one before the common era, and no run happens then.
fn timestamp(started: Timestamp) -> OffsetDateTime {
    let second = started.as_second().clamp(0, 250_000_000_000);
    OffsetDateTime::from_unix_timestamp(second).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, process::Command};

    use proptest::prelude::*;
    use roxmltree::{Document, Node};

    use super::*;
    use crate::fixture;

    /// The schema that Jenkins goes by, as junit-report carries it.
    const SCHEMA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/junit.xsd");

    fn count(document: &Document<'_>, name: &str) -> usize {
        document.descendants().filter(|node| node.has_tag_name(name)).count()
    }

    fn case<'a>(document: &'a Document<'a>, name: &str) -> Node<'a, 'a> {
        document.descendants().find(|node| node.attribute("name") == Some(name)).unwrap()
    }

    #[test]
    fn outcomes_become_what_readers_know() {
        let xml = render(&fixture::red()).unwrap();
        let document = Document::parse(&xml).unwrap();
        let suite = document.descendants().find(|node| node.has_tag_name("testsuite")).unwrap();
        assert_eq!(suite.attribute("name"), Some("prodtest smoke (staging)"));
        assert_eq!(suite.attribute("timestamp"), Some("2026-03-01T10:00:00Z"));
        for (name, element) in [("tests", "testcase"), ("failures", "failure"), ("errors", "error")] {
            assert_eq!(suite.attribute(name).unwrap(), count(&document, element).to_string(), "{name}");
        }
        assert_eq!((count(&document, "failure"), count(&document, "error"), count(&document, "skipped")), (2, 1, 2));
        let spawn = case(&document, "spawn");
        assert_eq!(spawn.attribute("classname"), Some("prodtest.smoke"));
        assert_eq!(spawn.attribute("file"), Some("scenarios/agent life.yaml"));
        assert_eq!(spawn.attribute("time"), Some("0.012"));
        insta::assert_snapshot!(spawn.children().map(|node| node.text().unwrap_or_default()).collect::<Vec<_>>().join("\n---\n"), @r#"
        `POST /api/agents` answered 500
        expected: 201
        seen: 500 Internal Server Error
        where: scenarios/agent life.yaml:7:5
        why: the database refuses connections:
          `dial tcp 10.0.0.7:5432: connection refused`
        what to do: read the log of the pod that answered
        to see more: curl -sS -X POST http://127.0.0.1:7373/api/agents
        ---
        an agent can be spawned
        status: 500 (limit 201)
        "#);
        let waived = case(&document, "cors");
        insta::assert_snapshot!(waived.children().filter_map(|node| node.text()).collect::<String>(), @r#"
        other origins are refused
        failed, and does not count: waived by ops until 2026-06-01: until the gateway is replaced
        any origin is allowed
        "#);
    }

    #[test]
    fn a_gate_that_is_not_green_has_a_case_that_is_not() {
        let mut record = fixture::green();
        record.verdict = prodtest_gate::Verdict::Undetermined;
        record.checks.retain(|check| check.outcome == Outcome::Skipped);
        let xml = render(&record).unwrap();
        assert_eq!(count(&Document::parse(&xml).unwrap(), "error"), 1);
        assert_eq!(count(&Document::parse(&render(&fixture::green()).unwrap()).unwrap(), "error"), 0);
    }

    #[test]
    fn jenkins_accepts_it() {
        let mut records = vec![fixture::green(), fixture::red(), fixture::hostile(), fixture::flood(300)];
        records[0].checks.clear();
        for record in records {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            file.write_all(render(&record).unwrap().as_bytes()).unwrap();
            let checked = Command::new("xmllint").args(["--noout", "--schema", SCHEMA]).arg(file.path()).output();
            match checked {
                Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr)),
                Err(error) if !must_not_skip() => {
                    eprintln!("SKIPPED: xmllint is not there ({error}); apt-get install libxml2-utils");
                    return;
                }
                Err(error) => panic!("xmllint is not there: {error}"),
            }
        }
    }

    /// In CI a missing part fails a test; by hand it is skipped, loudly.
    fn must_not_skip() -> bool {
        #[expect(clippy::disallowed_methods, reason = "a test asks where it runs")]
        std::env::var("CI").is_ok_and(|value| value == "true")
    }

    #[test]
    fn a_case_stays_under_64_kib() {
        for record in [fixture::hostile(), fixture::flood(5000)] {
            let xml = render(&record).unwrap();
            let document = Document::parse(&xml).unwrap();
            for case in document.descendants().filter(|node| node.has_tag_name("testcase")) {
                let texts = case.descendants().filter(Node::is_text).filter_map(|node| node.text());
                assert!(texts.map(str::len).sum::<usize>() < 64 * 1024);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_text_is_read_back_as_it_was_cleaned(text in fixture::any_text()) {
            let xml = render(&fixture::saying(&text)).unwrap();
            let document = Document::parse(&xml);
            prop_assert!(document.is_ok(), "{:?}\n{xml}", document.err());
            let document = document.unwrap();
            let spawn = case(&document, "spawn");
            let failure = spawn.children().find(|node| node.has_tag_name("failure")).unwrap();
            let told: String = failure.children().filter_map(|node| node.text()).collect();
            let finding = fixture::saying(&text).findings.into_iter().find(|finding| finding.check.name() == "spawn").unwrap();
            prop_assert_eq!(told, problem::plain(&finding));
        }
    }
}
