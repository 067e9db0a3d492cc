//! What is done to a release that runs, and to what is beside it, before the gate looks, by name; and undone afterwards.

#[path = "inside.rs"]
mod inside;
#[path = "outside.rs"]
mod outside;

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use prodtest_testkit::{Done, Specimen};
use prodtest_tests::{Release, access};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use xtask::{
    lab::{
        self,
        godel::{Godel, WORKLOAD, merge},
        until,
    },
    sh,
};

const PATIENCE: Duration = Duration::from_secs(90);

/// The checks that do not apply where all is well.
pub(crate) const SKIPPED: &[&str] = &[];

/// Deploys it with these values, and waits until the autoscaler, where there is one, has its metrics.
pub(crate) fn deploy(release: &Release<'_>, values: &Value) {
    let mut all = Godel::whole();
    if !values.is_null() {
        merge(&mut all, values);
    }
    release.deploy(&all).expect("Godel");
    if all["autoscaling"]["enabled"] == true {
        until("the autoscaler to read its metrics", PATIENCE, || {
            let status = release.object("hpa/godel-api")["status"].clone();
            let read = status["currentMetrics"].as_array().map(Vec::as_slice).unwrap_or_default();
            ensure!(read.iter().filter(|metric| metric["type"] == "Resource").count() == 2, "it says {status}");
            Ok(())
        })
        .expect("metrics");
    }
}

/// Runs the gate while that is upset.
pub(crate) fn while_upset(release: &Release<'_>, specimen: &Specimen) -> Done {
    let run = || release.verify().args(&specimen.arguments).run();
    match specimen.upset.as_deref() {
        None => run(),
        Some("workload-gone") => {
            kubectl(release, &["delete", WORKLOAD, "--cascade=foreground"]);
            run()
        }
        Some("left-over-pod") => {
            left_over_pod(release);
            run()
        }
        Some("metric-that-nobody-has") => {
            let metric = json!({ "metric": { "name": "queue_length" }, "target": { "type": "AverageValue", "averageValue": "5" } });
            patch(release, "hpa/godel-api", &json!({ "spec": { "metrics": [{ "type": "Pods", "pods": metric }] } }));
            autoscaler_says(release, "ScalingActive", "False");
            run()
        }
        Some("autoscaler-at-its-end") => {
            autoscaler_says(release, "ScalingLimited", "True");
            release.wait().expect("the last of its pods");
            run()
        }
        Some("rollout-takes-a-pod") => {
            let rolling = json!({ "maxUnavailable": 1, "maxSurge": 1 });
            patch(release, WORKLOAD, &json!({ "spec": { "strategy": { "rollingUpdate": rolling } } }));
            run()
        }
        Some("short-grace") => {
            patch_pods(release, &json!({ "terminationGracePeriodSeconds": 5 }));
            run()
        }
        Some("one-probe") => {
            let get = json!({ "httpGet": { "path": "/api/health/ready", "port": "http" } });
            patch_pods(release, &json!({ "containers": [{ "name": "godel", "livenessProbe": get }] }));
            run()
        }
        Some("no-readiness-probe") => {
            patch_pods(release, &json!({ "containers": [{ "name": "godel", "readinessProbe": null }] }));
            run()
        }
        Some("quota-gone") => {
            kubectl(release, &["delete", "resourcequota", "godel-api"]);
            run()
        }
        Some("pods-on-one-node") => {
            patch_pods(release, &json!({ "nodeSelector": { "kubernetes.io/hostname": "node-1" } }));
            run()
        }
        Some("restarted-pod") => {
            inside::kill(release, &inside::first(release));
            run()
        }
        Some("stopped-process") => {
            let pod = inside::first(release);
            inside::signal(release, &pod, "STOP");
            until("the pod not to be ready", PATIENCE, || {
                ensure!(!inside::is_ready(&release.object(&inside::named(&pod))), "it is");
                Ok(())
            })
            .expect("a pod that is not ready");
            run()
        }
        Some("warning-event") => {
            warn(release);
            run()
        }
        Some("memory-nearly-full") => {
            let pod = inside::first(release);
            // What comes last out of so much is held until somebody takes it.
            let held = "head -c 117M /dev/zero | tail -c 117M | sleep 300";
            let _guest = inside::Guest::new(release, &pod, held);
            until("the metrics API to know of it", PATIENCE, || {
                let used = memory_used(release, &pod)?;
                ensure!(used > 110 * 1024, "it uses {used} KiB");
                Ok(())
            })
            .expect("memory that is used");
            run()
        }
        Some("oom-kill") => {
            let pod = inside::first(release);
            // The kernel ends first what the kubelet told it to: the service.
            inside::Guest::new(release, &pod, "head -c 160M /dev/zero | tail -c 160M > /dev/null").end();
            inside::restarted(release, &pod);
            run()
        }
        Some("busy-loop") => {
            let pod = inside::first(release);
            // Several, for on a busy machine one is given less than the limit; and none takes from the service.
            let loops = "for one in 1 2 3 4; do nice -n 19 sh -c 'while :; do :; done' & done; wait";
            let _guest = inside::Guest::new(release, &pod, loops);
            until("its node to know of it", PATIENCE, || {
                let [throttled, periods] = ["throttled_periods", "periods"].map(|of| periods(release, &pod, of));
                let (throttled, periods) = (throttled?, periods?);
                ensure!(
                    throttled > 120 && throttled * 2 > periods,
                    "it was throttled in {throttled} of {periods} periods"
                );
                Ok(())
            })
            .expect("a container that is throttled");
            run()
        }
        Some("error-logged") => {
            log_error(release);
            run()
        }
        Some("error-before-restart") => {
            let pod = log_error(release);
            inside::kill(release, &pod);
            run()
        }
        Some("unstructured-line") => {
            let line = "203.0.113.7 - - [27/Nov/2026:10:00:00 +0000] GET /api/agents 200";
            inside::say(release, &inside::first(release), line);
            run()
        }
        Some("request-without-id") => {
            let line = json!({ "level": "INFO", "message": "request", "route": "/api/agents", "status": 200 });
            inside::say(release, &inside::first(release), &line.to_string());
            run()
        }
        Some("no-right-to-ask-nodes") => {
            let who = may_all_but_ask_nodes(release);
            release.verify_as(who.path()).args(&specimen.arguments).run()
        }
        Some(other) => {
            outside::while_upset(release, specimen, other).unwrap_or_else(|| panic!("nobody knows how to do `{other}`"))
        }
    }
}

