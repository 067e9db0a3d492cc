//! Files that appear whole.

use std::{fs, io::ErrorKind, os::unix::fs::PermissionsExt as _, path::Path};

use anyhow::{Context as _, Result};
use serde::{Serialize, de::DeserializeOwned};

/// Writes a file beside its place and moves it there. `mode` are its permissions.
pub(super) fn write(path: &Path, text: &str, mode: u32) -> Result<()> {
    let failed = || format!("could not write `{}`", path.display());
    let folder = path.parent().with_context(failed)?;
    fs::create_dir_all(folder).with_context(failed)?;
    let half = tempfile::NamedTempFile::new_in(folder).with_context(failed)?;
    fs::write(half.path(), text).with_context(failed)?;
    fs::set_permissions(half.path(), fs::Permissions::from_mode(mode)).with_context(failed)?;
    half.persist(path).map_err(|error| error.error).with_context(failed)?;
    Ok(())
}

/// Readable by its owner alone.
pub(super) fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_string_pretty(value).context("could not write JSON")?;
    write(path, &text, 0o600)
}

/// None where there is no such file.
pub(super) fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let text = match fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error).with_context(|| format!("could not read `{}`", path.display())),
    };
    serde_json::from_str(&text).map(Some).with_context(|| format!("`{}` is not as it was written", path.display()))
}
