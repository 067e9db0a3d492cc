//! The flags of the deploy gate.

use clap::{Args, ValueEnum};
use prodtest_cli::ReleaseFlags;
use prodtest_rollout::journal;

/// The flags of the deploy gate.
#[derive(Args, Clone, Debug)]
pub(crate) struct Flags {
    /// What to do instead of a deploy: put the objects of a backup back
    #[arg(value_enum, value_name = "ACTION")]
    pub(crate) action: Option<Verb>,
    #[command(flatten)]
    pub(crate) release: ReleaseFlags,
    /// The tag to deploy, instead of `image.tag` and of what `git describe` says
    #[arg(long, value_name = "TAG", help_heading = "Image")]
    pub(crate) tag: Option<String>,
    /// The digest to deploy, instead of the one that the tag stands for
    #[arg(long, value_name = "sha256:…", help_heading = "Image", conflicts_with = "tag")]
    pub(crate) digest: Option<String>,
    /// Build the image and push it first, with `docker` or `buildah`
    #[arg(long, help_heading = "Image", conflicts_with_all = ["digest", "no_pin"])]
    pub(crate) build: bool,
    /// Deploy the tag, and leave it to the kubelet: the registry is not asked, and nothing ties what runs to what was built
    #[arg(long, help_heading = "Image", conflicts_with = "digest")]
    pub(crate) no_pin: bool,
    /// What becomes of a release that did not land, instead of `deploy.on-failure`
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Change")]
    pub(crate) on_failure: Option<OnFailure>,
    /// The backup to restore; the newest when left out
    #[arg(long, value_name = "NAME", help_heading = "Change")]
    pub(crate) backup: Option<String>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verb {
    /// Put the objects of a backup back
    Restore,
}

/// What becomes of a release that did not land.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OnFailure {
    /// Back to the last revision that was good; a first install is taken away
    Rollback,
    /// It stays as it is, to be looked at
    Keep,
}

impl From<OnFailure> for journal::OnFailure {
    fn from(said: OnFailure) -> Self {
        match said {
            OnFailure::Rollback => Self::Rollback,
            OnFailure::Keep => Self::Keep,
        }
    }
}
