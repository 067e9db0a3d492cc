//! Helm as a gate runs it, both versions: what it is told, what becomes of it, and what is then on record.

use std::{path::PathBuf, time::Duration};

use anyhow::ensure;
use prodtest_kube::{Access, Cluster, Server};
use prodtest_rollout::helm::{
    Ended, Helm, HelmProblem, History, Manifest, Running, Status, Target, Upgrade, ValuesMode,
};
use prodtest_tests::shared;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};
use xtask::{
    lab::{self, Lab},
    sh, tools,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// A ConfigMap, a Secret, and a hook that never gets done if one asks for it.
const TEMPLATE: &str = r#"
apiVersion: v1
kind: ConfigMap
metadata: { name: settings }
data: { level: {{ .Values.level | quote }} }
---
apiVersion: v1
kind: Secret
metadata: { name: secret }
stringData: { word: {{ .Values.word }} }
---
{{- if .Values.hook }}
apiVersion: batch/v1
kind: Job
metadata: { name: never, annotations: { helm.sh/hook: pre-upgrade } }
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{ name: never, image: "registry.lab:5000/never" }]
{{- end }}
{{- if .Values.broken }}
{{ required "say which" .Values.nothing }}
{{- end }}
"#;

/// A namespace that goes with the test.
struct Namespace<'a>(&'a Lab, &'a str);

impl<'a> Namespace<'a> {
    fn new(lab: &'a Lab, name: &'a str) -> Self {
        lab::until("the end of an earlier namespace", PATIENCE, || {
            let said =
                sh::quietly(lab::kubectl(lab)?.args(["get", "namespace", name, "--ignore-not-found", "-o", "name"]))?;
            ensure!(said.trim().is_empty(), "it is still there");
            Ok(())
        })
        .expect("no such namespace");
        sh::quietly(lab::kubectl(lab).expect("kubectl").args(["create", "namespace", name])).expect("a namespace");
        Self(lab, name)
    }
}

impl Drop for Namespace<'_> {
    fn drop(&mut self) {
        // A test that fails says why by itself.
        let _ = lab::kubectl(self.0)
            .and_then(|mut kubectl| sh::quietly(kubectl.args(["delete", "namespace", self.1, "--wait=false"])));
    }
}

async fn ended(mut running: Running) -> Ended {
    timeout(PATIENCE, running.wait()).await.expect("an end in time")
}

