//! What frees a release whose Helm was killed, by both Helms: what the plan of a recovery leans on.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use anyhow::ensure;
use prodtest_rollout::{
    helm::Status,
    journal::{HelmState, Recovery, Revision, plan_recovery},
};
use prodtest_tests::shared;
use serde_json::Value;
use xtask::{
    lab::{self, Lab, until},
    sh, tools,
};

use crate::site::Namespace;

/// A chart with a hook that never ends, if its value says so.
fn chart(folder: &Path) {
    fs::create_dir_all(folder.join("templates")).expect("a folder");
    fs::write(folder.join("Chart.yaml"), "apiVersion: v2\nname: slow\nversion: 1.0.0\n").expect("a file");
    let template = r#"
apiVersion: v1
kind: ConfigMap
metadata: { name: slow }
data: { hook: "{{ .Values.hook }}" }
{{ if .Values.hook }}
---
apiVersion: batch/v1
kind: Job
metadata:
  name: slow-{{ .Release.Revision }}
  annotations: { helm.sh/hook: "{{ .Values.hook }}" }
spec:
  template:
    spec:
      restartPolicy: Never
      nodeSelector: { there-is-no-such-node: "true" }
      containers: [{ name: wait, image: none }]
{{ end }}
"#;
    fs::write(folder.join("templates/all.yaml"), template).expect("a file");
    fs::write(folder.join("values.yaml"), "hook: \"\"\n").expect("a file");
}

struct Helm<'a> {
    program: &'a str,
    lab: &'a Lab,
    namespace: &'a str,
    chart: &'a Path,
}

impl Helm<'_> {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = sh::program(tools::need(self.program).expect("helm"));
        command.env("KUBECONFIG", self.lab.kubeconfig()).args(["--namespace", self.namespace]).args(arguments);
        command
    }

    fn run(&self, arguments: &[&str]) -> String {
        sh::quietly(&mut self.command(arguments)).unwrap_or_else(|error| panic!("{arguments:?}: {error:#}"))
    }

    fn upgrade<'b>(&'b self, hook: &'b str) -> Vec<&'b str> {
        vec!["upgrade", "--install", "slow", self.chart.to_str().expect("a path"), "--set", hook]
    }

    fn state(&self) -> HelmState {
        let said = sh::quietly(&mut self.command(&["history", "slow", "--output", "json"])).unwrap_or_default();
        let history: Vec<Value> = serde_json::from_str(&said).unwrap_or_default();
        let revision = |one: &Value| Revision {
            number: u32::try_from(one["revision"].as_u64().expect("a number")).expect("a small one"),
            state: serde_json::from_value(one["status"].clone()).expect("a status"),
        };
        // As if the person who asks had waited.
        HelmState { history: history.iter().map(revision).collect(), age: Duration::from_secs(301) }
    }

    /// Kills Helm while its hook runs.
    fn killed(&self, arguments: &[&str], leaves: Status) {
        let mut child = self.command(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("helm");
        let hook = until("the hook to run", crate::PATIENCE, || {
            let jobs = lab::get(self.lab, &["--namespace", self.namespace, "jobs"])?;
            let newest = self.state().history.last().map(|newest| newest.number).unwrap_or_default();
            let there = jobs["items"].as_array().is_some_and(|jobs| !jobs.is_empty());
            ensure!(there && newest > 0, "there is none");
            Ok(())
        });
        child.kill().expect("SIGKILL");
        child.wait().expect("it ends");
        hook.expect("a hook that runs");
        assert_eq!(self.state().history.last().expect("a revision").state, leaves);
        let kubectl = ["--namespace", self.namespace, "delete", "jobs", "--all"];
        sh::quietly(lab::kubectl(self.lab).expect("kubectl").args(kubectl)).expect("no hook is left for the next");
    }

    /// Does what the plan says.
    fn recover(&self, expected: &Recovery) {
        let recovery = plan_recovery(None, &self.state(), None, true);
        assert_eq!(recovery, *expected);
        match recovery {
            Recovery::Rollback { to } => self.run(&["rollback", "slow", &to.to_string()]),
            Recovery::Uninstall => self.run(&["uninstall", "slow"]),
            other => panic!("{other:?}"),
        };
        let after = self.state().history.last().map(|current| current.state);
        let wanted = matches!(expected, Recovery::Rollback { .. }).then_some(Status::Deployed);
        assert_eq!(after, wanted);
    }
}

fn is_freed(program: &str, namespace: &str) {
    let Some(lab) = shared() else { return };
    let namespace = Namespace::new(&lab, namespace);
    let folder = tempfile::tempdir().expect("a folder");
    chart(folder.path());
    let helm = Helm { program, lab: &lab, namespace: namespace.name, chart: folder.path() };
    helm.killed(&helm.upgrade("hook=pre-install"), Status::PendingInstall);
    helm.recover(&Recovery::Uninstall);

    helm.run(&helm.upgrade("hook="));
    helm.run(&helm.upgrade("hook=pre-rollback"));
    helm.killed(&helm.upgrade("hook=pre-upgrade"), Status::PendingUpgrade);
    // Not to the second, though it is newer and whole: its own hook would wait for ever.
    helm.run(&["rollback", "slow", "1"]);
    assert_eq!(helm.state().history.last().expect("a revision").state, Status::Deployed);
    helm.killed(&["rollback", "slow", "2"], Status::PendingRollback);
    helm.recover(&Recovery::Rollback { to: 4 });
}

#[test]
fn lab_cluster_a_release_that_helm_3_left_pending_is_freed() {
    is_freed("helm3", "stuck-three");
}

#[test]
fn lab_cluster_a_release_that_helm_4_left_pending_is_freed() {
    is_freed("helm4", "stuck-four");
}
