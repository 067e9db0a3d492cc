//! What the tests of the platforms share: tools or a loud skip, a consumer's repository, the release tree, children
//! whose whole environment the test owns.

use std::{
    fs,
    io::{self, Write as _},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use prodtest_testkit::{ADMIN_KEY, API_KEY, OTHER_KEY, binary, repository};
use tempfile::TempDir;
use xtask::{dist, env, tools};

/// The keys of the reference service, by the names under which Godel's configuration asks for them.
pub(crate) const KEYS: [(&str, &str); 3] =
    [("GODEL_API_KEY", API_KEY), ("GODEL_API_KEY_OTHER", OTHER_KEY), ("GODEL_ADMIN_KEY", ADMIN_KEY)];

/// The program of a tool. Where it is missing, CI fails, and a person is told.
pub(crate) fn tool(name: &str) -> Option<PathBuf> {
    let found = tools::find(name);
    if found.is_none() {
        assert!(!env::in_ci(), "`{name}` is missing: `cargo xtask tools` installs it");
        // Past the test runner's capture: a skip must be seen.
        let _ = writeln!(io::stderr(), "SKIPPED: `{name}` is missing; `cargo xtask tools` installs it");
    }
    found
}

/// A program that sees nothing of this process's environment but `PATH`, and a home of its own.
pub(crate) fn alone(program: impl AsRef<std::ffi::OsStr>, home: &Path) -> Command {
    let mut command = Command::new(program);
    let path = env::get("PATH").expect("a PATH");
    command.env_clear().env("PATH", path).env("HOME", home).stdin(Stdio::null());
    command
}

/// What a child said, with its exit code first.
pub(crate) fn said(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("{}\n--- stdout\n{out}\n--- stderr\n{err}", output.status)
}

/// The release tree, with the binaries that the tests use standing in for the released ones.
pub(crate) fn release(into: &Path) {
    let folder = binary("prodtest-smoke");
    let release = dist::Release::from_here(folder.parent().expect("a folder"));
    dist::lay_out(into, &release).expect("a release tree");
}

/// Someone's repository, with Godel's configuration in it.
pub(crate) struct Consumer {
    folder: TempDir,
}

impl Consumer {
    /// A repository with these further files, committed, whose origin is `origin`.
    pub(crate) fn new(origin: &str, files: &[(&str, &str)]) -> Self {
        let consumer = Self { folder: tempfile::tempdir().expect("a temporary folder") };
        let root = consumer.root();
        fs::create_dir_all(consumer.home()).expect("a home");
        for folder in ["chart", "migrations", "runbooks", "scenarios"] {
            copy_folder(&repository().join("examples/godel").join(folder), &root.join(folder));
        }
        fs::copy(repository().join("examples/godel/prodtest.yaml"), root.join("prodtest.yaml")).expect("a copy");
        for (path, text) in files {
            let path = root.join(path);
            fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        commit(&root, &consumer.home());
        git(&root, &consumer.home(), &["remote", "add", "origin", origin]);
        consumer
    }

    /// The work tree.
    pub(crate) fn root(&self) -> PathBuf {
        self.folder.path().join("consumer")
    }

    /// A home for what runs in it.
    pub(crate) fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// A place for anything else.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// Makes a repository of a folder, with everything in it committed.
pub(crate) fn commit(root: &Path, home: &Path) {
    git(root, home, &["init", "--quiet", "--initial-branch=main"]);
    git(root, home, &["config", "user.name", "Consumer"]);
    git(root, home, &["config", "user.email", "consumer@example.com"]);
    git(root, home, &["add", "--all", "--force"]);
    git(root, home, &["commit", "--quiet", "--message=all"]);
}

/// Runs git in `folder`.
pub(crate) fn git(folder: &Path, home: &Path, arguments: &[&str]) {
    let output = alone("git", home).current_dir(folder).args(arguments).output().expect("git starts");
    assert!(output.status.success(), "git {arguments:?}: {}", said(&output));
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let to = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("a copy");
        }
    }
}

/// No secret in anything that was said.
pub(crate) fn no_secret_in(text: &str) {
    for (name, value) in KEYS {
        assert!(!text.contains(value), "the value of {name} leaked");
    }
}
