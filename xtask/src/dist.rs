//! `cargo xtask dist`: the release tree, and the binaries that belong to it.
//!
//! The tree is what a tag shows: `smoke/action.yml` stands at its root, so that `godel/prodtest/smoke@v1` finds it, and
//! its `manifest.json` pins the hash of every binary. The binaries themselves are uploaded beside it, never committed.

use std::{
    fmt::Write as _,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::{describe, env, generate, repo, say, sh};

/// Options of `cargo xtask dist`.
#[derive(Debug, clap::Args)]
pub struct Options {
    /// How to build: `dist` is what users get, about four minutes of one core a binary; `dev` is what tests use
    #[arg(long, value_enum, default_value = "dist")]
    profile: Profile,

    /// Only for this target; may be given several times
    #[arg(long = "target", value_name = "TRIPLE", value_parser = TARGETS)]
    targets: Vec<String>,

    /// Folder to write `tree` and `bin` into
    #[arg(long, value_name = "DIR", default_value = "dist")]
    out: PathBuf,
}

/// How binaries are built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Profile {
    /// The tests' profile, for this machine only; stands in for this machine's target.
    Dev,
    /// Small and static.
    Dist,
}

/// The targets of a release.
pub const TARGETS: [&str; 2] = ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl"];

/// What goes into a release tree.
#[derive(Clone, Debug)]
pub struct Release {
    /// The version, without a `v`.
    pub version: String,
    /// The binaries, by their names in the release.
    pub binaries: Vec<Binary>,
}

/// A binary of a release.
#[derive(Clone, Debug)]
pub struct Binary {
    /// Its name in the release, `prodtest-smoke-x86_64-unknown-linux-musl`.
    pub name: String,
    /// Where it is now.
    pub path: PathBuf,
}

impl Release {
    /// This version, before anything is built.
    #[must_use]
    pub fn without_binaries() -> Self {
        Self { version: repo::VERSION.to_owned(), binaries: Vec::new() }
    }

    /// This version, with the binaries of this machine in `folder` standing in for the released ones.
    #[must_use]
    pub fn from_here(folder: &Path) -> Self {
        let binary = |gate: &&str| {
            let program = describe::program(gate);
            Binary { name: format!("{program}-{}", target_here()), path: folder.join(program) }
        };
        Self { binaries: describe::GATES.iter().map(binary).collect(), ..Self::without_binaries() }
    }
}

/// The released target that runs on this machine.
#[must_use]
pub fn target_here() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

/// Builds, and lays out.
///
/// # Errors
/// When something cannot be built or written.
pub fn run(options: &Options) -> Result<()> {
    let out = std::path::absolute(&options.out).context("`--out` is no path")?;
    let release = match options.profile {
        Profile::Dev => {
            ensure!(options.targets.is_empty(), "`--profile dev` builds for this machine; leave out `--target`");
            Release::from_here(&describe::build()?)
        }
        Profile::Dist => build(&options.targets)?,
    };
    let (tree, bin) = (out.join("tree"), out.join("bin"));
    for folder in [&tree, &bin] {
        if folder.exists() {
            fs::remove_dir_all(folder).with_context(|| format!("could not remove `{}`", folder.display()))?;
        }
    }
    lay_out(&tree, &release)?;
    for binary in &release.binaries {
        let to = bin.join(&binary.name);
        copy(&binary.path, &to)?;
        say::line(format_args!("{} {} bytes", to.display(), size(&to)?));
    }
    say::line(format_args!("{} ({} binaries pinned)", tree.display(), release.binaries.len()));
    Ok(())
}

fn build(targets: &[String]) -> Result<Release> {
    let all = TARGETS.map(String::from);
    let targets = if targets.is_empty() { &all } else { targets };
    let mut release = Release::without_binaries();
    for target in targets {
        install(target)?;
        linker(target)?;
        for gate in describe::GATES {
            let program = describe::program(gate);
            let folder = sh::build(&["--locked", "--profile", "dist", "--target", target, "--package", &program])?;
            let path = folder.join(target).join("dist").join(&program);
            if *target == target_here() {
                let said = sh::quietly(sh::program(&path).arg("--version"))?;
                ensure!(said.contains(repo::VERSION), "`{program} --version` says `{}`", said.trim());
            }
            release.binaries.push(Binary { name: format!("{program}-{target}"), path });
        }
    }
    Ok(release)
}

/// The standard library of `target`.
pub(crate) fn install(target: &str) -> Result<()> {
    let installed = sh::quietly(sh::program("rustup").args(["target", "list", "--installed"]))?;
    if !installed.lines().any(|line| line == target) {
        sh::run(sh::program("rustup").args(["target", "add", target]))?;
    }
    Ok(())
}

/// Another machine's binaries need its linker; `.cargo/config.toml` names it.
fn linker(target: &str) -> Result<()> {
    let architecture = target.split('-').next().unwrap_or_default();
    let linker = format!("{architecture}-linux-gnu-gcc");
    let needed = architecture != std::env::consts::ARCH;
    ensure!(
        !needed || env::which(&linker).is_some(),
        "`{linker}` is not on PATH\n  hint: apt-get install gcc-{}-linux-gnu, or `--target {}` alone",
        architecture.replace('_', "-"),
        target_here()
    );
    Ok(())
}

