//! A tenant's own agents.

use std::time::Duration;

use axum::body::Body;
use axum::extract::{FromRequestParts, Path, State};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use http_body_util::BodyExt;
use serde::Deserialize;
use tokio::time::timeout;
use uuid::Uuid;

use super::envelope::{ApiError, Data};
use crate::agent::{Agent, Home, View};
use crate::app::{App, Shared};
use crate::auth::Caller;

/// The largest body that is taken.
const LIMIT: usize = 64 * 1024;
/// How much of a larger one is read, and forgotten: who is still writing would see a reset instead of the answer.
const DRAINED: usize = 1024 * 1024;
/// How long a client may take to send its body.
const SENDING: Duration = Duration::from_secs(30);

/// What is asked for when an agent is spawned.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Spawn {
    #[serde(rename = "type")]
    kind: String,
    task: String,
    session_id: Option<String>,
}

/// `GET /api/agents`: the newest first.
pub(super) async fn list(caller: Caller, State(app): State<Shared>) -> Result<Data<Vec<View>>, ApiError> {
    Ok(Data(app.store.list(caller.tenant).await?))
}

/// `POST /api/agents`: answers as soon as the agent is known, not when it is done.
pub(super) async fn spawn(
    caller: Caller,
    State(app): State<Shared>,
    body: Body,
) -> Result<impl IntoResponse, ApiError> {
    let late = |_| ApiError::timeout(format!("the body did not arrive in {} s", SENDING.as_secs()));
    let body = timeout(SENDING, read(body)).await.map_err(late)??;
    let Spawn { kind, task, session_id } = parse(&body)?;
    let home = match session_id {
        Some(id) => Some(home(&app, caller, &id).await?),
        None => None,
    };
    let agent = app.store.add(caller.tenant, Agent::new(kind, task, home)).await?;
    let location = format!("{}/{}", super::AGENTS, agent.id);
    Ok((StatusCode::CREATED, [(header::LOCATION, location)], Data(agent)))
}

/// `GET /api/agents/{id}`.
pub(super) async fn get(
    caller: Caller,
    AgentId(id): AgentId,
    State(app): State<Shared>,
) -> Result<Data<View>, ApiError> {
    app.store.get(caller.tenant, id).await?.map(Data).ok_or_else(unknown)
}

/// `DELETE /api/agents/{id}`.
pub(super) async fn delete(
    caller: Caller,
    AgentId(id): AgentId,
    State(app): State<Shared>,
) -> Result<StatusCode, ApiError> {
    if app.store.remove(caller.tenant, id).await? { Ok(StatusCode::NO_CONTENT) } else { Err(unknown()) }
}

/// The agent a path names. What is no id names none, so it is as unknown as any other.
pub(super) struct AgentId(Uuid);

impl<S: Send + Sync> FromRequestParts<S> for AgentId {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        id_in_path(parts, state).await.map(Self).ok_or_else(unknown)
    }
}

/// The id that a path ends with, if it is one.
pub(super) async fn id_in_path<S: Send + Sync>(parts: &mut Parts, state: &S) -> Option<Uuid> {
    let Path(id) = Path::<String>::from_request_parts(parts, state).await.ok()?;
    Uuid::parse_str(&id).ok()
}

/// The session an agent is to belong to, and where it is held.
async fn home(app: &App, caller: Caller, id: &str) -> Result<Home, ApiError> {
    let session = match Uuid::parse_str(id) {
        Ok(id) => app.sessions.get(caller.tenant, id).await?,
        Err(_) => None,
    };
    let unknown = || ApiError::bad_request("`sessionId` names no session; one lasts an hour");
    let session = session.ok_or_else(unknown)?;
    Ok(Home { session: session.id, instance: session.instance })
}

/// One answer for what never was, what is gone and what is another tenant's.
fn unknown() -> ApiError {
    ApiError::not_found("there is no such agent")
}

async fn read(mut body: Body) -> Result<Vec<u8>, ApiError> {
    let mut kept = Vec::new();
    let mut seen = 0;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| ApiError::bad_request("the body broke off"))?;
        let Some(data) = frame.data_ref() else {
            continue;
        };
        seen += data.len();
        if seen <= LIMIT {
            kept.extend_from_slice(data);
        } else if seen > DRAINED {
            break;
        }
    }
    if seen > LIMIT {
        let message = format!("the body is larger than {} KiB", LIMIT / 1024);
        return Err(ApiError::too_large(message));
    }
    Ok(kept)
}

fn parse(body: &[u8]) -> Result<Spawn, ApiError> {
    let example = r#"send {"type": "…", "task": "…"}"#;
    let spawn: Spawn = serde_json::from_slice(body)
        .map_err(|error| ApiError::bad_request(format!("the body is not understood: {error}; {example}")))?;
    for (name, value) in [("type", &spawn.kind), ("task", &spawn.task)] {
        if value.trim().is_empty() {
            return Err(ApiError::bad_request(format!("`{name}` is empty; {example}")));
        }
        // PostgreSQL takes every character but this one.
        if value.contains('\0') {
            return Err(ApiError::bad_request(format!("`{name}` holds a NUL character")));
        }
    }
    Ok(spawn)
}
