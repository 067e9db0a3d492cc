//! A Helm that runs: what it says is read within bounds, and it is ended when the gate ends.

use std::{
    fmt,
    process::{ExitStatus, Stdio},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::Value;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

use super::{
    HelmProblem, explain,
    launch::{NOT_STARTED, SAID},
};

/// A release is at most a megabyte in its Secret, compressed; as JSON, with the chart in base64, some tens.
const MAX_STDOUT: usize = 64 * 1024 * 1024;
/// The last words are those that count.
const MAX_STDERR: usize = 64 * 1024;
/// How long what Helm started itself may keep its pipes open after it.
const PIPES: Duration = Duration::from_secs(2);

/// What became of it. [`fmt::Debug`] leaves out what it printed: Secrets are in a manifest.
#[derive(Clone, PartialEq)]
pub enum Ended {
    /// It did what it was told. What it printed, as JSON; a text, of a command that prints none.
    Done(Value),
    /// It said no.
    Failed {
        /// Its exit code.
        code: i32,
        /// The last part of what it said.
        stderr: String,
        /// What that means.
        problem: HelmProblem,
    },
    /// It could not be started.
    NotStarted(String),
    /// It was ended by a signal, or because it was asked to end.
    Killed,
    /// It says that it did it, and what it printed is something else.
    Garbage(String),
}

impl fmt::Debug for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(_) => f.debug_tuple("Done").finish_non_exhaustive(),
            Self::Failed { code, stderr: _, problem } => {
                f.debug_struct("Failed").field("code", code).field("problem", problem).finish_non_exhaustive()
            }
            Self::NotStarted(why) => f.debug_tuple("NotStarted").field(why).finish(),
            Self::Killed => f.write_str("Killed"),
            Self::Garbage(why) => f.debug_tuple("Garbage").field(why).finish(),
        }
    }
}

/// What a command prints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Prints {
    Json,
    Text,
    /// A text; when it fails, what it printed is what is wrong.
    Report,
}

/// A Helm that runs. When this goes, it is killed.
#[derive(Debug)]
pub struct Running {
    child: Option<Child>,
    group: Option<Pid>,
    prints: Prints,
    stdout: Arc<Mutex<Kept>>,
    stderr: Arc<Mutex<Kept>>,
    readers: Vec<JoinHandle<()>>,
    asked_to_end: bool,
    /// Why it never ran.
    failed: Option<String>,
}

