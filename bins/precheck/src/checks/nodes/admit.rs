//! Whether a node takes a pod at all, whatever room it has: its taints, the pod's selector and its affinity.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{Node, NodeSelectorRequirement, NodeSelectorTerm, PodSpec, Taint, Toleration};

/// Whether the pod may be put there.
/// <https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/>
pub(super) fn admits(node: &Node, pod: &PodSpec) -> bool {
    let empty = BTreeMap::new();
    let labels = node.metadata.labels.as_ref().unwrap_or(&empty);
    let selected = pod.node_selector.iter().flatten().all(|(name, value)| labels.get(name) == Some(value));
    let affinity = pod.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required = affinity.and_then(|it| it.required_during_scheduling_ignored_during_execution.as_ref());
    let wanted =
        required.is_none_or(|required| required.node_selector_terms.iter().any(|term| fits(term, node, labels)));
    let taints = node.spec.iter().flat_map(|spec| spec.taints.iter().flatten());
    let tolerations = pod.tolerations.as_deref().unwrap_or_default();
    let repelled =
        taints.filter(|taint| taint.effect != "PreferNoSchedule").any(|taint| !tolerated(taint, tolerations));
    selected && wanted && !repelled
}

/// A term without any requirement fits no node.
fn fits(term: &NodeSelectorTerm, node: &Node, labels: &BTreeMap<String, String>) -> bool {
    let name = node.metadata.name.clone().unwrap_or_default();
    // The one field that there is.
    let fields = BTreeMap::from([("metadata.name".to_owned(), name)]);
    let expressions = term.match_expressions.as_deref().unwrap_or_default();
    let of_fields = term.match_fields.as_deref().unwrap_or_default();
    let any = !expressions.is_empty() || !of_fields.is_empty();
    any && expressions.iter().all(|it| meets(it, labels)) && of_fields.iter().all(|it| meets(it, &fields))
}

fn meets(requirement: &NodeSelectorRequirement, labels: &BTreeMap<String, String>) -> bool {
    let (has, values) = (labels.get(&requirement.key), requirement.values.as_deref().unwrap_or_default());
    let numbers = || Some((has?.parse::<i64>().ok()?, values.first()?.parse::<i64>().ok()?));
    match requirement.operator.as_str() {
        "In" => has.is_some_and(|value| values.contains(value)),
        "NotIn" => has.is_none_or(|value| !values.contains(value)),
        "Exists" => has.is_some(),
        "DoesNotExist" => has.is_none(),
        "Gt" => numbers().is_some_and(|(own, bound)| own > bound),
        "Lt" => numbers().is_some_and(|(own, bound)| own < bound),
        _ => false,
    }
}

/// <https://kubernetes.io/docs/concepts/scheduling-eviction/taint-and-toleration/>
fn tolerated(taint: &Taint, tolerations: &[Toleration]) -> bool {
    tolerations.iter().any(|toleration| {
        let effect = toleration.effect.as_deref().unwrap_or_default();
        let key = toleration.key.as_deref().unwrap_or_default();
        let of_effect = effect.is_empty() || effect == taint.effect;
        let (own, other) =
            (taint.value.as_deref().unwrap_or_default(), toleration.value.as_deref().unwrap_or_default());
        let of_key = match toleration.operator.as_deref() {
            Some("Exists") => key.is_empty() || key == taint.key,
            None | Some("" | "Equal") => key == taint.key && own == other,
            Some(operator) => {
                let numbers = own.parse::<i64>().ok().zip(other.parse::<i64>().ok());
                let holds = |(own, other)| match operator {
                    "Gt" => own > other,
                    "Lt" => own < other,
                    _ => false,
                };
                key == taint.key && numbers.is_some_and(holds)
            }
        };
        of_effect && of_key
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn admitted(taints: Value, pod: Value) -> bool {
        let labels = json!({ "disk": "ssd", "cores": "8" });
        let node = json!({ "metadata": { "name": "one", "labels": labels }, "spec": { "taints": taints } });
        let mut pod = pod;
        pod["containers"] = json!([]);
        admits(&serde_json::from_value(node).unwrap(), &serde_json::from_value(pod).unwrap())
    }

    #[test]
    fn a_taint_repels_who_does_not_tolerate_it() {
        let taint = |effect: &str| json!([{ "key": "gpu", "value": "yes", "effect": effect }]);
        assert!(!admitted(taint("NoSchedule"), json!({})));
        assert!(!admitted(taint("NoExecute"), json!({})));
        assert!(admitted(taint("PreferNoSchedule"), json!({})));
        for (toleration, is) in [
            (json!({ "operator": "Exists" }), true),
            (json!({ "key": "gpu", "operator": "Exists" }), true),
            (json!({ "key": "gpu", "value": "yes" }), true),
            (json!({ "key": "gpu", "value": "no" }), false),
            (json!({ "key": "gpu", "value": "yes", "effect": "NoExecute" }), false),
            (json!({ "key": "tpu", "operator": "Exists" }), false),
        ] {
            assert_eq!(admitted(taint("NoSchedule"), json!({ "tolerations": [toleration] })), is, "{toleration}");
        }
    }

    #[test]
    fn a_selector_and_an_affinity_must_both_fit() {
        assert!(admitted(json!([]), json!({ "nodeSelector": { "disk": "ssd" } })));
        assert!(!admitted(json!([]), json!({ "nodeSelector": { "disk": "hdd" } })));
        let affine = |terms: Value| {
            let required = json!({ "nodeSelectorTerms": terms });
            admitted(
                json!([]),
                json!({ "affinity": { "nodeAffinity": { "requiredDuringSchedulingIgnoredDuringExecution": required } } }),
            )
        };
        let expression =
            |key: &str, operator: &str, values: Value| json!({ "key": key, "operator": operator, "values": values });
        let one = |it: Value| json!([{ "matchExpressions": [it] }]);
        assert!(affine(one(expression("cores", "Gt", json!(["4"])))));
        assert!(!affine(one(expression("cores", "Lt", json!(["4"])))));
        assert!(affine(one(expression("zone", "DoesNotExist", json!([])))));
        assert!(!affine(one(expression("disk", "NotIn", json!(["ssd"])))));
        assert!(affine(json!([{ "matchFields": [expression("metadata.name", "In", json!(["one"]))] }])));
        assert!(!affine(json!([{}])), "an empty term fits nothing");
        assert!(
            affine(json!([{}, { "matchExpressions": [expression("disk", "Exists", json!([]))] }])),
            "one of them does"
        );
    }
}
