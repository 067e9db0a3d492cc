//! What is done to the stores and to what the service is given of them, by name.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prodtest_tests::{Injected, Release};
use serde_json::{Value, json};
use xtask::lab::{self, Lab, services};

/// A store that is upset, until it is healed or dropped.
pub(crate) struct Upset<'a>(Option<Box<dyn FnOnce() + 'a>>);

impl<'a> Upset<'a> {
    fn until(heal: impl FnOnce() + 'a) -> Self {
        Self(Some(Box::new(heal)))
    }

    /// What goes with the namespace.
    fn own() -> Self {
        Self(None)
    }

    /// Undoes it.
    pub(crate) fn heal(mut self) {
        self.undo();
    }

    fn undo(&mut self) {
        if let Some(heal) = self.0.take() {
            heal();
        }
    }
}

impl Drop for Upset<'_> {
    fn drop(&mut self) {
        self.undo();
    }
}

/// Upsets a store; none, where nobody knows how to.
pub(crate) fn upset<'a>(release: &Release<'a>, name: &str) -> Option<Upset<'a>> {
    let lab = release.lab();
    let role = release.namespace.replace('-', "_");
    let as_superuser = |sql: &str| services::sql(lab, "postgres", sql).expect("an answer of PostgreSQL");
    let with_url = |change: &dyn Fn(&str) -> String| {
        let url = value(release, DATABASE, "url");
        give(release, DATABASE, &json!({ "url": change(&url) }));
        Upset::own()
    };
    Some(match name {
        "postgres-stopped" | "postgres-cut-off" | "redis-stopped" | "redis-cut-off" => {
            let injected = Injected::new(lab, name);
            Upset::until(move || injected.heal())
        }
        "database-standby" => {
            // An empty file says so, at the next start. It follows nobody.
            as_superuser(&format!("COPY (SELECT 1 WHERE false) TO '{DATA}/standby.signal'"));
            again(lab, "postgres");
            Upset::until(move || {
                let promoted = services::sql(lab, "postgres", "SELECT pg_promote()").expect("an answer of PostgreSQL");
                assert_eq!(promoted.trim(), "t");
            })
        }
        "database-full" => {
            as_superuser(&format!("ALTER ROLE {role} CONNECTION LIMIT 0"));
            Upset::own()
        }
        "database-nearly-full" => {
            as_superuser(&format!("ALTER ROLE {role} CONNECTION LIMIT 3"));
            let held: Vec<_> = (1..=2).map(|number| sleeping(release, number)).collect();
            Upset::until(move || drop(held))
        }
        "database-read-only" => {
            as_superuser(&format!("ALTER DATABASE {role} SET default_transaction_read_only = on"));
            Upset::own()
        }
        "database-wrong-password" => with_url(&|url| {
            let password = value(release, DATABASE, "password");
            url.replace(&password, "another-than-it-knows")
        }),
        "database-gone" => with_url(&|url| url.replace(&format!("/{role}?"), "/nowhere?")),
        "database-impostor" => {
            let other = std::fs::read_to_string(lab.pki("front-proxy-ca.crt")).expect("another authority");
            give(release, DATABASE, &json!({ "ca.crt": other }));
            Upset::own()
        }
        "redis-without-password" | "redis-wrong-password" => {
            let login = format!(":{}@", redis_password(release));
            let other = if name == "redis-wrong-password" { ":another-than-it-knows@" } else { "" };
            let url = value(release, REDIS, "url").replace(&login, other);
            give(release, REDIS, &json!({ "url": url }));
            Upset::own()
        }
        "redis-full" => {
            let used: u64 = told(lab, "memory", "used_memory").parse().expect("a number");
            of_redis(lab, &["CONFIG", "SET", "maxmemory", &(used * 108 / 100).to_string()]);
            Upset::until(move || of_redis(lab, &["CONFIG", "SET", "maxmemory", "0"]))
        }
        "redis-replica" => {
            of_redis(lab, &["REPLICAOF", "127.0.0.1", "1"]);
            Upset::until(move || of_redis(lab, &["REPLICAOF", "NO", "ONE"]))
        }
        "redis-loading" => loading(lab),
        _ => return None,
    })
}

