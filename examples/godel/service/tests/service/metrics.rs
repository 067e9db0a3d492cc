//! What Prometheus is told.

use crate::support::{Godel, KEY, command};

/// The value of a series, by its whole name.
fn value(page: &str, series: &str) -> Option<f64> {
    let line = page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '))?;
    line.parse().ok()
}

#[tokio::test]
async fn requests_are_counted_by_route_and_not_by_path() {
    let godel = Godel::start(&[]).await;
    for _ in 0..2 {
        godel.ask("GET /api/health").send().await;
    }
    for path in ["/api/agents/a", "/api/agents/b", "/nothing", "/nowhere"] {
        godel.ask(&format!("GET {path}")).key(KEY).send().await;
    }
    godel.ask("BREW /api/health").send().await;
    let error = godel.ask("GET /api/trigger-test-error").key(KEY).send().await;
    assert_eq!((error.status.as_u16(), &error.json()["error"]["code"]), (500, &"test_error".into()));

    let reply = godel.ask("GET /metrics").send().await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), "text/plain; version=0.0.4; charset=utf-8");
    let page = String::from_utf8(reply.body.to_vec()).unwrap();
    for (method, route, status, count) in [
        ("GET", "/api/health", 200, 2.0),
        ("OTHER", "/api/health", 405, 1.0),
        ("GET", "/api/agents/{id}", 404, 2.0),
        ("GET", "unmatched", 404, 2.0),
        ("GET", "/api/trigger-test-error", 500, 1.0),
    ] {
        let series = format!("http_requests_total{{method=\"{method}\",route=\"{route}\",status=\"{status}\"}}");
        assert_eq!(value(&page, &series), Some(count), "{series}\n{page}");
    }
    let of_health = "{method=\"GET\",route=\"/api/health\"";
    let duration = "http_request_duration_seconds";
    assert_eq!(value(&page, &format!("{duration}_count{of_health}}}")), Some(2.0));
    assert_eq!(value(&page, &format!("{duration}_bucket{of_health},le=\"+Inf\"}}")), Some(2.0));
    assert!(value(&page, &format!("{duration}_sum{of_health}}}")).unwrap() > 0.0);
}

#[tokio::test]
async fn agents_and_the_build_are_gauges() {
    let mut command = command(&[]);
    command.env("GODEL_VERSION", "1.2.3");
    let godel = Godel::launch(command).await;
    let body = r#"{"type":"test","task":"a"}"#;
    godel.ask("POST /api/agents").key(KEY).body(body).send().await;
    tokio::time::sleep(std::time::Duration::from_millis(400)).await;

    let page = godel.ask("GET /metrics").send().await.body;
    let page = String::from_utf8(page.to_vec()).unwrap();
    assert_eq!(value(&page, "godel_build_info{version=\"1.2.3\"}"), Some(1.0));
    assert!(value(&page, "process_start_time_seconds").unwrap() > 1.7e9);
    for (status, count) in [("spawning", 0.0), ("running", 0.0), ("completed", 1.0), ("failed", 0.0)] {
        assert_eq!(value(&page, &format!("godel_agents{{status=\"{status}\"}}")), Some(count), "{page}");
    }
}

#[tokio::test]
async fn every_family_has_one_type_and_comes_in_one_piece() {
    let godel = Godel::start(&[]).await;
    godel.ask("GET /api/health").send().await;
    let page = godel.ask("GET /metrics").send().await.body;
    let page = std::str::from_utf8(&page).unwrap();
    assert!(page.ends_with('\n'));
    let mut family = "";
    let mut seen = Vec::new();
    for line in page.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            family = rest.split(' ').next().unwrap();
            assert!(!seen.contains(&family), "{family} twice");
            seen.push(family);
        } else if !line.starts_with('#') {
            assert!(line.starts_with(family), "{line} is not of {family}");
        }
    }
    assert_eq!(seen.len(), 9);
}
