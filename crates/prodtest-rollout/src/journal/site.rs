//! The Lease of a release: the calls.

use k8s_openapi::api::coordination::v1::Lease;
use prodtest_gate::Rule;
use prodtest_kube::{
    Call, Cluster, ClusterError, Problem,
    kube::{Api, api::PostParams},
};

use super::name;

/// Who a Lease says that it is of.
pub(super) fn identity(lease: &Lease) -> Option<&str> {
    lease.spec.as_ref()?.holder_identity.as_deref().filter(|holder| !holder.is_empty())
}

/// Whether somebody else wrote it meanwhile.
pub(super) const fn is_conflict(error: &ClusterError) -> bool {
    matches!(error.problem, Problem::Refused { code: 409, .. })
}

/// Where the Lease is.
#[derive(Clone, Debug)]
pub(super) struct Site {
    cluster: Cluster,
    namespace: String,
    pub(super) name: String,
}

impl Site {
    pub(super) fn new(cluster: &Cluster, namespace: &str, release: &str) -> Self {
        Self { cluster: cluster.clone(), namespace: namespace.to_owned(), name: name(release) }
    }

    fn api(&self) -> Api<Lease> {
        Api::namespaced(self.cluster.client(), &self.namespace)
    }

    fn call(&self, verb: &str) -> Call {
        let Self { namespace, name, .. } = self;
        let rule = Rule::new(namespace, "coordination.k8s.io", &["leases"], &[verb]);
        let rule = if verb == "create" { rule } else { rule.named([name.clone()]) };
        Call { asked: format!("{verb} the lease `{name}` in the namespace `{namespace}`"), rule }
    }

    pub(super) async fn get(&self) -> Result<Option<Lease>, ClusterError> {
        self.cluster.ask(&self.call("get"), self.api().get_opt(&self.name)).await
    }

    pub(super) async fn create(&self, lease: &Lease) -> Result<Lease, ClusterError> {
        self.cluster.ask(&self.call("create"), self.api().create(&PostParams::default(), lease)).await
    }

    pub(super) async fn replace(&self, lease: &Lease) -> Result<Lease, ClusterError> {
        self.cluster.ask(&self.call("update"), self.api().replace(&self.name, &PostParams::default(), lease)).await
    }
}
