//! The Job that tries from inside: short-lived, without any right, and taken away whatever happens.

use std::cell::RefCell;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use k8s_openapi::api::{batch::v1::Job, core::v1::Pod};
use prodtest_gate::{Rule, Run};
use prodtest_inspect::{Means, Seeing, Unseen};
use prodtest_kube::{
    Call, Cluster,
    kube::{
        Api,
        api::{DeleteParams, ListParams, LogParams, PostParams, WatchParams},
        core::WatchEvent,
    },
};
use serde_json::{Value, json};

use super::{
    FromSection, Where,
    probe::{self, Line},
};
use crate::{gate::Verify, live::Shared};

/// How long it may run: the probe's own patience, and the start of a pod with an image to pull.
const DEADLINE_S: u64 = 40;
/// How long what is left of it stays where nobody takes it away.
const KEPT_S: u32 = 60;
/// What all of them are marked with.
const MARK: (&str, &str) = ("app.kubernetes.io/managed-by", "prodtest");
/// By which those of this check are found.
const COMPONENT: (&str, &str) = ("app.kubernetes.io/component", "network-policy-probe");
/// The label of who made it: no two runs have the same.
const RUN: &str = "prodtest/run";

/// The Jobs that were made in this run and are still to be taken away.
#[derive(Default)]
pub(crate) struct Made(RefCell<Vec<(String, String)>>);

/// What one must be allowed to do in a namespace for it.
pub(super) fn rules(namespace: &str) -> Vec<Rule> {
    vec![
        Rule::new(namespace, "batch", &["jobs"], &["create", "delete", "list"]),
        Rule::new(namespace, "", &["pods"], &["list", "watch"]),
        Rule::new(namespace, "", &["pods/log"], &["get"]),
    ]
}

fn call(asked: String, namespace: &str, group: &str, plural: &str, verb: &str) -> Call {
    Call { asked, rule: Rule::new(namespace, group, &[plural], &[verb]) }
}

/// Takes away what earlier runs left. What is younger than such a Job may live is somebody's who still tries.
pub(super) async fn sweep(seeing: &Seeing<'_, Verify>, namespace: &str) -> Result<(), Unseen> {
    let cluster = seeing.means.cluster()?;
    let jobs: Api<Job> = Api::namespaced(cluster.client(), namespace);
    let selector = format!("{}={},{}={}", MARK.0, MARK.1, COMPONENT.0, COMPONENT.1);
    let asked = format!("list the jobs in the namespace `{namespace}`");
    let params = ListParams::default().labels(&selector);
    let found = cluster.ask(&call(asked, namespace, "batch", "jobs", "list"), jobs.list(&params)).await?;
    let now = Timestamp::now().as_second();
    for job in found.items {
        let made = job.metadata.creation_timestamp.as_ref().map_or(0, |time| time.0.as_second());
        if now - made > DEADLINE_S as i64 {
            remove(cluster, namespace, &job.metadata.name.unwrap_or_default()).await?;
        }
    }
    Ok(())
}

/// Takes away what this run made; returns what could not be. For the end of the run, however that came about.
pub(super) async fn clean(means: &Means<Shared>, run: &Run) -> Vec<String> {
    let made = means.own.probes.0.take();
    let Ok(cluster) = means.cluster() else { return Vec::new() };
    let removing = made.into_iter().map(|(namespace, name)| async move {
        let removed = run.unless_overdue(remove(cluster, &namespace, &name)).await;
        let shown = format!("the job `{name}` in the namespace `{namespace}`");
        match removed {
            Some(Ok(())) => None,
            Some(Err(why)) => Some(format!("{shown}: {why}")),
            None => Some(shown),
        }
    });
    futures_util::future::join_all(removing).await.into_iter().flatten().collect()
}

async fn remove(cluster: &Cluster, namespace: &str, name: &str) -> Result<(), Unseen> {
    let jobs: Api<Job> = Api::namespaced(cluster.client(), namespace);
    let asked = format!("delete the job `{name}` in the namespace `{namespace}`");
    let call = call(asked, namespace, "batch", "jobs", "delete");
    match cluster.ask(&call, jobs.delete(name, &DeleteParams::background())).await {
        Err(error) if error.is_unset() => Ok(()),
        done => Ok(done.map(drop)?),
    }
}

/// Runs the probe with these arguments from there, and reads what it says.
pub(super) async fn run(
    seeing: &Seeing<'_, Verify>,
    at: &Where,
    from: &FromSection,
    arguments: Vec<String>,
) -> Result<Vec<Line>, Unseen> {
    let (cluster, namespace) = (seeing.means.cluster()?, from.namespace(seeing.site));
    let name = format!("prodtest-probe-{}", random());
    let job: Job =
        serde_json::from_value(job(&name, at, from, &arguments)).map_err(|error| Unseen::new(error.to_string()))?;
    // Before it is made: it must go though nobody learns that it was.
    seeing.means.own.probes.0.borrow_mut().push((namespace.to_owned(), name.clone()));
    let jobs: Api<Job> = Api::namespaced(cluster.client(), namespace);
    let asked = format!("make a job in the namespace `{namespace}`");
    cluster.ask(&call(asked, namespace, "batch", "jobs", "create"), jobs.create(&PostParams::default(), &job)).await?;
    let pod = ended(cluster, namespace, &name).await?;
    let pods: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let asked = format!("read the log of the probe in the namespace `{namespace}`");
    let params = LogParams::default();
    probe::read(&cluster.ask(&call(asked, namespace, "", "pods/log", "get"), pods.logs(&pod, &params)).await?)
}

