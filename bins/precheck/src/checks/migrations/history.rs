//! What the rows of each tool's table mean.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Row, TableSection,
    files::{Script, flyway_version, knex, number, of_text, repeatable},
    sums::Algorithm,
};

/// A tool that applies migrations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Tool {
    /// Flyway: `flyway_schema_history`.
    Flyway,
    /// Prisma: `_prisma_migrations`.
    Prisma,
    /// Knex: `knex_migrations` and its lock.
    Knex,
    /// TypeORM: `migrations`.
    #[serde(rename = "typeorm")]
    TypeOrm,
    /// sqlx: `_sqlx_migrations`.
    Sqlx,
    /// golang-migrate: `schema_migrations` with `dirty`.
    GolangMigrate,
    /// Rails: `schema_migrations` with nothing but `version`.
    Rails,
}

impl Tool {
    pub(super) const ALL: [Self; 7] =
        [Self::Flyway, Self::Prisma, Self::Knex, Self::TypeOrm, Self::Sqlx, Self::GolangMigrate, Self::Rails];

    /// The table that it writes down in what it applied.
    pub(super) const fn table(self) -> &'static str {
        match self {
            Self::Flyway => "flyway_schema_history",
            Self::Prisma => "_prisma_migrations",
            Self::Knex => "knex_migrations",
            Self::TypeOrm => "migrations",
            Self::Sqlx => "_sqlx_migrations",
            Self::GolangMigrate | Self::Rails => "schema_migrations",
        }
    }

    /// Whether a table of that name with these columns is its own: some share the name.
    pub(super) fn is_own(self, columns: &[String]) -> bool {
        let has = |name: &str| columns.iter().any(|column| column == name);
        match self {
            Self::Flyway => has("installed_rank") && has("success"),
            Self::Prisma => has("migration_name") && has("finished_at"),
            Self::Knex => has("name") && has("batch"),
            Self::TypeOrm => has("timestamp") && has("name"),
            Self::Sqlx => has("version") && has("checksum") && has("success"),
            Self::GolangMigrate => has("version") && has("dirty"),
            Self::Rails => columns == ["version"],
        }
    }

    /// What is read of it, and how it is sorted.
    pub(super) const fn columns(self) -> (&'static [&'static str], &'static str) {
        match self {
            Self::Flyway => (
                &["installed_rank", "version", "description", "type", "script", "checksum", "success"],
                "installed_rank",
            ),
            Self::Prisma => (&["migration_name", "checksum", "finished_at", "rolled_back_at"], "started_at"),
            Self::Knex => (&["name"], "id"),
            Self::TypeOrm => (&["timestamp", "name"], "timestamp"),
            Self::Sqlx => (&["version", "description", "success", "encode(checksum, 'hex') AS checksum"], "version"),
            Self::GolangMigrate => (&["version", "dirty"], "version"),
            Self::Rails => (&["version"], "version"),
        }
    }
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Flyway => "Flyway",
            Self::Prisma => "Prisma",
            Self::Knex => "Knex",
            Self::TypeOrm => "TypeORM",
            Self::Sqlx => "sqlx",
            Self::GolangMigrate => "golang-migrate",
            Self::Rails => "Rails",
        })
    }
}

/// What was applied.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct History {
    pub(super) applied: Vec<Applied>,
    /// What was not applied to its end.
    pub(super) dirty: Vec<String>,
    /// What is up to this version counts as applied.
    upto: Option<Vec<u64>>,
}

/// A migration that was applied.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Applied {
    pub(super) key: String,
    /// What a person knows it by.
    pub(super) shown: String,
    pub(super) sum: Option<String>,
    pub(super) algorithm: Algorithm,
    /// Whether it comes of a file.
    pub(super) is_file: bool,
}

impl History {
    /// Whether a migration of the folder waits to be applied.
    pub(super) fn is_pending(&self, script: &Script) -> bool {
        let applied = self.applied.iter().any(|applied| applied.key == script.key);
        let covered = self.upto.as_ref().zip(parts(&script.key)).is_some_and(|(upto, version)| version <= *upto);
        !applied && !covered
    }

    fn add(&mut self, key: String, shown: &str, sum: Option<String>, algorithm: Algorithm) {
        self.applied.retain(|applied| applied.key != key);
        self.applied.push(Applied { key, shown: shown.to_owned(), sum, algorithm, is_file: true });
    }
}

/// A version as numbers, which are in order where texts are not.
fn parts(version: &str) -> Option<Vec<u64>> {
    version.split('.').map(|part| part.parse().ok()).collect()
}

