//! A recorded run is judged again: the same verdict and the same bytes, without network, service or secrets; or another
//! verdict, under the limits of another configuration.

use std::{
    fs,
    path::{Path, PathBuf},
    thread,
};

use prodtest_testkit::{Done, Flaw, GateCommand, Godel, Project, Stub, has_namespaces, reply, repository};
use tempfile::TempDir;

/// A network in which there is nothing, not even this machine.
const NOWHERE: [&str; 1] = ["--net"];

/// A run and the service it was of, which is gone.
struct Recorded {
    done: Done,
}

impl Recorded {
    fn of(mut godel: Godel, arguments: &[&str]) -> Self {
        let done = GateCommand::smoke(&godel).args(arguments).run();
        godel.kill();
        Self { done }
    }

    fn record(&self) -> PathBuf {
        self.done.out.join("smoke.run.json")
    }

    /// Judges it again, without secrets, and where it is possible without a network.
    fn replay(&self, arguments: &[&str]) -> Done {
        let gate = GateCommand::new("smoke").arg("--replay").arg(self.record()).args(arguments);
        if has_namespaces(&NOWHERE) { gate.under(&["unshare", NOWHERE[0]]).run() } else { gate.run() }
    }

    #[track_caller]
    fn comes_to_the_same(&self, again: &Done) {
        assert_eq!(again.code(), self.done.code(), "{}", again.said());
        assert_eq!(again.stdout(), self.done.stdout());
        let (first, second) = (self.done.files(), again.files());
        assert_eq!(first.keys().collect::<Vec<_>>(), second.keys().collect::<Vec<_>>());
        assert_eq!(first.len(), 6);
        for (name, bytes) in first {
            assert!(bytes == second[&name], "{name} is not the same");
        }
    }
}

/// Godel's configuration and scenarios, with one text replaced by another in one of the files.
fn configuration(file: &str, from: &str, to: &str) -> TempDir {
    let folder = tempfile::tempdir().expect("a temporary folder");
    fs::create_dir(folder.path().join("scenarios")).expect("a folder");
    let godel = repository().join("examples/godel");
    let scenarios = fs::read_dir(godel.join("scenarios")).expect("the scenarios").flatten().map(|entry| entry.path());
    for path in scenarios.chain([godel.join("prodtest.yaml")]) {
        let name = path.strip_prefix(&godel).expect("below").to_owned();
        let mut text = fs::read_to_string(&path).expect("a text");
        if name == Path::new(file) {
            assert!(text.contains(from), "`{from}` is not in {file}");
            text = text.replace(from, to);
        }
        fs::write(folder.path().join(name), text).expect("a file");
    }
    folder
}

#[test]
fn a_green_run_over_tls_is_the_same_again() {
    let recorded = Recorded::of(Godel::start(&[], Some(Flaw::None)), &[]);
    assert_eq!(recorded.done.code(), Some(0), "{}", recorded.done.said());
    recorded.comes_to_the_same(&recorded.replay(&[]));
}

#[test]
fn a_red_run_is_the_same_again() {
    // One that tries, one that breaks off, one that is cut in half, one with a series.
    thread::scope(|scope| {
        for fault in ["agent-vanishes", "reset", "truncated-json", "burst-500"] {
            scope.spawn(move || {
                let recorded = Recorded::of(Godel::start(&[fault], None), &[]);
                assert_eq!(recorded.done.code(), Some(1), "{}", recorded.done.said());
                recorded.comes_to_the_same(&recorded.replay(&[]));
            });
        }
    });
}

#[test]
fn an_undetermined_run_is_the_same_again() {
    let recorded = Recorded::of(Godel::healthy(), &["--timeout", "100ms", "--allow-undetermined", "smoke/version"]);
    assert_eq!(recorded.done.code(), Some(3), "{}", recorded.done.said());
    recorded.comes_to_the_same(&recorded.replay(&[]));
}

/// The configuration of the run itself changes nothing, however the run was called: its target, what was deployed and
/// what it left out are facts.
#[test]
fn the_same_limits_give_the_same() {
    // A version that the configuration does not know of.
    let next = || Godel::start(&["wrong-version"], Some(Flaw::None));
    thread::scope(|scope| {
        for (godel, arguments) in [
            (Godel::start(&[], Some(Flaw::None)), vec![]),
            (next(), vec!["--expect-version", "0.1.0-wrong", "--only", "tls,health,version"]),
            (next(), vec!["--skip", "tag:writes,version"]),
        ] {
            scope.spawn(move || {
                let recorded = Recorded::of(godel, &arguments);
                assert_eq!(recorded.done.code(), Some(0), "{}", recorded.done.said());
                recorded.comes_to_the_same(&recorded.replay(&["--config", "examples/godel/prodtest.yaml"]));
            });
        }
    });
}

