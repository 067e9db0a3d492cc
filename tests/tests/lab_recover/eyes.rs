//! What the cluster says of a deployment, looked at so often that a moment of it can be hit.

use std::{
    fs,
    time::{Duration, Instant},
};

use prodtest_kube::{
    Access, Cluster, Server,
    kube::{
        Api,
        api::ListParams,
        core::{ApiResource, DynamicObject, GroupVersionKind},
    },
};
use prodtest_tests::Release;
use serde_json::{Value, json};
use tokio::{runtime::Runtime, time::sleep};

/// How often it is looked: shorter than any step of a deployment.
const PERIOD: Duration = Duration::from_millis(10);
/// How long a moment may take to come.
const LIMIT: Duration = Duration::from_secs(90);

/// The eyes on one namespace.
pub(crate) struct Eyes {
    runtime: Runtime,
    cluster: Cluster,
    namespace: String,
}

/// What is there at one moment.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Who holds the Lease.
    pub(crate) holder: Option<String>,
    /// The journal.
    pub(crate) journal: Option<Value>,
    /// Helm's revisions and what Helm calls them, the newest last.
    pub(crate) revisions: Vec<(u64, String)>,
    /// The number of the newest backup.
    pub(crate) backup: u64,
    /// Which ReplicaSets have pods.
    pub(crate) sets: Vec<String>,
    /// Why containers wait.
    pub(crate) waiting: Vec<String>,
}

impl Seen {
    /// How far the journal says that its run got.
    pub(crate) fn phase(&self) -> Option<&str> {
        self.journal.as_ref()?["phase"].as_str()
    }

    /// The run that the journal is of.
    pub(crate) fn run(&self) -> Option<&str> {
        self.journal.as_ref()?["run"].as_str()
    }

    /// The newest revision, and what Helm calls it.
    pub(crate) fn newest(&self) -> Option<(u64, &str)> {
        self.revisions.last().map(|(number, status)| (*number, status.as_str()))
    }
}

impl Eyes {
    pub(crate) fn of(release: &Release<'_>) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let access = Access { kubeconfig: Some(release.lab().kubeconfig()), context: None };
        let server = Server::find(&access).expect("a server");
        let cluster = runtime.block_on(Cluster::connect(&server)).expect("a connection");
        Self { runtime, cluster, namespace: release.namespace.clone() }
    }

    fn api(&self, group: &str, version: &str, kind: &str) -> Api<DynamicObject> {
        let kind = ApiResource::from_gvk(&GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.cluster.client(), &self.namespace, &kind)
    }

    /// What is there now.
    pub(crate) fn look(&self) -> Seen {
        self.runtime.block_on(self.see())
    }

    /// Waits for a moment, and tells what was there then.
    #[track_caller]
    pub(crate) fn wait(&self, what: &str, is_so: impl Fn(&Seen) -> bool) -> Seen {
        let begun = Instant::now();
        self.runtime.block_on(async {
            loop {
                let seen = self.see().await;
                if is_so(&seen) {
                    return seen;
                }
                assert!(begun.elapsed() < LIMIT, "{what}: not within {LIMIT:?}; last seen: {seen:#?}");
                sleep(PERIOD).await;
            }
        })
    }

    async fn see(&self) -> Seen {
        let (leases, maps) = (self.api("coordination.k8s.io", "v1", "Lease"), self.api("", "v1", "ConfigMap"));
        let (secrets, pods) = (self.api("", "v1", "Secret"), self.api("", "v1", "Pod"));
        let (helm, backups) =
            (ListParams::default().labels("owner=helm"), ListParams::default().labels("prodtest/backup"));
        let all = ListParams::default();
        let (lease, map, helm, backups, pods) = tokio::join!(
            leases.get_opt("prodtest-godel"),
            maps.get_opt("prodtest-godel"),
            secrets.list_metadata(&helm),
            secrets.list_metadata(&backups),
            pods.list(&all),
        );
        let lease = lease.expect("an answer").map_or(Value::Null, |lease| lease.data);
        let map = map.expect("an answer").map_or(Value::Null, |map| map.data);
        let label = |labels: &Option<std::collections::BTreeMap<String, String>>, name: &str| {
            labels.as_ref().and_then(|labels| labels.get(name)).cloned().unwrap_or_default()
        };
        let mut revisions: Vec<(u64, String)> = helm
            .expect("an answer")
            .items
            .iter()
            .map(|one| (label(&one.metadata.labels, "version"), label(&one.metadata.labels, "status")))
            .map(|(version, status)| (version.parse().expect("a number"), status))
            .collect();
        revisions.sort_unstable();
        let numbers = backups.expect("an answer").items.into_iter();
        let backup = numbers.filter_map(|one| label(&one.metadata.labels, "prodtest/backup").parse().ok()).max();
        let pods = pods.expect("an answer").items;
        let mut sets: Vec<String> = pods.iter().map(|pod| label(&pod.metadata.labels, "pod-template-hash")).collect();
        sets.sort_unstable();
        sets.dedup();
        let waiting = |pod: &DynamicObject| {
            let of = pod.data["status"]["containerStatuses"].as_array().cloned().unwrap_or_default();
            let reasons = of.into_iter().map(|one| one["state"]["waiting"]["reason"].clone());
            reasons.filter_map(|reason| reason.as_str().map(str::to_owned)).collect::<Vec<_>>()
        };
        Seen {
            holder: lease["spec"]["holderIdentity"].as_str().filter(|holder| !holder.is_empty()).map(str::to_owned),
            journal: map["data"]["journal"].as_str().map(|text| serde_json::from_str(text).expect("JSON")),
            revisions,
            backup: backup.unwrap_or(0),
            waiting: pods.iter().flat_map(waiting).collect(),
            sets,
        }
    }
}

/// The values of a round: what tells it from the others starts new pods.
pub(crate) fn round(release: &Release<'_>, number: u32) -> Value {
    json!({
        "replicaCount": 1,
        "env": { "GODEL_RATE_LIMIT": limit(number) },
        "image": { "repository": release.image.repository },
    })
}

pub(crate) const fn limit(round: u32) -> u32 {
    10_000 + round
}

/// Asserts that everything is in order: the release is on the revision of this round, its pods are ready and answer, and
/// nobody is at it.
#[track_caller]
pub(crate) fn in_order(release: &Release<'_>, eyes: &Eyes, round: u32, after: &str) {
    let seen = eyes.look();
    assert_eq!(seen.newest().map(|(_, status)| status), Some("deployed"), "{after}: {seen:#?}");
    assert!(seen.phase().is_none_or(|phase| phase == "done"), "{after}: {seen:#?}");
    assert_eq!(seen.holder, None, "{after}");
    let settings = release.object("configmap/godel-api");
    assert_eq!(settings["data"]["GODEL_RATE_LIMIT"], limit(round).to_string(), "{after}: another round's");
    let workload = release.object("deployment/godel-api");
    let status = &workload["status"];
    assert_eq!(status["observedGeneration"], workload["metadata"]["generation"], "{after}: {status}");
    for count in ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"] {
        assert_eq!(status[count], workload["spec"]["replicas"], "{after}: {count} of {status}");
    }
    release.get("/api/health/ready").unwrap_or_else(|error| panic!("{after}: it does not answer: {error:#}"));
}

/// The Helms that are at this namespace, whoever started them.
pub(crate) fn helms(namespace: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
    let lines = processes.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok());
    lines
        .filter(|line| {
            let mut words = line.split('\0');
            words.next().is_some_and(|program| program.contains("helm")) && words.any(|word| word == namespace)
        })
        .map(|line| line.replace('\0', " "))
        .collect()
}
