//! A Helm that dies with its gate.
//!
//! A gate that is killed with `kill -9` undoes nothing, and a Helm that outlived it would change the release while the
//! next run puts things back. So a gate starts Helm through itself: `prodtest-deploy __launch PID -- helm …` asks the
//! kernel to kill it when its parent dies, looks whether the parent is still the one that started it, and becomes Helm.
//!
//! The kernel means the parent *thread*: start Helm from a thread that lives as long as the gate, which on a
//! current-thread runtime is the main one. Elsewhere than on Linux there is no such request, and Helm may outlive its
//! gate; the next run finds it by the release that is pending.

use std::{
    ffi::{OsStr, OsString},
    io::{self, Write},
    path::PathBuf,
    process::{Command, ExitCode},
};

/// The word that a gate is started with to become another program.
const WORD: &str = "__launch";
/// The exit code of a launcher that could not become the program, as of `env`.
pub(crate) const NOT_STARTED: u8 = 127;
/// How its last word begins.
pub(crate) const SAID: &str = "prodtest cannot start";

/// How a program is started so that it dies with this one.
#[derive(Clone, Debug)]
pub struct Launcher {
    own: PathBuf,
}

impl Launcher {
    /// Through this process's own program, whose `main` must call [`run_if_asked`] first.
    ///
    /// # Errors
    /// When the system does not say which program this is.
    pub fn own() -> io::Result<Self> {
        std::env::current_exe().map(Self::through)
    }

    /// Through another program whose `main` calls [`run_if_asked`] first.
    #[must_use]
    pub const fn through(program: PathBuf) -> Self {
        Self { own: program }
    }

    /// A command that becomes `program`. Its arguments follow.
    #[must_use]
    pub fn command(&self, program: &OsStr) -> Command {
        let mut command = Command::new(&self.own);
        command.args([OsStr::new(WORD), OsStr::new(&std::process::id().to_string()), OsStr::new("--"), program]);
        command
    }
}

/// Becomes the program that the arguments name, if they are those of a launch; the first argument is one's own name. A
/// gate's `main` calls it before anything else, and ends with the code if there is one.
pub fn run_if_asked(arguments: impl IntoIterator<Item = OsString>) -> Option<ExitCode> {
    let mut arguments = arguments.into_iter().skip(1);
    if arguments.next()? != WORD {
        return None;
    }
    let parent = arguments.next().and_then(|pid| pid.to_str()?.parse().ok());
    let words: Vec<OsString> = arguments.skip(1).collect();
    let why = match (parent, words.as_slice()) {
        (Some(parent), [program, rest @ ..]) => match become_program(parent, program, rest) {
            Ok(never) => match never {},
            Err(error) => format!("{SAID} `{}`: {error}", program.to_string_lossy()),
        },
        _ => format!("`{WORD}` is how a gate starts Helm, and is not for users"),
    };
    // There is nobody else to say it: the reports are the parent's.
    let _ = writeln!(io::stderr(), "{why}");
    Some(ExitCode::from(NOT_STARTED))
}

fn become_program(parent: u32, program: &OsStr, arguments: &[OsString]) -> io::Result<std::convert::Infallible> {
    use std::os::unix::process::CommandExt;
    die_with(parent)?;
    Err(Command::new(program).args(arguments).exec())
}

#[cfg(target_os = "linux")]
fn die_with(parent: u32) -> io::Result<()> {
    use rustix::process::{Signal, getppid, set_parent_process_death_signal};
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have died before the request was made.
    match getppid() {
        Some(now) if now.as_raw_pid().unsigned_abs() == parent => Ok(()),
        _ => Err(io::Error::other("the gate that wanted it is gone")),
    }
}

#[cfg(not(target_os = "linux"))]
fn die_with(_: u32) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(arguments: &[&str]) -> bool {
        run_if_asked(arguments.iter().map(OsString::from)).is_some()
    }

    #[test]
    fn only_a_launch_is_one() {
        assert!(!asked(&[]) && !asked(&["prodtest-deploy"]) && !asked(&["prodtest-deploy", "--list"]));
        assert!(!asked(&["prodtest-deploy", "--only", WORD]));
        assert!(asked(&["prodtest-deploy", WORD]) && asked(&["prodtest-deploy", WORD, "1", "--"]));
    }
}
