//! Services that answer with something else than an answer, or not at all.

use std::{
    io::{Read, Write},
    time::Duration,
};

use prodtest_testkit::{Done, Flaw, GateCommand, Godel, Project, Stub, reply};

const SCENARIOS: &str = "\
scenarios:
  - id: health
    title: it is healthy
    steps: [{ name: ask, request: GET /health, expect: { json: { $.status: healthy } } }]
  - id: ready
    title: it is ready
    steps: [{ name: ask, request: GET /ready, expect: { json: { $.status: healthy } } }]
";

const HEALTHY: &str = r#"{"status": "healthy"}"#;
/// What the gate may need beside the bodies that it reads.
const MEMORY_KIB: u64 = 64 * 1024;

/// What came of both checks, and that every report tells it.
#[track_caller]
fn came_to(done: Done, code: i32, outcomes: [&str; 2]) -> Done {
    let done = done.expect_code(code);
    let [health, ready] = outcomes.map(str::to_owned);
    assert_eq!(done.outcomes("smoke"), [("health".to_owned(), health), ("ready".to_owned(), ready)], "{}", done.said());
    assert_eq!(done.files().len(), 6, "{:?}", done.files().keys());
    done
}

#[test]
fn an_unknown_host_is_undetermined() {
    let gate = Project::with_scenarios(SCENARIOS);
    let done = gate.gate().args(["--url", "http://nosuch.invalid"]).run();
    let says = ["the service never answered in this run", "nosuch.invalid", "smoke: undetermined"];
    let _ = came_to(done, 3, ["undetermined", "undetermined"]).expect_said(&says);
}

#[test]
fn nothing_that_listens_is_undetermined() {
    let done = Project::with_scenarios(SCENARIOS).gate().run();
    let says = ["the service never answered in this run", "127.0.0.1:1", "refused"];
    let _ = came_to(done, 3, ["undetermined", "undetermined"]).expect_said(&says);
}

#[test]
fn a_certificate_for_another_host_is_named_beside_the_host() {
    let done = GateCommand::smoke(&Godel::start(&[], Some(Flaw::WrongName))).args(["--only", "tls"]).run();
    let _ = done.expect_code(1).expect_said(&[
        "failed smoke/tls",
        "the certificate is for `other.example`, not for `127.0.0.1`",
        "renew or replace the certificate",
    ]);
}

#[test]
fn a_page_in_place_of_json_is_shown() {
    let page = "<html><h1>Sign in</h1></html>";
    let service = Stub::saying(move |_| reply("200 OK", &[("Content-Type", "text/html")], page));
    let done = Project::with_scenarios(SCENARIOS).gate_against(&service).run();
    let _ = came_to(done, 1, ["failed", "failed"]).expect_said(&[
        "`ask` (GET /health)",
        "expected a JSON body",
        "29 B of text/html that is not JSON",
        "<h1>Sign in</h1>",
        "a web page answered in place of the API",
        "scenarios.yaml:4:",
        "curl -sS -i",
    ]);
}

#[test]
fn a_redirect_is_not_followed_and_its_target_is_named() {
    let service = Stub::saying(|_| reply("302 Found", &[("Location", "https://login.example/?next=health")], ""));
    let done = Project::with_scenarios(SCENARIOS).gate_against(&service).run();
    assert_eq!(service.asked().len(), 2);
    let says = ["302, to `https://login.example/?next=health`", "status 2xx", "redirects are not followed"];
    let _ = came_to(done, 1, ["failed", "failed"]).expect_said(&says);
}

#[test]
fn what_is_not_http_is_quoted() {
    let service = Stub::saying(|_| "SSH-2.0-OpenSSH_9.6\r\n".to_owned());
    let done = Project::with_scenarios(SCENARIOS).gate_against(&service).run();
    let _ = came_to(done, 1, ["failed", "failed"]).expect_said(&["did not answer in HTTP/1", "SSH-2.0-OpenSSH_9.6"]);
}

/// A gibibyte is announced and sent for as long as anybody reads.
#[test]
fn a_body_without_end_is_cut() {
    let service = Stub::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")?;
        loop {
            stream.write_all(&[0; 64 * 1024])?;
        }
    });
    let (done, peak) = Project::with_scenarios(SCENARIOS).gate_against(&service).spawn().wait_measured();
    assert!(done.took < Duration::from_secs(5), "{:?}", done.took);
    assert!(peak < MEMORY_KIB, "{peak} KiB");
    assert!(done.report("smoke", "run.json").len() < 256 * 1024, "what nothing looks into is not kept");
    let _ = came_to(done, 1, ["failed", "failed"]).expect_said(&["larger than 1.0 MiB"]);
}

#[test]
fn many_such_bodies_at_once_are_no_more() {
    let service = Stub::start(|_, stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1073741824\r\n\r\n")?;
        loop {
            stream.write_all(&[b' '; 64 * 1024])?;
        }
    });
    let project = Project::with_scenarios(
        "scenarios: [{ id: burst, title: t, steps: [{ name: a, request: GET /, burst: { requests: 100 } }] }]",
    );
    let (done, peak) = project.gate_against(&service).spawn().wait_measured();
    assert!(done.took < Duration::from_secs(10), "{:?}", done.took);
    // Each is read up to 1 MiB, into a buffer that doubles.
    assert!(peak < MEMORY_KIB + 100 * 2 * 1024, "{peak} KiB");
    let _ = done.expect_code(1).expect_said(&["100 × body too large"]);
}

#[test]
fn a_service_that_never_answers_is_undetermined_at_the_deadline() {
    // Reading ends when the gate hangs up.
    let service = Stub::start(|_, stream| stream.read(&mut [0]).map(drop));
    let done = Project::with_scenarios(SCENARIOS).gate_against(&service).args(["--timeout", "3s"]).run();
    let took = done.took;
    assert!(took > Duration::from_millis(2900) && took < Duration::from_secs(6), "{took:?}");
    let _ = came_to(done, 3, ["undetermined", "undetermined"]).expect_said(&["the gate's `--timeout` of 3 s passed"]);
}

#[test]
fn a_request_that_is_not_answered_in_its_own_time_is_told() {
    let service = Stub::start(|_, stream| stream.read(&mut [0]).map(drop));
    let scenarios = SCENARIOS.replace("request: GET /health,", "request: GET /health, timeout: 300ms,");
    let scenarios = scenarios.replace("request: GET /ready,", "request: GET /ready, timeout: 300ms,");
    let done = Project::with_scenarios(&scenarios).gate_against(&service).run();
    let says = ["the service never answered in this run", "sent nothing within 300 ms"];
    let _ = came_to(done, 3, ["undetermined", "undetermined"]).expect_said(&says);
}

#[test]
fn once_it_has_answered_a_refusal_is_its_own_failure() {
    let service = Stub::for_a_while(1, |_, stream| {
        stream.write_all(reply("200 OK", &[("Content-Type", "application/json")], HEALTHY).as_bytes())
    });
    let done = Project::with_scenarios(SCENARIOS).gate_against(&service).run();
    let says = ["failed smoke/ready", "refused", "nothing listens there"];
    let _ = came_to(done, 1, ["passed", "failed"]).expect_said(&says);
}
