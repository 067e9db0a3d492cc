//! Child processes: shown before they run, their output passed through, their exit code taken seriously.

use std::{
    ffi::OsStr,
    io::Write as _,
    os::unix::process::ExitStatusExt as _,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Output, Stdio},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{env, repo, say};

/// A program, to be run in the root of the clone.
pub fn program(name: impl AsRef<OsStr>) -> Command {
    let mut command = Command::new(name);
    command.current_dir(repo::root()).stdin(Stdio::null());
    command
}

/// The cargo that started this program, as if a person had started it.
#[must_use]
pub fn cargo() -> Command {
    let mut command = program(env::get("CARGO").unwrap_or_else(|| "cargo".into()));
    for name in env::of_cargo_run() {
        command.env_remove(name);
    }
    command
}

/// Shows the command, runs it with this program's own output.
///
/// # Errors
/// When it cannot be started or does not exit with 0.
pub fn run(command: &mut Command) -> Result<()> {
    let shown = show(command);
    say::line(format_args!("$ {shown}"));
    let status = command.status().with_context(|| format!("could not start `{shown}`"))?;
    ensure!(status.success(), "`{shown}`: {status}");
    Ok(())
}

/// Runs it and keeps its output, which is shown only when it fails.
///
/// # Errors
/// When it cannot be started or does not exit with 0.
pub fn quietly(command: &mut Command) -> Result<String> {
    let shown = show(command);
    let output = command.output().with_context(|| format!("could not start `{shown}`"))?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("`{shown}`: {}\n{}", output.status, String::from_utf8_lossy(&said).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` wrote something that is not UTF-8"))
}

/// As [`quietly`], for a program that reads this from its standard input: secrets, which arguments would show to everybody.
///
/// # Errors
/// As [`quietly`].
pub fn fed(command: &mut Command, text: &str) -> Result<String> {
    let shown = show(command);
    let output = feed(command, text)?;
    if !output.status.success() {
        let said = [output.stdout, output.stderr].concat();
        bail!("`{shown}`: {}\n{}", output.status, String::from_utf8_lossy(&said).trim());
    }
    String::from_utf8(output.stdout).with_context(|| format!("`{shown}` wrote something that is not UTF-8"))
}

/// Runs a program that reads this from its standard input. What it makes of it is the caller's to judge.
///
/// # Errors
/// When it cannot be started.
pub fn feed(command: &mut Command, text: &str) -> Result<Output> {
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("could not start `{}`", show(command)))?;
    if let Some(mut stdin) = child.stdin.take() {
        // Who ends early says why; that it reads no more is not the news.
        let _ = stdin.write_all(text.as_bytes());
    }
    child.wait_with_output().context("could not wait for a program")
}

/// What a shell would say of how a program ended.
#[must_use]
pub fn code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// Builds these packages' programs; says where cargo put them.
///
/// # Errors
/// When cargo fails.
pub fn build(arguments: &[&str]) -> Result<PathBuf> {
    run(cargo().arg("build").args(arguments))?;
    target()
}

/// Cargo's target folder.
///
/// # Errors
/// When cargo cannot say.
pub fn target() -> Result<PathBuf> {
    #[derive(serde::Deserialize)]
    struct Metadata {
        target_directory: PathBuf,
    }
    let metadata = quietly(cargo().args(["metadata", "--format-version=1", "--no-deps", "--offline"]))?;
    let metadata: Metadata = serde_json::from_str(&metadata).context("`cargo metadata` said something unexpected")?;
    Ok(metadata.target_directory)
}

/// The command as it could be typed, with paths inside the clone made short.
fn show(command: &Command) -> String {
    let short = |word: &OsStr| {
        let path = Path::new(word);
        let path = path.strip_prefix(repo::root()).ok().filter(|rest| !rest.as_os_str().is_empty()).unwrap_or(path);
        let text = path.to_string_lossy();
        if text.is_empty() || text.contains([' ', '"', '$', '*']) { format!("'{text}'") } else { text.into_owned() }
    };
    let program = Path::new(command.get_program());
    let name = program.file_name().map_or_else(|| program.to_string_lossy(), |name| name.to_string_lossy());
    std::iter::once(name.into_owned()).chain(command.get_args().map(short)).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_program_reads_is_not_shown_when_it_fails() {
        let error = fed(program("sh").args(["-c", "cat >/dev/null; echo no >&2; exit 3"]), "hunter22").unwrap_err();
        let error = format!("{error:#}");
        assert!(error.contains("exit status: 3") && error.contains("no"), "{error}");
        assert!(!error.contains("hunter22"), "{error}");
    }

    #[test]
    fn a_program_that_reads_nothing_is_not_a_failure() {
        assert_eq!(fed(&mut program("true"), &"x".repeat(1 << 20)).unwrap(), "");
    }
}
