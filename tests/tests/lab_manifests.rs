//! The deploy gate with plain manifests, on the lab that a run shares: what it puts in by server-side apply, and takes
//! back.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use anyhow::ensure;
use prodtest_rollout::backup::clean;
use prodtest_testkit::{Done, GateCommand, Running};
use prodtest_tests::{Release, shared};
use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::TempDir;
use xtask::{
    lab::{
        godel::{CHART, Helm, RELEASE},
        until,
    },
    sh,
};

const PATIENCE: Duration = Duration::from_secs(60);

/// The configuration of a service that has no chart.
const CONFIGURATION: &str = "\
service: godel
image: { repository: REPOSITORY, tag: 0.1.0, plain-http: true }
environments:
  lab:
    url: https://godel.lab.example
    version: 0.1.0
    kubernetes: { namespace: godel, release: godel }
    manifests: [manifests/*.yaml]
deploy:
  probe: { path: /api/health }
  identity: { path: /api/health, field: data.version }
";

/// Godel's chart as manifests, in a folder with a configuration of its own.
struct Manifests<'a> {
    release: Release<'a>,
    folder: TempDir,
}

impl<'a> Manifests<'a> {
    fn new(release: Release<'a>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("manifests")).expect("a folder");
        let configuration = CONFIGURATION.replace("REPOSITORY", &release.image.repository);
        fs::write(folder.path().join("prodtest.yaml"), configuration).expect("a file");
        let manifests = Self { release, folder };
        fs::write(manifests.file(), manifests.rendered()).expect("a file");
        manifests
    }

    fn file(&self) -> std::path::PathBuf {
        self.folder.path().join("manifests/godel.yaml")
    }

    /// What Helm makes of the chart, with a tag that the gate is to replace.
    fn rendered(&self) -> String {
        let mut values = self.release.values();
        values["image"] = json!({ "repository": self.release.image.repository, "tag": "replaced" });
        values["replicaCount"] = json!(1);
        let mut helm = self.release.helm(Helm::Three).expect("helm");
        let lab = Path::new(CHART).join("values-lab.yaml");
        helm.args(["template", RELEASE, CHART, "--skip-tests", "--values"]).arg(lab).args(["--values", "-"]);
        let output = sh::feed(&mut helm, &values.to_string()).expect("helm");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text")
    }

    fn edit(&self, from: &str, to: &str) {
        let text = fs::read_to_string(self.file()).expect("a file");
        assert!(text.contains(from), "the manifests have no `{from}`");
        fs::write(self.file(), text.replacen(from, to, 1)).expect("a file");
    }

    fn gate(&self) -> GateCommand {
        self.gate_called("deploy")
    }

    fn gate_called(&self, gate: &str) -> GateCommand {
        let mut words = self.release.deploy_target(Helm::Three, &json!({})).expect("a registry").into_iter();
        let mut command = GateCommand::new(gate)
            .args(["--config".as_ref(), self.folder.path().join("prodtest.yaml").as_os_str()])
            .args(["--env", "lab"])
            .args(self.release.target().expect("an ingress"));
        // Neither Helm nor values are of use here.
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            if name == "--registry-connect" || name == "--docker-config" {
                command = command.arg(name).arg(value);
            }
        }
        command
    }

    fn deployed(self) -> Self {
        let done = self.gate().run();
        assert_eq!(done.code(), Some(0), "{}", done.said());
        self
    }

    /// The objects of the manifests as the cluster has them, without what it owns; by kind and name.
    fn objects(&self) -> BTreeMap<String, Value> {
        let mut kubectl = self.release.kubectl().expect("kubectl");
        kubectl.args(["get", "--ignore-not-found", "--output=json", "--filename"]).arg(self.file());
        let said = sh::quietly(&mut kubectl).expect("an answer");
        if said.trim().is_empty() {
            return BTreeMap::new();
        }
        let list: Value = serde_json::from_str(&said).expect("JSON");
        let items = list["items"].as_array().expect("a list");
        items.iter().map(|one| (format!("{}/{}", one["kind"], one["metadata"]["name"]), clean(one))).collect()
    }

    /// The uids of its pods.
    fn pods(&self) -> Vec<String> {
        self.release.objects("pods").iter().map(|pod| pod["metadata"]["uid"].to_string()).collect()
    }
}

/// The outcomes that are not `passed`, by check.
fn not_passed(done: &Done) -> Vec<(String, String)> {
    done.outcomes("deploy").into_iter().filter(|(_, outcome)| outcome != "passed").collect()
}

fn of(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(check, outcome)| ((*check).to_owned(), (*outcome).to_owned())).collect()
}

#[test]
fn lab_manifests_are_deployed_with_the_digest_and_a_bad_tag_is_taken_back() {
    let Some(lab) = shared() else { return };
    let manifests = Manifests::new(Release::prepare(&lab, "manifests", false));
    let done = manifests.gate().run();
    assert_eq!(done.code(), Some(0), "{}", done.said());
    let digest = done.record("deploy").digest.expect("a digest");
    let deployment = manifests.release.object("deployment/godel-api");
    let runs = &deployment["spec"]["template"]["spec"]["containers"][0]["image"];
    assert_eq!(*runs, json!(format!("{}@{digest}", manifests.release.image.repository)));

    // Again, with a change that the dry run shows and does not make.
    manifests.edit("replicas: 1", "replicas: 2");
    let before = manifests.objects();
    let done = manifests.gate().arg("--dry-run").run();
    assert_eq!(done.code(), Some(0), "{}", done.said());
    let shown = done.record("deploy").listings[0].text.clone();
    assert!(shown.contains("-spec.replicas: 1\n+spec.replicas: 2\n"), "{shown}");
    assert_eq!(manifests.objects(), before, "the dry run did it");

    let done = manifests.gate().args(["--no-pin", "--tag", "no-such-tag"]).run();
    assert_eq!(done.code(), Some(1), "{}", done.said());
    let expected = [("image", "skipped"), ("rollout", "failed"), ("identity", "undetermined")];
    assert_eq!(not_passed(&done), of(&expected), "{}", done.said());
    assert!(done.outcomes("deploy").contains(&("restored".to_owned(), "passed".to_owned())), "{}", done.said());
    let finding = &done.record("deploy").findings[0];
    let place = finding.place.as_ref().expect("a place");
    let line = fs::read_to_string(manifests.file()).expect("a file");
    let line = line.lines().nth(place.line as usize - 1).expect("a line").to_owned();
    assert!(place.file.ends_with("godel.yaml") && line.contains("image:"), "{place}: {line}");
    assert_eq!(manifests.objects(), before, "not as it was");
}

#[test]
fn lab_manifests_that_the_cluster_refuses_touch_nothing() {
    let Some(lab) = shared() else { return };
    let manifests = Manifests::new(Release::prepare(&lab, "manifests-refused", false)).deployed();
    let (before, pods) = (manifests.objects(), manifests.pods());
    manifests.edit("replicas: 1", "replicas: 1\n  nonsense: 3");
    let done = manifests.gate().run();
    assert_eq!(done.code(), Some(1), "{}", done.said());
    assert_eq!(done.outcomes("deploy").iter().filter(|(_, outcome)| outcome == "failed").count(), 1);
    let record = done.record("deploy");
    let finding = &record.findings[0];
    assert_eq!(finding.check.to_string(), "deploy/upgrade");
    assert!(finding.message.contains("nonsense: field not declared in schema"), "{}", finding.message);
    let place = finding.place.as_ref().expect("a place");
    let text = fs::read_to_string(manifests.file()).expect("a file");
    assert_eq!(text.lines().nth(place.line as usize - 1), Some("kind: Deployment"), "{place}");
    assert_eq!((manifests.objects(), manifests.pods()), (before, pods));
}

#[test]
fn lab_manifests_of_a_run_that_was_killed_are_put_back() {
    let Some(lab) = shared() else { return };
    let manifests = Manifests::new(Release::prepare(&lab, "manifests-killed", false)).deployed();
    let before = manifests.objects();
    // It takes its time, and nobody calls it doomed meanwhile.
    manifests.edit("minReadySeconds: 1", "minReadySeconds: 50");
    let running: Running = manifests.gate().spawn();
    until("the change", PATIENCE, || {
        let deployment = manifests.release.object("deployment/godel-api");
        ensure!(deployment["spec"]["minReadySeconds"] == 50, "it is as it was");
        Ok(())
    })
    .expect("it is changed");
    running.signal(Signal::KILL);
    let done = running.wait();
    assert_eq!(done.code(), None, "{}", done.said());
    let done = manifests.gate().arg("--recover").run();
    assert_eq!(done.code(), Some(0), "{}", done.said());
    assert_eq!(manifests.objects(), before, "not as it was");
    let done = manifests.gate().arg("--recover").run();
    assert!(done.said().contains("nothing that was left half way"), "{}", done.said());
}

#[test]
fn lab_manifests_of_a_first_install_that_fails_are_taken_away() {
    let Some(lab) = shared() else { return };
    let manifests = Manifests::new(Release::prepare(&lab, "manifests-first", false));
    assert_eq!(manifests.objects(), BTreeMap::new());
    let secrets = manifests.release.objects("secrets").len();
    let done = manifests.gate().args(["--no-pin", "--tag", "no-such-tag"]).run();
    assert_eq!(done.code(), Some(1), "{}", done.said());
    assert!(done.outcomes("deploy").contains(&("restored".to_owned(), "passed".to_owned())), "{}", done.said());
    assert_eq!(manifests.objects(), BTreeMap::new(), "it is still there");
    // The backup alone is new: what was there before the gate came is.
    assert_eq!(manifests.release.objects("secrets").len(), secrets + 1);
    // The number is used up.
    let done = manifests.gate().run();
    assert_eq!(done.code(), Some(0), "{}", done.said());
    let kept = manifests.release.object("configmap/prodtest-godel");
    let verdicts: Value = serde_json::from_str(kept["data"]["verdicts"].as_str().expect("verdicts")).expect("JSON");
    assert_eq!((&verdicts["1"]["verdict"], &verdicts["2"]["verdict"]), (&json!("failed"), &json!("passed")));
}

/// The outcomes of a run of the rollback gate that are not `passed`, by check.
fn not_passed_back(done: &Done) -> Vec<(String, String)> {
    done.outcomes("rollback").into_iter().filter(|(_, outcome)| outcome != "passed").collect()
}

#[test]
fn lab_manifests_go_back_by_the_backup_of_their_last_change() {
    let Some(lab) = shared() else { return };
    let manifests = Manifests::new(Release::prepare(&lab, "manifests-back", false));
    let to = |words: &[&str]| manifests.gate_called("rollback").arg("to").args(words).run();
    let deploy = || assert_eq!(manifests.gate().run().code(), Some(0));
    let done = to(&["previous"]);
    assert_eq!(done.code(), Some(1), "nothing was kept yet: {}", done.said());
    deploy();
    let before = manifests.objects();
    manifests.edit("replicas: 1", "replicas: 2");
    deploy();
    assert_ne!(manifests.objects(), before);
    let done = to(&["previous", "--dry-run"]);
    let shown = done.record("rollback").listings[0].text.clone();
    assert!(shown.contains("-spec.replicas: 2\n+spec.replicas: 1\n"), "{shown}");
    let done = to(&["7"]);
    assert!(done.code() == Some(1) && done.said().contains("no revisions but the one before"), "{}", done.said());
    let done = to(&["previous"]);
    assert_eq!(done.code(), Some(0), "{}", done.said());
    assert_eq!(not_passed_back(&done), of(&[("detection-time", "skipped"), ("history-clean", "skipped")]));
    assert_eq!(manifests.objects(), before, "not as it was");
    // There is no second one behind it.
    let done = to(&["previous"]);
    assert!(done.code() == Some(1) && done.said().contains("no gate has kept"), "{}", done.said());
}

#[test]
fn lab_manifests_are_drilled_with() {
    let Some(lab) = shared() else { return };
    let manifests = Manifests::new(Release::prepare(&lab, "manifests-drill", false)).deployed();
    let (before, pods) = (manifests.objects(), manifests.pods());
    let done = manifests.gate_called("rollback").arg("drill").run();
    assert_eq!(done.code(), Some(0), "{}", done.said());
    assert_eq!(not_passed_back(&done), of(&[("history-clean", "skipped")]), "{}", done.said());
    assert_eq!((manifests.objects(), manifests.pods()), (before, pods));
}
