//! PostgreSQL goes, and comes back: readiness says so, requests are answered in time, and nothing is lost.

use std::time::{Duration, Instant};

use crate::common::{id, ids, metric, ready, spawn, until, until_ready};
use crate::postgres::Postgres;
use crate::support::{Godel, KEY};

/// How long readiness may take to notice.
const NOTICED: Duration = Duration::from_secs(3);
/// How long a request may take without the database: its 2 s, and what a busy machine adds.
const BOUND: Duration = Duration::from_secs(4);

/// Everything the service says while its database is away.
async fn is_away(godel: &Godel) {
    let reply = until(godel, 503, NOTICED).await;
    assert_eq!(
        (&reply["error"]["code"], &reply["data"]["checks"]["database"]["ok"]),
        (&"not_ready".into(), &false.into())
    );
    assert!(reply["data"]["checks"]["database"]["error"].is_string());
    assert_eq!(godel.ask("GET /api/health").send().await.status, 200);

    let begun = Instant::now();
    // More than there are connections: who waits for one is answered too.
    let asked = (0..30).map(|_| async {
        let spawned = spawn(godel, KEY).await;
        assert_eq!(
            (spawned.status.as_u16(), &spawned.json()["error"]["message"]),
            (503, &"database unavailable".into())
        );
        assert_eq!(godel.ask("GET /api/health").send().await.status, 200);
    });
    futures_util::future::join_all(asked).await;
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());

    let begun = Instant::now();
    assert_eq!(metric(godel, "godel_agents{status=\"completed\"}").await, None);
    assert!(begun.elapsed() < BOUND, "{:?}", begun.elapsed());
    assert!(metric(godel, "godel_store_errors_total{store=\"database\",operation=\"insert\"}").await.unwrap() >= 30.0);
}

#[tokio::test]
async fn a_killed_database_is_missed_and_used_again() {
    let Some(mut postgres) = Postgres::start().await else { return };
    let godel = ready(&postgres.env()).await;
    let before = id(&spawn(&godel, KEY).await);
    postgres.kill().await;
    is_away(&godel).await;
    postgres.run().await;
    until_ready(&godel, NOTICED).await;
    assert_eq!(ids(&godel).await, [before]);
    assert_eq!(spawn(&godel, KEY).await.status, 201);
}

#[tokio::test]
async fn a_stalled_database_hangs_nobody() {
    let Some(postgres) = Postgres::start().await else { return };
    let godel = ready(&postgres.env()).await;
    let before = id(&spawn(&godel, KEY).await);
    postgres.stall();
    is_away(&godel).await;
    postgres.resume();
    until_ready(&godel, NOTICED).await;
    assert!(ids(&godel).await.contains(&before));
    assert_eq!(spawn(&godel, KEY).await.status, 201);
}

#[tokio::test]
async fn a_database_without_its_tables_is_no_database() {
    let Some(postgres) = Postgres::start().await else { return };
    let godel = ready(&postgres.env()).await;
    postgres.ask("ALTER TABLE agents RENAME TO lost").await;
    let reply = until(&godel, 503, NOTICED).await;
    assert!(reply["data"]["checks"]["database"]["error"].as_str().unwrap().contains("agents"), "{reply}");
    assert_eq!(spawn(&godel, KEY).await.status, 500);
    postgres.ask("ALTER TABLE lost RENAME TO agents").await;
    until_ready(&godel, NOTICED).await;
    assert_eq!(spawn(&godel, KEY).await.status, 201);
}
