//! What is logged, and what never is.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{ADMIN_KEY, Godel, KEY, OTHER_KEY, command};

/// The log's lines; each must be JSON.
fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The line of one request; it is written before the answer is, but read after.
async fn line_of(godel: &Godel, correlation: &str) -> Value {
    for _ in 0..100 {
        let log = godel.log();
        let whole = &log[..log.rfind('\n').map_or(0, |end| end + 1)];
        let mut found = lines(whole)
            .into_iter()
            .filter(|line| line["correlation_id"] == correlation && line["message"] == "request");
        if let Some(line) = found.next() {
            assert!(found.next().is_none(), "logged twice");
            return line;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("not logged: {}", godel.log());
}

#[tokio::test]
async fn each_request_is_one_line() {
    let godel = Godel::start(&[]).await;
    godel.ask("GET /api/agents/x").key(KEY).header("x-correlation-id", "run-1").send().await;
    let line = line_of(&godel, "run-1").await;
    assert_eq!(line["level"], "INFO");
    assert_eq!((&line["method"], &line["route"]), (&json!("GET"), &json!("/api/agents/{id}")));
    assert_eq!((&line["status"], &line["code"]), (&json!(404), &json!("not_found")));
    assert_eq!(line["tenant"], "default");
    assert!(line["duration_ms"].is_number());
    assert!(line["timestamp"].is_string());
}

#[tokio::test]
async fn a_test_error_is_an_error_in_the_log() {
    let godel = Godel::start(&[]).await;
    godel.ask("GET /api/trigger-test-error").key(KEY).header("x-correlation-id", "boom").send().await;
    assert_eq!(line_of(&godel, "boom").await["status"], 500);
    let log = lines(&godel.log());
    let errors: Vec<_> = log.iter().filter(|line| line["level"] == "ERROR").collect();
    assert_eq!(errors.len(), 1);
    assert_eq!(errors[0]["correlation_id"], "boom");
}

#[tokio::test]
async fn keys_are_never_logged() {
    let mut command = command(&[]);
    command.env("GODEL_LOG", "trace");
    let godel = Godel::launch(command).await;
    for key in [KEY, OTHER_KEY, ADMIN_KEY, "wrong-key-0b2c"] {
        godel.ask("GET /api/agents").key(key).send().await;
    }
    godel.ask("GET /api/health").header("x-correlation-id", "last").send().await;
    line_of(&godel, "last").await;
    for key in [KEY, OTHER_KEY, ADMIN_KEY, "wrong-key-0b2c"] {
        assert!(!godel.log().contains(key), "{key} is in the log");
    }
}

#[tokio::test]
async fn the_level_can_be_raised() {
    let mut command = command(&[]);
    command.env("GODEL_LOG", "error");
    let godel = Godel::launch(command).await;
    godel.ask("GET /api/health").send().await;
    godel.ask("GET /api/trigger-test-error").key(KEY).send().await;
    for _ in 0..100 {
        if godel.log().ends_with('\n') {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let levels: Vec<_> = lines(&godel.log()).iter().map(|line| line["level"].clone()).collect();
    assert_eq!(levels, ["ERROR"]);
}
