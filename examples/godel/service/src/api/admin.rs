//! What only an administrator may see.

use axum::extract::State;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::envelope::{ApiError, Data};
use crate::agent::View;
use crate::app::Shared;
use crate::auth::Admin;

/// `GET /api/admin`: the service in figures.
pub(super) async fn overview(_: Admin, State(app): State<Shared>) -> Result<Data<Value>, ApiError> {
    let by_status = app.store.count_by_status().await?;
    let by_tenant = app.store.count_by_tenant().await?;
    Ok(Data(json!({
        "version": app.version,
        "uptimeSeconds": Timestamp::now().duration_since(app.started).as_secs(),
        "agents": {
            "total": by_tenant.values().sum::<usize>(),
            "byStatus": by_status,
            "byTenant": by_tenant,
        },
    })))
}

/// `GET /api/admin/agents`: everybody's agents.
pub(super) async fn agents(_: Admin, State(app): State<Shared>) -> Result<Data<Vec<View>>, ApiError> {
    Ok(Data(app.store.list_all().await?))
}
