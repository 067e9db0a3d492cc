//! Runs the command of a test suite: in a process group of its own, for a limited time, keeping the end of what it
//! prints.

use std::{
    process::{ExitStatus, Stdio},
    time::Duration,
};

use prodtest_gate::Run;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::{
    io::{AsyncRead, AsyncReadExt},
    process::{Child, Command},
    time::timeout,
};

use crate::{facts::Ended, plan::Plan, section::Suite};

/// How long a command may take when the suite does not say.
const TIMEOUT: Duration = Duration::from_secs(300);
/// How long to wait for the last words of a command that has ended. Who left its group may hold its output open.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How much of what a command printed is kept: its end.
const OUTPUT: usize = 16 * 1024;

/// Runs it; tells how it ended and what it printed last. Nothing of its group is left behind.
pub(crate) async fn execute(
    program: &str,
    arguments: &[String],
    suite: &Suite,
    plan: &Plan,
    run: &Run,
) -> (Ended, String) {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("PRODTEST_URL", plan.url.as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true);
    if !plan.folder.as_os_str().is_empty() {
        command.current_dir(&plan.folder);
    }
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return (Ended::NotStarted(format!("`{program}` could not be started: {error}")), String::new()),
    };
    let group = Group::of(&child);
    let limit = suite.timeout.as_ref().map_or(TIMEOUT, |timeout| timeout.0);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let ended = {
        let streams = (child.stdout.take(), child.stderr.take());
        let reading = async { tokio::join!(tail(streams.0, &mut out), tail(streams.1, &mut err)) };
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
        let ended = match run.unless_stopped(timeout(limit, waiting)).await {
            Ok(Ok(Ok(status))) => ended_by(status),
            Ok(Ok(Err(error))) => Ended::Killed(error.to_string()),
            Ok(Err(_)) => Ended::Killed(format!("it had not ended after {} s", limit.as_secs_f64())),
            Err(reason) => Ended::Killed(reason.to_string()),
        };
        // What it left running ends here, or its output would stay open as long as that lives.
        group.end();
        if !silent {
            let _ = timeout(LAST_WORDS, &mut reading).await;
        }
        ended
    };
    out.append(&mut err);
    (ended, String::from_utf8_lossy(&out).into_owned())
}

fn ended_by(status: ExitStatus) -> Ended {
    match status.code() {
        Some(code) => Ended::Exit(code),
        None => Ended::Killed(status.to_string()),
    }
}

/// The process group of a command: the command, and what it started.
struct Group(Option<Pid>);

impl Group {
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    fn end(self) {
        if let Some(group) = self.0 {
            // No such group is what one hopes for.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

/// Reads to the end, keeping the last part, in whole lines: half a line may begin in the middle of a secret.
async fn tail(stream: Option<impl AsyncRead + Unpin>, kept: &mut Vec<u8>) {
    let Some(mut stream) = stream else { return };
    while matches!(stream.read_buf(kept).await, Ok(read) if read > 0) {
        if kept.len() > 2 * OUTPUT {
            kept.drain(..kept.len() - OUTPUT);
            let line = kept.iter().position(|byte| *byte == b'\n').map_or(0, |end| end + 1);
            kept.drain(..line);
        }
    }
}
