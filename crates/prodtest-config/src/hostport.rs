//! Where to connect to, when that is not what the address says.

use std::{borrow::Cow, fmt, net::Ipv6Addr, str::FromStr};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const PATTERN: &str = r"^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):[0-9]{1,5}$";

/// `HOST:PORT`; an IPv6 address is in brackets.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HostPort {
    /// A name or an address, without brackets.
    pub host: String,
    /// The port, from 1.
    pub port: u16,
}

/// Why a text is no `HOST:PORT`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not `HOST:PORT`\nhint: write `127.0.0.1:8443`, or an IPv6 address as `\"[::1]:8443\"`, in quotes")]
pub struct InvalidHostPort(String);

impl FromStr for HostPort {
    type Err = InvalidHostPort;

    fn from_str(text: &str) -> Result<Self, InvalidHostPort> {
        let error = || InvalidHostPort(text.to_owned());
        let (host, port) = text.rsplit_once(':').ok_or_else(error)?;
        let host = match host.strip_prefix('[').map(|rest| rest.strip_suffix(']')) {
            Some(address) => address.filter(|address| address.parse::<Ipv6Addr>().is_ok()).ok_or_else(error)?,
            None => host,
        };
        let is_name = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
        if host.is_empty() || (!text.starts_with('[') && !host.chars().all(is_name)) {
            return Err(error());
        }
        match port.parse() {
            Ok(number @ 1..) if port.bytes().all(|b| b.is_ascii_digit()) => {
                Ok(Self { host: host.to_owned(), port: number })
            }
            _ => Err(error()),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

impl Serialize for HostPort {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for HostPort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for HostPort {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "HostPort".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": PATTERN,
            "description": "`HOST:PORT`; an IPv6 address is in brackets, and the whole in quotes.",
            "examples": ["127.0.0.1:8443", "[::1]:8443"],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_and_a_port_are_told_apart() {
        for (text, host, port) in [
            ("127.0.0.1:8443", "127.0.0.1", 8443),
            ("godel-api.staging.svc:80", "godel-api.staging.svc", 80),
            ("[::1]:65535", "::1", 65535),
        ] {
            let parsed: HostPort = text.parse().unwrap();
            assert_eq!((parsed.host.as_str(), parsed.port), (host, port));
            assert_eq!(parsed.to_string(), text);
        }
    }

    #[test]
    fn anything_else_is_refused() {
        for bad in [
            "",
            ":80",
            "host",
            "host:",
            "host:0",
            "host:65536",
            "host:+80",
            "::1:80",
            "[::1]",
            "[host]:80",
            "[::1:80",
            "a b:80",
            "http://host:80",
        ] {
            assert!(bad.parse::<HostPort>().is_err(), "{bad} was accepted");
        }
    }
}