/// What the rows say.
pub(super) fn history(tool: Option<Tool>, table: Option<&TableSection>, rows: &[Row], scripts: &[Script]) -> History {
    let mut history = History::default();
    for row in rows {
        match tool {
            Some(Tool::Flyway) => flyway(&mut history, row, scripts),
            Some(Tool::Prisma) => prisma(&mut history, row),
            Some(Tool::Knex) => {
                let name = row.text("name");
                history.add(knex(&name).unwrap_or_else(|| name.clone()), &name, None, Algorithm::Sha256);
            }
            Some(Tool::TypeOrm) => {
                let key = row.text("timestamp");
                history.add(number(&key).unwrap_or(key), &row.text("name"), None, Algorithm::Sha256);
            }
            Some(Tool::Sqlx) => sqlx(&mut history, row),
            Some(Tool::GolangMigrate) => golang_migrate(&mut history, row),
            Some(Tool::Rails) => {
                let version = row.text("version");
                history.add(number(&version).unwrap_or_else(|| version.clone()), &version, None, Algorithm::Sha256);
            }
            None => {
                if let Some(table) = table {
                    of_table(&mut history, table, row);
                }
            }
        }
    }
    history
}

/// One row each, the later over the earlier; without a version, it is applied again whenever it changes.
/// <https://documentation.red-gate.com/fd/flyway-schema-history-table-273973417.html>
fn flyway(history: &mut History, row: &Row, scripts: &[Script]) {
    let (version, script, kind) = (row.get("version"), row.text("script"), row.text("type"));
    let key = match version {
        Some(version) => flyway_version(version).unwrap_or_else(|| version.to_owned()),
        None => repeatable(&row.text("description")),
    };
    match kind.as_str() {
        "BASELINE" | "SQL_BASELINE" => {
            history.upto = history.upto.take().max(parts(&key));
            return;
        }
        // Made the schema, or forgot or took back what an earlier row has.
        "SCHEMA" => return,
        "DELETE" => return history.applied.retain(|applied| applied.key != key),
        kind if kind.starts_with("UNDO") => return history.applied.retain(|applied| applied.key != key),
        _ => {}
    }
    if !row.is("success") {
        history.dirty.push(script);
        return;
    }
    let repeatable = version.is_none();
    // One that changed will be applied again, which is no fault of it.
    let sum = row.get("checksum").map(str::to_owned).filter(|_| !repeatable);
    let waits = |script: &Script| {
        let sum = row.get("checksum");
        script.key == key && script.repeatable && sum.is_some_and(|it| !script.sums.has(Algorithm::Crc32Lines, it))
    };
    if repeatable && scripts.iter().any(waits) {
        return history.applied.retain(|applied| applied.key != key);
    }
    history.add(key, &script, sum, Algorithm::Crc32Lines);
    if let Some(added) = history.applied.last_mut() {
        // Java's are in a class.
        added.is_file = kind == "SQL";
    }
}

/// One row an attempt: without an end it stands in the way, unless somebody marked it as rolled back.
/// <https://www.prisma.io/docs/orm/prisma-migrate/workflows/patching-and-hotfixing>
fn prisma(history: &mut History, row: &Row) {
    let name = row.text("migration_name");
    match (row.get("finished_at"), row.get("rolled_back_at")) {
        (_, Some(_)) => {}
        (None, None) => history.dirty.push(name),
        (Some(_), None) => {
            history.add(name.clone(), &name, row.get("checksum").map(str::to_owned), Algorithm::Sha256);
        }
    }
}

fn sqlx(history: &mut History, row: &Row) {
    let (version, description) = (row.text("version"), row.text("description"));
    let shown = format!("{version} {description}");
    if !row.is("success") {
        history.dirty.push(shown.clone());
    }
    let sum = row.get("checksum").map(str::to_owned).filter(|_| row.is("success"));
    history.add(number(&version).unwrap_or(version), &shown, sum, Algorithm::Sha384);
}

/// One row alone, with the version that the database has.
fn golang_migrate(history: &mut History, row: &Row) {
    let version = row.text("version");
    if row.is("dirty") {
        history.dirty.push(version.clone());
    }
    let key = number(&version).unwrap_or_else(|| version.clone());
    history.upto = parts(&key);
    history.add(key, &version, None, Algorithm::Sha256);
}

fn of_table(history: &mut History, table: &TableSection, row: &Row) {
    let version = row.text(&table.version);
    let not_whole = table.success.as_ref().is_some_and(|column| !row.is(column));
    if not_whole || table.dirty.as_ref().is_some_and(|column| row.is(column)) {
        history.dirty.push(version.clone());
    }
    let sum = table.checksum.as_ref().and_then(|column| row.get(column)).map(str::to_owned);
    history.add(of_text(&version), &version, sum, table.algorithm.unwrap_or_default());
}
