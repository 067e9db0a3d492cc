//! A backup in a file: a line with its checksum, then the compressed rest.

use std::{
    fs::{self, DirBuilder, File, Permissions},
    io::{self, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use tempfile::NamedTempFile;

use super::{
    Backup, BackupError, damaged,
    pack::{checksum, pack, unpack},
};

/// How the first line begins; the checksum follows.
const MAGIC: &str = "prodtest-backup sha256:";

/// Writes it into a folder that only this user can enter, and that is made if need be; returns the file. It is there
/// whole or not at all.
///
/// # Errors
/// When the folder cannot be made or written, or others can enter it.
pub fn write_file(folder: &Path, backup: &Backup) -> Result<PathBuf, BackupError> {
    let failed = |error: io::Error| unwritable(folder, error);
    DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
    let mode = fs::metadata(folder).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(unwritable(folder, format!("others may enter it: its mode is {mode:03o}, and should be 700")));
    }
    let stamp = backup.made.strftime("%Y%m%dT%H%M%S%6fZ");
    let path = folder.join(format!("{}-{}-{stamp}.prodtest-backup", backup.namespace, backup.release));
    let bytes = pack(backup).map_err(failed)?;
    let mut file = NamedTempFile::new_in(folder).map_err(failed)?;
    file.as_file().set_permissions(Permissions::from_mode(0o600)).map_err(failed)?;
    writeln!(file, "{MAGIC}{}", checksum(&bytes)).map_err(failed)?;
    file.write_all(&bytes).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(&path).map_err(|error| failed(error.error))?;
    // The name is of the folder, and may be lost with it.
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(path)
}

/// Reads it.
///
/// # Errors
/// When there is none, or it is not what was written.
pub fn read_file(path: &Path) -> Result<Backup, BackupError> {
    let from = path.display().to_string();
    let bytes = fs::read(path).map_err(|error| damaged(&from, error))?;
    let line = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(bytes.len());
    let (first, rest) = bytes.split_at(line);
    let expected = str::from_utf8(first).ok().and_then(|first| first.strip_prefix(MAGIC));
    let expected = expected.ok_or_else(|| damaged(&from, "it is no backup of prodtest"))?;
    unpack(rest.get(1..).unwrap_or_default(), expected, &from)
}

fn unwritable(place: &Path, why: impl ToString) -> BackupError {
    BackupError::Unwritable { place: place.display().to_string(), why: why.to_string() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::pack::tests::backup, *};

    #[test]
    fn a_file_is_read_as_it_was_written_and_nobody_else_can_read_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("a/backups");
        let written = backup(vec![json!({ "kind": "ConfigMap" })]);
        let path = write_file(&folder, &written).unwrap();
        assert!(read_file(&path).unwrap() == written);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&folder), mode(&path)), (0o700, 0o600));
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nothing lies beside it");
    }

    #[test]
    fn a_folder_that_cannot_be_is_an_error_that_names_it() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("a-file");
        fs::write(&file, "").unwrap();
        let error = write_file(&file.join("backups"), &backup(vec![])).unwrap_err();
        assert!(error.to_string().contains("a-file/backups"), "{error}");
        assert!(error.hint().unwrap().contains("--backup-dir"));
    }

    #[test]
    fn a_folder_that_others_may_enter_is_refused() {
        let place = tempfile::tempdir().unwrap();
        fs::set_permissions(place.path(), Permissions::from_mode(0o750)).unwrap();
        let error = write_file(place.path(), &backup(vec![])).unwrap_err();
        assert!(error.to_string().contains("its mode is 750"), "{error}");
    }

    #[test]
    fn a_file_that_was_cut_or_changed_is_refused() {
        let place = tempfile::tempdir().unwrap();
        let path = write_file(&place.path().join("a"), &backup(vec![json!({ "a": 1 })])).unwrap();
        let whole = fs::read(&path).unwrap();
        for bytes in [&whole[..whole.len() - 1], &whole[..10], b"", &[&whole[..], b"x"].concat()] {
            fs::write(&path, bytes).unwrap();
            assert!(matches!(read_file(&path), Err(BackupError::Damaged { .. })), "{} bytes", bytes.len());
        }
    }
}
