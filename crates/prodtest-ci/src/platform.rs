//! The CI systems that are known.

/// Where a gate runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Platform {
    /// GitHub Actions.
    GitHub,
    /// GitLab CI.
    GitLab,
    /// Gitea or Forgejo Actions: they understand GitHub's commands and files, and show less of them.
    Gitea,
    /// A shell, or a CI system that is not known.
    Shell,
}

impl Platform {
    /// Whether a line in the log can be an order to the runner, as `::error::` is.
    #[must_use]
    pub const fn obeys_commands(self) -> bool {
        matches!(self, Self::GitHub | Self::Gitea)
    }
}
