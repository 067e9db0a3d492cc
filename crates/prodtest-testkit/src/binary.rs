//! Where the binaries under test are.

use std::path::{Path, PathBuf};

/// The root of this repository.
#[must_use]
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap_or_else(|| Path::new(".")).to_owned()
}

/// A binary of this workspace, built in the same profile as the test that asks.
///
/// # Panics
/// When it is not there, with the command that builds it.
#[must_use]
pub fn binary(name: &str) -> PathBuf {
    // A test is `target/<profile>/deps/<test>`, a tool `target/<profile>/<tool>`.
    let own = std::env::current_exe().unwrap_or_default();
    let found = own.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("`{name}` is not built: run `cargo build --workspace --features godel/faults`"))
}
