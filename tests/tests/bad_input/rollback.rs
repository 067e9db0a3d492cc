//! What the rollback gate cannot be meant to do: refused before a cluster is asked.

use std::time::Duration;

use prodtest_gate::Outcome;
use prodtest_testkit::{GateCommand, Project};

const CONFIG: &str = "\
service: demo
image: { repository: registry.example.com/demo, values-key: image.digest, tag-key: image.tag }
environments:
  test:
    kubernetes: { namespace: demo, release: demo }
    chart: { path: chart }
  production:
    extends: test
    protected: true
";

/// The gate, on a cluster that is not there.
fn gate(project: &Project, environment: &str) -> GateCommand {
    project.write(
        "kubeconfig",
        "\
clusters: [{ name: a, cluster: { server: 'http://127.0.0.1:1' } }]
contexts: [{ name: a, context: { cluster: a, user: a } }]
users: [{ name: a, user: { token: of-nobody } }]
current-context: a
",
    );
    let gate = GateCommand::new("rollback").current_dir(&project.path("")).args(["--env", environment]);
    gate.args(["--kubeconfig", "kubeconfig"])
}

#[test]
fn what_cannot_be_meant_is_refused_and_told_how_it_may_be_meant() {
    let project = Project::new(&[("prodtest.yaml", CONFIG)]);
    let test = |words: &[&str], says: &[&str]| {
        let done = gate(&project, "test").args(words).run().expect_code(2).expect_said(says);
        assert!(!done.out.exists(), "{:?} was written\n{}", done.files().keys(), done.said());
    };
    test(&[], &["nothing says what to do", "to previous", "drill"]);
    test(&["to"], &["nothing says where `to`", "to 12"]);
    test(&["to", ""], &["the target is empty"]);
    test(&["to", "99999999999"], &["`99999999999` is no number of a revision"]);
    test(&["to", "previous", "--fault", "crash"], &["only a drill deploys something bad"]);
    test(&["drill", "previous"], &["`drill` goes back to where it began"]);
    test(
        &["drill", "--fault", "crash"],
        &["nothing says which version has the fault `crash`", "rollback: { drill: { crash"],
    );
    test(&["drill", "--fault", "crahs"], &["crahs", "crash"]);
    test(&["--recover", "--dry-run"], &["`--recover` does not go with `--dry-run`"]);
    let protected = |words: &[&str], says: &[&str]| {
        let _ = gate(&project, "production").args(words).run().expect_code(2).expect_said(says);
    };
    protected(&["drill"], &["is protected, and nobody confirmed", "--confirm drill"]);
    protected(&["to", "previous"], &["--confirm previous"]);
    protected(&["to", "7", "--confirm", "previous"], &["confirms another", "--confirm 7"]);
}

#[test]
fn a_configuration_that_cannot_be_meant_is_shown_on_its_line() {
    for (section, says) in [
        ("rollback: { rto: 5 }", "has no unit"),
        ("rollback: { drils: {} }", "did you mean `drill`?"),
        ("rollback: { drill: { crahs: {} } }", "crahs"),
        ("rollback: { availability: 100 }", "a percentage below 100"),
    ] {
        let project = Project::new(&[("prodtest.yaml", &format!("{CONFIG}{section}\n"))]);
        let _ = gate(&project, "test").arg("drill").run().expect_code(2).expect_said(&[says]);
    }
}

#[test]
fn without_a_cluster_nothing_passes_and_one_message_says_why() {
    let project = Project::new(&[("prodtest.yaml", CONFIG)]);
    for words in [&["drill"][..], &["to", "previous"], &["--recover"]] {
        let done = gate(&project, "test").args(words).run().expect_code(3);
        assert!(done.took < Duration::from_secs(5), "{:?}", done.took);
        assert!(done.checks("rollback", Outcome::Passed).is_empty(), "{}", done.said());
        let _ = done.expect_said(&["http://127.0.0.1:1"]);
    }
}
