//! `precheck/migrations`: what was applied to the database is what the folder has, whole and unchanged.

mod files;
mod history;
mod sums;
mod table;
#[cfg(test)]
mod tests;

use std::path::PathBuf;

use prodtest_cli::Refusal;
use prodtest_config::{ConfigError, FilePath, Located, SecretRef};
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::{
    files::Script,
    history::{Tool, history},
    sums::Algorithm,
    table::{Row, Seen},
};
use super::database;
use crate::{
    gate::Precheck,
    site::Site,
    store::{Denied, Store, denied, within},
};

/// The migrations of the database, in `precheck.database`. The check is skipped where this is left out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Section {
    /// The folder that the migrations are in.
    pub(crate) directory: Located<FilePath>,
    /// Which tool applies them; found by its table in the database when left out.
    #[serde(default)]
    pub(crate) tool: Option<Tool>,
    /// The table of a tool that is none of these.
    #[serde(default)]
    pub(crate) table: Option<TableSection>,
    /// The schema that the table is in; where the service's own tables are when left out.
    #[serde(default)]
    pub(crate) schema: Option<String>,
    /// Whether a migration may wait to be applied; `allowed` when left out, for that is what a deployment brings. `refused`
    /// where a step before this one applies them.
    #[serde(default)]
    pub(crate) pending: Option<Pending>,
}

/// Whether a migration may wait to be applied.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Pending {
    /// It may: the deployment applies it.
    #[default]
    Allowed,
    /// It may not: it should have been applied.
    Refused,
}

/// A table in which somebody writes down what was applied, a row each.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct TableSection {
    /// Its name.
    pub(crate) name: String,
    /// The column that says which migration it is: the number that its file begins with, or the file's name without its
    /// ending.
    pub(crate) version: String,
    /// The column with the checksum of the file; they are not compared when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) checksum: Option<String>,
    /// How that is made; `sha256` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) algorithm: Option<Algorithm>,
    /// The column that is true where it was applied to its end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) success: Option<String>,
    /// The column that is true where it was not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) dirty: Option<String>,
}

/// The check.
pub(crate) struct Migrations;

/// Where it looks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct At {
    store: Store,
    directory: PathBuf,
    tool: Option<Tool>,
    table: Option<TableSection>,
    schema: Option<String>,
}

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    pending: Pending,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// What the folder has.
    files: Vec<files::File>,
    /// What the database has, or why it let nobody in.
    seen: Result<Seen, Denied>,
}

impl Inspection<Precheck> for Migrations {
    const NAME: &'static str = "migrations";

    type Target = At;
    type Limits = Limits;
    type Facts = Facts;

    fn target(asked: &Asked<'_, Precheck>) -> Result<Target<At>, Refusal> {
        let Some(section) = &asked.section.migrations else {
            return Ok(Target::Nowhere("no folder of migrations is named: `precheck.migrations.directory`".to_owned()));
        };
        let wrong = |message: &str, hint: &str| {
            let error = ConfigError::new(message).at(section.directory.place.clone()).with_hint(hint);
            Err(asked.input.config.explain(error).into())
        };
        let Some(store) = database::store(asked)? else {
            return wrong("migrations are those of a database, and none is named", "add `precheck.database.url`");
        };
        if section.tool.is_some() && section.table.is_some() {
            return wrong(
                "either a tool is named or a table, not both",
                "a `table` is for a tool that is none of ours",
            );
        }
        Ok(Target::At(At {
            store,
            directory: section.directory.value.0.clone(),
            tool: section.tool,
            table: section.table.clone(),
            schema: section.schema.clone(),
        }))
    }

