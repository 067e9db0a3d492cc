//! What the service counts.

mod page;

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::auth::Tenant;

pub(crate) use self::page::page;

/// Upper bounds of the histogram, in seconds: Prometheus's own defaults.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Counts, by labels that a client cannot multiply.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<Series>);

#[derive(Default)]
struct Series {
    requests: BTreeMap<(&'static str, &'static str, u16), u64>,
    durations: BTreeMap<(&'static str, &'static str), Histogram>,
    /// How long queries took, by operation.
    queries: BTreeMap<&'static str, Histogram>,
    /// By store and operation.
    store_errors: BTreeMap<(&'static str, &'static str), u64>,
    limited: BTreeMap<Tenant, u64>,
}

#[derive(Default)]
struct Histogram {
    /// How many fell below each bound and above the one before; what exceeds all is in `count` alone.
    buckets: [u64; BOUNDS.len()],
    count: u64,
    sum: f64,
}

impl Histogram {
    fn observe(&mut self, seconds: f64) {
        if let Some(at) = BOUNDS.iter().position(|bound| seconds <= *bound) {
            self.buckets[at] += 1;
        }
        self.count += 1;
        self.sum += seconds;
    }
}

impl Metrics {
    /// Counts one answered request.
    pub(crate) fn observe(&self, method: &'static str, route: &'static str, status: u16, took: Duration) {
        let mut series = self.lock();
        *series.requests.entry((method, route, status)).or_default() += 1;
        let durations = series.durations.entry((method, route)).or_default();
        durations.observe(took.as_secs_f64());
    }

    /// Counts one query that the database was asked, answered or not.
    pub(crate) fn query(&self, operation: &'static str, took: Duration) {
        self.lock().queries.entry(operation).or_default().observe(took.as_secs_f64());
    }

    /// Counts one failure of a store.
    pub(crate) fn store_error(&self, store: &'static str, operation: &'static str) {
        *self.lock().store_errors.entry((store, operation)).or_default() += 1;
    }

    /// Counts one request that was too many.
    pub(crate) fn limited(&self, tenant: Tenant) {
        *self.lock().limited.entry(tenant).or_default() += 1;
    }

    fn lock(&self) -> MutexGuard<'_, Series> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_counts_what_is_at_most_its_bound() {
        let mut histogram = Histogram::default();
        for seconds in [0.001, 0.005, 0.006, 11.0] {
            histogram.observe(seconds);
        }
        assert_eq!(histogram.buckets[..3], [2, 1, 0]);
        assert_eq!(histogram.count, 4);
        assert!((histogram.sum - 11.012).abs() < 1e-9);
    }
}
