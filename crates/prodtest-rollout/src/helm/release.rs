//! Helm's own record of a release: a Secret for each revision, as Helm 3 and Helm 4 write it.

use std::{
    fmt,
    io::{self, Read},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use flate2::read::GzDecoder;
use jiff::Timestamp;
use prodtest_gate::Rule;
use prodtest_kube::{
    Call, Cluster, ClusterError,
    kube::{
        Api,
        api::ListParams,
        core::{ApiResource, DynamicObject, GroupVersionKind},
    },
};
use serde::Deserialize;
use serde_json::Value;

/// A record larger than this is no record: a Secret holds 1 MiB, and text shrinks to a tenth.
const MAX_RECORD_BYTES: u64 = 64 * 1024 * 1024;
/// The type of the Secrets.
const TYPE: &str = "helm.sh/release.v1";

/// What a gate must be allowed to do to read a release's history.
#[must_use]
pub fn rules(namespace: &str) -> Vec<Rule> {
    vec![rule(namespace)]
}

/// What Helm must be allowed to do to keep its record while it changes a release. Where it may not update it, it tells
/// nobody, and leaves the release pending.
#[must_use]
pub fn change_rules(namespace: &str) -> Vec<Rule> {
    vec![Rule::new(namespace, "", &["secrets"], &["get", "list", "create", "update", "delete"])]
}

/// Their names grow with the revisions, so that the rule cannot name them.
fn rule(namespace: &str) -> Rule {
    Rule::new(namespace, "", &["secrets"], &["list"])
}

/// The revisions of a release that Helm has kept.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct History {
    /// By number, the newest last.
    pub revisions: Vec<Revision>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Revision {
    /// From 1; those that Helm has pruned are missing.
    pub number: u32,
    /// What is recorded, if it can be read.
    pub release: Result<Release, Undecodable>,
}

/// Why a revision's record cannot be read. It says nothing of what is in it: values may be secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Helm's record of the release `{release}`, revision {revision}, cannot be read: {why}")]
pub struct Undecodable {
    /// The release.
    pub release: String,
    /// The revision.
    pub revision: u32,
    /// What is wrong with it.
    pub why: String,
}

impl History {
    /// Asks the cluster for it. A release that is not there has no revisions.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub async fn read(cluster: &Cluster, namespace: &str, release: &str) -> Result<Self, ClusterError> {
        let call = Call {
            asked: format!("list Helm's records of the release `{release}` in the namespace `{namespace}`"),
            rule: rule(namespace),
        };
        let secrets = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Secret"));
        let api: Api<DynamicObject> = Api::namespaced_with(cluster.client(), namespace, &secrets);
        let labels = ListParams::default().labels(&format!("owner=helm,name={release}"));
        let list = cluster.ask(&call, api.list(&labels)).await?;
        let secrets =
            list.items.iter().map(|secret| (secret.metadata.name.as_deref().unwrap_or_default(), &secret.data));
        Ok(Self::of(release, secrets))
    }

    /// The history that Secrets hold, given by name and content.
    pub fn of<'a>(release: &str, secrets: impl IntoIterator<Item = (&'a str, &'a Value)>) -> Self {
        let prefix = format!("sh.helm.release.v1.{release}.v");
        let mut revisions: Vec<Revision> = secrets
            .into_iter()
            .filter(|(_, secret)| secret["type"] == TYPE)
            .filter_map(|(name, secret)| Some((name.strip_prefix(&prefix)?.parse().ok()?, secret)))
            .map(|(number, secret)| {
                let undecodable = |why| Undecodable { release: release.to_owned(), revision: number, why };
                let decoded = secret["data"]["release"].as_str().ok_or_else(|| "it has no key `release`".to_owned());
                let read = decoded.and_then(decode).and_then(|read| match read {
                    Release { name, revision, .. } if name != release || revision != number => {
                        Err(format!("it is of `{name}`, revision {revision}"))
                    }
                    read => Ok(read),
                });
                Revision { number, release: read.map_err(undecodable) }
            })
            .collect();
        revisions.sort_by_key(|revision| revision.number);
        Self { revisions }
    }

    /// The newest revision.
    #[must_use]
    pub fn newest(&self) -> Option<&Revision> {
        self.revisions.last()
    }

    /// The record of a revision, if it is there and can be read.
    #[must_use]
    pub fn release(&self, number: u32) -> Option<&Release> {
        self.revisions.iter().find(|revision| revision.number == number)?.release.as_ref().ok()
    }

    /// Number and status of each; none where the record cannot be read.
    #[must_use]
    pub fn statuses(&self) -> Vec<(u32, Option<Status>)> {
        let status = |revision: &Revision| revision.release.as_ref().ok().map(|release| release.status);
        self.revisions.iter().map(|revision| (revision.number, status(revision))).collect()
    }
}

