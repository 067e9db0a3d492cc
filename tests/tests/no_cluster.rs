//! The gates that look, where there is no cluster, or something else answers in its place: one clear message, soon, and
//! nothing passes.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use prodtest_gate::{Outcome, RunRecord};
use prodtest_testkit::GateCommand;
use serde_json::json;

const GATES: [&str; 2] = ["precheck", "verify"];
/// Reads the documents that are beside the configuration, and asks no cluster for them.
const WITHOUT: &str = "precheck/runbooks";
/// The promise of both gates.
const SOON: Duration = Duration::from_secs(5);

/// What a gate makes of a cluster whose API is said to be there.
fn record(gate: &str, port: u16) -> RunRecord {
    let kubeconfig = tempfile::NamedTempFile::new().expect("a file");
    let text = json!({
        "clusters": [{ "name": "a", "cluster": { "server": format!("http://127.0.0.1:{port}") } }],
        "contexts": [{ "name": "a", "context": { "cluster": "a", "user": "a" } }],
        "users": [{ "name": "a", "user": { "token": "a-token-of-nobody" } }],
        "current-context": "a",
    });
    std::fs::write(kubeconfig.path(), text.to_string()).expect("a kubeconfig");
    let done = GateCommand::new(gate)
        .args(["--config", "examples/godel/prodtest.yaml", "--env", "lab"])
        .arg("--kubeconfig")
        .arg(kubeconfig.path())
        .run()
        .expect_code(3);
    assert!(done.took < SOON, "{gate}: {:?}\n{}", done.took, done.said());
    let record = done.record(gate);
    for check in record.checks.iter().filter(|check| check.check.id.as_str() != WITHOUT) {
        let measured = !matches!(check.outcome, Outcome::Undetermined | Outcome::Skipped);
        assert!(!measured, "{}\n{}", check.check.id, done.said());
    }
    record
}

/// A server that does this with every connection.
fn server(each: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("its address").port();
    let each = std::sync::Arc::new(each);
    // It ends with the test.
    thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            let each = std::sync::Arc::clone(&each);
            thread::spawn(move || each(connection));
        }
    });
    port
}

/// Answers everything with this body.
fn answering(body: &'static str) -> u16 {
    server(move |connection| {
        let mut lines = BufReader::new(&connection).lines();
        while let Some(Ok(line)) = lines.next() {
            if line.is_empty() {
                let length = body.len();
                let head =
                    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n");
                // Whoever asked may be gone.
                let _ = (&connection).write_all(format!("{head}{body}").as_bytes());
            }
        }
    })
}

#[test]
fn nobody_is_there() {
    for gate in GATES {
        let record = record(gate, 1);
        let reasons: Vec<&str> = record.checks.iter().filter_map(|check| check.reason.as_deref()).collect();
        let whole = reasons.iter().filter(|reason| reason.contains("http://127.0.0.1:1") && reason.contains("hint: "));
        assert_eq!(whole.count(), 1, "{gate}: {reasons:#?}");
    }
}

#[test]
fn somebody_takes_the_call_and_never_answers() {
    let port = server(|connection| {
        let mut lines = BufReader::new(&connection).lines();
        // Reads until whoever asks gives up.
        while lines.next().is_some() {}
    });
    for gate in GATES {
        let record = record(gate, port);
        let reasons: Vec<&str> = record.checks.iter().filter_map(|check| check.reason.as_deref()).collect();
        assert!(reasons.iter().any(|reason| reason.contains("no answer within")), "{gate}: {reasons:#?}");
    }
}

#[test]
fn something_else_answers() {
    for body in ["{}", "<html>welcome</html>", r#"{"major":"1","minor":"35","gitVersion":"v1.35.0"}"#, "null", "[]"] {
        let port = answering(body);
        for gate in GATES {
            let _ = record(gate, port);
        }
    }
}