/// Writes the release tree.
///
/// # Errors
/// When a file is missing or cannot be written.
pub fn lay_out(tree: &Path, release: &Release) -> Result<()> {
    let from = repo::root();
    let manifest = Manifest::of(release)?;
    write(&tree.join("manifest.json"), &manifest.text)?;
    for file in ["action.yml", "setup.sh"] {
        copy(&from.join("actions/setup").join(file), &tree.join("setup").join(file))?;
    }
    for gate in describe::GATES {
        let action = format!("{gate}/action.yml");
        copy(&from.join("actions").join(&action), &tree.join(&action))?;
        let template = from.join("ci-templates").join(gate).join("template.yml");
        let text = fs::read_to_string(&template).with_context(|| format!("could not read `{}`", template.display()))?;
        write(&tree.join("templates").join(gate).join("template.yml"), &manifest.pin(gate, &text)?)?;
    }
    for file in repo::files()? {
        let name = file.to_string_lossy();
        if file.starts_with("schemas") || (name.starts_with("LICENSE") && file.components().count() == 1) {
            copy(&from.join(&file), &tree.join(&file))?;
        }
    }
    write(&tree.join("README.md"), &readme(&release.version))
}

/// The hashes of a release's binaries.
struct Manifest {
    version: String,
    hashes: Vec<(String, String)>,
    text: String,
}

impl Manifest {
    /// One entry a line: `setup.sh` reads it with `sed`, for a runner may have no `jq`.
    fn of(release: &Release) -> Result<Self> {
        let mut hashes = Vec::new();
        let mut entries = Vec::new();
        for binary in &release.binaries {
            let bytes =
                fs::read(&binary.path).with_context(|| format!("could not read `{}`", binary.path.display()))?;
            let mut hash = String::new();
            for byte in Sha256::digest(&bytes) {
                write!(hash, "{byte:02x}").context("could not write to a string")?;
            }
            entries.push(format!("    \"{}\": {}", binary.name, json!({ "sha256": hash, "size": bytes.len() })));
            hashes.push((binary.name.clone(), hash));
        }
        let version = release.version.clone();
        let text =
            format!("{{\n  \"version\": \"{version}\",\n  \"binaries\": {{\n{}\n  }}\n}}\n", entries.join(",\n"));
        Ok(Self { version, hashes, text })
    }

    /// The template with the pins of `gate` filled in.
    fn pin(&self, gate: &str, template: &str) -> Result<String> {
        let hash = |program: String, architecture: &str| {
            let name = format!("{program}-{architecture}-unknown-linux-musl");
            self.hashes.iter().find(|(binary, _)| *binary == name).map_or("", |(_, hash)| hash)
        };
        let mut text = template.to_owned();
        for pin in generate::PINS {
            let value = match pin.split_once("sha256_") {
                Some(("helper_", architecture)) => hash(describe::helper(gate), architecture),
                Some((_, architecture)) => hash(describe::program(gate), architecture),
                None => self.version.as_str(),
            };
            let empty = format!("      {pin}=''\n");
            ensure!(
                text.matches(&empty).count() == 1,
                "the template of `{gate}` must have one line `{}`",
                empty.trim()
            );
            text = text.replace(&empty, &format!("      {pin}='{value}'\n"));
        }
        Ok(text)
    }
}

fn readme(version: &str) -> String {
    format!(
        "# prodtest {version}: the release tree\n\n\
         Made by `cargo xtask dist` from the sources of https://github.com/godel/prodtest; nothing here is edited by \
         hand.\n\n\
         - `uses: godel/prodtest/GATE@v{version}`: the action; `setup` finds or downloads its program\n\
         - `templates/GATE/template.yml`: GitLab, as a component or a plain include\n\
         - `manifest.json`: the sha256 of every binary of this release; nothing is run that does not match it\n\
         - `schemas/`: JSON Schemas of prodtest.yaml, of scenarios and of the run record\n\n\
         The gates are {}.\n",
        describe::GATES.join(", ")
    )
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    parent(to)?;
    fs::copy(from, to).with_context(|| format!("could not copy `{}` to `{}`", from.display(), to.display()))?;
    Ok(())
}

fn write(to: &Path, text: &str) -> Result<()> {
    parent(to)?;
    fs::write(to, text).with_context(|| format!("could not write `{}`", to.display()))?;
    fs::set_permissions(to, fs::Permissions::from_mode(0o644)).context("could not set permissions")
}

fn parent(of: &Path) -> Result<()> {
    let folder = of.parent().context("no parent")?;
    fs::create_dir_all(folder).with_context(|| format!("could not make `{}`", folder.display()))
}

fn size(path: &Path) -> Result<u64> {
    Ok(fs::metadata(path).with_context(|| format!("could not read `{}`", path.display()))?.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_release_pins_every_binary_it_has() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("program");
        fs::write(&path, "abc").unwrap();
        let name = "prodtest-smoke-x86_64-unknown-linux-musl".to_owned();
        let release = Release { version: "1.2.3".into(), binaries: vec![Binary { name: name.clone(), path }] };
        let manifest = Manifest::of(&release).unwrap();
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert!(manifest.text.contains(&format!("\n    \"{name}\": {{\"sha256\":\"{abc}\",\"size\":3}}\n")));
        let parsed: serde_json::Value = serde_json::from_str(&manifest.text).unwrap();
        assert_eq!(parsed["version"], "1.2.3");
        let empty = generate::PINS.map(|pin| format!("      {pin}=''\n")).concat();
        let template = format!("a\n{empty}b\n");
        let pinned = manifest.pin("smoke", &template).unwrap();
        assert!(
            pinned.contains("      version='1.2.3'\n") && pinned.contains(&format!("      sha256_x86_64='{abc}'\n"))
        );
        assert!(pinned.contains("      sha256_aarch64=''\n"), "what was not built has no hash, and is refused");
        let rollback = manifest.pin("rollback", &template).unwrap();
        assert!(rollback.contains("      sha256_x86_64=''\n"));
        assert!(rollback.contains(&format!("      helper_sha256_x86_64='{abc}'\n")), "it calls the smoke gate");
        assert!(manifest.pin("smoke", "a\n").is_err());
    }
}
