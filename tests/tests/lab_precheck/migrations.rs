//! What is done to the table of each tool, by SQL, in the release's own database; in the shapes that the tools make.

use prodtest_testkit::{Done, GateCommand, Specimen};
use prodtest_tests::Release;
use sha2::{Digest as _, Sha256, Sha384};
use xtask::lab::services;

use super::configured::Configured;

/// The content of every migration.
const CONTENT: &str = "CREATE TABLE a (id int);\n";

/// A tool with two migrations that were applied, and what then happens to the second.
struct Tool {
    files: [&'static str; 2],
    /// Its tables and rows, as after the second.
    good: String,
    /// What happens.
    bad: &'static str,
}

/// Upsets the migrations, `migrations-TOOL-WHAT`, and runs the gate; none, where nobody knows how to.
pub(crate) fn while_upset(release: &Release<'_>, name: &str, specimen: &Specimen) -> Option<Done> {
    let values = specimen.values.clone().into();
    let run = |gate: GateCommand| gate.args(&specimen.arguments).run();
    let (tool, what) = name.strip_prefix("migrations-")?.split_once('-')?;
    if tool == "godel" {
        let sum = match what {
            "changed" => "00".to_owned(),
            _ => hex(&Sha256::digest(std::fs::read("../examples/godel/migrations/0001_agents.sql").expect("a file"))),
        };
        sql(
            release,
            &format!(
                "CREATE TABLE schema_migrations (version integer PRIMARY KEY, name text NOT NULL,
            checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now());
            INSERT INTO schema_migrations VALUES (1, 'agents', '{sum}')"
            ),
        );
        if what == "missing" {
            assert_eq!(run(release.precheck(&values)).code(), Some(0));
            sql(release, "INSERT INTO schema_migrations VALUES (2, 'later', '00')");
        }
        return Some(run(release.precheck(&values)));
    }
    let tool = of(tool, what)?;
    let files = tool.files.map(|file| (file, CONTENT));
    let section = "  database:\n    url: { kubernetes: { secret: godel-db-credentials, key: url } }\n    \
                   ca: { kubernetes: { secret: godel-db-credentials, key: ca.crt } }\n  \
                   migrations: { directory: migrations, pending: refused }\n";
    let configured = Configured::new(section, &files);
    sql(release, &tool.good);
    // Or it would be red for another reason.
    let before = run(configured.precheck(release, &values));
    assert_eq!(before.code(), Some(0), "{name}: {}", before.said());
    sql(release, tool.bad);
    Some(run(configured.precheck(release, &values)))
}

