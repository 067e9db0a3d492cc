//! The flags of the deploy gate.

use std::path::PathBuf;

use clap::{Args, ValueEnum};
use prodtest_cli::{ChangeFlags, ClusterFlags};
use prodtest_config::{BaseUrl, HostPort, ReleaseName};

use crate::section::OnFailure;

/// The flags of the deploy gate.
#[derive(Args, Clone, Debug)]
pub(crate) struct Flags {
    /// What to do instead of a deploy: put the objects of a backup back
    #[arg(value_enum, value_name = "ACTION")]
    pub(crate) action: Option<Verb>,
    /// Where the service is, instead of the environment's `url`
    #[arg(long, value_name = "URL", help_heading = "Target")]
    pub(crate) url: Option<BaseUrl>,
    /// Connect there, whatever the address says, as curl's `--connect-to`; instead of the environment's `connect`
    #[arg(long, value_name = "HOST:PORT", help_heading = "Target")]
    pub(crate) connect: Option<HostPort>,
    /// The certificate authority to trust (PEM), instead of the environment's `tls.ca`
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub(crate) ca: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cluster: ClusterFlags,
    /// The release, instead of the environment's `kubernetes.release`
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    pub(crate) release: Option<ReleaseName>,
    /// The repository of the image, instead of `image.repository`
    #[arg(long, value_name = "REPOSITORY", help_heading = "Image")]
    pub(crate) repository: Option<String>,
    /// The tag to deploy, instead of `image.tag` and of what `git describe` says
    #[arg(long, value_name = "TAG", help_heading = "Image")]
    pub(crate) tag: Option<String>,
    /// The digest to deploy, instead of the one that the tag stands for
    #[arg(long, value_name = "sha256:…", help_heading = "Image", conflicts_with = "tag")]
    pub(crate) digest: Option<String>,
    /// Connect there to ask the registry, instead of `image.connect`
    #[arg(long, value_name = "HOST:PORT", help_heading = "Image")]
    pub(crate) registry_connect: Option<HostPort>,
    /// Docker's configuration with the login to the registry
    #[arg(long, value_name = "FILE", help_heading = "Image")]
    pub(crate) docker_config: Option<PathBuf>,
    /// Build the image and push it first, with `docker` or `buildah`
    #[arg(long, help_heading = "Image", conflicts_with_all = ["digest", "no_pin"])]
    pub(crate) build: bool,
    /// Deploy the tag, and leave it to the kubelet: the registry is not asked, and nothing ties what runs to what was built
    #[arg(long, help_heading = "Image", conflicts_with = "digest")]
    pub(crate) no_pin: bool,
    /// A further file of values; repeat for more, the last one wins
    #[arg(long, value_name = "FILE", help_heading = "Change")]
    pub(crate) values: Vec<PathBuf>,
    /// What becomes of a release that did not land, instead of `deploy.on-failure`
    #[arg(long, value_enum, value_name = "WHAT", help_heading = "Change")]
    pub(crate) on_failure: Option<OnFailure>,
    /// Keep the backup in this folder, and not in a Secret of the namespace; or the folder to restore from
    #[arg(long, value_name = "DIR", help_heading = "Change")]
    pub(crate) backup_dir: Option<PathBuf>,
    /// The backup to restore; the newest when left out
    #[arg(long, value_name = "NAME", help_heading = "Change")]
    pub(crate) backup: Option<String>,
    #[command(flatten)]
    pub(crate) change: ChangeFlags,
    /// The `helm` program, version 3 or 4, instead of `deploy.helm`; the first in `PATH` when nobody says
    #[arg(long, value_name = "FILE", help_heading = "Change")]
    pub(crate) helm: Option<PathBuf>,
}

/// What to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Verb {
    /// Put the objects of a backup back
    Restore,
}
