//! Sessions: each is held by the instance that made it, and known to all that share a Redis.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{Timestamp, Unit};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::auth::Tenant;
use crate::cache::{self, Redis};
use crate::store::StoreError;

/// How long a session lasts.
const LIFE: Duration = Duration::from_secs(60 * 60);
/// How long a request waits for Redis.
const ANSWER: Duration = Duration::from_secs(1);
/// All sessions by their end, so that they can be counted.
const INDEX: &str = "godel:sessions";

/// A session, as the API shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Session {
    pub(crate) id: Uuid,
    /// Who holds it.
    pub(crate) instance: String,
    created_at: Timestamp,
    expires_at: Timestamp,
}

impl Session {
    fn new(instance: &str) -> Self {
        let now = Timestamp::now();
        let created_at = now.round(Unit::Millisecond).unwrap_or(now);
        Self { id: Uuid::new_v4(), instance: instance.to_owned(), created_at, expires_at: created_at + LIFE }
    }

    fn is_over(&self) -> bool {
        self.expires_at <= Timestamp::now()
    }
}

/// All sessions of all tenants. A tenant is part of a session's name, so another's does not exist.
pub(crate) enum Sessions {
    Memory(Mutex<HashMap<(Tenant, Uuid), Session>>),
    Redis(Arc<Redis>),
}

impl Sessions {
    pub(crate) fn new(redis: Option<Arc<Redis>>) -> Self {
        redis.map_or_else(|| Self::Memory(Mutex::default()), Self::Redis)
    }

    /// Makes one, held by `instance`.
    pub(crate) async fn create(&self, tenant: Tenant, instance: &str) -> Result<Session, StoreError> {
        let session = Session::new(instance);
        match self {
            Self::Memory(sessions) => {
                let mut sessions = lock(sessions);
                sessions.retain(|_, session| !session.is_over());
                sessions.insert((tenant, session.id), session.clone());
            }
            Self::Redis(redis) => {
                let mut commands = redis::pipe();
                commands.atomic().set_ex(key(tenant, session.id), text(&session), LIFE.as_secs()).ignore();
                let end = session.expires_at.as_millisecond();
                commands.zadd(INDEX, member(tenant, session.id), end).ignore();
                redis.query::<()>("create", &commands, ANSWER).await?;
            }
        }
        Ok(session)
    }

    /// A tenant's session, until it is over.
    pub(crate) async fn get(&self, tenant: Tenant, id: Uuid) -> Result<Option<Session>, StoreError> {
        match self {
            Self::Memory(sessions) => {
                let found = lock(sessions).get(&(tenant, id)).cloned();
                Ok(found.filter(|session| !session.is_over()))
            }
            Self::Redis(redis) => {
                let mut commands = redis::pipe();
                let (found,): (Option<String>,) = redis.query("get", commands.get(key(tenant, id)), ANSWER).await?;
                found.map(|found| parse(&found)).transpose()
            }
        }
    }

    /// Ends a tenant's session; says whether there was one.
    pub(crate) async fn remove(&self, tenant: Tenant, id: Uuid) -> Result<bool, StoreError> {
        match self {
            Self::Memory(sessions) => {
                let removed = lock(sessions).remove(&(tenant, id));
                Ok(removed.is_some_and(|session| !session.is_over()))
            }
            Self::Redis(redis) => {
                let mut commands = redis::pipe();
                commands.atomic().del(key(tenant, id)).zrem(INDEX, member(tenant, id)).ignore();
                let (removed,): (u64,) = redis.query("delete", &commands, ANSWER).await?;
                Ok(removed > 0)
            }
        }
    }

    /// How many there are, of all tenants.
    pub(crate) async fn count(&self) -> Result<usize, StoreError> {
        match self {
            Self::Memory(sessions) => Ok(lock(sessions).values().filter(|session| !session.is_over()).count()),
            Self::Redis(redis) => {
                let mut commands = redis::pipe();
                let now = Timestamp::now().as_millisecond();
                commands.atomic().zrembyscore(INDEX, "-inf", now).ignore().zcard(INDEX);
                let (count,): (usize,) = redis.query("count", &commands, ANSWER).await?;
                Ok(count)
            }
        }
    }
}

fn lock<T>(sessions: &Mutex<T>) -> MutexGuard<'_, T> {
    sessions.lock().unwrap_or_else(PoisonError::into_inner)
}

fn key(tenant: Tenant, id: Uuid) -> String {
    format!("godel:session:{}", member(tenant, id))
}

fn member(tenant: Tenant, id: Uuid) -> String {
    format!("{tenant}:{id}")
}

fn text(session: &Session) -> String {
    serde_json::json!(session).to_string()
}

fn parse(text: &str) -> Result<Session, StoreError> {
    serde_json::from_str(text).map_err(|error| {
        tracing::error!(%error, "a session in redis is not as expected");
        StoreError::Broken(cache::NAME)
    })
}
