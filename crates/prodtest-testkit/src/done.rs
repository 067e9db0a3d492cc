//! What a gate said and left behind.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    process::Output,
    time::Duration,
};

use prodtest_gate::{Outcome, RunRecord};
use tempfile::TempDir;

/// A gate that ended.
#[derive(Debug)]
pub struct Done {
    pub(crate) output: Output,
    /// Where its reports are.
    pub out: PathBuf,
    /// How long it took.
    pub took: Duration,
    /// Its home, kept for as long as its reports are read.
    #[expect(dead_code, reason = "it is gone when dropped")]
    pub(crate) folder: TempDir,
}

impl Done {
    /// Its exit code; none when a signal ended it.
    #[must_use]
    pub fn code(&self) -> Option<i32> {
        self.output.status.code()
    }

    /// What it printed on standard output.
    #[must_use]
    pub fn stdout(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).into_owned()
    }

    /// What it printed on standard error.
    #[must_use]
    pub fn stderr(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).into_owned()
    }

    /// Everything it printed, for a failing test's message.
    #[must_use]
    pub fn said(&self) -> String {
        format!("exit code {:?}\n--- stdout\n{}\n--- stderr\n{}", self.code(), self.stdout(), self.stderr())
    }

    /// A report, by the end of its name: `run.json`, `junit.xml`.
    ///
    /// # Panics
    /// When it is not there.
    #[must_use]
    pub fn report(&self, gate: &str, suffix: &str) -> String {
        let path = self.out.join(format!("{gate}.{suffix}"));
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}\n{}", path.display(), self.said()))
    }

    /// Every file it left behind, by name.
    ///
    /// # Panics
    /// When one cannot be read.
    #[must_use]
    pub fn files(&self) -> BTreeMap<String, Vec<u8>> {
        let entries = std::fs::read_dir(&self.out).into_iter().flatten().flatten();
        let read = |path: PathBuf| std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        entries.map(|entry| (entry.file_name().to_string_lossy().into_owned(), read(entry.path()))).collect()
    }

    /// The run record.
    ///
    /// # Panics
    /// When it is not there or cannot be read.
    #[must_use]
    pub fn record(&self, gate: &str) -> RunRecord {
        serde_json::from_str(&self.report(gate, "run.json")).expect("a run record")
    }

    /// The checks with this outcome.
    #[must_use]
    pub fn checks(&self, gate: &str, outcome: Outcome) -> BTreeSet<String> {
        let record = self.record(gate);
        let with = record.checks.iter().filter(|check| check.outcome == outcome);
        with.map(|check| check.check.id.to_string()).collect()
    }

    /// What came of each check, in the order of the plan: its name and `passed`, `failed`, ….
    #[must_use]
    pub fn outcomes(&self, gate: &str) -> Vec<(String, String)> {
        let checks = self.record(gate).checks;
        checks.into_iter().map(|check| (check.check.id.name().to_owned(), check.outcome.to_string())).collect()
    }

    /// Asserts that it said all of this, on either stream.
    ///
    /// # Panics
    /// When something is missing.
    #[must_use]
    #[track_caller]
    pub fn expect_said(self, words: &[&str]) -> Self {
        let said = self.said();
        // A report wraps its lines; a word may stand at the end of one.
        let flat = said.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(flat.contains(word), "`{word}` is not in\n{said}");
        }
        self
    }

    /// Asserts the exit code, with everything it said if it is another.
    ///
    /// # Panics
    /// When it is another.
    #[must_use]
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code(), Some(code), "{}", self.said());
        self
    }
}
