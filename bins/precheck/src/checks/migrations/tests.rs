//! What is said of each tool's table, by example: rows as the tools write them.

use std::{collections::BTreeSet, fs};

use prodtest_gate::{Outcome, Place};
use serde_json::{Value, json};

use super::*;

/// The content of every file.
const CONTENT: &str = "CREATE TABLE a (id int);\n";

struct Case {
    tool: Option<Tool>,
    table: Option<TableSection>,
    files: Vec<&'static str>,
    rows: Vec<Value>,
    pending: Pending,
    locked: bool,
}

fn of(tool: Tool, files: &[&'static str], rows: Value) -> Case {
    let rows = rows.as_array().unwrap().clone();
    Case { tool: Some(tool), table: None, files: files.to_vec(), rows, pending: Pending::Allowed, locked: false }
}

impl Case {
    fn judged(&self) -> Judged {
        let folder = tempfile::tempdir().unwrap();
        for file in &self.files {
            let path = folder.path().join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, CONTENT).unwrap();
        }
        let place = Place { file: "prodtest.yaml".to_owned(), line: 1, column: 1 };
        let url = Located::new(SecretRef::Env("URL".to_owned()), place);
        let target = At {
            store: Store { url, ca: None, connect: None },
            directory: folder.path().to_owned(),
            tool: self.tool,
            table: self.table.clone(),
            schema: None,
        };
        let rows = self.rows.iter().map(|row| serde_json::from_value(row.clone()).unwrap()).collect();
        let seen = Ok(Seen { tool: self.tool, rows, locked: self.locked });
        let facts = Facts { files: files::read(folder.path()).unwrap(), seen };
        let id = CheckId::new("precheck", "migrations").unwrap();
        Migrations::judge(&id, &target, &Limits { pending: self.pending }, &facts)
    }

    /// Rules and subjects of what is wrong.
    fn wrong(&self) -> BTreeSet<(String, String)> {
        let judged = self.judged();
        assert_ne!(judged.outcome, Outcome::Undetermined, "{:?}", judged.reason);
        judged.findings.into_iter().map(|finding| (finding.rule, finding.subject)).collect()
    }

    fn refusing(mut self) -> Self {
        self.pending = Pending::Refused;
        self
    }
}

fn set(wrong: &[(&str, &str)]) -> BTreeSet<(String, String)> {
    wrong.iter().map(|(rule, subject)| ((*rule).to_owned(), (*subject).to_owned())).collect()
}

fn flyway(rank: u32, version: Option<&str>, script: &str, kind: &str, checksum: Option<&str>, success: &str) -> Value {
    let description = script.split_once("__").map(|(_, rest)| rest.trim_end_matches(".sql").replace('_', " "));
    json!({
        "installed_rank": rank.to_string(), "version": version, "description": description, "type": kind,
        "script": script, "checksum": checksum, "success": success,
    })
}

#[test]
fn flyway_tells_by_version_and_crc() {
    // `python3 -c "import zlib; print(zlib.crc32(b'CREATE TABLE a (id int);'))"`, as Java's `int`.
    let sum = Some("-623083431");
    let files = ["V1__users.sql", "sub/V1_1__mails.sql", "V2__jobs.sql", "U2__jobs.sql", "R__all_views.sql"];
    let rows = json!([
        flyway(1, Some("1"), "V1__users.sql", "SQL", sum, "t"),
        flyway(2, Some("1.1"), "sub/V1_1__mails.sql", "SQL", sum, "t"),
        flyway(3, None, "R__all_views.sql", "SQL", sum, "t"),
        flyway(4, Some("1.5"), "db.migration.V1_5__Java", "JDBC", None, "t"),
    ]);
    assert_eq!(of(Tool::Flyway, &files, rows.clone()).wrong(), set(&[]));
    assert_eq!(of(Tool::Flyway, &files, rows).refusing().wrong(), set(&[("pending", "V2__jobs.sql")]));
    let rows = json!([
        flyway(1, Some("1"), "V1__users.sql", "SQL", Some("7"), "t"),
        flyway(2, Some("3"), "V3__gone.sql", "SQL", sum, "t"),
        flyway(3, Some("4"), "V4__taken_back.sql", "SQL", sum, "t"),
        flyway(4, Some("4"), "U4__taken_back.sql", "UNDO_SQL", sum, "t"),
        // It changed, and will be applied again.
        flyway(5, None, "R__all_views.sql", "SQL", Some("7"), "t"),
        flyway(6, Some("2"), "V2__jobs.sql", "SQL", sum, "f"),
    ]);
    let wrong = set(&[("changed", "V1__users.sql"), ("missing", "V3__gone.sql"), ("dirty", "V2__jobs.sql")]);
    assert_eq!(of(Tool::Flyway, &files, rows).wrong(), wrong);
}

