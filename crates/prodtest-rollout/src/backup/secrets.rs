//! Backups in Secrets of the namespace.
//!
//! A backup `n` of a release is the Secret `prodtest-backup-<release>-<n>`; what does not fit into one Secret is in
//! `….1`, `….2` and so on, which are written before it: where the first is, the backup is whole.

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::{ByteString, api::core::v1::Secret, apimachinery::pkg::apis::meta::v1::ObjectMeta};
use prodtest_gate::Rule;
use prodtest_kube::{
    Call, Cluster, ClusterError, Problem,
    kube::{
        Api,
        api::{DeleteParams, ListParams, PostParams},
    },
};

use super::{
    Backup, BackupError, damaged,
    pack::{checksum, pack, unpack},
};
use crate::apply::patiently;

/// How many backups of a release are kept.
pub const KEPT: usize = 3;

/// How much of one goes into a Secret, of 1 MiB that the API takes.
const PART: usize = 900 << 10;

const TYPE: &str = "prodtest/backup";
const RELEASE: &str = "prodtest/release";
const NUMBER: &str = "prodtest/backup";
const PARTS: &str = "prodtest/parts";
const SHA256: &str = "prodtest/sha256";
const KEY: &str = "backup";

/// The backups of a release.
#[derive(Clone, Debug)]
pub struct Secrets {
    cluster: Cluster,
    namespace: String,
    release: String,
}

impl Secrets {
    /// Those of this release. Nothing is asked yet.
    #[must_use]
    pub fn new(cluster: &Cluster, namespace: &str, release: &str) -> Self {
        Self { cluster: cluster.clone(), namespace: namespace.to_owned(), release: release.to_owned() }
    }

