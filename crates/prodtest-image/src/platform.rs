//! What an image runs on, and whether that is what a node is.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An operating system and a processor, in Go's words (`linux`, `arm64`, `v8`), as registries and Kubernetes use them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Platform {
    /// The operating system, `linux`.
    pub os: String,
    /// The architecture, `amd64`.
    pub architecture: String,
    /// Its variant, `v7`. Kubernetes tells none of its nodes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub variant: Option<String>,
}

impl Platform {
    /// A platform without a variant.
    #[must_use]
    pub fn new(os: impl Into<String>, architecture: impl Into<String>) -> Self {
        Self { os: os.into(), architecture: architecture.into(), variant: None }
    }

    /// The architecture by its usual name, and its variant.
    fn processor(&self) -> (String, Variant) {
        let (architecture, implied) = match self.architecture.to_ascii_lowercase().as_str() {
            "x86_64" | "x86-64" => ("amd64".to_owned(), None),
            "aarch64" => ("arm64".to_owned(), None),
            "i386" => ("386".to_owned(), None),
            "armhf" => ("arm".to_owned(), Some("v7")),
            "armel" => ("arm".to_owned(), Some("v6")),
            other => (other.to_owned(), None),
        };
        let given = self.variant.as_deref().filter(|variant| !variant.is_empty()).or(implied);
        let variant = Variant::of(&architecture, given);
        (architecture, variant)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant.as_ref().map_or(Ok(()), |variant| write!(f, "/{variant}"))
    }
}

/// A variant. Where they are steps, a higher one runs what was made for a lower one.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Variant {
    Step(u32, u32),
    Other(String),
}

impl Variant {
    fn of(architecture: &str, given: Option<&str>) -> Self {
        let usual = match architecture {
            "arm64" => "v8",
            "arm" => "v7",
            "amd64" => "v1",
            _ => "",
        };
        let text = given.unwrap_or(usual);
        let step = text.strip_prefix('v').unwrap_or(text);
        let (major, minor) = step.split_once('.').unwrap_or((step, "0"));
        match (major.parse(), minor.parse()) {
            (Ok(major), Ok(minor)) => Self::Step(major, minor),
            _ => Self::Other(text.to_owned()),
        }
    }

    fn runs(&self, image: &Self) -> bool {
        match (self, image) {
            (Self::Step(major, minor), Self::Step(wanted, lesser)) => (wanted, lesser) <= (major, minor),
            _ => self == image,
        }
    }
}

/// Whether one of an image's platforms runs on the node, by containerd's rules: without a variant `arm64` is `v8`,
/// `arm` is `v7` and `amd64` is `v1`; a higher variant runs a lower one; `amd64` also runs `386`, and `arm64` `arm`.
#[must_use]
pub fn platform_fits(image: &[Platform], node: &Platform) -> bool {
    let (architecture, variant) = node.processor();
    image.iter().any(|platform| {
        let (wanted, lesser) = platform.processor();
        let runs = match (architecture.as_str(), wanted.as_str()) {
            ("amd64", "386") => true,
            // 32 bits end with version 8: what is beyond it in 64 bits says nothing of them.
            ("arm64", "arm") => Variant::Step(8, 0).runs(&lesser),
            (own, other) => own == other && variant.runs(&lesser),
        };
        platform.os.eq_ignore_ascii_case(&node.os) && runs
    })
}

/// Why a text is no platform.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a platform: expected `OS/ARCHITECTURE`, as in `linux/amd64`")]
pub struct InvalidPlatform(String);

/// `linux/arm64/v8`, or without the variant.
impl FromStr for Platform {
    type Err = InvalidPlatform;

    fn from_str(text: &str) -> Result<Self, InvalidPlatform> {
        let parts: Vec<&str> = text.split('/').collect();
        match parts.as_slice() {
            _ if parts.iter().any(|part| part.is_empty()) => Err(InvalidPlatform(text.to_owned())),
            [os, architecture] => Ok(Self::new(*os, *architecture)),
            [os, architecture, variant] => {
                Ok(Self { variant: Some((*variant).to_owned()), ..Self::new(*os, *architecture) })
            }
            _ => Err(InvalidPlatform(text.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn platform(text: &str) -> Platform {
        let mut parts = text.split('/').map(str::to_owned);
        let (os, architecture) = (parts.next().unwrap(), parts.next().unwrap());
        Platform { os, architecture, variant: parts.next() }
    }

    #[test]
    fn an_image_fits_where_it_would_run() {
        for (image, node) in [
            ("linux/amd64", "linux/amd64"),
            ("linux/amd64/v1", "linux/amd64"),
            ("linux/amd64/v2", "linux/amd64/v3"),
            ("linux/arm64", "linux/arm64/v8"),
            ("linux/arm64/v8", "linux/arm64"),
            ("linux/arm64/v8", "linux/arm64/v8.2"),
            ("linux/arm/v6", "linux/arm/v7"),
            ("linux/arm/v6", "linux/arm"),
            ("linux/arm/v7", "linux/arm64"),
            ("linux/386", "linux/amd64"),
            ("linux/x86_64", "linux/amd64"),
            ("linux/riscv64", "linux/riscv64"),
        ] {
            assert!(platform_fits(&[platform("windows/amd64"), platform(image)], &platform(node)), "{image} on {node}");
        }
    }

    #[test]
    fn an_image_does_not_fit_where_it_would_not_run() {
        for (image, node) in [
            ("linux/arm64", "linux/amd64"),
            ("linux/amd64", "linux/arm64"),
            ("windows/amd64", "linux/amd64"),
            ("linux/amd64/v3", "linux/amd64"),
            ("linux/arm/v7", "linux/arm/v6"),
            ("linux/arm64/v9", "linux/arm64"),
            ("linux/amd64", "linux/386"),
            ("linux/arm64", "linux/arm"),
            ("linux/riscv64/x", "linux/riscv64"),
        ] {
            assert!(!platform_fits(&[platform(image)], &platform(node)), "{image} on {node}");
        }
        assert!(!platform_fits(&[], &platform("linux/amd64")));
    }
}
