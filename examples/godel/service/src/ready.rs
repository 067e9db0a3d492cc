//! Whether what the service depends on answers.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::Serialize;
use tokio::sync::Mutex;

use crate::app::App;
use crate::{cache, database};

/// How long a store may take.
const DEADLINE: Duration = Duration::from_secs(1);
/// How long what was seen is good for: more probes than this would only be load.
const FRESH: Duration = Duration::from_millis(300);

/// What was seen of each configured store.
pub(crate) type Checks = BTreeMap<&'static str, Check>;

/// What was seen of one store.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Check {
    pub(crate) ok: bool,
    latency_ms: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
}

/// The last look at the stores.
#[derive(Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, Checks)>>);

impl Readiness {
    /// Looks at all stores at once, or remembers that somebody just has.
    pub(crate) async fn look(&self, app: &App) -> Checks {
        // Who comes while another looks waits for what that one sees.
        let mut last = self.0.lock().await;
        if let Some((seen, checks)) = &*last
            && seen.elapsed() < FRESH
        {
            return checks.clone();
        }
        let database = async {
            let database = app.database.as_ref()?;
            Some((database::NAME, timed(database.check(DEADLINE)).await))
        };
        let redis = async {
            let redis = app.redis.as_ref()?;
            Some((cache::NAME, timed(redis.check(DEADLINE)).await))
        };
        let (database, redis) = tokio::join!(database, redis);
        let checks: Checks = database.into_iter().chain(redis).collect();
        *last = Some((Instant::now(), checks.clone()));
        checks
    }
}

async fn timed(check: impl Future<Output = Result<(), String>>) -> Check {
    let begun = Instant::now();
    let error = check.await.err();
    // Nobody reads nanoseconds.
    let latency_ms = begun.elapsed().as_micros() as f64 / 1000.0;
    Check { ok: error.is_none(), latency_ms, error }
}
