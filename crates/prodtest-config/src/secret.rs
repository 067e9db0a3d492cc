//! Secrets by reference: the file says where a secret is, never what it is.
//!
//! Whatever stands in the place of a reference may be the secret itself, so no error repeats it or shows its line.

mod in_cluster;

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, DeserializeSeed, MapAccess, Visitor},
};

use crate::{
    ConfigError, FilePath, Node,
    nearest::{listed, nearest},
};
pub use in_cluster::InCluster;

const NO_VARIABLE: &str = "this is not the name of an environment variable";
const NO_PATH: &str = "this is not the path of a file";
const NO_SUCH_KEY: &str = "a secret by reference has no such key";
const NOT_ONE_PLACE: &str = "a secret is in one place";

/// Every message about a reference.
const MESSAGES: [&str; 8] = [
    NO_VARIABLE,
    NO_PATH,
    NO_SUCH_KEY,
    NOT_ONE_PLACE,
    in_cluster::NO_SECRET,
    in_cluster::NO_KEY,
    in_cluster::NO_NAMESPACE,
    in_cluster::INCOMPLETE,
];

const FORMS: &str = "`{ env: NAME }`, `{ file: PATH }` or `{ kubernetes: { secret: NAME, key: KEY } }`";

/// The name that tells `read` that a plain text here is a secret in the clear.
pub(crate) const NAME: &str = "__prodtest_secret_ref";

/// Where a secret is: `{ env: NAME }`, `{ file: PATH }` or `{ kubernetes: { secret: NAME, key: KEY } }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file of its own.
    File(FilePath),
    /// In a Secret of the cluster.
    Kubernetes(InCluster),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable `{name}`"),
            Self::File(path) => write!(f, "the file `{path}`"),
            Self::Kubernetes(place) => place.fmt(f),
        }
    }
}

/// Whether an error is about a reference, so that its line must not be shown.
pub(crate) fn is_about_reference(message: &str) -> bool {
    MESSAGES.contains(&message)
}

/// Neither the message nor the report repeats what is written there.
pub(crate) fn in_clear(node: &Node) -> ConfigError {
    ConfigError::new("a secret is never written in the file")
        .at(node.place())
        .hidden()
        .with_hint(format!("say where it is: {FORMS}"))
        .with_note("the line is not shown; if what stands there is a real secret, it needs replacing")
}

/// Read as a struct rather than an enum, so that a second key is seen wherever the map comes from.
impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct(NAME, &KEYS, SecretRefVisitor)
    }
}

/// The keys of a reference.
pub(crate) const KEYS: [&str; 3] = ["env", "file", "kubernetes"];

struct SecretRefVisitor;

impl<'de> Visitor<'de> for SecretRefVisitor {
    type Value = SecretRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a secret by reference, {FORMS}")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretRef, A::Error> {
        let mut references = Vec::new();
        while let Some(key) = map.next_key_seed(OneOf(&KEYS))? {
            references.push(match key {
                "env" => SecretRef::Env(map.next_value::<VariableName>()?.0),
                "file" => SecretRef::File(map.next_value::<SecretPath>()?.0),
                _ => SecretRef::Kubernetes(map.next_value()?),
            });
        }
        match <[SecretRef; 1]>::try_from(references) {
            Ok([reference]) => Ok(reference),
            Err(_) => Err(de::Error::custom(format!("{NOT_ONE_PLACE}\nhint: write {FORMS}"))),
        }
    }
}

/// A key that is one of these.
struct OneOf(&'static [&'static str]);

impl<'de> DeserializeSeed<'de> for OneOf {
    type Value = &'static str;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<&'static str, D::Error> {
        let written = String::deserialize(deserializer).unwrap_or_default();
        self.0.iter().find(|key| **key == written).copied().ok_or_else(|| {
            let hint = match nearest(&written, self.0.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", listed(self.0)),
            };
            de::Error::custom(format!("{NO_SUCH_KEY}\nhint: {hint}"))
        })
    }
}

/// The text, if it is one. Whatever else it is, a number or a list, may be the secret: no error that repeats it gets
/// out.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Option<String> {
    String::deserialize(deserializer).ok()
}

struct VariableName(String);

impl<'de> Deserialize<'de> for VariableName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let is_word = |name: &String| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let name = text(deserializer).filter(is_word);
        name.filter(|name| name.starts_with(|c: char| !c.is_ascii_digit())).map(Self).ok_or_else(|| {
            de::Error::custom(format!("{NO_VARIABLE}\nhint: write the name alone: letters, digits and `_`, no `$`"))
        })
    }
}

struct SecretPath(FilePath);

impl<'de> Deserialize<'de> for SecretPath {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        FilePath::deserialize(deserializer).map(Self).map_err(|_| de::Error::custom(NO_PATH))
    }
}

