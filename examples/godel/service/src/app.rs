//! What every request shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use crate::auth::Keys;
use crate::cache::Redis;
use crate::database::{Database, Mismatch};
use crate::limit::RateLimit;
use crate::metrics::Metrics;
use crate::ready::Readiness;
use crate::sessions::Sessions;
use crate::settings::Settings;
use crate::store::Store;

/// A handle on the service's state, one for each request.
pub(crate) type Shared = Arc<App>;

/// The state of the service.
pub(crate) struct App {
    pub(crate) keys: Keys,
    pub(crate) version: String,
    pub(crate) started: Timestamp,
    pub(crate) instance: String,
    pub(crate) store: Store,
    pub(crate) sessions: Sessions,
    pub(crate) limit: RateLimit,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) readiness: Readiness,
    pub(crate) database: Option<Arc<Database>>,
    pub(crate) redis: Option<Arc<Redis>>,
    stopping: AtomicBool,
}

impl App {
    pub(crate) fn new(settings: Settings) -> Self {
        let metrics = Arc::new(Metrics::default());
        let database = settings.database.map(|database| Arc::new(Database::new(database, Arc::clone(&metrics))));
        let redis = settings.redis.map(|redis| Arc::new(Redis::new(redis, Arc::clone(&metrics))));
        Self {
            keys: settings.keys,
            version: settings.version,
            started: Timestamp::now(),
            instance: settings.instance,
            store: Store::new(database.clone()),
            sessions: Sessions::new(redis.clone()),
            limit: RateLimit::new(settings.rate_limit, redis.clone()),
            metrics,
            readiness: Readiness::default(),
            database,
            redis,
            stopping: AtomicBool::new(false),
        }
    }

    /// Waits until the database has its schema.
    ///
    /// # Errors
    /// When it has another's.
    pub(crate) async fn prepare(&self) -> Result<(), Mismatch> {
        match &self.database {
            Some(database) => database.prepare().await,
            None => Ok(()),
        }
    }

    /// Ends all connections to stores.
    pub(crate) fn close(&self) {
        if let Some(database) = &self.database {
            database.close();
        }
        if let Some(redis) = &self.redis {
            redis.close();
        }
    }

    /// Whether the service is on its way out, and wants no new work.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::Relaxed);
    }
}
