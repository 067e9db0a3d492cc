//! What excuses a check: a waiver, or `--allow-undetermined`.

use prodtest_gate::Outcome;
use prodtest_testkit::{Done, Project};

use crate::project_with;

/// A project in which `smoke/e2e-logs-in` and `smoke/e2e-searches` fail, with these waivers.
fn waived(waivers: &str) -> Project {
    project_with(&format!("waivers:\n{waivers}smoke: {{ suites: [{{ name: e2e, junit: REPORT.xml }}] }}\n"))
}

const LOGIN: &str = "  - { check: smoke/e2e-logs-in, owner: Ada, reason: 'mended in 1.5', expires: 2999-12-31 }\n";
const SEARCH: &str =
    "  - { check: smoke/e2e-searches, owner: Bob, reason: 'no index in staging', expires: 2999-06-30 }\n";

#[track_caller]
fn every_report_says(done: &Done, words: &[&str]) {
    for report in ["run.json", "junit.xml", "md", "html", "sarif"] {
        let text = done.report("smoke", report);
        for word in words {
            assert!(text.contains(word), "`{word}` is not in smoke.{report}:\n{text}");
        }
    }
}

#[test]
fn a_waived_failure_keeps_its_outcome_and_does_not_count() {
    let done = waived(&format!("{LOGIN}{SEARCH}")).gate().run().expect_code(0);
    assert_eq!(done.checks("smoke", Outcome::Failed).len(), 2);
    every_report_says(&done, &["Ada", "2999-12-31", "mended in 1.5", "Bob", "2999-06-30", "no index in staging"]);
    let _ = done.expect_said(&["waived by Ada until 2999-12-31: mended in 1.5"]);
}

#[test]
fn a_waiver_excuses_no_other_check() {
    let done = waived(LOGIN).gate().run().expect_code(1);
    let said = done.said();
    assert!(said.contains("failed smoke/e2e-searches"), "{said}");
}

#[test]
fn a_finding_is_waived_by_its_fingerprint() {
    let first = waived(LOGIN).gate().run().expect_code(1).record("smoke");
    let finding = first.findings.iter().find(|finding| finding.check.name() == "e2e-searches").expect("a finding");
    let waiver =
        format!("  - {{ finding: {}, owner: Bob, reason: known, expires: 2999-06-30 }}\n", finding.fingerprint);
    let _ = waived(&format!("{LOGIN}{waiver}")).gate().run().expect_code(0);
}

#[test]
fn an_expired_waiver_fails_and_names_who_renews_it() {
    let expired = SEARCH.replace("2999-06-30", "2020-01-01");
    let done = waived(&format!("{LOGIN}{expired}")).gate().run().expect_code(1);
    assert!(done.checks("smoke", Outcome::Failed).contains("smoke/waivers"));
    let _ = done.expect_said(&[
        "failed smoke/waivers",
        "the waiver for `smoke/e2e-searches` has expired",
        "prodtest.yaml:5:5",
        "have Bob renew it",
    ]);
}

#[test]
fn a_waiver_that_excuses_nothing_is_noted() {
    let idle = "  - { check: smoke/e2e-answers-health, owner: Eve, reason: old, expires: 2999-12-31 }\n";
    let done = waived(&format!("{LOGIN}{SEARCH}{idle}")).gate().run().expect_code(0);
    let _ = done.expect_said(&["the waiver at prodtest.yaml:6:5 excused nothing in this run"]);
}

#[test]
fn what_could_not_be_measured_can_be_allowed_and_a_failure_cannot() {
    let suites = "smoke: { suites: [{ name: e2e, junit: GREEN.xml }, { name: gone, junit: nowhere.xml }] }\n";
    let project = project_with(suites);
    let _ = project.gate().run().expect_code(3);
    let allowed = project.gate().args(["--allow-undetermined", "smoke/gone"]).run().expect_code(0);
    assert_eq!(allowed.checks("smoke", Outcome::Undetermined).len(), 1, "its outcome stands");
    every_report_says(&allowed, &["allow-undetermined"]);

    let failing = project_with("smoke: { suites: [{ name: e2e, junit: REPORT.xml }] }\n");
    let allowing = ["--allow-undetermined", "smoke/e2e-logs-in,smoke/e2e-searches"];
    let _ = failing.gate().args(allowing).run().expect_code(1);
}

#[test]
fn a_typo_excuses_nothing() {
    let project = project_with("smoke: { suites: [{ name: e2e, junit: GREEN.xml }] }\n");
    let done = project.gate().args(["--allow-undetermined", "smoke/e3e"]).run().expect_code(2);
    let _ = done.expect_said(&["no check is called `smoke/e3e`", "smoke/e2e"]);
}