impl JsonSchema for SecretRef {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SecretRef".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let path = generator.subschema_for::<FilePath>();
        let in_cluster = generator.subschema_for::<InCluster>();
        json_schema!({
            "type": "object",
            "description": format!("Where a secret is: {FORMS}. Never the secret itself."),
            "properties": {
                "env": {
                    "type": "string",
                    "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
                    "description": "The environment variable that holds it.",
                },
                "file": path,
                "kubernetes": in_cluster,
            },
            "minProperties": 1,
            "maxProperties": 1,
            "additionalProperties": false,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<SecretRef, ConfigError> {
        Node::parse("godel/prodtest.yaml", text).unwrap().read()
    }

    #[test]
    fn a_reference_names_one_place() {
        assert_eq!(read("{ env: GODEL_API_KEY }").unwrap(), SecretRef::Env("GODEL_API_KEY".into()));
        assert_eq!(read("{ file: key.txt }").unwrap().to_string(), "the file `godel/key.txt`");
        let here = read("{ kubernetes: { secret: godel-api-key, key: key } }").unwrap();
        assert_eq!(here.to_string(), "the key `key` of the secret `godel-api-key`");
        let there = read("{ kubernetes: { secret: tls.godel, key: tls.crt, namespace: other } }").unwrap();
        assert_eq!(there.to_string(), "the key `tls.crt` of the secret `tls.godel` in the namespace `other`");
        for bad in ["{}", "{ env: A, file: b }", "{ env: '' }", "{ env: [A] }", "{ file: '' }"] {
            assert!(read(bad).is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn a_secret_of_the_cluster_is_in_the_namespace_that_was_written() {
        let read = |rest: &str| read(&format!("{{ kubernetes: {{ secret: a, key: b{rest} }} }}")).unwrap();
        assert_eq!(read("").within(Some("here")), read(", namespace: here"));
        assert_eq!(read(", namespace: there").within(Some("here")), read(", namespace: there"));
        assert_eq!(SecretRef::Env("A".into()).within(Some("here")), SecretRef::Env("A".into()));
    }

    #[test]
    fn the_plan_holds_the_reference() {
        let there = r#"{"kubernetes":{"secret":"a","key":"b","namespace":"c"}}"#;
        for written in [r#"{"env":"KEY"}"#, r#"{"kubernetes":{"secret":"a","key":"b"}}"#, there] {
            let reference: SecretRef = serde_json::from_str(written).unwrap();
            assert_eq!(serde_json::to_string(&reference).unwrap(), written);
        }
        assert!(serde_json::from_str::<SecretRef>(r#"{"env": "A", "file": "b"}"#).is_err());
    }

    #[test]
    fn a_malformed_reference_is_told_where_it_stands() {
        for (text, expected) in [
            ("{ envv: A }", "1:3: a secret by reference has no such key"),
            ("{ kubernetes: {} }", "1:15: which key of which Secret it is must be said"),
            ("{ kubernetes: { secret: a } }", "1:15: which key of which Secret it is must be said"),
            ("{ kubernetes: { key: a, namespace: b } }", "1:15: which key of which Secret it is must be said"),
            ("{ kubernetes: { secret: a, key: b, name: c } }", "1:36: a secret by reference has no such key"),
            ("{ kubernetes: { secret: A, key: b } }", "1:25: this is not the name of a Secret"),
            ("{ kubernetes: { secret: a, key: .. } }", "1:33: this is not the key of a Secret"),
            ("{ kubernetes: { secret: a, key: b/c } }", "1:33: this is not the key of a Secret"),
            ("{ kubernetes: { secret: a, key: b, namespace: c.d } }", "1:47: this is not the name of a namespace"),
            ("{ kubernetes: { secret: a, key: b }, env: A }", "1:1: a secret is in one place"),
        ] {
            assert_eq!(read(text).unwrap_err().to_string(), format!("godel/prodtest.yaml:{expected}"), "{text}");
        }
        assert_eq!(read("{ envv: A }").unwrap_err().hint(), Some("did you mean `env`?"));
    }

    #[test]
    fn a_secret_in_the_clear_is_refused_and_not_repeated() {
        for text in [
            "hunter22",
            "'hunter22'",
            "[hunter22]",
            "|\n  hunter22\n",
            "{ env: $hunter22 }",
            "{ env: [hunter22] }",
            "{ file: [hunter22] }",
            "{ plain: hunter22 }",
            "{ hunter22: }",
            "{ env: A, file: hunter22 }",
            "{ kubernetes: hunter22 }",
            "{ kubernetes: [hunter22] }",
            "{ kubernetes: { secret: hunter22 } }",
            "{ kubernetes: { secret: Hunter22/hunter22, key: a } }",
            "{ kubernetes: { secret: a, key: { b: hunter22 } } }",
            "{ kubernetes: { secret: a, key: b, value: hunter22 } }",
            "{ kubernetes: { secret: a, key: b, namespace: $hunter22 } }",
        ] {
            let error = read(text).unwrap_err();
            assert!(
                !(error.to_string() + &error.render(false)).contains("hunter22"),
                "{text}: {}",
                error.render(false)
            );
            assert!(error.place().is_some(), "{text}");
        }
        insta::assert_snapshot!(read("hunter22").unwrap_err().render(false), @r"
        error: a secret is never written in the file
        --> godel/prodtest.yaml:1:1
         = note: the line is not shown; if what stands there is a real secret, it needs replacing
         = hint: say where it is: `{ env: NAME }`, `{ file: PATH }` or `{ kubernetes: { secret: NAME, key: KEY } }`
        ");
    }
}
