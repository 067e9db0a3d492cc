//! The one door to the environment.
#![expect(clippy::disallowed_methods, reason = "the rule is made for gates; here, this is the one door")]

use std::{
    env,
    ffi::OsString,
    path::{Path, PathBuf},
};

use anyhow::{Context as _, Result};

/// A variable that is set and not empty.
#[must_use]
pub fn get(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// Whether nobody is watching: `CI=true`. What is missing is a failure then, not a reason to skip.
#[must_use]
pub fn in_ci() -> bool {
    get("CI").is_some_and(|value| value == "true" || value == "1")
}

/// Where what is installed once is kept: `PRODTEST_CACHE`, else `prodtest` in the user's cache folder.
///
/// # Errors
/// When neither that nor `HOME` is set.
pub fn cache() -> Result<PathBuf> {
    if let Some(cache) = get("PRODTEST_CACHE") {
        return std::path::absolute(cache).context("`PRODTEST_CACHE` is no path");
    }
    let user =
        get("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| get("HOME").map(|home| Path::new(&home).join(".cache")));
    Ok(user.context("no place for the cache: set `PRODTEST_CACHE` or `HOME`")?.join("prodtest"))
}

/// The program `name` on `PATH`.
#[must_use]
pub fn which(name: &str) -> Option<PathBuf> {
    let path = get("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(name)).find(|program| program.is_file())
}

/// The names of the variables that `cargo run` sets for this program. A cargo started from here must not see them:
/// build scripts that watch them would run again each time.
pub(crate) fn of_cargo_run() -> impl Iterator<Item = OsString> {
    const PREFIXES: [&str; 5] = ["CARGO_PKG_", "CARGO_MANIFEST_", "CARGO_BIN_", "CARGO_CRATE_", "CARGO_PRIMARY_"];
    env::vars_os().map(|(name, _)| name).filter(|name| {
        let name = name.to_string_lossy();
        PREFIXES.iter().any(|prefix| name.starts_with(prefix))
    })
}
