//! The process's environment, behind a lookup.

use std::{fmt, path::PathBuf};

use crate::{Platform, commit};

type Lookup = dyn Fn(&str) -> Option<String> + Send + Sync;

/// The variables of the process, or of a test. A variable that is empty counts as unset: CI systems set what they
/// have no value for to nothing.
pub struct Environment {
    lookup: Box<Lookup>,
}

impl Environment {
    /// An environment in which `lookup` knows every variable.
    pub fn new(lookup: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        Self { lookup: Box::new(lookup) }
    }

    /// The environment of this process. A variable that is no UTF-8 counts as unset.
    #[must_use]
    pub fn from_process() -> Self {
        #[expect(clippy::disallowed_methods, reason = "the one door to the environment")]
        Self::new(|name| std::env::var(name).ok())
    }

    /// A variable, if it is set to something.
    #[must_use]
    pub fn var(&self, name: &str) -> Option<String> {
        (self.lookup)(name).filter(|value| !value.is_empty())
    }

    /// Which CI system this is, if any that is known.
    #[must_use]
    pub fn platform(&self) -> Platform {
        let says_yes = |name| self.var(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        // Gitea and Forgejo set GitHub's variables as well, for the sake of actions made for it.
        if says_yes("GITEA_ACTIONS") || says_yes("FORGEJO_ACTIONS") {
            Platform::Gitea
        } else if says_yes("GITHUB_ACTIONS") {
            Platform::GitHub
        } else if says_yes("GITLAB_CI") {
            Platform::GitLab
        } else {
            Platform::Shell
        }
    }

    /// Whether nobody is there to answer a question or to watch a bar move.
    #[must_use]
    pub fn is_ci(&self) -> bool {
        let set = self.var("CI").is_some_and(|value| !matches!(value.to_ascii_lowercase().as_str(), "false" | "0"));
        set || self.platform() != Platform::Shell
    }

    /// The commit that the run is about, where the CI system says so: of a pull or merge request the commit that was
    /// pushed, and not the one that the forge made up to try the merge.
    #[must_use]
    pub fn commit(&self) -> Option<String> {
        commit::commit(self)
    }

    /// The folder that holds the repository, where the CI system says so: paths in annotations are relative to it.
    #[must_use]
    pub fn repository_root(&self) -> Option<PathBuf> {
        let root = match self.platform() {
            Platform::GitHub | Platform::Gitea => self.var("GITHUB_WORKSPACE"),
            Platform::GitLab => self.var("CI_PROJECT_DIR"),
            Platform::Shell => None,
        };
        root.map(PathBuf::from)
    }
}

impl fmt::Debug for Environment {
    /// Says nothing: an environment holds secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::environment;

    #[test]
    fn a_platform_is_known_by_its_own_variable() {
        for (variables, platform) in [
            (vec![("GITHUB_ACTIONS", "true")], Platform::GitHub),
            (vec![("GITHUB_ACTIONS", "true"), ("GITEA_ACTIONS", "true")], Platform::Gitea),
            (vec![("GITLAB_CI", "true"), ("CI", "true")], Platform::GitLab),
            (vec![("CI", "true")], Platform::Shell),
            (vec![("GITHUB_ACTIONS", "false")], Platform::Shell),
            (vec![("GITHUB_ACTIONS", "")], Platform::Shell),
        ] {
            assert_eq!(environment(&variables).platform(), platform, "{variables:?}");
        }
    }

    #[test]
    fn ci_is_what_says_so() {
        for (variables, is_ci) in [
            (vec![], false),
            (vec![("CI", "true")], true),
            (vec![("CI", "1")], true),
            (vec![("CI", "false")], false),
            (vec![("CI", "")], false),
            (vec![("GITLAB_CI", "true")], true),
        ] {
            assert_eq!(environment(&variables).is_ci(), is_ci, "{variables:?}");
        }
    }

    #[test]
    fn an_empty_variable_is_unset() {
        let environment = environment(&[("A", ""), ("B", "b")]);
        assert_eq!((environment.var("A"), environment.var("B"), environment.var("C")), (None, Some("b".into()), None));
    }

    #[test]
    fn the_repository_is_where_the_platform_says() {
        let github = environment(&[("GITHUB_ACTIONS", "true"), ("GITHUB_WORKSPACE", "/home/runner/work")]);
        assert_eq!(github.repository_root(), Some(PathBuf::from("/home/runner/work")));
        assert_eq!(environment(&[("GITHUB_WORKSPACE", "/x")]).repository_root(), None);
    }
}
