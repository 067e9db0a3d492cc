//! `verify/pods`: every pod of the release is ready, of its newest revision, and has not restarted since.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use prodtest_cli::Refusal;
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{gate::Verify, live, site::Site};

/// What a Deployment calls the number of a rollout, in its own annotations and in those of its ReplicaSets.
const REVISION: &str = "deployment.kubernetes.io/revision";
/// The label by which a StatefulSet's and a DaemonSet's pods say of which revision they are.
const REVISION_HASH: &str = "controller-revision-hash";

/// The pods of the release.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// How often the containers of a pod may have restarted since it was made; 0 when left out.
    pub(crate) max_restarts: Option<u32>,
}

/// The check.
pub(crate) struct Pods;

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    max_restarts: u32,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    workloads: Vec<WorkloadSeen>,
}

/// A workload and its pods.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WorkloadSeen {
    name: String,
    pods: Vec<PodSeen>,
}

/// A pod.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PodSeen {
    name: String,
    /// Whether it is of the newest revision; none, where that cannot be told.
    newest: Option<bool>,
    ready: bool,
    /// Whether it is on its way out.
    ending: bool,
    /// What keeps it from being ready, in Kubernetes' words.
    why: Option<String>,
    restarts: u32,
    /// How the last of its containers that restarted had ended.
    ended: Option<String>,
}

impl Inspection<Verify> for Pods {
    const NAME: &'static str = "pods";

    type Target = ();
    type Limits = Limits;
    type Facts = Facts;

    fn target(_asked: &Asked<'_, Verify>) -> Result<Target<()>, Refusal> {
        Ok(Target::At(()))
    }

    fn limits(asked: &Asked<'_, Verify>) -> Result<Limits, Refusal> {
        Ok(Limits { max_restarts: asked.section.pods.max_restarts.unwrap_or(0) })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        Check {
            why: Some(
                "A pod that restarts drops what it works on; one of an older version answers some users with what was \
                 replaced."
                    .to_owned(),
            ),
            help: Some(
                "Look at `kubectl describe pod` and at the log of the container before, `kubectl logs --previous`."
                    .to_owned(),
            ),
            limits: vec![Limit { name: "restarts".to_owned(), value: limits.max_restarts.to_string() }],
            requirements: vec!["FR1.2".to_owned()],
            ..Check::new(id, "every pod is ready, of the newest revision, and has not restarted")
        }
    }

    fn rules(site: &Site, (): &()) -> Vec<Rule> {
        let mut rules = live::workload_rules(site);
        rules.extend([live::list_rule(site, "", "pods"), live::list_rule(site, "apps", "replicasets")]);
        rules
    }

    async fn observe(seeing: &Seeing<'_, Verify>, (): &()) -> Result<Facts, Unseen> {
        let (workloads, pods) = tokio::try_join!(live::workloads(seeing), live::pods(seeing))?;
        let mut seen = Vec::new();
        for workload in workloads {
            let newest = newest(seeing, workload).await?;
            let own = pods.iter().filter(|pod| workload.selects(pod) && !has_ended(pod));
            let pods = own.map(|pod| pod_seen(pod, &newest)).collect();
            seen.push(WorkloadSeen { name: workload.shown(), pods });
        }
        Ok(Facts { workloads: seen })
    }

    fn judge(id: &CheckId, (): &(), limits: &Limits, facts: &Facts) -> Judged {
        if facts.workloads.is_empty() {
            return Judged::undetermined(id.clone(), "the release has no workload in the cluster");
        }
        let (mut findings, mut ready, mut restarts) = (Vec::new(), 0_u32, 0_u32);
        for workload in &facts.workloads {
            let mut add = |rule: &str, message: String, expected: &str| {
                // One finding a workload and rule: the names of pods differ from run to run.
                if !findings.iter().any(|it: &Finding| it.rule == rule && it.subject == workload.name) {
                    let seen = message.clone();
                    findings.push(Finding::new(id, rule, &workload.name, message).expected(expected, seen));
                }
            };
            if workload.pods.iter().all(|pod| pod.ending) {
                add("none", format!("{} has no pod", workload.name), "pods that are ready");
            }
            for pod in &workload.pods {
                restarts = restarts.saturating_add(pod.restarts);
                if pod.ending && pod.newest != Some(false) {
                    continue;
                }
                if pod.newest == Some(false) {
                    add(
                        "left-over",
                        format!("the pod `{}` is of an earlier revision", pod.name),
                        "pods of the newest revision alone",
                    );
                } else if !pod.ready {
                    let why = pod.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
                    add("not-ready", format!("the pod `{}` is not ready{why}", pod.name), "every pod ready");
                } else {
                    ready += 1;
                }
                if pod.restarts > limits.max_restarts {
                    let ended =
                        pod.ended.as_ref().map(|ended| format!(", the last time after {ended}")).unwrap_or_default();
                    let message = format!("the pod `{}` has restarted, {} times{ended}", pod.name, pod.restarts);
                    add("restarts", message, &format!("at most {} restarts", limits.max_restarts));
                }
            }
        }
        let mut judged = Judged::by_findings(id.clone(), findings);
        judged.evidence = vec![
            Evidence::new("pods ready", Quantity::count(ready)),
            Evidence::new("restarts", Quantity::count(restarts)).limited(Quantity::count(limits.max_restarts)),
        ];
        judged
    }
}

