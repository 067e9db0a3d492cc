//! What all routes have in common, and the two that need no key.

use serde_json::json;

use crate::support::{Godel, KEY, Reply, command};

/// Asserts that the answer is an error in the envelope, and gives its message.
fn refused(reply: &Reply, status: u16, code: &str) -> String {
    let error = &reply.json()["error"];
    assert_eq!((reply.status.as_u16(), error["code"].as_str()), (status, Some(code)), "{reply:?}");
    assert_eq!(reply.json()["success"], false);
    assert_eq!(reply.header("content-type"), "application/json");
    assert_eq!(error["correlationId"], reply.header("x-correlation-id"));
    error["message"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn health_says_which_version_answers() {
    let godel = Godel::start(&[]).await;
    let reply = godel.ask("GET /api/health").send().await;
    assert_eq!(reply.status, 200);
    let data = json!({ "status": "healthy", "version": env!("CARGO_PKG_VERSION") });
    assert_eq!(reply.json(), json!({ "success": true, "data": data }));
}

#[tokio::test]
async fn the_environment_may_name_the_version() {
    let mut command = command(&[]);
    command.env("GODEL_VERSION", "2.1.0-rc.3");
    let godel = Godel::launch(command).await;
    let reply = godel.ask("GET /api/health").send().await;
    assert_eq!(reply.json()["data"]["version"], "2.1.0-rc.3");
}

#[tokio::test]
async fn it_is_ready_at_once() {
    let godel = Godel::start(&[]).await;
    let reply = godel.ask("GET /api/health/ready").send().await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.json(), json!({ "success": true, "data": { "status": "ready", "checks": {} } }));
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let godel = Godel::start(&[]).await;
    let get = godel.ask("GET /api/health").send().await;
    let head = godel.ask("HEAD /api/health").send().await;
    assert_eq!(head.status, 200);
    assert!(head.body.is_empty());
    assert_eq!(head.header("content-length"), get.header("content-length"));
    let error = godel.ask("HEAD /api/agents").send().await;
    assert_eq!(error.status, 401);
    assert!(error.body.is_empty());
}

#[tokio::test]
async fn what_is_not_there_is_404_and_what_it_cannot_do_405() {
    let godel = Godel::start(&[]).await;
    for path in ["/", "/api", "/api/nothing", "/api/agents/", "/api/health/x"] {
        let reply = godel.ask(&format!("GET {path}")).key(KEY).send().await;
        refused(&reply, 404, "not_found");
    }
    let reply = godel.ask("PUT /api/agents").key(KEY).send().await;
    assert!(refused(&reply, 405, "method_not_allowed").contains("PUT"));
    assert_eq!(reply.header("allow"), "GET,HEAD,POST");
}

#[tokio::test]
async fn without_a_good_key_nothing_is_shown() {
    let godel = Godel::start(&[]).await;
    let agent = "/api/agents/6f2d8d6e-1c1f-4c2b-9a55-5a3a4a9d2f10";
    let routes = ["GET /api/agents", "POST /api/agents", "GET /api/trigger-test-error"].map(String::from);
    for what in routes.into_iter().chain([format!("GET {agent}"), format!("DELETE {agent}")]) {
        let none = godel.ask(&what).send().await;
        assert!(refused(&none, 401, "unauthorized").contains("missing"), "{what}");
        assert!(none.header("www-authenticate").contains("X-API-Key"), "{what}");
        for key in ["wrong", "", "own-key-5d1", "own-key-5d1ff"] {
            refused(&godel.ask(&what).key(key).send().await, 401, "unauthorized");
        }
    }
}

#[tokio::test]
async fn a_body_that_is_not_understood_is_400_and_says_why() {
    let godel = Godel::start(&[]).await;
    for (body, why) in [
        ("", "EOF"),
        ("{", "EOF"),
        ("[]", "invalid length"),
        (r#"{"type":"test"}"#, "missing field `task`"),
        (r#"{"task":"a"}"#, "missing field `type`"),
        (r#"{"type":1,"task":"a"}"#, "expected a string"),
        (r#"{"type":"test","task":" "}"#, "`task` is empty"),
    ] {
        let reply = godel.ask("POST /api/agents").key(KEY).body(body).send().await;
        let message = refused(&reply, 400, "bad_request");
        assert!(message.contains(why), "{body}: {message}");
    }
}

#[tokio::test]
async fn a_body_has_a_limit_and_the_answer_arrives_though_more_was_sent() {
    let godel = Godel::start(&[]).await;
    let empty = r#"{"type":"test","task":""}"#.len();
    for (size, status) in [(64 * 1024, 201), (64 * 1024 + 1, 413), (1000 * 1024, 413)] {
        let body = format!(r#"{{"type":"test","task":"{}"}}"#, "x".repeat(size - empty));
        assert_eq!(body.len(), size);
        let reply = godel.ask("POST /api/agents").key(KEY).body(body).send().await;
        assert_eq!(reply.status, status, "{size}");
        if status == 413 {
            assert!(refused(&reply, 413, "too_large").contains("64 KiB"));
        }
    }
}

#[tokio::test]
async fn a_correlation_id_is_kept_if_it_is_sane() {
    let godel = Godel::start(&[]).await;
    let kept = godel.ask("GET /api/nothing").header("x-correlation-id", "run-7.a").send().await;
    assert_eq!(kept.header("x-correlation-id"), "run-7.a");
    refused(&kept, 404, "not_found");
    let long = "x".repeat(129);
    for id in ["", "a b", "{\"a\":1}", &long] {
        let made = godel.ask("GET /api/health").header("x-correlation-id", id).send().await;
        assert_eq!(made.header("x-correlation-id").len(), 36, "{id}");
    }
}