async fn is_run(tool: &str, namespace: &str) {
    let Some(lab) = shared() else { return };
    let _namespace = Namespace::new(&lab, namespace);
    let access = Access { kubeconfig: Some(lab.kubeconfig()), context: None };
    let cluster = Cluster::connect(&Server::find(&access).expect("a server")).await.expect("a cluster");
    let target = Target { kubeconfig: Some(lab.kubeconfig()), context: None, namespace: namespace.to_owned() };
    let helm = Helm::find(Some(&tools::need(tool).expect("helm")), target, None).await.expect("a Helm");
    let chart = tempfile::tempdir().expect("a folder");
    let write = |name: &str, text: &str| std::fs::write(chart.path().join(name), text).expect("a file");
    std::fs::create_dir(chart.path().join("templates")).expect("a folder");
    write("Chart.yaml", "apiVersion: v2\nname: small\nversion: 0.1.0\n");
    write("values.yaml", "level: info\nword: hunter22\nhook: false\nbroken: false\nmore: kept\n");
    write("templates/all.yaml", TEMPLATE);
    let chart = chart.path().to_string_lossy();
    let files: [PathBuf; 0] = [];
    let with = |own, mode| Upgrade {
        release: "small",
        chart: &chart,
        values: &files,
        set_json: &[],
        own,
        mode,
        hooks: Duration::from_secs(50),
    };
    let statuses = async || History::read(&cluster, namespace, "small").await.expect("a history").statuses();
    assert_eq!(statuses().await, []);

    let (debug, warn) = (json!({ "level": "debug" }), json!({ "more": "values" }));
    let done = ended(helm.upgrade(&with(&debug, ValuesMode::Reset))).await;
    assert!(matches!(&done, Ended::Done(json) if json["version"] == 1), "{done:?}");
    for (mode, level) in
        [(ValuesMode::ResetThenReuse, "debug"), (ValuesMode::Reuse, "debug"), (ValuesMode::Reset, "info")]
    {
        let dry = match ended(helm.dry_run(&with(&warn, mode))).await {
            Ended::Done(json) => json["manifest"].as_str().expect("a manifest").to_owned(),
            other => panic!("{other:?}"),
        };
        assert!(!dry.contains("hunter22"), "{dry}");
        let manifest = Manifest::parse(&dry).expect("objects");
        let settings = manifest.find("ConfigMap", "settings").expect("it");
        assert_eq!(settings.object["data"]["level"], level, "{mode:?}");
        assert_eq!(settings.source.as_deref(), Some("small/templates/all.yaml"));
    }
    let broken = json!({ "broken": true });
    let failed = ended(helm.upgrade(&with(&broken, ValuesMode::Reset))).await;
    let Ended::Failed { problem: HelmProblem::Template { template, line, .. }, .. } = &failed else {
        panic!("{failed:?}");
    };
    assert_eq!((template.as_deref(), *line), (Some("small/templates/all.yaml"), Some(23)));

    // Asked to end half way, Helm says so in its record; killed, it cannot.
    let hook = json!({ "hook": true });
    let mut running = helm.upgrade(&with(&hook, ValuesMode::Reset));
    let pending = async |number: u32| {
        let looked = timeout(PATIENCE, async {
            while statuses().await.last() != Some(&(number, Some(Status::PendingUpgrade))) {
                sleep(Duration::from_millis(50)).await;
            }
        });
        looked.await.unwrap_or_else(|_| panic!("revision {number} was not pending within {PATIENCE:?}"));
    };
    pending(2).await;
    assert_eq!(running.end(PATIENCE).await, Ended::Killed);
    assert_eq!(statuses().await, [(1, Some(Status::Deployed)), (2, Some(Status::Failed))]);
    sh::quietly(lab::kubectl(&lab).expect("kubectl").args(["--namespace", namespace, "delete", "job", "--all"]))
        .expect("no job");
    let running = helm.upgrade(&with(&hook, ValuesMode::Reset));
    pending(3).await;
    let pid = running.pid().and_then(|pid| Pid::from_raw(pid.try_into().ok()?)).expect("it runs");
    kill_process(pid, Signal::KILL).expect("it is still there");
    assert_eq!(ended(running).await, Ended::Killed);
    let locked = ended(helm.upgrade(&with(&debug, ValuesMode::Reset))).await;
    assert!(matches!(&locked, Ended::Failed { problem: HelmProblem::InProgress, .. }), "{locked:?}");
    let back = ended(helm.rollback("small", 1, PATIENCE)).await;
    assert!(matches!(&back, Ended::Done(Value::String(_))), "{back:?}");
    assert_eq!(statuses().await.last(), Some(&(4, Some(Status::Deployed))));

    let history = History::read(&cluster, namespace, "small").await.expect("a history");
    let release = history.release(4).expect("it is read");
    assert_eq!(release.config, debug);
    assert_eq!(ended(helm.values("small", Some(4))).await, Ended::Done(debug.clone()));
    let Ended::Done(Value::String(manifest)) = ended(helm.manifest("small", None)).await else { panic!("no manifest") };
    assert_eq!(manifest.trim_end(), release.manifest.trim_end());
    let Ended::Done(Value::String(rendered)) = ended(helm.template(&with(&debug, ValuesMode::Reset))).await else {
        panic!("no template")
    };
    assert_eq!(Manifest::parse(&rendered).expect("objects").documents.len(), 2);
    let gone = ended(helm.uninstall("small", PATIENCE)).await;
    assert!(matches!(&gone, Ended::Done(_)), "{gone:?}");
    assert_eq!(statuses().await, []);
}

#[tokio::test]
async fn lab_cluster_helm_of_the_gate_is_run_as_version_3() {
    is_run("helm3", "gate-helm-three").await;
}

#[tokio::test]
async fn lab_cluster_helm_of_the_gate_is_run_as_version_4() {
    is_run("helm4", "gate-helm-four").await;
}
