//! One key of a Secret of the cluster.

use std::{borrow::Cow, fmt};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor},
};

use super::{NAME, OneOf, SecretRef, text};
use crate::kubernetes::{self, LABEL, SUBDOMAIN};

pub(super) const NO_SECRET: &str = "this is not the name of a Secret";
pub(super) const NO_KEY: &str = "this is not the key of a Secret";
pub(super) const NO_NAMESPACE: &str = "this is not the name of a namespace";
pub(super) const INCOMPLETE: &str = "which key of which Secret it is must be said";

/// What a key of a Secret may be, as a pattern.
const KEY: &str = "^[A-Za-z0-9._-]+$";

/// One key of a Secret, `{ secret: godel-api-key, key: key }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct InCluster {
    /// The name of the Secret.
    pub secret: String,
    /// The key in it.
    pub key: String,
    /// The namespace that it is in; the environment's when it is not written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl SecretRef {
    /// The same; a Secret whose namespace is not written is in this one.
    #[must_use]
    pub fn within(mut self, namespace: Option<&str>) -> Self {
        if let Self::Kubernetes(place) = &mut self
            && place.namespace.is_none()
        {
            place.namespace = namespace.map(str::to_owned);
        }
        self
    }
}

impl fmt::Display for InCluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the key `{}` of the secret `{}`", self.key, self.secret)?;
        match &self.namespace {
            Some(namespace) => write!(f, " in the namespace `{namespace}`"),
            None => Ok(()),
        }
    }
}

impl<'de> Deserialize<'de> for InCluster {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct(NAME, &KEYS, InClusterVisitor)
    }
}

const KEYS: [&str; 3] = ["secret", "key", "namespace"];

struct InClusterVisitor;

impl<'de> Visitor<'de> for InClusterVisitor {
    type Value = InCluster;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one key of a Secret, `{ secret: NAME, key: KEY }`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<InCluster, A::Error> {
        let (mut secret, mut key, mut namespace) = (None, None, None);
        while let Some(part) = map.next_key_seed(OneOf(&KEYS))? {
            match part {
                "secret" => secret = Some(map.next_value::<SecretName>()?.0),
                "key" => key = Some(map.next_value::<Key>()?.0),
                _ => namespace = Some(map.next_value::<NamespaceName>()?.0),
            }
        }
        match (secret, key) {
            (Some(secret), Some(key)) => Ok(InCluster { secret, key, namespace }),
            _ => Err(de::Error::custom(format!("{INCOMPLETE}\nhint: write `{{ secret: NAME, key: KEY }}`"))),
        }
    }
}

macro_rules! checked {
    ($name:ident, $is:path, $message:ident, $hint:literal) => {
        struct $name(String);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let good = text(deserializer).filter(|text| $is(text)).map(Self);
                good.ok_or_else(|| de::Error::custom(format!(concat!("{}\nhint: ", $hint), $message)))
            }
        }
    };
}

checked!(SecretName, kubernetes::is_subdomain, NO_SECRET, "lower-case letters, digits, `-` and `.`");
checked!(Key, is_key, NO_KEY, "letters, digits, `-`, `_` and `.`");
checked!(NamespaceName, kubernetes::is_label, NO_NAMESPACE, "lower-case letters, digits and `-`");

/// As Kubernetes checks it (`IsConfigMapKey`).
fn is_key(text: &str) -> bool {
    let is_plain = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    (1..=253).contains(&text.len()) && is_plain && text != "." && !text.starts_with("..")
}

impl JsonSchema for InCluster {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "InCluster".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        // Not `required`, which the schema of a part of an environment leaves out: a reference is never a part.
        json_schema!({
            "type": "object",
            "description": "A key of a Secret of the cluster that holds it.",
            "properties": {
                "secret": {
                    "type": "string", "pattern": SUBDOMAIN, "maxLength": 253,
                    "description": "The name of the Secret.",
                },
                "key": {
                    "type": "string", "pattern": KEY, "maxLength": 253,
                    "not": { "pattern": r"^(\.$|\.\.)" },
                    "description": "The key in it.",
                },
                "namespace": {
                    "type": "string", "pattern": LABEL, "maxLength": 63,
                    "description": "The namespace that it is in; that of the environment's `kubernetes` when left out.",
                },
            },
            "minProperties": 1,
            "dependentRequired": { "secret": ["key"], "key": ["secret"], "namespace": ["secret", "key"] },
            "additionalProperties": false,
        })
    }
}
