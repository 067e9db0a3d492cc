//! A release kept, and put back into an empty namespace: the same objects.

use prodtest_rollout::{
    apply::{Applier, Manner, Outcome, diff},
    backup::{BackupError, KEPT, Secrets, collect, compare, read_file, restore, write_file},
    identity::{Expected, judge, list_pods, running},
};
use prodtest_tests::{Release, shared};
use serde_json::{Value, json};
use xtask::{
    lab::godel::{Helm, RELEASE},
    sh,
};

use crate::site::{Namespace, block_on, cluster};

/// The objects of the release, as Helm rendered them.
fn rendered(release: &Release<'_>) -> Vec<Value> {
    let mut helm = release.helm(Helm::Three).expect("helm");
    let text = sh::quietly(helm.args(["get", "manifest", RELEASE])).expect("a manifest");
    serde_saphyr::from_multiple(&text).expect("YAML")
}

#[test]
fn lab_cluster_a_release_is_put_back_into_an_empty_namespace_as_it_was() {
    let Some(lab) = shared() else { return };
    let release = Release::one(&lab, "kept", &[]);
    let elsewhere = Namespace::new(&lab, "kept-restored");
    let objects = rendered(&release);
    block_on(async {
        let cluster = cluster(&lab.kubeconfig()).await;
        let helm = [format!("sh.helm.release.v1.{RELEASE}.v1")];
        let backup = collect(&cluster, "kept", RELEASE, &objects, &helm).await.expect("a backup");
        assert_eq!((backup.objects.len(), backup.helm.len(), &backup.missing[..]), (objects.len(), 1, &[][..]));

        let secrets = Secrets::new(&cluster, "kept", RELEASE);
        let mut names = Vec::new();
        for _ in 0..=KEPT {
            names.push(secrets.write(&backup).await.expect("it is stored"));
        }
        assert!(secrets.read(Some(&names[0])).await.is_err(), "more are kept than {KEPT}");
        assert!(secrets.read(Some(&names[1])).await.expect("the oldest that is kept") == backup);
        let read = secrets.read(None).await.expect("the newest");
        assert!(read == backup, "read otherwise than written");

        let facts = restore(&cluster, &read, elsewhere.name).await.expect("it is put back");
        assert!(facts.is_whole(), "{facts:#?}");
        assert_eq!(facts.applied.len(), objects.len());
        let left_out: Vec<&str> = facts.left_out.iter().map(|one| one.object.name.as_str()).collect();
        assert_eq!(left_out, ["sh.helm.release.v1.godel.v1"], "Helm's record is of the other namespace");
        let seen = elsewhere.kubectl(&["get", "deployment/godel-api", "--output=json"]);
        let mut was = backup.objects.iter().find(|one| one["kind"] == "Deployment").expect("it has one").clone();
        was["metadata"]["namespace"] = json!(elsewhere.name);
        was["metadata"]["annotations"]["meta.helm.sh/release-namespace"] = json!(elsewhere.name);
        assert_eq!(compare(&was, &serde_json::from_str(&seen).expect("JSON")), []);

        let facts = restore(&cluster, &read, "kept").await.expect("it is put back where it was");
        assert!(facts.is_whole() && facts.left_out.is_empty(), "{facts:#?}");
    });
}

#[test]
fn lab_cluster_a_backup_that_was_tampered_with_or_cannot_be_kept_is_refused() {
    let Some(lab) = shared() else { return };
    let namespace = Namespace::new(&lab, "tampered");
    block_on(async {
        let cluster = cluster(&lab.kubeconfig()).await;
        let map = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": { "a": "1" } });
        let gone = json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "gone" } });
        let applier = Applier::new(&cluster, namespace.name);
        assert_eq!(applier.apply(&map, Manner::default()).await.0, Outcome::Created);
        let backup = collect(&cluster, namespace.name, "shop", &[map, gone], &[]).await.expect("a backup");
        assert_eq!(backup.missing[0].name, "gone");

        let secrets = Secrets::new(&cluster, namespace.name, "shop");
        let name = secrets.write(&backup).await.expect("it is stored");
        // It cannot be edited, only replaced by another of that name.
        let text = namespace.kubectl(&["get", "secret", &name, "--output=json"]);
        let mut secret: Value = serde_json::from_str(&text).expect("JSON");
        secret["data"]["backup"] = json!("AAAA");
        namespace.kubectl(&["delete", "secret", &name]);
        xtask::lab::apply(&lab, &[secret]).expect("another one");
        let error = secrets.read(None).await.expect_err("it is another one");
        assert!(matches!(error, BackupError::Damaged { .. }), "{error}");

        let folder = tempfile::tempdir().expect("a folder");
        let path = write_file(&folder.path().join("backups"), &backup).expect("a file");
        assert!(read_file(&path).expect("it is read") == backup);
        let error = write_file(&path, &backup).expect_err("a file stands where the folder should be");
        assert!(matches!(error, BackupError::Unwritable { .. }), "{error}");
    });
}

