//! A consumer's pipeline under gitlab-ci-local: the template as a plain include and as a component.

#[path = "../platforms/common.rs"]
mod common;
#[path = "../platforms/gitlab.rs"]
mod gitlab;
#[path = "../platforms/mirror.rs"]
mod mirror;

use std::{
    fs,
    path::{Path, PathBuf},
    process::Output,
};

use common::{Consumer, KEYS, commit, git, no_secret_in, release, said, tool};
use gitlab::printed;
use mirror::Mirror;
use prodtest_testkit::{Godel, binary};
use xtask::dist;

/// The host that the consumer's origin names. Nothing is asked of it: git is told to look in a folder.
const HOST: &str = "gitlab.example.com";

/// How the template is brought in.
enum Include {
    /// Copied into the consumer's repository.
    Local,
    /// From the catalogue, by a tag.
    Component,
}

/// A consumer whose pipeline is in place.
struct Stage {
    consumer: Consumer,
}

impl Stage {
    fn new(include: &Include) -> Self {
        let tree = tempfile::tempdir().expect("a temporary folder");
        release(tree.path());
        Self::with_release(include, tree.path())
    }

    fn with_release(include: &Include, tree: &Path) -> Self {
        let template = fs::read_to_string(tree.join("templates/smoke/template.yml")).expect("the template");
        let line = match include {
            Include::Local => "local: ci/smoke.yml",
            Include::Component => "component: $CI_SERVER_FQDN/godel/prodtest/smoke@v1",
        };
        let pipeline = include_str!("../platforms/gitlab/pipeline.yml").replace("@INCLUDE@", line);
        let origin = format!("git@{HOST}:example/consumer.git");
        let files = [(".gitlab-ci.yml", pipeline.as_str()), ("ci/smoke.yml", template.as_str())];
        let files = if matches!(include, Include::Local) { &files[..] } else { &files[..1] };
        let consumer = Consumer::new(&origin, files);
        if matches!(include, Include::Component) {
            serve(&consumer, tree);
        }
        Self { consumer }
    }

    /// Runs the pipeline against the service at `url`, with these variables.
    fn run(&self, gitlab: &Path, url: &str, variables: &[(&str, &str)]) -> Output {
        gitlab::run(gitlab, &self.consumer, &[&KEYS[..], &[("GODEL_URL", url)], variables].concat())
    }

    fn run_here(&self, gitlab: &Path, url: &str) -> Output {
        let folder = binary("prodtest-smoke").parent().expect("a folder").display().to_string();
        self.run(gitlab, url, &[("PRODTEST_BIN_DIR", &folder)])
    }

    /// Where the artefacts of the gate's job are kept.
    fn artifacts(&self) -> PathBuf {
        self.consumer.root().join(".gitlab-ci-local/artifacts/smoke/prodtest-results")
    }
}

/// Puts the release tree, tagged, where git looks when it is asked for the catalogue's project.
fn serve(consumer: &Consumer, tree: &Path) {
    let home = consumer.home();
    commit(tree, &home);
    git(tree, &home, &["tag", "v1"]);
    let bare = consumer.beside("server").join("godel/prodtest.git");
    git(tree, &home, &["clone", "--quiet", "--bare", ".", &bare.display().to_string()]);
    let config = format!(
        "[url \"file://{}/\"]\n\tinsteadOf = ssh://git@{HOST}:22/\n\tinsteadOf = ssh://git@{HOST}/\n\
         [safe]\n\tdirectory = *\n",
        consumer.beside("server").display()
    );
    fs::write(home.join(".gitconfig"), config).expect("a git configuration");
}

fn green(include: &Include) {
    let Some(gitlab) = tool("gitlab-ci-local").filter(|_| tool("rsync").is_some()) else { return };
    let godel = Godel::healthy();
    let stage = Stage::new(include);
    let output = stage.run_here(&gitlab, &godel.url);
    assert!(output.status.success(), "{}", said(&output));
    let printed = printed(&output);
    assert!(printed.contains("deployed, for the gate was passed"), "{}", said(&output));
    assert!(printed.contains("afterwards verdict=passed"), "{}", said(&output));
    no_secret_in(&printed);
}

