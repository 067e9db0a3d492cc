//! The rate limit: one for all instances, and one for each while Redis is away.

use std::time::{Duration, Instant};

use crate::common::{godel, metric, ready, spawn, until, until_logged, until_ready};
use crate::redis::{PASSWORD, Redis};
use crate::support::{Godel, KEY, OTHER_KEY, Reply};

const FIVE: (&str, &str) = ("GODEL_RATE_LIMIT", "5");

fn five() -> (&'static str, String) {
    (FIVE.0, FIVE.1.to_owned())
}

async fn list(godel: &Godel, key: &str) -> Reply {
    godel.ask("GET /api/agents").key(key).send().await
}

/// The statuses of so many requests.
async fn statuses(godel: &Godel, key: &str, count: usize) -> Vec<u16> {
    let mut statuses = Vec::new();
    for _ in 0..count {
        statuses.push(list(godel, key).await.status.as_u16());
    }
    statuses
}

#[tokio::test]
async fn at_the_limit_a_tenant_is_told_to_wait() {
    let godel = godel(&[five()]).await;
    let first = list(&godel, KEY).await;
    assert_eq!((first.header("ratelimit-limit"), first.header("ratelimit-remaining")), ("5", "4"));
    assert_eq!(first.header("retry-after"), "");
    assert_eq!(statuses(&godel, KEY, 5).await, [200, 200, 200, 200, 429]);
    let refused = spawn(&godel, KEY).await;
    assert_eq!((refused.status.as_u16(), &refused.json()["error"]["code"]), (429, &"rate_limited".into()));
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert_eq!(refused.header("ratelimit-remaining"), "0");
    assert_eq!(metric(&godel, "godel_rate_limited_total{tenant=\"default\"}").await, Some(2.0));

    // Others are not charged for it, and health is never refused.
    assert_eq!(list(&godel, OTHER_KEY).await.status, 200);
    for path in ["/api/health", "/api/health/ready", "/metrics"] {
        for _ in 0..6 {
            assert_eq!(godel.ask(&format!("GET {path}")).key(KEY).send().await.status, 200, "{path}");
        }
    }
}

#[tokio::test]
async fn nought_is_no_limit() {
    let godel = godel(&[("GODEL_RATE_LIMIT", "0".to_owned())]).await;
    let reply = list(&godel, KEY).await;
    assert_eq!((reply.status.as_u16(), reply.header("ratelimit-limit")), (200, ""));
}

#[tokio::test]
async fn two_instances_share_one_limit() {
    let Some(redis) = Redis::start().await else { return };
    let env = [redis.env(), five()];
    let (one, other) = tokio::join!(ready(&env), ready(&env));
    assert_eq!(statuses(&one, KEY, 3).await, [200; 3]);
    assert_eq!(statuses(&other, KEY, 3).await, [200, 200, 429]);
    assert_eq!(statuses(&one, KEY, 1).await, [429]);
    assert_eq!(statuses(&one, OTHER_KEY, 1).await, [200]);
    // The window ends by itself.
    let left: i64 = redis.ask("PTTL godel:rate:default").await.parse().unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
    redis.ask("PEXPIRE godel:rate:default 1").await;
    let deadline = Instant::now() + Duration::from_secs(2);
    while list(&one, KEY).await.status != 200 {
        assert!(Instant::now() < deadline, "the window does not end");
    }
}

#[tokio::test]
async fn without_redis_each_instance_limits_alone_and_says_so_once() {
    let Some(mut redis) = Redis::start().await else { return };
    let godel = ready(&[redis.env(), five()]).await;
    assert_eq!(statuses(&godel, KEY, 2).await, [200; 2]);
    redis.kill().await;
    let reply = until(&godel, 503, Duration::from_secs(3)).await;
    assert_eq!(reply["data"]["checks"]["redis"]["ok"], false);
    let begun = Instant::now();
    assert_eq!(statuses(&godel, KEY, 6).await, [200, 200, 200, 200, 200, 429]);
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    assert_eq!(godel.ask("GET /api/health").send().await.status, 200);
    assert_eq!(godel.log().matches("limits rates alone").count(), 1, "{}", godel.log());

    redis.run().await;
    until_ready(&godel, Duration::from_secs(3)).await;
    until_logged(&godel, "redis answers again").await;
    // Once it is asked again, the new Redis counts from nothing.
    let deadline = Instant::now() + Duration::from_secs(5);
    while list(&godel, KEY).await.status != 200 {
        assert!(Instant::now() < deadline, "it still counts alone");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn a_stalled_redis_hangs_nobody() {
    let Some(redis) = Redis::start().await else { return };
    let godel = ready(&[redis.env()]).await;
    redis.stall();
    let begun = Instant::now();
    let replies = futures_util::future::join_all((0..50).map(|_| list(&godel, KEY))).await;
    assert!(replies.iter().all(|reply| reply.status == 200));
    assert!(begun.elapsed() < Duration::from_secs(2), "{:?}", begun.elapsed());
    let reply = until(&godel, 503, Duration::from_secs(3)).await;
    assert!(reply["data"]["checks"]["redis"]["error"].as_str().unwrap().contains("no answer"), "{reply}");
    redis.resume();
    until_ready(&godel, Duration::from_secs(3)).await;
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_shown() {
    let Some(redis) = Redis::start().await else { return };
    let godel = godel(&[redis.env_with("wr%40ng-word"), ("GODEL_LOG", "trace".to_owned())]).await;
    let reply = until(&godel, 503, Duration::from_secs(3)).await;
    let error = reply["data"]["checks"]["redis"]["error"].as_str().unwrap();
    assert!(error.to_lowercase().contains("password") || error.contains("WRONGPASS"), "{error}");
    for secret in ["wr@ng-word", "wr%40ng-word", PASSWORD] {
        assert!(!error.contains(secret) && !godel.log().contains(secret), "{error}\n{}", godel.log());
    }
    assert_eq!(list(&godel, KEY).await.status, 200);
}
