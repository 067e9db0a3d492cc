//! What every request shares.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use jiff::Timestamp;

use crate::auth::Keys;
use crate::metrics::Metrics;
use crate::settings::Settings;
use crate::store::Store;

/// A handle on the service's state, one for each request.
pub(crate) type Shared = Arc<App>;

/// The state of the service.
pub(crate) struct App {
    pub(crate) keys: Keys,
    pub(crate) version: String,
    pub(crate) started: Timestamp,
    pub(crate) store: Store,
    pub(crate) metrics: Metrics,
    stopping: AtomicBool,
}

impl App {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            keys: settings.keys,
            version: settings.version,
            started: Timestamp::now(),
            store: Store::default(),
            metrics: Metrics::default(),
            stopping: AtomicBool::new(false),
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