impl Running {
    /// Starts it, in a process group of its own: Ctrl-C at the terminal is the gate's to answer.
    pub(crate) fn start(command: std::process::Command, stdin: Option<String>, prints: Prints) -> Self {
        let mut command = Command::from(command);
        let input = if stdin.is_some() { Stdio::piped() } else { Stdio::null() };
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
        let kept = |limit, end| Arc::new(Mutex::new(Kept { bytes: Vec::new(), limit, end, cut: false }));
        let mut running = Self {
            child: None,
            group: None,
            prints,
            stdout: kept(MAX_STDOUT, End::First),
            stderr: kept(MAX_STDERR, End::Last),
            readers: Vec::new(),
            asked_to_end: false,
            failed: None,
        };
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => {
                running.failed = Some(error.to_string());
                return running;
            }
        };
        running.group = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        if let (Some(mut pipe), Some(text)) = (child.stdin.take(), stdin) {
            // Who does not read it says why by other means.
            tokio::spawn(async move { pipe.write_all(text.as_bytes()).await });
        }
        running.readers.extend(child.stdout.take().map(|pipe| read(pipe, &running.stdout)));
        running.readers.extend(child.stderr.take().map(|pipe| read(pipe, &running.stderr)));
        running.child = Some(child);
        running
    }

    /// Its process id, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref()?.id()
    }

    /// Waits for its end. Can be given up and called again; it has no deadline of its own.
    pub async fn wait(&mut self) -> Ended {
        let Some(child) = &mut self.child else {
            return Ended::NotStarted(self.failed.clone().unwrap_or_default());
        };
        let status = child.wait().await;
        let closed = async {
            for reader in &mut self.readers {
                if !reader.is_finished() {
                    let _ = reader.await;
                }
            }
        };
        // What is read by then is what there is.
        let _ = timeout(PIPES, closed).await;
        match status {
            Ok(status) => self.ended(status),
            Err(error) => Ended::NotStarted(error.to_string()),
        }
    }

    /// Asks it to end, and kills it when it has not within `grace`. Helm that is asked marks the revision as failed,
    /// Helm that is killed leaves it pending.
    pub async fn end(&mut self, grace: Duration) -> Ended {
        self.asked_to_end = true;
        self.signal(Signal::TERM);
        if let Ok(ended) = timeout(grace, self.wait()).await {
            return ended;
        }
        self.signal(Signal::KILL);
        self.wait().await
    }

    /// To it and to what it started itself, which are plugins for credentials.
    fn signal(&self, signal: Signal) {
        // Once it has ended its number may be another's.
        let runs = self.child.as_ref().is_some_and(|child| child.id().is_some());
        if let (true, Some(group)) = (runs, self.group) {
            // It may end at this very moment.
            let _ = kill_process_group(group, signal);
        }
    }

    fn ended(&self, status: ExitStatus) -> Ended {
        let stderr = String::from_utf8_lossy(&lock(&self.stderr).bytes).into_owned();
        match status.code() {
            None => Ended::Killed,
            Some(0) => self.printed(),
            Some(code) if code == i32::from(NOT_STARTED) && stderr.starts_with(SAID) => {
                Ended::NotStarted(stderr.trim_end().to_owned())
            }
            Some(_) if self.asked_to_end => Ended::Killed,
            Some(code) if self.prints == Prints::Report => {
                let printed = String::from_utf8_lossy(&lock(&self.stdout).bytes).into_owned();
                Ended::Failed { code, problem: explain(&stderr), stderr: format!("{printed}\n{stderr}") }
            }
            Some(code) => Ended::Failed { code, problem: explain(&stderr), stderr },
        }
    }

    fn printed(&self) -> Ended {
        let stdout = lock(&self.stdout);
        if stdout.cut {
            return Ended::Garbage(format!("it printed more than {MAX_STDOUT} bytes"));
        }
        match self.prints {
            Prints::Text | Prints::Report => match std::str::from_utf8(&stdout.bytes) {
                Ok(text) => Ended::Done(text.into()),
                Err(_) => Ended::Garbage("it printed no text".to_owned()),
            },
            Prints::Json => match serde_json::from_slice(&stdout.bytes) {
                Ok(json) => Ended::Done(json),
                // The error does not quote what was printed, which has values in it.
                Err(error) => {
                    Ended::Garbage(format!("it printed no JSON, at line {}, column {}", error.line(), error.column()))
                }
            },
        }
    }
}

/// What is kept of a pipe.
#[derive(Debug)]
struct Kept {
    bytes: Vec<u8>,
    limit: usize,
    end: End,
    cut: bool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum End {
    First,
    Last,
}

impl Kept {
    fn take(&mut self, more: &[u8]) {
        match self.end {
            End::First => {
                let room = self.limit - self.bytes.len();
                self.cut |= more.len() > room;
                self.bytes.extend_from_slice(&more[..more.len().min(room)]);
            }
            End::Last => {
                self.bytes.extend_from_slice(more);
                let over = self.bytes.len().saturating_sub(self.limit);
                self.cut |= over > 0;
                self.bytes.drain(..over);
            }
        }
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Reads to the end, whatever is kept: a full pipe would stop Helm half way.
fn read(mut pipe: impl AsyncRead + Unpin + Send + 'static, kept: &Arc<Mutex<Kept>>) -> JoinHandle<()> {
    let kept = Arc::clone(kept);
    tokio::spawn(async move {
        let mut buffer = vec![0; 16 * 1024];
        while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
            lock(&kept).take(&buffer[..read]);
        }
    })
}

/// In one line.
impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done(_) => f.write_str("it ended well"),
            Self::Failed { code, problem, .. } => write!(f, "it ended with {code}: {problem}"),
            Self::NotStarted(why) => write!(f, "it could not be started: {why}"),
            Self::Killed => f.write_str("it was ended by a signal"),
            Self::Garbage(what) => write!(f, "what it printed is something else: {what}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    fn sh(script: &str, stdin: Option<&str>, prints: Prints) -> Running {
        let mut command = std::process::Command::new("sh");
        command.args(["-c", script]);
        Running::start(command, stdin.map(str::to_owned), prints)
    }

