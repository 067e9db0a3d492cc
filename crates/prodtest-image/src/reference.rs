//! How an image is called: `registry[:port]/path[:tag][@sha256:…]`, and Docker Hub's short forms.
//!
//! The grammar is that of the distribution specification and of the `reference` package that Docker and containerd
//! share. What it refuses, the kubelet calls `InvalidImageName`.

use std::{borrow::Cow, fmt, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use crate::{Digest, InvalidDigest};

/// The registry that a short name means.
pub(crate) const DOCKER_HUB: &str = "docker.io";
/// The longest path that registries take.
const LONGEST_PATH: usize = 255;
/// The longest tag.
const LONGEST_TAG: usize = 128;

/// An image as somebody calls it. Printed, it is whole: `nginx` becomes `docker.io/library/nginx`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Reference {
    registry: String,
    path: String,
    tag: Option<String>,
    digest: Option<Digest>,
}

/// Why a text calls no image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidReference {
    /// There is nothing to call.
    #[error("the image {0:?} has no name")]
    Empty(String),
    /// The part before the first slash.
    #[error("the registry {0:?} is no host name, with or without a port")]
    Registry(String),
    /// One part of the path holds a capital.
    #[error("the image's name {0:?} holds a capital letter: names of images are in lower case")]
    Capital(String),
    /// One part of the path is wrong otherwise.
    #[error(
        "{0:?} cannot be a part of an image's name: letters and digits, with `.`, `_`, `__` or dashes between them"
    )]
    Path(String),
    /// The path is too long.
    #[error("the image's name is {0} characters long; registries take {LONGEST_PATH}")]
    TooLong(usize),
    /// The tag is wrong.
    #[error(
        "the tag {0:?} is none: letters, digits, `_`, `.` and `-`, at most {LONGEST_TAG}, and no `.` or `-` at the start"
    )]
    Tag(String),
    /// The digest is wrong.
    #[error(transparent)]
    Digest(#[from] InvalidDigest),
    /// It is taken for the id of an image on one machine.
    #[error("{0:?} is the id of an image on one machine: registries know names, and digests after an `@`")]
    Id(String),
}

impl Reference {
    /// Host and port of the registry; `docker.io` for short names.
    #[must_use]
    pub fn registry(&self) -> &str {
        &self.registry
    }

    /// The name in the registry, `library/nginx`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Registry and path, without tag or digest.
    #[must_use]
    pub fn repository(&self) -> String {
        format!("{}/{}", self.registry, self.path)
    }

    /// The tag, as far as one was named.
    #[must_use]
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// The digest, as far as one was named.
    #[must_use]
    pub const fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// What registries are asked for: the digest goes before the tag, and without either it is `latest`.
    #[must_use]
    pub fn asked(&self) -> &str {
        self.digest.as_ref().map_or_else(|| self.tag().unwrap_or("latest"), Digest::as_str)
    }

    /// The same repository with this tag, and without a digest.
    ///
    /// # Errors
    /// When the tag is none.
    pub fn with_tag(&self, tag: &str) -> Result<Self, InvalidReference> {
        if !is_tag(tag) {
            return Err(InvalidReference::Tag(tag.to_owned()));
        }
        Ok(Self { tag: Some(tag.to_owned()), digest: None, ..self.clone() })
    }

    /// The same repository with the tag that none has.
    pub(crate) fn impossible(repository: &Self) -> Self {
        Self { tag: Some(crate::CONTROL_TAG.to_owned()), digest: None, ..repository.clone() }
    }

    /// The same repository with this digest, and without a tag: nobody can change what that is.
    #[must_use]
    pub fn pinned(&self, digest: &Digest) -> Self {
        Self { tag: None, digest: Some(digest.clone()), ..self.clone() }
    }
}

impl FromStr for Reference {
    type Err = InvalidReference;

