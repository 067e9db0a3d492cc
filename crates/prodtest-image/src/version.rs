//! The version of what is built: what `git describe --tags --always --dirty` says, and the tag of an image for it.

use std::{path::Path, time::Duration};

use prodtest_process::{Done, Undone, program, run};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reference::is_tag;

/// Looking whether files changed reads all of a large repository.
const PATIENCE: Duration = Duration::from_secs(60);
/// The longest tag.
const LONGEST: usize = 128;

/// A version, and what it is of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Version {
    /// As git describes it: `v1.2.3`, `v1.2.3-4-gabcdef0`, `abcdef0`, each with `-dirty` when files have changed. A `v`
    /// at the start is a part of it: what git, the image and the service call by one name can be compared.
    pub described: String,
    /// The commit.
    pub commit: String,
    /// Whether files that git knows have changed since: then nobody can build it again.
    pub dirty: bool,
}

/// Why there is no version.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VersionError {
    /// There is no git.
    #[error("there is no version without git: `git` is not installed")]
    NoGit,
    /// There is no repository.
    #[error("there is no version without a repository, and `{0}` is in none")]
    NoRepository(String),
    /// Nothing was committed.
    #[error("there is no version without a commit, and the repository in `{0}` has none")]
    NoCommit(String),
    /// The tags are not there.
    #[error("the repository in `{0}` is a shallow clone without the tags, so that its version would be wrong")]
    Shallow(String),
    /// Whatever else git says.
    #[error("`git` does not tell the version: {0}")]
    Git(String),
}

impl VersionError {
    /// What to do, in one line.
    #[must_use]
    pub const fn hint(&self) -> &'static str {
        match self {
            Self::NoGit => "install git, or name the version yourself",
            Self::NoRepository(_) => "name the folder of the repository, or the version",
            Self::NoCommit(_) => "commit first, or name the version yourself",
            Self::Shallow(_) => {
                "fetch the tags: `fetch-depth: 0` for `actions/checkout`, `GIT_DEPTH: 0` on GitLab, `git fetch --tags \
                 --unshallow` in a shell"
            }
            Self::Git(_) => "run `git describe --tags --always --dirty` in that folder by hand",
        }
    }
}

/// Asks git for the version of what is in this folder.
///
/// # Errors
/// When git does not know it, or cannot know it in a clone without tags.
pub async fn version_of(folder: &Path) -> Result<Version, VersionError> {
    let place = folder.display().to_string();
    let commit = match git(folder, &["rev-parse", "--verify", "HEAD"]).await? {
        done if done.status.success() => done.out.trim().to_owned(),
        done if done.err.contains("not a git repository") => return Err(VersionError::NoRepository(place)),
        // Git names the owner and the command that trusts it.
        done if done.err.contains("dubious ownership") => return Err(VersionError::Git(done.said())),
        _ => return Err(VersionError::NoCommit(place)),
    };
    let mut done = git(folder, &["describe", "--tags", "--dirty"]).await?;
    if !done.status.success() {
        let shallow = git(folder, &["rev-parse", "--is-shallow-repository"]).await?;
        if shallow.out.trim() == "true" {
            return Err(VersionError::Shallow(place));
        }
        done = git(folder, &["describe", "--tags", "--always", "--dirty"]).await?;
    }
    let described = done.out.trim().to_owned();
    if !done.status.success() || described.is_empty() {
        return Err(VersionError::Git(done.said()));
    }
    Ok(Version { dirty: described.ends_with("-dirty"), described, commit })
}

async fn git(folder: &Path, arguments: &[&str]) -> Result<Done, VersionError> {
    let mut command = program("git", arguments);
    // A version is no reason to write to the repository.
    command.current_dir(folder).env("GIT_OPTIONAL_LOCKS", "0");
    run(command, PATIENCE).await.map_err(|undone| match undone {
        // That the folder is missing looks the same.
        Undone::Missing(..) if folder.is_dir() => VersionError::NoGit,
        Undone::Missing(..) => VersionError::NoRepository(folder.display().to_string()),
        undone @ (Undone::Unusable(..) | Undone::GivenUp { .. }) => VersionError::Git(undone.to_string()),
    })
}

