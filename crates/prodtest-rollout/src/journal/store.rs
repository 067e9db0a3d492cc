//! The journal in its ConfigMap. The input and output.

use std::collections::BTreeMap;

use k8s_openapi::{api::core::v1::ConfigMap, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use prodtest_gate::Rule;
use prodtest_kube::{
    Call, Cluster, ClusterError, Problem,
    kube::{Api, api::PostParams},
};

use super::{
    Held, Journal, Kept, Standing, Unreadable, Verdict,
    entry::{JOURNAL, UNREADABLE, VERDICTS},
    name,
    site::is_conflict,
};
use crate::apply::{PATIENCE, may_pass, patiently};

/// How often a write is tried against others who write the same ConfigMap.
const TRIES: usize = 10;

/// Why the journal could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// What is there is no journal, and is left as it is.
    #[error("the configmap `{name}` in the namespace `{namespace}` cannot be read: {why}")]
    Unreadable {
        /// Its namespace.
        namespace: String,
        /// Its name.
        name: String,
        /// Why.
        why: Unreadable,
    },
    /// The release is not ours, or not surely.
    #[error("the journal is not written, for the release is no longer surely held: {0:?}")]
    NotHeld(Standing),
    /// Others write it all the time.
    #[error("the configmap `{0}` was changed by somebody else, {TRIES} times in a row")]
    Contended(String),
    /// The cluster did not do it.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

impl JournalError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Unreadable { why: Unreadable::Later { .. }, .. } => Some("use that version of prodtest".to_owned()),
            Self::Unreadable { namespace, name, .. } => Some(format!(
                "look at `kubectl --namespace {namespace} get configmap {name} --output yaml`; if no deployment was \
                 interrupted, remove it: `kubectl --namespace {namespace} delete configmap {name}`"
            )),
            Self::NotHeld(_) => Some("run again with `--recover` when the cluster answers".to_owned()),
            Self::Contended(name) => Some(format!("look who writes `{name}`: its `metadata.managedFields` say so")),
            Self::Cluster(error) => error.hint(),
        }
    }
}

/// The ConfigMap of a release.
#[derive(Clone, Debug)]
pub struct Store {
    cluster: Cluster,
    namespace: String,
    name: String,
}

impl Store {
    /// The one of this release. Nothing is asked yet.
    #[must_use]
    pub fn new(cluster: &Cluster, namespace: &str, release: &str) -> Self {
        Self { cluster: cluster.clone(), namespace: namespace.to_owned(), name: name(release) }
    }

    /// What is kept; nothing, where there is no ConfigMap.
    ///
    /// # Errors
    /// When it cannot be had or read.
    pub async fn read(&self) -> Result<Kept, JournalError> {
        let map = self.get().await?.unwrap_or_default();
        self.kept(&map.data.unwrap_or_default())
    }

    /// Writes the journal, ahead of the change that it tells of.
    ///
    /// # Errors
    /// When the release is not surely ours, what is there is no journal, or the cluster does not take it.
    pub async fn write(&self, held: &Held, journal: &Journal) -> Result<(), JournalError> {
        self.update(held, |kept| kept.journal = Some(journal.clone())).await
    }

    /// Adds the verdict of a revision; `in_history`: the revisions that Helm still has.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub async fn decide(
        &self,
        held: &Held,
        revision: u32,
        verdict: &Verdict,
        in_history: &[u32],
    ) -> Result<(), JournalError> {
        self.update(held, |kept| kept.decide(revision, verdict.clone(), in_history)).await
    }

    /// Puts what cannot be read aside, under a key of its own, so that a new journal can be written. Only for a person
    /// who said so.
    ///
    /// # Errors
    /// When the release is not surely ours, or the cluster does not take it.
    pub async fn set_aside(&self, held: &Held) -> Result<(), JournalError> {
        self.edit(held, |data| {
            if Kept::read(data).is_err() {
                let old = serde_json::json!({ (JOURNAL): data.remove(JOURNAL), (VERDICTS): data.remove(VERDICTS) });
                data.insert(UNREADABLE.to_owned(), old.to_string());
            }
            Ok(())
        })
        .await
    }

    async fn update(&self, held: &Held, change: impl Fn(&mut Kept)) -> Result<(), JournalError> {
        self.edit(held, |data| {
            let mut kept = self.kept(data)?;
            change(&mut kept);
            let text = |value: Result<String, serde_json::Error>| value.unwrap_or_default();
            if let Some(journal) = &kept.journal {
                data.insert(JOURNAL.to_owned(), text(serde_json::to_string(journal)));
            }
            data.insert(VERDICTS.to_owned(), text(serde_json::to_string(&kept.verdicts)));
            Ok(())
        })
        .await
    }

    /// Reads, changes and writes, again if somebody else wrote meanwhile. Keys of others are left alone.
    async fn edit(
        &self,
        held: &Held,
        change: impl Fn(&mut BTreeMap<String, String>) -> Result<(), JournalError>,
    ) -> Result<(), JournalError> {
        let mut last = None;
        for _ in 0..TRIES {
            let found = self.get().await?;
            let there = found.is_some();
            let mut map = found.unwrap_or_else(|| self.empty());
            change(map.data.get_or_insert_default())?;
            // Last of all: whoever lost the release while it read must not write.
            held.sure(PATIENCE).await.map_err(JournalError::NotHeld)?;
            match self.put(&map, there).await {
                Ok(_) => return Ok(()),
                Err(error) if is_conflict(&error) || (there && error.problem == Problem::NotFound) => {}
                // It may have been stored; then it is read, and written once more.
                Err(error) if may_pass(&error) => last = Some(error),
                Err(error) => return Err(error.into()),
            }
        }
        Err(last.map_or_else(|| JournalError::Contended(self.name.clone()), JournalError::Cluster))
    }

    fn kept(&self, data: &BTreeMap<String, String>) -> Result<Kept, JournalError> {
        let (namespace, name) = (self.namespace.clone(), self.name.clone());
        Kept::read(data).map_err(|why| JournalError::Unreadable { namespace, name, why })
    }

    fn empty(&self) -> ConfigMap {
        let labels = [("app.kubernetes.io/managed-by".to_owned(), "prodtest".to_owned())].into();
        let metadata = ObjectMeta { name: Some(self.name.clone()), labels: Some(labels), ..ObjectMeta::default() };
        ConfigMap { metadata, ..ConfigMap::default() }
    }

    fn api(&self) -> Api<ConfigMap> {
        Api::namespaced(self.cluster.client(), &self.namespace)
    }

    fn call(&self, verb: &str) -> Call {
        let Self { namespace, name, .. } = self;
        let rule = Rule::new(namespace, "", &["configmaps"], &[verb]);
        let rule = if verb == "create" { rule } else { rule.named([name.clone()]) };
        Call { asked: format!("{verb} the configmap `{name}` in the namespace `{namespace}`"), rule }
    }

    async fn get(&self) -> Result<Option<ConfigMap>, ClusterError> {
        let (call, api) = (self.call("get"), self.api());
        patiently(|| self.cluster.ask(&call, api.get_opt(&self.name))).await
    }

    async fn put(&self, map: &ConfigMap, there: bool) -> Result<ConfigMap, ClusterError> {
        let (api, parameters) = (self.api(), PostParams::default());
        if there {
            self.cluster.ask(&self.call("update"), api.replace(&self.name, &parameters, map)).await
        } else {
            self.cluster.ask(&self.call("create"), api.create(&parameters, map)).await
        }
    }
}
