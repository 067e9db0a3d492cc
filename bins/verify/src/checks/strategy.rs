//! `verify/strategy`: pods are replaced without one too few, and end without a request lost.

use std::time::Duration;

use k8s_openapi::{
    api::core::v1::{Container, Lifecycle, PodSpec, Probe},
    apimachinery::pkg::util::intstr::IntOrString,
};
use prodtest_cli::Refusal;
use prodtest_config::Period;
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{gate::Verify, live, site::Site};

/// A choice: fifty times the P99 that the PRD asks for (NFR1.1, 200 ms).
const MIN_DRAIN: Duration = Duration::from_secs(10);
/// What Kubernetes gives a pod that says nothing.
const GRACE: i64 = 30;

/// How pods are replaced and ended.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// How long what is in flight must have after the `preStop` hook; `10s` when left out.
    pub(crate) min_drain: Option<Period>,
}

/// The check.
pub(crate) struct Strategy;

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    min_drain: Period,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    workloads: Vec<WorkloadSeen>,
}

/// A workload.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WorkloadSeen {
    kind: String,
    name: String,
    strategy: String,
    /// As they are written; none, where the kind knows none.
    max_unavailable: Option<String>,
    max_surge: Option<String>,
    grace: i64,
    containers: Vec<ContainerSeen>,
}

/// A container that listens.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ContainerSeen {
    name: String,
    /// Whether something is done before it is told to end, and how many seconds that takes, where it can be told.
    pre_stop: Option<Option<i64>>,
    /// What is asked of it, and where.
    readiness: Option<Value>,
    liveness: Option<Value>,
}

impl Inspection<Verify> for Strategy {
    const NAME: &'static str = "strategy";

    type Target = ();
    type Limits = Limits;
    type Facts = Facts;

    fn target(_asked: &Asked<'_, Verify>) -> Result<Target<()>, Refusal> {
        Ok(Target::At(()))
    }

    fn limits(asked: &Asked<'_, Verify>) -> Result<Limits, Refusal> {
        Ok(Limits { min_drain: asked.section.strategy.min_drain.unwrap_or(Period(MIN_DRAIN)) })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        Check {
            why: Some(
                "A rollout that takes a pod before the next one is there, and a pod that ends while it is still sent \
                 requests, are errors that users see with each deployment."
                    .to_owned(),
            ),
            help: Some(
                "Set `maxUnavailable: 0`; a `preStop` hook for as long as endpoints and proxies take to learn that the pod \
                 goes; a `terminationGracePeriodSeconds` above that and the drain; and let readiness ask for more than \
                 liveness does: a dependency that is away must not restart pods."
                    .to_owned(),
            ),
            limits: vec![
                Limit { name: "maxUnavailable".to_owned(), value: "0".to_owned() },
                Limit { name: "drain".to_owned(), value: format!("at least {}", limits.min_drain) },
            ],
            requirements: vec!["FR1.4".to_owned()],
            ..Check::new(id, "pods are replaced without one too few, and end without a request lost")
        }
    }

    fn rules(site: &Site, (): &()) -> Vec<Rule> {
        live::workload_rules(site)
    }

    async fn observe(seeing: &Seeing<'_, Verify>, (): &()) -> Result<Facts, Unseen> {
        let workloads = live::workloads(seeing).await?;
        Ok(Facts { workloads: workloads.iter().map(workload_seen).collect::<Result<_, _>>()? })
    }

    fn judge(id: &CheckId, (): &(), limits: &Limits, facts: &Facts) -> Judged {
        if facts.workloads.is_empty() {
            return Judged::undetermined(id.clone(), "the release has no workload in the cluster");
        }
        let (mut findings, mut evidence) = (Vec::new(), Vec::new());
        for workload in &facts.workloads {
            rollout(id, workload, &mut findings);
            let grace = Duration::from_secs(u64::try_from(workload.grace).unwrap_or_default());
            for container in &workload.containers {
                of_container(id, workload, container, grace, limits.min_drain.0, &mut findings);
            }
            let of = |what: &str| {
                if facts.workloads.len() == 1 { what.to_owned() } else { format!("{what} of {}", workload.name) }
            };
            if let Some(unavailable) = &workload.max_unavailable {
                let evident = Evidence::new(of("maxUnavailable"), Quantity::Text(unavailable.clone()));
                evidence.push(evident.limited(Quantity::Text("0".to_owned())));
            }
            evidence.push(Evidence::new(of("grace"), milliseconds(grace)));
        }
        Judged { evidence, ..Judged::by_findings(id.clone(), findings) }
    }
}

