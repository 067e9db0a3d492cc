//! Every change is found, and nothing else.

use proptest::prelude::*;
use serde_json::{Map, json};

use super::*;

/// Objects of some kind, three levels deep.
pub(in crate::backup) fn any_object() -> impl Strategy<Value = Value> {
    let kind = proptest::sample::select(vec!["ConfigMap", "Deployment", "Job", "Secret", "Service"]);
    (kind, any_value(), any_value()).prop_map(|(kind, metadata, spec)| {
        json!({ "apiVersion": "v1", "kind": kind, "metadata": metadata, "spec": spec, "status": { "a": 1 } })
    })
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-z.]{0,5}".prop_map(Value::from)
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let name =
            proptest::sample::select(vec!["a", "b.c/d", "annotations", "finalizers", "ports", "selector", "uid"]);
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((name, inner), 0..4).prop_map(|fields| {
                Value::from(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect::<Map<_, _>>())
            }),
        ]
    })
}

/// Adds what a cluster adds: a field to every object.
fn with_defaults(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Map<_, _> =
                fields.iter().map(|(name, value)| (name.clone(), with_defaults(value))).collect();
            fields.insert("default".to_owned(), json!(1));
            fields.into()
        }
        Value::Array(items) => items.iter().map(with_defaults).collect(),
        leaf => leaf.clone(),
    }
}

/// Changes the leaf of that number; false, when there are not so many.
fn change(value: &mut Value, number: &mut usize) -> bool {
    match value {
        Value::Object(fields) => fields.values_mut().any(|value| change(value, number)),
        Value::Array(items) => items.iter_mut().any(|value| change(value, number)),
        leaf if *number == 0 => {
            *leaf = json!("another value");
            true
        }
        _ => {
            *number -= 1;
            false
        }
    }
}

proptest! {
    #[test]
    fn what_the_cluster_adds_is_no_difference(object in any_object()) {
        prop_assert_eq!(compare(&object, &with_defaults(&object)), vec![]);
    }

    #[test]
    fn each_changed_leaf_is_one_difference(object in any_object(), number in 1_usize..20) {
        let mut changed = object.clone();
        if change(&mut changed, &mut { number }) {
            prop_assert_eq!(compare(&object, &changed).len(), 1);
        }
    }
}

#[test]
fn a_difference_says_where_and_what() {
    let object = |replicas: i32| json!({ "apiVersion": "apps/v1", "kind": "Deployment", "metadata": { "name": "a" }, "spec": { "replicas": replicas } });
    let differences = compare(&object(3), &object(1));
    let expected = Difference {
        object: "deployment.apps/a".to_owned(),
        path: "spec.replicas".to_owned(),
        expected: "3".to_owned(),
        seen: "1".to_owned(),
    };
    assert_eq!(differences, [expected]);
}

#[test]
fn one_more_item_of_a_list_is_a_difference() {
    assert_eq!(compare(&json!({ "a": [1] }), &json!({ "a": [1, 2] }))[0].expected, "1 items");
    assert_eq!(compare(&json!({ "a": [] }), &json!({})), []);
}

#[test]
fn a_secret_is_not_quoted() {
    let secret = |value: &str| json!({ "kind": "Secret", "data": { "key": value } });
    let text = format!("{:?}", compare(&secret("s3cret"), &secret("t3cret")));
    assert!(text.contains("data.key") && !text.contains("3cret"), "{text}");
}
