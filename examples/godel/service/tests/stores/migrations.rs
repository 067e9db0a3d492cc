//! Migrations: once, by whoever comes first, and never another than before.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

use crate::common::{godel, metric, ready, spawn, until_logged, until_ready};
use crate::postgres::Postgres;
use crate::support::{KEY, PATIENCE, command};

const RECORD: &str = "SELECT version || ' ' || name || ' ' || length(checksum) FROM schema_migrations ORDER BY version";

#[tokio::test]
async fn three_services_that_start_at_once_migrate_once() {
    let Some(postgres) = Postgres::start().await else { return };
    let env = postgres.env();
    let services = tokio::join!(ready(&env), ready(&env), ready(&env));
    assert_eq!(postgres.ask(RECORD).await, ["1 agents 64"]);
    let logs = [services.0.log(), services.1.log(), services.2.log()];
    let applied: usize = logs.iter().map(|log| log.matches("migration applied").count()).sum();
    assert_eq!(applied, 1, "{logs:#?}");
    for log in &logs {
        // Nobody ran into another: each waited for its turn.
        assert!(!log.contains("not there yet"), "{log}");
    }
    drop(services);
    ready(&env).await;
    assert_eq!(postgres.ask(RECORD).await.len(), 1);
}

#[tokio::test]
async fn a_migration_that_changed_refuses_to_start_and_is_named() {
    let Some(postgres) = Postgres::start().await else { return };
    drop(ready(&postgres.env()).await);
    postgres.ask("UPDATE schema_migrations SET checksum = 'other' WHERE version = 1").await;
    let mut command = command(&["--listen", "127.0.0.1:0"]);
    command.envs(postgres.env());
    let output = timeout(PATIENCE, command.output()).await.expect("it ends by itself").unwrap();
    let stderr = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{stderr}");
    let error = stderr.lines().find(|line| line.starts_with("error: ")).expect(&stderr);
    assert!(error.contains("0001_agents") && error.contains("SHA-256 other"), "{error}");
    assert!(stderr.contains("  hint: "), "{stderr}");
}

#[tokio::test]
async fn a_database_that_is_ahead_is_no_hindrance() {
    let Some(postgres) = Postgres::start().await else { return };
    drop(ready(&postgres.env()).await);
    postgres.ask("INSERT INTO schema_migrations VALUES (9001, 'of_tomorrow', 'c')").await;
    let godel = ready(&postgres.env()).await;
    until_logged(&godel, "the database is ahead").await;
    assert!(godel.log().contains("of_tomorrow"));
    assert_eq!(spawn(&godel, KEY).await.status, 201);
}

#[tokio::test]
async fn a_database_that_is_late_is_waited_for() {
    let Some(mut postgres) = Postgres::start().await else { return };
    postgres.kill().await;
    let godel = godel(&postgres.env()).await;
    assert_eq!(godel.ask("GET /api/health").send().await.status, 200);
    assert_eq!(godel.ask("GET /api/health/ready").send().await.status, 503);
    until_logged(&godel, "not there yet").await;
    let refused = spawn(&godel, KEY).await;
    assert_eq!(refused.status, 503);
    assert_eq!(refused.json()["error"]["message"], "database unavailable");
    // It does not give up.
    let tried = "godel_store_errors_total{store=\"database\",operation=\"migrate\"}";
    let deadline = Instant::now() + PATIENCE;
    while metric(&godel, tried).await.is_none_or(|times| times < 4.0) {
        assert!(Instant::now() < deadline, "it no longer tries: {}", godel.log());
        sleep(Duration::from_millis(50)).await;
    }
    postgres.run().await;
    until_ready(&godel, Duration::from_secs(10)).await;
    assert_eq!(spawn(&godel, KEY).await.status, 201);
}
