//! The address of the service under test, and the headers that say who asks.

use std::{borrow::Cow, fmt, ops::Deref, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use url::Url;

/// Where the service under test is: `http` or `https`, a host, and maybe a port and a path that all requests share.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BaseUrl(Url);

/// Why a text is no such address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBaseUrl {
    /// Not an address, or not one of a web server.
    #[error("`{0}` is not an address\nhint: write `https://HOST`, with `:PORT` and a path where there are any")]
    Unreadable(String),
    /// It holds what every request would carry. The text is not repeated: it holds a password.
    #[error(
        "the address holds a user or a password\nhint: write the address alone; `auth` says which header carries the secret"
    )]
    Credentials,
    /// It has a query or a fragment.
    #[error("`{0}` has a query or a fragment\nhint: write the address up to the path; requests add the rest")]
    Query(String),
}

impl FromStr for BaseUrl {
    type Err = InvalidBaseUrl;

    fn from_str(text: &str) -> Result<Self, InvalidBaseUrl> {
        let unreadable = || InvalidBaseUrl::Unreadable(text.to_owned());
        // Before anything else, so that no message repeats it.
        if text.contains('@') {
            return Err(InvalidBaseUrl::Credentials);
        }
        // The library forgives spaces and missing slashes; what a reader takes for a host should be the host.
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://")).ok_or_else(unreadable)?;
        if rest.starts_with('/') || text.contains(|c: char| c.is_whitespace() || c == '\\') {
            return Err(unreadable());
        }
        let url = Url::parse(text).map_err(|_| unreadable())?;
        match (url.query(), url.fragment()) {
            (None, None) => Ok(Self(url)),
            _ => Err(InvalidBaseUrl::Query(text.to_owned())),
        }
    }
}

impl Deref for BaseUrl {
    type Target = Url;

    fn deref(&self) -> &Url {
        &self.0
    }
}

impl fmt::Display for BaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for BaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BaseUrl {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for BaseUrl {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "BaseUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^https?://[^/@?#\\s][^@?#\\s]*$",
            "examples": ["https://staging.example.com", "http://127.0.0.1:7373"],
        })
    }
}

/// The name of an HTTP header.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub struct HeaderName(String);

/// Why a text is no name of a header.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not the name of a header\nhint: write it without the colon, as in `X-API-Key`")]
pub struct InvalidHeaderName(String);

impl HeaderName {
    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for HeaderName {
    type Err = InvalidHeaderName;

    fn from_str(text: &str) -> Result<Self, InvalidHeaderName> {
        // RFC 9110, 5.6.2: token
        let is_token = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        let is_name = !text.is_empty() && text.bytes().all(is_token);
        if is_name { Ok(Self(text.to_owned())) } else { Err(InvalidHeaderName(text.to_owned())) }
    }
}

impl fmt::Display for HeaderName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl<'de> Deserialize<'de> for HeaderName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for HeaderName {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "HeaderName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
            "examples": ["X-API-Key", "Authorization"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_that_of_a_web_server_and_nothing_more() {
        for good in ["http://127.0.0.1:7373", "https://godel.example.com/base/", "http://[::1]:80"] {
            assert!(good.parse::<BaseUrl>().is_ok(), "{good}");
        }
        for bad in
            ["", "godel.example.com", "ftp://x", "https:/x", "https://", "http:///x", "https://x y", "http://x:99999"]
        {
            assert!(matches!(bad.parse::<BaseUrl>(), Err(InvalidBaseUrl::Unreadable(_))), "{bad}");
        }
        assert!(matches!("https://x/?key=1".parse::<BaseUrl>(), Err(InvalidBaseUrl::Query(_))));
        for secret in ["https://me:hunter22@host", "ftp://me:hunter22@host", "hunter22@"] {
            let error = secret.parse::<BaseUrl>().unwrap_err().to_string();
            assert!(!error.contains("hunter22"), "{error}");
        }
    }

    #[test]
    fn a_header_has_a_name_that_can_be_sent() {
        assert!("X-API-Key".parse::<HeaderName>().is_ok());
        for bad in ["", "X-API-Key:", "a b", "é", "a\r\nb"] {
            assert!(bad.parse::<HeaderName>().is_err(), "{bad}");
        }
    }
}
