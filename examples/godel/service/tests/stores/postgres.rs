//! A PostgreSQL of the test's own, with TLS and passwords.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};
use tokio_postgres::{Client, NoTls};

use crate::certificates;
use crate::server::{Server, find, free_port, wrapped};
use crate::support::PATIENCE;

/// As a person would hardly choose it: it needs percent-encoding.
pub(crate) const PASSWORD: &str = "p@ss/w#rd 1";
pub(crate) const ENCODED: &str = "p%40ss%2Fw%23rd%201";
/// PostgreSQL refuses to run as root.
const USER: &str = "postgres";

/// A running PostgreSQL; it ends with this value.
pub(crate) struct Postgres {
    // Before its files.
    server: Option<Server>,
    folder: TempDir,
    program: PathBuf,
    port: u16,
}

impl Postgres {
    /// None where the machine has none.
    pub(crate) async fn start() -> Option<Self> {
        let initdb = program("initdb")?;
        let folder = TempDir::new().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o711)).unwrap();
        let file = |name: &str| folder.path().join(name);
        let data = file("data");
        fs::create_dir(&data).unwrap();
        fs::write(file("password"), PASSWORD).unwrap();
        certificates::write(folder.path(), "127.0.0.1");
        fs::set_permissions(file("key.pem"), fs::Permissions::from_mode(0o600)).unwrap();
        if let Some((uid, gid)) = other_user().await {
            for path in [&data, &file("password"), &file("key.pem")] {
                chown(path, Some(uid), Some(gid)).unwrap();
            }
        }
        let mut initialise = wrapped(&initdb, user());
        initialise.args(["--no-sync", "--locale=C", "--encoding=UTF8", "--username=godel", "--auth=scram-sha-256"]);
        let output = initialise.arg("--pwfile").arg(file("password")).arg("-D").arg(&data).output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));

        let program = program("postgres")?;
        let mut postgres = Self { server: None, folder, program, port: free_port() };
        postgres.run().await;
        Some(postgres)
    }

    /// Starts it, again if it was killed, and waits until it answers.
    pub(crate) async fn run(&mut self) {
        let file = |name: &str| self.folder.path().join(name).display().to_string();
        let mut args = vec!["-D".to_owned(), file("data")];
        for (name, value) in [
            ("listen_addresses", "127.0.0.1".to_owned()),
            ("port", self.port.to_string()),
            ("unix_socket_directories", String::new()),
            ("fsync", "off".to_owned()),
            ("ssl", "on".to_owned()),
            ("ssl_cert_file", file("cert.pem")),
            ("ssl_key_file", file("key.pem")),
        ] {
            args.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        let log = self.folder.path().join("log");
        let deadline = Instant::now() + PATIENCE;
        while self.connect().await.is_err() {
            assert!(Instant::now() < deadline, "PostgreSQL does not come up:\n{}", fs::read_to_string(log).unwrap());
            // What is left of a killed one may still hold the memory: then the next try succeeds.
            if self.server.as_mut().is_none_or(Server::is_over) {
                self.server = Some(Server::spawn(&self.program, &args, user(), &log));
            }
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// Kills it, as a lost machine would.
    pub(crate) async fn kill(&mut self) {
        self.server.as_mut().unwrap().kill().await;
    }

    /// Stalls it: connections stay, and nothing answers.
    pub(crate) fn stall(&self) {
        self.server.as_ref().unwrap().signal("STOP");
    }

    pub(crate) fn resume(&self) {
        self.server.as_ref().unwrap().signal("CONT");
    }

    /// Where it is, for the service: encrypted, and checked.
    pub(crate) fn env(&self) -> [(&'static str, String); 2] {
        [("GODEL_DATABASE_URL", self.url("verify-full")), ("GODEL_DATABASE_CA", self.ca())]
    }

    pub(crate) fn url(&self, mode: &str) -> String {
        format!("postgres://godel:{ENCODED}@127.0.0.1:{}/postgres?sslmode={mode}", self.port)
    }

    pub(crate) fn ca(&self) -> String {
        self.folder.path().join("ca.pem").display().to_string()
    }

    /// Asks it directly; the text of the first column.
    pub(crate) async fn ask(&self, sql: &str) -> Vec<String> {
        let client = self.connect().await.unwrap();
        let messages = client.simple_query(sql).await.unwrap();
        let rows = messages.iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or_default().to_owned()),
            _ => None,
        });
        rows.collect()
    }

    async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config.host("127.0.0.1").port(self.port).user("godel").password(PASSWORD).dbname("postgres");
        let (client, connection) = config.connect_timeout(Duration::from_secs(2)).connect(NoTls).await?;
        tokio::spawn(connection);
        Ok(client)
    }
}

/// Debian keeps the server's programs beside the path, a folder a version.
fn program(name: &str) -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<_> = versions.map(|version| version.path().join("bin")).collect();
    // All of one version, where there are several.
    folders.sort_unstable();
    find(name, folders, "postgresql")
}

fn user() -> Option<&'static str> {
    rustix::process::geteuid().is_root().then_some(USER)
}

async fn other_user() -> Option<(u32, u32)> {
    user()?;
    let id = |flag: &'static str| async move {
        let output = tokio::process::Command::new("id").args([flag, USER]).output().await.unwrap();
        String::from_utf8(output.stdout).unwrap().trim().parse::<u32>().unwrap()
    };
    Some((id("-u").await, id("-g").await))
}