/// Without its secrets today, an optional identity does not take away what was seen of it.
#[test]
fn a_failure_stays_one_under_the_same_limits_without_secrets() {
    let recorded = Recorded::of(Godel::start(&["tenant-leak"], None), &[]);
    assert_eq!(recorded.done.code(), Some(1), "{}", recorded.done.said());
    recorded.comes_to_the_same(&recorded.replay(&["--config", "examples/godel/prodtest.yaml"]));
}

#[test]
fn other_limits_give_another_verdict() {
    let recorded = Recorded::of(Godel::healthy(), &[]);
    assert_eq!(recorded.done.code(), Some(0), "{}", recorded.done.said());
    let health = "scenarios/02-health.yaml";
    for (file, from, to, check, says) in [
        (health, "within: 2s", "within: 0ms", "smoke/health", "an answer within"),
        (health, "status: 200\n", "status: 204\n", "smoke/health", "answered 200, not 204"),
        (health, "$.data.status: healthy", "$.data.status: splendid", "smoke/health", "\"splendid\""),
        (
            "scenarios/07-concurrency.yaml",
            "expect: { status: 200 }",
            "expect: { status: 2xx, within: 0ms }",
            "smoke/concurrency",
            "every answer within",
        ),
    ] {
        let folder = configuration(file, from, to);
        let config = folder.path().join("prodtest.yaml");
        let done = recorded.replay(&["--config", config.to_str().expect("a path")]).expect_code(1).expect_said(&[says]);
        assert_eq!(done.checks("smoke", prodtest_gate::Outcome::Failed).into_iter().collect::<Vec<_>>(), [check]);
    }
}

/// A step that the record has not seen cannot be judged by another's answer.
#[test]
fn a_step_that_was_not_done_is_undetermined() {
    let recorded = Recorded::of(Godel::healthy(), &[]);
    let folder = configuration("scenarios/02-health.yaml", "name: healthy", "name: hale");
    let config = folder.path().join("prodtest.yaml");
    let done = recorded.replay(&["--config", config.to_str().expect("a path")]).expect_code(3);
    let _ = done.expect_said(&["undetermined smoke/health", "it was not observed"]);
}

#[test]
fn a_waiver_of_the_configuration_is_held_against_the_day_of_the_run() {
    let recorded = Recorded::of(Godel::start(&["admin-open"], None), &[]);
    for (expires, code, says) in
        [("2999-12-31", 0, "waived by ops until 2999-12-31: known"), ("2020-01-01", 1, "has expired")]
    {
        let waiver = format!("{{ check: smoke/admin-restricted, owner: ops, reason: known, expires: {expires} }}");
        let folder =
            configuration("prodtest.yaml", "service: godel\n", &format!("service: godel\nwaivers: [{waiver}]\n"));
        let config = folder.path().join("prodtest.yaml");
        let _ = recorded.replay(&["--config", config.to_str().expect("a path")]).expect_code(code).expect_said(&[says]);
    }
}

/// The check of a certificate is held against the time of the run, not of the replay.
#[test]
fn a_certificate_is_judged_by_the_day_of_the_run() {
    let recorded = Recorded::of(Godel::start(&[], Some(Flaw::ExpiresSoon)), &["--only", "tls"]);
    assert_eq!(recorded.done.code(), Some(1), "{}", recorded.done.said());
    recorded.comes_to_the_same(&recorded.replay(&[]));
    let folder = configuration("scenarios/01-tls.yaml", "certificate: {}", "certificate: { min-days: 1 }");
    let config = folder.path().join("prodtest.yaml");
    let _ = recorded.replay(&["--config", config.to_str().expect("a path")]).expect_code(0);
}

/// A target that only `--url` named is still the target.
#[test]
fn an_environment_without_an_address_can_be_judged_again() {
    let project = Project::with_scenarios("scenarios: [{ id: a, title: t, steps: [{ name: a, request: GET / }] }]");
    project
        .write("prodtest.yaml", "service: demo\nenvironments: { test: {} }\nsmoke: { scenarios: [scenarios.yaml] }\n");
    let done = project.gate_against(&Stub::saying(|_| reply("200 OK", &[], ""))).run().expect_code(0);
    let record = done.out.join("smoke.run.json");
    let again = project.gate().arg("--replay").arg(record).args(["--config", "prodtest.yaml"]).run().expect_code(0);
    assert_eq!(done.files(), again.files());
}