    fn from_str(text: &str) -> Result<Self, InvalidReference> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest.parse()?)),
            None => (text, None),
        };
        // A colon after the last slash begins a tag; before it, a port.
        let name_starts = rest.rfind('/').map_or(0, |slash| slash + 1);
        let (name, tag) = match rest[name_starts..].find(':') {
            Some(colon) => (&rest[..name_starts + colon], Some(&rest[name_starts + colon + 1..])),
            None => (rest, None),
        };
        if let Some(tag) = tag
            && !is_tag(tag)
        {
            return Err(InvalidReference::Tag(tag.to_owned()));
        }
        if name.is_empty() {
            return Err(InvalidReference::Empty(text.to_owned()));
        }
        let (registry, path) = split_registry(name)?;
        if path.len() > LONGEST_PATH {
            return Err(InvalidReference::TooLong(path.len()));
        }
        path.split('/').try_for_each(check_part)?;
        Ok(Self { registry, path, tag: tag.map(str::to_owned), digest })
    }
}

/// Registry and path. The part before the first slash is a registry if it could be no part of a path on Docker Hub.
fn split_registry(name: &str) -> Result<(String, String), InvalidReference> {
    let named = name.split_once('/').filter(|(first, _)| {
        first.contains(['.', ':']) || *first == "localhost" || first.contains(|c: char| c.is_ascii_uppercase())
    });
    let (registry, path) = named.unwrap_or((DOCKER_HUB, name));
    if !is_registry(registry) {
        return Err(InvalidReference::Registry(registry.to_owned()));
    }
    if path.is_empty() {
        return Err(InvalidReference::Empty(name.to_owned()));
    }
    let registry = if registry == "index.docker.io" { DOCKER_HUB } else { registry };
    let is_short = registry == DOCKER_HUB && !path.contains('/');
    if is_short && path.len() == 64 && path.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Err(InvalidReference::Id(path.to_owned()));
    }
    let path = if is_short { format!("library/{path}") } else { path.to_owned() };
    Ok((registry.to_owned(), path))
}

/// A host name, an IPv4 address or an IPv6 address in brackets; with or without a port.
fn is_registry(text: &str) -> bool {
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let is_port = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    let is_label = |label: &str| {
        let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
        !label.is_empty() && label.bytes().all(is_inner) && !label.starts_with('-') && !label.ends_with('-')
    };
    let six = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let is_host =
        six.map_or_else(|| host.split('.').all(is_label), |address| address.parse::<std::net::Ipv6Addr>().is_ok());
    is_host && port.is_none_or(is_port)
}

/// `[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*`
fn check_part(part: &str) -> Result<(), InvalidReference> {
    if part.contains(|c: char| c.is_ascii_uppercase()) {
        return Err(InvalidReference::Capital(part.to_owned()));
    }
    let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit();
    let is_separator = |text: &str| matches!(text, "." | "_" | "__") || text.bytes().all(|byte| byte == b'-');
    let separated = part.split(is_word).filter(|between| !between.is_empty()).all(is_separator);
    let ends_well = part.starts_with(is_word) && part.ends_with(is_word);
    if separated && ends_well { Ok(()) } else { Err(InvalidReference::Path(part.to_owned())) }
}

/// `[A-Za-z0-9_][A-Za-z0-9._-]{0,127}`
pub(crate) fn is_tag(tag: &str) -> bool {
    let is_inner = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=LONGEST_TAG).contains(&tag.len()) && tag.bytes().all(is_inner) && !tag.starts_with(['.', '-'])
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.registry, self.path)?;
        if let Some(tag) = &self.tag {
            write!(f, ":{tag}")?;
        }
        self.digest.as_ref().map_or(Ok(()), |digest| write!(f, "@{digest}"))
    }
}

impl TryFrom<String> for Reference {
    type Error = InvalidReference;

    fn try_from(text: String) -> Result<Self, InvalidReference> {
        text.parse()
    }
}

impl From<Reference> for String {
    fn from(reference: Reference) -> Self {
        reference.to_string()
    }
}

impl JsonSchema for Reference {
    fn schema_name() -> Cow<'static, str> {
        Cow::Borrowed("ImageReference")
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An image: `registry[:port]/path[:tag][@sha256:…]`, or a short name of Docker Hub's.",
            "minLength": 1,
        })
    }
}

#[cfg(test)]
mod tests;
