//! Images in the lab's registry: what a tag stands for, who may know it, and what it runs on.

use prodtest_image::{
    Class, ImageFacts, Login, Platform, Reference, Registry, RegistryOptions, Resolved, platform_fits,
};
use prodtest_tests::{Release, shared};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use xtask::lab::{self, Lab};

const USER: &str = "lab";

/// The registry from outside of the lab: its name is known inside alone.
fn registry(lab: &Lab, login: Option<Login>) -> Registry {
    let connect = Some(("127.0.0.1".to_owned(), lab::port(lab, "registry").expect("a port")));
    Registry::new(RegistryOptions { plain_http: true, connect, login, ..RegistryOptions::default() }).expect("options")
}

fn password(lab: &Lab) -> String {
    lab.passwords().expect("its passwords").registry
}

fn login(password: &str) -> Option<Login> {
    Some(Login::Password { user: USER.to_owned(), password: password.into() })
}

fn resolve(registry: &Registry, reference: &Reference) -> ImageFacts {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    ImageFacts::of(reference, runtime.block_on(registry.resolve(reference)))
}

fn resolved(registry: &Registry, reference: &Reference) -> Resolved {
    let facts = resolve(registry, reference);
    facts.resolved.unwrap_or_else(|| panic!("{:?}", facts.failure))
}

fn class(registry: &Registry, reference: &Reference) -> Class {
    resolve(registry, reference).failure.expect("no image").class
}

/// What this machine and the lab's nodes on it are.
fn here() -> Platform {
    let architecture = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };
    Platform::new("linux", architecture)
}

#[test]
fn lab_cluster_a_tag_stands_for_the_digest_that_was_pushed() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "image-digest", false);
    let pushed = &release.image;
    let registry = registry(&lab, login(&password(&lab)));
    let by_digest: Reference = format!("{}@{}", pushed.repository, pushed.digest).parse().expect("a reference");
    let image = resolved(&registry, &by_digest);
    assert_eq!(image.digest.as_str(), pushed.digest);
    assert_eq!(image.platforms(), [here()]);
    assert!(image.size.is_some_and(|size| size > 100_000), "{:?}", image.size);
    let tag = image.version.clone().expect("the label of its version");
    let by_tag = by_digest.with_tag(&tag).expect("a tag");
    assert_eq!(resolved(&registry, &by_tag), image, "the tag `{tag}`");
    assert!(platform_fits(&image.platforms(), &here()));
}

#[test]
fn lab_cluster_a_tag_that_is_not_there_is_not_found_and_a_login_is_needed_to_know() {
    let Some(lab) = shared() else { return };
    let release = Release::prepare(&lab, "image-login", false);
    let reference: Reference = format!("{}:no-such", release.image.repository).parse().expect("a reference");
    let password = password(&lab);
    let logged_in = registry(&lab, login(&password));
    assert_eq!(class(&logged_in, &reference), Class::NotFound);
    let elsewhere: Reference = "registry.lab:5000/no/such:a".parse().expect("a reference");
    assert_eq!(class(&logged_in, &elsewhere), Class::NotFound);
    assert_eq!(class(&registry(&lab, None), &reference), Class::Unauthorized);
    let wrong = resolve(&registry(&lab, login("not-the-password")), &reference);
    let failure = wrong.failure.expect("refused");
    assert!(failure.class == Class::Denied && failure.class.is_measured(), "{failure:?}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(logged_in.control(&reference)).expect("a registry that can say no");
}

/// Puts a manifest there as any client would.
fn put(lab: &Lab, tag: &str, media_type: &str, manifest: &str) {
    let port = lab::port(lab, "registry").expect("a port");
    let url = format!("http://127.0.0.1:{port}/v2/other-platform/manifests/{tag}");
    let mut curl = xtask::sh::program("curl");
    // The password goes by standard input, as everything in a list of arguments can be read by anybody.
    curl.args(["-sS", "--fail-with-body", "--config", "-", "-X", "PUT", "--header"])
        .arg(format!("Content-Type: {media_type}"))
        .args(["--data-binary", manifest, &url]);
    xtask::sh::fed(&mut curl, &format!("user = \"{USER}:{}\"\n", password(lab))).expect("it is taken");
}

/// Puts a blob there, in one request.
fn put_blob(lab: &Lab, blob: &str) -> String {
    let port = lab::port(lab, "registry").expect("a port");
    let base = format!("http://127.0.0.1:{port}");
    let config = format!("user = \"{USER}:{}\"\n", password(lab));
    let start = format!("{base}/v2/other-platform/blobs/uploads/");
    let mut curl = xtask::sh::program("curl");
    curl.args(["-sS", "--fail-with-body", "--config", "-", "-X", "POST", "-o", "/dev/null", "-w", "%header{location}"]);
    let location = xtask::sh::fed(curl.arg(&start), &config).expect("a place");
    let hex: String = Sha256::digest(blob).iter().map(|byte| format!("{byte:02x}")).collect();
    let digest = format!("sha256:{hex}");
    // The registry tells its own name, which is not known here.
    let path = location.trim().split_once("/v2/").expect("a path").1.to_owned();
    let and = if path.contains('?') { '&' } else { '?' };
    let mut curl = xtask::sh::program("curl");
    curl.args(["-sS", "--fail-with-body", "--config", "-", "-X", "PUT", "--data-binary", blob])
        .args(["--header", "Content-Type: application/octet-stream"])
        .arg(format!("{base}/v2/{path}{and}digest={digest}"));
    xtask::sh::fed(&mut curl, &config).expect("it is taken");
    digest
}

#[test]
fn lab_cluster_an_index_for_another_platform_does_not_fit_here() {
    const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    let Some(lab) = shared() else { return };
    let config = json!({ "os": "linux", "architecture": "s390x", "rootfs": { "type": "layers", "diff_ids": [] } });
    let config = config.to_string();
    let digest = put_blob(&lab, &config);
    let manifest = json!({
        "schemaVersion": 2, "mediaType": MANIFEST, "layers": [],
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": config.len(),
        },
    });
    let manifest = manifest.to_string();
    put(&lab, "one", MANIFEST, &manifest);
    let registry = registry(&lab, login(&password(&lab)));
    let one = resolved(&registry, &"registry.lab:5000/other-platform:one".parse().expect("a reference"));
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX,
        "manifests": [{
            "mediaType": MANIFEST, "digest": one.digest, "size": manifest.len(),
            "platform": { "os": "linux", "architecture": "s390x" },
        }],
    });
    put(&lab, "all", INDEX, &index.to_string());
    let all = resolved(&registry, &"registry.lab:5000/other-platform:all".parse().expect("a reference"));
    assert_eq!((all.media_type.as_str(), &all.images), (INDEX, &one.images));
    assert_ne!(all.digest, one.digest);
    assert!(!platform_fits(&all.platforms(), &here()) && !platform_fits(&one.platforms(), &here()));
}
