//! What is done to images, to their registry and to the login to it.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prodtest_testkit::{Stub, reply};
use prodtest_tests::{
    Release,
    registry::{INDEX, MANIFEST, Repository, USER},
};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use xtask::lab;

/// Another password stands in the pull secret of the namespace.
pub(crate) fn wrong_pull_secret(release: &Release<'_>) {
    let (registry, _) = release.image.repository.split_once('/').expect("a registry");
    let config = json!({ "auths": { (registry): { "auth": STANDARD.encode(format!("{USER}:wrong")) } } });
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/dockerconfigjson",
        "metadata": { "name": "registry-login", "namespace": release.namespace },
        "stringData": { ".dockerconfigjson": config.to_string() },
    });
    lab::apply(release.lab(), &[secret]).expect("a pull secret");
}

/// Under the tag `foreign` is an image for another processor.
pub(crate) fn foreign_image(release: &Release<'_>) {
    let (_, name) = release.image.repository.split_once('/').expect("a name");
    let _ = Repository { lab: release.lab(), name }.put_foreign("foreign");
}

/// What runs was pulled from a repository that has nothing any more.
pub(crate) fn earlier_image_gone(release: &Release<'_>) {
    let name = format!("gone-{}", release.namespace);
    let (registry, usual) = release.image.repository.split_once('/').expect("a registry");
    let repository = Repository { lab: release.lab(), name: &name };
    repository.put_from(usual, &release.image.digest, "earlier");
    let values = json!({ "replicaCount": 1, "image": { "repository": format!("{registry}/{name}") } });
    release.deploy(&values).expect("Godel");
    repository.delete(&release.image.digest);
}

/// A registry that has whatever it is asked for, as a proxy before one may say. Returns it and where it is.
pub(crate) fn registry_that_has_everything() -> (Stub, String) {
    let platform = json!({ "os": "linux", "architecture": "amd64" });
    let digest = format!("sha256:{}", "0".repeat(64));
    let image = json!({ "mediaType": MANIFEST, "digest": digest, "size": 2, "platform": platform });
    let index = json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": [image] }).to_string();
    let hex: String = Sha256::digest(&index).iter().map(|byte| format!("{byte:02x}")).collect();
    let header = format!("sha256:{hex}");
    let stub =
        Stub::saying(move |_| reply("200 OK", &[("Content-Type", INDEX), ("Docker-Content-Digest", &header)], &index));
    let address = stub.url.trim_start_matches("http://").to_owned();
    (stub, address)
}
