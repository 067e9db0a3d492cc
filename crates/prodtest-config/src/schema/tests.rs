//! The schema and the reader agree.

use std::collections::BTreeMap;

use schemars::schema_for;
use serde::Deserialize;
use serde_json::Value;

use super::*;
use crate::{Config, Located, Node, Period, Source};

/// What this gate does.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Smoke {
    /// The files with scenarios.
    scenarios: Vec<crate::FilePath>,
    limits: Option<Limits>,
    steps: Option<Vec<Located<Limits>>>,
    by_name: Option<BTreeMap<String, Limits>>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[expect(dead_code, reason = "only its shape is of interest")]
struct Limits {
    within: Period,
    attempts: u8,
}

/// Another thing by the same name.
mod perf {
    use super::*;

    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its shape is of interest")]
    pub(super) struct Perf {
        limits: Limits,
    }

    #[derive(Debug, Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its shape is of interest")]
    pub(super) struct Limits {
        p99: Period,
    }
}

fn whole() -> Value {
    schema(vec![("smoke", schema_for!(Smoke)), ("perf", schema_for!(perf::Perf))])
}

/// Whether the schema takes it, and whether the reader does, for the only environment.
fn judged(text: &str) -> (bool, bool) {
    let validator = jsonschema::draft202012::new(&whole()).unwrap();
    let json: Value = Node::parse("prodtest.yaml", text).unwrap().read().unwrap();
    let config = Source::new("prodtest.yaml", text).and_then(|source| Config::of(&source, "smoke", Some("e")));
    let read = config.and_then(|config| config.section.read::<Smoke>().map(|_| ()));
    (validator.is_valid(&json), read.is_ok())
}

#[test]
fn it_is_a_schema() {
    let schema = whole();
    assert_eq!(schema["$schema"], DIALECT);
    assert!(jsonschema::draft202012::meta::is_valid(&schema));
    let text = schema.to_string();
    for target in text.split("\"$ref\":\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(schema.pointer(&target[1..]).is_some_and(Value::is_object), "{target} is not defined");
    }
    assert_eq!(schema["properties"]["service"]["description"], "The service under test.");
    let environment = &schema["$defs"]["environment"];
    assert_eq!(environment["properties"]["url"]["description"], "Where the service is.");
    assert_eq!(environment["additionalProperties"], false);
}

#[test]
fn what_the_reader_takes_the_schema_takes_too() {
    for text in [
        "service: a\nenvironments: {e: }\nsmoke: {scenarios: [x]}",
        "service: a\nenvironments: {e: {smoke: {scenarios: [x]}}}\nsmoke:\nwaivers:",
        "service: a\nenvironments: {e: {smoke: {limits: {within: 2s}}}}\nsmoke: {scenarios: [x], limits: {attempts: 3}}",
        "service: a\nenvironments: {e: {smoke: {by-name: {k: {within: 2s}}}}}\nsmoke: {scenarios: [x], by-name: {k: {attempts: 3}}}",
        "service: a\nenvironments: {e: {extends: f, auth: {value: {env: K}}}, f: {auth: {header: X}}}\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {e: {url: 'http://x:1/y', version: '1', protected: true, tls: {ca: c, min-days: 1}, connect: 'a:1', kubernetes: {namespace: n, context: c, kubeconfig: k}, identities: {o: {header: X, value: {file: f}, optional: true}, k: {header: X, value: {kubernetes: {secret: a.b, key: c, namespace: d}}}}}}\nsmoke: {scenarios: []}\nwaivers: [{check: smoke/a, reason: x, owner: y, expires: 2026-12-31}]",
    ] {
        // `e` may extend `f`, which is incomplete by itself; only then is the second environment looked at too.
        let (schema, reader) =
            judged(&text.replace(", f: {auth: {header: X}}", ", f: {auth: {header: X, value: {env: L}}}"));
        assert_eq!((schema, reader), (true, true), "{text}");
    }
}

#[test]
fn what_the_schema_refuses_the_reader_refuses_too() {
    for text in [
        "service: a\nsmoke: {scenarios: []}",
        "environments: {e: }\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {}\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {e: }\nsmoke: {scenarios: []}\nsmoek: {}",
        "service: a\nenvironments: {e: {ulr: x}}\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {e: {url: 5}}\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {e: {url: 'http://me:pw@x'}}\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {e: {connect: x}}\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {e: {auth: {header: X, value: hunter22}}}\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {e: {auth: {header: X, value: {env: A, file: b}}}}\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {e: {auth: {header: X, value: {}}}}\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {e: {auth: {header: X, value: {kubernetes: {secret: a}}}}}\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {e: {auth: {header: X, value: {kubernetes: {secret: A, key: b}}}}}\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {e: {auth: {header: X, value: {kubernetes: {secret: a, key: ..b}}}}}\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {e: {auth: {header: X, value: {kubernetes: {secret: a, key: b}, env: C}}}}\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {e: {kubernetes: {namespace: A}}}\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {e: {kubernetes: {namespace: a, selector: b}}}\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {'../e': }\nsmoke: {scenarios: []}",
        "service: a\nenvironments: {e: }\nsmoke: {scenarios: [], limits: {within: 10, attempts: 1}}",
        "service: a\nenvironments: {e: }\nsmoke: {scenarios: [], limits: {within: 2 s, attempts: 1}}",
        "service: a\nenvironments: {e: }\nsmoke: {scenarios: [], limits: {within: s, attempts: 1}}",
        "service: a\nenvironments: {e: }\nsmoke: {scenarios: [], steps: [{within: 2s}]}",
        "service: a\nenvironments: {e: }\nsmoke: {scenarios: ['']}",
        "service: a\nenvironments: {e: }\nsmoke: {scenarios: []}\nwaivers: [{check: smoke/a}]",
        "service: a\nenvironments: {e: }\nsmoke: {scenarios: []}\nwaivers: [{finding: abc, reason: x, owner: y, expires: 2026-12-31}]",
    ] {
        assert_eq!(judged(text), (false, false), "{text}");
    }
}
