//! What pods may quote of the Secrets that they use: their names in an object, and the forms that a value takes in a log.

use std::collections::BTreeSet;

use serde_json::Value;

/// A shorter value is an ordinary word: without it a report could not be read.
const LEAST: usize = 8;
/// The least of one line of a value that has several, as keys do.
const LEAST_LINE: usize = 16;

/// What a log may show of a value: the whole, a line, a part of its JSON, the password in its address.
#[must_use]
pub fn forms(text: &str) -> Vec<String> {
    let mut forms = vec![text.trim().to_owned()];
    if text.trim().contains('\n') {
        let lines = text.lines().map(str::trim).filter(|line| line.len() >= LEAST_LINE && !line.starts_with("-----"));
        forms.extend(lines.map(str::to_owned));
    }
    if let Ok(json @ (Value::Object(_) | Value::Array(_))) = serde_json::from_str(text) {
        leaves(&json, &mut forms);
    }
    forms.extend(url::Url::parse(text.trim()).ok().and_then(|url| url.password().map(str::to_owned)));
    forms.retain(|form| form.len() >= LEAST);
    forms
}

fn leaves(json: &Value, into: &mut Vec<String>) {
    match json {
        Value::String(text) => into.push(text.clone()),
        Value::Array(items) => items.iter().for_each(|item| leaves(item, into)),
        Value::Object(map) => map.values().for_each(|item| leaves(item, into)),
        _ => {}
    }
}

/// The Secrets that an object names, wherever it does.
pub fn named(object: &Value, into: &mut BTreeSet<String>) {
    match object {
        Value::Array(items) => items.iter().for_each(|item| named(item, into)),
        Value::Object(map) => {
            for (key, value) in map {
                let of = |value: &Value| value["name"].as_str().map(str::to_owned);
                match key.as_str() {
                    "secretKeyRef" | "secretRef" | "secret" => into.extend(of(value)),
                    "secretName" => into.extend(value.as_str().map(str::to_owned)),
                    "imagePullSecrets" => into.extend(value.as_array().into_iter().flatten().filter_map(of)),
                    _ => {}
                }
                named(value, into);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_way_to_name_a_secret_is_known() {
        let pod = json!({
            "imagePullSecrets": [{ "name": "login" }],
            "containers": [{
                "env": [{ "valueFrom": { "secretKeyRef": { "name": "key", "key": "a" } } }],
                "envFrom": [{ "secretRef": { "name": "all" } }, { "configMapRef": { "name": "none" } }],
            }],
            "volumes": [
                { "name": "none", "secret": { "secretName": "volume" } },
                { "projected": { "sources": [{ "secret": { "name": "projected" } }] } },
            ],
        });
        let mut names = BTreeSet::new();
        named(&json!({ "spec": { "template": { "spec": pod } } }), &mut names);
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["all", "key", "login", "projected", "volume"]);
    }

    #[test]
    fn a_value_is_known_in_parts_too_and_a_short_one_is_not() {
        assert_eq!(forms("hunter2"), [""; 0]);
        let address = "postgres://shop:correct-horse@db.example:5432/shop";
        assert_eq!(forms(address), [address, "correct-horse"]);
        let pem = "-----BEGIN KEY-----\nMIIEvQIBADANBgkqh\nshort\n-----END KEY-----\n";
        assert_eq!(forms(pem), [pem.trim(), "MIIEvQIBADANBgkqh"]);
        assert_eq!(forms("{\"auths\": {\"a\": {\"auth\": \"bGFiOmxhYg==\"}}}")[1..], ["bGFiOmxhYg=="]);
    }
}