    async fn ended(script: &str, stdin: Option<&str>, prints: Prints) -> Ended {
        timeout(Duration::from_secs(20), sh(script, stdin, prints).wait()).await.expect("an end")
    }

    #[tokio::test]
    async fn each_end_is_told_from_the_others() {
        assert_eq!(ended("cat", Some("{\"a\": 1}"), Prints::Json).await, Ended::Done(serde_json::json!({ "a": 1 })));
        let gone = ended("echo gone", None, Prints::Text).await;
        assert_eq!((format!("{gone:?}").as_str(), gone), ("Done(..)", Ended::Done("gone\n".into())));
        let garbage = ended("echo NAME: hunter22", None, Prints::Json).await;
        assert_eq!(garbage, Ended::Garbage("it printed no JSON, at line 1, column 1".to_owned()));
        assert!(matches!(ended("printf '\\377'", None, Prints::Text).await, Ended::Garbage(_)));
        assert_eq!(ended("kill -9 $$", None, Prints::Json).await, Ended::Killed);
        let failed = ended("echo 'Error: release: not found' >&2; exit 1", None, Prints::Json).await;
        assert!(matches!(failed, Ended::Failed { code: 1, problem: HelmProblem::NotFound(_), .. }), "{failed:?}");
        let mut nowhere = Running::start(std::process::Command::new("/nowhere/helm"), None, Prints::Json);
        assert!(matches!(nowhere.wait().await, Ended::NotStarted(_)));
        let report = ended("echo '[ERROR] a'; echo 'Error: 1 failed' >&2; exit 1", None, Prints::Report).await;
        assert!(matches!(&report, Ended::Failed { stderr, .. } if stderr.starts_with("[ERROR] a\n")), "{report:?}");
        let launcher = format!("echo '{SAID} `helm`: No such file' >&2; exit 127");
        assert!(matches!(ended(&launcher, None, Prints::Json).await, Ended::NotStarted(_)));
    }

    #[tokio::test]
    async fn it_is_asked_to_end_before_it_is_killed() {
        let soon = Duration::from_millis(200);
        for (script, grace) in [
            // Asked, it ends.
            (
                "trap 'echo Error: context canceled >&2; exit 1' TERM; echo up; while :; do sleep 0.01; done",
                Duration::from_secs(10),
            ),
            // Asked, it does not.
            ("trap '' TERM; echo up; while :; do sleep 0.01; done", soon),
        ] {
            let mut running = sh(script, None, Prints::Text);
            let up = async {
                while lock(&running.stdout).bytes.is_empty() {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            timeout(Duration::from_secs(10), up).await.expect("it runs");
            let begun = Instant::now();
            assert_eq!(running.end(grace).await, Ended::Killed, "{script}");
            assert!(begun.elapsed() < Duration::from_secs(8), "{script}");
            assert_eq!(running.pid(), None);
        }
    }

    #[tokio::test]
    async fn what_is_left_in_its_pipes_does_not_hold_up_the_gate() {
        let mut running = sh("sleep 30 & echo done", None, Prints::Text);
        let ended = timeout(Duration::from_secs(10), running.wait()).await.expect("an end");
        assert_eq!(ended, Ended::Done("done\n".into()));
        // What it started is of its group.
        kill_process_group(running.group.unwrap(), Signal::KILL).unwrap();
    }

    #[test]
    fn what_is_printed_is_kept_within_bounds() {
        let mut first = Kept { bytes: Vec::new(), limit: 3, end: End::First, cut: false };
        first.take(b"ab");
        first.take(b"c");
        assert!(!first.cut);
        first.take(b"d");
        assert_eq!((first.bytes.as_slice(), first.cut), (&b"abc"[..], true));
        let mut last = Kept { bytes: Vec::new(), limit: 3, end: End::Last, cut: false };
        last.take(b"abcd");
        last.take(b"e");
        assert_eq!(last.bytes, b"cde");
    }
}
