//! The layer that breaks things. Most faults only rewrite who asks, or what was answered.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{Html, IntoResponse, Response};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Fault;
use super::line::{Line, broken_off};
use crate::access;
use crate::agent::Fate;
use crate::api::{ADMIN, ADMIN_AGENTS, AGENT, AGENTS, ApiError, HEALTH};
use crate::app::Shared;
use crate::auth::{Caller, Identity, KEY_HEADER};

const SLOW_START: Duration = Duration::from_secs(5);
const STALL: Duration = Duration::from_secs(3);
/// More than any limit of a pod in a test.
const HOGGED: usize = 2 << 30;
/// A client's number for its request, where it sends many at once.
const INDEX_HEADER: &str = "x-request-index";

/// Puts the faults around the routes; below the access log, so that what they do is logged and counted.
pub(crate) fn inject(router: Router<Shared>, app: &Shared, on: &[Fault]) -> Router<Shared> {
    if on.is_empty() {
        return router;
    }
    let names: Vec<_> = on.iter().map(|fault| fault.name()).collect();
    tracing::warn!(faults = names.join(","), "broken on purpose");
    if on.contains(&Fault::MemoryHog) {
        // Not zeros, and looked at: what nobody writes or reads takes no memory. And it is kept for good.
        std::mem::forget(std::hint::black_box(vec![1_u8; HOGGED]));
    }
    let injector =
        Injector { app: Arc::clone(app), on: on.to_vec(), started: Instant::now(), completed: Mutex::default() };
    router.layer(from_fn_with_state(Arc::new(injector), around))
}

async fn around(State(injector): State<Arc<Injector>>, mut request: Request, next: Next) -> Response {
    if is_probe(request.headers()) {
        return next.run(request).await;
    }
    let scene = Scene::of(&request);
    if let Some(answer) = injector.before(&scene, &mut request).await {
        return answer;
    }
    let response = next.run(request).await;
    injector.after(scene, response).await
}

fn is_probe(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT);
    agent.is_some_and(|agent| agent.as_bytes().starts_with(b"kube-probe/"))
}

/// What faults need to know of a request.
struct Scene {
    method: Method,
    route: &'static str,
    below_api: bool,
    identity: Identity,
    /// Whether the header is there at all; an empty one is not what `auth-open` is about.
    has_key_header: bool,
    /// The agent in the path.
    agent: Option<Uuid>,
    /// The request's index, in as far as it is a number.
    index: Option<Option<u64>>,
    line: Option<Line>,
}

impl Scene {
    fn of(request: &Request) -> Self {
        let path = request.uri().path();
        let number = |value: &header::HeaderValue| value.to_str().ok()?.parse().ok();
        let extensions = request.extensions();
        Self {
            method: request.method().clone(),
            route: access::route(request),
            below_api: path.starts_with("/api/"),
            identity: extensions.get().copied().unwrap_or(Identity::Missing),
            has_key_header: request.headers().contains_key(KEY_HEADER),
            agent: id_in(path),
            index: request.headers().get(INDEX_HEADER).map(number),
            line: extensions.get().cloned(),
        }
    }
}

fn id_in(path: &str) -> Option<Uuid> {
    let (_, id) = path.rsplit_once('/')?;
    Uuid::parse_str(id).ok()
}

struct Injector {
    app: Shared,
    on: Vec<Fault>,
    started: Instant,
    /// The agents that were read as completed.
    completed: Mutex<HashSet<Uuid>>,
}

impl Injector {
    fn is_on(&self, fault: Fault) -> bool {
        self.on.contains(&fault)
    }

    /// Answers in the service's stead, or changes the request.
    async fn before(&self, scene: &Scene, request: &mut Request) -> Option<Response> {
        if self.is_on(Fault::SlowStart) && scene.below_api && self.started.elapsed() < SLOW_START {
            let error = ApiError::unavailable("starting", "the service is starting");
            return Some(error.into_response());
        }
        match (&scene.method, scene.route) {
            (&Method::GET, HEALTH) => self.before_health(scene).await,
            (&Method::GET, AGENT) if self.has_vanished(scene) => {
                Some(ApiError::not_found("there is no such agent").into_response())
            }
            (&Method::DELETE, AGENT) if self.is_on(Fault::DeleteIgnored) => {
                let (caller, id) = (scene.identity.caller()?, scene.agent?);
                self.app.store.get(caller.tenant, id).await.ok()??;
                Some(StatusCode::NO_CONTENT.into_response())
            }
            (&Method::GET, AGENTS | AGENT | ADMIN | ADMIN_AGENTS) => {
                request.extensions_mut().insert(self.taken_for(scene).await);
                None
            }
            _ => None,
        }
    }

    async fn before_health(&self, scene: &Scene) -> Option<Response> {
        if self.is_on(Fault::Stall) && scene.index.is_none() {
            tokio::time::sleep(STALL).await;
        }
        let unlucky = scene.index.flatten().is_some_and(|index| index % 50 == 49);
        (self.is_on(Fault::Burst500) && unlucky)
            .then(|| ApiError::internal("internal", "an internal error").into_response())
    }