fn kubectl(release: &Release<'_>, words: &[&str]) -> String {
    sh::quietly(release.kubectl().expect("kubectl").args(words)).expect("it is done")
}

fn patch(release: &Release<'_>, object: &str, patch: &Value) {
    kubectl(release, &["patch", object, "--type=strategic", "--patch", &patch.to_string()]);
}

/// Changes the pods of the workload, and waits until the earlier ones are gone.
fn patch_pods(release: &Release<'_>, spec: &Value) {
    patch(release, WORKLOAD, &json!({ "spec": { "template": { "spec": spec } } }));
    release.wait().expect("a rollout");
    until("the earlier pods to be gone", PATIENCE, || {
        let pods = release.objects("pods");
        ensure!(pods.len() <= 3, "there are {}", pods.len());
        Ok(())
    })
    .expect("pods of one revision");
}

/// Waits until the autoscaler has that condition.
fn autoscaler_says(release: &Release<'_>, kind: &str, status: &str) {
    until(&format!("{kind} of the autoscaler to be {status}"), PATIENCE, || {
        let conditions = release.object("hpa/godel-api")["status"]["conditions"].clone();
        let all = conditions.as_array().map(Vec::as_slice).unwrap_or_default();
        ensure!(all.iter().any(|it| it["type"] == kind && it["status"] == status), "it says {conditions}");
        Ok(())
    })
    .expect("the condition");
}

