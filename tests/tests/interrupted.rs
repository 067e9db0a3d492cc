//! A run that is ended before its checks are: reports are written and whole, nothing in them is green that was not
//! measured, and what the run made is taken away again.

use std::{
    fs,
    io::Write as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use prodtest_gate::{Outcome, RunRecord, Verdict};
use prodtest_testkit::{API_KEY, Done, GateCommand, Godel, Project, Running, Stub, reply};
use rustix::process::Signal;

/// A cancelled job is given ten seconds.
const LIMIT: Duration = Duration::from_secs(8);

/// Waits until something is so; panics when it does not come about.
#[track_caller]
fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(10), "{what}: not within 10 s");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A gate that polls an agent which never completes.
fn polling(godel: &Godel) -> Running {
    // The agent of `tenant-isolation` is gone again within milliseconds.
    let running = GateCommand::smoke(godel).args(["--only", "agent-lifecycle,concurrency"]).spawn();
    until("an agent", || !godel.agents(API_KEY).is_empty());
    // It was made; now the gate is between two looks at it.
    thread::sleep(Duration::from_millis(300));
    running
}

/// Every report is there and whole.
fn whole(done: &Done) -> RunRecord {
    let files: Vec<String> = done.files().into_keys().collect();
    let names =
        ["codequality.json", "html", "junit.xml", "md", "run.json", "sarif"].map(|name| format!("smoke.{name}"));
    assert_eq!(files, names, "and nothing half written beside them");
    for name in ["codequality.json", "sarif"] {
        serde_json::from_str::<serde_json::Value>(&done.report("smoke", name)).expect("JSON");
    }
    roxmltree::Document::parse(&done.report("smoke", "junit.xml")).expect("XML");
    assert!(done.report("smoke", "html").trim_end().ends_with("</html>"));
    done.record("smoke")
}

#[test]
fn a_signal_ends_the_run_and_what_it_made_is_taken_away() {
    thread::scope(|scope| {
        for (signal, code, says) in
            [(Signal::TERM, 143, "interrupted (SIGTERM)"), (Signal::INT, 130, "interrupted (SIGINT)")]
        {
            scope.spawn(move || {
                let godel = Godel::start(&["agent-stuck"], None);
                let running = polling(&godel);
                let signalled = Instant::now();
                running.signal(signal);
                let done = running.wait().expect_code(code).expect_said(&[says]);
                assert!(signalled.elapsed() < LIMIT, "{:?}", signalled.elapsed());
                let record = whole(&done);
                assert_eq!((record.verdict, record.stopped.as_deref()), (Verdict::Undetermined, Some(says)));
                for name in ["smoke/agent-lifecycle", "smoke/concurrency"] {
                    let check = record.check(&name.parse().expect("an id")).expect("the check");
                    assert_eq!((check.outcome, check.reason.as_deref()), (Outcome::Undetermined, Some(says)), "{name}");
                }
                assert_eq!(godel.agents(API_KEY), Vec::<serde_json::Value>::new(), "what the run made is left behind");
            });
        }
    });
}

