//! The deploy gate as a consumer has it, against a release on the lab: the action under act, the template under
//! gitlab-ci-local. Each deploys a good version, then a tag that does not exist.

#[path = "../platforms/act.rs"]
mod act;
#[path = "../platforms/common.rs"]
mod common;
#[path = "lab_platforms/drills.rs"]
mod drills;
#[path = "../platforms/gitlab.rs"]
mod gitlab;
#[path = "lab_platforms/looks.rs"]
mod looks;

use std::ffi::OsString;

use common::{Consumer, no_secret_in, release as release_tree, said, tool};
use prodtest_testkit::binary;
use prodtest_tests::{Release, shared};
use serde_json::{Value, json};
use xtask::lab::godel::{Helm, WORKLOAD};

/// What the deploy gate is told of where things are.
fn told(release: &Release<'_>, prefix: &str) -> Vec<(String, String)> {
    let mut words = release.target().expect("an ingress");
    words.extend(release.deploy_target(Helm::Three, &json!({ "replicaCount": 1 })).expect("a registry"));
    words.extend(["--repository".into(), release.image.repository.clone().into()]);
    variables(words, prefix)
}

/// Flags with their values as variables, `PREFIX_REGISTRY_CONNECT`.
fn variables(words: Vec<OsString>, prefix: &str) -> Vec<(String, String)> {
    let words: Vec<String> = words.into_iter().map(|word| word.into_string().expect("text")).collect();
    let pair = |pair: &[String]| {
        let name = pair[0].trim_start_matches('-').replace('-', "_").to_uppercase();
        (format!("{prefix}{name}"), pair[1].clone())
    };
    words.chunks(2).map(pair).collect()
}

fn borrowed(pairs: &[(String, String)]) -> Vec<(&str, &str)> {
    pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

/// The variable with which nothing is downloaded.
fn here() -> String {
    binary("prodtest-deploy").parent().expect("a folder").display().to_string()
}

/// The image of the one container of the release, once it serves.
fn serves(release: &Release<'_>) -> String {
    release.wait().expect("it serves");
    let image = release.object(WORKLOAD)["spec"]["template"]["spec"]["containers"][0]["image"].clone();
    image.as_str().expect("an image").to_owned()
}

/// Nothing that is secret in this namespace or on this lab.
fn no_secret_of(release: &Release<'_>, text: &str) {
    no_secret_in(text);
    let passwords = release.lab().passwords().expect("passwords");
    let (keys, mut secrets) = (&release.keys, vec![passwords.postgres, passwords.redis, passwords.registry]);
    secrets.extend([&keys.own, &keys.other, &keys.admin].map(Clone::clone));
    for secret in secrets {
        assert!(!text.contains(&secret), "a secret leaked");
    }
}

/// The value of `name=value` in a line of those.
fn value<'a>(line: &'a str, name: &str) -> &'a str {
    let values = line.split(' ').filter_map(|word| word.split_once('='));
    values.filter(|(word, _)| *word == name).map(|(_, value)| value).next().expect(line)
}

/// What the gate hands on of a good version, the first of its release.
fn good(line: &str) {
    let values = ["verdict", "failed", "revision"].map(|name| value(line, name));
    assert_eq!(values, ["passed", "", "1"], "{line}");
    let took: f64 = value(line, "rollout").parse().expect(line);
    assert!(took > 0.0, "{line}");
}

/// And of one that does not land, as this revision: an image that nobody has costs no user a request.
fn bad(line: &str, revision: usize) {
    let values = ["verdict", "failed", "revision", "failed-requests"].map(|name| value(line, name));
    assert_eq!(values, ["failed", "rollout", &revision.to_string(), "0"], "{line}");
}

/// How often act is run again where it lost the last lines of a step that failed: it does not wait for what is still in the
/// terminal when the exit code is not 0, and annotations come last.
const ATTEMPTS: usize = 3;

const REPORTS: [&str; 6] = ["run.json", "junit.xml", "sarif", "md", "codequality.json", "html"];

