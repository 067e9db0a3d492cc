//! What an image is, whatever it is called: the SHA-256 of its manifest.

use std::{fmt, str::FromStr};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A digest as registries write it: `sha256:` and 64 hexadecimal digits in lower case.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(#[schemars(regex(pattern = "^sha256:[0-9a-f]{64}$"))] String);

/// Why a text is no digest.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidDigest {
    /// It was made by another rule; the distribution specification asks registries for this one alone.
    #[error("the digest {0:?} is not of `sha256`, the one kind that is read here")]
    Algorithm(String),
    /// Something else than 64 digits follows.
    #[error("the digest {0:?} must be `sha256:` and 64 hexadecimal digits in lower case")]
    Digits(String),
}

impl Digest {
    /// The digest of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        let hex: String = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Self(format!("sha256:{hex}"))
    }

    /// The text, `sha256:…`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = InvalidDigest;

    fn from_str(text: &str) -> Result<Self, InvalidDigest> {
        let hex = text.strip_prefix("sha256:").ok_or_else(|| InvalidDigest::Algorithm(text.to_owned()))?;
        let is_hex = hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if hex.len() == 64 && is_hex { Ok(Self(text.to_owned())) } else { Err(InvalidDigest::Digits(text.to_owned())) }
    }
}

impl TryFrom<String> for Digest {
    type Error = InvalidDigest;

    fn try_from(text: String) -> Result<Self, InvalidDigest> {
        text.parse()
    }
}

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.0
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_has_the_digest_that_everybody_knows() {
        let empty = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(Digest::of(b"").as_str(), empty);
        assert_eq!(empty.parse(), Ok(Digest::of(b"")));
    }

    #[test]
    fn what_is_too_short_or_of_another_kind_is_refused() {
        assert!(matches!("sha256:abc".parse::<Digest>(), Err(InvalidDigest::Digits(_))));
        assert!(matches!(format!("sha256:{}", "A".repeat(64)).parse::<Digest>(), Err(InvalidDigest::Digits(_))));
        assert!(matches!(format!("sha512:{}", "a".repeat(128)).parse::<Digest>(), Err(InvalidDigest::Algorithm(_))));
    }
}
