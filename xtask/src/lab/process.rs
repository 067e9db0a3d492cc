//! Processes, found by what they were started with. Whoever kills a number must know whose it is: numbers come again.

use std::{fs, thread, time::Duration};

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Signal, kill_process};

use super::{place::Lab, wait};

/// The arguments of a running process; none if there is none of this number, or it has ended and nobody asked for its
/// exit code yet.
pub(super) fn arguments(pid: u32) -> Option<Vec<String>> {
    // While a process becomes another program, it has no arguments for a moment; one that has ended has none for good.
    for _ in 0..1000 {
        match command_line(pid) {
            None if is_running(pid) => thread::yield_now(),
            arguments => return arguments,
        }
    }
    None
}

fn command_line(pid: u32) -> Option<Vec<String>> {
    let line = fs::read(format!("/proc/{pid}/cmdline")).ok()?;
    let words = line.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned());
    (!line.is_empty()).then(|| words.collect())
}

/// Whether anything of it is there but its exit code. The first of a machine's processes has no arguments any more while
/// it still waits for the others to end; and of several threads, the first may be gone before the rest.
pub(super) fn is_running(pid: u32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads.map(|thread| thread.path().join("stat")).any(|stat| {
        // The state comes after the name, which is in parentheses and may hold anything.
        let stat = fs::read_to_string(stat).unwrap_or_default();
        stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
    })
}

/// Every process that bears the lab's mark: the first of each machine, what made it, what waits for those inside.
pub(super) fn of_lab(lab: &Lab) -> Vec<(u32, Vec<String>)> {
    let mark = lab.mark();
    let numbers = fs::read_dir("/proc").into_iter().flatten().flatten();
    numbers
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| Some((pid, command_line(pid)?)))
        .filter(|(_, arguments)| arguments.contains(&mark))
        .collect()
}

/// The processes that this one started, and that still are.
pub(super) fn children(pid: u32) -> Vec<u32> {
    let listed = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    listed.split_whitespace().filter_map(|word| word.parse().ok()).collect()
}

/// Sends a signal. That the process is gone already is no error.
pub(super) fn signal(pid: u32, signal: Signal) -> Result<()> {
    let Some(number) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Ok(()) };
    match kill_process(number, signal) {
        Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
        Err(error) => Err(error).with_context(|| format!("could not signal process {pid}")),
    }
}

/// Ends a process at once, and returns when it is gone.
pub(super) fn end(pid: u32) -> Result<()> {
    signal(pid, Signal::KILL)?;
    gone(pid, Duration::from_secs(20))
}

/// Waits until a process is gone.
pub(super) fn gone(pid: u32, limit: Duration) -> Result<()> {
    wait::until_done(&format!("the end of process {pid}"), limit, || {
        anyhow::ensure!(!is_running(pid), "it is still there");
        Ok(())
    })
}
