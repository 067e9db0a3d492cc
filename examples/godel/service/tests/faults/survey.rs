//! All that a client can see of the service, as named observations that can be compared.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio::time::sleep;

use crate::support::{ADMIN_KEY, Ask, Godel, KEY, OTHER_KEY, Reply};

/// Longer than an agent lives.
const LIFE: Duration = Duration::from_millis(900);

pub(crate) type Seen = BTreeMap<String, String>;

/// Looks at everything; as the kubelet, if `probe`.
pub(crate) async fn survey(godel: &Godel, probe: bool) -> Seen {
    let mut survey = Survey { godel, probe, seen: Seen::new() };
    survey.health().await;
    survey.lists().await;
    survey.admin().await;
    survey.agent().await;
    survey.rest().await;
    survey.seen
}

struct Survey<'a> {
    godel: &'a Godel,
    probe: bool,
    seen: Seen,
}

impl Survey<'_> {
    fn ask(&self, what: &str) -> Ask {
        let agent = if self.probe { "kube-probe/1.35" } else { "survey" };
        self.godel.ask(what).header("user-agent", agent)
    }

    async fn note(&mut self, name: &str, ask: Ask) -> Option<Reply> {
        let begun = Instant::now();
        let reply = ask.try_send().await;
        let slow = if begun.elapsed() > Duration::from_millis(2500) { "slow " } else { "" };
        let told = match &reply {
            Ok(reply) => describe(reply),
            Err(error) => format!("broke: {error}"),
        };
        self.seen.insert(name.to_owned(), format!("{slow}{told}"));
        reply.ok()
    }

    async fn health(&mut self) {
        self.note("health", self.ask("GET /api/health")).await;
        for index in ["48", "49", "50", "99", "x"] {
            let ask = self.ask("GET /api/health").header("x-request-index", index);
            self.note(&format!("health, index {index}"), ask).await;
        }
        self.note("health, HEAD", self.ask("HEAD /api/health").header("x-request-index", "49")).await;
        self.note("ready", self.ask("GET /api/health/ready").header("x-request-index", "49")).await;
    }

    async fn lists(&mut self) {
        self.note("list, no key", self.ask("GET /api/agents")).await;
        for (name, key) in [("empty", ""), ("wrong", "wrong"), ("own", KEY), ("other", OTHER_KEY)] {
            self.note(&format!("list, {name} key"), self.ask("GET /api/agents").key(key)).await;
        }
        self.note("list, HEAD", self.ask("HEAD /api/agents").key(KEY)).await;
    }

    async fn admin(&mut self) {
        for path in ["/api/admin", "/api/admin/agents"] {
            let ask = || self.ask(&format!("GET {path}"));
            let asks = [
                ("no", ask()),
                ("wrong", ask().key("wrong")),
                ("own", ask().key(KEY)),
                ("admin", ask().key(ADMIN_KEY)),
            ];
            for (name, ask) in asks {
                self.note(&format!("{path}, {name} key"), ask).await;
            }
        }
    }

    async fn agent(&mut self) {
        let body = json!({ "type": "test", "task": "survey" }).to_string();
        let spawned = self.note("spawn", self.ask("POST /api/agents").key(KEY).body(body.clone())).await;
        self.note("spawn, no key", self.ask("POST /api/agents").body(body.clone())).await;
        self.note("spawn, wrong key", self.ask("POST /api/agents").key("wrong").body(body)).await;
        self.note("spawn, bad body", self.ask("POST /api/agents").key(KEY).body("{}")).await;

        let id = spawned.and_then(|reply| reply.json()["data"]["id"].as_str().map(str::to_owned));
        let id = id.unwrap_or_default();
        let path = format!("/api/agents/{id}");
        let get = format!("GET {path}");
        self.seen.insert("life".to_owned(), self.life(&get).await);
        self.note("agent, again", self.ask(&get).key(KEY)).await;
        self.note("agent, no key", self.ask(&get)).await;
        self.note("agent, wrong key", self.ask(&get).key("wrong")).await;
        self.note("agent, other tenant", self.ask(&get).key(OTHER_KEY)).await;
        let delete = format!("DELETE {path}");
        self.note("delete, other tenant", self.ask(&delete).key(OTHER_KEY)).await;
        self.note("delete, no key", self.ask(&delete)).await;
        self.note("delete", self.ask(&delete).key(KEY)).await;
        self.note("deleted", self.ask(&get).key(KEY)).await;
        let unknown = "/api/agents/6f2d8d6e-1c1f-4c2b-9a55-5a3a4a9d2f10";
        self.note("unknown", self.ask(&format!("GET {unknown}")).key(KEY)).await;
        self.note("delete, unknown", self.ask(&format!("DELETE {unknown}")).key(KEY)).await;
    }

    /// How the agent ends, or where it is when its time is over.
    async fn life(&self, get: &str) -> String {
        let begun = Instant::now();
        loop {
            let reply = self.ask(get).key(KEY).send().await;
            let data = reply.json()["data"].clone();
            let over = ["completed", "failed"].map(Value::from).contains(&data["status"]);
            if over || begun.elapsed() > LIFE {
                return format!("{} {} {}", reply.status.as_u16(), data["status"], data["error"]);
            }
            sleep(Duration::from_millis(25)).await;
        }
    }

    async fn rest(&mut self) {
        self.note("test error", self.ask("GET /api/trigger-test-error").key(KEY)).await;
        self.note("metrics", self.ask("GET /metrics")).await;
        self.note("no route", self.ask("GET /api/nothing").key(KEY)).await;
        self.note("no method", self.ask("PUT /api/agents").key(KEY)).await;
    }
}

/// What does not differ from one healthy service to the next.
fn describe(reply: &Reply) -> String {
    let json = reply.json();
    let health = match (&json["data"]["status"], &json["data"]["version"]) {
        (Value::String(status), Value::String(version)) => format!("{status} {version}"),
        _ => String::new(),
    };
    let kind = reply.header("content-type");
    let envelope = json.get("success").map_or("no envelope".to_owned(), |success| format!("success {success}"));
    format!("{} {kind} {envelope} {} {health}", reply.status.as_u16(), json["error"]["code"])
}