/// Lets the service log an error; returns the pod that did.
fn log_error(release: &Release<'_>) -> Value {
    const SAID: &str = "test error, as was asked for";
    // It answers 500.
    let _ = release.get("/api/trigger-test-error");
    until("the error to be logged", PATIENCE, || {
        let mut pods = release.objects("pods").into_iter();
        let is_own = |pod: &Value| {
            let log =
                release.kubectl().and_then(|mut kubectl| sh::quietly(kubectl.args(["logs", &inside::named(pod)])));
            log.is_ok_and(|log| log.contains(SAID))
        };
        pods.find(is_own).context("no pod has it")
    })
    .expect("an error")
}

/// How much memory a pod's container uses, in KiB, as the metrics API has it.
fn memory_used(release: &Release<'_>, pod: &Value) -> Result<u64> {
    let name = pod["metadata"]["name"].as_str().context("no name")?;
    let path = format!("/apis/metrics.k8s.io/v1beta1/namespaces/{}/pods/{name}", release.namespace);
    let metrics: Value = serde_json::from_str(&sh::quietly(release.kubectl()?.args(["get", "--raw", &path]))?)?;
    let used = metrics["containers"][0]["usage"]["memory"].as_str().context("no memory")?;
    used.strip_suffix("Ki").context("no KiB")?.parse().context("no number")
}

/// In how many periods a pod's container ran, or was throttled, as its node has it.
fn periods(release: &Release<'_>, pod: &Value, which: &str) -> Result<u64> {
    let node = pod["spec"]["nodeName"].as_str().context("no node")?;
    let uid = pod["metadata"]["uid"].as_str().context("no uid")?;
    let path = format!("/api/v1/nodes/{node}/proxy/metrics/cadvisor");
    let page = sh::quietly(release.kubectl()?.args(["get", "--raw", &path]))?;
    let is_own = |line: &&str| line.contains(uid) && line.contains("container=\"godel\"");
    let mut lines = page.lines().filter(|line| line.starts_with(&format!("container_cpu_cfs_{which}_total{{")));
    let (_, number) = lines.find(is_own).and_then(|line| line.rsplit_once('}')).context("nothing yet")?;
    number.split_whitespace().next().context("no number")?.parse().context("no number")
}

/// A warning about the workload, as a controller of somebody's own would make it.
fn warn(release: &Release<'_>) {
    let now = sh::quietly(sh::program("date").args(["--utc", "+%Y-%m-%dT%H:%M:%SZ"])).expect("the time");
    let workload = release.object(WORKLOAD);
    let about = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "name": "godel-api", "namespace": release.namespace,
        "uid": workload["metadata"]["uid"],
    });
    let event = json!({
        "apiVersion": "v1", "kind": "Event", "type": "Warning", "reason": "CertificateNotIssued",
        "message": "the issuer gave no answer", "count": 1, "firstTimestamp": now.trim(), "lastTimestamp": now.trim(),
        "metadata": { "name": "godel-api.not-issued", "namespace": release.namespace },
        "involvedObject": about, "source": { "component": "a-test" },
    });
    lab::apply(release.lab(), &[event]).expect("an event");
}

/// A service account that may do everything in the namespace, and nothing outside of it.
fn may_all_but_ask_nodes(release: &Release<'_>) -> NamedTempFile {
    let all = json!([{ "apiGroups": ["*"], "resources": ["*"], "verbs": ["*"] }]);
    let of = |resource: &str, verb: &str| json!({ "apiGroups": [""], "resources": [resource], "verbs": [verb] });
    let in_cluster = json!([of("nodes", "list"), of("namespaces", "get")]);
    access::account(release.lab(), &release.namespace, &all, &in_cluster)
}

/// A pod that somebody made by hand, under the labels by which the service finds its own.
fn left_over_pod(release: &Release<'_>) {
    let template = release.object("deployment/godel-api")["spec"]["template"].clone();
    let metadata = json!({
        "name": "by-hand", "namespace": release.namespace, "labels": template["metadata"]["labels"],
    });
    let pod = json!({ "apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"] });
    lab::apply(release.lab(), &[pod]).expect("a pod");
}