#[test]
fn lab_platforms_act_deploys_and_a_bad_tag_is_red_on_its_line_and_undone() {
    let (Some(lab), Some(act)) = (shared(), tool("act")) else { return };
    let release = Release::prepare(&lab, "by-act", false);
    let workflow = include_str!("../platforms/act/deploy.yml");
    let origin = "https://github.com/example/consumer.git";
    let consumer = Consumer::new(origin, &[(".github/workflows/deploy.yml", workflow)]);
    release_tree(&consumer.beside("release"));
    let (told, here) = (told(&release, ""), here());
    let run = |more: &[(&str, &str)]| {
        let vars = [borrowed(&told), more.to_vec()].concat();
        let log = act::run(&act, &consumer, &vars, &[("PRODTEST_BIN_DIR", &here)]);
        no_secret_of(&release, &log.seen());
        assert_eq!(log.printed("recovered"), ["recovered outcome=success"], "{}", log.text);
        let kept = log.printed("kept");
        for report in ["prodtest-results", "recover-results"]
            .iter()
            .flat_map(|folder| REPORTS.map(|suffix| format!("kept {folder}/deploy.{suffix}")))
        {
            assert!(kept.contains(&report.as_str()), "{report}: {kept:?}\n{}", log.text);
        }
        log
    };

    let log = run(&[("NO_PIN", "false")]);
    assert!(log.succeeded, "{}", log.text);
    good(log.printed("afterwards").first().unwrap_or_else(|| panic!("{}", log.text)));
    assert_eq!(log.annotations("error"), [""; 0], "{}", log.text);
    let image = serves(&release);
    assert!(image.contains("@sha256:"), "{image}");

    for attempt in 1..=ATTEMPTS {
        let log = run(&[("NO_PIN", "true"), ("TAG", "no-such-tag")]);
        assert!(!log.succeeded, "{}", log.text);
        let afterwards = log.printed("afterwards");
        // Each that does not land is a revision, and the way back from it another.
        bad(afterwards.first().unwrap_or_else(|| panic!("{}", log.text)), 2 * attempt);
        assert!(afterwards[0].ends_with(" outcome=failure"), "{}", log.text);
        assert_eq!(serves(&release), image, "{}", log.text);
        let errors = log.annotations("error");
        let rollout = errors.iter().find(|error| error.contains("deploy/rollout") && error.contains("no-such-tag"));
        match rollout {
            Some(rollout) => return act::assert_shown(&consumer, rollout),
            None => assert!(errors.is_empty() && attempt < ATTEMPTS, "{errors:#?}\n{}", log.text),
        }
    }
}

#[test]
fn lab_platforms_gitlab_deploys_and_a_bad_tag_is_red_on_its_line_and_undone() {
    let (Some(lab), Some(gitlab), Some(_)) = (shared(), tool("gitlab-ci-local"), tool("rsync")) else { return };
    let release = Release::prepare(&lab, "by-gitlab", false);
    let template = include_str!("../../ci-templates/deploy/template.yml");
    let files = [(".gitlab-ci.yml", include_str!("../platforms/gitlab/deploy.yml")), ("ci/deploy.yml", template)];
    let consumer = Consumer::new("git@gitlab.example.com:example/consumer.git", &files);
    let kept = consumer.root().join(".gitlab-ci-local/artifacts");
    let (told, here) = (told(&release, "PRODTEST_"), here());
    let run = |more: &[(&str, &str)]| {
        let variables = [borrowed(&told), vec![("PRODTEST_BIN_DIR", here.as_str())], more.to_vec()].concat();
        let output = gitlab::run(&gitlab, &consumer, &variables);
        let printed = gitlab::printed(&output);
        no_secret_of(&release, &printed);
        for folder in ["deploy/prodtest-results", "recover/recover-results"] {
            for suffix in REPORTS.iter().chain(&["env"]) {
                let file = kept.join(folder).join(format!("deploy.{suffix}"));
                assert!(file.is_file(), "{folder}: {suffix} is no artefact: {}", said(&output));
            }
        }
        // The job's log shows the command first, and then what it printed.
        let line = printed.lines().rev().find_map(|line| Some(line.split_once("afterwards verdict=")?.1.to_owned()));
        (output, line.map(|line| format!("verdict={line}")).unwrap_or_default())
    };

    let (output, line) = run(&[]);
    assert!(output.status.success(), "{}", said(&output));
    good(&line);
    let image = serves(&release);
    assert!(image.contains("@sha256:"), "{image}");

    // Neither the empty input `tag` nor `no-pin`, which is `false`, hides the variable of the pipeline.
    let (output, line) = run(&[("PRODTEST_NO_PIN", "true"), ("PRODTEST_TAG", "no-such-tag")]);
    assert!(!output.status.success(), "{}", said(&output));
    bad(&line, 2);
    let findings = std::fs::read(kept.join("deploy/prodtest-results/deploy.codequality.json")).expect("a report");
    let findings: Vec<Value> = serde_json::from_slice(&findings).expect("findings");
    let rollout = findings.iter().find(|finding| finding["check_name"] == "deploy/rollout").expect("a finding");
    let place = consumer.root().join(rollout["location"]["path"].as_str().expect("a path"));
    assert!(place.is_file(), "{rollout}");
    assert_eq!(serves(&release), image, "{}", said(&output));
}
