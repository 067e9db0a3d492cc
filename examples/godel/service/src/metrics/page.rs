//! How Prometheus reads what is counted (text format 0.0.4).

use std::fmt::{Result, Write as _};

use super::{BOUNDS, Histogram, Series};
use crate::app::App;
use crate::database::Database;

/// The page that Prometheus scrapes. What only a store knows is left out while it is away.
pub(crate) async fn page(app: &App) -> String {
    let mut page = String::new();
    // Writing to a string cannot fail.
    let _ = gauges(&mut page, app).await;
    let _ = app.database.as_ref().map(|database| pool(&mut page, database));
    let _ = series(&mut page, &app.metrics.lock());
    page
}

async fn gauges(out: &mut String, app: &App) -> Result {
    head(out, "godel_build_info", "gauge", "The version that runs.")?;
    writeln!(out, "godel_build_info{{version=\"{}\"}} 1", escape(&app.version))?;

    head(out, "process_start_time_seconds", "gauge", "When the process started, in Unix time.")?;
    let started = app.started.as_duration().as_secs_f64();
    writeln!(out, "process_start_time_seconds {started}")?;

    let (agents, sessions) = tokio::join!(app.store.count_by_status(), app.sessions.count());
    head(out, "godel_agents", "gauge", "Agents by status, of all instances that share a database.")?;
    for (status, count) in agents.unwrap_or_default() {
        writeln!(out, "godel_agents{{status=\"{}\"}} {count}", status.name())?;
    }
    head(out, "godel_sessions", "gauge", "Sessions, of all instances that share a Redis.")?;
    if let Ok(count) = sessions {
        writeln!(out, "godel_sessions {count}")?;
    }
    Ok(())
}

fn pool(out: &mut String, database: &Database) -> Result {
    let status = database.status();
    head(out, "godel_db_pool_max", "gauge", "How many connections to the database there may be.")?;
    writeln!(out, "godel_db_pool_max {}", status.max_size)?;
    let name = "godel_db_pool_connections";
    head(out, name, "gauge", "Connections to the database, in use or idle.")?;
    // Those who wait are counted as less than nothing available.
    let idle = status.available.min(status.size);
    writeln!(out, "{name}{{state=\"in_use\"}} {}", status.size - idle)?;
    writeln!(out, "{name}{{state=\"idle\"}} {idle}")?;
    head(out, "godel_db_pool_waiting", "gauge", "Requests that wait for a connection.")?;
    writeln!(out, "godel_db_pool_waiting {}", status.waiting)
}

fn series(out: &mut String, series: &Series) -> Result {
    head(out, "http_requests_total", "counter", "Requests answered.")?;
    for ((method, route, status), count) in &series.requests {
        let labels = format!("method=\"{method}\",route=\"{route}\",status=\"{status}\"");
        writeln!(out, "http_requests_total{{{labels}}} {count}")?;
    }

    let name = "http_request_duration_seconds";
    head(out, name, "histogram", "How long a request took to be answered.")?;
    for ((method, route), histogram) in &series.durations {
        write_histogram(out, name, &format!("method=\"{method}\",route=\"{route}\""), histogram)?;
    }

    let name = "godel_db_query_duration_seconds";
    head(out, name, "histogram", "How long a query of the database took.")?;
    for (operation, histogram) in &series.queries {
        write_histogram(out, name, &format!("operation=\"{operation}\""), histogram)?;
    }

    head(out, "godel_store_errors_total", "counter", "Failures of a store.")?;
    for ((store, operation), count) in &series.store_errors {
        writeln!(out, "godel_store_errors_total{{store=\"{store}\",operation=\"{operation}\"}} {count}")?;
    }

    head(out, "godel_rate_limited_total", "counter", "Requests beyond the rate limit.")?;
    for (tenant, count) in &series.limited {
        writeln!(out, "godel_rate_limited_total{{tenant=\"{tenant}\"}} {count}")?;
    }
    Ok(())
}

fn write_histogram(out: &mut String, name: &str, labels: &str, histogram: &Histogram) -> Result {
    let Histogram { buckets, count, sum } = histogram;
    let mut below = 0;
    for (bound, count) in BOUNDS.iter().zip(buckets) {
        below += count;
        writeln!(out, "{name}_bucket{{{labels},le=\"{bound}\"}} {below}")?;
    }
    writeln!(out, "{name}_bucket{{{labels},le=\"+Inf\"}} {count}")?;
    writeln!(out, "{name}_sum{{{labels}}} {sum}")?;
    writeln!(out, "{name}_count{{{labels}}} {count}")
}

fn head(out: &mut String, name: &str, kind: &str, help: &str) -> Result {
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
    fn a_label_is_escaped() {
        assert_eq!(escape("a\"b\\c\nd"), "a\\\"b\\\\c\\nd");
    }
}