fn of(tool: &str, what: &str) -> Option<Tool> {
    Some(match (tool, what) {
        // The sum is `zlib.crc32` of the line, as Java's `int`.
        ("flyway", "changed") => Tool {
            files: ["V1__users.sql", "V1_1__jobs.sql"],
            good: "CREATE TABLE flyway_schema_history (installed_rank INT NOT NULL PRIMARY KEY, version VARCHAR(50),
                description VARCHAR(200) NOT NULL, type VARCHAR(20) NOT NULL, script VARCHAR(1000) NOT NULL,
                checksum INTEGER, installed_by VARCHAR(100) NOT NULL, installed_on TIMESTAMP NOT NULL DEFAULT now(),
                execution_time INTEGER NOT NULL, success BOOLEAN NOT NULL);
                INSERT INTO flyway_schema_history VALUES
                (1, '1', 'users', 'SQL', 'V1__users.sql', -623083431, 'a', now(), 5, true),
                (2, '1.1', 'jobs', 'SQL', 'V1_1__jobs.sql', -623083431, 'a', now(), 5, true)"
                .to_owned(),
            bad: "UPDATE flyway_schema_history SET checksum = 7 WHERE installed_rank = 2",
        },
        ("prisma", "dirty") => Tool {
            files: ["20240101000000_users/migration.sql", "20240201000000_jobs/migration.sql"],
            good: format!(
                "CREATE TABLE _prisma_migrations (id VARCHAR(36) PRIMARY KEY NOT NULL, checksum VARCHAR(64) NOT NULL,
                finished_at TIMESTAMPTZ, migration_name VARCHAR(255) NOT NULL, logs TEXT, rolled_back_at TIMESTAMPTZ,
                started_at TIMESTAMPTZ NOT NULL DEFAULT now(), applied_steps_count INTEGER NOT NULL DEFAULT 0);
                INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name) VALUES
                ('1', '{0}', now(), '20240101000000_users'), ('2', '{0}', now(), '20240201000000_jobs')",
                hex(&Sha256::digest(CONTENT))
            ),
            bad: "UPDATE _prisma_migrations SET finished_at = NULL, logs = 'it failed' WHERE id = '2'",
        },
        ("knex", "locked") => Tool {
            files: ["20240101_users.js", "20240201_jobs.js"],
            good: "CREATE TABLE knex_migrations (id serial PRIMARY KEY, name varchar(255), batch integer,
                migration_time timestamptz);
                CREATE TABLE knex_migrations_lock (index serial PRIMARY KEY, is_locked integer);
                INSERT INTO knex_migrations (name, batch) VALUES ('20240101_users.js', 1), ('20240201_jobs.js', 2);
                INSERT INTO knex_migrations_lock (is_locked) VALUES (0)"
                .to_owned(),
            bad: "UPDATE knex_migrations_lock SET is_locked = 1",
        },
        ("typeorm", "missing") => Tool {
            files: ["1594914103420-Users.ts", "1594914103421-Jobs.ts"],
            good: "CREATE TABLE migrations (id serial PRIMARY KEY, timestamp bigint NOT NULL, name varchar NOT NULL);
                INSERT INTO migrations (timestamp, name) VALUES
                (1594914103420, 'Users1594914103420'), (1594914103421, 'Jobs1594914103421')"
                .to_owned(),
            bad: "INSERT INTO migrations (timestamp, name) VALUES (1594914103422, 'Later1594914103422')",
        },
        ("sqlx", "dirty") => Tool {
            files: ["20240101000000_users.sql", "20240201000000_jobs.up.sql"],
            good: format!(
                "CREATE TABLE _sqlx_migrations (version BIGINT PRIMARY KEY, description TEXT NOT NULL,
                installed_on TIMESTAMPTZ NOT NULL DEFAULT now(), success BOOLEAN NOT NULL, checksum BYTEA NOT NULL,
                execution_time BIGINT NOT NULL);
                INSERT INTO _sqlx_migrations VALUES
                (20240101000000, 'users', now(), true, '\\x{0}', 5), (20240201000000, 'jobs', now(), true, '\\x{0}', 5)",
                hex(&Sha384::digest(CONTENT))
            ),
            bad: "UPDATE _sqlx_migrations SET success = false WHERE version = 20240201000000",
        },
        ("golang", "dirty") => Tool {
            files: ["000001_users.up.sql", "000002_jobs.up.sql"],
            good: "CREATE TABLE schema_migrations (version bigint NOT NULL PRIMARY KEY, dirty boolean NOT NULL);
                INSERT INTO schema_migrations VALUES (2, false)"
                .to_owned(),
            bad: "UPDATE schema_migrations SET dirty = true",
        },
        ("rails", "missing") => Tool {
            files: ["20240101000000_users.rb", "20240201000000_jobs.rb"],
            good: "CREATE TABLE schema_migrations (version character varying NOT NULL PRIMARY KEY);
                CREATE TABLE ar_internal_metadata (key character varying NOT NULL PRIMARY KEY, value character varying,
                created_at timestamp(6) NOT NULL, updated_at timestamp(6) NOT NULL);
                INSERT INTO schema_migrations VALUES ('20240101000000'), ('20240201000000')"
                .to_owned(),
            bad: "INSERT INTO schema_migrations VALUES ('20240301000000')",
        },
        ("rails", "pending") => Tool {
            bad: "DELETE FROM schema_migrations WHERE version = '20240201000000'",
            ..of("rails", "missing")?
        },
        _ => return None,
    })
}

/// As the role of the service, in its own database.
fn sql(release: &Release<'_>, text: &str) {
    let role = release.namespace.replace('-', "_");
    services::sql(release.lab(), &role, &format!("SET ROLE {role}; {text}")).expect("an answer of PostgreSQL");
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
