//! Secrets by reference: the file says where a secret is, never what it is.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, MapAccess, Visitor},
};

use crate::{ConfigError, FilePath, Node};

/// What is said of a name that is none; it may be the secret itself, so its line is not shown.
pub(crate) const NO_NAME: &str = "this is not the name of an environment variable";

/// The name that tells `read` that a plain text here is a secret in the clear.
pub(crate) const NAME: &str = "__prodtest_secret_ref";

/// Where a secret is: `{ env: NAME }` or `{ file: PATH }`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum SecretRef {
    /// In an environment variable.
    Env(String),
    /// In a file of its own.
    File(FilePath),
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "the environment variable `{name}`"),
            Self::File(path) => write!(f, "the file `{path}`"),
        }
    }
}

/// Neither the message nor the report repeats what is written there.
pub(crate) fn in_clear(node: &Node) -> ConfigError {
    ConfigError::new("a secret is never written in the file")
        .at(node.place())
        .hidden()
        .with_hint("name the environment variable that holds it, `{ env: NAME }`, or a file, `{ file: PATH }`")
        .with_note("the line is not shown; if what stands there is a real secret, it needs replacing")
}

/// Read as a struct rather than an enum, so that a second key is seen wherever the map comes from.
impl<'de> Deserialize<'de> for SecretRef {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_struct(NAME, &["env", "file"], SecretRefVisitor)
    }
}

/// The keys of a reference.
#[derive(Deserialize)]
#[serde(field_identifier, rename_all = "lowercase")]
enum Key {
    Env,
    File,
}

struct SecretRefVisitor;

impl<'de> Visitor<'de> for SecretRefVisitor {
    type Value = SecretRef;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a secret by reference, `{ env: NAME }` or `{ file: PATH }`")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<SecretRef, A::Error> {
        let mut references = Vec::new();
        while let Some(key) = map.next_key()? {
            references.push(match key {
                Key::Env => SecretRef::Env(map.next_value::<VariableName>()?.0),
                Key::File => SecretRef::File(map.next_value()?),
            });
        }
        match <[SecretRef; 1]>::try_from(references) {
            Ok([reference]) => Ok(reference),
            Err(_) => {
                Err(de::Error::custom("a secret is in one place\nhint: write `{ env: NAME }` or `{ file: PATH }`"))
            }
        }
    }
}

struct VariableName(String);

impl<'de> Deserialize<'de> for VariableName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let is_word = |name: &String| name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let name = String::deserialize(deserializer).ok().filter(is_word);
        // Whatever else it is, a number or a list, may be the secret: no error that repeats it gets out.
        name.filter(|name| name.starts_with(|c: char| !c.is_ascii_digit())).map(Self).ok_or_else(|| {
            de::Error::custom(format!("{NO_NAME}\nhint: write the name alone: letters, digits and `_`, no `$`"))
        })
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
        json_schema!({
            "type": "object",
            "description": "Where a secret is: `{ env: NAME }` or `{ file: PATH }`. Never the secret itself.",
            "properties": {
                "env": {
                    "type": "string",
                    "pattern": "^[A-Za-z_][A-Za-z0-9_]*$",
                    "description": "The environment variable that holds it.",
                },
                "file": path,
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
        for bad in ["{}", "{ env: A, file: b }", "{ kubernetes: { secret: a, key: b } }", "{ env: '' }", "{ env: [A] }"]
        {
            assert!(read(bad).is_err(), "{bad} was accepted");
        }
    }

    #[test]
    fn the_plan_holds_the_reference() {
        let reference = SecretRef::Env("KEY".into());
        let json = serde_json::to_value(&reference).unwrap();
        assert_eq!(json, serde_json::json!({ "env": "KEY" }));
        assert_eq!(serde_json::from_value::<SecretRef>(json).unwrap(), reference);
        assert!(serde_json::from_str::<SecretRef>(r#"{"env": "A", "file": "b"}"#).is_err());
    }

    #[test]
    fn a_secret_in_the_clear_is_refused_and_not_repeated() {
        for text in
            ["hunter22", "'hunter22'", "[hunter22]", "|\n  hunter22\n", "{ env: $hunter22 }", "{ env: [hunter22] }"]
        {
            let error = read(text).unwrap_err();
            assert!(!(error.to_string() + &error.render(false)).contains("hunter22"), "{error}");
        }
        insta::assert_snapshot!(read("hunter22").unwrap_err().render(false), @r"
        error: a secret is never written in the file
        --> godel/prodtest.yaml:1:1
         = note: the line is not shown; if what stands there is a real secret, it needs replacing
         = hint: name the environment variable that holds it, `{ env: NAME }`, or a file, `{ file: PATH }`
        ");
    }
}