#[test]
fn lab_cluster_a_large_backup_is_kept_in_parts() {
    let Some(lab) = shared() else { return };
    let namespace = Namespace::new(&lab, "large-backup");
    block_on(async {
        let cluster = cluster(&lab.kubeconfig()).await;
        let mut backup = collect(&cluster, namespace.name, "shop", &[], &[]).await.expect("a backup");
        // Random digits do not compress below a half.
        let noise: String = (0..150_000).map(|_| xtask::random::hex().expect("random")).collect();
        backup.objects.push(json!({ "noise": noise }));
        let secrets = Secrets::new(&cluster, namespace.name, "shop");
        let name = secrets.write(&backup).await.expect("it is stored");
        let parts = namespace.kubectl(&["get", "secrets", "--output=name"]).lines().count();
        assert!(parts > 1, "{parts} parts");
        assert!(secrets.read(Some(&name)).await.expect("it is read") == backup);
        namespace.kubectl(&["delete", "secret", &format!("{name}.1")]);
        assert!(secrets.read(Some(&name)).await.is_err(), "half a backup is none");
    });
}

#[test]
fn lab_cluster_each_outcome_of_an_apply_is_told_apart() {
    let Some(lab) = shared() else { return };
    let namespace = Namespace::new(&lab, "applied");
    let map = |value: &str| json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": { "key": value } });
    block_on(async {
        let cluster = cluster(&lab.kubeconfig()).await;
        let applier = Applier::new(&cluster, namespace.name);
        let dry = Manner { dry_run: true, ..Manner::default() };
        let (outcome, would_be) = applier.apply(&map("1"), dry).await;
        assert_eq!(outcome, Outcome::Created);
        let shown = diff(None, &would_be.expect("an object"));
        assert!(shown.contains("+data.key: \"1\""), "{shown}");

        assert_eq!(applier.apply(&map("1"), Manner::default()).await.0, Outcome::Created, "the dry run did it");
        assert_eq!(applier.apply(&map("1"), Manner::default()).await.0, Outcome::Unchanged);
        assert_eq!(applier.apply(&map("2"), Manner::default()).await.0, Outcome::Configured);
        namespace.kubectl(&["patch", "configmap", "a", "--patch", r#"{"data":{"key":"theirs"}}"#]);
        let (outcome, _) = applier.apply(&map("3"), Manner::default()).await;
        let Outcome::Conflict { message } = outcome else { panic!("{outcome:?}") };
        assert!(message.contains("kubectl-patch") && message.contains(".data.key"), "{message}");
        let force = Manner { force: true, ..Manner::default() };
        assert_eq!(applier.apply(&map("3"), force).await.0, Outcome::Configured);

        let mut wrong = map("4");
        wrong["metadata"]["name"] = json!("No_Name");
        assert!(matches!(applier.apply(&wrong, force).await.0, Outcome::Refused { .. }));
        let unknown = json!({ "apiVersion": "example.com/v1", "kind": "Widget", "metadata": { "name": "a" } });
        assert!(matches!(applier.apply(&unknown, force).await.0, Outcome::Refused { .. }));
    });
}

#[test]
fn lab_cluster_a_ready_pod_tells_the_digest_that_was_pushed() {
    let Some(lab) = shared() else { return };
    let release = Release::one(&lab, "identity", &[]);
    block_on(async {
        let cluster = cluster(&lab.kubeconfig()).await;
        let found = running(&list_pods(&cluster, "identity", "app=godel").await.expect("pods"));
        let containers = found.iter().map(|one| one.container.clone()).collect();
        let expected = Expected { digests: [release.image.digest.clone()].into(), containers };
        assert_eq!(judge(&expected, &found), [], "{found:?}");
        let other = Expected { digests: ["sha256:0".to_owned()].into(), ..expected };
        assert_eq!(judge(&other, &found).len(), 1);
    });
}
