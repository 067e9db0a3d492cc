//! What a person needs to know of a doomed rollout.
//!
//! All text comes from strangers: it is short here, and may hold secrets, which whoever keeps it redacts.

use prodtest_gate::Rule;
use prodtest_kube::{
    Call, Cluster,
    kube::{Api, api::LogParams},
};
use serde::{Deserialize, Serialize};

use super::{DoomKind, Evidence, State, objects::Pod, raw::Raw, store::Kept, tracker::LONGEST};

/// Events of one doom that are shown.
const EVENTS: usize = 10;
/// Lines of a log.
const LINES: i64 = 20;
/// Bytes of a log.
const BYTES: i64 = 16 * 1024;
/// Dooms that are looked into: a hundred pods mostly fail of the same.
const DOOMS: usize = 5;

/// Why a rollout is doomed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Diagnosis {
    /// The evidence.
    pub evidence: Evidence,
    /// The reason, in one line.
    pub reason: String,
    /// The events that tell of it, the newest first: `3 times BackOff: …`.
    pub events: Vec<String>,
    /// The last lines of the containers that it concerns.
    pub logs: Vec<Log>,
    /// A command that shows more.
    pub command: String,
}

/// The last lines that a container wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Log {
    /// Of the container before this one.
    pub previous: bool,
    /// The lines.
    pub lines: Vec<String>,
    /// Why there are none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

/// Looks into what doomed a rollout.
pub async fn diagnose(cluster: &Cluster, namespace: &str, state: &State, dooms: &[Evidence]) -> Vec<Diagnosis> {
    let mut all: Vec<Diagnosis> = Vec::new();
    for evidence in dooms {
        // Of several pods of one workload that fail of the same, one is enough.
        let same = |it: &Diagnosis| {
            let it = &it.evidence;
            it.kind == evidence.kind && it.subject == evidence.subject && it.container == evidence.container
        };
        if all.len() >= DOOMS || all.iter().any(same) {
            continue;
        }
        all.push(Diagnosis {
            reason: reason(evidence),
            events: events(state, evidence),
            logs: logs(cluster, namespace, state, evidence).await,
            command: command(namespace, evidence),
            evidence: evidence.clone(),
        });
    }
    all
}

/// The reason, in one line.
fn reason(it: &Evidence) -> String {
    let container = it.container.as_deref().map(|name| format!("container `{name}` of ")).unwrap_or_default();
    let whose = format!("{container}{}", it.subject);
    let ended = || match (it.reason.as_deref(), it.exit_code, it.signal()) {
        (Some("OOMKilled"), ..) => "killed, for it used more memory than its limit".to_owned(),
        (_, Some(127), _) => "exit code 127: its command is not there".to_owned(),
        (Some("StartError"), ..) => "it could not be started".to_owned(),
        (_, Some(code), Some(signal)) => format!("exit code {code}: signal {signal}"),
        (_, Some(code), None) => format!("exit code {code}"),
        _ => "ended".to_owned(),
    };
    let what = match it.kind {
        DoomKind::ImageNotFound => "the image is not there".to_owned(),
        DoomKind::ImageRefused => "the registry refuses the image".to_owned(),
        DoomKind::ImageName => "the name of the image is none".to_owned(),
        DoomKind::ImagePull => "the image cannot be pulled".to_owned(),
        DoomKind::MissingConfig => "a ConfigMap, Secret or key that it needs is not there".to_owned(),
        DoomKind::Unschedulable => "no node takes its pod".to_owned(),
        DoomKind::UnboundVolume => "a volume that its pod needs is not bound".to_owned(),
        DoomKind::Mount => "a volume cannot be mounted".to_owned(),
        DoomKind::Start => "the node cannot make it".to_owned(),
        DoomKind::Crash | DoomKind::InitCrash => format!("it ended {} times, {}", it.count, ended()),
        DoomKind::Probe => "its probe fails, and the progress deadline has passed".to_owned(),
        DoomKind::ProgressDeadline => "it is not ready, and the progress deadline has passed".to_owned(),
        DoomKind::Stalled => "it does not get further".to_owned(),
        DoomKind::Quota => "a quota has no room for its pods".to_owned(),
        DoomKind::Admission => "its pods are refused".to_owned(),
        DoomKind::JobFailed if it.exit_code.is_some() => format!("it has failed, {}", ended()),
        DoomKind::JobFailed => "it has failed".to_owned(),
        DoomKind::NodeGone => "the node of its pod is gone".to_owned(),
        DoomKind::Paused => "it is paused".to_owned(),
    };
    let message = it.message.split_whitespace().collect::<Vec<_>>().join(" ");
    if message.is_empty() || what.ends_with(&message) {
        format!("{whose}: {what}")
    } else {
        format!("{whose}: {what} ({message})")
    }
}

