//! What each fault changes: exactly these observations. To the kubelet, none.

use std::time::Duration;

use tokio::time::{Instant, sleep};

use crate::support::{Godel, KEY};
use crate::survey::{Seen, survey};

/// Compares a service with faults to one without; `changed` names what differs, and what it looks like then.
async fn changes(faults: &str, changed: &[(&str, &str)]) {
    let args = ["--fault", faults];
    let (healthy, mut broken) = tokio::join!(Godel::start(&[]), Godel::start(&args));
    let (normal, seen) = tokio::join!(survey(&healthy, false), survey(&broken, false));
    let names: Vec<_> = differences(&normal, &seen);
    let mut expected: Vec<_> = changed.iter().map(|(name, _)| *name).collect();
    expected.sort_unstable();
    assert_eq!(names, expected, "{seen:#?}");
    for (name, look) in changed {
        assert!(seen[*name].contains(look), "{name}: {}", seen[*name]);
    }
    assert!(broken.log().contains("broken on purpose"), "{}", broken.log());

    let (normal, probed) = tokio::join!(survey(&healthy, true), survey(&broken, true));
    assert_eq!(differences(&normal, &probed), Vec::<&str>::new(), "{probed:#?}");
    assert!(broken.process.try_wait().unwrap().is_none(), "{}", broken.log());
}

fn differences<'a>(normal: &'a Seen, seen: &Seen) -> Vec<&'a str> {
    let differs = |name: &&String| normal.get(*name) != seen.get(*name);
    assert_eq!(normal.len(), seen.len());
    normal.keys().filter(differs).map(String::as_str).collect()
}

/// One test a fault; the list of names is held against `--list-faults`.
macro_rules! narrow {
    ($($test:ident $fault:literal: $changed:expr;)*) => {
        $(#[tokio::test]
        async fn $test() {
            changes($fault, &$changed).await;
        })*

        pub(crate) const TESTED: &[&str] = &[$($fault),*];
    };
}

/// Every look at /api/health.
fn all_health(look: &'static str) -> Vec<(&'static str, &'static str)> {
    let indexed = ["health, index 48", "health, index 49", "health, index 50", "health, index 99", "health, index x"];
    ["health"].into_iter().chain(indexed).map(|name| (name, look)).collect()
}

narrow! {
    degraded_health "degraded-health": all_health("200 application/json success true null degraded");
    html_login "html-login": [
        ("list, own key", "200 text/html; charset=utf-8 no envelope"),
        ("list, other key", "200 text/html; charset=utf-8 no envelope"),
    ];
    auth_open "auth-open": [("list, no key", "200 application/json success true")];
    any_key "any-key": [("list, wrong key", "200 application/json success true")];
    tenant_leak "tenant-leak": [("agent, other tenant", "200 application/json success true")];
    admin_open "admin-open": [
        ("/api/admin, own key", "200 application/json success true"),
        ("/api/admin/agents, own key", "200 application/json success true"),
    ];
    spawn_200 "spawn-200": [("spawn", "200 application/json success true")];
    agent_stuck "agent-stuck": [("life", "200 \"running\" null")];
    agent_fails "agent-fails": [("life", "200 \"failed\" \"the agent's worker was lost\"")];
    agent_vanishes "agent-vanishes": [("agent, again", "404 application/json success false \"not_found\"")];
    delete_ignored "delete-ignored": [("deleted", "200 application/json success true")];
    burst_500 "burst-500": [
        ("health, index 49", "500 application/json success false \"internal\""),
        ("health, index 99", "500 application/json success false \"internal\""),
    ];
    stall "stall": [("health", "slow 200 application/json success true null healthy")];
    reset "reset": [
        ("list, own key", "broke: "),
        ("list, other key", "broke: "),
    ];
    truncated_json "truncated-json": all_health("200 application/json no envelope");
    wrong_version "wrong-version": all_health(concat!("healthy ", env!("CARGO_PKG_VERSION"), "-wrong"));
}

#[tokio::test]
async fn several_faults_go_together() {
    changes(
        "spawn-200,any-key,delete-ignored",
        &[
            ("spawn", "200"),
            ("list, wrong key", "200 application/json success true"),
            ("deleted", "200 application/json success true"),
        ],
    )
    .await;
}

#[tokio::test]
async fn a_reset_is_a_reset_after_half_of_the_body() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    let godel = Godel::start(&["--fault", "reset"]).await;
    let mut stream = tokio::net::TcpStream::connect(godel.addr).await.unwrap();
    let request = format!("GET /api/agents HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let error = stream.read_to_end(&mut answer).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    let answer = String::from_utf8(answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    let whole = r#"{"success":true,"data":[]}"#;
    assert!(head.contains(&format!("content-length: {}", whole.len())), "{head}");
    assert_eq!(body, &whole[..whole.len() / 2]);
}

#[tokio::test]
async fn slow_start_is_slow_and_then_well() {
    let begun = Instant::now();
    let godel = Godel::start(&["--fault", "slow-start"]).await;
    let paths = ["/api/health", "/api/health/ready", "/api/agents", "/api/nothing"];
    for path in paths {
        let reply = godel.ask(&format!("GET {path}")).key(KEY).send().await;
        assert_eq!((reply.status.as_u16(), &reply.json()["error"]["code"]), (503, &"starting".into()), "{path}");
    }
    assert_eq!(godel.ask("GET /metrics").send().await.status, 200);
    let probe = godel.ask("GET /api/health/ready").header("user-agent", "kube-probe/1.35");
    assert_eq!(probe.send().await.status, 200);
    assert!(begun.elapsed() < Duration::from_secs(5), "too slow to tell");

    sleep(Duration::from_secs(5)).await;
    let healthy = Godel::start(&[]).await;
    let (normal, seen) = tokio::join!(survey(&healthy, false), survey(&godel, false));
    assert_eq!(differences(&normal, &seen), Vec::<&str>::new(), "{seen:#?}");
}
