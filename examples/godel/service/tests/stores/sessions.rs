//! Sessions: a tenant's own, held by one instance, known to all.

use std::time::Duration;

use serde_json::{Value, json};

use crate::common::{godel, metric, ready, until, until_ready};
use crate::postgres::Postgres;
use crate::redis::Redis;
use crate::support::{Godel, KEY, OTHER_KEY, Reply};

async fn create(godel: &Godel) -> Value {
    let reply = godel.ask("POST /api/sessions").key(KEY).send().await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let session = reply.json()["data"].clone();
    assert_eq!(reply.header("location"), format!("/api/sessions/{}", session["id"].as_str().unwrap()));
    session
}

async fn at(godel: &Godel, method: &str, session: &Value, key: &str) -> Reply {
    let id = session["id"].as_str().unwrap();
    godel.ask(&format!("{method} /api/sessions/{id}")).key(key).send().await
}

async fn spawn_in(godel: &Godel, session: &Value, key: &str) -> Reply {
    let body = json!({ "type": "test", "task": "a", "sessionId": session["id"] }).to_string();
    godel.ask("POST /api/agents").key(key).body(body).send().await
}

/// What holds for one service, or two that share their sessions.
async fn are_a_tenants_own(maker: &Godel, other: &Godel) {
    let session = create(maker).await;
    assert_eq!(session["instance"], "godel-0");
    let time = |name: &str| session[name].as_str().unwrap().parse::<jiff::Timestamp>().unwrap();
    assert_eq!(time("expiresAt").duration_since(time("createdAt")).as_secs(), 3600);

    for godel in [maker, other] {
        let read = at(godel, "GET", &session, KEY).await;
        assert_eq!((read.status.as_u16(), &read.json()["data"]), (200, &session));
        for method in ["GET", "DELETE"] {
            assert_eq!(at(godel, method, &session, OTHER_KEY).await.status, 404);
        }
        // Whoever is asked says who holds it.
        let spawned = spawn_in(godel, &session, KEY).await;
        assert_eq!(spawned.status, 201, "{spawned:?}");
        let agent = &spawned.json()["data"];
        assert_eq!((&agent["sessionId"], &agent["instance"]), (&session["id"], &json!("godel-0")));
        assert_eq!(spawn_in(godel, &session, OTHER_KEY).await.status, 400);
        assert_eq!(metric(godel, "godel_sessions").await, Some(1.0));
    }
    assert_eq!(at(other, "DELETE", &session, KEY).await.status, 204);
    for godel in [maker, other] {
        assert_eq!(at(godel, "GET", &session, KEY).await.status, 404);
        assert_eq!(at(godel, "DELETE", &session, KEY).await.status, 404);
        assert_eq!(spawn_in(godel, &session, KEY).await.status, 400);
        assert_eq!(metric(godel, "godel_sessions").await, Some(0.0));
    }
}

fn named(name: &str) -> (&'static str, String) {
    ("GODEL_INSTANCE", name.to_owned())
}

#[tokio::test]
async fn in_memory_they_are_a_tenants_own() {
    let godel = godel(&[named("godel-0")]).await;
    are_a_tenants_own(&godel, &godel).await;
    assert_eq!(godel.ask("POST /api/sessions").send().await.status, 401);
    assert_eq!(godel.ask("GET /api/sessions/1").key(KEY).send().await.status, 404);
    let nonsense = json!({ "id": "1" });
    assert_eq!(spawn_in(&godel, &nonsense, KEY).await.status, 400);
}

#[tokio::test]
async fn two_instances_share_them() {
    let Some(redis) = Redis::start().await else { return };
    let (maker, other) = ([redis.env(), named("godel-0")], [redis.env(), named("godel-1")]);
    let (maker, other) = tokio::join!(ready(&maker), ready(&other));
    are_a_tenants_own(&maker, &other).await;
    let session = create(&maker).await;
    let key = format!("TTL godel:session:default:{}", session["id"].as_str().unwrap());
    let left: i64 = redis.ask(&key).await.parse().unwrap();
    assert!((3590..=3600).contains(&left), "{left}");
}

#[tokio::test]
async fn while_redis_is_away_there_are_none() {
    let Some(mut redis) = Redis::start().await else { return };
    let godel = ready(&[redis.env()]).await;
    let session = create(&godel).await;
    redis.stall();
    let away = at(&godel, "GET", &session, KEY).await;
    assert_eq!((away.status.as_u16(), &away.json()["error"]["message"]), (503, &json!("redis unavailable")));
    redis.resume();
    until_ready(&godel, Duration::from_secs(3)).await;
    assert_eq!(at(&godel, "GET", &session, KEY).await.status, 200);

    redis.kill().await;
    until(&godel, 503, Duration::from_secs(3)).await;
    assert_eq!(godel.ask("POST /api/sessions").key(KEY).send().await.status, 503);
    redis.run().await;
    until_ready(&godel, Duration::from_secs(3)).await;
    create(&godel).await;
}

#[tokio::test]
async fn an_agent_in_postgresql_keeps_its_session_and_instance() {
    let (Some(postgres), Some(redis)) = (Postgres::start().await, Redis::start().await) else { return };
    let mut env = postgres.env().to_vec();
    env.push(redis.env());
    let godel = ready(&env).await;
    let session = create(&godel).await;
    let spawned = spawn_in(&godel, &session, KEY).await.json()["data"].clone();
    let read = godel.ask(&format!("GET /api/agents/{}", spawned["id"].as_str().unwrap())).key(KEY).send().await;
    assert_eq!(read.json()["data"]["sessionId"], session["id"]);
    assert_eq!(read.json()["data"]["instance"], session["instance"]);
    let checks = godel.ask("GET /api/health/ready").send().await.json()["data"]["checks"].clone();
    for store in ["database", "redis"] {
        assert_eq!(checks[store]["ok"], true, "{checks}");
        assert!(checks[store]["latencyMs"].as_f64().unwrap() < 1000.0);
    }
}
