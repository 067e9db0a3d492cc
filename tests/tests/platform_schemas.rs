//! The reports of a green and of a red run, held against the schemas of those who read them; and what is written for
//! the platforms, held against theirs. Each schema is also held against something wrong: one that takes everything
//! proves nothing.

#[path = "../platforms/common.rs"]
#[expect(dead_code, reason = "shared with the other tests of platforms; each uses a part")]
mod common;
#[path = "../platforms/metadata.rs"]
#[expect(dead_code, reason = "shared with the test of the layout; each uses a part")]
mod metadata;

use std::{
    collections::HashSet,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use common::{said, tool};
use metadata::Metadata;
use prodtest_testkit::{Done, GateCommand, Godel, repository};
use serde_json::Value;

/// A healthy service, and one that several checks fail on.
fn runs() -> [Done; 2] {
    let green = GateCommand::smoke(&Godel::healthy()).run().expect_code(0);
    let red = GateCommand::smoke(&Godel::start(&["degraded-health", "auth-open", "html-login"], None)).run();
    [green, red.expect_code(1)]
}

/// Holds files against a schema: all of the good must pass, the bad must not.
fn check(program: &Path, arguments: &[&str], good: &[PathBuf], bad: (&str, &str)) {
    assert!(!good.is_empty(), "nothing to check: this looks in the wrong place");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let specimen = folder.path().join(bad.0);
    fs::write(&specimen, bad.1).expect("a specimen");
    let run = |files: &[PathBuf]| Command::new(program).args(arguments).args(files).output().expect("it starts");
    let output = run(good);
    assert!(output.status.success(), "{good:?}: {}", said(&output));
    let output = run(&[specimen]);
    assert!(!output.status.success(), "the schema takes anything: {}", said(&output));
}

fn report(done: &Done, suffix: &str) -> PathBuf {
    let path = done.out.join(format!("smoke.{suffix}"));
    assert!(path.is_file(), "no {}\n{}", path.display(), done.said());
    path
}

fn reports(runs: &[Done], suffix: &str) -> Vec<PathBuf> {
    runs.iter().map(|done| report(done, suffix)).collect()
}

fn schema(name: &str) -> String {
    repository().join("schemas").join(format!("{name}.schema.json")).display().to_string()
}

fn files_in(folder: &str, extension: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(repository().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
    let paths = entries.flatten().map(|entry| entry.path());
    paths.filter(|path| path.extension().is_some_and(|found| found == extension)).collect()
}

#[test]
fn platform_schemas_sarif() {
    let Some(check_jsonschema) = tool("check-jsonschema") else { return };
    let official = Metadata::load().folder("serde-sarif").join("src/schema.json").display().to_string();
    // The pattern of a language tag in the official schema is no valid ECMAScript regular expression.
    let arguments = ["--regex-variant", "python", "--schemafile", &official];
    let runs = runs();
    check(&check_jsonschema, &arguments, &reports(&runs, "sarif"), ("bad.sarif", r#"{"version": "2.1.0"}"#));

    // What GitHub asks for beyond the schema.
    let red: Value = serde_json::from_str(&runs[1].report("smoke", "sarif")).expect("JSON");
    let results = red["runs"][0]["results"].as_array().expect("results");
    assert!(results.len() >= 3, "{results:#?}");
    for result in results {
        assert!(result["ruleId"].as_str().is_some_and(|id| id.starts_with("smoke/")), "{result:#}");
        let place = &result["locations"][0]["physicalLocation"];
        let uri = place["artifactLocation"]["uri"].as_str().unwrap_or_default();
        assert!(!uri.is_empty() && !uri.starts_with('/') && !uri.contains("://"), "{result:#}");
        assert!(result["partialFingerprints"].as_object().is_some_and(|prints| !prints.is_empty()), "{result:#}");
    }
    let green: Value = serde_json::from_str(&runs[0].report("smoke", "sarif")).expect("JSON");
    assert_eq!(green["runs"][0]["results"], serde_json::json!([]), "empty results close alerts");
}

#[test]
fn platform_schemas_junit() {
    let Some(xmllint) = tool("xmllint") else { return };
    // Jenkins' own.
    let xsd = Metadata::load().folder("junit-report").join("tests/JUnit.xsd").display().to_string();
    let runs = runs();
    let arguments = ["--noout", "--nonet", "--schema", &xsd];
    check(&xmllint, &arguments, &reports(&runs, "junit.xml"), ("bad.xml", "<testsuites><oops/></testsuites>"));
}

#[test]
fn platform_schemas_code_quality() {
    let Some(check_jsonschema) = tool("check-jsonschema") else { return };
    let own = repository().join("tests/platforms/code-quality.schema.json").display().to_string();
    let runs = runs();
    let bad = r#"[{"description": "a", "check_name": "b", "fingerprint": "c", "location": {"path": "d", "lines": {"begin": 1}}}]"#;
    let arguments = ["--schemafile", own.as_str()];
    check(&check_jsonschema, &arguments, &reports(&runs, "codequality.json"), ("bad.json", bad));

    let red: Vec<Value> = serde_json::from_str(&runs[1].report("smoke", "codequality.json")).expect("an array");
    let fingerprints: HashSet<&str> = red.iter().filter_map(|finding| finding["fingerprint"].as_str()).collect();
    assert!(red.len() >= 3 && fingerprints.len() == red.len(), "fingerprints must be unique: {red:#?}");
}

#[test]
fn platform_schemas_run_record() {
    let Some(check_jsonschema) = tool("check-jsonschema") else { return };
    let arguments = ["--schemafile", &schema("run")];
    check(&check_jsonschema, &arguments, &reports(&runs(), "run.json"), ("bad.json", r#"{"gate": 1}"#));
}

#[test]
fn platform_schemas_configuration() {
    let Some(check_jsonschema) = tool("check-jsonschema") else { return };
    let config = repository().join("examples/godel/prodtest.yaml");
    let bad = fs::read_to_string(&config).expect("the configuration").replace("\nsmoke:", "\nsmoek:");
    check(&check_jsonschema, &["--schemafile", &schema("prodtest")], &[config], ("bad.yaml", &bad));

    let scenarios = files_in("examples/godel/scenarios", "yaml");
    let bad = "oops: true\n";
    check(&check_jsonschema, &["--schemafile", &schema("scenarios")], &scenarios, ("bad.yaml", bad));
}

#[test]
fn platform_schemas_actions_and_workflows() {
    let Some(check_jsonschema) = tool("check-jsonschema") else { return };
    let actions = ["smoke", "setup"].map(|name| repository().join("actions").join(name).join("action.yml"));
    let vendored = |name: &'static str| ["--builtin-schema", name];
    check(&check_jsonschema, &vendored("vendor.github-actions"), &actions, ("action.yml", "name: only\n"));
    let workflows = [files_in(".github/workflows", "yml"), files_in("tests/platforms/act", "yml")].concat();
    check(&check_jsonschema, &vendored("vendor.github-workflows"), &workflows, ("bad.yml", "jobs: []\n"));
}

#[test]
fn platform_schemas_gitlab_template() {
    let Some(check_jsonschema) = tool("check-jsonschema") else { return };
    let template = fs::read_to_string(repository().join("ci-templates/smoke/template.yml")).expect("the template");
    // A component is two documents: what it takes, and the jobs. The schema knows the second.
    let (_, jobs) = template.split_once("\n---\n").expect("two documents");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("jobs.yml");
    fs::write(&file, jobs).expect("a file");
    let arguments = ["--builtin-schema", "vendor.gitlab-ci", "--data-transform", "gitlab-ci"];
    check(&check_jsonschema, &arguments, &[file], ("bad.yml", "job:\n  script: 3\n"));
}
