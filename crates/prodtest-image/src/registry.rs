//! A small client of the OCI Distribution API, version 1.1: what a tag stands for.
//!
//! It is built on the suite's own HTTP client, as the gates ask a registry for a manifest and a blob and nothing else.
//! Only what can pass (no connection, a 429, a 5xx) is tried again, and not for long: a deployment waits.

mod ask;
mod challenge;
mod error;
mod login;
mod manifest;
mod token;

use std::time::Duration;

use prodtest_http::{Client, ClientOptions, InvalidOptions};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use self::{
    ask::{Question, Session},
    manifest::{Config, Kind, Manifest},
};
pub use self::{
    error::{Class, Problem, RegistryError},
    login::{InvalidLogin, Login},
};
use crate::{Digest, Platform, Reference, reference::DOCKER_HUB};

/// A tag that no build makes. A registry that has it has everything, so that what it says proves nothing.
pub const CONTROL_TAG: &str = "prodtest-control-no-such-tag";
/// Where Docker Hub's registry is.
const DOCKER_HUB_API: &str = "registry-1.docker.io";
/// The largest manifest and configuration that are read: registries need not take larger manifests.
const LARGEST: u64 = 4 * 1024 * 1024;

/// How a registry is reached. It has no `Debug`: a login may be in it.
#[derive(Clone)]
pub struct RegistryOptions {
    /// Whether it speaks HTTP without TLS, as registries on loopback and in labs do.
    pub plain_http: bool,
    /// Where connections to the registry go instead of to its host and port, as with curl's `--connect-to`. It does not
    /// hold for other hosts that the registry sends to, for a token or a blob.
    pub connect: Option<(String, u16)>,
    /// The certificate authorities to trust instead of the system's, as PEM.
    pub ca: Option<Vec<u8>>,
    /// Who asks; nobody where there is none.
    pub login: Option<Login>,
    /// How long one question may take, with everything that is tried again.
    pub patience: Duration,
}

impl Default for RegistryOptions {
    fn default() -> Self {
        Self { plain_http: false, connect: None, ca: None, login: None, patience: Duration::from_secs(10) }
    }
}

/// A client of whatever registry a reference names.
#[derive(Clone)]
pub struct Registry {
    options: RegistryOptions,
    /// For the registry itself.
    own: Client,
    /// For the hosts that it sends to.
    other: Client,
}

/// What a reference stands for. All of it is what the registry said; the digest is computed from the bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct Resolved {
    /// The digest of the manifest or index, computed here.
    pub digest: Digest,
    /// Which of the four kinds of manifest it is.
    pub media_type: String,
    /// What it runs on, each with the digest of its manifest. For a manifest that is no index, this is its own.
    pub images: Vec<PlatformImage>,
    /// `org.opencontainers.image.version`, of the labels or else of the annotations; an index has annotations alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// `org.opencontainers.image.revision`, from the same places.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// What is transferred of it, in bytes: layers and configuration. An index has none of its own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// One image of an index, or the only one there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub struct PlatformImage {
    /// What it runs on.
    pub platform: Platform,
    /// The digest of its manifest.
    pub digest: Digest,
}

impl Resolved {
    /// What it runs on.
    #[must_use]
    pub fn platforms(&self) -> Vec<Platform> {
        self.images.iter().map(|image| image.platform.clone()).collect()
    }
}

impl Registry {
    /// A client. Nothing is connected or read yet.
    ///
    /// # Errors
    /// When the authorities hold no certificate.
    pub fn new(options: RegistryOptions) -> Result<Self, InvalidOptions> {
        let client = |connect: Option<(String, u16)>| {
            let user_agent = concat!("prodtest/", env!("CARGO_PKG_VERSION")).to_owned();
            Client::new(ClientOptions { connect, ca: options.ca.clone(), user_agent })
        };
        Ok(Self { own: client(options.connect.clone())?, other: client(None)?, options })
    }

    /// Asks the registry what the reference stands for.
    ///
    /// # Errors
    /// When it does not say, or says something that cannot be believed.
    pub async fn resolve(&self, reference: &Reference) -> Result<Resolved, RegistryError> {
        let mut session = Session::new(self, reference)?;
        let resolved = self.resolve_with(&mut session, reference).await;
        resolved.map_err(|problem| session.error(problem))
    }

    async fn resolve_with(&self, session: &mut Session<'_>, reference: &Reference) -> Result<Resolved, Problem> {
        let question = Question::manifest(reference.asked());
        let manifest = session.ask(&question, |answer| Manifest::read(answer, reference.digest())).await?;
        let Manifest { digest, media_type, kind, version, revision } = manifest;
        match kind {
            Kind::Index(images) => Ok(Resolved { digest, media_type, images, version, revision, size: None }),
            Kind::Image { config, size } => {
                let question = Question::blob(&config);
                let read = session.ask(&question, |answer| Config::read(answer, &config)).await?;
                let images = vec![PlatformImage { platform: read.platform, digest: digest.clone() }];
                let (version, revision) = (read.version.or(version), read.revision.or(revision));
                Ok(Resolved { digest, media_type, images, version, revision, size: Some(size) })
            }
        }
    }

    /// The control: asks for a tag that the repository cannot have. A registry, or a proxy before it, that answers yes
    /// to everything does not pass.
    ///
    /// # Errors
    /// When the answer is another than that there is no such tag.
    pub async fn control(&self, repository: &Reference) -> Result<(), RegistryError> {
        let impossible = Reference::impossible(repository);
        let mut session = Session::new(self, &impossible)?;
        match self.resolve_with(&mut session, &impossible).await {
            Err(Problem::NoTag(_) | Problem::NoRepository(_)) => Ok(()),
            Err(problem) => Err(session.error(problem)),
            Ok(_) => Err(session.error(Problem::Garbage(format!(
                "it claims to have the tag `{CONTROL_TAG}`, which nobody ever pushed: it would say so of any tag"
            )))),
        }
    }

    /// Where the API of a repository is; paths are joined to it.
    fn base(&self, reference: &Reference) -> Result<Url, Problem> {
        let scheme = if self.options.plain_http { "http" } else { "https" };
        let host = if reference.registry() == DOCKER_HUB { DOCKER_HUB_API } else { reference.registry() };
        let url = format!("{scheme}://{host}/v2/{}/", reference.path());
        Url::parse(&url).map_err(|error| Problem::Instrument(format!("`{url}` is no URL: {error}")))
    }
}
