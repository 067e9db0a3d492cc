//! What lines mean, and what logs come to.

use prodtest_gate::{Outcome, Redactor};
use serde_json::json;

use super::*;

fn section(text: &serde_json::Value) -> Section {
    serde_json::from_value(text.clone()).unwrap()
}

fn usual() -> Section {
    section(&json!({
        "fields": { "correlation-id": "id", "request": "route" },
        "ignore": [{ "match": "^listening on ", "because": "it is for people" }],
    }))
}

fn read(section: &Section, text: &str) -> Lines {
    Language::new(section).read(text, Some(&Redactor::new(["correct-horse"])))
}

fn judged(section: &Section, texts: &[(bool, &str)]) -> Judged {
    let logs = texts.iter().map(|(previous, text)| LogSeen {
        workload: "Deployment api".to_owned(),
        pod: "api-1-a".to_owned(),
        container: "api".to_owned(),
        previous: *previous,
        lines: read(section, text),
        ..LogSeen::default()
    });
    let facts = Facts { since: None, logs: logs.collect(), withheld: None, control: true };
    let target = Where { language: Language::new(section), max_mib: 1 };
    let limits = Limits {
        unstructured: section.unstructured,
        without_correlation_id: section.without_correlation_id,
        ignored: Vec::new(),
    };
    Logs::judge(&CheckId::new("verify", "logs").unwrap(), &target, &limits, &facts)
}

const FINE: &str = "listening on a\n{\"level\":\"INFO\",\"route\":\"/\",\"id\":\"7\"}\n\n{\"level\":\"WARN\"}\n";

#[test]
fn every_way_to_write_an_error_is_known() {
    let errors = |text: &str| read(&usual(), text).errors.count;
    for line in [
        r#"{"level":"ERROR"}"#,
        r#"{"level":"fatal"}"#,
        r#"{"level":"Critical"}"#,
        r#"{"level":50}"#,
        "thread 'main' panicked at src/main.rs:1",
        "2026-11-27 ERROR no such thing",
    ] {
        assert_eq!(errors(line), 1, "{line}");
    }
    for line in [r#"{"level":"info","message":"an error"}"#, r#"{"level":40}"#, "0 failures", "terrors"] {
        assert_eq!(errors(line), 0, "{line}");
    }
    let own = section(&json!({ "error": "^E ", "levels": ["SEVERE"], "fields": { "level": "severity" } }));
    let seen = read(&own, "E it broke\nan error\n{\"severity\":\"severe\"}\n{\"level\":\"error\"}\n");
    assert_eq!((seen.errors.count, seen.unstructured.count, seen.without_level.count), (2, 2, 1));
}

#[test]
fn what_is_ignored_is_neither_error_nor_unstructured() {
    let seen = read(&usual(), "listening on error\n");
    assert_eq!((seen.lines, seen.ignored, seen.errors.count, seen.unstructured.count), (1, 1, 0, 0));
}

#[test]
fn a_secret_is_kept_out_whole_before_a_line_is_cut() {
    let line = format!("{{\"level\":\"error\",\"a\":\"{}correct-horse\"}}", "x".repeat(260));
    let seen = read(&usual(), &line);
    assert!(seen.errors.samples[0].contains("[redacted]"), "{seen:?}");
    assert!(!format!("{seen:?}").contains("correct"), "{seen:?}");
    // Nothing is kept where it is not known what is secret.
    let unknown = Language::new(&usual()).read(&line, None);
    assert_eq!((unknown.errors.count, unknown.errors.samples.len()), (1, 0));
}

#[test]
fn each_rule_is_its_own() {
    let rules = |texts: &[(bool, &str)]| {
        judged(&usual(), texts).findings.into_iter().map(|finding| finding.rule).collect::<Vec<_>>()
    };
    assert_eq!(judged(&usual(), &[(false, FINE)]).outcome, Outcome::Passed);
    let error = r#"{"level":"error"}"#;
    assert_eq!(rules(&[(false, FINE), (false, error)]), ["error"]);
    assert_eq!(rules(&[(false, FINE), (true, error)]), ["error-before"]);
    assert_eq!(rules(&[(false, FINE), (false, "plain")]), ["unstructured"]);
    assert_eq!(rules(&[(false, FINE), (false, "{}")]), ["no-level"]);
    assert_eq!(rules(&[(false, FINE), (false, r#"{"level":"info","route":"/"}"#)]), ["no-correlation-id"]);
}

#[test]
fn what_was_not_read_did_not_pass() {
    assert_eq!(judged(&usual(), &[(false, "")]).outcome, Outcome::Undetermined);
    // No line has an id.
    assert_eq!(judged(&usual(), &[(false, r#"{"level":"info"}"#)]).outcome, Outcome::Undetermined);
    // Nothing says what ids are called.
    let unnamed = section(&json!({}));
    assert_eq!(judged(&unnamed, &[(false, r#"{"level":"info"}"#)]).outcome, Outcome::Undetermined);
    let without = section(&json!({ "without-correlation-id": true }));
    assert_eq!(judged(&without, &[(false, r#"{"level":"info"}"#)]).outcome, Outcome::Passed);
}

#[test]
fn a_planted_error_is_noticed() {
    for section in [usual(), section(&json!({ "levels": ["SEVERE"], "fields": { "level": "severity" } }))] {
        let language = Language::new(&section);
        assert_eq!(language.read(&language.planted(), None).errors.count, 1);
    }
}

#[test]
fn a_bad_pattern_is_refused_with_what_is_wrong() {
    let error = serde_json::from_value::<Section>(json!({ "error": "a(" })).unwrap_err().to_string();
    assert!(error.contains("`a(` is no regular expression: unclosed group"), "{error}");
}
