//! A tenant's own sessions.

use axum::extract::{FromRequestParts, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use uuid::Uuid;

use super::agents::id_in_path;
use super::envelope::{ApiError, Data};
use crate::app::Shared;
use crate::auth::Caller;
use crate::sessions::Session;

/// `POST /api/sessions`: held by the instance that was asked.
pub(super) async fn create(caller: Caller, State(app): State<Shared>) -> Result<impl IntoResponse, ApiError> {
    let session = app.sessions.create(caller.tenant, &app.instance).await?;
    let location = format!("{}/{}", super::SESSIONS, session.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Data(session)))
}

/// `GET /api/sessions/{id}`.
pub(super) async fn get(
    caller: Caller,
    SessionId(id): SessionId,
    State(app): State<Shared>,
) -> Result<Data<Session>, ApiError> {
    app.sessions.get(caller.tenant, id).await?.map(Data).ok_or_else(unknown)
}

/// `DELETE /api/sessions/{id}`; its agents live on.
pub(super) async fn delete(
    caller: Caller,
    SessionId(id): SessionId,
    State(app): State<Shared>,
) -> Result<StatusCode, ApiError> {
    if app.sessions.remove(caller.tenant, id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(unknown()) }
}

/// The session a path names. What is no id names none, so it is as unknown as any other.
pub(super) struct SessionId(Uuid);

impl<S: Send + Sync> FromRequestParts<S> for SessionId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        id_in_path(parts, state).await.map(Self).ok_or_else(unknown)
    }
}

/// One answer for what never was, what is over and what is another tenant's.
fn unknown() -> ApiError {
    ApiError::not_found("there is no such session")
}
