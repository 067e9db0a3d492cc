//! The reference service as a child process.

use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use tempfile::TempDir;

use crate::{Certificates, Flaw, binary};

/// The key of the first tenant in tests.
pub const API_KEY: &str = "test-key-of-the-first-tenant";
/// The key of the second tenant.
pub const OTHER_KEY: &str = "test-key-of-the-second-tenant";
/// The key of the administrator.
pub const ADMIN_KEY: &str = "test-key-of-the-administrator";

const START: Duration = Duration::from_secs(20);

/// A running `godel`; stopped when dropped.
#[derive(Debug)]
pub struct Godel {
    child: Child,
    /// Where it is.
    pub url: String,
    /// The authority of its certificate, if it speaks TLS.
    pub ca: Option<PathBuf>,
    folder: TempDir,
}

impl Godel {
    /// Starts one without faults, over plain HTTP.
    #[must_use]
    pub fn healthy() -> Self {
        Self::start(&[], None)
    }

    /// Starts one with these faults; over TLS with a certificate of this flaw, if one is given.
    ///
    /// # Panics
    /// When it does not say within 20 s where it listens.
    #[must_use]
    pub fn start(faults: &[&str], tls: Option<Flaw>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut command = Command::new(binary("godel"));
        command.args(["--listen", "127.0.0.1:0"]);
        if !faults.is_empty() {
            command.args(["--fault", &faults.join(",")]);
        }
        let certificates = tls.map(|flaw| Certificates::make(folder.path(), flaw).expect("certificates can be made"));
        if let Some(certificates) = &certificates {
            command.arg("--tls-cert").arg(&certificates.cert).arg("--tls-key").arg(&certificates.key);
        }
        let log = std::fs::File::create(folder.path().join("godel.log")).expect("a log file");
        let mut child = command
            .env_clear()
            .env("GODEL_API_KEY", API_KEY)
            .env("GODEL_API_KEY_OTHER", OTHER_KEY)
            .env("GODEL_ADMIN_KEY", ADMIN_KEY)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("`godel` starts");
        let url = listening(&mut child).unwrap_or_else(|| {
            let _ = child.kill();
            let log = std::fs::read_to_string(folder.path().join("godel.log")).unwrap_or_default();
            panic!("`godel` did not say within 20 s where it listens; its log:\n{log}");
        });
        Self { child, url, ca: certificates.map(|made| made.ca), folder }
    }

    /// Its log so far: one JSON object a line.
    #[must_use]
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("godel.log")).unwrap_or_default()
    }

    /// The agents of the tenant with this key, as the API lists them.
    ///
    /// # Panics
    /// When it does not answer as it should.
    #[must_use]
    pub fn agents(&self, key: &str) -> Vec<serde_json::Value> {
        let answer = crate::get(&self.url, "/api/agents", &[("X-API-Key", key)]).expect("an answer");
        let listed: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        listed["data"].as_array().expect("a list").clone()
    }

    /// Stops it at once, as a crash would.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The address in the one line that it prints. Read on a thread of its own, so that there can be a deadline.
fn listening(child: &mut Child) -> Option<String> {
    let stdout = child.stdout.take()?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(stdout).read_line(&mut line);
        let _ = sender.send(line);
    });
    let line = receiver.recv_timeout(START).ok()?;
    line.trim().strip_prefix("listening on ").map(str::to_owned)
}

impl Drop for Godel {
    fn drop(&mut self) {
        self.kill();
    }
}
