//! A launched program dies with the one that launched it, however that one dies.
//!
//! Without a harness: this very program is the gate, the launcher and the test.

#![expect(
    clippy::print_stdout,
    reason = "it is a program: what it prints is read by the test, or is the test's result"
)]

use std::{
    error::Error,
    ffi::OsStr,
    io::{BufRead, BufReader},
    process::{Child, Command, ExitCode, Stdio},
    time::{Duration, Instant},
};

use prodtest_rollout::helm::launch::{self, Launcher};

const PATIENCE: Duration = Duration::from_secs(10);

fn main() -> Result<ExitCode, Box<dyn Error>> {
    if let Some(code) = launch::run_if_asked(std::env::args_os()) {
        return Ok(code);
    }
    let launcher = Launcher::own()?;
    match std::env::args().nth(1).as_deref() {
        // A gate: starts a program that lives long, says which it is, and waits to be killed.
        Some("gate") => {
            let mut child = launcher.command(OsStr::new("sleep")).arg("600").spawn()?;
            println!("{}", child.id());
            child.wait()?;
        }
        Some("--list") => println!("a_program_dies_with_the_gate_that_is_killed: test"),
        _ => {
            a_program_dies_with_the_gate_that_is_killed()?;
            a_program_that_is_not_there_is_told(&launcher)?;
            a_launcher_whose_gate_is_gone_starts_nothing()?;
            println!("test result: ok. 3 passed");
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Killed and waited for, whatever happens.
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn a_program_dies_with_the_gate_that_is_killed() -> Result<(), Box<dyn Error>> {
    let mut gate = Killed(Command::new(std::env::current_exe()?).arg("gate").stdout(Stdio::piped()).spawn()?);
    let mut line = String::new();
    BufReader::new(gate.0.stdout.take().ok_or("no pipe")?).read_line(&mut line)?;
    let pid: u32 = line.trim().parse()?;
    until("the launcher to become `sleep`", || command(pid).is_some_and(|name| name == "sleep"))?;
    gate.0.kill()?;
    gate.0.wait()?;
    until("`sleep` to die with its gate", || command(pid).is_none())
}

fn a_program_that_is_not_there_is_told(launcher: &Launcher) -> Result<(), Box<dyn Error>> {
    let output = launcher.command(OsStr::new("/nowhere/helm")).output()?;
    let said = String::from_utf8(output.stderr)?;
    if output.status.code() == Some(127) && said.starts_with("prodtest cannot start `/nowhere/helm`: ") {
        return Ok(());
    }
    Err(format!("{}: {said}", output.status).into())
}

fn a_launcher_whose_gate_is_gone_starts_nothing() -> Result<(), Box<dyn Error>> {
    // The number of a process that is not its parent.
    let output = Command::new(std::env::current_exe()?).args(["__launch", "1", "--", "echo", "started"]).output()?;
    match (output.status.code(), output.stdout.as_slice()) {
        (Some(127), b"") => Ok(()),
        _ => Err(format!("{output:?}").into()),
    }
}

fn until(what: &str, done: impl Fn() -> bool) -> Result<(), Box<dyn Error>> {
    let begun = Instant::now();
    while !done() {
        if begun.elapsed() > PATIENCE {
            return Err(format!("waited {} s for {what}", PATIENCE.as_secs()).into());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// What a process is, if it runs: one that has died and was not waited for does not.
fn command(pid: u32) -> Option<String> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, rest) = stat.rsplit_once(')')?;
    let name = head.split_once('(')?.1;
    (!rest.trim_start().starts_with(['Z', 'X'])).then(|| name.to_owned())
}
