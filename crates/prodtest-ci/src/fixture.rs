//! Environments and records for the tests.

use std::{collections::HashMap, io::Write as _};

use prodtest_gate::{
    Check, CheckId, CheckRecord, Figure, Finding, Outcome, Pardons, Place, Quantity, RunRecord, SCHEMA_VERSION, Verdict,
};
use tempfile::NamedTempFile;

use crate::Environment;

/// An environment of these variables and no others.
pub(crate) fn environment(variables: &[(&str, &str)]) -> Environment {
    let variables: HashMap<String, String> =
        variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Environment::new(move |name| variables.get(name).cloned())
}

/// A file that goes when the test ends.
pub(crate) fn file(content: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(content.as_bytes()).unwrap();
    file
}

fn check(name: &str, outcome: Outcome) -> CheckRecord {
    CheckRecord {
        check: Check::new(CheckId::new("smoke", name).unwrap(), "a title"),
        outcome,
        reason: None,
        pardon: None,
        evidence: Vec::new(),
        series: Vec::new(),
        duration_ms: 12.0,
    }
}

/// A record in which all is well.
pub(crate) fn green() -> RunRecord {
    RunRecord {
        schema_version: SCHEMA_VERSION,
        gate: "smoke".into(),
        question: "Does it do its job for a user?".into(),
        tool_version: "0.1.0".into(),
        service: "godel".into(),
        environment: "staging".into(),
        commit: None,
        digest: None,
        verdict: Verdict::Passed,
        stopped: None,
        started: jiff::Timestamp::UNIX_EPOCH,
        duration_ms: 2134,
        checks: vec![check("health", Outcome::Passed)],
        findings: Vec::new(),
        controls: Vec::new(),
        figures: vec![Figure { name: "slowest-ms".into(), value: Quantity::milliseconds(212.5) }],
        notes: Vec::new(),
        listings: Vec::new(),
        pardons: Pardons::default(),
        plan: serde_json::Value::Null,
        facts: serde_json::Value::Null,
    }
}

/// One failure, and what leans on it.
pub(crate) fn red() -> RunRecord {
    let mut record = flood(0);
    record.checks.push(check("lifecycle", Outcome::Undetermined));
    let place = Place { file: "scenarios/a, b.yaml".into(), line: 12, column: 3 };
    let [health, lifecycle] = [0, 1].map(|i| record.checks[i].check.id.clone());
    record.findings = vec![
        Finding::new(&health, "status", "get", "`GET /api/health` answered 503")
            .expected("200", "503 Service Unavailable")
            .at(Some(place))
            .help("read the log of the pod that answered"),
        Finding::new(&lifecycle, "undetermined", "", "could not be measured: `smoke/health` failed"),
    ];
    record
}

/// One failure with that many findings.
pub(crate) fn flood(findings: usize) -> RunRecord {
    let mut record = RunRecord { verdict: Verdict::Failed, ..green() };
    record.checks[0].outcome = Outcome::Failed;
    let id = record.checks[0].check.id.clone();
    record.findings =
        (0..findings).map(|i| Finding::new(&id, "cve", format!("package-{i}"), "a known weakness")).collect();
    record
}
