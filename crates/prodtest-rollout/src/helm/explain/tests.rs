//! What both Helms really said on a cluster.

use super::*;

fn template(stderr: &str) -> (Option<String>, Option<u32>) {
    match explain(stderr) {
        HelmProblem::Template { template, line, .. } => (template, line),
        other => panic!("{stderr}: {other:?}"),
    }
}

#[test]
fn a_template_that_cannot_be_rendered_is_told_with_its_line() {
    let at = |line| (Some("small/templates/config.yaml".to_owned()), line);
    for (stderr, line) in [
        (
            "Error: UPGRADE FAILED: template: small/templates/config.yaml:8:15: executing \"small/templates/config.yaml\" at <.Values.image.nothing.deep>: nil pointer evaluating interface {}.deep\n",
            Some(8),
        ),
        (
            "Error: UPGRADE FAILED: small/templates/config.yaml:8:15\n  executing \"small/templates/config.yaml\" at <.Values.image.nothing.deep>:\n    nil pointer evaluating interface {}.deep\n",
            Some(8),
        ),
        ("Error: UPGRADE FAILED: execution error at (small/templates/config.yaml:17:8): host is needed\n", Some(17)),
        (
            "Error: UPGRADE FAILED: YAML parse error on small/templates/config.yaml: error converting YAML to JSON: yaml: line 6: did not find expected key\n",
            None,
        ),
    ] {
        assert_eq!(template(stderr), at(line), "{stderr}");
    }
}

#[test]
fn what_matters_is_told_apart_for_both_versions() {
    type Is = fn(&HelmProblem) -> bool;
    let cases: [(&str, Is); 15] = [
        ("Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress\n", |problem| {
            matches!(problem, HelmProblem::InProgress)
        }),
        (
            "Error: UPGRADE FAILED: values don't meet the specifications of the schema(s) in the following chart(s):\nsmall:\n- at '/level': got number, want string\n\n",
            |problem| matches!(problem, HelmProblem::Values(says) if says.ends_with("at '/level': got number, want string")),
        ),
        (
            "Error: UPGRADE FAILED: failed to create resource: ConfigMap \"Not_A_Name\" is invalid: metadata.name: Invalid value\n",
            |problem| matches!(problem, HelmProblem::Refused(_)),
        ),
        (
            "level=WARN msg=\"upgrade failed\" name=small error=\"failed to create resource: server-side apply failed\"\nError: UPGRADE FAILED: failed to create resource: server-side apply failed for object n/svc /v1, Kind=Service: Service \"svc\" is invalid: [spec.ports[0].port: Invalid value: 80000]\n",
            |problem| matches!(problem, HelmProblem::Refused(says) if says.starts_with("failed to create resource: server-side")),
        ),
        ("Error: create: failed to create: namespaces \"nowhere-at-all\" not found\n", |problem| {
            matches!(problem, HelmProblem::Refused(_))
        }),
        (
            "Error: UPGRADE FAILED: resource mapping not found for name: \"nothing\" namespace: \"\" from \"\": no matches for kind \"Nothing\" in version \"nowhere.example/v1\"\nensure CRDs are installed first\n",
            |problem| matches!(problem, HelmProblem::UnknownKind(_)),
        ),
        (
            "Error: UPGRADE FAILED: pre-upgrade hooks failed: 1 error occurred:\n\t* timed out waiting for the condition\n\n\n",
            |problem| matches!(problem, HelmProblem::Hook(_)),
        ),
        (
            "level=WARN msg=\"upgrade failed\" name=small error=\"pre-upgrade hooks failed\"\nError: UPGRADE FAILED: pre-upgrade hooks failed: resource Job/n/small-migrate not ready. status: InProgress, message: Job in progress\ncontext deadline exceeded\n",
            |problem| matches!(problem, HelmProblem::Hook(_)),
        ),
        ("Error: UPGRADE FAILED: context deadline exceeded\n", |problem| matches!(problem, HelmProblem::Timeout(_))),
        (
            "Error: Kubernetes cluster unreachable: Get \"http://localhost:8080/version\": dial tcp 127.0.0.1:8080: connect: connection refused\n",
            |problem| matches!(problem, HelmProblem::Unreachable(_)),
        ),
        (
            "Error: kubernetes cluster unreachable: Get \"http://localhost:8080/version\": dial tcp 127.0.0.1:8080: connect: connection refused\n",
            |problem| matches!(problem, HelmProblem::Unreachable(_)),
        ),
        ("Error: unknown flag: --nothing\n", |problem| matches!(problem, HelmProblem::Unsupported(_))),
        ("Error: release has no 99 version\n", |problem| matches!(problem, HelmProblem::NotFound(_))),
        ("Error: non-absolute URLs should be in form of repo_name/path_to_chart, got: nowhere\n", |problem| {
            matches!(problem, HelmProblem::NoChart(_))
        }),
        ("", |problem| matches!(problem, HelmProblem::Other(says) if says == "it said nothing")),
    ];
    for (stderr, is) in cases {
        let problem = explain(stderr);
        assert!(is(&problem), "{stderr}: {problem:?}");
    }
}