    /// Stores one, removes those before the newest [`KEPT`], and returns its name.
    ///
    /// # Errors
    /// When the cluster does not take it.
    pub async fn write(&self, backup: &Backup) -> Result<String, BackupError> {
        let place = format!("a secret of the namespace `{}`", self.namespace);
        let bytes = pack(backup).map_err(|error| BackupError::Unwritable { place, why: error.to_string() })?;
        let sum = checksum(&bytes);
        let parts: Vec<&[u8]> = bytes.chunks(PART).collect();
        let mut number = self.numbers().await?.last().map_or(1, |last| last + 1);
        'number: loop {
            for (part, bytes) in parts.iter().enumerate().rev() {
                let secret = self.secret(number, part, parts.len(), bytes, &sum);
                match self.create(&secret).await {
                    Ok(()) => {}
                    // Somebody else took the number.
                    Err(error) if matches!(error.problem, Problem::Refused { code: 409, .. }) => {
                        number += 1;
                        continue 'number;
                    }
                    Err(error) => return Err(error.into()),
                }
            }
            break;
        }
        self.prune(number).await?;
        Ok(self.name(number, 0))
    }

    /// Reads one, by the name that [`Self::write`] returned, or the newest.
    ///
    /// # Errors
    /// When there is none, or it is not what was written.
    pub async fn read(&self, name: Option<&str>) -> Result<Backup, BackupError> {
        let name = match name {
            Some(name) => name.to_owned(),
            None => self.newest().await?,
        };
        let first = self.get(&name).await?;
        let annotation = |key: &str| first.metadata.annotations.as_ref().and_then(|all| all.get(key)).cloned();
        let parts = annotation(PARTS).and_then(|parts| parts.parse::<usize>().ok());
        let (Some(parts), Some(sum)) = (parts, annotation(SHA256)) else {
            return Err(damaged(&name, "the secret is no backup of prodtest"));
        };
        let mut bytes = content(first, &name)?;
        for part in 1..parts {
            let next = format!("{name}.{part}");
            bytes.extend(content(self.get(&next).await?, &next)?);
        }
        unpack(&bytes, &sum, &name)
    }

    async fn newest(&self) -> Result<String, BackupError> {
        let whole = self.names().await?;
        let newest = whole.into_iter().rfind(|(_, parts)| parts.contains(&0));
        newest
            .map(|(number, _)| self.name(number, 0))
            .ok_or_else(|| damaged(&self.release, format!("there is none in the namespace `{}`", self.namespace)))
    }

    fn name(&self, number: u32, part: usize) -> String {
        // A dot, for a release may end with a number.
        let part = if part == 0 { String::new() } else { format!(".{part}") };
        format!("prodtest-backup-{}-{number}{part}", self.release)
    }

    fn secret(&self, number: u32, part: usize, parts: usize, bytes: &[u8], sum: &str) -> Secret {
        let map = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
        };
        let managed = ("app.kubernetes.io/managed-by", "prodtest");
        let labels = map(&[managed, (RELEASE, &self.release), (NUMBER, &number.to_string())]);
        let annotations = map(&[(PARTS, &parts.to_string()), (SHA256, sum)]);
        let metadata = ObjectMeta {
            name: Some(self.name(number, part)),
            labels: Some(labels),
            annotations: Some(annotations),
            ..ObjectMeta::default()
        };
        let data = Some([(KEY.to_owned(), ByteString(bytes.to_vec()))].into());
        Secret { metadata, data, type_: Some(TYPE.to_owned()), immutable: Some(true), ..Secret::default() }
    }

    /// Of each backup, which parts there are.
    async fn names(&self) -> Result<BTreeMap<u32, BTreeSet<usize>>, ClusterError> {
        let call = self.call("list", None);
        let selector = format!("{RELEASE}={},{NUMBER}", self.release);
        let parameters = ListParams::default().labels(&selector);
        let api = self.api();
        let list = patiently(|| self.cluster.ask(&call, api.list_metadata(&parameters))).await?;
        let mut found: BTreeMap<u32, BTreeSet<usize>> = BTreeMap::new();
        for secret in list.items {
            let number = secret.metadata.labels.as_ref().and_then(|labels| labels.get(NUMBER)?.parse().ok());
            if let (Some(number), Some(name)) = (number, secret.metadata.name) {
                let part = name.rsplit_once('.').and_then(|(_, part)| part.parse().ok()).unwrap_or(0);
                found.entry(number).or_default().insert(part);
            }
        }
        Ok(found)
    }

    async fn numbers(&self) -> Result<Vec<u32>, ClusterError> {
        Ok(self.names().await?.into_keys().collect())
    }

    /// Removes what is older than the newest, and what never became whole.
    async fn prune(&self, newest: u32) -> Result<(), ClusterError> {
        for (number, part) in superfluous(&self.names().await?, newest) {
            let name = self.name(number, part);
            let call = self.call("delete", Some(&name));
            let (api, parameters) = (self.api(), DeleteParams::default());
            match patiently(|| self.cluster.ask(&call, api.delete(&name, &parameters))).await {
                Err(error) if error.problem != Problem::NotFound => return Err(error),
                _ => {}
            }
        }
        Ok(())
    }

    fn api(&self) -> Api<Secret> {
        Api::namespaced(self.cluster.client(), &self.namespace)
    }

    fn call(&self, verb: &str, name: Option<&str>) -> Call {
        let Self { namespace, release, .. } = self;
        let what = match name {
            Some(name) => format!("the secret `{name}`"),
            None => format!("the backups of `{release}`"),
        };
        let asked = format!("{verb} {what} in the namespace `{namespace}`");
        Call { asked, rule: Rule::new(namespace, "", &["secrets"], &[verb]) }
    }

    async fn create(&self, secret: &Secret) -> Result<(), ClusterError> {
        let call = self.call("create", secret.metadata.name.as_deref());
        let api = self.api();
        patiently(|| async { self.cluster.ask(&call, api.create(&PostParams::default(), secret)).await.map(drop) })
            .await
    }

    async fn get(&self, name: &str) -> Result<Secret, ClusterError> {
        let (call, api) = (self.call("get", Some(name)), self.api());
        patiently(|| self.cluster.ask(&call, api.get(name))).await
    }
}

fn content(secret: Secret, name: &str) -> Result<Vec<u8>, BackupError> {
    let bytes = secret.data.and_then(|mut data| data.remove(KEY));
    bytes.map(|bytes| bytes.0).ok_or_else(|| damaged(name, format!("the secret has no key `{KEY}`")))
}

/// Which parts are removed, the first of each backup first: without it, the rest is nothing. Pure.
fn superfluous(found: &BTreeMap<u32, BTreeSet<usize>>, newest: u32) -> Vec<(u32, usize)> {
    let whole = found.iter().filter(|(number, parts)| **number <= newest && parts.contains(&0));
    let kept: Vec<u32> = whole.rev().take(KEPT).map(|(number, _)| *number).collect();
    let old = found.iter().filter(|(number, _)| **number < newest && !kept.contains(number));
    old.flat_map(|(number, parts)| parts.iter().map(|part| (*number, *part))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_are_kept_and_what_never_became_whole_goes() {
        let found = [(1, 0..2), (2, 1..3), (3, 0..1), (4, 0..1), (5, 0..3), (6, 1..2)];
        let found = found.map(|(number, parts)| (number, parts.collect())).into();
        // The sixth is being written by somebody else.
        assert_eq!(superfluous(&found, 5), [(1, 0), (1, 1), (2, 1), (2, 2)]);
    }
}
