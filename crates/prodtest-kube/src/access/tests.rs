//! What a kubeconfig may be, and what it may not.

use std::path::Path;

use super::*;

const KUBECONFIG: &str = "\
apiVersion: v1
kind: Config
current-context: staging
contexts:
  - { name: staging, context: { cluster: eu, user: gate, namespace: godel } }
  - { name: production, context: { cluster: us, user: gate } }
  - { name: gone, context: { cluster: nowhere, user: gate } }
clusters:
  - { name: eu, cluster: { server: 'https://eu.example:6443/k8s?x=hunter22' } }
  - { name: us, cluster: { server: 'https://me:hunter22@us.example' } }
users:
  - { name: gate, user: { token: hunter22 } }
";

fn find(text: &str, context: Option<&str>) -> Result<Server, NoServer> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    std::fs::write(&path, text).unwrap();
    Server::find(&Access { kubeconfig: Some(path), context: context.map(str::to_owned) })
}

#[test]
fn the_context_that_is_asked_for_is_taken_and_else_the_current_one() {
    assert_eq!(find(KUBECONFIG, None).unwrap().url(), "https://eu.example:6443");
    let production = find(KUBECONFIG, Some("production")).unwrap();
    assert_eq!(production.url(), "https://us.example");
    assert_eq!(format!("{production:?}"), "Server(\"https://us.example\")");
}

#[test]
fn a_context_that_is_not_there_is_told_with_the_nearest() {
    let error = find(KUBECONFIG, Some("prodution")).unwrap_err();
    assert_eq!(error.to_string(), "the kubeconfig has no context `prodution`");
    assert_eq!(error.hint(), "did you mean `production`? it has `staging`, `production` and `gone`");
    assert_eq!(find(KUBECONFIG, Some("xyz")).unwrap_err().hint(), "it has `staging`, `production` and `gone`");
    let error = find(&KUBECONFIG.replace("current-context: staging", "current-context: ''"), None).unwrap_err();
    assert_eq!(error.hint(), "name one by `--context NAME`: it has `staging`, `production` and `gone`");
    assert_eq!(find("", Some("a")).unwrap_err().hint(), "it has none");
}

#[test]
fn what_is_wrong_with_a_kubeconfig_is_told_without_what_is_in_it() {
    for (text, context, says) in [
        (
            "users: [{ name: hunter22, user: { token: [hunter22] } }]",
            None,
            "it is not the YAML of a kubeconfig, at line 1",
        ),
        ("clusters: hunter22", None, "it is not the YAML of a kubeconfig"),
        ("a: [", None, "it is not the YAML of a kubeconfig"),
        (KUBECONFIG, Some("gone"), "its context is of a cluster `nowhere` that it has not"),
        (
            &KUBECONFIG.replace("https://eu.example:6443/k8s?x=", "https://eu example/"),
            None,
            "`server` of its cluster is no address",
        ),
    ] {
        let error = find(text, context).unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
        assert!(!error.to_string().contains("hunter22"), "{error}");
    }
    let missing = Access { kubeconfig: Some("/nowhere/config".into()), context: None };
    let error = Server::find(&missing).unwrap_err();
    assert!(matches!(&error, NoServer::Unusable(why) if why.starts_with("`/nowhere/config`: ")), "{error}");
}

#[test]
fn a_plugin_is_never_interactive() {
    let text = KUBECONFIG.replace("token: hunter22", "exec: { command: aws, interactiveMode: Always }");
    let plugin = find(&text, None).unwrap().config.auth_info.exec.unwrap();
    assert_eq!(plugin.interactive_mode, Some(ExecInteractiveMode::Never));
}

#[test]
fn without_a_kubeconfig_and_outside_of_a_pod_there_is_no_cluster() {
    assert!(!Path::new("/var/run/secrets/kubernetes.io").exists(), "this test runs in a pod");
    let error = in_pod(&Access::default(), "there is no file `~/.kube/config`").map(|_| ()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no kubeconfig, and this is no pod of a cluster: there is no file `~/.kube/config`"
    );
}
