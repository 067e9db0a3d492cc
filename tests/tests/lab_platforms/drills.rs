//! The rollback gate as a consumer has it: a drill that passes, smoke scenarios and all, then one with a version that is as
//! good as the other, which nothing calls bad.

use prodtest_tests::{Release, shared};
use serde_json::Value;

use super::{
    ATTEMPTS, act, borrowed,
    common::{Consumer, release as release_tree, said, tool},
    gitlab, here, no_secret_of, serves, told, value,
};

/// What the gate says by itself where its probe was late: then it is done once more.
const BUSY: &str = "this machine was too busy";

/// What the gate hands on of a drill that passes.
fn good(line: &str) {
    assert_eq!(["verdict", "failed", "failed-requests"].map(|name| value(line, name)), ["passed", "", "0"], "{line}");
    for name in ["rto", "detection-time"] {
        let took: f64 = value(line, name).parse().expect(line);
        assert!(took > 0.0, "{line}");
    }
}

/// And of one that nothing called bad.
fn bad(line: &str) {
    assert_eq!(["verdict", "failed"].map(|name| value(line, name)), ["failed", "detection-time"], "{line}");
}

#[test]
fn lab_platforms_act_drills() {
    let (Some(lab), Some(act)) = (shared(), tool("act")) else { return };
    let release = Release::one(&lab, "drills-by-act", &[]);
    let workflow = include_str!("../../platforms/act/drill.yml");
    let origin = "https://github.com/example/consumer.git";
    let consumer = Consumer::new(origin, &[(".github/workflows/drill.yml", workflow)]);
    release_tree(&consumer.beside("release"));
    let (told, here) = (told(&release, ""), here());
    let image = serves(&release);
    let run = |tag: &str| {
        let variables = [borrowed(&told), vec![("BAD_TAG", tag)]].concat();
        let log = act::run(&act, &consumer, &variables, &[("PRODTEST_BIN_DIR", &here)]);
        no_secret_of(&release, &log.seen());
        assert_eq!(log.printed("recovered"), ["recovered outcome=success"], "{}", log.text);
        for folder in ["prodtest-results", "recover-results"] {
            let html = format!("kept {folder}/rollback.html");
            assert!(log.printed("kept").contains(&html.as_str()), "{}", log.text);
        }
        assert_eq!(serves(&release), image, "{}", log.text);
        log
    };
    let mut log = run("");
    if log.text.contains(BUSY) {
        log = run("");
    }
    assert!(log.succeeded, "{}", log.text);
    good(log.printed("afterwards").first().unwrap_or_else(|| panic!("{}", log.text)));
    for attempt in 1..=ATTEMPTS {
        let log = run("0.1.0");
        assert!(!log.succeeded, "{}", log.text);
        bad(log.printed("afterwards").first().unwrap_or_else(|| panic!("{}", log.text)));
        let errors = log.annotations("error");
        match errors.iter().find(|error| error.contains("rollback/detection-time")) {
            Some(missed) => return act::assert_shown(&consumer, missed),
            None => assert!(errors.is_empty() && attempt < ATTEMPTS, "{errors:#?}\n{}", log.text),
        }
    }
}

#[test]
fn lab_platforms_gitlab_drills() {
    let (Some(lab), Some(gitlab), Some(_)) = (shared(), tool("gitlab-ci-local"), tool("rsync")) else { return };
    let release = Release::one(&lab, "drills-by-gitlab", &[]);
    let template = include_str!("../../../ci-templates/rollback/template.yml");
    let files = [(".gitlab-ci.yml", include_str!("../../platforms/gitlab/drill.yml")), ("ci/rollback.yml", template)];
    let consumer = Consumer::new("git@gitlab.example.com:example/consumer.git", &files);
    let (told, here) = (told(&release, "PRODTEST_"), here());
    let image = serves(&release);
    for tag in ["", "0.1.0"] {
        let mine = vec![("PRODTEST_BIN_DIR", here.as_str()), ("PRODTEST_BAD_TAG", tag)];
        let variables = [borrowed(&told), mine].concat();
        let mut output = gitlab::run(&gitlab, &consumer, &variables);
        if gitlab::printed(&output).contains(BUSY) {
            output = gitlab::run(&gitlab, &consumer, &variables);
        }
        let printed = gitlab::printed(&output);
        no_secret_of(&release, &printed);
        let line = printed.lines().rev().find_map(|line| Some(line.split_once("afterwards verdict=")?.1.to_owned()));
        let line = format!("verdict={}", line.unwrap_or_default());
        assert_eq!(output.status.success(), tag.is_empty(), "{}", said(&output));
        assert_eq!(serves(&release), image, "{}", said(&output));
        if tag.is_empty() {
            good(&line);
            continue;
        }
        bad(&line);
        let kept = consumer.root().join(".gitlab-ci-local/artifacts/drill/prodtest-results");
        let findings = std::fs::read(kept.join("rollback.codequality.json")).expect("a report");
        let findings: Vec<Value> = serde_json::from_slice(&findings).expect("findings");
        let missed = findings.iter().find(|finding| finding["check_name"] == "rollback/detection-time");
        let path = missed.expect("a finding")["location"]["path"].as_str().expect("a path").to_owned();
        assert!(consumer.root().join(path).is_file(), "{findings:#?}");
    }
}
