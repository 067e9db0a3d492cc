//! What an apply would change, for `--dry-run`. Pure.

use serde_json::Value;
use similar::TextDiff;

use super::Reference;
use crate::backup::clean;

/// The difference between what is there and what would be, as unified text; empty where there is none. What the cluster
/// owns is left out; of a Secret's values there is the length, and whether it is another.
#[must_use]
pub fn diff(live: Option<&Value>, would_be: &Value) -> String {
    let name = Reference::of(would_be).map_or_else(|error| error.to_string(), |object| object.to_string());
    let text = |object: &Value, other: Option<&Value>| {
        let mut lines = Vec::new();
        list("", &hide(&clean(object), other), &mut lines);
        lines.concat()
    };
    let before = live.map(|live| text(live, None)).unwrap_or_default();
    let after = text(would_be, live);
    if before == after {
        return String::new();
    }
    let from = if live.is_some() { "live" } else { "nothing" };
    TextDiff::from_lines(&before, &after)
        .unified_diff()
        .context_radius(2)
        .header(&format!("{name} ({from})"), &format!("{name} (after)"))
        .to_string()
}

/// A line for each value, with the whole way to it: a line alone then says what it is of.
fn list(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(map) if !map.is_empty() => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            for key in keys {
                list(&format!("{path}.{key}"), &map[key], lines);
            }
        }
        Value::Array(items) if !items.is_empty() => {
            for (number, item) in items.iter().enumerate() {
                list(&format!("{path}[{number}]"), item, lines);
            }
        }
        value => lines.push(format!("{}: {value}\n", path.trim_start_matches('.'))),
    }
}

/// A Secret without its values, and with a word on each that is not what `other` has there. A hash would say more than
/// that: those of weak passwords can be guessed.
fn hide(object: &Value, other: Option<&Value>) -> Value {
    let mut object = object.clone();
    if object["kind"] != "Secret" {
        return object;
    }
    for kept in ["data", "stringData"] {
        for (key, value) in object.get_mut(kept).and_then(Value::as_object_mut).into_iter().flatten() {
            let length = value.as_str().unwrap_or_default().len();
            let changed = other.is_some_and(|other| other[kept].get(key).is_some_and(|other| other != value));
            *value = format!("{length} characters{}", if changed { ", others than before" } else { "" }).into();
        }
    }
    // kubectl's own copy of the whole object.
    if let Some(annotations) = object.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove("kubectl.kubernetes.io/last-applied-configuration");
    }
    object
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(kind: &str, value: &str) -> Value {
        json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": "a" }, "data": { "key": value } })
    }

    #[test]
    fn a_change_is_shown_with_the_way_to_it() {
        let shown = diff(Some(&map("ConfigMap", "old")), &map("ConfigMap", "new"));
        assert!(shown.contains("-data.key: \"old\"\n+data.key: \"new\""), "{shown}");
        assert!(shown.contains("+++ configmap/a (after)"), "{shown}");
    }

    #[test]
    fn what_the_cluster_owns_is_no_change() {
        let mut live = map("ConfigMap", "same");
        live["metadata"]["resourceVersion"] = json!("7");
        live["status"] = json!({ "a": 1 });
        assert_eq!(diff(Some(&live), &map("ConfigMap", "same")), "");
    }

    #[test]
    fn a_secret_shows_that_it_changed_and_not_what_it_is() {
        let mut live = map("Secret", "b2xk");
        live["metadata"]["annotations"] = json!({ "kubectl.kubernetes.io/last-applied-configuration": "b2xk" });
        let shown = diff(Some(&live), &map("Secret", "bmV3"));
        assert!(shown.contains("+data.key: \"4 characters, others than before\""), "{shown}");
        assert!(!shown.contains("b2xk") && !shown.contains("bmV3"), "{shown}");
    }
}
