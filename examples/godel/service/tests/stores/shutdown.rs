//! The end, with writes under way: what was answered 201 is there.

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::process::Command;
use tokio::time::timeout;

use crate::common::{ids, ready};
use crate::postgres::Postgres;
use crate::support::{Godel, KEY, PATIENCE};

/// Spawns agents until the service is gone; gives those that were answered 201.
async fn write(godel: &Godel) -> Vec<String> {
    let mut written = Vec::new();
    let body = json!({ "type": "test", "task": "written" }).to_string();
    while let Ok(reply) = godel.ask("POST /api/agents").key(KEY).body(body.clone()).try_send().await {
        assert_eq!(reply.status, 201, "{reply:?}");
        written.push(reply.json()["data"]["id"].as_str().unwrap().to_owned());
    }
    written
}

#[tokio::test]
async fn a_signal_in_the_middle_of_writes_loses_none_that_was_answered() {
    let Some(postgres) = Postgres::start().await else { return };
    let mut env = postgres.env().to_vec();
    env.push(("GODEL_RATE_LIMIT", "0".to_owned()));
    let mut godel = ready(&env).await;
    let pid = godel.process.id().unwrap();
    let end = async {
        tokio::time::sleep(Duration::from_millis(500)).await;
        let kill = Command::new("kill").args(["-TERM", &pid.to_string()]).status().await.unwrap();
        assert!(kill.success());
    };
    // More than there are connections to the database: some wait for one when the signal comes.
    let (written, ()) = tokio::join!(join_all((0..40).map(|_| write(&godel))), end);
    let written: HashSet<_> = written.into_iter().flatten().collect();
    assert!(written.len() > 100, "{}", written.len());
    let status = timeout(PATIENCE, godel.process.wait()).await.expect("it ends").unwrap();
    assert_eq!(status.code(), Some(0), "{}", godel.log());
    assert!(godel.log().contains("\"stopped\""), "{}", godel.log());

    let open = "SELECT pid FROM pg_stat_activity WHERE application_name = 'godel'";
    for _ in 0..100 {
        if postgres.ask(open).await.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert!(postgres.ask(open).await.is_empty(), "its connections are still open");
    let kept: HashSet<_> = ids(&ready(&env).await).await.into_iter().collect();
    let lost: Vec<_> = written.difference(&kept).collect();
    assert!(lost.is_empty(), "{lost:?}");
}
