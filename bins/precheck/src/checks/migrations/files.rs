//! What the folder has.

use std::path::Path;

use prodtest_inspect::Unseen;
use serde::{Deserialize, Serialize};

use super::{history::Tool, sums::Sums};

/// How deep the folder is read, and how many files are: more is the wrong folder.
const DEPTH: usize = 8;
const MOST: usize = 20_000;

/// A file.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct File {
    /// Its path in the folder, with `/`.
    pub(super) path: String,
    pub(super) sums: Sums,
}

/// A migration that the folder has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Script {
    /// What it is told by.
    pub(super) key: String,
    pub(super) file: String,
    pub(super) sums: Sums,
    /// Whether it is applied again whenever it changes.
    pub(super) repeatable: bool,
}

/// Reads the folder.
pub(super) fn read(folder: &Path) -> Result<Vec<File>, Unseen> {
    let mut files = Vec::new();
    collect(folder, "", DEPTH, &mut files)?;
    files.sort_by(|one, other| one.path.cmp(&other.path));
    Ok(files)
}

fn collect(folder: &Path, above: &str, depth: usize, files: &mut Vec<File>) -> Result<(), Unseen> {
    let unread = |error: std::io::Error| {
        Unseen::new(format!("the folder of migrations `{}` cannot be read: {error}", folder.display()))
            .hint("say where it is: `precheck.migrations.directory`, relative to the file that has it")
    };
    for entry in std::fs::read_dir(folder).map_err(unread)? {
        let entry = entry.map_err(unread)?;
        let path = format!("{above}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            if depth > 0 {
                collect(&entry.path(), &format!("{path}/"), depth - 1, files)?;
            }
            continue;
        }
        if files.len() >= MOST {
            return Err(Unseen::new(format!("`{}` has more than {MOST} files", folder.display())));
        }
        files.push(File { path, sums: Sums::of(&std::fs::read(entry.path()).map_err(unread)?) });
    }
    Ok(())
}

/// The migrations among the files, as the tool names them; by the number they begin with, where it is none that we know.
pub(super) fn scripts(tool: Option<Tool>, files: &[File]) -> Vec<Script> {
    let script = |file: &File| {
        let (folder, name) = file.path.rsplit_once('/').unwrap_or(("", &file.path));
        let (key, repeatable) = match tool {
            Some(Tool::Flyway) => flyway(name)?,
            Some(Tool::Prisma) if name == "migration.sql" => (folder.rsplit('/').next()?.to_owned(), false),
            Some(Tool::Prisma) => return None,
            Some(Tool::Knex) if folder.is_empty() => (knex(name)?, false),
            Some(Tool::Knex) => return None,
            Some(Tool::TypeOrm) => (of_code(name, '-', &["ts", "js"])?, false),
            Some(Tool::Rails) => (of_code(name, '_', &["rb"])?, false),
            Some(Tool::Sqlx) if folder.is_empty() && name.ends_with(".sql") => (numbered(name, '_')?, false),
            Some(Tool::Sqlx) => return None,
            Some(Tool::GolangMigrate) if name.contains(".up.") => (numbered(name, '_')?, false),
            Some(Tool::GolangMigrate) => return None,
            None => (of_any(name)?, false),
        };
        Some(Script { key, file: file.path.clone(), sums: file.sums.clone(), repeatable })
    };
    files.iter().filter_map(script).collect()
}

/// A number without the zeros before it.
pub(super) fn number(text: &str) -> Option<String> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| match text.trim_start_matches('0') {
        "" => "0".to_owned(),
        rest => rest.to_owned(),
    })
}

/// `0001_agents.sql`; what takes it back is none.
fn numbered(name: &str, between: char) -> Option<String> {
    let (digits, rest) = name.split_once(between)?;
    if rest.contains(".down.") {
        return None;
    }
    number(digits)
}

/// `1594914103420-Users.ts`, `20240101000000_users.rb`; types alone are none.
fn of_code(name: &str, between: char, endings: &[&str]) -> Option<String> {
    let ending = name.rsplit_once('.')?.1;
    if !endings.contains(&ending) || name.ends_with(".d.ts") {
        return None;
    }
    numbered(name, between)
}

/// The names of Knex' migrations are those of their files, compiled or not.
pub(super) fn knex(name: &str) -> Option<String> {
    let (stem, ending) = name.rsplit_once('.')?;
    let code = ["js", "cjs", "mjs", "ts", "cts", "mts", "coffee", "sql"].contains(&ending);
    (code && !stem.ends_with(".d")).then(|| stem.to_owned())
}

/// `V1_1__users.sql` and `R__views.sql`; `U1_1__users.sql` takes one back.
/// <https://documentation.red-gate.com/fd/migrations-184127470.html>
fn flyway(name: &str) -> Option<(String, bool)> {
    let (stem, _) = name.rsplit_once('.').filter(|(_, ending)| ending.eq_ignore_ascii_case("sql"))?;
    let (head, description) = stem.split_once("__")?;
    if head == "R" {
        return Some((repeatable(description), true));
    }
    let version = head.strip_prefix(['V', 'B'])?;
    Some((flyway_version(version)?, false))
}

/// Flyway describes `R__all_views.sql` as `all views`.
pub(super) fn repeatable(description: &str) -> String {
    format!("R {}", description.replace('_', " "))
}

/// `1_2`, `1.2` and `1.02.0` are one version.
pub(super) fn flyway_version(text: &str) -> Option<String> {
    let mut parts = text.split(['.', '_']).map(number).collect::<Option<Vec<_>>>()?;
    while parts.len() > 1 && parts.last().is_some_and(|last| last == "0") {
        parts.pop();
    }
    Some(parts.join("."))
}

/// By the number that it begins with, or by its name without its ending.
fn of_any(name: &str) -> Option<String> {
    let (stem, _) = name.rsplit_once('.')?;
    if stem.is_empty() || stem.ends_with(".down") {
        return None;
    }
    Some(of_text(stem.strip_suffix(".up").unwrap_or(stem)))
}

/// What a name or a version in a table comes to.
pub(super) fn of_text(text: &str) -> String {
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    number(&text[..end]).unwrap_or_else(|| text.to_owned())
}
