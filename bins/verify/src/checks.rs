//! The checks of the verify gate, one file each: what it is told, where it looks, and what that means.

pub(crate) mod api;
pub(crate) mod autoscaling;
pub(crate) mod events;
pub(crate) mod health;
pub(crate) mod ingress_tls;
pub(crate) mod logs;
pub(crate) mod managed_services;
pub(crate) mod network_policy;
pub(crate) mod pods;
pub(crate) mod quota;
pub(crate) mod replicas;
pub(crate) mod resources;
pub(crate) mod secrets_at_rest;
pub(crate) mod strategy;

use prodtest_gate::CheckId;
use prodtest_inspect::{Entry, id};

use crate::gate::Verify;

/// All of them, in the order in which they are shown.
pub(crate) const ALL: &[Entry<Verify>] = &[
    Entry::of::<pods::Pods>(),
    Entry::of::<replicas::Replicas>(),
    Entry::of::<autoscaling::Autoscaling>(),
    Entry::of::<strategy::Strategy>(),
    Entry::of::<quota::Quota>(),
    Entry::of::<ingress_tls::IngressTls>(),
    Entry::of::<network_policy::NetworkPolicy>(),
    Entry::of::<secrets_at_rest::SecretsAtRest>(),
    Entry::of::<managed_services::ManagedServices>(),
    Entry::of::<logs::Logs>(),
    Entry::of::<resources::Resources>(),
    Entry::of::<events::Events>(),
    Entry::of::<health::Health>(),
    Entry::of::<api::Api>(),
];

/// The ids of checks of this gate, for those that lean on them.
pub(crate) fn ids<const N: usize>(names: [&str; N]) -> Vec<CheckId> {
    names.map(id::<Verify>).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_have_ids() {
        let ids: std::collections::BTreeSet<CheckId> = ALL.iter().map(Entry::id).collect();
        assert_eq!(ids.len(), ALL.len());
    }
}
