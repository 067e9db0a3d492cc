//! The flags of a gate that changes a release.

use std::path::PathBuf;

use clap::Args;
use prodtest_config::{BaseUrl, HostPort, ReleaseName};

use crate::{ChangeFlags, ClusterFlags};

/// The flags of a gate that changes a release.
#[derive(Args, Clone, Debug)]
pub struct ReleaseFlags {
    /// Where the service is, instead of the environment's `url`
    #[arg(long, value_name = "URL", help_heading = "Target")]
    pub url: Option<BaseUrl>,
    /// Connect there, whatever the address says, as curl's `--connect-to`; instead of the environment's `connect`
    #[arg(long, value_name = "HOST:PORT", help_heading = "Target")]
    pub connect: Option<HostPort>,
    /// The certificate authority to trust (PEM), instead of the environment's `tls.ca`
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub ca: Option<PathBuf>,
    /// Which cluster, and where in it
    #[command(flatten)]
    pub cluster: ClusterFlags,
    /// The release, instead of the environment's `kubernetes.release`
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    pub release: Option<ReleaseName>,
    /// The repository of the image, instead of `image.repository`
    #[arg(long, value_name = "REPOSITORY", help_heading = "Image")]
    pub repository: Option<String>,
    /// Connect there to ask the registry, instead of `image.connect`
    #[arg(long, value_name = "HOST:PORT", help_heading = "Image")]
    pub registry_connect: Option<HostPort>,
    /// Docker's configuration with the login to the registry
    #[arg(long, value_name = "FILE", help_heading = "Image")]
    pub docker_config: Option<PathBuf>,
    /// A further file of values; repeat for more, the last one wins
    #[arg(long, value_name = "FILE", help_heading = "Change")]
    pub values: Vec<PathBuf>,
    /// Keep the backup in this folder, and not in a Secret of the namespace; or the folder to restore from
    #[arg(long, value_name = "DIR", help_heading = "Change")]
    pub backup_dir: Option<PathBuf>,
    /// Whether and how it is changed
    #[command(flatten)]
    pub change: ChangeFlags,
    /// The `helm` program, version 3 or 4, instead of `deploy.helm`; the first in `PATH` when nobody says
    #[arg(long, value_name = "FILE", help_heading = "Change")]
    pub helm: Option<PathBuf>,
}
