//! What a Helm is told, by a program that says what it was told.

use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use super::*;

/// A program that is no Helm, and is run as one.
fn program(script: &str) -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("helm");
    std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    (folder, path)
}

async fn find(script: &str) -> Result<Helm, NoHelm> {
    let (_folder, path) = program(script);
    Helm::find(Some(&path), Target { namespace: "n".into(), ..Target::default() }, None).await
}

#[tokio::test]
async fn only_a_helm_of_a_known_version_is_used() {
    for (script, said) in
        [("printf v3.22.0", "3.22.0"), ("printf v4.3.1+g1234", "4.3.1"), ("echo v3.15.0-rc.1", "3.15.0")]
    {
        assert_eq!(find(script).await.unwrap().version().to_string(), said);
    }
    for (script, error) in [
        ("printf v2.17.0", "is Helm 2.17.0; 3.15 or later, or 4, is needed"),
        ("printf v3.14.4", "is Helm 3.14.4; 3.15 or later, or 4, is needed"),
        ("printf v5.0.0", "is Helm 5.0.0; 3.15 or later, or 4, is needed"),
        ("echo hunter22", "does not say which version of Helm it is"),
        ("exit 3", "cannot be run: it ended with 3"),
    ] {
        let said = find(script).await.unwrap_err().to_string();
        assert!(said.ends_with(error), "{said}");
    }
    let nowhere = Helm::find(Some(Path::new("/nowhere/helm")), Target::default(), None).await.unwrap_err();
    assert!(nowhere.to_string().starts_with("`/nowhere/helm` cannot be run: "), "{nowhere}");
}

/// The arguments that Helm was given, one a line, and its stdin.
async fn told(call: impl Fn(&Helm) -> Running) -> (String, String) {
    let script = r#"test "$1" = version && { printf v3.22.0; exit; }
folder=$(dirname "$0"); printf '%s\n' "$@" > "$folder/arguments"; cat > "$folder/stdin"; echo '{}'"#;
    let (folder, path) = program(script);
    let target = Target { kubeconfig: Some("/k".into()), context: Some("c".into()), namespace: "n".into() };
    let helm = Helm::find(Some(&path), target, None).await.unwrap();
    let ended = timeout(Duration::from_secs(20), call(&helm).wait()).await.expect("an end");
    assert!(matches!(ended, Ended::Done(_)), "{ended:?}");
    let read = |name| std::fs::read_to_string(folder.path().join(name)).unwrap();
    (read("arguments").lines().collect::<Vec<_>>().join(" "), read("stdin"))
}

#[tokio::test]
async fn values_of_the_gate_are_on_stdin_and_in_no_argument() {
    let own = json!({ "image": { "digest": "sha256:hunter22" } });
    let values = ["a.yaml".into(), "b.yaml".into()];
    let set_json = ["replicas=3".to_owned()];
    let upgrade = |mode| Upgrade {
        release: "godel",
        chart: "chart",
        values: &values,
        set_json: &set_json,
        own: &own,
        mode,
        hooks: Duration::from_secs(90),
    };
    let at = "--namespace n --kubeconfig /k --kube-context c";
    let given = "--values a.yaml --values b.yaml --values - --set-json replicas=3 -- godel chart";
    for (mode, flag) in [
        (ValuesMode::Reset, "--reset-values"),
        (ValuesMode::default(), "--reset-then-reuse-values"),
        (ValuesMode::Reuse, "--reuse-values"),
    ] {
        let (arguments, stdin) = told(|helm| helm.upgrade(&upgrade(mode))).await;
        assert_eq!(arguments, format!("upgrade {at} --install {flag} --output json --timeout 90s {given}"));
        assert_eq!(stdin, own.to_string());
    }
    let (arguments, _) = told(|helm| helm.dry_run(&upgrade(ValuesMode::Reset))).await;
    assert!(arguments.contains(" --timeout 90s --dry-run=server --hide-secret --values a.yaml"), "{arguments}");
    let none = Upgrade { own: &Value::Null, values: &[], set_json: &[], ..upgrade(ValuesMode::Reset) };
    let (arguments, stdin) = told(|helm| helm.template(&none)).await;
    assert_eq!((arguments.as_str(), stdin.as_str()), (format!("template {at} -- godel chart").as_str(), ""));
}

#[tokio::test]
async fn a_name_is_never_taken_for_a_flag() {
    let at = "--namespace n --kubeconfig /k --kube-context c";
    let hooks = Duration::from_millis(200);
    let (arguments, _) = told(|helm| helm.rollback("--all", 7, hooks)).await;
    assert_eq!(arguments, format!("rollback {at} --timeout 1s -- --all 7"));
    let (arguments, _) = told(|helm| helm.uninstall("--all", hooks)).await;
    assert_eq!(arguments, format!("uninstall {at} --timeout 1s -- --all"));
    let (arguments, _) = told(|helm| helm.values("godel", Some(2))).await;
    assert_eq!(arguments, format!("get {at} values --output json --revision 2 -- godel"));
    let (arguments, _) = told(|helm| helm.manifest("godel", None)).await;
    assert_eq!(arguments, format!("get {at} manifest -- godel"));
}
