//! Objects taken away again, that a release put in.

use prodtest_kube::{
    ClusterError, Problem,
    kube::api::{DeleteParams, Preconditions},
};
use serde_json::Value;

use super::{Applier, MANAGER, Reference, patiently};

/// Kinds that stay: what is of them, or in them, would go too, whoever made it.
const KEPT: [&str; 2] = ["CustomResourceDefinition", "Namespace"];

/// What became of an object that was to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Removed {
    /// It is not there.
    Gone,
    /// The cluster was asked to remove it, and does so.
    Going,
    /// It is there, and nobody of ours put it in.
    NotOurs,
    /// It is there, and stays: other things would go with it.
    Kept,
}

impl Applier<'_> {
    /// Asks the cluster to remove an object that was put in by [`Applier::apply`]. Its pods go after it.
    ///
    /// # Errors
    /// When the cluster does not do it.
    pub async fn remove(&self, object: &Reference) -> Result<Removed, ClusterError> {
        let Some(live) = self.get(object).await? else { return Ok(Removed::Gone) };
        match fate(&live) {
            Removed::Going => {}
            fate => return Ok(fate),
        }
        let (api, call) = self.api(object, "delete").await?;
        // The one that was looked at, and not another that somebody made meanwhile.
        let uid = live.pointer("/metadata/uid").and_then(Value::as_str).map(str::to_owned);
        let parameters = DeleteParams::background().preconditions(Preconditions { uid, resource_version: None });
        let asking = || async { self.cluster.ask(&call, api.delete(&object.name, &parameters)).await.map(drop) };
        match patiently(asking).await {
            Ok(()) => Ok(Removed::Going),
            Err(error) if error.problem == Problem::NotFound => Ok(Removed::Gone),
            Err(error) => Err(error),
        }
    }
}

/// What is to become of an object that is there.
fn fate(live: &Value) -> Removed {
    let owners = live.pointer("/metadata/managedFields").and_then(Value::as_array).into_iter().flatten();
    let is_ours = owners.filter(|owner| owner["operation"] == "Apply").any(|owner| owner["manager"] == MANAGER);
    match live["kind"].as_str() {
        _ if !is_ours => Removed::NotOurs,
        Some(kind) if KEPT.contains(&kind) => Removed::Kept,
        _ => Removed::Going,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(kind: &str, manager: &str, operation: &str) -> Removed {
        let owners = json!([{ "manager": "kube-controller-manager", "operation": "Update" }, { "manager": manager, "operation": operation }]);
        fate(&json!({ "kind": kind, "metadata": { "managedFields": owners } }))
    }

    #[test]
    fn only_what_was_put_in_by_us_goes() {
        assert_eq!(of("Deployment", MANAGER, "Apply"), Removed::Going);
        assert_eq!(of("Deployment", "kubectl", "Apply"), Removed::NotOurs);
        // Another program of that name.
        assert_eq!(of("Deployment", MANAGER, "Update"), Removed::NotOurs);
        assert_eq!(fate(&json!({ "kind": "Deployment", "metadata": {} })), Removed::NotOurs);
    }

    #[test]
    fn what_others_are_in_stays() {
        assert_eq!(of("Namespace", MANAGER, "Apply"), Removed::Kept);
        assert_eq!(of("CustomResourceDefinition", MANAGER, "Apply"), Removed::Kept);
    }
}
