//! A server that a test owns: found or loudly missed, stopped, stalled, and gone with its test.

use std::fs;
use std::io::Write as _;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::support::PATIENCE;

/// A process, its children, and what they are sent.
pub(crate) struct Server {
    process: Child,
}

impl Server {
    /// Starts it so that it ends with the tests, however those end.
    pub(crate) fn spawn(program: &Path, args: &[String], user: Option<&str>, log: &Path) -> Self {
        let log = fs::File::options().create(true).append(true).open(log).unwrap();
        let mut command = wrapped(program, user);
        command.args(args).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log).kill_on_drop(true);
        Self { process: command.spawn().unwrap() }
    }

    /// Whether it has ended by itself.
    pub(crate) fn is_over(&mut self) -> bool {
        self.process.try_wait().unwrap().is_some()
    }

    /// Ends it without a word, and waits until it is gone.
    pub(crate) async fn kill(&mut self) {
        self.signal("KILL");
        timeout(PATIENCE, self.process.wait()).await.expect("a killed server ends").unwrap();
    }

    /// Sends a signal to it and its children.
    pub(crate) fn signal(&self, name: &str) {
        // Reaped: the number may be somebody else's by now.
        let Some(pid) = self.process.id() else { return };
        let mut pids = children(pid);
        pids.insert(0, pid);
        let pids: Vec<_> = pids.iter().map(u32::to_string).collect();
        // A child may have ended meanwhile.
        let _ = std::process::Command::new("kill").arg(format!("-{name}")).args(pids).stderr(Stdio::null()).status();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Children that are stopped would not notice that their parent is gone.
        self.signal("KILL");
    }
}

fn children(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").unwrap().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
    pids.filter(|pid| parent_of(*pid) == Some(parent)).collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold anything; then come state and parent.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

/// A program that is run as `user`, and dies with who started it.
pub(crate) fn wrapped(program: &Path, user: Option<&str>) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL"]);
    if let Some(user) = user {
        command.args([&format!("--reuid={user}"), &format!("--regid={user}"), "--clear-groups"]);
    }
    command.arg("--").arg(program).env_clear().env("PATH", "/usr/bin:/bin").current_dir("/");
    command
}

/// A port that nobody listens on.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The program, if the machine has it. Where it has not, CI fails, and a person is told.
pub(crate) fn find(name: &str, folders: impl IntoIterator<Item = PathBuf>, package: &str) -> Option<PathBuf> {
    let found = folders.into_iter().map(|folder| folder.join(name)).find(|path| path.is_file());
    if found.is_none() {
        assert!(!in_ci(), "`{name}` is missing; Debian's package: {package}");
        // Past the test runner's capture: a skip must be seen.
        let _ = writeln!(std::io::stderr(), "SKIPPED: `{name}` is missing; Debian's package: {package}");
    }
    found
}

#[expect(clippy::disallowed_methods, reason = "the rule is made for gates")]
fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|value| value == "true" || value == "1")
}
