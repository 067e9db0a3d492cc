//! A consumer's workflow under act: `uses: godel/prodtest/smoke@v1` against the release tree.

#[path = "../platforms/act.rs"]
mod act;
#[path = "../platforms/common.rs"]
mod common;
#[path = "../platforms/mirror.rs"]
mod mirror;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use act::Log;
use common::{Consumer, no_secret_in, release, tool};
use mirror::Mirror;
use prodtest_testkit::{Godel, binary};
use xtask::dist;

/// A consumer whose workflow is in place, and what it pins.
struct Stage {
    consumer: Consumer,
}

impl Stage {
    fn new() -> Self {
        Self::with(include_str!("../platforms/act/smoke.yml"))
    }

    fn with(workflow: &str) -> Self {
        let origin = "https://github.com/example/consumer.git";
        let consumer = Consumer::new(origin, &[(".github/workflows/deploy.yml", workflow)]);
        release(&consumer.beside("release"));
        Self { consumer }
    }

    /// Runs the workflow against the service at `url`, with these variables.
    fn run(&self, act: &Path, url: &str, variables: &[(&str, &str)]) -> Log {
        act::run(act, &self.consumer, &[("GODEL_URL", url)], variables)
    }

    /// The variables with which nothing is downloaded.
    fn here() -> [(&'static str, String); 1] {
        [("PRODTEST_BIN_DIR", binary("prodtest-smoke").parent().expect("a folder").display().to_string())]
    }

    fn run_here(&self, act: &Path, url: &str) -> Log {
        let here = Self::here();
        self.run(act, url, &here.each_ref().map(|(name, value)| (*name, value.as_str())))
    }
}

#[test]
fn platform_act_is_green_on_a_healthy_service() {
    let Some(act) = tool("act") else { return };
    let godel = Godel::healthy();
    let log = Stage::new().run_here(&act, &godel.url);
    assert!(log.succeeded, "{}", log.text);
    assert_eq!(log.printed("deployed"), ["deployed, for the gate was passed"], "{}", log.text);
    let afterwards = log.printed("afterwards");
    assert_eq!(afterwards, ["afterwards verdict=passed failed= undetermined= outcome=success"], "{}", log.text);
    assert_eq!(log.annotations("error"), [""; 0], "{}", log.text);
    let summary = log.commands("summary").next().and_then(|line| line["content"].as_str());
    assert!(summary.is_some_and(|summary| summary.contains("passed")), "{}", log.text);
    no_secret_in(&log.seen());
}

#[test]
fn platform_act_is_red_on_a_faulty_service_and_points_at_the_line() {
    let Some(act) = tool("act") else { return };
    let godel = Godel::start(&["degraded-health"], None);
    let stage = Stage::new();
    let log = stage.run_here(&act, &godel.url);
    assert!(!log.succeeded, "{}", log.text);
    assert!(log.printed("deployed").is_empty(), "a red gate must stop the job\n{}", log.text);
    let afterwards = log.printed("afterwards");
    assert_eq!(afterwards.len(), 1, "{}", log.text);
    assert!(afterwards[0].starts_with("afterwards verdict=failed failed=health undetermined="), "{}", log.text);
    assert!(afterwards[0].ends_with(" outcome=failure"), "{}", log.text);
    let errors = log.annotations("error");
    let health = errors.iter().find(|error| error.contains("smoke/health"));
    let health = health.unwrap_or_else(|| panic!("no annotation for smoke/health: {errors:#?}\n{}", log.text));
    act::assert_shown(&stage.consumer, health);
    let summary = log.commands("summary").next().and_then(|line| line["content"].as_str());
    assert!(summary.is_some_and(|summary| summary.contains("smoke/health")), "{}", log.text);
    let kept = log.printed("kept");
    for suffix in ["run.json", "junit.xml", "sarif", "md", "codequality.json", "html"] {
        assert!(kept.contains(&format!("kept prodtest-results/smoke.{suffix}").as_str()), "{suffix}: {kept:?}");
    }
    no_secret_in(&log.seen());
}

#[test]
fn platform_act_downloads_once_and_runs_what_was_released() {
    let (Some(act), Some(_)) = (tool("act"), tool("curl")) else { return };
    let godel = Godel::healthy();
    let mirror = Mirror::serving(fs::read(binary("prodtest-smoke")).expect("the program"));
    let stage = Stage::new();
    let cache = stage.consumer.beside("tool-cache").display().to_string();
    let ca = mirror.ca.display().to_string();
    let variables = [("PRODTEST_MIRROR", mirror.url.as_str()), ("CURL_CA_BUNDLE", &ca), ("RUNNER_TOOL_CACHE", &cache)];
    for run in 1..=2 {
        let log = stage.run(&act, &godel.url, &variables);
        assert!(log.succeeded, "run {run}: {}", log.text);
        assert_eq!(log.printed("deployed"), ["deployed, for the gate was passed"], "run {run}: {}", log.text);
    }
    let path = format!("/v{}/prodtest-smoke-{}", xtask::repo::VERSION, dist::target_here());
    assert_eq!(mirror.asked(), [path], "the second run takes it from the cache");
}

#[test]
fn platform_act_refuses_a_tampered_download_before_it_runs() {
    let (Some(act), Some(_)) = (tool("act"), tool("curl")) else { return };
    let godel = Godel::healthy();
    let stage = Stage::new();
    let mark = stage.consumer.beside("it-ran");
    let mirror = Mirror::serving(format!("#!/bin/sh\ntouch '{}'\n", mark.display()).into_bytes());
    let ca = mirror.ca.display().to_string();
    let cache = stage.consumer.beside("tool-cache");
    let shown = cache.display().to_string();
    let variables = [("PRODTEST_MIRROR", mirror.url.as_str()), ("CURL_CA_BUNDLE", &ca), ("RUNNER_TOOL_CACHE", &shown)];
    let log = stage.run(&act, &godel.url, &variables);
    assert!(!log.succeeded, "{}", log.text);
    assert_eq!(mirror.asked().len(), 1, "{}", log.text);
    assert!(!mark.exists(), "the tampered program was run");
    let errors = log.annotations("error");
    let told = ["not what was released", "expected: sha256", "seen: sha256", "hint: "];
    assert!(errors.iter().any(|error| told.iter().all(|word| error.contains(word))), "{errors:#?}\n{}", log.text);

    // Nor is what somebody put into the cache.
    // Where act says the runner's tool cache is.
    let cache = stage.consumer.home().join(".cache/act/tool_cache/prodtest");
    let program = deepest(&cache).join("prodtest-smoke");
    fs::write(&program, format!("#!/bin/sh\ntouch '{}'\n", mark.display())).expect("a planted program");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("permissions");
    let log = stage.run(&act, &godel.url, &variables);
    assert!(!log.succeeded && !mark.exists(), "{}", log.text);
}

#[test]
fn platform_act_sets_a_program_up_for_later_steps() {
    let Some(act) = tool("act") else { return };
    let log = Stage::with(include_str!("../platforms/act/setup.yml")).run_here(&act, "");
    assert!(log.succeeded, "{}", log.text);
    let version = format!("prodtest-smoke {}", xtask::repo::VERSION);
    assert_eq!(log.printed("from"), [format!("from path {version}"), format!("from output {version}")], "{}", log.text);
}

#[test]
fn platform_act_refuses_to_download_without_a_hash() {
    let Some(act) = tool("act") else { return };
    let stage = Stage::new();
    let tree = stage.consumer.beside("release");
    dist::lay_out(&tree, &dist::Release::without_binaries()).expect("a release tree");
    let mirror = Mirror::serving(b"never".to_vec());
    let ca = mirror.ca.display().to_string();
    let log = stage.run(&act, "http://127.0.0.1:9", &[("PRODTEST_MIRROR", &mirror.url), ("CURL_CA_BUNDLE", &ca)]);
    assert!(!log.succeeded, "{}", log.text);
    assert_eq!(mirror.asked(), [""; 0]);
    assert!(log.annotations("error").iter().any(|error| error.contains("no hash to hold")), "{}", log.text);
}

/// Down from this folder as long as there is one folder in it: the cache of one program.
fn deepest(folder: &Path) -> PathBuf {
    let entries = fs::read_dir(folder).expect("a folder");
    match entries.flatten().map(|entry| entry.path()).find(|path| path.is_dir()) {
        Some(below) => deepest(&below),
        None => folder.to_owned(),
    }
}