/// Why a version gives no tag.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the version {0:?} gives no tag: letters, digits, `_`, `.` and `-`, at most {LONGEST}")]
pub struct InvalidTag(String);

/// The tag of an image for a version. What semantic versions have and tags have not, the `+` before build metadata,
/// becomes a `_`, as with Helm; so does a `/`, which git's tags may have. A `v` at the start stays.
///
/// # Errors
/// When it still is no tag: too long, or with other characters. To cut it would give two versions one tag.
pub fn tag_of(version: &str) -> Result<String, InvalidTag> {
    let tag = version.replace(['+', '/'], "_");
    if is_tag(&tag) { Ok(tag) } else { Err(InvalidTag(version.to_owned())) }
}

#[cfg(test)]
mod tests {
    use std::{fs, process::Command};

    use super::*;

    struct Repository(tempfile::TempDir);

    impl Repository {
        fn new() -> Self {
            let repository = Self(tempfile::tempdir().unwrap());
            repository.git(&["init", "--quiet"]);
            repository
        }

        fn git(&self, arguments: &[&str]) {
            let who = ["-c", "user.name=a", "-c", "user.email=a@example.com", "-c", "commit.gpgsign=false"];
            let mut command = Command::new("git");
            command.current_dir(self.0.path()).args(who).args(arguments);
            let output = command.output().unwrap();
            assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        }

        fn commit(&self, content: &str) {
            fs::write(self.0.path().join("file"), content).unwrap();
            self.git(&["add", "."]);
            self.git(&["commit", "--quiet", "--message", "a change"]);
        }

        async fn version(&self) -> Result<Version, VersionError> {
            version_of(self.0.path()).await
        }
    }

    #[tokio::test]
    async fn git_describes_a_version() {
        let repository = Repository::new();
        assert!(matches!(repository.version().await, Err(VersionError::NoCommit(_))));
        repository.commit("1");
        let untagged = repository.version().await.unwrap();
        assert!(untagged.commit.starts_with(&untagged.described) && untagged.commit.len() == 40, "{untagged:?}");
        repository.git(&["tag", "v1.2.3"]);
        let tagged = repository.version().await.unwrap();
        assert_eq!((tagged.described.as_str(), tagged.dirty), ("v1.2.3", false));
        repository.commit("2");
        let later = repository.version().await.unwrap();
        assert!(later.described.starts_with("v1.2.3-1-g") && !later.dirty, "{later:?}");
        fs::write(repository.0.path().join("file"), "3").unwrap();
        let dirty = repository.version().await.unwrap();
        assert!(dirty.described.ends_with("-dirty") && dirty.dirty, "{dirty:?}");
    }

    #[tokio::test]
    async fn a_shallow_clone_without_tags_has_no_version() {
        let (origin, clone) = (Repository::new(), tempfile::tempdir().unwrap());
        origin.commit("1");
        origin.git(&["tag", "v1"]);
        origin.commit("2");
        let url = format!("file://{}", origin.0.path().display());
        let folder = clone.path().join("clone");
        origin.git(&["clone", "--quiet", "--depth", "1", &url, folder.to_str().unwrap()]);
        let error = version_of(&folder).await.unwrap_err();
        assert!(matches!(error, VersionError::Shallow(_)) && error.hint().contains("fetch-depth: 0"), "{error}");
    }

    #[tokio::test]
    async fn no_repository_is_told_apart_from_no_git() {
        let nothing = tempfile::tempdir().unwrap();
        assert!(matches!(version_of(nothing.path()).await, Err(VersionError::NoRepository(_))));
        assert!(matches!(version_of(&nothing.path().join("x")).await, Err(VersionError::NoRepository(_))));
    }

    #[test]
    fn a_version_gives_a_tag() {
        for (version, tag) in [("v1.2.3-4-gabc-dirty", "v1.2.3-4-gabc-dirty"), ("1.0+b.1", "1.0_b.1"), ("a/b", "a_b")] {
            assert_eq!(tag_of(version).as_deref(), Ok(tag));
        }
        for version in ["", "-1", "1 0", "ü", &"1".repeat(129)] {
            assert_eq!(tag_of(version), Err(InvalidTag(version.to_owned())));
        }
    }
}
