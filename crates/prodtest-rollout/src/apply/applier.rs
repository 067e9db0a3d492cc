//! The calls.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use backon::{ExponentialBuilder, Retryable as _};
use prodtest_gate::Rule;
use prodtest_kube::{
    Call, Cluster, ClusterError, Problem,
    kube::{
        Api,
        api::{ApiResource, DynamicObject, Patch, PatchParams},
        core::GroupVersionKind,
        discovery::{self, Scope},
    },
};
use serde_json::Value;

use super::{Applied, Outcome, Reference};

/// Whose the fields are that we apply.
pub const MANAGER: &str = "prodtest";

/// How long an API that is overloaded, or not there, is asked again.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How an object is put in.
#[derive(Clone, Copy, Debug, Default)]
pub struct Manner {
    /// Take fields from whoever owns them.
    pub force: bool,
    /// Only tell what would come of it.
    pub dry_run: bool,
}

/// Puts objects into a namespace.
#[derive(Debug)]
pub struct Applier<'a> {
    pub(super) cluster: &'a Cluster,
    namespace: String,
    kinds: Mutex<BTreeMap<(String, String), (ApiResource, bool)>>,
}

impl<'a> Applier<'a> {
    /// Objects that name no namespace go into this one.
    #[must_use]
    pub fn new(cluster: &'a Cluster, namespace: &str) -> Self {
        Self { cluster, namespace: namespace.to_owned(), kinds: Mutex::default() }
    }

    /// The object as the cluster has it.
    ///
    /// # Errors
    /// When the cluster does not say.
    pub async fn get(&self, object: &Reference) -> Result<Option<Value>, ClusterError> {
        let (api, call) = self.api(object, "get").await?;
        let found = patiently(|| self.cluster.ask(&call, api.get_opt(&object.name))).await?;
        found.map(|found| self.value(&call, &found)).transpose()
    }

    /// Puts one in, and tells what came of it.
    pub async fn apply(&self, object: &Value, manner: Manner) -> (Outcome, Option<Value>) {
        let secret = object["kind"] == "Secret";
        match self.try_apply(object, manner).await {
            Ok((before, after)) => (Outcome::of(before.as_ref(), &after), Some(after)),
            Err(error) => (Outcome::failed(&error, secret), None),
        }
    }

    /// Puts all in, one after the other, whatever comes of each.
    ///
    /// # Errors
    /// When one does not say what it is; then none was put in.
    pub async fn apply_all(&self, objects: &[Value], manner: Manner) -> Result<Vec<Applied>, super::NoObject> {
        let references = objects.iter().map(Reference::of).collect::<Result<Vec<_>, _>>()?;
        let mut applied = Vec::new();
        for (object, reference) in objects.iter().zip(references) {
            let (outcome, _) = self.apply(object, manner).await;
            applied.push(Applied { object: reference, outcome });
        }
        Ok(applied)
    }

