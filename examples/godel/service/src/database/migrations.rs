//! The migrations: compiled in, applied in order, each once, whoever else starts at the same time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use deadpool_postgres::Transaction;
use sha2::{Digest as _, Sha256};
use tokio_postgres::Error;

/// The lock that serialises those who migrate: any number, as long as nobody else on the server takes it.
const LOCK: i64 = 0x676f_6465_6c00_0001;

const TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations (
    version integer PRIMARY KEY,
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT now()
)";

/// One step of the schema.
struct Migration {
    version: i32,
    name: &'static str,
    sql: &'static str,
}

const ALL: &[Migration] =
    &[Migration { version: 1, name: "agents", sql: include_str!("../../../migrations/0001_agents.sql") }];

/// A migration that was applied is no longer what it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "migration {version:04}_{name} was applied to the database with another content (SHA-256 {applied}, here {here})"
)]
pub struct Mismatch {
    version: i32,
    name: &'static str,
    applied: String,
    here: String,
}

impl Mismatch {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        "a migration never changes once it was released: restore it, and add a new one"
    }
}

/// Brings the schema up to date, or finds out why not; whoever calls commits.
pub(super) async fn apply(transaction: &Transaction<'_>) -> Result<Result<(), Mismatch>, Error> {
    // Until the end of the transaction; before the table, for which two could race as well.
    transaction.execute("SELECT pg_advisory_xact_lock($1)", &[&LOCK]).await?;
    transaction.batch_execute(TABLE).await?;
    let rows = transaction.query("SELECT version, name, checksum FROM schema_migrations", &[]).await?;
    let mut applied: BTreeMap<i32, (String, String)> = BTreeMap::new();
    for row in rows {
        applied.insert(row.try_get(0)?, (row.try_get(1)?, row.try_get(2)?));
    }

    for Migration { version, name, sql } in ALL {
        let here = checksum(sql);
        match applied.remove(version) {
            Some((_, applied)) if applied == here => {}
            Some((_, applied)) => return Ok(Err(Mismatch { version: *version, name, applied, here })),
            None => {
                transaction.batch_execute(sql).await?;
                let record = "INSERT INTO schema_migrations (version, name, checksum) VALUES ($1, $2, $3)";
                transaction.execute(record, &[version, name, &here]).await?;
                tracing::info!(version, name, "migration applied");
            }
        }
    }
    for (version, (name, _)) in applied {
        // What a later release added does not hinder this one: that is what makes a rollback possible.
        tracing::warn!(version, name, "the database is ahead: a later release has migrated it");
    }
    Ok(Ok(()))
}

fn checksum(sql: &str) -> String {
    Sha256::digest(sql).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_is_compiled_in_under_its_own_number() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations");
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut files: Vec<_> = names.collect();
        files.sort_unstable();
        let known: Vec<_> =
            ALL.iter().map(|Migration { version, name, .. }| format!("{version:04}_{name}.sql")).collect();
        assert_eq!(files, known);
        assert!(ALL.iter().map(|migration| migration.version).eq(1..=ALL.len() as i32));
    }

    #[test]
    fn a_checksum_is_the_one_of_sha256sum() {
        assert_eq!(checksum("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }
}