/// What a rollout may do.
fn rollout(id: &CheckId, workload: &WorkloadSeen, findings: &mut Vec<Finding>) {
    let WorkloadSeen { kind, name, strategy, max_unavailable, max_surge, .. } = workload;
    let mut add = |rule: &str, message: String, expected: &str| {
        findings.push(Finding::new(id, rule, name, message.clone()).expected(expected, message));
    };
    if strategy != "RollingUpdate" {
        add("type", format!("{name} is replaced by `{strategy}`"), "`RollingUpdate`");
        return;
    }
    // A set that counts its pods replaces each in its place, and a daemon's node has room for one.
    if kind != "Deployment" {
        return;
    }
    if let Some(unavailable) = max_unavailable.as_deref().filter(|it| !is_none(it)) {
        let message =
            format!("a rollout of {name} may take pods before others are ready: maxUnavailable is {unavailable}");
        add("max-unavailable", message, "maxUnavailable of 0");
    }
    if let Some(surge) = max_surge.as_deref().filter(|it| is_none(it)) {
        add(
            "max-surge",
            format!("a rollout of {name} may make no pod beside the others: maxSurge is {surge}"),
            "at least 1",
        );
    }
}

fn is_none(number: &str) -> bool {
    matches!(number, "0" | "0%")
}

/// How a container that listens is asked, and how it ends.
fn of_container(
    id: &CheckId,
    workload: &WorkloadSeen,
    container: &ContainerSeen,
    grace: Duration,
    drain: Duration,
    findings: &mut Vec<Finding>,
) {
    let name = &container.name;
    let shown = format!("the container `{name}` of {}", workload.name);
    let mut add = |rule: &str, message: String, expected: String| {
        let subject = format!("{} container {name}", workload.name);
        findings.push(Finding::new(id, rule, subject, message.clone()).expected(expected, message));
    };
    match container.pre_stop {
        None => {
            let message = format!("{shown} has no `preStop` hook: it ends while it is still sent requests");
            add("pre-stop", message, "a `preStop` hook".to_owned());
        }
        Some(seconds) => {
            let hook = Duration::from_secs(seconds.and_then(|it| u64::try_from(it).ok()).unwrap_or_default());
            if grace <= hook + drain {
                let (grace, hook, drain) = (Period(grace), Period(hook), Period(drain));
                let message = format!("{shown} has {grace} to end, of which its `preStop` hook takes {hook}");
                add("grace", message, format!("a terminationGracePeriodSeconds above {hook} and a drain of {drain}"));
            }
        }
    }
    match (&container.readiness, &container.liveness) {
        (Some(readiness), Some(liveness)) if readiness == liveness => {
            let message = format!("{shown} is asked the same for readiness and for liveness: `{readiness}`");
            add("same-probe", message, "two that differ".to_owned());
        }
        (readiness, liveness) => {
            for (what, probe) in [("readiness", readiness), ("liveness", liveness)] {
                if probe.is_none() {
                    add(what, format!("{shown} has no {what} probe"), format!("a {what} probe"));
                }
            }
        }
    }
}

fn milliseconds(duration: Duration) -> Quantity {
    Quantity::milliseconds(duration.as_secs_f64() * 1000.0)
}

fn workload_seen(workload: &live::Workload) -> Result<WorkloadSeen, Unseen> {
    let spec = &workload.object.data["spec"];
    let pod: PodSpec = serde_json::from_value(spec["template"]["spec"].clone())
        .map_err(|error| Unseen::new(format!("{}: {error}", workload.shown())))?;
    let strategy = if workload.kind == "Deployment" { &spec["strategy"] } else { &spec["updateStrategy"] };
    let limit = |name: &str| match &strategy["rollingUpdate"][name] {
        Value::Number(number) => Some(number.to_string()),
        Value::String(text) => Some(text.clone()),
        _ => None,
    };
    let containers =
        pod.containers.iter().filter(|container| container.ports.as_ref().is_some_and(|it| !it.is_empty()));
    Ok(WorkloadSeen {
        kind: workload.kind.clone(),
        name: workload.shown(),
        strategy: strategy["type"].as_str().unwrap_or_default().to_owned(),
        max_unavailable: limit("maxUnavailable"),
        max_surge: limit("maxSurge"),
        grace: pod.termination_grace_period_seconds.unwrap_or(GRACE),
        containers: containers.map(container_seen).collect(),
    })
}

fn container_seen(container: &Container) -> ContainerSeen {
    ContainerSeen {
        name: container.name.clone(),
        pre_stop: pre_stop(container.lifecycle.as_ref()),
        readiness: container.readiness_probe.as_ref().map(|probe| asked(probe, container)),
        liveness: container.liveness_probe.as_ref().map(|probe| asked(probe, container)),
    }
}

/// How long its hook takes: that is told of a sleep alone.
fn pre_stop(lifecycle: Option<&Lifecycle>) -> Option<Option<i64>> {
    let hook = lifecycle?.pre_stop.as_ref()?;
    let command = hook.exec.as_ref().and_then(|exec| exec.command.as_ref());
    let slept = || {
        let words = command?.join(" ");
        let (_, rest) = words.rsplit_once("sleep ")?;
        rest.split(|it: char| !it.is_ascii_digit()).next()?.parse().ok()
    };
    Some(hook.sleep.as_ref().map(|sleep| sleep.seconds).or_else(slept))
}

