//! A gate as a child process whose whole environment the test owns.

use std::{
    ffi::OsStr,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal};
use tempfile::TempDir;

use crate::{ADMIN_KEY, API_KEY, Done, Godel, OTHER_KEY, binary, repository};

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
        Self { command, folder, out }
    }

    /// Run by another program, which ends as the gate does: `unshare --net`.
    ///
    /// # Panics
    /// When no program is named.
    #[must_use]
    pub fn under(mut self, wrapper: &[&str]) -> Self {
        let (program, arguments) = wrapper.split_first().expect("a program");
        let mut command = Command::new(program);
        command.args(arguments).arg(self.command.get_program()).args(self.command.get_args());
        command.env_clear().envs(self.command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        command.current_dir(self.command.get_current_dir().unwrap_or(Path::new(".")));
        self.command = command;
        self
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
        self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = self.command.arg("--out").arg(&self.out).spawn().expect("the gate starts");
        Running { child: Some(child), folder: Some(self.folder), out: self.out, began: Instant::now() }
    }

    /// Runs it to its end.
    #[must_use]
    pub fn run(self) -> Done {
        self.spawn().wait()
    }
}

/// A gate at work; killed when it is dropped before its end, for a test that fails leaves nothing behind.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
    folder: Option<TempDir>,
    out: PathBuf,
    began: Instant,
}

impl Running {
    /// Where its reports will be.
    #[must_use]
    pub fn out(&self) -> &Path {
        &self.out
    }

    /// Reads the first line of its standard output and hears no more of it, as `| head -1` does.
    ///
    /// # Panics
    /// When nobody reads it.
    pub fn first_line(&mut self) -> String {
        let mut line = String::new();
        let stdout = self.child.as_mut().and_then(|child| child.stdout.take()).expect("its standard output");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        line
    }

    /// Waits for its end, and tells the most memory that it ever had, in KiB.
    ///
    /// # Panics
    /// As [`Running::wait`].
    #[must_use]
    pub fn wait_measured(self) -> (Done, u64) {
        let status = format!("/proc/{}/status", self.child().id());
        let watching = thread::spawn(move || {
            let mut peak = 0;
            // A process that has ended has no memory to tell of.
            while let Some(now) = std::fs::read_to_string(&status).ok().as_deref().and_then(high_water_mark) {
                peak = now;
                thread::sleep(Duration::from_millis(2));
            }
            peak
        });
        (self.wait(), watching.join().expect("the watch ends"))
    }

    /// Sends it a signal.
    ///
    /// # Panics
    /// When it is gone.
    pub fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(self.child());
        rustix::process::kill_process(pid, signal).expect("the gate is still there");
    }

    /// Ends it as GitHub ends a job that is cancelled: SIGINT, 7.5 s later SIGTERM, 2.5 s later SIGKILL.
    ///
    /// # Panics
    /// As [`Running::wait`].
    #[must_use]
    pub fn cancel(self) -> Done {
        self.signal(Signal::INT);
        let pid = Pid::from_child(self.child());
        let (ended, waiting) = mpsc::channel::<()>();
        let runner = thread::spawn(move || {
            for (patience, signal) in [(7500, Signal::TERM), (2500, Signal::KILL)] {
                if waiting.recv_timeout(Duration::from_millis(patience)) != Err(mpsc::RecvTimeoutError::Timeout) {
                    return;
                }
                // It may end at this very moment.
                let _ = rustix::process::kill_process(pid, signal);
            }
        });
        let done = self.wait();
        drop(ended);
        runner.join().expect("the runner ends");
        done
    }

    /// Waits for its end.
    ///
    /// # Panics
    /// When it cannot be waited for.
    #[must_use]
    pub fn wait(mut self) -> Done {
        let child = self.child.take().expect("it runs");
        let output = child.wait_with_output().expect("the gate ends");
        let folder = self.folder.take().expect("its home");
        Done { output, out: std::mem::take(&mut self.out), took: self.began.elapsed(), folder }
    }

    fn child(&self) -> &Child {
        self.child.as_ref().expect("it runs until it is waited for")
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The most memory that a process ever had, in KiB.
fn high_water_mark(status: &str) -> Option<u64> {
    status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?.trim().strip_suffix(" kB")?.parse().ok()
}
