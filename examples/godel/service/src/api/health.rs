//! Is it alive, and may it be given work?

use axum::extract::State;
use serde_json::{Value, json};

use super::envelope::{ApiError, Data};
use crate::app::Shared;

/// `GET /api/health`: the process answers, and says which version it is.
pub(super) async fn alive(State(app): State<Shared>) -> Data<Value> {
    Data(json!({ "status": "healthy", "version": app.version }))
}

/// `GET /api/health/ready`: every store that it is configured with answers, and it is not on its way out.
pub(super) async fn ready(State(app): State<Shared>) -> Result<Data<Value>, ApiError> {
    if app.is_stopping() {
        return Err(ApiError::unavailable("stopping", "the service is shutting down"));
    }
    let checks = app.readiness.look(&app).await;
    let failed: Vec<_> = checks.iter().filter(|(_, check)| !check.ok).map(|(name, _)| *name).collect();
    if failed.is_empty() {
        return Ok(Data(json!({ "status": "ready", "checks": checks })));
    }
    let message = format!("not available: {}", failed.join(", "));
    Err(ApiError::unavailable("not_ready", &message).with_data(json!({ "status": "not ready", "checks": checks })))
}
