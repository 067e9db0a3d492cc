//! The release as it is in the cluster, asked for once and shared by the checks.

use std::collections::BTreeMap;

use jiff::Timestamp;
use k8s_openapi::{
    api::{
        apps::v1::ReplicaSet,
        core::v1::{Pod, Service},
    },
    apimachinery::pkg::apis::meta::v1::LabelSelector,
};
use prodtest_gate::Rule;
use prodtest_inspect::{Seeing, Unseen};
use prodtest_kube::{
    Amount, Call,
    kube::{
        Api, Resource,
        api::ListParams,
        core::{ApiResource, DynamicObject, GroupVersionKind},
    },
};
use prodtest_rollout::helm::{History, Manifest, Release, Status};
use serde::de::DeserializeOwned;
use tokio::sync::OnceCell;

use crate::{checks::network_policy::Made, gate::Verify, site::Site};

/// What is asked once.
#[derive(Default)]
pub(crate) struct Shared {
    release: OnceCell<Result<Deployed, Unseen>>,
    found: OnceCell<Result<Found, Unseen>>,
    pods: OnceCell<Result<Vec<Pod>, Unseen>>,
    replica_sets: OnceCell<Result<Vec<ReplicaSet>, Unseen>>,
    services: OnceCell<Result<Vec<Service>, Unseen>>,
    /// What was made in the cluster.
    pub(crate) probes: Made,
}

/// What was deployed.
pub(crate) struct Deployed {
    /// Its objects, as they were given to the cluster.
    pub(crate) manifest: Manifest,
    /// When; none where nobody wrote that down.
    pub(crate) at: Option<Timestamp>,
}

/// The workloads of the release.
#[derive(Default)]
struct Found {
    there: Vec<Workload>,
    gone: Vec<String>,
}

/// A workload of the release as it is.
pub(crate) struct Workload {
    /// `Deployment`, `StatefulSet` or `DaemonSet`.
    pub(crate) kind: String,
    /// Its name.
    pub(crate) name: String,
    /// The whole object.
    pub(crate) object: DynamicObject,
    /// Which pods are its.
    pub(crate) selector: LabelSelector,
}

impl Workload {
    /// `Deployment godel-api`, for findings.
    pub(crate) fn shown(&self) -> String {
        format!("{} {}", self.kind, self.name)
    }

    /// Whether a pod is one of its own, by its labels.
    pub(crate) fn selects(&self, pod: &Pod) -> bool {
        selects(&self.selector, pod)
    }
}

/// Whether a selector fits a pod.
pub(crate) fn selects(selector: &LabelSelector, pod: &Pod) -> bool {
    let empty = BTreeMap::new();
    let labels = pod.metadata.labels.as_ref().unwrap_or(&empty);
    let wanted = selector.match_labels.as_ref().unwrap_or(&empty);
    let by_label = wanted.iter().all(|(name, value)| labels.get(name) == Some(value));
    let by_expression = selector.match_expressions.iter().flatten().all(|it| {
        let (has, values) = (labels.get(&it.key), it.values.as_deref().unwrap_or_default());
        match it.operator.as_str() {
            "In" => has.is_some_and(|value| values.contains(value)),
            "NotIn" => has.is_none_or(|value| !values.contains(value)),
            "Exists" => has.is_some(),
            _ => has.is_none(),
        }
    });
    by_label && by_expression
}

/// Whether a pod takes requests, and is not on its way out.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.into_iter().any(|it| it.type_ == "Ready" && it.status == "True");
    ready && pod.metadata.deletion_timestamp.is_none()
}

/// What was deployed: the newest revision that Helm calls deployed; or the manifests.
pub(crate) async fn deployed<'a>(seeing: &Seeing<'a, Verify>) -> Result<&'a Deployed, Unseen> {
    let read = || async {
        let site = seeing.site;
        if !site.manifests.is_empty() {
            let manifest = Manifest::read(&site.manifests).map_err(|error| Unseen::new(error.to_string()))?;
            return Ok(Deployed { manifest, at: None });
        }
        let history = History::read(seeing.means.cluster()?, site.namespace(), &site.release).await?;
        let releases = history.revisions.iter().rev().filter_map(|revision| revision.release.as_ref().ok());
        let deployed = releases.into_iter().find(|release| release.status == Status::Deployed);
        let missing = || {
            let (release, namespace) = (&site.release, site.namespace());
            Unseen::new(format!("Helm has no deployed release `{release}` in the namespace `{namespace}`"))
                .hint("`helm list --all`, in that namespace, shows what there is")
        };
        let release: &Release = deployed.ok_or_else(missing)?;
        let manifest = Manifest::of(release).map_err(|error| Unseen::new(error.to_string()))?;
        Ok(Deployed { manifest, at: release.last_deployed })
    };
    seeing.means.own.release.get_or_init(read).await.as_ref().map_err(Clone::clone)
}

/// The workloads of the release that run on, as they are; those that are gone are told by [`gone`].
pub(crate) async fn workloads<'a>(seeing: &Seeing<'a, Verify>) -> Result<&'a [Workload], Unseen> {
    Ok(&found(seeing).await?.there)
}

/// The workloads of the release that are not in the cluster, `Deployment godel-api`.
pub(crate) async fn gone<'a>(seeing: &Seeing<'a, Verify>) -> Result<&'a [String], Unseen> {
    Ok(&found(seeing).await?.gone)
}

