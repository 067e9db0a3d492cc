//! Images in the lab's registry: what a tag stands for, who may know it, and what it runs on.

use prodtest_image::{
    Class, ImageFacts, Login, Platform, Reference, Registry, RegistryOptions, Resolved, platform_fits,
};
use prodtest_tests::{
    Release,
    registry::{INDEX, MANIFEST, Repository, USER},
    shared,
};
use serde_json::json;
use xtask::lab::{self, Lab};

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

#[test]
fn lab_cluster_an_index_for_another_platform_does_not_fit_here() {
    let Some(lab) = shared() else { return };
    let repository = Repository { lab: &lab, name: "other-platform" };
    let manifest = repository.put_foreign("one");
    let registry = registry(&lab, login(&password(&lab)));
    let one = resolved(&registry, &"registry.lab:5000/other-platform:one".parse().expect("a reference"));
    let index = json!({
        "schemaVersion": 2, "mediaType": INDEX,
        "manifests": [{
            "mediaType": MANIFEST, "digest": one.digest, "size": manifest.len(),
            "platform": { "os": "linux", "architecture": "s390x" },
        }],
    });
    repository.put("all", INDEX, &index.to_string());
    let all = resolved(&registry, &"registry.lab:5000/other-platform:all".parse().expect("a reference"));
    assert_eq!((all.media_type.as_str(), &all.images), (INDEX, &one.images));
    assert_ne!(all.digest, one.digest);
    assert!(!platform_fits(&all.platforms(), &here()) && !platform_fits(&one.platforms(), &here()));
}
