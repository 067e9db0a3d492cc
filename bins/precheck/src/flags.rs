//! The flags of the precheck gate.

use std::path::PathBuf;

use clap::Args;
use prodtest_cli::ClusterFlags;
use prodtest_config::{HostPort, ReleaseName};

/// The flags of the precheck gate.
#[derive(Args, Clone, Debug)]
pub(crate) struct Flags {
    #[command(flatten)]
    pub(crate) cluster: ClusterFlags,
    /// The release, instead of the environment's `kubernetes.release`
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    pub(crate) release: Option<ReleaseName>,
    /// The repository of the image, instead of `image.repository`
    #[arg(long, value_name = "REPOSITORY", help_heading = "Image")]
    pub(crate) repository: Option<String>,
    /// The tag that is to be deployed, instead of `image.tag`
    #[arg(long, value_name = "TAG", help_heading = "Image")]
    pub(crate) tag: Option<String>,
    /// Connect there to ask the registry, instead of `image.connect`
    #[arg(long, value_name = "HOST:PORT", help_heading = "Image")]
    pub(crate) registry_connect: Option<HostPort>,
    /// A further file of values; repeat for more, the last one wins
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub(crate) values: Vec<PathBuf>,
    /// The `helm` program, version 3 or 4, instead of `precheck.helm`; the first in `PATH` when nobody says
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub(crate) helm: Option<PathBuf>,
    /// Connect there to ask the database, whatever its address says, instead of `precheck.database.connect`
    #[arg(long, value_name = "HOST:PORT", help_heading = "Target")]
    pub(crate) database_connect: Option<HostPort>,
    /// Connect there to ask Redis, whatever its address says, instead of `precheck.redis.connect`
    #[arg(long, value_name = "HOST:PORT", help_heading = "Target")]
    pub(crate) redis_connect: Option<HostPort>,
}
