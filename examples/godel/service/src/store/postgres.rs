//! Agents in PostgreSQL. One statement each, so that none is ever half done.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::time::Duration;

use jiff::Timestamp;
use tokio_postgres::Row;
use tokio_postgres::row::RowIndex;
use tokio_postgres::types::FromSql;
use uuid::Uuid;

use super::{KEPT, StoreError};
use crate::agent::{Agent, DONE, Fate, Home, SPAWNING, Status, View};
use crate::auth::Tenant;
use crate::database::{self, Database};

const COLUMNS: &str = "id, fate, kind, task, created_at, session_id, instance";
/// Every how many agents the oldest make room: seldom, for looking costs more than keeping.
const TIDIED: i64 = 500;

pub(super) async fn add(database: &Database, tenant: Tenant, agent: Agent) -> Result<View, StoreError> {
    let sql = "INSERT INTO agents (tenant, id, fate, kind, task, created_at, session_id, instance)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING place";
    let Agent { id, fate, kind, task, created, home } = &agent;
    let (session, instance) = home.as_ref().map(|Home { session, instance }| (session, instance)).unzip();
    let rows =
        database.query("insert", sql, &[&tenant, id, &fate.name(), kind, task, created, &session, &instance]).await?;
    let place = rows.first().map(|row| read::<i64>(row, 0)).transpose()?;
    if place.is_some_and(|place| place % TIDIED == 0) {
        // What it cannot do now, it does next time.
        let _ = tidy(database, tenant).await;
    }
    Ok(agent.view(None))
}

/// Lets the oldest make room.
async fn tidy(database: &Database, tenant: Tenant) -> Result<(), StoreError> {
    let sql = "DELETE FROM agents WHERE tenant = $1 AND place <=
        (SELECT place FROM agents WHERE tenant = $1 ORDER BY place DESC OFFSET $2 LIMIT 1)";
    database.query("tidy", sql, &[&tenant, &(KEPT as i64)]).await?;
    Ok(())
}

pub(super) async fn list(database: &Database, tenant: Tenant) -> Result<Vec<View>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM agents WHERE tenant = $1 ORDER BY place DESC");
    let rows = database.query("list", &sql, &[&tenant]).await?;
    rows.iter().map(|row| Ok(agent(row)?.view(None))).collect()
}

pub(super) async fn list_all(database: &Database) -> Result<Vec<View>, StoreError> {
    let sql = format!("SELECT {COLUMNS}, tenant FROM agents ORDER BY tenant, place DESC");
    let rows = database.query("list_all", &sql, &[]).await?;
    rows.iter().map(|row| Ok(agent(row)?.view(Some(read(row, "tenant")?)))).collect()
}

pub(super) async fn get(database: &Database, tenant: Tenant, id: Uuid) -> Result<Option<View>, StoreError> {
    let sql = format!("SELECT {COLUMNS} FROM agents WHERE id = $1 AND tenant = $2");
    let rows = database.query("get", &sql, &[&id, &tenant]).await?;
    rows.first().map(|row| Ok(agent(row)?.view(None))).transpose()
}

pub(super) async fn remove(database: &Database, tenant: Tenant, id: Uuid) -> Result<bool, StoreError> {
    let sql = "DELETE FROM agents WHERE id = $1 AND tenant = $2 RETURNING id";
    Ok(!database.query("delete", sql, &[&id, &tenant]).await?.is_empty())
}

pub(super) async fn count_by_tenant(database: &Database) -> Result<BTreeMap<String, usize>, StoreError> {
    let sql = "SELECT tenant, count(*) FROM agents GROUP BY tenant";
    let rows = database.query("count", sql, &[]).await?;
    rows.iter().map(|row| Ok((read(row, 0)?, count(row, 1)?))).collect()
}

pub(super) async fn count_by_status(database: &Database) -> Result<BTreeMap<Status, usize>, StoreError> {
    // By this instance's clock, as one of them gave the agents their times.
    let sql = "SELECT fate, CASE WHEN created_at > $1 THEN 0 WHEN created_at > $2 THEN 1 ELSE 2 END, count(*)
        FROM agents GROUP BY 1, 2";
    let now = Timestamp::now();
    let rows = database.query("count", sql, &[&(now - SPAWNING), &(now - DONE)]).await?;
    let mut counts = Status::none();
    for row in &rows {
        let age = match read::<i32>(row, 1)? {
            0 => Duration::ZERO,
            1 => SPAWNING,
            _ => DONE,
        };
        *counts.entry(Status::at(fate(row, 0)?, age)).or_default() += count(row, 2)?;
    }
    Ok(counts)
}

#[cfg(feature = "faults")]
pub(super) async fn owner(database: &Database, id: Uuid) -> Result<Option<Tenant>, StoreError> {
    let rows = database.query("get", "SELECT tenant FROM agents WHERE id = $1", &[&id]).await?;
    let tenant = rows.first().map(|row| read::<String>(row, 0)).transpose()?;
    Ok(tenant.and_then(|tenant| crate::auth::Caller::tenant_by_name(&tenant)))
}

#[cfg(feature = "faults")]
pub(super) async fn doom(database: &Database, id: Uuid, fate: Fate) -> Result<(), StoreError> {
    database.query("update", "UPDATE agents SET fate = $2 WHERE id = $1", &[&id, &fate.name()]).await?;
    Ok(())
}

fn agent(row: &Row) -> Result<Agent, StoreError> {
    let session: Option<Uuid> = read(row, "session_id")?;
    let instance: Option<String> = read(row, "instance")?;
    Ok(Agent {
        id: read(row, "id")?,
        fate: fate(row, "fate")?,
        kind: read(row, "kind")?,
        task: read(row, "task")?,
        created: read(row, "created_at")?,
        home: session.zip(instance).map(|(session, instance)| Home { session, instance }),
    })
}

/// What another release calls a fate that this one does not know ends well.
fn fate<I: RowIndex + Display>(row: &Row, column: I) -> Result<Fate, StoreError> {
    Ok(Fate::by_name(&read::<String>(row, column)?).unwrap_or(Fate::Complete))
}

fn count(row: &Row, column: usize) -> Result<usize, StoreError> {
    Ok(read::<i64>(row, column)?.try_into().unwrap_or_default())
}

/// A column; one of another type means that the schema is not what the migrations made.
fn read<'row, T: FromSql<'row>>(row: &'row Row, column: impl RowIndex + Display) -> Result<T, StoreError> {
    row.try_get(column).map_err(|error| {
        tracing::error!(%error, "a row is not as expected");
        StoreError::Broken(database::NAME)
    })
}
