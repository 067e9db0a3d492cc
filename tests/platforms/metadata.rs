//! What cargo knows of the workspace.

use std::{path::PathBuf, process::Command};

use prodtest_testkit::repository;
use serde::Deserialize;

/// The packages of the workspace and everything they are made of.
#[derive(Deserialize)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    pub(crate) workspace_members: Vec<String>,
}

#[derive(Deserialize)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) manifest_path: PathBuf,
    pub(crate) dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// Nothing for a normal one, else `dev` or `build`.
    pub(crate) kind: Option<String>,
}

impl Metadata {
    /// Asks cargo, for this machine's platform: what only others need was perhaps never fetched.
    pub(crate) fn load() -> Self {
        let host = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
        let output = Command::new(env!("CARGO"))
            .args(["metadata", "--format-version=1", "--locked", "--filter-platform", &host])
            .current_dir(repository())
            .output()
            .expect("cargo starts");
        assert!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).expect("cargo's metadata")
    }

    /// The packages of the workspace itself.
    pub(crate) fn ours(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| self.workspace_members.contains(&package.id))
    }

    /// Where a package's files are.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let package = self.packages.iter().find(|package| package.name == name);
        let package = package.unwrap_or_else(|| panic!("`{name}` is no dependency"));
        package.folder()
    }
}

impl Package {
    pub(crate) fn folder(&self) -> PathBuf {
        self.manifest_path.parent().expect("a folder").to_owned()
    }

    /// Where it is in the workspace: `bins`, `crates`, or the name of a folder of its own.
    pub(crate) fn room(&self) -> String {
        let folder = self.folder();
        let relative = folder.strip_prefix(repository()).unwrap_or(&folder);
        relative.iter().next().unwrap_or_default().to_string_lossy().into_owned()
    }
}
