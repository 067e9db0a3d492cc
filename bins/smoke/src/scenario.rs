//! Scenarios, as users write them: what a user of the service does, step by step, and what must come of it.

use std::{borrow::Cow, fmt, time::Duration};

use prodtest_config::{Located, Period, SecretRef};
use prodtest_gate::Severity;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::expect::{Expect, Ordered};

/// How long one request may take when the step does not say.
pub(crate) const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A file of scenarios.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(title = "prodtest smoke scenarios")]
pub(crate) struct ScenarioFile {
    /// The scenarios; each is one check, `smoke/<id>`.
    pub(crate) scenarios: Vec<Located<Scenario>>,
}

/// One scenario: one check.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Scenario {
    /// The name half of the check's id: lower-case letters, digits and hyphens.
    pub(crate) id: Located<String>,
    /// One line: what is true when it passes.
    pub(crate) title: String,
    /// Why a user cares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    /// What to do when it fails.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) help: Option<String>,
    /// How much its failure matters.
    #[serde(default)]
    pub(crate) severity: Severity,
    /// Scenarios whose failure explains this one's.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) needs: Vec<Located<String>>,
    /// Words to select by: `--only tag:writes`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) tags: Vec<String>,
    /// Your own requirement ids that it proves.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) requirements: Vec<String>,
    /// What is done, in order; the first step that does not go as expected ends the scenario.
    pub(crate) steps: Vec<Located<Step>>,
    /// What is done whatever happened, to clean up; a step whose variables were never captured has nothing to do.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) always: Vec<Located<Step>>,
}

/// One step: a request, or a look at the certificate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Step {
    /// What it is called in reports; unique in the scenario.
    pub(crate) name: String,
    /// `METHOD /path`, the path relative to the environment's `url`; `{{ name }}` is replaced.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) request: Option<Located<Target>>,
    /// Who asks: `default` (the environment's `auth`) or one of its `identities`. Left out: nobody, no key is sent.
    #[serde(default, rename = "as", skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<Located<String>>,
    /// Headers to send: texts, or secrets by reference.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub(crate) headers: Ordered<Located<HeaderValue>>,
    /// A JSON body to send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) json: Option<serde_json::Value>,
    /// A text body to send, instead of `json`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// How long one request may take; `10s` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) timeout: Option<Period>,
    /// Ask again until what is expected comes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) until: Option<Located<Until>>,
    /// Send it many times at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) burst: Option<Located<Burst>>,
    /// What must come of it.
    #[serde(default)]
    pub(crate) expect: Expect,
    /// Variables to take from the answer, for later steps.
    #[serde(default, skip_serializing_if = "Ordered::is_empty")]
    pub(crate) capture: Ordered<Located<Capture>>,
    /// Instead of a request: the certificate must be trusted, name the host, and last. Skipped over plain HTTP.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) certificate: Option<CertificateExpectation>,
}

impl Step {
    /// How long one request of it may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout.as_ref().map_or(REQUEST_TIMEOUT, |timeout| timeout.0)
    }
}

/// What a certificate must be, beyond being trusted and naming the host.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct CertificateExpectation {
    /// How many days it must still last; the environment's `tls.min-days` (14) when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) min_days: Option<u32>,
}

/// Asking again: until the step's `expect` holds, the tries or the time are used up, or an end state comes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Until {
    /// How long to wait between two tries.
    pub(crate) every: Period,
    /// How many tries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) attempts: Option<u32>,
    /// How long in all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) within: Option<Period>,
    /// An end state from which what is expected can no longer come: the step ends at once, and failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) stop_when: Option<Expect>,
}

/// Many of the same request. `{{ index }}` counts them from 0. Judged by `status` and `within` alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Burst {
    /// How many requests.
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) requests: u32,
    /// How many of them at the same time, each on a connection of its own; all when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at_once: Option<u32>,
}

impl Burst {
    /// How many requests are under way at the same time.
    pub(crate) fn at_once(&self) -> usize {
        self.at_once.unwrap_or(self.requests) as usize
    }
}

/// `METHOD /path`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    pub(crate) method: String,
    pub(crate) path: String,
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl Serialize for Target {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Target {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
        let text = String::deserialize(deserializer)?;
        let (method, path) = text.split_once(' ').unwrap_or((text.as_str(), ""));
        let path = path.trim();
        if !METHODS.contains(&method) {
            let methods = METHODS.join(", ");
            return Err(de::Error::custom(format!("`{text}` is not `METHOD /path` with one of {methods}")));
        }
        if !path.starts_with('/') {
            return Err(de::Error::custom(format!(
                "`{text}`: the path begins with `/` and is relative to the environment's `url`"
            )));
        }
        Ok(Self { method: method.to_owned(), path: path.to_owned() })
    }
}

impl JsonSchema for Target {
    fn schema_name() -> Cow<'static, str> {
        "Request".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "pattern": "^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) +/",
            "examples": ["GET /api/health", "DELETE /api/agents/{{ id }}"]
        })
    }
}

/// The value of a header: a text, or a secret by reference.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum HeaderValue {
    /// A text; `{{ name }}` is replaced.
    Text(String),
    /// A secret.
    Secret(SecretRef),
}

impl Serialize for HeaderValue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Secret(secret) => secret.serialize(serializer),
        }
    }
}

/// A value that is a text or a map; the map's own errors (unknown keys) reach the reader, as those of an untagged
/// enum would not.
macro_rules! text_or_map {
    ($name:ident, $what:literal, $text:expr, $map:ty, $from_map:expr) => {
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                struct TextOrMap;
                impl<'de> de::Visitor<'de> for TextOrMap {
                    type Value = $name;

                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str($what)
                    }

                    fn visit_str<E: de::Error>(self, text: &str) -> Result<$name, E> {
                        Ok($text(text.to_owned()))
                    }

                    fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<$name, A::Error> {
                        <$map>::deserialize(de::value::MapAccessDeserializer::new(map)).map($from_map)
                    }
                }
                deserializer.deserialize_any(TextOrMap)
            }
        }
    };
}

text_or_map!(
    HeaderValue,
    "a text, or a secret such as `{ env: NAME }`",
    HeaderValue::Text,
    SecretRef,
    HeaderValue::Secret
);

impl JsonSchema for HeaderValue {
    fn schema_name() -> Cow<'static, str> {
        "HeaderValue".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let secret = generator.subschema_for::<SecretRef>();
        json_schema!({ "anyOf": [{ "type": "string" }, secret] })
    }
}

/// What to take from an answer.
#[derive(Clone, Debug, Default, PartialEq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[schemars(with = "CaptureSchema")]
pub(crate) struct Capture {
    /// A JSONPath query; its first value is taken.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) json: Option<String>,
    /// A header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) header: Option<String>,
    /// Whether the value must not be shown or kept.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) secret: bool,
}

/// The long form of a capture.
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct CaptureFields {
    /// A JSONPath query; its first value is taken.
    #[serde(default)]
    json: Option<String>,
    /// A header.
    #[serde(default)]
    header: Option<String>,
    /// Whether the value must not be shown or kept: a token, a password.
    #[serde(default)]
    secret: bool,
}

/// A JSONPath query, or the long form.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "the shape of the schema only")]
enum CaptureSchema {
    Query(String),
    Fields(CaptureFields),
}

text_or_map!(
    Capture,
    "a JSONPath query, or `{ json: …, header: …, secret: … }`",
    |query| Capture { json: Some(query), ..Capture::default() },
    CaptureFields,
    |fields| Capture { json: fields.json, header: fields.header, secret: fields.secret }
);
