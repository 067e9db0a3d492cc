//! What a step expects of an answer, as users write it.

use std::{borrow::Cow, fmt};

use prodtest_config::{Located, Period};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, MapAccess, SeqAccess, Visitor, value::MapAccessDeserializer},
};
use serde_json::Value;

/// What an answer must be. Everything given must hold; without `status`, any 2xx will do.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Expect {
    /// The status: `200`, `2xx`, or a list of such. Default: `2xx`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) status: Option<Located<StatusSet>>,
    /// The time from sending the request to the last byte of the answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) within: Option<Located<Period>>,
    /// Header names (in any case) and what their values must be.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub(crate) headers: Ordered<Located<Matcher>>,
    /// JSONPath queries (RFC 9535) and what every value they select must be.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub(crate) json: Ordered<Located<Matcher>>,
    /// What the body as text must be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) body: Option<Located<Matcher>>,
}

impl Expect {
    /// The statuses that will do.
    pub(crate) fn status(&self) -> StatusSet {
        self.status.as_ref().map_or_else(|| StatusSet(vec![StatusPattern::Class(2)]), |status| status.value.clone())
    }
}

/// One status or a hundred of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StatusPattern {
    /// `200`.
    Exact(u16),
    /// `2xx`.
    Class(u16),
}

/// The statuses that will do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct StatusSet(pub(crate) Vec<StatusPattern>);

impl StatusSet {
    /// Whether `status` is one of them.
    pub(crate) fn contains(&self, status: u16) -> bool {
        self.0.iter().any(|pattern| match pattern {
            StatusPattern::Exact(exact) => *exact == status,
            StatusPattern::Class(class) => *class == status / 100,
        })
    }
}

impl fmt::Display for StatusPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(status) => write!(f, "{status}"),
            Self::Class(class) => write!(f, "{class}xx"),
        }
    }
}

impl fmt::Display for StatusSet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, pattern) in self.0.iter().enumerate() {
            write!(f, "{}{pattern}", if i > 0 { " or " } else { "" })?;
        }
        Ok(())
    }
}

impl std::str::FromStr for StatusPattern {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let error = || format!("`{text}` is not a status: expected one such as `200`, or a class such as `2xx`");
        if let Some(class) = text.strip_suffix("xx") {
            let class = class.parse().map_err(|_| error())?;
            return if (1..=5).contains(&class) { Ok(Self::Class(class)) } else { Err(error()) };
        }
        let status = text.parse().map_err(|_| error())?;
        if (100..600).contains(&status) { Ok(Self::Exact(status)) } else { Err(error()) }
    }
}

impl Serialize for StatusSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.0.iter().map(ToString::to_string))
    }
}

impl<'de> Deserialize<'de> for StatusSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct StatusVisitor;
        impl<'de> Visitor<'de> for StatusVisitor {
            type Value = StatusSet;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a status such as `200`, a class such as `2xx`, or a list of such")
            }

            fn visit_u64<E: de::Error>(self, status: u64) -> Result<StatusSet, E> {
                self.visit_str(&status.to_string())
            }

            fn visit_i64<E: de::Error>(self, status: i64) -> Result<StatusSet, E> {
                self.visit_str(&status.to_string())
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<StatusSet, E> {
                text.parse().map(|pattern| StatusSet(vec![pattern])).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<StatusSet, A::Error> {
                let mut patterns = Vec::new();
                while let Some(StatusSet(more)) = items.next_element()? {
                    patterns.extend(more);
                }
                if patterns.is_empty() {
                    Err(de::Error::custom("an empty list of statuses"))
                } else {
                    Ok(StatusSet(patterns))
                }
            }
        }
        deserializer.deserialize_any(StatusVisitor)
    }
}

impl JsonSchema for StatusSet {
    fn schema_name() -> Cow<'static, str> {
        "Status".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let one = serde_json::json!([
            { "type": "integer", "minimum": 100, "maximum": 599 },
            { "type": "string", "pattern": "^([1-5]xx|[1-5][0-9][0-9])$" }
        ]);
        json_schema!({ "anyOf": [one[0], one[1], { "type": "array", "minItems": 1, "items": { "anyOf": one } }] })
    }
}

/// What a value must be: a plain value (it must equal it), or a map of operations that must all hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Operations {
    /// It equals this value.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) equals: Option<Value>,
    /// It is anything but this value.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) not: Option<Value>,
    /// It equals one of these values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) one_of: Option<Vec<Value>>,
    /// The text contains this text, or the list this value.
    #[serde(default, deserialize_with = "present", skip_serializing_if = "Option::is_none")]
    pub(crate) contains: Option<Value>,
    /// The text matches this regular expression somewhere.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) matches: Option<String>,
    /// Whether there is anything at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) exists: Option<bool>,
    /// The type of the value.
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub(crate) kind: Option<Kind>,
    /// The number is at least this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min: Option<f64>,
    /// The number is at most this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) max: Option<f64>,
    /// The query selects this many values.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) count: Option<usize>,
}