#[test]
fn what_is_under_flyways_baseline_waits_for_nothing() {
    let rows = json!([flyway(1, Some("2.0"), "<< Flyway Baseline >>", "BASELINE", None, "t")]);
    let case = of(Tool::Flyway, &["V1__a.sql", "V1_10__b.sql", "V2__c.sql", "V10__d.sql"], rows).refusing();
    assert_eq!(case.wrong(), set(&[("pending", "V10__d.sql")]));
}

#[test]
fn prisma_tells_by_folder_and_sha256() {
    let sum = "6e3ab8f1e5b5c5c9b4b3d6ab6b9b9b3f";
    let own = {
        let files = [files::File { path: String::new(), sums: sums::Sums::of(CONTENT.as_bytes()) }];
        let json = serde_json::to_value(&files[0].sums).unwrap();
        json["sha256"][0].as_str().unwrap().to_owned()
    };
    let row = |name: &str, sum: &str, finished: Option<&str>, rolled_back: Option<&str>| json!({ "migration_name": name, "checksum": sum, "finished_at": finished, "rolled_back_at": rolled_back });
    let at = Some("2026-01-01 10:00:00+00");
    let files = ["20240101000000_init/migration.sql", "20240201000000_more/migration.sql", "migration_lock.toml"];
    let rows = json!([row("20240101000000_init", &own, at, None), row("20240201000000_more", &own, None, at)]);
    assert_eq!(of(Tool::Prisma, &files, rows.clone()).wrong(), set(&[]));
    let waits = ("pending", "20240201000000_more/migration.sql");
    assert_eq!(of(Tool::Prisma, &files, rows).refusing().wrong(), set(&[waits]));
    let rows = json!([
        row("20240101000000_init", sum, at, None),
        row("20230101000000_gone", sum, at, None),
        row("20240201000000_more", &own, None, None),
    ]);
    let wrong =
        [("changed", "20240101000000_init"), ("missing", "20230101000000_gone"), ("dirty", "20240201000000_more")];
    assert_eq!(of(Tool::Prisma, &files, rows).wrong(), set(&wrong));
}

#[test]
fn knex_tells_by_name_and_has_a_lock() {
    let files = ["20240101_users.ts", "20240201_jobs.ts", "types.d.ts"];
    let rows = json!([{ "name": "20240101_users.js" }]);
    assert_eq!(of(Tool::Knex, &files, rows.clone()).wrong(), set(&[]));
    let locked = Case { locked: true, ..of(Tool::Knex, &files, rows) };
    assert_eq!(locked.refusing().wrong(), set(&[("locked", "lock"), ("pending", "20240201_jobs.ts")]));
    let rows = json!([{ "name": "20230101_gone.js" }]);
    assert_eq!(of(Tool::Knex, &files, rows).wrong(), set(&[("missing", "20230101_gone.js")]));
}

#[test]
fn typeorm_tells_by_the_time_in_the_name() {
    let files = ["1594914103420-Users.ts", "1594914103421-Jobs.ts"];
    let rows = json!([
        { "timestamp": "1594914103420", "name": "Users1594914103420" },
        { "timestamp": "1500000000000", "name": "Gone1500000000000" },
    ]);
    let wrong = [("missing", "Gone1500000000000"), ("pending", "1594914103421-Jobs.ts")];
    assert_eq!(of(Tool::TypeOrm, &files, rows).refusing().wrong(), set(&wrong));
}