/// Redis reads its data again, and takes its time for each key.
fn loading(lab: &Lab) -> Upset<'_> {
    const KEYS: u32 = 1500;
    of_redis(lab, &["DEBUG", "POPULATE", &KEYS.to_string(), "lab:load", "4096"]);
    // It answers others after each kilobyte, a dozen of keys that it wrote down tightly.
    of_redis(lab, &["CONFIG", "SET", "loading-process-events-interval-bytes", "1024", "key-load-delay", "10000"]);
    let again = lab.clone();
    let reload = std::thread::spawn(move || of_redis(&again, &["DEBUG", "RELOAD"]));
    let heal = move || {
        of_redis(lab, &["CONFIG", "SET", "key-load-delay", "0", "loading-process-events-interval-bytes", "2097152"]);
        reload.join().expect("an end");
        let keys: Vec<String> = (0..KEYS).map(|number| format!("lab:load:{number}")).collect();
        of_redis(lab, &std::iter::once("DEL").chain(keys.iter().map(String::as_str)).collect::<Vec<_>>());
    };
    let upset = Upset::until(heal);
    lab::until("Redis to load", std::time::Duration::from_secs(10), || {
        anyhow::ensure!(told(lab, "persistence", "loading") == "1", "it does not");
        Ok(())
    })
    .expect("Redis that loads");
    upset
}

fn of_redis(lab: &Lab, words: &[&str]) {
    services::redis(lab, words).expect("an answer of Redis");
}

/// What Redis tells of itself.
fn told(lab: &Lab, section: &str, name: &str) -> String {
    let info = services::redis(lab, &["INFO", section]).expect("an answer of Redis");
    let line = info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
    line.expect("a line").trim().to_owned()
}

/// The password that the release knows.
pub(crate) fn redis_password(release: &Release<'_>) -> String {
    let url = value(release, REDIS, "url");
    let password = url.split_once("://:").and_then(|(_, rest)| rest.split_once('@'));
    password.expect("a password").0.to_owned()
}

const REDIS: &str = "godel-redis-credentials";
const DATABASE: &str = "godel-db-credentials";
/// Where PostgreSQL has its data, inside its machine.
const DATA: &str = "/var/lib/lab/postgres";

/// A service ends, and starts.
fn again(lab: &Lab, service: &str) {
    let service = services::by_name(service).expect("a service");
    service.stop(lab, false).expect("its end");
    service.start(lab, lab.running().expect("a lab").nodes).expect("its start");
    service.wait(lab).expect("an answer");
}

/// What a Secret of the release has under a key.
fn value(release: &Release<'_>, secret: &str, key: &str) -> String {
    let secret = release.object(&format!("secret/{secret}"));
    let encoded = secret["data"][key].as_str().expect("a key");
    String::from_utf8(STANDARD.decode(encoded).expect("base 64")).expect("a text")
}

/// Gives a Secret of the release these values, beside those that it has.
pub(crate) fn give(release: &Release<'_>, secret: &str, values: &Value) {
    let metadata = json!({ "name": secret, "namespace": release.namespace });
    let object = json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values });
    lab::apply(release.lab(), &[object]).expect("a Secret");
}

/// A session of the service's role that does nothing, the one of this number. It ends with this.
fn sleeping(release: &Release<'_>, number: u32) -> Held {
    let role = release.namespace.replace('-', "_");
    let port = lab::port(release.lab(), "postgres").expect("a way to PostgreSQL");
    let child = std::process::Command::new("psql")
        .args(["--no-psqlrc", "--host", "127.0.0.1", "--port", &port.to_string()])
        .args(["--username", &role, "--dbname", &role, "--command", "SELECT pg_sleep(60)"])
        .env("PGPASSWORD", value(release, DATABASE, "password"))
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("psql");
    let held = Held(child);
    let asked = format!("SELECT count(*) FROM pg_stat_activity WHERE usename = '{role}' AND wait_event = 'PgSleep'");
    lab::until("the session to sleep", std::time::Duration::from_secs(10), || {
        let count: u32 = services::sql(release.lab(), "postgres", &asked)?.trim().parse()?;
        anyhow::ensure!(count >= number, "{count} sleep");
        Ok(())
    })
    .expect("a session");
    held
}

struct Held(std::process::Child);

impl Drop for Held {
    fn drop(&mut self) {
        // It may have been thrown out already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
