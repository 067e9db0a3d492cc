//! The user's own test suites: what their JUnit reports and exit codes come to, and what is no measurement.

#[path = "suites/commands.rs"]
mod commands;
#[path = "suites/waivers.rs"]
mod waivers;

use prodtest_testkit::{Done, Project};

/// A report with every outcome, in the dialect of Jest: times without a zone.
const REPORT: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<testsuites name="jest tests" tests="4" failures="1" errors="1" time="0.8">
  <testsuite name="api" tests="4" failures="1" errors="1" skipped="1" timestamp="2026-01-02T03:04:05" time="0.8">
    <testcase classname="api health" name="answers › /health" time="0.012"/>
    <testcase classname="api login" name="logs in" time="0.5"><failure message="expected 200 to be 201">at login.js:7</failure></testcase>
    <testcase classname="api search" name="searches"><error message="no index"/></testcase>
    <testcase classname="api mail" name="sends mail"><skipped message="no mail here"/></testcase>
  </testsuite>
</testsuites>"#;

/// A report in which everything passed.
const GREEN: &str =
    r#"<testsuites><testsuite name="s"><testcase classname="c" name="works"/></testsuite></testsuites>"#;

/// A project with this suite and nothing else to check.
fn project(suite: &str) -> Project {
    project_with(&format!("smoke:\n  suites:\n    - {suite}\n"))
}

fn project_with(more: &str) -> Project {
    let config = format!("service: demo\nenvironments: {{ test: {{ url: 'http://127.0.0.1:1' }} }}\n{more}");
    Project::new(&[("prodtest.yaml", &config), ("REPORT.xml", REPORT), ("GREEN.xml", GREEN)])
}

/// The checks and what came of them, `login=failed`.
fn outcomes(done: &Done) -> Vec<String> {
    done.outcomes("smoke").into_iter().map(|(name, outcome)| format!("{name}={outcome}")).collect()
}

#[test]
fn each_case_of_a_report_is_a_check() {
    let done = project("{ name: e2e, junit: REPORT.xml }").gate().run().expect_code(1).expect_said(&[
        "failed smoke/e2e-logs-in",
        "`logs in` failed: expected 200 to be 201: at login.js:7",
        "`searches` failed: no index",
        "no mail here",
        "prodtest.yaml:5:7",
    ]);
    let cases = ["e2e-answers-health=passed", "e2e-logs-in=failed", "e2e-searches=failed", "e2e-sends-mail=skipped"];
    assert_eq!(outcomes(&done), [&["e2e=passed"][..], &cases].concat());
    let health = done.record("smoke").checks.into_iter().find(|check| check.check.id.name() == "e2e-answers-health");
    assert!((health.expect("the check").duration_ms - 12.0).abs() < 0.001);
}

#[test]
fn names_that_repeat_are_told_apart_by_their_class() {
    let twice = r#"<testsuites><testsuite name="s">
        <testcase classname="Admin" name="works"/><testcase classname="User" name="works"/>
    </testsuite></testsuites>"#;
    let apart = project("{ name: e2e, junit: twice.xml, case-names: class-and-name }");
    apart.write("twice.xml", twice);
    let done = apart.gate().run().expect_code(0);
    assert_eq!(outcomes(&done), ["e2e=passed", "e2e-admin-works=passed", "e2e-user-works=passed"]);

    let together = project("{ name: e2e, junit: twice.xml }");
    together.write("twice.xml", twice);
    // Whatever is allowed, checks that cannot be told apart are not green.
    let allowing = ["--allow-undetermined", "smoke/e2e-works"];
    let done = together.gate().args(allowing).run().expect_code(2).expect_said(&[
        "error: prodtest.yaml:5:7: the case `works` of the suite `e2e`",
        "would both be `smoke/e2e-works`",
        "`case-names: class-and-name`",
    ]);
    assert_eq!(done.record("smoke").verdict, prodtest_gate::Verdict::Undetermined, "the reports say so too");
    assert!(done.report("smoke", "md").contains("would both be"));
    // The record of it is refused as the run was.
    let again = together.gate().arg("--replay").arg(done.out.join("smoke.run.json")).run().expect_code(2);
    assert_eq!(done.files(), again.files());
}

#[test]
fn a_case_must_not_pass_for_a_scenario() {
    let project = project_with("smoke: { scenarios: [scenarios.yaml], suites: [{ name: e2e, junit: GREEN.xml }] }\n");
    let scenario = |id: &str| format!("scenarios: [{{ id: {id}, title: t, steps: [{{ name: a, request: GET / }}] }}]");
    project.write("scenarios.yaml", &scenario("e2e-works"));
    let _ = project.gate().run().expect_code(2).expect_said(&["`smoke/e2e-works`", "a scenario"]);
    project.write("scenarios.yaml", &scenario("e2e"));
    let done = project.gate().run().expect_code(2).expect_said(&["is called `e2e`", "give the suite another name"]);
    assert!(!done.out.exists());
}

/// Reports that tell nothing, or tell of a failure that no case shows.
#[test]
fn what_a_report_does_not_show_is_never_passed() {
    for (report, code, says) in [
        ("<testsuites/>", 3, "it reported no test that ran"),
        (
            "<testsuites><testsuite name='s'><testcase name='a'><skipped/></testcase></testsuite></testsuites>",
            3,
            "it reported no test that ran",
        ),
        ("<html><body>404</body></html>", 3, "it begins with `<html>`, not with `<testsuites>`"),
        ("not xml", 3, "is no JUnit report"),
        ("", 3, "is no JUnit report"),
        ("<testsuites><testsuite name='s'><testcase name='a'/>", 3, "is no JUnit report"),
        (
            "<testsuites><testsuite name='s' errors='1'><testcase name='a'/></testsuite></testsuites>",
            1,
            "its report counts 1 errors for `s`, and no case that failed",
        ),
        ("<testsuite name='s'><testcase name='a'/><error message='set-up broke'/></testsuite>", 1, "`set-up broke`"),
        (
            "<testsuites><testsuite name='s'><testcase name='a'/><testsuite name='t'><testcase name='b'><failure/></testcase></testsuite></testsuite></testsuites>",
            1,
            "`b` failed",
        ),
    ] {
        let project = project("{ name: e2e, junit: report.xml }");
        project.write("report.xml", report);
        let _ = project.gate().run().expect_code(code).expect_said(&[says]);
    }
    let _ = project("{ name: e2e, junit: nowhere.xml }")
        .gate()
        .run()
        .expect_code(3)
        .expect_said(&["undetermined smoke/e2e", "the report `nowhere.xml` could not be read: No such file"]);
}