#[test]
fn sqlx_tells_by_version_and_sha384() {
    let sum = "00".repeat(48);
    let files = ["20240101000000_users.up.sql", "20240101000000_users.down.sql", "20240201000000_jobs.sql"];
    let row = |version: &str, success: &str| json!({ "version": version, "description": "users", "success": success, "checksum": sum });
    let rows = json!([row("20240101000000", "t"), row("20230101000000", "t"), row("20240201000000", "f")]);
    let wrong =
        [("changed", "20240101000000 users"), ("missing", "20230101000000 users"), ("dirty", "20240201000000 users")];
    assert_eq!(of(Tool::Sqlx, &files, rows).wrong(), set(&wrong));
}

#[test]
fn golang_migrate_has_one_version_for_all() {
    let files = ["000001_a.up.sql", "000001_a.down.sql", "000002_b.up.sql", "000010_c.up.sql"];
    let at = |version: &str, dirty: &str| json!([{ "version": version, "dirty": dirty }]);
    assert_eq!(of(Tool::GolangMigrate, &files, at("2", "f")).wrong(), set(&[]));
    let waits = [("pending", "000010_c.up.sql")];
    assert_eq!(of(Tool::GolangMigrate, &files, at("2", "f")).refusing().wrong(), set(&waits));
    assert_eq!(of(Tool::GolangMigrate, &files, at("2", "t")).wrong(), set(&[("dirty", "2")]));
    assert_eq!(of(Tool::GolangMigrate, &files, at("11", "f")).wrong(), set(&[("missing", "11")]));
}

#[test]
fn rails_has_versions_alone() {
    let files = ["20240101000000_users.rb", "20240201000000_jobs.rb"];
    let rows = json!([{ "version": "20240101000000" }, { "version": "20230101000000" }]);
    let wrong = [("missing", "20230101000000"), ("pending", "20240201000000_jobs.rb")];
    assert_eq!(of(Tool::Rails, &files, rows).refusing().wrong(), set(&wrong));
}

#[test]
fn a_table_of_ones_own_is_read_by_its_columns() {
    let table = TableSection {
        name: "schema_migrations".to_owned(),
        version: "version".to_owned(),
        checksum: Some("checksum".to_owned()),
        algorithm: None,
        success: Some("whole".to_owned()),
        dirty: None,
    };
    let rows = vec![
        json!({ "version": "1", "checksum": "00", "whole": "t" }),
        json!({ "version": "2", "checksum": null, "whole": "f" }),
        json!({ "version": "3", "checksum": "00", "whole": "t" }),
    ];
    let files = vec!["0001_agents.sql", "0002_jobs.sql", "0002_jobs.down.sql", "0004_more.sql"];
    let case = Case { tool: None, table: Some(table), files, rows, pending: Pending::Refused, locked: false };
    let wrong = [("changed", "1"), ("dirty", "2"), ("missing", "3"), ("pending", "0004_more.sql")];
    assert_eq!(case.wrong(), set(&wrong));
}

#[test]
fn nothing_at_all_is_not_measured() {
    assert_eq!(of(Tool::Sqlx, &["README.md"], json!([])).judged().outcome, Outcome::Undetermined);
    assert_eq!(of(Tool::Sqlx, &["1_a.sql"], json!([])).judged().outcome, Outcome::Passed);
}

#[test]
fn tables_of_one_name_are_told_by_their_columns() {
    let own = |columns: &[&str]| {
        let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
        Tool::ALL.into_iter().filter(|tool| tool.is_own(&columns)).collect::<Vec<_>>()
    };
    assert_eq!(own(&["version", "dirty"]), [Tool::GolangMigrate]);
    assert_eq!(own(&["version"]), [Tool::Rails]);
    assert_eq!(own(&["id", "timestamp", "name"]), [Tool::TypeOrm]);
    // Laravel's, and Godel's: none of ours.
    assert_eq!(own(&["id", "migration", "batch"]), []);
    assert_eq!(own(&["version", "name", "checksum", "applied_at"]), []);
}
