//! Puts a backup back.

use prodtest_kube::Cluster;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Backup, BackupError, Difference, compare};
use crate::apply::{Applied, Applier, Manner, Reference, in_order};

/// What came of it; facts, without any value of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct RestoreFacts {
    /// Into which namespace.
    pub namespace: String,
    /// What came of each object.
    pub applied: Vec<Applied>,
    /// What was not put back, on purpose.
    pub left_out: Vec<LeftOut>,
    /// What is not as it was, after all.
    pub differences: Vec<Difference>,
}

impl RestoreFacts {
    /// Whether everything that was put back is there as it was.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.differences.is_empty() && self.applied.iter().all(|one| one.outcome.is_there())
    }
}

/// An object that was not put back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct LeftOut {
    /// Which.
    pub object: Reference,
    /// Why.
    pub why: String,
}

/// Puts a backup into a namespace that is there, and compares what is there then with what was kept. Fields are taken
/// from whoever owns them.
///
/// Into another namespace than that of the backup go the objects of the namespace alone: those of no namespace are
/// still in use by the release they are of, and Helm's own record names its namespace inside.
///
/// # Errors
/// When an object of it does not say what it is, or the cluster does not say what it has. An object that it does not
/// take is a fact.
pub async fn restore(cluster: &Cluster, backup: &Backup, namespace: &str) -> Result<RestoreFacts, BackupError> {
    let (objects, left_out) = planned(backup, namespace)?;
    let applier = Applier::new(cluster, namespace);
    let applied = applier.apply_all(&objects, Manner { force: true, dry_run: false }).await?;
    let mut differences = Vec::new();
    for (object, one) in objects.iter().zip(&applied) {
        // One that was refused is said to be so already.
        if one.outcome.is_there() {
            let seen = applier.get(&one.object).await?.unwrap_or(Value::Null);
            differences.extend(compare(object, &seen));
        }
    }
    Ok(RestoreFacts { namespace: namespace.to_owned(), applied, left_out, differences })
}

/// What is put in, in order, and what is not. Pure.
fn planned(backup: &Backup, namespace: &str) -> Result<(Vec<Value>, Vec<LeftOut>), BackupError> {
    let elsewhere = backup.namespace != namespace;
    let mut left_out = Vec::new();
    let mut objects = Vec::new();
    let all = backup.objects.iter().map(|object| (object, false)).chain(backup.helm.iter().map(|one| (one, true)));
    for (object, helm) in all {
        let reference = Reference::of(object)?;
        let why = match &reference.namespace {
            _ if !elsewhere => None,
            _ if helm => Some("Helm's record of the release names its namespace, which is another"),
            None => Some("it is of no namespace, and the release it is of still uses it"),
            Some(of) if *of != backup.namespace => Some("it is of another namespace than the release"),
            Some(_) => None,
        };
        match why {
            Some(why) => left_out.push(LeftOut { object: reference, why: why.to_owned() }),
            None => objects.push(moved(object, &backup.namespace, namespace)),
        }
    }
    Ok((in_order(objects), left_out))
}

/// The object in another namespace: its own, Helm's mark of it, and that of the accounts a binding is for.
fn moved(object: &Value, from: &str, to: &str) -> Value {
    let mut object = object.clone();
    let mut rename = |pointer: &str| {
        if let Some(value) = object.pointer_mut(pointer).filter(|value| *value == from) {
            *value = json!(to);
        }
    };
    rename("/metadata/namespace");
    rename("/metadata/annotations/meta.helm.sh~1release-namespace");
    for subject in object.get_mut("subjects").and_then(Value::as_array_mut).into_iter().flatten() {
        if subject["namespace"] == from {
            subject["namespace"] = json!(to);
        }
    }
    object
}

#[cfg(test)]
mod tests {
    use super::{super::pack::tests::backup, *};

    fn object(kind: &str, namespace: Option<&str>) -> Value {
        let mut object = json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": "a" } });
        if let Some(namespace) = namespace {
            object["metadata"]["namespace"] = json!(namespace);
        }
        object
    }

    fn whole() -> Backup {
        let objects =
            vec![object("Deployment", Some("shop")), object("Secret", Some("shop")), object("ClusterRole", None)];
        Backup { helm: vec![object("Secret", Some("shop"))], ..backup(objects) }
    }

    #[test]
    fn all_goes_back_into_its_own_namespace() {
        let (objects, left_out) = planned(&whole(), "shop").unwrap();
        assert_eq!((objects.len(), left_out), (4, vec![]));
    }

    #[test]
    fn only_what_is_of_the_namespace_goes_into_another() {
        let (objects, left_out) = planned(&whole(), "attic").unwrap();
        assert_eq!(objects, [object("Secret", Some("attic")), object("Deployment", Some("attic"))]);
        let kinds: Vec<&str> = left_out.iter().map(|one| one.object.kind.as_str()).collect();
        assert_eq!(kinds, ["ClusterRole", "Secret"]);
    }

    #[test]
    fn a_binding_is_for_the_accounts_of_the_new_namespace() {
        let mut binding = object("RoleBinding", Some("shop"));
        binding["subjects"] = json!([{ "namespace": "shop" }, { "namespace": "monitoring" }]);
        let moved = moved(&binding, "shop", "attic");
        assert_eq!(moved["subjects"], json!([{ "namespace": "attic" }, { "namespace": "monitoring" }]));
    }
}
