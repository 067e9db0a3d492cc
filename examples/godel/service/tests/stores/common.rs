//! What tests of stores do with the service.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::support::{Godel, KEY, Reply, command};

/// The service with these variables.
pub(crate) async fn godel(env: &[(&'static str, String)]) -> Godel {
    let mut command = command(&["--grace", "5s"]);
    command.envs(env.iter().map(|(name, value)| (*name, value)));
    Godel::launch(command).await
}

/// The service, once it is ready.
pub(crate) async fn ready(env: &[(&'static str, String)]) -> Godel {
    let godel = godel(env).await;
    until_ready(&godel, Duration::from_secs(15)).await;
    godel
}

pub(crate) async fn until_ready(godel: &Godel, most: Duration) {
    until(godel, 200, most).await;
}

/// Asks for readiness until it has this status; gives that answer.
pub(crate) async fn until(godel: &Godel, status: u16, most: Duration) -> Value {
    let deadline = Instant::now() + most;
    loop {
        let reply = godel.ask("GET /api/health/ready").send().await;
        if reply.status == status {
            return reply.json();
        }
        let told = String::from_utf8_lossy(&reply.body).into_owned();
        assert!(Instant::now() < deadline, "readiness is not {status} within {most:?}: {told}\n{}", godel.log());
        sleep(Duration::from_millis(20)).await;
    }
}

/// Waits until the log holds these words.
pub(crate) async fn until_logged(godel: &Godel, words: &str) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while !godel.log().contains(words) {
        assert!(Instant::now() < deadline, "not logged: {words}\n{}", godel.log());
        sleep(Duration::from_millis(20)).await;
    }
}

pub(crate) async fn spawn(godel: &Godel, key: &str) -> Reply {
    let body = json!({ "type": "test", "task": "a task" }).to_string();
    godel.ask("POST /api/agents").key(key).body(body).send().await
}

pub(crate) fn id(reply: &Reply) -> String {
    reply.json()["data"]["id"].as_str().unwrap_or_else(|| panic!("{reply:?}")).to_owned()
}

/// The ids of the agents there are.
pub(crate) async fn ids(godel: &Godel) -> Vec<String> {
    let reply = godel.ask("GET /api/agents").key(KEY).send().await;
    assert_eq!(reply.status, 200, "{reply:?}");
    let agents = reply.json();
    let agents = agents["data"].as_array().unwrap();
    agents.iter().map(|agent| agent["id"].as_str().unwrap().to_owned()).collect()
}

/// A series of `/metrics`, by its whole name.
pub(crate) async fn metric(godel: &Godel, series: &str) -> Option<f64> {
    let page = godel.ask("GET /metrics").send().await.body;
    let page = String::from_utf8(page.to_vec()).unwrap();
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}
