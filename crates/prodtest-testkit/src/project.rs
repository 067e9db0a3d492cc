//! A user's repository.

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::{GateCommand, Stub};

/// The key of a [`Project`]'s only environment. Every character in it is written differently somewhere.
pub const KEY: &str = "k3y/of+the<demo>&\"service\"";

const CONFIG: &str = "\
service: demo
environments:
  test:
    url: http://127.0.0.1:1
    auth: { header: X-API-Key, value: { env: DEMO_KEY } }
smoke: { scenarios: [scenarios.yaml] }
";

/// A folder with a `prodtest.yaml` and whatever else a test needs; gone when dropped.
#[derive(Debug)]
pub struct Project {
    folder: TempDir,
}

impl Project {
    /// A project with these files.
    ///
    /// # Panics
    /// When they cannot be written.
    #[must_use]
    pub fn new(files: &[(&str, &str)]) -> Self {
        let project = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        for (path, text) in files {
            project.write(path, text);
        }
        project
    }

    /// A project with one environment, in which [`KEY`] is asked for, and these scenarios.
    #[must_use]
    pub fn with_scenarios(scenarios: &str) -> Self {
        Self::new(&[("prodtest.yaml", CONFIG), ("scenarios.yaml", scenarios)])
    }

    /// Where a file of it is.
    #[must_use]
    pub fn path(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.path().join(path)
    }

    /// Writes a file of it.
    ///
    /// # Panics
    /// When it cannot be written.
    pub fn write(&self, path: &str, text: &str) {
        std::fs::write(self.path(path), text).unwrap_or_else(|error| panic!("{path}: {error}"));
    }

    /// The smoke gate in this folder, with the key.
    #[must_use]
    pub fn gate(&self) -> GateCommand {
        GateCommand::new("smoke").current_dir(self.folder.path()).env("DEMO_KEY", KEY)
    }

    /// The same, against this service.
    #[must_use]
    pub fn gate_against(&self, stub: &Stub) -> GateCommand {
        self.gate().args(["--url", &stub.url])
    }
}
