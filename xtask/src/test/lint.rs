//! Scripts, workflows, actions and dependencies, each held against the tool that knows its kind.

use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, bail, ensure};

use crate::{dist, repo, say, sh, tools};

/// One lint: its name, and what does it.
type Lint<'a> = (&'static str, Box<dyn Fn() -> Result<()> + 'a>);

/// Runs every lint, and then says which were red.
pub(super) fn run() -> Result<()> {
    let files = repo::files()?;
    // The release tree without binaries: what a user pins is linted, not only what it is made from.
    let tree = tempfile::tempdir().context("could not make a folder")?;
    dist::lay_out(tree.path(), &dist::Release::without_binaries())?;
    let lints: [Lint<'_>; 4] = [
        ("shellcheck", Box::new(|| shellcheck(&files))),
        ("actionlint", Box::new(|| actionlint(&files))),
        ("zizmor", Box::new(|| zizmor(&files, tree.path()))),
        ("cargo-deny", Box::new(cargo_deny)),
    ];
    let mut red = Vec::new();
    for (name, lint) in lints {
        if let Err(error) = lint() {
            say::line(format_args!("{name}: {error:#}"));
            red.push(name);
        }
    }
    ensure!(red.is_empty(), "{}", red.join(", "));
    Ok(())
}

fn shellcheck(files: &[PathBuf]) -> Result<()> {
    let mut scripts = Vec::new();
    for file in files {
        if is_script(file)? {
            scripts.push(file);
        }
    }
    ensure!(!scripts.is_empty(), "no script found: this looks in the wrong place");
    let shellcheck = tools::find("shellcheck").context("not installed\n  hint: cargo xtask tools")?;
    sh::run(sh::program(shellcheck).arg("--external-sources").args(scripts))
}

/// Whether its name or its first line says that a shell reads it.
fn is_script(file: &Path) -> Result<bool> {
    if file.extension().is_some_and(|extension| extension == "sh") {
        return Ok(true);
    }
    if file.extension().is_some() {
        return Ok(false);
    }
    let mut start = [0; 64];
    let path = repo::root().join(file);
    let read = File::open(&path).and_then(|mut file| file.read(&mut start));
    let read = read.with_context(|| format!("could not read `{}`", file.display()))?;
    let first = start[..read].split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok(first.starts_with(b"#!") && first.ends_with(b"sh"))
}

/// Those of this project, those of the examples, and those that the tests let a consumer have.
fn actionlint(files: &[PathBuf]) -> Result<()> {
    let consumers = files.iter().filter(|file| file.starts_with("tests/platforms/act"));
    let workflows: Vec<&PathBuf> = workflows(files).chain(consumers).collect();
    ensure!(!workflows.is_empty(), "no workflow found: this looks in the wrong place");
    sh::run(sh::program(tools::need("actionlint")?).args(workflows))
}

fn zizmor(files: &[PathBuf], tree: &Path) -> Result<()> {
    let zizmor = tools::need("zizmor")?;
    let arguments = ["--offline", "--persona=pedantic", "--strict-collection", "--no-progress", "actions"];
    sh::run(sh::program(zizmor).args(arguments).arg(tree).args(workflows(files)))
}

fn workflows(files: &[PathBuf]) -> impl Iterator<Item = &PathBuf> {
    files.iter().filter(|file| file.parent().is_some_and(|parent| parent.ends_with(".github/workflows")))
}

/// Not advisories: their database is in no package registry.
fn cargo_deny() -> Result<()> {
    if !repo::root().join("deny.toml").is_file() {
        bail!("no `deny.toml`");
    }
    let deny = tools::need("cargo-deny")?;
    sh::run(
        sh::program(deny)
            .args(["--locked", "--all-features", "check", "--hide-inclusion-graph"])
            .args(["bans", "licenses", "sources"]),
    )
}
