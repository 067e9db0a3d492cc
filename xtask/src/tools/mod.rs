//! The pinned tools: each installed once into `<cache>/tools/<name>-<version>`, its program in `bin/`.

mod golang;
mod install;
mod table;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};

pub use self::table::{LAB, LAB_SYSTEM, SYSTEM, Source, System, TOOLS, Tool};
use crate::{env, say, sh};

/// Installs what is missing, one after the other.
///
/// # Errors
/// With what to do, when one cannot be had.
pub fn ensure_all() -> Result<()> {
    ensure_system(SYSTEM)?;
    for tool in TOOLS {
        install(tool)?;
    }
    Ok(())
}

/// Installs all that the lab is made of, and what it needs of the system.
///
/// # Errors
/// With what to do, when one cannot be had.
pub fn ensure_lab() -> Result<()> {
    ensure_system(LAB_SYSTEM)?;
    for tool in LAB {
        install(tool)?;
    }
    Ok(())
}

/// The program of the tool `name`, installed first if need be.
///
/// # Errors
/// When there is no such tool, or it cannot be installed.
pub fn need(name: &str) -> Result<PathBuf> {
    install(by_name(name)?)
}

/// The program of the tool `name`, or of the system, if it is there.
#[must_use]
pub fn find(name: &str) -> Option<PathBuf> {
    if let Some(system) = SYSTEM.iter().chain(LAB_SYSTEM).find(|system| system.name == name) {
        return system.program();
    }
    let program = folder(by_name(name).ok()?).ok()?.join("bin").join(name);
    program.is_file().then_some(program)
}

fn by_name(name: &str) -> Result<&'static Tool> {
    let all = || TOOLS.iter().chain(LAB);
    let known = || all().map(|tool| tool.name).collect::<Vec<_>>().join(", ");
    all().find(|tool| tool.name == name).with_context(|| format!("no tool `{name}`; there are {}", known()))
}

fn folder(tool: &Tool) -> Result<PathBuf> {
    Ok(env::cache()?.join("tools").join(format!("{}-{}{}", tool.name, tool.version, install::suffix(tool)?)))
}

fn install(tool: &Tool) -> Result<PathBuf> {
    let folder = folder(tool)?;
    let program = folder.join("bin").join(tool.name);
    if program.is_file() {
        return Ok(program);
    }
    let all = folder.parent().context("the cache has no parent")?;
    fs::create_dir_all(all).with_context(|| format!("could not make `{}`", all.display()))?;
    // Two runs may want it at once. The lock goes with its holder, however that ends.
    let lock = File::create(all.join(format!(".{}.lock", tool.name))).context("could not make a lock file")?;
    lock.lock().context("could not lock")?;
    if program.is_file() {
        return Ok(program);
    }
    say::line(format_args!("installing {} {} …", tool.name, tool.version));
    let begun = Instant::now();
    let half = tempfile::Builder::new().prefix(".half-").tempdir_in(all).context("could not make a folder")?;
    install::install(tool, half.path()).with_context(|| format!("could not install {} {}", tool.name, tool.version))?;
    // Left over from something else than this: it has no program in it.
    let _ = fs::remove_dir_all(&folder);
    fs::rename(half.keep(), &folder).with_context(|| format!("could not rename to `{}`", folder.display()))?;
    say::line(format_args!("installed {} {} in {}", tool.name, tool.version, say::time(begun.elapsed())));
    Ok(program)
}

impl System {
    /// Where it is, if it is there.
    #[must_use]
    pub fn program(&self) -> Option<PathBuf> {
        match self.name.split_once('*') {
            Some((before, after)) => {
                let mut found: Vec<PathBuf> = fs::read_dir(before)
                    .into_iter()
                    .flatten()
                    .flatten()
                    .map(|entry| entry.path().join(after.trim_start_matches('/')))
                    .filter(|program| program.is_file())
                    .collect();
                // The newest, where several versions are installed.
                found.sort();
                found.pop()
            }
            None if self.name.starts_with('/') => Some(PathBuf::from(self.name)).filter(|program| program.is_file()),
            None => env::which(self.name),
        }
    }
}

/// Those of the system's programs that are not there.
pub fn missing(systems: &'static [System]) -> Vec<&'static System> {
    systems.iter().filter(|system| system.program().is_none()).collect()
}

fn names(systems: &[&System]) -> String {
    systems.iter().map(|system| system.name).collect::<Vec<_>>().join(", ")
}

/// The command that would install these, as a person could type it.
#[must_use]
pub fn apt_command(systems: &[&System]) -> String {
    let packages: Vec<&str> = systems.iter().map(|system| system.package).collect();
    format!("apt-get update && apt-get install --no-install-recommends {}", packages.join(" "))
}

/// Installs what is missing of these by Debian's package manager; the command is shown first.
///
/// # Errors
/// With the command to type, when this program cannot run it, or it does not help.
pub fn ensure_system(systems: &'static [System]) -> Result<()> {
    let missing_now = missing(systems);
    if missing_now.is_empty() {
        return Ok(());
    }
    let programs = names(&missing_now);
    let command = apt_command(&missing_now);
    if env::which("apt-get").is_none() {
        let packages: Vec<&str> = missing_now.iter().map(|system| system.package).collect();
        bail!("{programs} not found\n  hint: install them (Debian's packages: {})", packages.join(", "));
    }
    if !rustix::process::geteuid().is_root() {
        bail!("{programs} not found\n  hint: sudo sh -c '{command}'");
    }
    say::line(format_args!("$ {command}"));
    let begun = Instant::now();
    let apt = || {
        let mut apt = sh::program("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-qq", "-o", "DPkg::Lock::Timeout=300"]);
        apt
    };
    sh::quietly(apt().arg("update"))?;
    let packages = missing_now.iter().map(|system| system.package);
    sh::quietly(apt().args(["install", "--yes", "--no-install-recommends"]).args(packages.clone()))?;
    if Path::new("/run/systemd/system").exists() {
        // Debian starts a service that it installs. Nobody asked for one on this machine: what runs is started by us.
        for package in packages {
            let _ = sh::quietly(sh::program("systemctl").args(["disable", "--now", "--quiet", package]));
        }
    }
    let still = missing(systems);
    ensure!(still.is_empty(), "installed, and still not found: {}", names(&still));
    say::line(format_args!("installed {programs} in {}", say::time(begun.elapsed())));
    Ok(())
}
