//! Around every request: who asks, under which correlation id, what came of it, in the log and in the metrics.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::middleware::Next;
use axum::response::Response;
use uuid::Uuid;

use crate::api::{self, ApiError};
use crate::app::Shared;
use crate::settings::is_name;

/// The header that names a request, from end to end.
const CORRELATION_HEADER: &str = "x-correlation-id";

/// What a request is called in logs and errors.
#[derive(Clone, Debug)]
pub(crate) struct CorrelationId(String);

impl CorrelationId {
    /// The client's own name for its request, if it is one that may stand in a log; else a new one.
    fn of(headers: &HeaderMap) -> Self {
        let sent = headers.get(CORRELATION_HEADER).and_then(|sent| sent.to_str().ok());
        match sent {
            Some(sent) if is_name(sent) => Self(sent.to_owned()),
            _ => Self(Uuid::new_v4().to_string()),
        }
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// The outermost layer. Handlers find the [`CorrelationId`] and the caller's identity in the request.
pub(crate) async fn record(State(app): State<Shared>, mut request: Request, next: Next) -> Response {
    let begun = Instant::now();
    let correlation = CorrelationId::of(request.headers());
    let identity = app.keys.identify(request.headers());
    let method = label(request.method());
    let route = route(&request);
    request.extensions_mut().insert(correlation.clone());
    request.extensions_mut().insert(identity);

    let response = next.run(request).await;
    let code = response.extensions().get::<ApiError>().map(ApiError::code);
    let mut response = ApiError::complete(response, correlation.as_str());
    if let Ok(value) = HeaderValue::from_str(correlation.as_str()) {
        response.headers_mut().insert(CORRELATION_HEADER, value);
    }

    let took = begun.elapsed();
    let status = response.status().as_u16();
    app.metrics.observe(method, route, status, took);
    tracing::info!(
        correlation_id = correlation.as_str(),
        method,
        route,
        status,
        duration_ms = took.as_micros() as f64 / 1000.0,
        tenant = identity.caller().map(|caller| caller.tenant),
        code,
        "request"
    );
    response
}

/// The route's template.
pub(crate) fn route(request: &Request) -> &'static str {
    let matched = request.extensions().get::<MatchedPath>();
    matched.map_or(api::UNMATCHED, |matched| api::template(matched.as_str()))
}

/// A method as a label: whoever invents methods invents no series.
fn label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_sane_correlation_id_is_kept() {
        for id in ["a", "run-7/2".split('/').next().unwrap(), "3f.A_b:c-9"] {
            assert!(is_name(id), "{id}");
        }
        for id in ["", "a b", "a\"b", "ä", &"x".repeat(129)] {
            assert!(!is_name(id), "{id}");
        }
    }
}