/// A revision of a release, as Helm recorded it.
#[derive(Clone, PartialEq)]
pub struct Release {
    /// What it is called.
    pub name: String,
    /// Where it is.
    pub namespace: String,
    /// Which revision it is, from 1.
    pub revision: u32,
    /// What Helm thinks of it. Without `--wait` Helm calls deployed what it sent off, whatever became of it.
    pub status: Status,
    /// When its first revision was deployed.
    pub first_deployed: Option<Timestamp>,
    /// When this one was.
    pub last_deployed: Option<Timestamp>,
    /// Helm's words for what happened: `Upgrade complete`.
    pub description: String,
    /// What was deployed.
    pub chart: Chart,
    /// The values of the user, which lie over the chart's.
    pub config: Value,
    /// What was sent to the cluster, but for the hooks.
    pub manifest: String,
    /// What runs before and after.
    pub hooks: Vec<Hook>,
}

impl Release {
    /// What Helm prints of a release with `--output json`.
    ///
    /// # Errors
    /// When it is no release. What is in it is not quoted.
    pub fn of_json(printed: &Value) -> Result<Self, Undecodable> {
        let name = printed["name"].as_str().unwrap_or_default();
        let revision = printed["version"].as_u64().and_then(|version| version.try_into().ok()).unwrap_or_default();
        let record = Record::deserialize(printed).map_err(|_| "it is not the JSON of a release".to_owned());
        record.and_then(of_record).map_err(|why| Undecodable { release: name.to_owned(), revision, why })
    }
}

/// The values may be secrets, and the manifest may hold Secrets.
impl fmt::Debug for Release {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Release")
            .field("name", &self.name)
            .field("namespace", &self.namespace)
            .field("revision", &self.revision)
            .field("status", &self.status)
            .finish_non_exhaustive()
    }
}

/// The chart of a release.
#[derive(Clone, PartialEq)]
pub struct Chart {
    /// What it is called.
    pub name: String,
    /// Its version.
    pub version: String,
    /// That of what it deploys; empty, where it does not say.
    pub app_version: String,
    /// Its templates, without those of its dependencies.
    pub templates: Vec<Template>,
    /// Its own values.
    pub values: Value,
}

/// As that of [`Release`].
impl fmt::Debug for Chart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chart").field("name", &self.name).field("version", &self.version).finish_non_exhaustive()
    }
}

/// A template of a chart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    /// Its path in the chart, `templates/deployment.yaml`.
    pub name: String,
    /// What is written in it.
    pub text: String,
}

/// Something that Helm runs before or after.
#[derive(Clone, PartialEq, Eq, Deserialize)]
pub struct Hook {
    /// The name of its object.
    pub name: String,
    /// The kind of its object.
    pub kind: String,
    /// The template that it came from, `godel/templates/migrate.yaml`.
    pub path: String,
    /// When it runs: `pre-upgrade`.
    #[serde(default)]
    pub events: Vec<String>,
    /// Its object.
    pub manifest: String,
    /// When its object is deleted: `before-hook-creation`.
    #[serde(default)]
    pub delete_policies: Vec<String>,
}

/// As that of [`Release`].
impl fmt::Debug for Hook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hook").field("name", &self.name).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// What Helm thinks of a revision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It was sent to the cluster.
    Deployed,
    /// It was, and another one since.
    Superseded,
    /// Helm could not send it, a hook failed, or what Helm waited for did not come.
    Failed,
    /// Helm is at it, or was when it died.
    PendingInstall,
    /// The same, of an upgrade.
    PendingUpgrade,
    /// The same, of a rollback.
    PendingRollback,
    /// It is being taken away.
    Uninstalling,
    /// It was taken away, and its history kept.
    Uninstalled,
    /// None that is known.
    #[serde(other)]
    Unknown,
}

