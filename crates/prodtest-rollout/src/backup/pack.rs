//! A backup as bytes with a checksum. Pure.

use std::io::{self, Read as _, Write as _};

use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use sha2::{Digest as _, Sha256};

use super::{Backup, BackupError, damaged};

/// The version of a backup's shape.
pub(super) const SCHEMA: u32 = 1;

/// How much a backup may be, unpacked: what is larger is no backup of ours.
const LARGEST: u64 = 256 << 20;

/// The SHA-256 in hexadecimal.
pub(super) fn checksum(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    Sha256::digest(bytes).iter().fold(String::new(), |mut text, byte| {
        // Writing to a string does not fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

pub(super) fn pack(backup: &Backup) -> io::Result<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(&serde_json::to_vec(backup)?)?;
    encoder.finish()
}

/// The backup of these bytes, which must be what was written. `from`: where they are from, for the error.
pub(super) fn unpack(bytes: &[u8], expected: &str, from: &str) -> Result<Backup, BackupError> {
    let seen = checksum(bytes);
    if seen != expected {
        return Err(damaged(from, format!("its SHA-256 is `{seen}`, and was `{expected}` when it was written")));
    }
    let mut text = Vec::new();
    GzDecoder::new(bytes).take(LARGEST).read_to_end(&mut text).map_err(|error| damaged(from, error))?;
    // The parser's own words quote what it could not read, which is secret.
    let backup: Backup = serde_json::from_slice(&text)
        .map_err(|error| damaged(from, format!("it is no backup, from line {} on", error.line())))?;
    if backup.schema != SCHEMA {
        let why = format!("it is of schema {}, and this version of prodtest knows {SCHEMA}", backup.schema);
        return Err(damaged(from, why));
    }
    Ok(backup)
}

#[cfg(test)]
pub(super) mod tests {
    use jiff::Timestamp;
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;

    pub(in crate::backup) fn backup(objects: Vec<Value>) -> Backup {
        let (release, namespace) = ("godel".to_owned(), "shop".to_owned());
        let (schema, made) = (SCHEMA, Timestamp::UNIX_EPOCH);
        Backup { schema, release, namespace, made, objects, missing: Vec::new(), helm: Vec::new() }
    }

    proptest! {
        #[test]
        fn a_backup_is_read_as_it_was_written(
            objects in proptest::collection::vec(crate::backup::compare::tests::any_object(), 0..5),
        ) {
            let backup = backup(objects);
            let bytes = pack(&backup).unwrap();
            prop_assert!(unpack(&bytes, &checksum(&bytes), "a").unwrap() == backup);
        }

        #[test]
        fn a_byte_that_is_another_or_missing_is_noticed(at in any::<proptest::sample::Index>(), cut in any::<bool>()) {
            let bytes = pack(&backup(vec![json!({ "kind": "Secret", "data": { "key": "s3cret" } })])).unwrap();
            let (mut tampered, at) = (bytes.clone(), at.index(bytes.len()));
            if cut {
                tampered.truncate(at);
            } else {
                tampered[at] ^= 1;
            }
            let error = unpack(&tampered, &checksum(&bytes), "a").unwrap_err();
            let is_damaged = matches!(error, BackupError::Damaged { .. });
            prop_assert!(is_damaged);
        }
    }

    #[test]
    fn what_is_no_backup_is_not_quoted() {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(b"{\"schema\": \"s3cret\"}").unwrap();
        let bytes = encoder.finish().unwrap();
        let error = unpack(&bytes, &checksum(&bytes), "a").unwrap_err().to_string();
        assert!(error.contains("no backup") && !error.contains("s3cret"), "{error}");
    }

    #[test]
    fn what_it_holds_is_not_shown() {
        let shown = format!("{:?}", backup(vec![json!({ "data": "s3cret" })]));
        assert!(shown.contains("objects: 1") && !shown.contains("s3cret"), "{shown}");
    }
}
