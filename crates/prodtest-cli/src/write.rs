//! Files that appear whole or not at all.

use std::{
    fs::{self, File},
    io::{self, Write},
    path::Path,
};

/// Makes the folder and proves that files can be made in it.
///
/// # Errors
/// When it cannot be made or written to.
pub(crate) fn prepare(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    tempfile::Builder::new().prefix(".prodtest-").tempfile_in(folder).map(drop)
}

/// Writes a file beside its place, sees it on the disk, and moves it there. The folder is made again if it is gone.
///
/// # Errors
/// When any of it fails; the old file, if there is one, stays.
pub(crate) fn whole(folder: &Path, name: &str, text: &str) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut file = tempfile::Builder::new().prefix(".prodtest-").permissions(permissions()).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name)).map_err(|error| error.error)?;
    // The name is on the disk only when its folder is.
    File::open(folder)?.sync_all()
}

/// Reports are for everybody; temporary files would be for their owner alone.
fn permissions() -> fs::Permissions {
    use std::os::unix::fs::PermissionsExt;
    fs::Permissions::from_mode(0o644)
}