impl Status {
    /// Whether Helm is at it, or was when it died: until then it refuses every upgrade.
    #[must_use]
    pub const fn is_pending(self) -> bool {
        matches!(self, Self::PendingInstall | Self::PendingUpgrade | Self::PendingRollback)
    }

    /// Whether Helm came to an end with it, so that one can go back to it.
    #[must_use]
    pub const fn is_whole(self) -> bool {
        matches!(self, Self::Deployed | Self::Superseded)
    }
}

/// The record as it is written.
#[derive(Deserialize)]
struct Record {
    name: String,
    namespace: String,
    version: u32,
    info: Info,
    chart: ChartRecord,
    #[serde(default)]
    config: Value,
    #[serde(default)]
    manifest: String,
    #[serde(default)]
    hooks: Option<Vec<Hook>>,
}

#[derive(Deserialize)]
struct Info {
    status: Status,
    #[serde(default)]
    first_deployed: String,
    #[serde(default)]
    last_deployed: String,
    #[serde(default)]
    description: String,
}

#[derive(Deserialize)]
struct ChartRecord {
    metadata: Metadata,
    #[serde(default)]
    templates: Option<Vec<Encoded>>,
    #[serde(default)]
    values: Value,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata {
    name: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    app_version: String,
}

#[derive(Deserialize)]
struct Encoded {
    name: String,
    data: Option<String>,
}

/// Base64 of Kubernetes, base64 of Helm, gzip, JSON.
fn decode(data: &str) -> Result<Release, String> {
    let base64 = |text: &[u8]| BASE64_STANDARD.decode(text).map_err(|_| "it is not base64".to_owned());
    let compressed = base64(&base64(data.as_bytes())?)?;
    let record: Record = serde_json::from_slice(&unpacked(&compressed, MAX_RECORD_BYTES)?).map_err(|error| {
        format!("it is not the JSON of a release, at line {}, column {}", error.line(), error.column())
    })?;
    of_record(record)
}

fn of_record(record: Record) -> Result<Release, String> {
    let base64 = |text: &[u8]| BASE64_STANDARD.decode(text).map_err(|_| "it is not base64".to_owned());
    let mut templates = Vec::new();
    for Encoded { name, data } in record.chart.templates.unwrap_or_default() {
        let text = String::from_utf8(base64(data.unwrap_or_default().as_bytes())?);
        templates.push(Template { text: text.map_err(|_| format!("its template `{name}` is not text"))?, name });
    }
    let Metadata { name, version, app_version } = record.chart.metadata;
    Ok(Release {
        name: record.name,
        namespace: record.namespace,
        revision: record.version,
        status: record.info.status,
        first_deployed: time(&record.info.first_deployed)?,
        last_deployed: time(&record.info.last_deployed)?,
        description: record.info.description,
        chart: Chart { name, version, app_version, templates, values: record.chart.values },
        config: record.config,
        manifest: record.manifest,
        hooks: record.hooks.unwrap_or_default(),
    })
}

/// A few kilobytes can hold gigabytes. Helm reads what is not compressed as well, as its first versions wrote it.
fn unpacked(bytes: &[u8], limit: u64) -> Result<Vec<u8>, String> {
    if !bytes.starts_with(&[0x1f, 0x8b]) {
        return Ok(bytes.to_vec());
    }
    let mut unpacked = Vec::new();
    let read = GzDecoder::new(bytes).take(limit + 1).read_to_end(&mut unpacked);
    read.map_err(|error: io::Error| format!("it is not gzip: {error}"))?;
    if unpacked.len() as u64 > limit {
        return Err(format!("it is larger than {limit} bytes"));
    }
    Ok(unpacked)
}

/// Helm writes nothing for a time that is not.
fn time(text: &str) -> Result<Option<Timestamp>, String> {
    match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| "its times are none".to_owned()),
    }
}

/// In Helm's own words.
impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Deployed => "deployed",
            Self::Superseded => "superseded",
            Self::Failed => "failed",
            Self::PendingInstall => "pending-install",
            Self::PendingUpgrade => "pending-upgrade",
            Self::PendingRollback => "pending-rollback",
            Self::Uninstalling => "uninstalling",
            Self::Uninstalled => "uninstalled",
            Self::Unknown => "of unknown state",
        })
    }
}

#[cfg(test)]
mod tests;