fn red(include: &Include) {
    let Some(gitlab) = tool("gitlab-ci-local").filter(|_| tool("rsync").is_some()) else { return };
    let godel = Godel::start(&["degraded-health"], None);
    let stage = Stage::new(include);
    let output = stage.run_here(&gitlab, &godel.url);
    assert!(!output.status.success(), "{}", said(&output));
    let printed = printed(&output);
    assert!(!printed.contains("deployed, for"), "a red gate must stop the pipeline\n{}", said(&output));
    assert!(printed.contains("afterwards verdict=failed"), "{}", said(&output));
    for suffix in ["run.json", "junit.xml", "sarif", "md", "codequality.json", "html", "env"] {
        let file = format!("smoke.{suffix}");
        assert!(printed.contains(&format!("kept prodtest-results/{file}")), "{file}: {}", said(&output));
        assert!(stage.artifacts().join(&file).is_file(), "{file} is no artefact: {}", said(&output));
    }
    no_secret_in(&printed);
}

#[test]
fn platform_gitlab_include_is_green_on_a_healthy_service() {
    green(&Include::Local);
}

#[test]
fn platform_gitlab_include_is_red_on_a_faulty_service_and_keeps_its_reports() {
    red(&Include::Local);
}

#[test]
fn platform_gitlab_component_is_green_on_a_healthy_service() {
    green(&Include::Component);
}

#[test]
fn platform_gitlab_component_is_red_on_a_faulty_service_and_keeps_its_reports() {
    red(&Include::Component);
}

#[test]
fn platform_gitlab_downloads_and_runs_what_was_released() {
    let Some(gitlab) = tool("gitlab-ci-local").filter(|_| tool("curl").is_some()) else { return };
    let godel = Godel::healthy();
    let mirror = Mirror::serving(fs::read(binary("prodtest-smoke")).expect("the program"));
    let ca = mirror.ca.display().to_string();
    let output = Stage::new(&Include::Component).run(
        &gitlab,
        &godel.url,
        &[("PRODTEST_MIRROR", &mirror.url), ("CURL_CA_BUNDLE", &ca)],
    );
    assert!(output.status.success(), "{}", said(&output));
    let path = format!("/v{}/prodtest-smoke-{}", xtask::repo::VERSION, dist::target_here());
    assert_eq!(mirror.asked(), [path]);
}

#[test]
fn platform_gitlab_refuses_a_tampered_download_before_it_runs() {
    let Some(gitlab) = tool("gitlab-ci-local").filter(|_| tool("curl").is_some()) else { return };
    let stage = Stage::new(&Include::Component);
    let mark = stage.consumer.beside("it-ran");
    let mirror = Mirror::serving(format!("#!/bin/sh\ntouch '{}'\n", mark.display()).into_bytes());
    let ca = mirror.ca.display().to_string();
    let variables = [("PRODTEST_MIRROR", mirror.url.as_str()), ("CURL_CA_BUNDLE", ca.as_str())];
    let output = stage.run(&gitlab, "http://127.0.0.1:9", &variables);
    assert!(!output.status.success(), "{}", said(&output));
    assert_eq!(mirror.asked().len(), 1, "{}", said(&output));
    assert!(!mark.exists(), "the tampered program was run");
    for word in ["not what was released", "expected: sha256", "seen: sha256", "hint: "] {
        assert!(printed(&output).contains(word), "{word}: {}", said(&output));
    }
}

#[test]
fn platform_gitlab_refuses_to_download_without_a_hash() {
    let Some(gitlab) = tool("gitlab-ci-local").filter(|_| tool("curl").is_some()) else { return };
    let tree = tempfile::tempdir().expect("a temporary folder");
    dist::lay_out(tree.path(), &dist::Release::without_binaries()).expect("a release tree");
    let mirror = Mirror::serving(b"never".to_vec());
    let ca = mirror.ca.display().to_string();
    let output = Stage::with_release(&Include::Local, tree.path()).run(
        &gitlab,
        "http://127.0.0.1:9",
        &[("PRODTEST_MIRROR", &mirror.url), ("CURL_CA_BUNDLE", &ca)],
    );
    assert!(!output.status.success(), "{}", said(&output));
    assert_eq!(mirror.asked(), [""; 0]);
    assert!(printed(&output).contains("this template pins no hash"), "{}", said(&output));
}
