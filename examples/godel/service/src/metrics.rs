//! What the service counts, and how Prometheus reads it (text format 0.0.4).

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::app::App;

/// Upper bounds of the histogram, in seconds: Prometheus's own defaults.
const BOUNDS: [f64; 11] = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Counts of requests, by labels that a client cannot multiply.
#[derive(Default)]
pub(crate) struct Metrics(Mutex<Series>);

#[derive(Default)]
struct Series {
    requests: BTreeMap<(&'static str, &'static str, u16), u64>,
    durations: BTreeMap<(&'static str, &'static str), Histogram>,
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

    fn lock(&self) -> MutexGuard<'_, Series> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The page that Prometheus scrapes.
pub(crate) fn page(app: &App) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = write_page(&mut page, app);
    page
}

fn write_page(out: &mut String, app: &App) -> std::fmt::Result {
    head(out, "godel_build_info", "gauge", "The version that runs.")?;
    writeln!(out, "godel_build_info{{version=\"{}\"}} 1", escape(&app.version))?;

    head(out, "process_start_time_seconds", "gauge", "When the process started, in Unix time.")?;
    let started = app.started.as_duration().as_secs_f64();
    writeln!(out, "process_start_time_seconds {started}")?;

    head(out, "godel_agents", "gauge", "Agents by status.")?;
    for (status, count) in app.store.count_by_status() {
        writeln!(out, "godel_agents{{status=\"{}\"}} {count}", status.name())?;
    }

    let series = app.metrics.lock();
    head(out, "http_requests_total", "counter", "Requests answered.")?;
    for ((method, route, status), count) in &series.requests {
        let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
        writeln!(out, "http_requests_total{{{labels}}} {count}")?;
    }

    let name = "http_request_duration_seconds";
    head(out, name, "histogram", "How long a request took to be answered.")?;
    for ((method, route), histogram) in &series.durations {
        let labels = format!("method=\"{method}\",route=\"{route}\"");
        let mut below = 0;
        for (bound, count) in BOUNDS.iter().zip(histogram.buckets) {
            below += count;
            writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {below}")?;
        }
        let Histogram { count, sum, .. } = histogram;
        writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}")?;
        writeln!(out, "{name}_sum{{{labels}}} {sum}")?;
        writeln!(out, "{name}_count{{{labels}}} {count}")?;
    }
    Ok(())
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> std::fmt::Result {
    writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}")
}

/// A label's value, as the format wants it.
fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
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

    #[test]
    fn a_label_is_escaped() {
        assert_eq!(escape("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