    fn limits(asked: &Asked<'_, Precheck>) -> Result<Limits, Refusal> {
        Ok(Limits { pending: asked.section.migrations.as_ref().and_then(|it| it.pending).unwrap_or_default() })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        let pending = match limits.pending {
            Pending::Allowed => "allowed",
            Pending::Refused => "refused",
        };
        Check {
            why: Some(
                "A tool that finds a migration half applied, changed or gone refuses to go on, and the new version does not \
                 start; or it goes on, with a schema that nobody has tested."
                    .to_owned(),
            ),
            help: Some(
                "A migration never changes once it was released: restore it, and add a new one. What was applied half is \
                 mended by hand, and then marked so with the tool's own command."
                    .to_owned(),
            ),
            needs: CheckId::new("precheck", "database").into_iter().collect(),
            limits: vec![Limit { name: "pending migrations".to_owned(), value: pending.to_owned() }],
            ..Check::new(id, "what was applied to the database is what the folder has, whole and unchanged")
        }
    }

    fn secrets(target: &At) -> Vec<Located<SecretRef>> {
        vec![target.store.url.clone()]
    }

    fn rules(_site: &Site, target: &At) -> Vec<Rule> {
        target.store.rules()
    }

    async fn observe(seeing: &Seeing<'_, Precheck>, target: &At) -> Result<Facts, Unseen> {
        let files = files::read(&target.directory)?;
        Ok(Facts { files, seen: within("PostgreSQL", table::look(seeing, target)).await? })
    }

    fn judge(id: &CheckId, target: &At, limits: &Limits, facts: &Facts) -> Judged {
        let seen = match &facts.seen {
            Ok(seen) => seen,
            Err(why) => return denied(id, "PostgreSQL", "a login with the service's own credentials", why),
        };
        let scripts = files::scripts(seen.tool, &facts.files);
        let history = history(seen.tool, target.table.as_ref(), &seen.rows, &scripts);
        if scripts.is_empty() && history.applied.is_empty() {
            let folder = target.directory.display();
            return Judged::undetermined(id.clone(), format!("`{folder}` has no migration, and none was applied"));
        }
        let mut findings = Vec::new();
        let mut add = |rule: &str, which: &str, message: String, expected: &str| {
            let seen = message.clone();
            findings.push(Finding::new(id, rule, which, message).expected(expected, seen));
        };
        for which in &history.dirty {
            add("dirty", which, format!("`{which}` was not applied to its end"), "migrations that were applied whole");
        }
        if seen.locked {
            let message = "the tool holds its lock: somebody migrates, or died over it".to_owned();
            add("locked", "lock", message, "nobody who migrates");
        }
        for applied in &history.applied {
            let which = &applied.shown;
            match scripts.iter().find(|script| script.key == applied.key) {
                None if applied.is_file => {
                    let message = format!("`{which}` was applied, and the folder does not have it");
                    add("missing", which, message, "every migration that was applied");
                }
                Some(Script { sums, file, .. }) => {
                    let changed = applied.sum.as_ref().is_some_and(|sum| !sums.has(applied.algorithm, sum));
                    if changed {
                        let message = format!("`{file}` is not what was applied: its checksum is another");
                        add("changed", which, message, "the migration as it was applied");
                    }
                }
                None => {}
            }
        }
        let pending: Vec<&Script> = scripts.iter().filter(|script| history.is_pending(script)).collect();
        if limits.pending == Pending::Refused {
            for script in &pending {
                let file = &script.file;
                add("pending", file, format!("`{file}` was not applied yet"), "no migration that waits");
            }
        }
        let count = |number: usize| Quantity::count(u32::try_from(number).unwrap_or(u32::MAX));
        let tool = match (seen.tool, &target.table) {
            (Some(tool), _) => tool.to_string(),
            (None, Some(table)) => format!("the table `{}`", table.name),
            (None, None) => "nobody yet".to_owned(),
        };
        let evidence = vec![
            Evidence::new("applied by", Quantity::Text(tool)),
            Evidence::new("applied", count(history.applied.len())),
            Evidence::new("pending", count(pending.len())),
        ];
        Judged { evidence, ..Judged::by_findings(id.clone(), findings) }
    }
}