/// So that `equals: null` is a value, not an absence.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

/// The types of JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Kind {
    /// A text.
    String,
    /// A number.
    Number,
    /// `true` or `false`.
    Boolean,
    /// A list.
    Array,
    /// A map.
    Object,
    /// `null`.
    Null,
}

/// A matcher: operations, of which a plain value is the short form of `equals`.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(transparent)]
pub(crate) struct Matcher(pub(crate) Operations);

impl<'de> Deserialize<'de> for Matcher {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct MatcherVisitor;

        fn equals(value: impl Into<Value>) -> Matcher {
            Matcher(Operations { equals: Some(value.into()), ..Operations::default() })
        }

        impl<'de> Visitor<'de> for MatcherVisitor {
            type Value = Matcher;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a value, or operations such as `{ one-of: [a, b] }`")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Matcher, E> {
                Ok(equals(value))
            }

            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Matcher, E> {
                Ok(equals(value))
            }

            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Matcher, E> {
                Ok(equals(value))
            }

            fn visit_f64<E: de::Error>(self, value: f64) -> Result<Matcher, E> {
                Ok(equals(value))
            }

            fn visit_str<E: de::Error>(self, value: &str) -> Result<Matcher, E> {
                Ok(equals(value))
            }

            fn visit_unit<E: de::Error>(self) -> Result<Matcher, E> {
                Ok(equals(Value::Null))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Matcher, A::Error> {
                let mut list: Vec<Value> = Vec::new();
                while let Some(item) = items.next_element()? {
                    list.push(item);
                }
                Ok(equals(list))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Matcher, A::Error> {
                Operations::deserialize(MapAccessDeserializer::new(map)).map(Matcher)
            }
        }
        deserializer.deserialize_any(MatcherVisitor)
    }
}

impl JsonSchema for Matcher {
    fn schema_name() -> Cow<'static, str> {
        "Matcher".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let operations = generator.subschema_for::<Operations>();
        json_schema!({
            "description": "A plain value, which must be equalled, or operations, which must all hold.",
            "anyOf": [{ "type": ["string", "number", "boolean", "null", "array"] }, operations]
        })
    }
}

/// A map that keeps the order in which it was written.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Ordered<T>(pub(crate) Vec<(String, T)>);

impl<T> Default for Ordered<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Ordered<T> {
    /// Whether there is nothing in it.
    pub(crate) const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keys and values, in order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &T)> {
        self.0.iter().map(|(key, value)| (key.as_str(), value))
    }

    /// Values, in order.
    pub(crate) fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().map(|(_, value)| value)
    }
}

impl<T: Serialize> Serialize for Ordered<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter())
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Ordered<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OrderedVisitor<T>(std::marker::PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for OrderedVisitor<T> {
            type Value = Ordered<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Ordered<T>, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Ordered(entries))
            }
        }
        deserializer.deserialize_map(OrderedVisitor(std::marker::PhantomData))
    }
}

impl<T: JsonSchema> JsonSchema for Ordered<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("MapOf{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let value = generator.subschema_for::<T>();
        json_schema!({ "type": "object", "additionalProperties": value })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(json: &str) -> Result<StatusSet, serde_json::Error> {
        serde_json::from_str(json)
    }

    #[test]
    fn statuses_are_numbers_classes_and_lists() {
        assert!(status("200").unwrap().contains(200));
        let set = status(r#"["2xx", 404]"#).unwrap();
        assert!(set.contains(204) && set.contains(404) && !set.contains(403));
        assert_eq!(set.to_string(), "2xx or 404");
        for bad in ["99", "\"6xx\"", "\"ok\"", "[]", "600"] {
            assert!(status(bad).is_err(), "{bad} was accepted");
        }
        assert_eq!(status(&serde_json::to_string(&set).unwrap()).unwrap(), set, "a plan can be read again");
    }

    #[test]
    fn a_plain_value_is_short_for_equals() {
        let matcher = |json: &str| serde_json::from_str::<Matcher>(json).unwrap().0;
        assert_eq!(matcher("null").equals, Some(Value::Null));
        assert_eq!(matcher("\"x\"").equals, Some("x".into()));
        assert_eq!(matcher(r#"{"equals": null}"#).equals, Some(Value::Null));
        assert_eq!(matcher(r#"{"exists": false}"#).exists, Some(false));
        assert!(serde_json::from_str::<Matcher>(r#"{"equal": 1}"#).is_err());
    }
}
