//! The `verify` section of `prodtest.yaml`: what each check is told is with the check.

use prodtest_config::Period;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::checks::{
    api, autoscaling, events, health, ingress_tls, logs, managed_services, network_policy, pods, quota, replicas,
    resources, secrets_at_rest, strategy,
};

/// What a release that runs is held against.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// How long each check may take; `30s` when left out. All are made side by side.
    pub(crate) deadline: Option<Period>,
    /// Its pods.
    pub(crate) pods: pods::Section,
    /// How many of them, and where.
    pub(crate) replicas: replicas::Section,
    /// Its autoscalers.
    pub(crate) autoscaling: autoscaling::Section,
    /// How its pods are replaced and ended.
    pub(crate) strategy: strategy::Section,
    /// What its namespace may take.
    pub(crate) quota: quota::Section,
    /// The entrance from outside.
    pub(crate) ingress_tls: ingress_tls::Section,
    /// What network policies must let through, and what not.
    pub(crate) network_policy: network_policy::Section,
    /// Who is asked whether Secrets are stored encrypted.
    pub(crate) secrets_at_rest: secrets_at_rest::Section,
    /// The stores that must be outside of the cluster, with TLS.
    pub(crate) managed_services: managed_services::Section,
    /// What its containers log.
    pub(crate) logs: logs::Section,
    /// What its containers use.
    pub(crate) resources: resources::Section,
    /// What the cluster warned of.
    pub(crate) events: events::Section,
    /// Where it says that it is well.
    pub(crate) health: health::Section,
    /// A request of its API.
    pub(crate) api: api::Section,
}
