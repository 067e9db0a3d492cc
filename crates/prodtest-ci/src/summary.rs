//! The page that GitHub shows for a step.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::Path,
};

use prodtest_gate::RunRecord;
use prodtest_report::{SUMMARY_BYTES, markdown};

use crate::Environment;

/// What a step may write in all. One byte more, and GitHub drops the page and shows an error instead.
const MAX_BYTES: u64 = 1024 * 1024;
/// Less than this is no summary.
const MIN_BYTES: usize = 512;

/// Adds the record to the step's summary, in as much room as earlier commands of the step have left. What could not be
/// written comes back as a note.
#[must_use]
pub fn append_summary(environment: &Environment, record: &RunRecord) -> Option<String> {
    let path = environment.var("GITHUB_STEP_SUMMARY")?;
    match append(Path::new(&path), record) {
        Ok(true) => None,
        Ok(false) => Some("the step summary is full, so this gate is not in it".to_owned()),
        Err(error) => Some(format!("the step summary could not be written to `{path}`: {error}")),
    }
}

/// Whether there was room.
fn append(path: &Path, record: &RunRecord) -> io::Result<bool> {
    let mut file = OpenOptions::new().create(true).append(true).open(path)?;
    let used = file.metadata()?.len();
    // Two line feeds keep the page apart from what stands before it.
    let room = MAX_BYTES.saturating_sub(used).saturating_sub(2);
    let room = usize::try_from(room).unwrap_or(usize::MAX).min(SUMMARY_BYTES);
    if room < MIN_BYTES {
        return Ok(false);
    }
    let apart = if used > 0 { "\n\n" } else { "" };
    file.write_all(format!("{apart}{}", markdown(record, room)).as_bytes())?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::fixture::{self, environment, file};

    fn appended(before: &str, record: &RunRecord) -> (Option<String>, String) {
        let target = file(before);
        let environment = environment(&[("GITHUB_STEP_SUMMARY", target.path().to_str().unwrap())]);
        (append_summary(&environment, record), fs::read_to_string(target.path()).unwrap())
    }

    #[test]
    fn it_follows_what_is_there() {
        let (note, page) = appended("earlier", &fixture::red());
        assert_eq!(note, None);
        assert!(page.starts_with("earlier\n\n## ❌ smoke: failed (staging)\n"), "{page}");
    }

    #[test]
    fn all_that_a_step_writes_stays_under_a_mebibyte() {
        let limit = usize::try_from(MAX_BYTES).unwrap();
        for used in [0, 10_000, limit - 5_000, limit - 600, limit - 514] {
            let (note, page) = appended(&"x".repeat(used), &fixture::flood(3_000));
            assert_eq!(note, None, "{used}");
            assert!(page.len() <= limit && page.len() > used, "{used}: {}", page.len());
        }
        let (note, page) = appended(&"x".repeat(limit - 100), &fixture::red());
        assert_eq!(note.as_deref(), Some("the step summary is full, so this gate is not in it"));
        assert_eq!(page.len(), limit - 100);
    }

    #[test]
    fn what_cannot_be_written_is_a_note() {
        let environment = environment(&[("GITHUB_STEP_SUMMARY", "/nowhere/at/all")]);
        assert!(append_summary(&environment, &fixture::red()).unwrap().contains("could not be written"));
    }
}