/// Waits until the Job's pod has come to its end; its name.
async fn ended(cluster: &Cluster, namespace: &str, job: &str) -> Result<String, Unseen> {
    let pods: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    let params =
        WatchParams::default().labels(&format!("batch.kubernetes.io/job-name={job}")).timeout(DEADLINE_S as u32);
    let asked = || format!("watch the pods in the namespace `{namespace}`");
    let call = call(asked(), namespace, "", "pods", "watch");
    // From the beginning: what was there before the watch comes first.
    let mut events = cluster.ask(&call, pods.watch(&params, "0")).await?.boxed();
    let mut last = "its pod was not made".to_owned();
    while let Some(event) = events.next().await {
        let pod = match event {
            Ok(WatchEvent::Added(pod) | WatchEvent::Modified(pod)) => pod,
            Ok(WatchEvent::Deleted(_)) => return Err(Unseen::new("somebody took the probe's pod away")),
            Ok(_) => continue,
            Err(error) => return Err(Unseen::new(format!("could not {}: {error}", asked()))),
        };
        match state(&pod) {
            State::Ended => return Ok(pod.metadata.name.unwrap_or_default()),
            State::Doomed(why) => return Err(Unseen::new(format!("the probe does not start: {why}"))),
            State::Waits(why) => last = why,
        }
    }
    Err(Unseen::new(format!("the probe did not come to its end within {DEADLINE_S} s: {last}")))
}

enum State {
    Ended,
    /// It will not start.
    Doomed(String),
    Waits(String),
}

fn state(pod: &Pod) -> State {
    let status = pod.status.as_ref();
    let phase = status.and_then(|status| status.phase.as_deref()).unwrap_or_default();
    if matches!(phase, "Succeeded" | "Failed") {
        return State::Ended;
    }
    let mut waiting = status.into_iter().flat_map(|status| status.container_statuses.iter().flatten());
    let waiting = waiting.find_map(|container| container.state.as_ref()?.waiting.clone());
    let Some(waiting) = waiting else { return State::Waits(format!("its pod is {phase}")) };
    let reason = waiting.reason.unwrap_or_default();
    let why = format!("{reason}: {}", waiting.message.unwrap_or_default());
    let doomed = ["ImagePullBackOff", "InvalidImageName", "CreateContainerConfigError", "CreateContainerError"];
    if doomed.contains(&reason.as_str()) { State::Doomed(why) } else { State::Waits(why) }
}

/// What Pod Security `restricted` lets in, without an account, a root that can be written, or room to speak of; never
/// ready, so that no Service that selects it by mistake sends it a request.
fn job(name: &str, at: &Where, from: &FromSection, arguments: &[String]) -> Value {
    let mark = json!({ (MARK.0): MARK.1, (COMPONENT.0): COMPONENT.1, (RUN): name });
    let pull_secrets: Vec<Value> = at.pull_secrets.iter().map(|name| json!({ "name": name })).collect();
    let room = json!({ "cpu": "50m", "memory": "32Mi" });
    json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": { "name": name, "labels": mark },
        "spec": {
            "activeDeadlineSeconds": DEADLINE_S,
            "ttlSecondsAfterFinished": KEPT_S,
            "backoffLimit": 0,
            "template": {
                "metadata": { "labels": from.labels },
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": false,
                    "enableServiceLinks": false,
                    "terminationGracePeriodSeconds": 0,
                    "imagePullSecrets": pull_secrets,
                    "securityContext": {
                        "runAsNonRoot": true, "runAsUser": 65532, "runAsGroup": 65532,
                        "seccompProfile": { "type": "RuntimeDefault" },
                    },
                    "containers": [{
                        "name": "probe",
                        "image": at.image,
                        "args": arguments,
                        "resources": { "requests": room, "limits": room },
                        "readinessProbe": { "tcpSocket": { "port": 1 }, "initialDelaySeconds": 3600 },
                        "securityContext": {
                            "allowPrivilegeEscalation": false,
                            "readOnlyRootFilesystem": true,
                            "capabilities": { "drop": ["ALL"] },
                        },
                    }],
                },
            },
        },
    })
}

/// What no two runs have in common.
fn random() -> String {
    let mut bytes = [0_u8; 5];
    if getrandom::fill(&mut bytes).is_err() {
        let now = Timestamp::now().as_nanosecond() ^ i128::from(std::process::id());
        bytes.copy_from_slice(&now.to_le_bytes()[..5]);
    }
    bytes.map(|byte| format!("{byte:02x}")).concat()
}