    async fn try_apply(&self, object: &Value, manner: Manner) -> Result<(Option<Value>, Value), ClusterError> {
        let reference = Reference::of(object).map_err(|error| self.unnamed(&error.to_string()))?;
        let before = self.get(&reference).await?;
        let (api, call) = self.api(&reference, "patch").await?;
        let parameters = PatchParams {
            dry_run: manner.dry_run,
            force: manner.force,
            field_manager: Some(MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let patch = Patch::Apply(object);
        let asking = || async {
            self.cluster.ask(&call, api.patch(&reference.name, &parameters, &patch)).await.map_err(unmasked)
        };
        let after = patiently(asking).await?;
        Ok((before, self.value(&call, &after)?))
    }

    pub(super) async fn api(&self, object: &Reference, verb: &str) -> Result<(Api<DynamicObject>, Call), ClusterError> {
        let (kind, namespaced) = self.kind(object).await?;
        let namespace = object.namespace.as_deref().unwrap_or(&self.namespace);
        let client = self.cluster.client();
        let (api, place, words) = if namespaced {
            let api = Api::namespaced_with(client, namespace, &kind);
            (api, namespace, format!(" in the namespace `{namespace}`"))
        } else {
            (Api::all_with(client, &kind), "", String::new())
        };
        let rule = Rule::new(place, &kind.group, &[&kind.plural], &[verb]).named([object.name.clone()]);
        let asked = format!("{} `{object}`{words}", if verb == "patch" { "apply" } else { verb });
        Ok((api, Call { asked, rule }))
    }

    /// Under which plural the cluster has a kind, and whether it is of a namespace.
    async fn kind(&self, object: &Reference) -> Result<(ApiResource, bool), ClusterError> {
        let key = (object.api_version.clone(), object.kind.clone());
        let known = self.kinds.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned();
        if let Some(known) = known {
            return Ok(known);
        }
        let version = object.api_version.split_once('/').map_or(object.api_version.as_str(), |(_, version)| version);
        let kind = GroupVersionKind::gvk(object.group(), version, &object.kind);
        let call = Call {
            asked: format!("find the kind `{}` of `{}`", object.kind, object.api_version),
            rule: Rule::new("", object.group(), &["*"], &["get"]),
        };
        let client = self.cluster.client();
        let found = patiently(|| async {
            let found = async {
                match discovery::pinned_kind(&client, &kind).await {
                    Err(prodtest_kube::kube::Error::Discovery(_)) => Ok(None),
                    other => other.map(Some),
                }
            };
            self.cluster.ask(&call, found).await
        });
        let Some((resource, capabilities)) = found.await? else {
            return Err(self.cluster.error(&call, Problem::NotFound));
        };
        let found = (resource, capabilities.scope == Scope::Namespaced);
        self.kinds.lock().unwrap_or_else(PoisonError::into_inner).insert(key, found.clone());
        Ok(found)
    }

    fn value(&self, call: &Call, object: &DynamicObject) -> Result<Value, ClusterError> {
        serde_json::to_value(object).map_err(|_| self.cluster.error(call, Problem::Garbage("no object".to_owned())))
    }

    fn unnamed(&self, why: &str) -> ClusterError {
        let call = Call { asked: "apply an object".to_owned(), rule: Rule::new("", "", &[], &[]) };
        self.cluster.error(&call, Problem::Refused { code: 400, message: why.to_owned() })
    }
}

/// Asks again for as long as it may pass: too many requests, an API that is starting or not there.
///
/// # Errors
/// What came last.
pub(crate) async fn patiently<T, F>(call: impl FnMut() -> F) -> Result<T, ClusterError>
where
    F: Future<Output = Result<T, ClusterError>>,
{
    let schedule = ExponentialBuilder::default()
        .with_jitter()
        .with_min_delay(Duration::from_millis(200))
        .with_max_delay(Duration::from_secs(3))
        .without_max_times()
        .with_total_delay(Some(PATIENCE));
    call.retry(schedule).when(may_pass).await
}

/// The API server calls an object that does not fit its schema an error of its own, 500: by that, it would be asked
/// again, and nobody would know.
fn unmasked(error: ClusterError) -> ClusterError {
    match error.problem {
        Problem::Refused { code: 500, message } if message.starts_with("failed to create typed patch object") => {
            ClusterError { problem: Problem::Refused { code: 422, message }, ..error }
        }
        _ => error,
    }
}

/// Whether the same call may succeed a moment later.
pub(crate) const fn may_pass(error: &ClusterError) -> bool {
    matches!(
        error.problem,
        Problem::Refused { code: 429 | 500..=599, .. } | Problem::NoAnswer(_) | Problem::Unreachable(_)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_that_does_not_fit_is_not_asked_for_again() {
        let refused = |message: &str| ClusterError {
            asked: "apply it".to_owned(),
            server: "a".to_owned(),
            problem: Problem::Refused { code: 500, message: message.to_owned() },
            rule: None,
        };
        let unknown = "failed to create typed patch object (a/b; apps/v1, Kind=Deployment): .spec.c: field not declared in schema";
        assert!(!may_pass(&unmasked(refused(unknown))));
        assert!(may_pass(&unmasked(refused("etcdserver: leader changed"))));
    }
}
