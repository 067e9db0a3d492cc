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
    /// Those of the release that are not in the cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    gone: Vec<String>,
}

/// A workload and its pods.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WorkloadSeen {
    name: String,
    pods: Vec<PodSeen>,
    /// How many pods are of an earlier revision, of a workload that counts them itself.
    #[serde(default)]
    behind: u64,
    /// Why it cannot be told which revision is the newest, where it cannot.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unsure: Option<String>,
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
        let (workloads, gone, pods) =
            tokio::try_join!(live::workloads(seeing), live::gone(seeing), live::pods(seeing))?;
        let mut seen = Vec::new();
        for workload in workloads {
            let newest = newest(seeing, workload).await?;
            let own = pods.iter().filter(|pod| workload.selects(pod) && !has_ended(pod));
            let pods = own.map(|pod| pod_seen(pod, &newest)).collect();
            let (behind, unsure) = match newest {
                Newest::Counted { behind } => (behind, None),
                Newest::Unknown(why) => (0, Some(why)),
                Newest::OfReplicaSet(_) | Newest::WithHash(_) => (0, None),
            };
            seen.push(WorkloadSeen { name: workload.shown(), pods, behind, unsure });
        }
        Ok(Facts { workloads: seen, gone: gone.to_vec() })
    }

    fn judge(id: &CheckId, (): &(), limits: &Limits, facts: &Facts) -> Judged {
        if facts.workloads.is_empty() && facts.gone.is_empty() {
            return Judged::undetermined(id.clone(), "the release has no workload");
        }
        let (mut findings, mut ready, mut restarts) = (Vec::new(), 0_u32, 0_u32);
        findings.extend(facts.gone.iter().map(|name| {
            let message = format!("{name} is of the release, and not in the cluster");
            Finding::new(id, "gone", name, message).expected("every workload of the release", "it is not there")
        }));
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
            if workload.behind > 0 {
                let message = format!("{} pods of {} are of an earlier revision", workload.behind, workload.name);
                add("left-over", message, "pods of the newest revision alone");
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
        let unsure = facts.workloads.iter().find_map(|workload| workload.unsure.clone());
        let mut judged = match unsure {
            Some(why) if findings.is_empty() => Judged::undetermined(id.clone(), why),
            _ => Judged::by_findings(id.clone(), findings),
        };
        judged.evidence = vec![
            Evidence::new("pods ready", Quantity::count(ready)),
            Evidence::new("restarts", Quantity::count(restarts)).limited(Quantity::count(limits.max_restarts)),
        ];
        judged
    }
}

/// How the pods of the newest revision are told.
enum Newest {
    /// They belong to the ReplicaSet with this uid.
    OfReplicaSet(String),
    /// They bear this hash.
    WithHash(String),
    /// The workload counts them itself, and so many are of an earlier one.
    Counted { behind: u64 },
    /// They cannot be.
    Unknown(String),
}

async fn newest(seeing: &Seeing<'_, Verify>, workload: &live::Workload) -> Result<Newest, Unseen> {
    let status = &workload.object.data["status"];
    let (seen, made) = (status["observedGeneration"].as_i64(), workload.object.metadata.generation);
    if seen < made {
        // Whatever the status says is of what it was before.
        return Ok(Newest::Unknown(format!("its controller has not seen the newest change of {}", workload.shown())));
    }
    let unknown =
        || Newest::Unknown(format!("the cluster does not say which revision of {} is the newest", workload.shown()));
    match workload.kind.as_str() {
        "Deployment" => Ok(newest_set(seeing, workload).await?.map_or_else(unknown, Newest::OfReplicaSet)),
        "DaemonSet" => {
            let count = |name: &str| status[name].as_u64();
            // Left out where it is none.
            let updated = count("updatedNumberScheduled").unwrap_or(0);
            let behind = count("desiredNumberScheduled").map(|all| all.saturating_sub(updated));
            Ok(behind.map_or_else(unknown, |behind| Newest::Counted { behind }))
        }
        _ => Ok(status["updateRevision"].as_str().map_or_else(unknown, |hash| Newest::WithHash(hash.to_owned()))),
    }
}

/// The ReplicaSet of a Deployment's newest revision.
async fn newest_set(seeing: &Seeing<'_, Verify>, workload: &live::Workload) -> Result<Option<String>, Unseen> {
    let revision = |annotations: &Option<BTreeMap<String, String>>| annotations.as_ref()?.get(REVISION).cloned();
    let newest = revision(&workload.object.metadata.annotations);
    let own = workload.object.metadata.uid.as_deref().unwrap_or_default();
    let sets = live::replica_sets(seeing).await?;
    let owned = sets.iter().filter(|set| is_owned(&set.metadata.owner_references, own));
    let mut of_newest = owned.filter(|set| newest.is_some() && revision(&set.metadata.annotations) == newest);
    Ok(of_newest.next().and_then(|set| set.metadata.uid.clone()))
}

fn is_owned(owners: &Option<Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference>>, uid: &str) -> bool {
    owners.iter().flatten().any(|owner| owner.uid == uid)
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
        Newest::OfReplicaSet(uid) => Some(is_owned(&pod.metadata.owner_references, uid)),
        Newest::WithHash(hash) => Some(labels.and_then(|it| it.get(REVISION_HASH)) == Some(hash)),
        Newest::Counted { .. } | Newest::Unknown(_) => None,
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

#[cfg(test)]
mod tests {
    use prodtest_gate::Outcome;

    use super::*;

    /// A workload with one pod that is as it must be, changed.
    fn judged(change: impl FnOnce(&mut Facts)) -> Judged {
        let pod = PodSeen {
            name: "api-1-a".to_owned(),
            newest: Some(true),
            ready: true,
            ending: false,
            why: None,
            restarts: 0,
            ended: None,
        };
        let workload = WorkloadSeen { name: "Deployment api".to_owned(), pods: vec![pod], behind: 0, unsure: None };
        let mut facts = Facts { workloads: vec![workload], gone: Vec::new() };
        change(&mut facts);
        Pods::judge(&"verify/pods".parse().unwrap(), &(), &Limits { max_restarts: 0 }, &facts)
    }

    #[test]
    fn each_way_to_be_wrong_has_its_rule() {
        assert_eq!(judged(|_| {}).outcome, Outcome::Passed);
        let rule = |change: fn(&mut Facts)| judged(change).findings.remove(0).rule;
        assert_eq!(rule(|facts| facts.workloads[0].pods[0].ready = false), "not-ready");
        assert_eq!(rule(|facts| facts.workloads[0].pods[0].restarts = 1), "restarts");
        assert_eq!(rule(|facts| facts.workloads[0].pods[0].newest = Some(false)), "left-over");
        assert_eq!(rule(|facts| facts.workloads[0].behind = 1), "left-over");
        assert_eq!(rule(|facts| facts.workloads[0].pods.clear()), "none");
        assert_eq!(rule(|facts| facts.gone.push("Deployment worker".to_owned())), "gone");
    }

    #[test]
    fn a_revision_that_is_not_known_did_not_pass() {
        let outcome = |change: fn(&mut Facts)| judged(change).outcome;
        assert_eq!(outcome(|facts| facts.workloads[0].unsure = Some("stale".to_owned())), Outcome::Undetermined);
        assert_eq!(outcome(|facts| facts.workloads.clear()), Outcome::Undetermined);
    }
}
