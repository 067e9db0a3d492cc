//! A pod that prints a key as it crashes: the gate quotes its log, and not the key.

use std::fs;

use prodtest_testkit::{GateCommand, Project};
use prodtest_tests::{Release, shared};
use serde_json::json;
use xtask::{
    lab::{self, godel::Helm},
    random, sh,
};

/// What is printed by who is told to listen at a key.
const TEMPLATE: &str = r#"
apiVersion: apps/v1
kind: Deployment
metadata: { name: leaky }
spec:
  selector: { matchLabels: { app: leaky } }
  template:
    metadata: { labels: { app: leaky } }
    spec:
      imagePullSecrets: [{ name: registry-login }]
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: RuntimeDefault } }
      containers:
        - name: leaky
          image: IMAGE
          args: ["--listen=$(KEY)"]
          env: [{ name: KEY, valueFrom: { secretKeyRef: { name: planted, key: key } } }]
          securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: [ALL] } }
          resources: { limits: { cpu: 100m, memory: 64Mi }, requests: { cpu: 10m, memory: 16Mi } }
"#;

#[test]
fn lab_recover_a_key_that_a_pod_prints_is_in_no_report() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "recover-leaky", false);
    let key = random::hex().expect("a random number");
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "metadata": { "name": "planted", "namespace": "recover-leaky" },
        "stringData": { "key": key },
    });
    lab::apply(&lab, &[secret]).expect("a secret");
    let image = format!("{}@{}", release.image.repository, release.image.digest);
    let config = "service: leaky\nenvironments:\n  lab:\n    kubernetes: { namespace: recover-leaky, release: leaky }\n    \
                  chart: { path: chart }\n";
    let project = Project::new(&[("prodtest.yaml", config)]);
    fs::create_dir_all(project.path("chart/templates")).expect("a folder");
    project.write("chart/Chart.yaml", "apiVersion: v2\nname: leaky\nversion: 1.0.0\n");
    project.write("chart/templates/all.yaml", &TEMPLATE.replace("IMAGE", &image));
    let words = release.deploy_target(Helm::Three, &json!({})).expect("a registry");
    let helm = words.windows(2).find(|pair| pair[0] == "--helm").expect("the flag");
    let gate = GateCommand::new("deploy").arg("--config").arg(project.path("prodtest.yaml")).args(helm);
    let gate = gate.arg("--kubeconfig").arg(lab.kubeconfig()).args(["--env", "lab", "--on-failure", "keep"]);
    let done = gate.run().expect_code(1).expect_said(&["[redacted]"]);
    // The pod is still there: its log has the key.
    let mut logs = release.kubectl().expect("kubectl");
    let printed = sh::quietly(logs.args(["logs", "deployment/leaky"])).expect("its log");
    assert!(printed.contains(&key), "it prints something else: {printed}");
    assert!(!done.said().contains(&key), "it was shown: {}", done.said().replace(&key, "THE KEY"));
    for (name, content) in done.files() {
        assert!(!String::from_utf8_lossy(&content).contains(&key), "it is in {name}");
    }
    assert!(done.report("deploy", "run.json").contains("[redacted]"), "the log is not there at all");
}
