//! The flags of the verify gate.

use std::path::PathBuf;

use clap::Args;
use prodtest_cli::ClusterFlags;
use prodtest_config::{BaseUrl, HostPort, ReleaseName};

/// The flags of the verify gate.
#[derive(Args, Clone, Debug)]
pub(crate) struct Flags {
    /// Where the service is, instead of the environment's `url`
    #[arg(long, value_name = "URL", help_heading = "Target")]
    pub(crate) url: Option<BaseUrl>,
    /// Connect there, whatever the address says, as curl's `--connect-to`; instead of the environment's `connect`
    #[arg(long, value_name = "HOST:PORT", help_heading = "Target")]
    pub(crate) connect: Option<HostPort>,
    /// Connect there for plain HTTP, instead of `verify.ingress-tls.http-connect`
    #[arg(long, value_name = "HOST:PORT", help_heading = "Target")]
    pub(crate) http_connect: Option<HostPort>,
    /// The image that tries network policies, instead of `verify.network-policy.image`
    #[arg(long, value_name = "IMAGE", help_heading = "Target")]
    pub(crate) probe_image: Option<String>,
    /// Connect there to ask the database, whatever its address says, instead of `verify.managed-services.database-connect`
    #[arg(long, value_name = "HOST:PORT", help_heading = "Target")]
    pub(crate) database_connect: Option<HostPort>,
    /// Connect there to ask Redis, whatever its address says, instead of `verify.managed-services.redis-connect`
    #[arg(long, value_name = "HOST:PORT", help_heading = "Target")]
    pub(crate) redis_connect: Option<HostPort>,
    /// A word of the command that asks whether Secrets are stored encrypted, instead of `verify.secrets-at-rest.command`;
    /// repeat for each
    #[arg(long, value_name = "WORD", help_heading = "Target", allow_hyphen_values = true)]
    pub(crate) at_rest_command: Vec<String>,
    /// The certificate authority to trust (PEM), instead of the environment's `tls.ca`
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub(crate) ca: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cluster: ClusterFlags,
    /// The release, instead of the environment's `kubernetes.release`
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    pub(crate) release: Option<ReleaseName>,
}