async fn found<'a>(seeing: &Seeing<'a, Verify>) -> Result<&'a Found, Unseen> {
    let read = || async {
        let cluster = seeing.means.cluster()?;
        let manifest = &deployed(seeing).await?.manifest;
        let documents = manifest.workloads().filter(|document| !document.hook && document.kind != "Job");
        let mut found = Found::default();
        for document in documents {
            let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("apps", "v1", &document.kind));
            let namespace = seeing.site.namespace();
            let rule = Rule::new(namespace, "apps", &[kind.plural.as_str()], &["get"]);
            let api: Api<DynamicObject> = Api::namespaced_with(cluster.client(), namespace, &kind);
            let asked = format!("get {} `{}` in the namespace `{namespace}`", document.kind, document.name);
            let Some(object) = cluster.ask(&Call { asked, rule }, api.get_opt(&document.name)).await? else {
                found.gone.push(format!("{} {}", document.kind, document.name));
                continue;
            };
            let selector = serde_json::from_value(object.data["spec"]["selector"].clone())
                .map_err(|error| Unseen::new(format!("{} `{}`: {error}", document.kind, document.name)))?;
            let (kind, name) = (document.kind.clone(), document.name.clone());
            found.there.push(Workload { kind, name, object, selector });
        }
        Ok(found)
    };
    seeing.means.own.found.get_or_init(read).await.as_ref().map_err(Clone::clone)
}

/// All pods of the namespace.
pub(crate) async fn pods<'a>(seeing: &Seeing<'a, Verify>) -> Result<&'a [Pod], Unseen> {
    seeing.means.own.pods.get_or_init(|| list(seeing, "", "pods")).await.as_deref().map_err(Clone::clone)
}

/// All ReplicaSets of the namespace.
pub(crate) async fn replica_sets<'a>(seeing: &Seeing<'a, Verify>) -> Result<&'a [ReplicaSet], Unseen> {
    let list = || list(seeing, "apps", "replicasets");
    seeing.means.own.replica_sets.get_or_init(list).await.as_deref().map_err(Clone::clone)
}

/// When what runs was rolled out: when Helm deployed it, or when the newest ReplicaSet was made. None where neither is known.
pub(crate) async fn rolled_out(seeing: &Seeing<'_, Verify>) -> Result<Option<Timestamp>, Unseen> {
    if let Some(at) = deployed(seeing).await?.at {
        return Ok(Some(at));
    }
    let (workloads, sets) = tokio::try_join!(workloads(seeing), replica_sets(seeing))?;
    let own = sets.iter().filter(|set| {
        let mut owners = set.metadata.owner_references.iter().flatten();
        owners.any(|owner| workloads.iter().any(|workload| workload.object.metadata.uid.as_ref() == Some(&owner.uid)))
    });
    Ok(own.filter_map(|set| set.metadata.creation_timestamp.as_ref().map(|at| at.0)).max())
}

/// What one must be allowed to do for [`rolled_out`], beside what [`workload_rules`] says.
pub(crate) fn rollout_rules(site: &Site) -> Option<Rule> {
    (!site.manifests.is_empty()).then(|| list_rule(site, "apps", "replicasets"))
}

/// What the API writes as a quantity, as a number.
pub(crate) fn number(quantity: &str) -> Option<f64> {
    Some(Amount::read(quantity)?.number())
}

/// The beginning of a text.
pub(crate) fn shortened(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", &text[..end]),
    }
}

/// All Services of the namespace.
pub(crate) async fn services<'a>(seeing: &Seeing<'a, Verify>) -> Result<&'a [Service], Unseen> {
    let list = || list(seeing, "", "services");
    seeing.means.own.services.get_or_init(list).await.as_deref().map_err(Clone::clone)
}

/// All objects of a kind in the namespace.
///
/// # Errors
/// When the cluster did not give them.
pub(crate) async fn list<K>(seeing: &Seeing<'_, Verify>, group: &str, plural: &str) -> Result<Vec<K>, Unseen>
where
    K: Resource<Scope = k8s_openapi::NamespaceResourceScope, DynamicType = ()>
        + Clone
        + DeserializeOwned
        + std::fmt::Debug,
{
    let (cluster, namespace) = (seeing.means.cluster()?, seeing.site.namespace());
    let call = Call {
        asked: format!("list the {plural} in the namespace `{namespace}`"),
        rule: Rule::new(namespace, group, &[plural], &["list"]),
    };
    let api: Api<K> = Api::namespaced(cluster.client(), namespace);
    Ok(cluster.ask(&call, api.list(&ListParams::default())).await?.items)
}

/// What one must be allowed to do for [`deployed`] and [`workloads`].
pub(crate) fn workload_rules(site: &Site) -> Vec<Rule> {
    let namespace = site.namespace();
    let workloads = Rule::new(namespace, "apps", &["deployments", "statefulsets", "daemonsets"], &["get"]);
    let mut rules = vec![workloads];
    if site.manifests.is_empty() {
        rules.extend(prodtest_rollout::helm::rules(namespace));
    }
    rules
}

/// What one must be allowed to do for [`list`].
pub(crate) fn list_rule(site: &Site, group: &str, plural: &str) -> Rule {
    Rule::new(site.namespace(), group, &[plural], &["list"])
}
