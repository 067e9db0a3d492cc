//! What a gate must be allowed to do in a cluster.

use serde::Serialize;
use serde_json::json;

/// A rule of a Role, and the namespace that the Role is in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// The namespace.
    pub namespace: String,
    /// The API groups; the core one is empty.
    pub api_groups: Vec<String>,
    /// The kinds of object, in the plural.
    pub resources: Vec<String>,
    /// The objects by name.
    pub resource_names: Vec<String>,
    /// What is done with them.
    pub verbs: Vec<String>,
}

impl Rule {
    /// To read these Secrets.
    #[must_use]
    pub fn get_secrets(namespace: &str, names: impl IntoIterator<Item = String>) -> Self {
        Self {
            namespace: namespace.to_owned(),
            api_groups: vec![String::new()],
            resources: vec!["secrets".to_owned()],
            resource_names: names.into_iter().collect(),
            verbs: vec!["get".to_owned()],
        }
    }

    /// A Role with this rule alone, in one line, ready for `kubectl apply -f -`.
    #[must_use]
    pub fn role(&self) -> String {
        let Self { namespace, api_groups, resources, resource_names, verbs } = self;
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "Role",
            "metadata": { "name": "prodtest", "namespace": namespace },
            "rules": [{
                "apiGroups": api_groups, "resources": resources, "resourceNames": resource_names, "verbs": verbs,
            }],
        })
        .to_string()
    }
}
