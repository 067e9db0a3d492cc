//! The pinned tools: each installed once into `<cache>/tools/<name>-<version>`, its program in `bin/`.

mod install;
mod table;

use std::{
    fs::{self, File},
    path::PathBuf,
    time::Instant,
};

use anyhow::{Context as _, Result, bail, ensure};

pub use self::table::{SYSTEM, Source, System, TOOLS, Tool};
use crate::{env, say, sh};

/// Installs what is missing, one after the other.
///
/// # Errors
/// With what to do, when one cannot be had.
pub fn ensure_all() -> Result<()> {
    ensure_system()?;
    for tool in TOOLS {
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
    if SYSTEM.iter().any(|system| system.name == name) {
        return env::which(name);
    }
    let program = folder(by_name(name).ok()?).ok()?.join("bin").join(name);
    program.is_file().then_some(program)
}

fn by_name(name: &str) -> Result<&'static Tool> {
    let known = || TOOLS.iter().map(|tool| tool.name).collect::<Vec<_>>().join(", ");
    TOOLS.iter().find(|tool| tool.name == name).with_context(|| format!("no tool `{name}`; there are {}", known()))
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

fn missing() -> Vec<&'static System> {
    SYSTEM.iter().filter(|system| env::which(system.name).is_none()).collect()
}

fn names(systems: &[&System]) -> String {
    systems.iter().map(|system| system.name).collect::<Vec<_>>().join(", ")
}

fn ensure_system() -> Result<()> {
    let missing_now = missing();
    if missing_now.is_empty() {
        return Ok(());
    }
    let packages: Vec<&str> = missing_now.iter().map(|system| system.package).collect();
    let programs = names(&missing_now);
    if env::which("apt-get").is_none() {
        bail!("{programs} not found on PATH\n  hint: install them (Debian's packages: {})", packages.join(", "));
    }
    if sh::quietly(sh::program("id").arg("-u"))?.trim() != "0" {
        let command = format!("apt-get update && apt-get install --no-install-recommends {}", packages.join(" "));
        bail!("{programs} not found on PATH\n  hint: sudo sh -c '{command}'");
    }
    say::line(format_args!("installing {} …", packages.join(", ")));
    let begun = Instant::now();
    let apt = || {
        let mut apt = sh::program("apt-get");
        apt.env("DEBIAN_FRONTEND", "noninteractive").args(["-qq", "-o", "DPkg::Lock::Timeout=300"]);
        apt
    };
    sh::quietly(apt().arg("update"))?;
    sh::quietly(apt().args(["install", "--yes", "--no-install-recommends"]).args(&packages))?;
    ensure!(
        missing().is_empty(),
        "installed {}, and still not found on PATH: {}",
        packages.join(", "),
        names(&missing())
    );
    say::line(format_args!("installed {} in {}", packages.join(", "), say::time(begun.elapsed())));
    Ok(())
}
