//! The table of the tool: which it is, and its rows.

use std::collections::BTreeMap;

use prodtest_inspect::{Seeing, Unseen};
use serde::{Deserialize, Serialize};

use super::{At, TableSection, history::Tool};
use crate::{
    gate::Precheck,
    shared,
    store::{
        Trouble,
        postgres::{Session, column, name, quoted},
    },
};

/// What the database has.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Seen {
    /// Whose table it is; none, where the configuration says which it is, or nothing was applied yet.
    pub(super) tool: Option<Tool>,
    pub(super) rows: Vec<Row>,
    /// Whether the tool's own lock is held.
    pub(super) locked: bool,
}

/// A row, by column.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Row(pub(super) BTreeMap<String, Option<String>>);

impl Row {
    pub(super) fn get(&self, column: &str) -> Option<&str> {
        self.0.get(column)?.as_deref()
    }

    pub(super) fn text(&self, column: &str) -> String {
        self.get(column).unwrap_or_default().to_owned()
    }

    /// Whether it is true there: `t` in PostgreSQL's words, or a number.
    pub(super) fn is(&self, column: &str) -> bool {
        self.get(column).is_some_and(|value| !["f", "false", "0", ""].contains(&value))
    }
}

/// Looks at the table.
pub(super) async fn look(seeing: &Seeing<'_, Precheck>, at: &At) -> Result<Seen, Trouble> {
    let session = shared::database(seeing, &at.store).await?;
    let schema = at.schema.as_ref().or(session.schema.as_ref());
    let tables = tables(session, schema.map(String::as_str)).await?;
    if let Some(table) = &at.table {
        let Some(there) = tables.iter().find(|there| there.name == table.name) else { return Ok(nothing(None)) };
        return Ok(Seen { tool: None, rows: of_table(session, there, table).await?, locked: false });
    }
    let own = |tool: &Tool| tables.iter().find(|there| there.name == tool.table() && tool.is_own(&there.columns));
    let tools = at.tool.map_or_else(|| Tool::ALL.to_vec(), |tool| vec![tool]);
    let found: Vec<(Tool, &Table)> = tools.into_iter().filter_map(|tool| Some((tool, own(&tool)?))).collect();
    match found.as_slice() {
        [(tool, table)] => of_tool(session, *tool, table, &tables).await,
        [] if at.tool.is_some() || tables.is_empty() => Ok(nothing(at.tool)),
        [] => Err(Unseen::new("the database has tables, but none in which a tool that we know writes what it applied")
            .hint("say which table it is, and in which schema: `precheck.migrations.table` and `.schema`")
            .into()),
        several => {
            let names: Vec<String> = several.iter().map(|(tool, _)| tool.to_string()).collect();
            let message = format!("the database has the tables of several tools: {}", names.join(", "));
            Err(Unseen::new(message).hint("say which it is: `precheck.migrations.tool`").into())
        }
    }
}

/// Before the first migration.
fn nothing(tool: Option<Tool>) -> Seen {
    Seen { tool, rows: Vec::new(), locked: false }
}

struct Table {
    schema: String,
    name: String,
    columns: Vec<String>,
}

impl Table {
    fn full_name(&self) -> String {
        format!("{}.{}", name(&self.schema), name(&self.name))
    }
}

/// Every table of the schema, or of those that are found without one; from the catalogue, which hides nothing from those who
/// may not read it.
async fn tables(session: &Session, schema: Option<&str>) -> Result<Vec<Table>, Trouble> {
    let within = match schema {
        Some(schema) => format!("n.nspname = {}", quoted(schema)),
        None => {
            "pg_catalog.pg_table_is_visible(c.oid) AND n.nspname NOT IN ('pg_catalog', 'information_schema')".to_owned()
        }
    };
    let sql = format!(
        "SELECT n.nspname AS schema, c.relname AS name, a.attname AS attribute
         FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
         JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relkind IN ('r', 'p') AND {within} ORDER BY 1, 2, a.attnum"
    );
    let mut tables: Vec<Table> = Vec::new();
    for row in session.rows(&sql).await? {
        let of = |name: &str| column::<String>(&row, name).unwrap_or_default();
        let (schema, name, attribute) = (of("schema"), of("name"), of("attribute"));
        match tables.last_mut().filter(|last| last.schema == schema && last.name == name) {
            Some(last) => last.columns.push(attribute),
            None => tables.push(Table { schema, name, columns: vec![attribute] }),
        }
    }
    Ok(tables)
}

async fn of_tool(session: &Session, tool: Tool, table: &Table, all: &[Table]) -> Result<Seen, Trouble> {
    let (columns, order) = tool.columns();
    let columns: Vec<String> =
        columns.iter().map(|it| if it.contains('(') { (*it).to_owned() } else { name(it) }).collect();
    let rows = rows(session, table, &columns, Some(order)).await?;
    let mut locked = false;
    if let (Tool::Knex, Some(lock)) = (tool, all.iter().find(|it| it.name == "knex_migrations_lock")) {
        locked = self::rows(session, lock, &[name("is_locked")], None).await?.iter().any(|row| row.is("is_locked"));
    }
    Ok(Seen { tool: Some(tool), rows, locked })
}

async fn of_table(session: &Session, there: &Table, table: &TableSection) -> Result<Vec<Row>, Trouble> {
    let asked = [Some(&table.version), table.checksum.as_ref(), table.success.as_ref(), table.dirty.as_ref()];
    let asked: Vec<&String> = asked.into_iter().flatten().collect();
    if let Some(unknown) = asked.iter().find(|column| !there.columns.contains(column)) {
        let has = there.columns.join("`, `");
        let message = format!("the table `{}` has no column `{unknown}`, but `{has}`", table.name);
        return Err(Unseen::new(message).hint("mend `precheck.migrations.table`").into());
    }
    let columns: Vec<String> = asked.iter().map(|column| name(column)).collect();
    rows(session, there, &columns, Some(&table.version)).await
}

async fn rows(session: &Session, table: &Table, columns: &[String], order: Option<&str>) -> Result<Vec<Row>, Trouble> {
    let order = order.map(|order| format!(" ORDER BY {}", name(order))).unwrap_or_default();
    let sql = format!("SELECT {} FROM {}{order}", columns.join(", "), table.full_name());
    let rows = session.rows(&sql).await?;
    let read = |row: &tokio_postgres::SimpleQueryRow| {
        let cell = |(index, column): (usize, &tokio_postgres::SimpleColumn)| {
            (column.name().to_owned(), row.get(index).map(str::to_owned))
        };
        Row(row.columns().iter().enumerate().map(cell).collect())
    };
    Ok(rows.iter().map(read).collect())
}
