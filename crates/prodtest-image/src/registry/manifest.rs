//! What a registry's answers mean: manifests, indexes and configurations, each held against its digest.

use std::collections::BTreeMap;

use prodtest_http::Response;
use serde::{Deserialize, de::DeserializeOwned};

use super::{PlatformImage, Problem};
use crate::{Digest, Platform};

/// The kinds of manifest that there are: OCI's index and manifest, and Docker's.
pub(super) const MANIFESTS: [&str; 4] = [
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.docker.distribution.manifest.v2+json",
];
/// The configurations that belong to an image.
const CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

const VERSION: &str = "org.opencontainers.image.version";
const REVISION: &str = "org.opencontainers.image.revision";

/// A manifest that is what its digest says.
pub(super) struct Manifest {
    pub(super) digest: Digest,
    pub(super) media_type: String,
    pub(super) kind: Kind,
    pub(super) version: Option<String>,
    pub(super) revision: Option<String>,
}

pub(super) enum Kind {
    Index(Vec<PlatformImage>),
    Image { config: Descriptor, size: u64 },
}

/// What points at a blob or another manifest.
#[derive(Deserialize)]
pub(super) struct Descriptor {
    #[serde(default, rename = "mediaType")]
    media_type: String,
    pub(super) digest: Digest,
    size: u64,
    #[serde(default)]
    platform: Option<Platform>,
}

#[derive(Deserialize)]
struct Written {
    #[serde(default, rename = "schemaVersion")]
    schema: u64,
    #[serde(default, rename = "mediaType")]
    media_type: Option<String>,
    #[serde(default)]
    manifests: Option<Vec<Descriptor>>,
    #[serde(default)]
    config: Option<Descriptor>,
    #[serde(default)]
    layers: Option<Vec<Descriptor>>,
    #[serde(default)]
    annotations: Option<BTreeMap<String, String>>,
}

impl Manifest {
    /// Reads one. `asked`: the digest that was asked for.
    pub(super) fn read(answer: &Response, asked: Option<&Digest>) -> Result<Self, Problem> {
        let bytes = whole(answer)?;
        let digest = Digest::of(bytes);
        if let Some(asked) = asked {
            must_equal("as was asked for", asked, &digest)?;
        }
        // Other algorithms are the registry's own matter: what counts is computed here.
        let claimed = answer.header("docker-content-digest").and_then(|text| text.parse::<Digest>().ok());
        if let Some(claimed) = claimed {
            must_equal("its header says so", &claimed, &digest)?;
        }
        let written: Written = json(bytes, "manifest")?;
        if written.schema != 2 {
            return Err(Problem::Garbage(format!("a manifest of version {}, not 2", written.schema)));
        }
        let header = answer.header("content-type").unwrap_or_default();
        let header = header.split(';').next().unwrap_or_default().trim().to_owned();
        let media_type = written.media_type.unwrap_or(header);
        if !MANIFESTS.contains(&media_type.as_str()) {
            return Err(Problem::Garbage(format!("a manifest of the kind {media_type:?}")));
        }
        let kind = match (written.manifests, written.config, written.layers) {
            (Some(manifests), None, None) => Kind::Index(images(manifests)?),
            (None, Some(config), Some(layers)) => image(config, &layers)?,
            // A document that is both means one thing to one reader and another to the next.
            _ => return Err(Problem::Garbage("a manifest that is neither an index nor an image".to_owned())),
        };
        let mut annotations = written.annotations.unwrap_or_default();
        let (version, revision) = (annotations.remove(VERSION), annotations.remove(REVISION));
        Ok(Self { digest, media_type, kind, version, revision })
    }
}

/// The images of an index. What is for no platform (`unknown`: an attestation) cannot run.
fn images(manifests: Vec<Descriptor>) -> Result<Vec<PlatformImage>, Problem> {
    let image = |one: Descriptor| Some(PlatformImage { platform: one.platform?, digest: one.digest });
    let images = manifests.into_iter().filter_map(image).filter(|image| image.platform.os != "unknown");
    let images: Vec<PlatformImage> = images.collect();
    // It need not name any; but then nobody can tell from it where it runs.
    if images.is_empty() { Err(Problem::Garbage("an index that names no platform".to_owned())) } else { Ok(images) }
}

fn image(config: Descriptor, layers: &[Descriptor]) -> Result<Kind, Problem> {
    if !CONFIGS.contains(&config.media_type.as_str()) {
        return Err(Problem::NoImage(format!("its configuration is of the kind {:?}", config.media_type)));
    }
    let size = layers.iter().fold(config.size, |sum, layer| sum.saturating_add(layer.size));
    Ok(Kind::Image { config, size })
}

/// What an image's configuration says of it.
pub(super) struct Config {
    pub(super) platform: Platform,
    pub(super) version: Option<String>,
    pub(super) revision: Option<String>,
}

#[derive(Deserialize)]
struct WrittenConfig {
    os: String,
    architecture: String,
    #[serde(default)]
    variant: Option<String>,
    #[serde(default)]
    config: Option<Inner>,
}

#[derive(Default, Deserialize)]
struct Inner {
    #[serde(default, rename = "Labels")]
    labels: Option<BTreeMap<String, String>>,
}

impl Config {
    /// Reads the configuration that this descriptor points at.
    pub(super) fn read(answer: &Response, descriptor: &Descriptor) -> Result<Self, Problem> {
        let bytes = whole(answer)?;
        must_equal("the manifest says so", &descriptor.digest, &Digest::of(bytes))?;
        let written: WrittenConfig = json(bytes, "configuration")?;
        let mut labels = written.config.unwrap_or_default().labels.unwrap_or_default();
        let platform = Platform { os: written.os, architecture: written.architecture, variant: written.variant };
        Ok(Self { platform, version: labels.remove(VERSION), revision: labels.remove(REVISION) })
    }
}

/// The bytes of a body. What is no text was changed in reading, so that its digest is not the one that was sent; and no
/// JSON is such.
fn whole(answer: &Response) -> Result<&[u8], Problem> {
    if answer.body.binary {
        return Err(Problem::Garbage("what came is no text, and so no JSON".to_owned()));
    }
    Ok(answer.body.text.as_bytes())
}

fn must_equal(by: &'static str, expected: &Digest, found: &Digest) -> Result<(), Problem> {
    if expected == found {
        return Ok(());
    }
    Err(Problem::DigestMismatch { by, expected: expected.clone(), found: found.clone() })
}

fn json<T: DeserializeOwned>(bytes: &[u8], what: &str) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::Garbage(format!("the {what} cannot be read: {error}")))
}
