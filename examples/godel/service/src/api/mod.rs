//! The HTTP API: its routes, and the envelope that every answer comes in.

mod admin;
mod agents;
mod envelope;
mod health;
mod sessions;

use axum::Router;
use axum::extract::State;
use axum::http::{Method, header};
use axum::response::IntoResponse;
use axum::routing::{get, post};

use crate::access::CorrelationId;
use crate::app::Shared;
use crate::auth::Caller;
use crate::metrics;

pub(crate) use envelope::ApiError;

pub(crate) const HEALTH: &str = "/api/health";
pub(crate) const READY: &str = "/api/health/ready";
pub(crate) const AGENTS: &str = "/api/agents";
pub(crate) const AGENT: &str = "/api/agents/{id}";
pub(crate) const SESSIONS: &str = "/api/sessions";
pub(crate) const SESSION: &str = "/api/sessions/{id}";
pub(crate) const ADMIN: &str = "/api/admin";
pub(crate) const ADMIN_AGENTS: &str = "/api/admin/agents";
pub(crate) const TEST_ERROR: &str = "/api/trigger-test-error";
pub(crate) const METRICS: &str = "/metrics";
/// What a path without a route is called.
pub(crate) const UNMATCHED: &str = "unmatched";

const TEMPLATES: [&str; 10] =
    [HEALTH, READY, AGENTS, AGENT, SESSIONS, SESSION, ADMIN, ADMIN_AGENTS, TEST_ERROR, METRICS];

/// The constant that equals a matched path, for labels that live as long as the program.
pub(crate) fn template(matched: &str) -> &'static str {
    let found = TEMPLATES.into_iter().find(|template| *template == matched);
    found.unwrap_or(UNMATCHED)
}

/// All routes, without what goes around them.
pub(crate) fn routes() -> Router<Shared> {
    Router::new()
        .route(HEALTH, get(health::alive))
        .route(READY, get(health::ready))
        .route(AGENTS, get(agents::list).post(agents::spawn))
        .route(AGENT, get(agents::get).delete(agents::delete))
        .route(SESSIONS, post(sessions::create))
        .route(SESSION, get(sessions::get).delete(sessions::delete))
        .route(ADMIN, get(admin::overview))
        .route(ADMIN_AGENTS, get(admin::agents))
        .route(TEST_ERROR, get(test_error))
        .route(METRICS, get(scrape))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
}

/// Fails on purpose, so that alerts can be tried.
async fn test_error(_: Caller, correlation: axum::Extension<CorrelationId>) -> ApiError {
    tracing::error!(correlation_id = correlation.as_str(), "test error, as was asked for");
    ApiError::internal("test_error", "this error was asked for")
}

async fn scrape(State(app): State<Shared>) -> impl IntoResponse {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    ([(header::CONTENT_TYPE, kind)], metrics::page(&app).await)
}

async fn no_route() -> ApiError {
    ApiError::not_found("there is no such route")
}

async fn no_method(method: Method) -> ApiError {
    ApiError::method_not_allowed(format!("this route does not know `{method}`"))
}
