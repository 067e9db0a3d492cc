//! The gates that look, as a consumer has them: before a deployment and after it, green; then a tag that does not exist, red on
//! its line, and what runs is green all the same.

use prodtest_tests::{Release, shared};
use serde_json::{Value, json};
use xtask::lab::godel::Helm;

use super::{
    ATTEMPTS, act, borrowed,
    common::{Consumer, release as release_tree, said, tool},
    gitlab, here, no_secret_of, variables,
};

/// What both gates are told of where things are.
fn told(release: &Release<'_>, prefix: &str) -> Vec<(String, String)> {
    let mut words = release.target().expect("an ingress");
    words.extend(release.precheck_target(Helm::Three, &json!({ "replicaCount": 1 })).expect("stores"));
    words.extend(["--repository".into(), release.image.repository.clone().into()]);
    let mut variables = variables(words, prefix);
    variables.sort();
    variables.dedup();
    variables
}

const GOOD: [&str; 2] = ["precheck verdict=passed failed=", "verify verdict=passed failed="];
const BAD: [&str; 2] = ["precheck verdict=failed failed=registry", "verify verdict=passed failed="];

#[test]
fn lab_platforms_act_looks_before_and_after() {
    let (Some(lab), Some(act)) = (shared(), tool("act")) else { return };
    let release = Release::one(&lab, "looks-by-act", &[]);
    let workflow = include_str!("../../platforms/act/looks.yml");
    let origin = "https://github.com/example/consumer.git";
    let consumer = Consumer::new(origin, &[(".github/workflows/looks.yml", workflow)]);
    release_tree(&consumer.beside("release"));
    let (told, here) = (told(&release, ""), here());
    let run = |tag: &str, must: [&str; 2]| {
        let variables = [borrowed(&told), vec![("TAG", tag)]].concat();
        let log = act::run(&act, &consumer, &variables, &[("PRODTEST_BIN_DIR", &here)]);
        no_secret_of(&release, &log.seen());
        let printed = [log.printed("precheck"), log.printed("verify")].concat();
        assert_eq!(printed, must, "{}", log.text);
        assert_eq!(log.succeeded, must == GOOD, "{}", log.text);
        for gate in ["precheck", "verify"] {
            let html = format!("kept prodtest-results/{gate}.html");
            assert!(log.printed("kept").contains(&html.as_str()), "{}", log.text);
        }
        log
    };
    let _ = run("0.1.0", GOOD);
    for attempt in 1..=ATTEMPTS {
        let log = run("no-such-tag", BAD);
        let errors = log.annotations("error");
        let registry = errors.iter().find(|error| error.contains("precheck/registry") && error.contains("no-such-tag"));
        match registry {
            Some(registry) => return act::assert_shown(&consumer, registry),
            None => assert!(errors.is_empty() && attempt < ATTEMPTS, "{errors:#?}\n{}", log.text),
        }
    }
}

#[test]
fn lab_platforms_gitlab_looks_before_and_after() {
    let (Some(lab), Some(gitlab), Some(_)) = (shared(), tool("gitlab-ci-local"), tool("rsync")) else { return };
    let release = Release::one(&lab, "looks-by-gitlab", &[]);
    let files = [
        (".gitlab-ci.yml", include_str!("../../platforms/gitlab/looks.yml")),
        ("ci/precheck.yml", include_str!("../../../ci-templates/precheck/template.yml")),
        ("ci/verify.yml", include_str!("../../../ci-templates/verify/template.yml")),
    ];
    let consumer = Consumer::new("git@gitlab.example.com:example/consumer.git", &files);
    let (told, here) = (told(&release, "PRODTEST_"), here());
    for (tag, must) in [("0.1.0", GOOD), ("no-such-tag", BAD)] {
        let mine = vec![("PRODTEST_BIN_DIR", here.as_str()), ("PRODTEST_TAG", tag)];
        let output = gitlab::run(&gitlab, &consumer, &[borrowed(&told), mine].concat());
        let printed = gitlab::printed(&output);
        no_secret_of(&release, &printed);
        for line in must {
            assert!(printed.lines().any(|printed| printed.trim_end().ends_with(line)), "{line}\n{}", said(&output));
        }
        assert_eq!(output.status.success(), must == GOOD, "{}", said(&output));
        if must == BAD {
            let kept = consumer.root().join(".gitlab-ci-local/artifacts/precheck/precheck-results");
            let findings = std::fs::read(kept.join("precheck.codequality.json")).expect("a report");
            let findings: Vec<Value> = serde_json::from_slice(&findings).expect("findings");
            let registry = findings.iter().find(|finding| finding["check_name"] == "precheck/registry");
            let path = registry.expect("a finding")["location"]["path"].as_str().expect("a path").to_owned();
            assert!(consumer.root().join(path).is_file(), "{findings:#?}");
        }
    }
}
