//! Programs of others, such as `git`, `docker` and test suites: run in a process group of their own, for a limited time,
//! keeping the end of what they print. Nothing of a group is left behind.

use std::{
    ffi::OsStr,
    io,
    process::{ExitStatus, Stdio},
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::{sleep, timeout},
};

/// How long to wait for the last words of a program that has ended. Who left its group may hold its output open.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How much of what a program printed is kept: its end.
const OUTPUT: usize = 16 * 1024;

/// How a program ended, and what it printed last.
#[derive(Debug)]
pub struct Done {
    /// How it ended.
    pub status: ExitStatus,
    /// The last of what it wrote to standard output.
    pub out: String,
    /// The last of what it wrote to standard error.
    pub err: String,
}

impl Done {
    /// What it printed, for who looks for a reason: programs are not of one mind where that goes.
    #[must_use]
    pub fn said(&self) -> String {
        format!("{}{}", self.out, self.err).trim().to_owned()
    }
}

/// Why a program did not end by itself.
#[derive(Debug, thiserror::Error)]
pub enum Undone {
    /// It is not there.
    #[error("`{0}` is not installed")]
    Missing(String, io::Error),
    /// It is there, and did not start, or could not be waited for.
    #[error("`{0}` could not be run: {1}")]
    Unusable(String, io::Error),
    /// It was given up.
    #[error("`{name}` was given up: {why}; the last it said: {said}", said = .done.said())]
    GivenUp {
        /// The program.
        name: String,
        /// Why.
        why: String,
        /// What it had printed by then.
        done: Box<Done>,
    },
}

/// A program with its arguments, to be run for no longer than `limit`. Its language is that of the tests of what it
/// says: English.
#[must_use]
pub fn program<S: AsRef<OsStr>>(name: &str, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).env("LC_ALL", "C");
    command
}

/// Runs it to its end, for no longer than `limit`.
///
/// # Errors
/// When it could not be started, or had not ended by then.
pub async fn run(command: Command, limit: Duration) -> Result<Done, Undone> {
    run_until(command, async {
        sleep(limit).await;
        format!("it had not ended after {} s", limit.as_secs_f64())
    })
    .await
}

/// Runs it to its end, or until there is a reason to give it up. Nothing of its process group is left behind, also when
/// this future is dropped.
///
/// # Errors
/// When it could not be started, or was given up.
pub async fn run_until(command: Command, given_up: impl Future<Output = String>) -> Result<Done, Undone> {
    run_keeping(command, OUTPUT, given_up).await
}

/// The same, keeping that many bytes of each stream, for a program whose whole output is wanted.
///
/// # Errors
/// When it could not be started, or was given up.
pub async fn run_keeping(
    mut command: Command,
    most: usize,
    given_up: impl Future<Output = String>,
) -> Result<Done, Undone> {
    let name = command.as_std().get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Undone::Missing(name, error)),
        Err(error) => return Err(Undone::Unusable(name, error)),
    };
    let group = Group::of(&child);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let ended = {
        let streams = (child.stdout.take(), child.stderr.take());
        let reading = async { tokio::join!(tail(streams.0, most, &mut out), tail(streams.1, most, &mut err)) };
        tokio::pin!(reading);
        let mut silent = false;
        let waiting = async {
            tokio::select! {
                status = child.wait() => status,
                _ = &mut reading => {
                    silent = true;
                    child.wait().await
                }
            }
        };
        let ended = tokio::select! {
            ended = waiting => Ok(ended),
            why = given_up => Err(why),
        };
        // What it left running ends here, or its output would stay open as long as that lives.
        drop(group);
        if !silent {
            let _ = timeout(LAST_WORDS, &mut reading).await;
        }
        ended
    };
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let done = |status| Done { status, out: text(&out), err: text(&err) };
    match ended {
        Ok(Ok(status)) => Ok(done(status)),
        Ok(Err(error)) => Err(Undone::Unusable(name, error)),
        Err(why) => Err(Undone::GivenUp { name, why, done: Box::new(done(ExitStatus::default())) }),
    }
}

/// The process group of a program: the program, and what it started. It ends with this.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(group) = self.0 {
            // No such group is what one hopes for.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Reads to the end, keeping the last part, in whole lines: half a line may begin in the middle of a secret.
async fn tail(stream: Option<impl AsyncRead + Unpin>, most: usize, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    while matches!(stream.read_buf(kept).await, Ok(read) if read > 0) {
        if kept.len() > 2 * most {
            kept.drain(..kept.len() - most);
            let line = kept.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            kept.drain(..line);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use rustix::{
        event::{PollFd, PollFlags, Timespec, poll},
        process::{PidfdFlags, pidfd_open},
    };

    use super::*;

    #[tokio::test]
    async fn the_end_of_a_long_output_is_kept() {
        let done = run(program("sh", ["-c", "seq 100000; echo last; echo why >&2"]), Duration::from_secs(20)).await;
        let done = done.unwrap();
        assert!(done.out.ends_with("100000\nlast\n") && done.out.len() <= 2 * OUTPUT, "{}", done.out.len());
        assert_eq!(done.err, "why\n");
    }

    #[tokio::test]
    async fn what_a_late_program_started_ends_with_it() {
        let begun = Instant::now();
        let late =
            run(program("sh", ["-c", "sleep 60 & echo $!; wait"]), Duration::from_millis(500)).await.unwrap_err();
        let Undone::GivenUp { done, .. } = &late else { panic!("{late}") };
        let said = done.said();
        assert!(begun.elapsed() < Duration::from_secs(10));
        let Some(pid) = Pid::from_raw(said.trim().parse().expect("the number of what it started")) else {
            panic!("{said}")
        };
        // One that is no more has nobody to watch.
        if let Ok(watched) = pidfd_open(pid, PidfdFlags::empty()) {
            // Readable once it has ended, whether or not somebody took it.
            let seconds = Timespec { tv_sec: 10, tv_nsec: 0 };
            let ended = poll(&mut [PollFd::new(&watched, PollFlags::IN)], Some(&seconds)).expect("a watch");
            assert_eq!(ended, 1, "it still runs");
        }
    }

    #[tokio::test]
    async fn a_missing_program_is_named() {
        let missing = run(program("prodtest-no-such-program", [""; 0]), Duration::from_secs(1)).await.unwrap_err();
        assert_eq!(missing.to_string(), "`prodtest-no-such-program` is not installed");
    }
}
