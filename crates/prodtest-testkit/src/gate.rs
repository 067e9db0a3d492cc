//! A gate as a child process whose whole environment the test owns.

use std::{
    collections::BTreeSet,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
};

use prodtest_gate::{Outcome, RunRecord};
use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::{ADMIN_KEY, API_KEY, Godel, OTHER_KEY, binary, repository};

/// A call of a gate. Nothing of the caller's environment reaches it but `PATH`: no `CI`, no `GITHUB_*`, no `HOME`.
#[derive(Debug)]
pub struct GateCommand {
    command: Command,
    folder: TempDir,
    out: PathBuf,
}

impl GateCommand {
    /// A call of `prodtest-<gate>` in the repository's root, reporting into a temporary folder.
    ///
    /// # Panics
    /// When there is no temporary folder to be had.
    #[must_use]
    pub fn new(gate: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let out = folder.path().join("out");
        let mut command = Command::new(binary(&format!("prodtest-{gate}")));
        let path = Self::own_path();
        command.env_clear().env("PATH", path).env("HOME", folder.path()).current_dir(repository());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self { command, folder, out }
    }

    #[expect(clippy::disallowed_methods, reason = "the one variable that a child needs to find programs")]
    fn own_path() -> std::ffi::OsString {
        std::env::var_os("PATH").unwrap_or_default()
    }

    /// The smoke gate with Godel's own configuration, against this service, with all keys.
    #[must_use]
    pub fn smoke(godel: &Godel) -> Self {
        let gate = Self::new("smoke").godel().args(["--url", &godel.url]);
        match &godel.ca {
            Some(ca) => gate.arg("--ca").arg(ca),
            None => gate,
        }
    }

    /// With Godel's own configuration, environment `local`, and all keys.
    #[must_use]
    pub fn godel(self) -> Self {
        self.args(["--config", "examples/godel/prodtest.yaml", "--env", "local"])
            .env("GODEL_API_KEY", API_KEY)
            .env("GODEL_API_KEY_OTHER", OTHER_KEY)
            .env("GODEL_ADMIN_KEY", ADMIN_KEY)
    }

    /// A further argument.
    #[must_use]
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Further arguments.
    #[must_use]
    pub fn args(mut self, arguments: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        self.command.args(arguments);
        self
    }

    /// A variable of its environment.
    #[must_use]
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// Without a variable of its environment.
    #[must_use]
    pub fn env_remove(mut self, name: &str) -> Self {
        self.command.env_remove(name);
        self
    }

    /// The folder it runs in.
    #[must_use]
    pub fn current_dir(mut self, folder: &Path) -> Self {
        self.command.current_dir(folder);
        self
    }

    /// Where it reports to, instead of the temporary folder.
    #[must_use]
    pub fn out(mut self, out: &Path) -> Self {
        out.clone_into(&mut self.out);
        self
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be started.
    #[must_use]
    pub fn spawn(mut self) -> Running {
        let child = self.command.arg("--out").arg(&self.out).spawn().expect("the gate starts");
        Running { child, folder: self.folder, out: self.out }
    }

    /// Runs it to its end.
    #[must_use]
    pub fn run(self) -> Done {
        self.spawn().wait()
    }
}

/// A gate at work.
#[derive(Debug)]
pub struct Running {
    child: Child,
    folder: TempDir,
    out: PathBuf,
}

impl Running {
    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("the gate is still there");
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it cannot be waited for.
    #[must_use]
    pub fn wait(self) -> Done {
        let output = self.child.wait_with_output().expect("the gate ends");
        Done { output, out: self.out, _folder: self.folder }
    }
}

/// A gate that ended.
#[derive(Debug)]
pub struct Done {
    output: Output,
    /// Where its reports are.
    pub out: PathBuf,
    _folder: TempDir,
}

impl Done {
    /// Its exit code; none when a signal ended it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// What it printed on standard output.
    #[must_use]
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// What it printed on standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Everything it printed, for a failing test's message.
    #[must_use]
    pub fn said(&self) -> String {
        format!("exit code {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code(), self.stdout(), self.stderr())
    }

    /// A report, by the end of its name: `run.json`, `junit.xml`.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn report(&self, gate: &str, suffix: &str) -> String {
        let path = self.out.join(format!("{gate}.{suffix}"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}\n{}", path.display(), self.said()))
    }

    /// The run record.
    ///
    /// # Panics
    /// When it is not there or cannot be read.
    #[must_use]
    pub fn record(&self, gate: &str) -> RunRecord {
        serde_json::from_str(&self.report(gate, "run.json")).expect("a run record")
    }

    /// The checks with this outcome.
    #[must_use]
    pub fn checks(&self, gate: &str, outcome: Outcome) -> BTreeSet<String> {
        let record = self.record(gate);
        let with = record.checks.iter().filter(|check| check.outcome == outcome);
        with.map(|check| check.check.id.to_string()).collect()
    }

    /// Asserts the exit code, with everything it said if it is another.
    ///
    /// # Panics
    /// When it is another.
    #[must_use]
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{}", self.said());
        self
    }
}
