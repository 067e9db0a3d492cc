//! A release of the specimen in a namespace of its own, and the deploy gate pointed at it.

use std::{ops::Deref, path::Path, time::Duration};

use anyhow::ensure;
use prodtest_gate::Outcome;
use prodtest_testkit::{Done, Fault, GateCommand};
use prodtest_tests::Release;
use serde_json::Value;
use xtask::{
    lab::{
        Lab,
        godel::{Helm, merge},
        until,
    },
    repo, sh,
};

const CHART: &str = "tests/specimen/chart";
/// The release, and its Deployment.
pub(crate) const NAME: &str = "specimen";
const RESTORED: &str = "deploy/restored";
const PATIENCE: Duration = Duration::from_secs(60);

/// The specimen on a lab. The namespace goes with this.
pub(crate) struct Installed<'a>(Release<'a>);

/// What must be as it was after a rollback.
#[derive(Debug, PartialEq)]
pub(crate) struct State {
    /// The newest revision's status, in Helm's words.
    status: String,
    /// The template of the pods.
    template: Value,
    /// How many pods take requests.
    ready: Value,
}

impl State {
    /// The newest revision's status, in Helm's words.
    pub(crate) fn status(&self) -> &str {
        &self.status
    }
}

impl<'a> Installed<'a> {
    /// A namespace with everything that the chart needs, and nothing deployed. `faults`: of the image that has switches.
    pub(crate) fn prepare(lab: &'a Lab, namespace: &str, faults: bool) -> Self {
        Self(Release::prepare(lab, namespace, faults))
    }

    /// Installs it by Helm alone, with these values over its own, and waits until it answers through the ingress.
    pub(crate) fn install(&self, values: &Value) {
        let mut helm = self.helm(Helm::Three).expect("helm");
        helm.args(["upgrade", "--install", NAME, CHART, "--values", "-"]);
        let mut all = self.values();
        merge(&mut all, values);
        sh::fed(&mut helm, &all.to_string()).expect("a release");
        let mut status = self.kubectl().expect("kubectl");
        sh::quietly(status.args(["rollout", "status", "deployment", NAME, "--timeout=60s"])).expect("pods");
        until("the specimen to answer", PATIENCE, || self.get("/api/health/ready").map(drop)).expect("an answer");
    }

    /// The deploy gate with these values over those that are there; with the image's own tag, where no arguments say
    /// otherwise.
    pub(crate) fn gate(&self, values: &Value, arguments: &[String]) -> GateCommand {
        let gate = self.gate_called("deploy", values);
        match arguments {
            [] => gate.args(["--tag", repo::VERSION]),
            some => gate.args(some),
        }
    }

    /// A gate that changes the release, with these values over those that are there.
    pub(crate) fn gate_called(&self, gate: &str, values: &Value) -> GateCommand {
        self.gate_of(Path::new("tests/specimen/prodtest.yaml"), gate, values)
    }

    /// The same, with that configuration.
    pub(crate) fn gate_of(&self, config: &Path, gate: &str, values: &Value) -> GateCommand {
        GateCommand::new(gate)
            .args(["--config".as_ref(), config.as_os_str()])
            .args(["--env", "lab"])
            .args(self.target().expect("an ingress"))
            .args(self.deploy_target(Helm::Three, values).expect("a registry"))
    }

    /// What there is now.
    pub(crate) fn state(&self) -> State {
        let deployment = self.object(&format!("deployment/{NAME}"));
        let newest = self.objects("secrets").into_iter().map(|secret| secret["metadata"]["labels"].clone());
        let number = |labels: &Value| labels["version"].as_str().and_then(|number| number.parse::<u32>().ok());
        let newest = newest.filter(|labels| labels["owner"] == "helm").max_by_key(number).expect("a revision");
        State {
            status: newest["status"].as_str().unwrap_or_default().to_owned(),
            template: deployment["spec"]["template"].clone(),
            ready: deployment["status"]["readyReplicas"].clone(),
        }
    }

    /// What the gate left otherwise than it was, though it must have put it back. What came of `deploy/restored` must be
    /// so by the fault's own sets; where anything was begun that failed, it must be there.
    pub(crate) fn not_as_before(&self, was: &State, fault: &Fault, done: &Done) -> Vec<String> {
        let untouched = ["deploy/backup", "deploy/served-throughout"];
        let begun = !untouched.iter().any(|check| fault.undetermined.contains(*check));
        let is_to = begun && !fault.red.contains(RESTORED);
        let restored = done.checks("deploy", Outcome::Passed).contains(RESTORED);
        if restored != is_to {
            return vec![format!("`{RESTORED}` passed: {restored}, must be {is_to}")];
        }
        let reached = || -> anyhow::Result<()> {
            let is = self.state();
            ensure!(is == *was, "it is {is:?}, must be {was:?}");
            Ok(())
        };
        match fault.red.contains(RESTORED) {
            true => Vec::new(),
            false => until("the state before", Duration::from_secs(5), reached)
                .err()
                .map(|it| format!("{it:#}"))
                .into_iter()
                .collect(),
        }
    }
}

impl<'a> Deref for Installed<'a> {
    type Target = Release<'a>;

    fn deref(&self) -> &Release<'a> {
        &self.0
    }
}
