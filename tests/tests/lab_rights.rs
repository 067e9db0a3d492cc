//! A service account with the rights that the precheck gate asks for, and no other, runs every gate there is.

use std::process::Stdio;

use prodtest_gate::Outcome;
use prodtest_testkit::{Done, GateCommand};
use prodtest_tests::{Release, access, shared};
use serde_json::json;
use xtask::{
    lab::{
        self,
        godel::{Helm, RELEASE},
        kubectl,
    },
    sh,
};

#[test]
fn lab_rights_what_is_printed_is_enough_for_every_gate_and_nothing_else_is_needed() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "rights", false);
    let namespace = release.namespace.as_str();
    let kubeconfig = access::account(&lab, namespace, &json!([]), &json!([]));
    let values = json!({});

    // Nobody gave it anything: it is told what it lacks, and by which gate.
    let permissions = || release.precheck_as(kubeconfig.path(), &values).args(["--only", "permissions"]).run();
    let done = permissions().expect_code(1);
    let record = done.record("precheck");
    let said: Vec<&str> = record.findings.iter().map(|finding| finding.message.as_str()).collect();
    assert!(said.iter().any(|said| said.contains("`system:serviceaccount:rights:prodtest` may not")), "{said:#?}");

    // What is printed is applied as it is.
    let roles = &record.listings.first().expect("the roles").text;
    let mut apply = kubectl(&lab).expect("kubectl");
    sh::fed(apply.args(["apply", "--filename", "-"]).stdout(Stdio::null()), roles).expect("the roles are taken");
    let done = permissions().expect_code(0);
    assert_eq!(done.checks("precheck", Outcome::Passed).len(), 1, "{}", done.said());

    // And is enough.
    let gate = |words: &[&str]| {
        GateCommand::new(words[0])
            .args(&words[1..])
            .args(["--config", "examples/godel/prodtest.yaml", "--env", "lab"])
            .args(release.target_as(kubeconfig.path()).expect("an ingress"))
    };
    let changing = |words: &[&str]| {
        let gate = gate(words).args(["--repository", &release.image.repository]);
        gate.args(release.deploy_target(Helm::Three, &values).expect("a registry"))
    };
    let deploy = || changing(&["deploy"]);
    let no_right_lacks = |gate: &str, done: &Done| {
        let findings = done.record(gate).findings;
        let lacking = findings.iter().find(|finding| finding.message.contains("forbidden"));
        assert!(lacking.is_none(), "{gate}: {lacking:#?}\n{}", done.said());
    };
    no_right_lacks("precheck", &release.precheck_as(kubeconfig.path(), &values).run());
    let done = deploy().run().expect_code(0);
    no_right_lacks("deploy", &done);
    // Helm tells nobody when it may not write down that it is done.
    let record = release.object("secret/sh.helm.release.v1.godel.v1");
    assert_eq!(record["metadata"]["labels"]["status"], "deployed");
    no_right_lacks("verify", &release.verify_as(kubeconfig.path()).run());
    let _ = gate(&["smoke"]).run().expect_code(0);
    let done = changing(&["rollback", "drill"]).run().expect_code(0);
    no_right_lacks("rollback", &done);

    // Helm that may not update its record of a first install says so to nobody, and leaves it pending: the gate looks.
    sh::quietly(release.helm(Helm::Three).expect("helm").args(["uninstall", RELEASE, "--wait"])).expect("it goes");
    for mut role in release.objects("roles") {
        for rule in role["rules"].as_array_mut().into_iter().flatten() {
            if rule["resources"].as_array().is_some_and(|kinds| kinds.iter().any(|kind| kind == "secrets")) {
                rule["verbs"].as_array_mut().expect("verbs").retain(|verb| verb != "update");
            }
        }
        lab::apply(&lab, &[role]).expect("a role with less");
    }
    let done = deploy().args(["--on-failure", "keep"]).run().expect_code(1);
    let done = done.expect_said(&["its record says that revision", "pending-install"]);
    assert_eq!(done.checks("deploy", Outcome::Failed), ["deploy/upgrade".to_owned()].into(), "{}", done.said());

    // Take the roles of the whole cluster away again: the others go with the namespace.
    for kind in ["clusterrole", "clusterrolebinding"] {
        let mut delete = kubectl(&lab).expect("kubectl");
        sh::quietly(delete.args(["delete", kind, "prodtest-missing", "--ignore-not-found"])).expect("it is taken away");
    }
}
