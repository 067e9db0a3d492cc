//! The rate limit: so many requests a minute and tenant, counted by all instances together where they share a Redis.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::access;
use crate::api::{ApiError, HEALTH, METRICS, READY};
use crate::app::Shared;
use crate::auth::{Identity, Tenant};
use crate::cache::Redis;

/// What is counted together: the minute after a tenant's first request.
const WINDOW: Duration = Duration::from_secs(60);
/// How long a request waits to be counted: less than anybody would notice.
const COUNTING: Duration = Duration::from_millis(250);
/// How long Redis is not asked, once it gave no answer.
const PAUSE: Duration = Duration::from_secs(1);

/// The limit, and what was counted towards it.
pub(crate) struct RateLimit {
    most: Option<NonZeroU32>,
    redis: Option<Arc<Redis>>,
    /// Until when Redis is not asked.
    pause: Mutex<Option<Instant>>,
    /// What this instance counts while it is alone.
    alone: Mutex<HashMap<Tenant, (Instant, u64)>>,
}

/// How many requests there were in the window, this one too, and how long the window still lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counted {
    requests: u64,
    left: Duration,
}

impl RateLimit {
    pub(crate) fn new(most: Option<NonZeroU32>, redis: Option<Arc<Redis>>) -> Self {
        Self { most, redis, pause: Mutex::default(), alone: Mutex::default() }
    }

    async fn count(&self, tenant: Tenant) -> Counted {
        if let Some(redis) = self.redis.as_ref().filter(|_| self.may_ask(Instant::now())) {
            let key = format!("godel:rate:{tenant}");
            let mut commands = redis::pipe();
            commands.atomic().cmd("SET").arg(&key).arg(0).arg("EX").arg(WINDOW.as_secs()).arg("NX").ignore();
            commands.incr(&key, 1).pttl(&key);
            if let Ok((requests, left)) = redis.query::<(u64, i64)>("limit", &commands, COUNTING).await {
                self.ask_from(None);
                return Counted { requests, left: Duration::from_millis(left.try_into().unwrap_or_default()) };
            }
            self.ask_from(Some(Instant::now() + PAUSE));
        }
        self.count_alone(tenant, Instant::now())
    }

    /// Of all who come after the pause one asks, so that the others need not wait for an answer that may not come.
    fn may_ask(&self, now: Instant) -> bool {
        let mut pause = self.pause.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(until) = *pause else { return true };
        let over = until <= now;
        if over {
            *pause = Some(now + PAUSE);
        }
        over
    }

    fn ask_from(&self, from: Option<Instant>) {
        *self.pause.lock().unwrap_or_else(PoisonError::into_inner) = from;
    }

    fn count_alone(&self, tenant: Tenant, now: Instant) -> Counted {
        let mut counts = self.alone.lock().unwrap_or_else(PoisonError::into_inner);
        let (end, requests) = counts.entry(tenant).or_insert((now + WINDOW, 0));
        if *end <= now {
            (*end, *requests) = (now + WINDOW, 0);
        }
        *requests += 1;
        Counted { requests: *requests, left: *end - now }
    }
}

/// The layer that counts. Who has no valid key is nobody's account to charge, and gets a 401 anyway.
pub(crate) async fn around(State(app): State<Shared>, request: Request, next: Next) -> Response {
    let identity = request.extensions().get::<Identity>();
    let caller = identity.and_then(|identity| identity.caller());
    let exempt = [HEALTH, READY, METRICS].contains(&access::route(&request));
    let (Some(most), Some(caller), false) = (app.limit.most, caller, exempt) else {
        return next.run(request).await;
    };
    let most = u64::from(most.get());
    let counted = app.limit.count(caller.tenant).await;
    let mut response = if counted.requests > most {
        app.metrics.limited(caller.tenant);
        ApiError::too_many_requests(format!("more than {most} requests a minute")).into_response()
    } else {
        next.run(request).await
    };
    tell(response.headers_mut(), most, counted);
    response
}

/// The headers of draft-ietf-httpapi-ratelimit-headers-07.
fn tell(headers: &mut HeaderMap, most: u64, counted: Counted) {
    let reset = counted.left.as_millis().div_ceil(1000) as u64;
    headers.insert(HeaderName::from_static("ratelimit-limit"), most.into());
    headers.insert(HeaderName::from_static("ratelimit-remaining"), most.saturating_sub(counted.requests).into());
    headers.insert(HeaderName::from_static("ratelimit-reset"), reset.into());
    if counted.requests > most {
        headers.insert(header::RETRY_AFTER, reset.max(1).into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limit() -> RateLimit {
        RateLimit::new(NonZeroU32::new(2), None)
    }

    #[test]
    fn a_window_begins_with_the_first_request_and_is_each_tenants_own() {
        let (limit, begun) = (limit(), Instant::now());
        let count = |tenant, seconds| limit.count_alone(tenant, begun + Duration::from_secs(seconds));
        assert_eq!(count("a", 0), Counted { requests: 1, left: WINDOW });
        assert_eq!(count("a", 59), Counted { requests: 2, left: Duration::from_secs(1) });
        assert_eq!(count("b", 59).requests, 1);
        assert_eq!(count("a", 60), Counted { requests: 1, left: WINDOW });
    }

    #[test]
    fn after_a_pause_one_asks_for_all() {
        let (limit, begun) = (limit(), Instant::now());
        assert!(limit.may_ask(begun) && limit.may_ask(begun));
        limit.ask_from(Some(begun + PAUSE));
        assert!(!limit.may_ask(begun));
        assert!(limit.may_ask(begun + PAUSE));
        assert!(!limit.may_ask(begun + PAUSE));
        limit.ask_from(None);
        assert!(limit.may_ask(begun + PAUSE));
    }

    #[test]
    fn who_is_refused_is_told_when_to_come_again() {
        let mut headers = HeaderMap::new();
        tell(&mut headers, 2, Counted { requests: 3, left: Duration::from_millis(1200) });
        assert_eq!((&headers["ratelimit-limit"], &headers["ratelimit-remaining"]), (&2.into(), &0.into()));
        assert_eq!((&headers["ratelimit-reset"], &headers["retry-after"]), (&2.into(), &2.into()));
    }
}
