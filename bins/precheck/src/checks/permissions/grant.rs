//! The roles that give what is missing.

use prodtest_gate::Rule;
use serde_json::{Value, json};

/// What is missing, each kind once, with all its verbs.
pub(super) fn gathered(missing: impl Iterator<Item = (String, Rule)>) -> Vec<(String, Rule)> {
    let mut gathered: Vec<(String, Rule)> = Vec::new();
    for (gate, rule) in missing {
        let same = |known: &&mut (String, Rule)| {
            let known = &known.1;
            (&known.namespace, &known.api_groups, &known.resources, &known.resource_names)
                == (&rule.namespace, &rule.api_groups, &rule.resources, &rule.resource_names)
        };
        match gathered.iter_mut().find(same) {
            Some((_, known)) => {
                for verb in rule.verbs {
                    if !known.verbs.contains(&verb) {
                        known.verbs.push(verb);
                    }
                }
            }
            None => gathered.push((gate, rule)),
        }
    }
    gathered
}

/// `get, list secrets in the namespace `a``.
pub(super) fn in_words(rule: &Rule) -> String {
    let group = rule.api_groups.first().filter(|group| !group.is_empty());
    let group = group.map(|group| format!(".{group}")).unwrap_or_default();
    let names = match rule.resource_names.as_slice() {
        [] => String::new(),
        names => format!(" `{}`", names.join("`, `")),
    };
    let place = match rule.namespace.as_str() {
        "" => "in the whole cluster".to_owned(),
        namespace => format!("in the namespace `{namespace}`"),
    };
    format!("{} {}{group}{names} {place}", rule.verbs.join(", "), rule.resources.join(", "))
}

/// The objects that give these rights to whoever asks, one JSON each, which is YAML.
pub(super) fn roles(who: &str, rules: &[Rule]) -> Vec<String> {
    let mut namespaces: Vec<&str> = rules.iter().map(|rule| rule.namespace.as_str()).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    let of_namespace = |namespace: &str| {
        let these: Vec<Value> = rules.iter().filter(|rule| rule.namespace == namespace).map(rule_of).collect();
        let (role, mut metadata) = match namespace {
            "" => ("ClusterRole", json!({})),
            namespace => ("Role", json!({ "namespace": namespace })),
        };
        // A name of its own: what else `prodtest` may do stays as it is.
        metadata["name"] = json!("prodtest-missing");
        let (group, version) = ("rbac.authorization.k8s.io", "rbac.authorization.k8s.io/v1");
        let binding = json!({
            "apiVersion": version,
            "kind": format!("{role}Binding"),
            "metadata": metadata,
            "roleRef": { "apiGroup": group, "kind": role, "name": "prodtest-missing" },
            "subjects": [subject(who)],
        });
        [json!({ "apiVersion": version, "kind": role, "metadata": metadata, "rules": these }), binding]
    };
    namespaces.into_iter().flat_map(of_namespace).map(|object| object.to_string()).collect()
}

fn rule_of(rule: &Rule) -> Value {
    let mut value = json!({ "apiGroups": rule.api_groups, "resources": rule.resources });
    if !rule.resource_names.is_empty() {
        value["resourceNames"] = json!(rule.resource_names);
    }
    value["verbs"] = json!(rule.verbs);
    value
}

/// A service account is known to the cluster by its namespace and name.
/// <https://kubernetes.io/docs/reference/access-authn-authz/rbac/#referring-to-subjects>
fn subject(who: &str) -> Value {
    match who.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':')) {
        Some((namespace, name)) => json!({ "kind": "ServiceAccount", "namespace": namespace, "name": name }),
        None => json!({ "kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": who }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verbs_of_one_kind_are_one_rule() {
        let rule = |verb: &str| ("deploy".to_owned(), Rule::new("a", "apps", &["deployments"], &[verb]));
        let gathered = gathered([rule("get"), rule("list"), rule("get")].into_iter());
        assert_eq!(gathered.len(), 1);
        assert_eq!(in_words(&gathered[0].1), "get, list deployments.apps in the namespace `a`");
    }

    #[test]
    fn what_belongs_to_no_namespace_is_a_cluster_role() {
        let rules = [Rule::new("", "", &["nodes"], &["list"]), Rule::new("a", "", &["pods"], &["list"])];
        let roles = roles("system:serviceaccount:ci:prodtest", &rules);
        let kinds: Vec<String> =
            roles.iter().map(|it| serde_json::from_str::<Value>(it).unwrap()["kind"].to_string()).collect();
        assert_eq!(kinds, [r#""ClusterRole""#, r#""ClusterRoleBinding""#, r#""Role""#, r#""RoleBinding""#]);
        assert!(
            roles[1].contains(r#"{"kind":"ServiceAccount","name":"prodtest","namespace":"ci"}"#)
                || roles[1].contains("ServiceAccount")
        );
    }
}