/// What a probe asks, and where: not how often.
fn asked(probe: &Probe, container: &Container) -> Value {
    let port = |port: &IntOrString| match port {
        IntOrString::Int(number) => Value::from(*number),
        // By its number, so that a name and its number are one.
        IntOrString::String(name) => {
            let ports = container.ports.iter().flatten();
            let named = ports.into_iter().find(|it| it.name.as_ref() == Some(name));
            named.map_or_else(|| Value::from(name.clone()), |it| Value::from(it.container_port))
        }
    };
    let mut asked = serde_json::Map::new();
    if let Some(http) = &probe.http_get {
        asked.insert("http".to_owned(), Value::from(http.path.clone().unwrap_or_else(|| "/".to_owned())));
        asked.insert("port".to_owned(), port(&http.port));
    }
    if let Some(tcp) = &probe.tcp_socket {
        asked.insert("tcp".to_owned(), port(&tcp.port));
    }
    if let Some(grpc) = &probe.grpc {
        asked.insert("grpc".to_owned(), Value::from(grpc.port));
        asked.insert("service".to_owned(), Value::from(grpc.service.clone()));
    }
    if let Some(exec) = &probe.exec {
        asked.insert("exec".to_owned(), Value::from(exec.command.clone().unwrap_or_default()));
    }
    Value::Object(asked)
}

#[cfg(test)]
mod tests {
    use k8s_openapi::api::core::v1::{ExecAction, LifecycleHandler, SleepAction};
    use serde_json::json;

    use super::*;

    fn healthy() -> WorkloadSeen {
        let container = ContainerSeen {
            name: "api".to_owned(),
            pre_stop: Some(Some(5)),
            readiness: Some(json!({ "http": "/ready" })),
            liveness: Some(json!({ "http": "/live" })),
        };
        WorkloadSeen {
            kind: "Deployment".to_owned(),
            name: "Deployment api".to_owned(),
            strategy: "RollingUpdate".to_owned(),
            max_unavailable: Some("0".to_owned()),
            max_surge: Some("25%".to_owned()),
            grace: 30,
            containers: vec![container],
        }
    }

    fn rules(change: impl FnOnce(&mut WorkloadSeen)) -> Vec<String> {
        let mut workload = healthy();
        change(&mut workload);
        let id = CheckId::new("verify", "strategy").unwrap();
        let limits = Limits { min_drain: Period(MIN_DRAIN) };
        let judged = Strategy::judge(&id, &(), &limits, &Facts { workloads: vec![workload] });
        judged.findings.into_iter().map(|finding| finding.rule).collect()
    }

    #[test]
    fn each_rule_is_its_own() {
        assert_eq!(rules(|_| {}), [""; 0]);
        assert_eq!(rules(|it| it.strategy = "Recreate".to_owned()), ["type"]);
        assert_eq!(rules(|it| it.max_unavailable = Some("25%".to_owned())), ["max-unavailable"]);
        assert_eq!(rules(|it| it.max_surge = Some("0".to_owned())), ["max-surge"]);
        assert_eq!(rules(|it| it.grace = 15), ["grace"]);
        assert_eq!(rules(|it| it.grace = 16), [""; 0]);
        assert_eq!(rules(|it| it.containers[0].pre_stop = None), ["pre-stop"]);
        assert_eq!(rules(|it| it.containers[0].readiness = None), ["readiness"]);
        assert_eq!(rules(|it| it.containers[0].liveness = None), ["liveness"]);
        assert_eq!(rules(|it| it.containers[0].liveness = it.containers[0].readiness.clone()), ["same-probe"]);
    }

    #[test]
    fn a_port_is_the_same_by_name_and_by_number() {
        let container: Container = serde_json::from_value(json!({
            "name": "api", "ports": [{ "name": "http", "containerPort": 80 }],
            "readinessProbe": { "httpGet": { "port": "http" }, "periodSeconds": 1 },
            "livenessProbe": { "httpGet": { "path": "/", "port": 80 } },
        }))
        .unwrap();
        let seen = container_seen(&container);
        assert_eq!(seen.readiness, seen.liveness);
    }

    #[test]
    fn a_sleep_is_known_however_it_is_written() {
        let by =
            |handler: LifecycleHandler| pre_stop(Some(&Lifecycle { pre_stop: Some(handler), ..Lifecycle::default() }));
        let exec = |command: &[&str]| {
            let command = Some(command.iter().map(|it| (*it).to_owned()).collect());
            by(LifecycleHandler { exec: Some(ExecAction { command }), ..LifecycleHandler::default() })
        };
        assert_eq!(pre_stop(None), None);
        assert_eq!(
            by(LifecycleHandler { sleep: Some(SleepAction { seconds: 7 }), ..LifecycleHandler::default() }),
            Some(Some(7))
        );
        assert_eq!(exec(&["sleep", "15"]), Some(Some(15)));
        assert_eq!(exec(&["sh", "-c", "sleep 15; nginx -s quit"]), Some(Some(15)));
        assert_eq!(exec(&["nginx", "-s", "quit"]), Some(None));
    }
}
