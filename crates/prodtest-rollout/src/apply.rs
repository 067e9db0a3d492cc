//! Objects put into the cluster by server-side apply.
//!
//! An object is any JSON that names its kind and itself. [`Applier`] finds out under which plural the cluster has a kind
//! (and remembers), is patient with an API that is overloaded, and tells the outcome of each object apart.

mod applier;
mod diff;
mod object;
mod outcome;
mod remove;

use prodtest_gate::Rule;

pub use applier::{Applier, MANAGER, Manner};
pub(crate) use applier::{PATIENCE, may_pass, patiently};
pub use diff::diff;
pub use object::{NoObject, Reference, in_order, rank};
pub use outcome::{Applied, Outcome};
pub use remove::Removed;

/// What one must be allowed to do with the kinds that a release usually has, to put them in and, with `remove`, to take
/// away again what was not there before; what else it has is the user's to add.
#[must_use]
pub fn rules(namespace: &str, remove: bool) -> Vec<Rule> {
    let verbs = ["get", "create", "patch", "delete"];
    let verbs = if remove { &verbs[..] } else { &verbs[..3] };
    let of = |group, kinds: &[&str]| Rule::new(namespace, group, kinds, verbs);
    vec![
        of("", &["configmaps", "persistentvolumeclaims", "secrets", "serviceaccounts", "services"]),
        of("apps", &["daemonsets", "deployments", "statefulsets"]),
        of("autoscaling", &["horizontalpodautoscalers"]),
        of("batch", &["cronjobs", "jobs"]),
        of("networking.k8s.io", &["ingresses", "networkpolicies"]),
        of("policy", &["poddisruptionbudgets"]),
        of("rbac.authorization.k8s.io", &["rolebindings", "roles"]),
    ]
}