/// The events that concern it, without doubles.
fn events(state: &State, it: &Evidence) -> Vec<String> {
    let named = |name: &str| Some(name) == it.pod.as_deref() || name == it.subject.name;
    let of_set = |kind: &str, name: &str| {
        kind == "ReplicaSet"
            && state
                .replica_sets
                .get(name)
                .is_some_and(|set| set.metadata.owner_references.iter().any(|owner| owner.name == it.subject.name))
    };
    let mut about: Vec<_> = state
        .events
        .values()
        .filter(|event| {
            let of = &event.involved_object;
            named(&of.name) || of_set(&of.kind, &of.name)
        })
        .collect();
    // Warnings first, then the newest.
    about.sort_by(|a, b| {
        let key = |event: &super::objects::Event| (event.r#type == "Warning", event.last().to_owned());
        key(b).cmp(&key(a))
    });
    let mut lines: Vec<String> = Vec::new();
    for event in about {
        let mut message = event.message.clone();
        message.truncate(message.floor_char_boundary(LONGEST));
        let line = match event.times() {
            1 => format!("{}: {message}", event.reason),
            times => format!("{times} times {}: {message}", event.reason),
        };
        if lines.len() < EVENTS && !lines.contains(&line) {
            lines.push(line);
        }
    }
    lines
}

/// What the container that it concerns wrote last, and the one before.
async fn logs(cluster: &Cluster, namespace: &str, state: &State, it: &Evidence) -> Vec<Log> {
    let Some(pod) = it.pod.as_ref().and_then(|name| state.pods.get(name)) else { return Vec::new() };
    let containers = pod.status.init_container_statuses.iter().chain(&pod.status.container_statuses);
    let wanted = |name: &str| it.container.as_deref().is_none_or(|container| container == name);
    let Some(status) = containers.into_iter().find(|status| wanted(&status.name)) else { return Vec::new() };
    let mut which = Vec::new();
    if status.state.running.is_some() || status.state.terminated.is_some() {
        which.push(false);
    }
    if status.last_state.terminated.is_some() {
        which.push(true);
    }
    let api: Api<Raw> = Api::namespaced_with(cluster.client(), namespace, &Pod::resource());
    let mut logs = Vec::new();
    for previous in which {
        let params = LogParams {
            container: Some(status.name.clone()),
            tail_lines: Some(LINES),
            limit_bytes: Some(BYTES),
            previous,
            ..LogParams::default()
        };
        let call = Call {
            asked: format!("get the log of `{}` in the pod `{}`", status.name, pod.metadata.name),
            rule: Rule::new(namespace, "", &["pods/log"], &["get"]),
        };
        logs.push(match cluster.ask(&call, api.logs(&pod.metadata.name, &params)).await {
            // The kubelet says so with 200, as if the container had.
            Ok(text) if text.starts_with("unable to retrieve container logs") => {
                Log { previous, lines: Vec::new(), problem: Some("the node does not have it any more".to_owned()) }
            }
            Ok(text) => Log { previous, lines: text.lines().map(short).collect(), problem: None },
            Err(error) => Log { previous, lines: Vec::new(), problem: Some(error.to_string()) },
        });
    }
    logs
}

fn short(line: &str) -> String {
    const LONGEST: usize = 500;
    match line.char_indices().nth(LONGEST) {
        None => line.to_owned(),
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}

/// A command that shows more.
fn command(namespace: &str, it: &Evidence) -> String {
    match (&it.pod, &it.container, it.kind) {
        (Some(pod), Some(container), DoomKind::Crash | DoomKind::InitCrash) => {
            format!("kubectl --namespace {namespace} logs {pod} --container {container} --previous")
        }
        (Some(pod), ..) => format!("kubectl --namespace {namespace} describe pod {pod}"),
        (None, ..) => format!("kubectl --namespace {namespace} describe {}", it.subject),
    }
}
