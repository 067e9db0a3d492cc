//! How Go programs are built: the same bytes from the same source, wherever that is done.

use std::{fs, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};
use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use super::install::patient;
use crate::{repo, sh};

/// A program of somebody else's module.
pub(super) struct Module {
    pub(super) module: &'static str,
    pub(super) sum: &'static str,
    pub(super) package: &'static str,
    pub(super) stamps: &'static [&'static str],
    pub(super) version: &'static str,
}

/// What `go mod download -json` says of a module.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Downloaded {
    dir: String,
    sum: String,
}

/// Builds a program of a module. `go install` takes no module whose `go.mod` replaces others, so it is built from a
/// module of our own that says the same, and is held to the `go.sum` of its authors.
pub(super) fn module(wanted: &Module, program: &Path, workspace: &Path) -> Result<()> {
    let of = format!("{}@v{}", wanted.module, wanted.version);
    let source = sh::quietly(patient("go")?.args(["mod", "download", "-json", &of]).current_dir(workspace))?;
    let source: Downloaded = serde_json::from_str(&source).context("`go mod download` said something unexpected")?;
    ensure!(source.sum == wanted.sum, "the checksum of {of} is `{}`, expected `{}`", source.sum, wanted.sum);

    let build = tempfile::tempdir().context("could not make a folder")?;
    let read = |name: &str| {
        let file = Path::new(&source.dir).join(name);
        fs::read_to_string(&file).with_context(|| format!("could not read `{}`", file.display()))
    };
    let write = |name: &str, text: &str| fs::write(build.path().join(name), text).context("could not write a module");
    write("go.mod", &read("go.mod")?)?;
    write("go.sum", &read("go.sum")?)?;
    write("build.go", "package build\n")?;
    let go = || -> Result<Command> {
        let mut go = patient("go")?;
        go.current_dir(build.path()).env("CGO_ENABLED", "0");
        Ok(go)
    };
    sh::quietly(go()?.args(["mod", "edit", "-module", "prodtest/lab/build", "-require", &of]))?;
    let stamps: String =
        wanted.stamps.iter().map(|stamp| format!(" -X {}", stamp.replace("{version}", wanted.version))).collect();
    let package = format!("{}/{}", wanted.module, wanted.package);
    sh::quietly(
        go()?
            .args(["build", "-mod=mod", "-trimpath", "-ldflags", &format!("-s -w{stamps}"), "-o"])
            .arg(program)
            .arg(package.trim_end_matches('/')),
    )?;
    Ok(())
}

/// Builds the program of a folder of this repository.
pub(super) fn here(folder: &str, stamps: &[&str], program: &Path) -> Result<()> {
    let stamps: String = stamps.iter().map(|stamp| format!(" -X {stamp}")).collect();
    sh::quietly(
        patient("go")?
            .current_dir(repo::root().join(folder))
            .env("CGO_ENABLED", "0")
            .args(["build", "-trimpath", "-buildvcs=false", "-ldflags", &format!("-s -w{stamps}"), "-o"])
            .arg(program)
            .arg("."),
    )?;
    Ok(())
}

/// Eight letters that stand for a folder's source, but for its tests, and what is stamped into the program.
pub(super) fn fingerprint(folder: &str, stamps: &[&str]) -> Result<String> {
    let root = repo::root();
    let mut files = repo::files()?;
    files.retain(|file| file.starts_with(folder) && !file.to_string_lossy().ends_with("_test.go"));
    let mut hash = Sha256::new();
    for file in files {
        hash.update(file.as_os_str().as_encoded_bytes());
        hash.update(fs::read(root.join(&file)).with_context(|| format!("could not read `{}`", file.display()))?);
    }
    hash.update(stamps.join(" "));
    Ok(abbreviate(hash))
}

/// Eight letters that stand for these words.
pub(super) fn short(words: &[&str]) -> String {
    abbreviate(Sha256::new_with_prefix(words.join(" ")))
}

fn abbreviate(hash: Sha256) -> String {
    hash.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}
