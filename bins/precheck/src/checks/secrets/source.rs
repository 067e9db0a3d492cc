//! Where Secrets come from that others make: Sealed Secrets and External Secrets, where the cluster has them.

use prodtest_gate::Rule;
use prodtest_inspect::Unseen;
use prodtest_kube::{
    Call, Cluster,
    kube::{
        Api,
        api::{ApiResource, DynamicObject, ListParams},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A kind of object that a controller makes Secrets of.
struct Kind {
    group: &'static str,
    /// The versions that are known here, the best first.
    versions: &'static [&'static str],
    kind: &'static str,
    plural: &'static str,
    /// The condition that is true when it is done.
    condition: &'static str,
}

/// <https://github.com/bitnami-labs/sealed-secrets> and <https://external-secrets.io/latest/api/externalsecret/>
const KINDS: [Kind; 2] = [
    Kind {
        group: "bitnami.com",
        versions: &["v1alpha1"],
        kind: "SealedSecret",
        plural: "sealedsecrets",
        condition: "Synced",
    },
    Kind {
        group: "external-secrets.io",
        versions: &["v1", "v1beta1"],
        kind: "ExternalSecret",
        plural: "externalsecrets",
        condition: "Ready",
    },
];

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Source {
    pub(super) kind: String,
    pub(super) name: String,
    /// The condition that must be true.
    pub(super) condition: String,
    /// Why it is not, where it is not.
    pub(super) not: Option<String>,
}

/// What one must be allowed to do for [`all`].
pub(super) fn rules(namespace: &str) -> Vec<Rule> {
    KINDS.iter().map(|kind| Rule::new(namespace, kind.group, &[kind.plural], &["list"])).collect()
}

/// All of the namespace.
pub(super) async fn all(cluster: &Cluster, namespace: &str) -> Result<Vec<Source>, Unseen> {
    let client = cluster.client();
    let call = Call { asked: "ask which API groups there are".to_owned(), rule: Rule::new("", "", &[], &["get"]) };
    let groups = cluster.ask(&call, client.list_api_groups()).await?.groups;
    let mut sources = Vec::new();
    for kind in &KINDS {
        let served = groups.iter().filter(|group| group.name == kind.group).flat_map(|group| &group.versions);
        let served: Vec<&str> = served.map(|version| version.version.as_str()).collect();
        let Some(version) = kind.versions.iter().find(|version| served.contains(version)) else { continue };
        let resource = ApiResource {
            group: kind.group.to_owned(),
            version: (*version).to_owned(),
            api_version: format!("{}/{version}", kind.group),
            kind: kind.kind.to_owned(),
            plural: kind.plural.to_owned(),
        };
        let call = Call {
            asked: format!("list the {} in the namespace `{namespace}`", kind.plural),
            rule: Rule::new(namespace, kind.group, &[kind.plural], &["list"]),
        };
        let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
        let listed = cluster.ask(&call, api.list(&ListParams::default())).await?.items;
        sources.extend(listed.into_iter().map(|object| Source {
            kind: kind.kind.to_owned(),
            name: object.metadata.name.clone().unwrap_or_default(),
            condition: kind.condition.to_owned(),
            not: not(&object.data["status"], object.metadata.generation, kind.condition),
        }));
    }
    Ok(sources)
}

/// Why a condition is not true; none, where it is.
fn not(status: &Value, generation: Option<i64>, condition: &str) -> Option<String> {
    let conditions = status["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(found) = conditions.iter().find(|it| it["type"] == condition) else {
        return Some("its controller has not said anything of it".to_owned());
    };
    if found["status"] != "True" {
        let words = [&found["message"], &found["reason"]].into_iter().filter_map(Value::as_str);
        return Some(words.into_iter().find(|word| !word.is_empty()).unwrap_or("no reason is said").to_owned());
    }
    let (seen, now) = (status["observedGeneration"].as_i64()?, generation?);
    (seen < now).then(|| "its controller has not seen its last change yet".to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_done_says_so_of_its_last_change() {
        let of = |status: Value| not(&status, Some(2), "Synced");
        let condition =
            |status: &str| json!({ "type": "Synced", "status": status, "message": "no key could decrypt it" });
        assert_eq!(of(json!({ "conditions": [condition("True")] })), None);
        assert_eq!(of(json!({ "conditions": [condition("True")], "observedGeneration": 2 })), None);
        assert_eq!(of(json!({ "conditions": [condition("False")] })).as_deref(), Some("no key could decrypt it"));
        assert!(of(json!({ "conditions": [condition("True")], "observedGeneration": 1 })).is_some());
        assert!(
            of(json!(null)).is_some() && of(json!({ "conditions": [{ "type": "Ready", "status": "True" }] })).is_some()
        );
    }
}
