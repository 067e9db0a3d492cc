//! Agents: spawned, watched, deleted, and never shown to other tenants.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{Godel, KEY, OTHER_KEY, Reply};

async fn spawn(godel: &Godel, key: &str, kind: &str) -> Reply {
    let body = json!({ "type": kind, "task": "a task" }).to_string();
    let reply = godel.ask("POST /api/agents").key(key).body(body).send().await;
    assert_eq!(reply.status, 201, "{reply:?}");
    reply
}

fn id(reply: &Reply) -> String {
    reply.json()["data"]["id"].as_str().unwrap().to_owned()
}

/// Reads the agent until it is over; gives every status that was seen, and the last answer.
async fn watch(godel: &Godel, id: &str) -> (Vec<String>, Value) {
    let mut seen: Vec<String> = Vec::new();
    for _ in 0..200 {
        let reply = godel.ask(&format!("GET /api/agents/{id}")).key(KEY).send().await;
        let data = reply.json()["data"].clone();
        let status = data["status"].as_str().unwrap().to_owned();
        if seen.last() != Some(&status) {
            seen.push(status.clone());
        }
        if ["completed", "failed"].contains(&status.as_str()) {
            return (seen, data);
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("it never ended: {seen:?}");
}

#[tokio::test]
async fn an_agent_is_spawned_runs_and_completes() {
    let godel = Godel::start(&[]).await;
    let spawned = spawn(&godel, KEY, "test").await;
    let id = id(&spawned);
    assert_eq!(spawned.header("location"), format!("/api/agents/{id}"));
    let data = &spawned.json()["data"];
    assert_eq!((&data["type"], &data["task"]), (&json!("test"), &json!("a task")));
    assert_eq!(data["status"], "spawning");
    assert!(data["createdAt"].as_str().unwrap().ends_with('Z'));
    assert_eq!(data.get("finishedAt"), None);

    let (seen, end) = watch(&godel, &id).await;
    assert!(seen.ends_with(&["running".to_owned(), "completed".to_owned()]), "{seen:?}");
    assert!(end["finishedAt"].is_string());
    assert_eq!(end.get("error"), None);
    // And stays so.
    assert_eq!(watch(&godel, &id).await.0, ["completed"]);
}

#[tokio::test]
async fn an_agent_that_fails_says_why() {
    let godel = Godel::start(&[]).await;
    let id = id(&spawn(&godel, KEY, "fail").await);
    let (seen, end) = watch(&godel, &id).await;
    assert_eq!(seen.last().unwrap(), "failed");
    assert!(!end["error"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn another_tenants_agent_does_not_exist() {
    let godel = Godel::start(&[]).await;
    let id = id(&spawn(&godel, KEY, "test").await);
    let theirs = |method: &str| godel.ask(&format!("{method} /api/agents/{id}")).key(OTHER_KEY);
    let unknown = godel.ask("GET /api/agents/6f2d8d6e-1c1f-4c2b-9a55-5a3a4a9d2f10").key(KEY).send().await;
    for reply in [theirs("GET").send().await, theirs("DELETE").send().await] {
        assert_eq!(reply.status, 404);
        assert_eq!(reply.json()["error"]["message"], unknown.json()["error"]["message"]);
    }
    let list = godel.ask("GET /api/agents").key(OTHER_KEY).send().await;
    assert_eq!(list.json()["data"], json!([]));
    let own = godel.ask(&format!("GET /api/agents/{id}")).key(KEY).send().await;
    assert_eq!(own.status, 200);
}

#[tokio::test]
async fn the_list_is_newest_first() {
    let godel = Godel::start(&[]).await;
    let first = id(&spawn(&godel, KEY, "test").await);
    let second = id(&spawn(&godel, KEY, "test").await);
    let list = godel.ask("GET /api/agents").key(KEY).send().await;
    assert_eq!(list.status, 200);
    let ids: Vec<_> = list.json()["data"].as_array().unwrap().iter().map(|agent| agent["id"].clone()).collect();
    assert_eq!(ids, [json!(second), json!(first)]);
}

#[tokio::test]
async fn what_is_deleted_is_gone() {
    let godel = Godel::start(&[]).await;
    let id = id(&spawn(&godel, KEY, "test").await);
    let ask = |method: &str| godel.ask(&format!("{method} /api/agents/{id}")).key(KEY);
    let deleted = ask("DELETE").send().await;
    assert_eq!((deleted.status.as_u16(), deleted.body.len()), (204, 0));
    assert_eq!(ask("GET").send().await.status, 404);
    assert_eq!(ask("DELETE").send().await.status, 404);
}

#[tokio::test]
async fn what_is_no_id_is_unknown() {
    let godel = Godel::start(&[]).await;
    for id in ["1", "..%2f..", "%ff", "6f2d8d6e-1c1f-4c2b-9a55-5a3a4a9d2f1g"] {
        let reply = godel.ask(&format!("GET /api/agents/{id}")).key(KEY).send().await;
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]["code"]), (404, &json!("not_found")), "{id}");
    }
}

#[tokio::test]
async fn a_hundred_at_once_are_all_served() {
    let godel = Godel::start(&[]).await;
    let all = (0..100).map(|_| spawn(&godel, KEY, "test"));
    let ids: std::collections::HashSet<_> = join_all(all).await.iter().map(id).collect();
    assert_eq!(ids.len(), 100);
}
