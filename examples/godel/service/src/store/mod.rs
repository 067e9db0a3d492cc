//! Where agents are kept: in PostgreSQL if there is one, else in memory.

mod memory;
mod postgres;

use std::collections::BTreeMap;
use std::sync::Arc;

use uuid::Uuid;

use crate::agent::{Agent, Status, View};
use crate::auth::Tenant;
use crate::database::Database;

use self::memory::Shelves;

/// How many agents a tenant may have; the oldest make room. Without it a load test would eat all there is.
const KEPT: usize = 50_000;

/// Why a store gave no answer; it has told the log more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StoreError {
    /// It is not there, or not in time.
    #[error("{0} unavailable")]
    Away(&'static str),
    /// It is there, and does not understand.
    #[error("{0} error")]
    Broken(&'static str),
}

/// All agents of all tenants.
pub(crate) enum Store {
    Memory(Shelves),
    Postgres(Arc<Database>),
}

impl Store {
    pub(crate) fn new(database: Option<Arc<Database>>) -> Self {
        database.map_or_else(|| Self::Memory(Shelves::default()), Self::Postgres)
    }

    /// Keeps a new agent.
    pub(crate) async fn add(&self, tenant: Tenant, agent: Agent) -> Result<View, StoreError> {
        match self {
            Self::Memory(shelves) => Ok(shelves.add(tenant, agent)),
            Self::Postgres(database) => postgres::add(database, tenant, agent).await,
        }
    }

    /// A tenant's agents, newest first.
    pub(crate) async fn list(&self, tenant: Tenant) -> Result<Vec<View>, StoreError> {
        match self {
            Self::Memory(shelves) => Ok(shelves.list(tenant)),
            Self::Postgres(database) => postgres::list(database, tenant).await,
        }
    }

    /// Everybody's agents, with their tenants.
    pub(crate) async fn list_all(&self) -> Result<Vec<View>, StoreError> {
        match self {
            Self::Memory(shelves) => Ok(shelves.list_all()),
            Self::Postgres(database) => postgres::list_all(database).await,
        }
    }

    /// A tenant's agent; another tenant's does not exist.
    pub(crate) async fn get(&self, tenant: Tenant, id: Uuid) -> Result<Option<View>, StoreError> {
        match self {
            Self::Memory(shelves) => Ok(shelves.get(tenant, id)),
            Self::Postgres(database) => postgres::get(database, tenant, id).await,
        }
    }

    /// Forgets a tenant's agent; says whether there was one.
    pub(crate) async fn remove(&self, tenant: Tenant, id: Uuid) -> Result<bool, StoreError> {
        match self {
            Self::Memory(shelves) => Ok(shelves.remove(tenant, id)),
            Self::Postgres(database) => postgres::remove(database, tenant, id).await,
        }
    }

    /// How many agents each tenant has.
    pub(crate) async fn count_by_tenant(&self) -> Result<BTreeMap<String, usize>, StoreError> {
        match self {
            Self::Memory(shelves) => Ok(shelves.count_by_tenant()),
            Self::Postgres(database) => postgres::count_by_tenant(database).await,
        }
    }

    /// How many agents there are of each status, of none too.
    pub(crate) async fn count_by_status(&self) -> Result<BTreeMap<Status, usize>, StoreError> {
        match self {
            Self::Memory(shelves) => Ok(shelves.count_by_status()),
            Self::Postgres(database) => postgres::count_by_status(database).await,
        }
    }

    /// Whose agent this is.
    #[cfg(feature = "faults")]
    pub(crate) async fn owner(&self, id: Uuid) -> Result<Option<Tenant>, StoreError> {
        match self {
            Self::Memory(shelves) => Ok(shelves.owner(id)),
            Self::Postgres(database) => postgres::owner(database, id).await,
        }
    }

    /// Decides how an agent will end.
    #[cfg(feature = "faults")]
    pub(crate) async fn doom(&self, id: Uuid, fate: crate::agent::Fate) -> Result<(), StoreError> {
        match self {
            Self::Memory(shelves) => shelves.doom(id, fate),
            Self::Postgres(database) => postgres::doom(database, id, fate).await?,
        }
        Ok(())
    }
}
