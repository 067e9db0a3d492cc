//! Agents in PostgreSQL: the rules are those of the memory, and they survive.

use serde_json::json;

use crate::common::{id, ids, metric, ready, spawn};
use crate::postgres::Postgres;
use crate::support::{ADMIN_KEY, KEY, OTHER_KEY};

#[tokio::test]
async fn agents_survive_a_restart() {
    let Some(postgres) = Postgres::start().await else { return };
    let godel = ready(&postgres.env()).await;
    let spawned = spawn(&godel, KEY).await;
    assert_eq!(spawned.status, 201, "{spawned:?}");
    let id = id(&spawned);
    drop(godel);

    let godel = ready(&postgres.env()).await;
    let path = format!("GET /api/agents/{id}");
    let mut read = godel.ask(&path).key(KEY).send().await.json();
    for _ in 0..200 {
        if read["data"]["status"] == "completed" {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        read = godel.ask(&path).key(KEY).send().await.json();
    }
    assert_eq!(read["data"]["status"], "completed");
    assert_eq!(read["data"]["createdAt"], spawned.json()["data"]["createdAt"]);
    assert!(read["data"]["finishedAt"].is_string());
}

#[tokio::test]
async fn tenants_lists_and_deletions_are_as_in_memory() {
    let Some(postgres) = Postgres::start().await else { return };
    let godel = ready(&postgres.env()).await;
    let first = id(&spawn(&godel, KEY).await);
    let second = id(&spawn(&godel, KEY).await);
    let theirs = id(&spawn(&godel, OTHER_KEY).await);
    assert_eq!(ids(&godel).await, [second.as_str(), first.as_str()]);
    for method in ["GET", "DELETE"] {
        let reply = godel.ask(&format!("{method} /api/agents/{theirs}")).key(KEY).send().await;
        assert_eq!(reply.status, 404);
    }

    let failing = r#"{"type":"fail","task":"a"}"#;
    let failing = id(&godel.ask("POST /api/agents").key(KEY).body(failing).send().await);
    let overview = godel.ask("GET /api/admin").key(ADMIN_KEY).send().await.json();
    assert_eq!(overview["data"]["agents"]["byTenant"], json!({ "default": 3, "other": 1 }));
    let all = godel.ask("GET /api/admin/agents").key(ADMIN_KEY).send().await.json();
    assert_eq!(all["data"].as_array().unwrap().iter().filter(|agent| agent["tenant"] == "other").count(), 1);

    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    let failed = godel.ask(&format!("GET /api/agents/{failing}")).key(KEY).send().await.json();
    assert_eq!((&failed["data"]["status"], failed["data"]["error"].is_string()), (&json!("failed"), true));
    assert_eq!(metric(&godel, "godel_agents{status=\"failed\"}").await, Some(1.0));
    assert_eq!(metric(&godel, "godel_agents{status=\"completed\"}").await, Some(3.0));

    let delete = || godel.ask(&format!("DELETE /api/agents/{first}")).key(KEY);
    assert_eq!(delete().send().await.status, 204);
    assert_eq!(delete().send().await.status, 404);
    assert_eq!(ids(&godel).await, [failing, second]);
}

#[tokio::test]
async fn what_the_database_cannot_hold_is_the_clients_mistake() {
    let Some(postgres) = Postgres::start().await else { return };
    let godel = ready(&postgres.env()).await;
    let body = r#"{"type":"test","task":"a\u0000b"}"#;
    let reply = godel.ask("POST /api/agents").key(KEY).body(body).send().await;
    assert_eq!((reply.status.as_u16(), &reply.json()["error"]["code"]), (400, &json!("bad_request")));
    let body = r#"{"type":"test","task":"'; DROP TABLE agents; -- ä €"}"#;
    let reply = godel.ask("POST /api/agents").key(KEY).body(body).send().await;
    assert_eq!(reply.status, 201);
    let read = godel.ask(&format!("GET /api/agents/{}", id(&reply))).key(KEY).send().await.json();
    assert_eq!(read["data"]["task"], "'; DROP TABLE agents; -- ä €");
}

#[tokio::test]
async fn queries_and_the_pool_are_measured() {
    let Some(postgres) = Postgres::start().await else { return };
    let godel = ready(&postgres.env()).await;
    for _ in 0..3 {
        spawn(&godel, KEY).await;
    }
    let duration = "godel_db_query_duration_seconds";
    assert_eq!(metric(&godel, &format!("{duration}_count{{operation=\"check\"}}")).await, None);
    assert_eq!(metric(&godel, &format!("{duration}_count{{operation=\"insert\"}}")).await, Some(3.0));
    assert_eq!(metric(&godel, &format!("{duration}_bucket{{operation=\"insert\",le=\"+Inf\"}}")).await, Some(3.0));
    assert!(metric(&godel, &format!("{duration}_sum{{operation=\"insert\"}}")).await.unwrap() > 0.0);
    assert_eq!(metric(&godel, "godel_db_pool_max").await, Some(10.0));
    assert_eq!(metric(&godel, "godel_db_pool_connections{state=\"in_use\"}").await, Some(0.0));
    assert!(metric(&godel, "godel_db_pool_connections{state=\"idle\"}").await.unwrap() >= 1.0);
}

#[tokio::test]
async fn the_oldest_make_room() {
    let Some(postgres) = Postgres::start().await else { return };
    let godel = ready(&postgres.env()).await;
    let many = "INSERT INTO agents (id, tenant, kind, task, fate, created_at)
        SELECT gen_random_uuid(), 'default', 'test', 'number ' || n, 'complete', now() FROM generate_series(1, 50100) n";
    postgres.ask(many).await;
    // Looked after every so often: the next agent is the one.
    postgres.ask("SELECT setval(pg_get_serial_sequence('agents', 'place'), 50999)").await;
    assert_eq!(spawn(&godel, KEY).await.status, 201);
    assert_eq!(postgres.ask("SELECT count(*) FROM agents").await, ["50000"]);
    assert_eq!(postgres.ask("SELECT task FROM agents ORDER BY place LIMIT 1").await, ["number 102"]);
}

#[cfg(feature = "faults")]
#[tokio::test]
async fn faults_act_on_stored_agents_too() {
    let Some(postgres) = Postgres::start().await else { return };
    let mut env = postgres.env().to_vec();
    env.push(("GODEL_FAULT", "agent-stuck,tenant-leak,delete-ignored".to_owned()));
    let godel = ready(&env).await;
    let spawned = id(&spawn(&godel, KEY).await);
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;
    let theirs = godel.ask(&format!("GET /api/agents/{spawned}")).key(OTHER_KEY).send().await.json();
    assert_eq!(theirs["data"]["status"], "running");
    assert_eq!(godel.ask(&format!("DELETE /api/agents/{spawned}")).key(KEY).send().await.status, 204);
    assert_eq!(ids(&godel).await, [spawned]);
}