    fn has_vanished(&self, scene: &Scene) -> bool {
        let completed = self.completed.lock().unwrap_or_else(PoisonError::into_inner);
        scene.identity.caller().is_some() && scene.agent.is_some_and(|id| completed.contains(&id))
    }

    /// Whom a reader is taken for.
    async fn taken_for(&self, scene: &Scene) -> Identity {
        match (scene.route, scene.identity) {
            (AGENTS, Identity::Missing) if self.is_on(Fault::AuthOpen) && !scene.has_key_header => {
                Identity::Known(Caller::DEFAULT)
            }
            (AGENTS, Identity::Wrong) if self.is_on(Fault::AnyKey) => Identity::Known(Caller::DEFAULT),
            (AGENT, Identity::Known(_)) if self.is_on(Fault::TenantLeak) => {
                let owner = match scene.agent {
                    Some(id) => self.app.store.owner(id).await.unwrap_or_default(),
                    None => None,
                };
                owner.map_or(scene.identity, |tenant| Identity::Known(Caller::ordinary(tenant)))
            }
            (ADMIN | ADMIN_AGENTS, Identity::Known(_)) if self.is_on(Fault::AdminOpen) => {
                Identity::Known(Caller::ADMIN)
            }
            (_, identity) => identity,
        }
    }

    /// Changes the answer, or what it led to.
    async fn after(&self, scene: Scene, response: Response) -> Response {
        match (&scene.method, scene.route, response.status()) {
            (&Method::GET, HEALTH, StatusCode::OK) => self.after_health(response).await,
            (&Method::POST, AGENTS, StatusCode::CREATED) => self.after_spawn(response).await,
            (&Method::GET, AGENTS, StatusCode::OK) => match scene.line {
                // The identity in the scene is the true one: without a valid key the list is another fault's doing.
                _ if scene.identity.caller().is_none() => response,
                _ if self.is_on(Fault::HtmlLogin) => Html(LOGIN).into_response(),
                Some(line) if self.is_on(Fault::Reset) => {
                    let (mut parts, body) = whole(response).await;
                    parts.headers.insert(header::CONTENT_LENGTH, body.len().into());
                    Response::from_parts(parts, broken_off(&body, line))
                }
                _ => response,
            },
            (&Method::GET, AGENT, StatusCode::OK) if self.is_on(Fault::AgentVanishes) => {
                let (parts, body) = whole(response).await;
                if let (Some(id), "completed") = (scene.agent, status_in(&body).as_str()) {
                    let mut completed = self.completed.lock().unwrap_or_else(PoisonError::into_inner);
                    completed.insert(id);
                }
                Response::from_parts(parts, Body::from(body))
            }
            _ => response,
        }
    }

    async fn after_health(&self, response: Response) -> Response {
        let (mut parts, mut body) = whole(response).await;
        if let Ok(mut answer) = serde_json::from_slice::<Value>(&body) {
            if self.is_on(Fault::DegradedHealth) {
                answer["data"]["status"] = json!("degraded");
            }
            if self.is_on(Fault::WrongVersion) {
                answer["data"]["version"] = json!(format!("{}-wrong", self.app.version));
            }
            body = answer.to_string().into();
        }
        if self.is_on(Fault::TruncatedJson) {
            body.truncate(body.len() / 2);
        }
        parts.headers.remove(header::CONTENT_LENGTH);
        Response::from_parts(parts, Body::from(body))
    }

    async fn after_spawn(&self, mut response: Response) -> Response {
        let location = response.headers().get(header::LOCATION);
        let spawned = location.and_then(|at| id_in(at.to_str().ok()?));
        if let Some(id) = spawned {
            if self.is_on(Fault::AgentStuck) {
                self.doom(id, Fate::Stay).await;
            }
            if self.is_on(Fault::AgentFails) {
                self.doom(id, Fate::Lost).await;
            }
        }
        if self.is_on(Fault::Spawn200) {
            *response.status_mut() = StatusCode::OK;
        }
        response
    }

    async fn doom(&self, id: Uuid, fate: Fate) {
        if let Err(error) = self.app.store.doom(id, fate).await {
            tracing::error!(%error, "the fault could not act");
        }
    }
}

const LOGIN: &str = "<!doctype html><title>Sign in</title><h1>Sign in</h1>\
    <form method=post><input name=user><input name=password type=password><button>Sign in</button></form>\n";

/// The answer with its body in hand; the service's own bodies are in memory anyway.
async fn whole(response: Response) -> (axum::http::response::Parts, Bytes) {
    let (parts, body) = response.into_parts();
    (parts, to_bytes(body, usize::MAX).await.unwrap_or_default())
}

fn status_in(body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    answer["data"]["status"].as_str().unwrap_or_default().to_owned()
}