/// How the pods of the newest revision are told.
enum Newest {
    /// They belong to the ReplicaSet of this name.
    OfReplicaSet(Option<String>),
    /// They bear this hash.
    WithHash(Option<String>),
}

async fn newest(seeing: &Seeing<'_, Verify>, workload: &live::Workload) -> Result<Newest, Unseen> {
    let status = &workload.object.data["status"];
    let hash = || status["updateRevision"].as_str().map(str::to_owned);
    if workload.kind != "Deployment" {
        return Ok(Newest::WithHash(hash()));
    }
    let revision = |annotations: &Option<BTreeMap<String, String>>| annotations.as_ref()?.get(REVISION).cloned();
    let newest = revision(&workload.object.metadata.annotations);
    let sets = live::replica_sets(seeing).await?;
    let owned = sets.iter().filter(|set| is_owned(&set.metadata.owner_references, &workload.object.metadata.uid));
    let mut of_newest = owned.filter(|set| newest.is_some() && revision(&set.metadata.annotations) == newest);
    Ok(Newest::OfReplicaSet(of_newest.next().and_then(|set| set.metadata.uid.clone())))
}

fn is_owned(
    owners: &Option<Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference>>,
    uid: &Option<String>,
) -> bool {
    owners.iter().flatten().any(|owner| Some(&owner.uid) == uid.as_ref())
}

/// A pod that has come to its end, and is kept for its log.
fn has_ended(pod: &Pod) -> bool {
    let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
    matches!(phase, Some("Succeeded" | "Failed"))
}

fn pod_seen(pod: &Pod, newest: &Newest) -> PodSeen {
    let status = pod.status.as_ref();
    let conditions = status.and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let ready = conditions.iter().any(|it| it.type_ == "Ready" && it.status == "True");
    let containers: Vec<&ContainerStatus> = status
        .into_iter()
        .flat_map(|status| status.init_container_statuses.iter().chain(&status.container_statuses).flatten())
        .collect();
    let waiting = containers.iter().find_map(|container| {
        let waiting = container.state.as_ref()?.waiting.as_ref()?;
        Some(format!("the container `{}` waits, {}", container.name, waiting.reason.as_deref().unwrap_or("unknown")))
    });
    let unscheduled = || {
        let scheduled = conditions.iter().find(|it| it.type_ == "PodScheduled" && it.status == "False")?;
        Some(scheduled.message.clone().unwrap_or_default())
    };
    let unready = || {
        let container = containers.iter().find(|container| !container.ready)?;
        Some(format!("the container `{}` is not", container.name))
    };
    let ended = containers.iter().find_map(|container| {
        let ended = container.last_state.as_ref()?.terminated.as_ref()?;
        let reason = ended.reason.as_deref().unwrap_or("an end");
        Some(format!("{reason}, exit code {}", ended.exit_code))
    });
    let labels = pod.metadata.labels.as_ref();
    let newest = match newest {
        Newest::OfReplicaSet(uid) => uid.as_ref().map(|_| is_owned(&pod.metadata.owner_references, uid)),
        Newest::WithHash(hash) => hash.as_ref().map(|hash| labels.and_then(|it| it.get(REVISION_HASH)) == Some(hash)),
    };
    let restarts: i32 = containers.iter().map(|container| container.restart_count).sum();
    PodSeen {
        name: pod.metadata.name.clone().unwrap_or_default(),
        newest,
        ready,
        ending: pod.metadata.deletion_timestamp.is_some(),
        why: (!ready).then(|| waiting.or_else(unscheduled).or_else(unready)).flatten(),
        restarts: u32::try_from(restarts).unwrap_or_default(),
        ended,
    }
}