/// What is made, waited for, and takes so long to be taken away.
fn slow_to_delete(takes: Duration) -> (Project, Stub) {
    let project = Project::with_scenarios(
        "scenarios:
  - id: stuck
    title: t
    steps:
      - { name: make, request: POST /things, json: {}, capture: { id: $.id } }
      - { name: wait, request: GET /things, until: { every: 1s, attempts: 60 }, expect: { status: 418 } }
    always:
      - { name: clean up, request: 'DELETE /things/{{ id }}', timeout: 60s }",
    );
    let service = Stub::start(move |asked, stream| {
        if asked.line.starts_with("DELETE") {
            thread::sleep(takes);
        }
        stream.write_all(reply("200 OK", &[], r#"{"id": "7"}"#).as_bytes())
    });
    (project, service)
}

#[test]
fn a_second_signal_takes_no_report_away() {
    let (project, service) = slow_to_delete(Duration::from_secs(1));
    let running = project.gate_against(&service).spawn();
    until("a look", || service.asked().len() > 1);
    running.signal(Signal::INT);
    until("cleaning up", || service.asked().iter().any(|asked| asked.line.starts_with("DELETE")));
    running.signal(Signal::TERM);
    running.signal(Signal::INT);
    let done = running.wait().expect_code(130);
    whole(&done);
    assert!(!done.said().contains("did not clean up"), "{}", done.said());
}

#[test]
fn a_failure_before_the_signal_is_kept_but_the_code_is_the_signals() {
    let godel = Godel::start(&["agent-stuck", "auth-open"], None);
    let running = GateCommand::smoke(&godel).spawn();
    until("an agent", || godel.agents(API_KEY).iter().any(|agent| agent["status"] == "running"));
    running.signal(Signal::TERM);
    let done = running.wait().expect_code(143);
    assert_eq!(whole(&done).verdict, Verdict::Failed);
    assert!(done.checks("smoke", Outcome::Failed).contains("smoke/auth-required"));
    assert!(godel.agents(API_KEY).is_empty());
}

#[test]
fn what_kill_leaves_behind_is_not_green() {
    let godel = Godel::start(&["agent-stuck"], None);
    let out = tempfile::tempdir().expect("a folder");
    // The reports of an earlier, green run.
    let earlier = GateCommand::smoke(&Godel::healthy()).out(out.path()).env("GITLAB_CI", "true").run().expect_code(0);
    assert!(earlier.report("smoke", "md").contains("passed"));
    let running = GateCommand::smoke(&godel).out(out.path()).env("GITLAB_CI", "true").spawn();
    until("an agent", || !godel.agents(API_KEY).is_empty());
    running.signal(Signal::KILL);
    let done = running.wait();
    assert_eq!(done.code(), None);
    assert_eq!(
        fs::read_to_string(out.path().join("smoke.env")).expect("a file").lines().next(),
        Some("SMOKE_VERDICT=undetermined")
    );
    fs::remove_file(out.path().join("smoke.env")).expect("a file");
    let record = whole(&done);
    assert_eq!(record.verdict, Verdict::Undetermined);
    assert_eq!(record.stopped.as_deref(), Some("the run did not come to its end"));
    assert!(done.checks("smoke", Outcome::Passed).is_empty(), "{:?}", record.checks);
    assert_eq!(done.checks("smoke", Outcome::Undetermined).len(), 9);
    assert!(done.report("smoke", "junit.xml").contains("the run did not come to its end"));
}

/// The reports of a run that has not ended stand before the first request is made.
#[test]
fn reports_are_there_before_anything_is_asked() {
    let project = Project::with_scenarios("scenarios: [{ id: a, title: t, steps: [{ name: a, request: GET / }] }]");
    let out = project.path("reports");
    let (seen, looked) = (Arc::new(AtomicBool::new(false)), out.clone());
    let noted = Arc::clone(&seen);
    let service = Stub::saying(move |_| {
        let record = fs::read_to_string(looked.join("smoke.run.json")).unwrap_or_default();
        noted.store(record.contains("\"verdict\": \"undetermined\""), Ordering::SeqCst);
        reply("200 OK", &[], "")
    });
    let _ = project.gate_against(&service).out(&out).run().expect_code(0);
    assert!(seen.load(Ordering::SeqCst));
}

/// A request that changes something is seen to its end, so that what it made is known; the next one is not begun.
#[test]
fn a_request_under_way_is_finished_cleaned_up_and_the_last() {
    let project = Project::with_scenarios(
        "scenarios:
  - id: two
    title: t
    steps:
      - { name: first, request: POST /things, json: {}, capture: { id: $.id } }
      - { name: second, request: POST /things, json: {} }
    always:
      - { name: clean up, request: 'DELETE /things/{{ id }}' }",
    );
    let service = Stub::start(|asked, stream| {
        if asked.line.starts_with("POST") {
            thread::sleep(Duration::from_millis(800));
        }
        stream.write_all(reply("201 Created", &[], r#"{"id": "7"}"#).as_bytes())
    });
    let running = project.gate_against(&service).spawn();
    until("a request", || !service.asked().is_empty());
    running.signal(Signal::TERM);
    let done = running.wait().expect_code(143);
    let asked: Vec<String> = service.asked().into_iter().map(|asked| asked.line).collect();
    assert_eq!(asked, ["POST /things", "DELETE /things/7"], "{}", done.said());
    assert_eq!(done.outcomes("smoke"), [("two".to_owned(), "undetermined".to_owned())]);
}

/// A service that does not let anybody clean up cannot hold the gate.
#[test]
fn cleaning_up_ends_before_the_job_does() {
    let (project, service) = slow_to_delete(Duration::from_secs(20));
    let running = project.gate_against(&service).spawn();
    until("a look", || service.asked().len() > 1);
    let signalled = Instant::now();
    running.signal(Signal::TERM);
    let done = running.wait().expect_code(143);
    assert!(signalled.elapsed() < LIMIT, "{:?}", signalled.elapsed());
    whole(&done);
    let _ = done.expect_said(&["did not clean up what the scenario made: it was not done: the run ended first"]);
}

/// What a run made is taken away though the answer that tells of it was wrong.
#[test]
fn a_wrong_answer_is_cleaned_up_after_too() {
    let godel = Godel::start(&["spawn-200"], None);
    let done = GateCommand::smoke(&godel).run().expect_code(1);
    assert_eq!(done.checks("smoke", Outcome::Failed).len(), 1);
    assert_eq!(godel.agents(API_KEY), Vec::<serde_json::Value>::new(), "what the run made is left behind");
}
