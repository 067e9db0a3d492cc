//! What a registry says clearly: images, indexes, and that there is none.

use prodtest_image::{CONTROL_TAG, Class, Digest, ImageFacts, Platform, Problem, Registry, RegistryOptions};

use crate::stub::{INDEX, Stub, answer, healthy, image, index, options, refusal, registry};

#[tokio::test]
async fn an_image_tells_digest_platform_version_and_size() {
    let stub = Stub::start(healthy);
    let resolved = stub.resolve(None).await.unwrap();
    assert_eq!(resolved.digest, Digest::of(image().1.as_bytes()));
    let arm = Platform { variant: Some("v8".to_owned()), ..Platform::new("linux", "arm64") };
    assert_eq!(resolved.platforms(), [arm]);
    assert_eq!((resolved.version.as_deref(), resolved.revision.as_deref()), (Some("1.2.3"), Some("abc")));
    assert_eq!(resolved.size, Some(1024));
    let accept = stub.asked()[0].header("accept").unwrap().to_owned();
    for kind in ["oci.image.index.v1", "oci.image.manifest.v1", "manifest.list.v2", "distribution.manifest.v2"] {
        assert!(accept.contains(kind), "{accept}");
    }
}

#[tokio::test]
async fn an_index_tells_its_platforms_and_not_its_attestations() {
    let stub = Stub::start(|_| answer(200, &[("content-type", INDEX)], &index().to_string()));
    let resolved = stub.resolve(None).await.unwrap();
    assert_eq!(resolved.platforms(), [Platform::new("linux", "amd64"), Platform::new("linux", "arm64")]);
    assert_eq!(resolved.images[1].digest, Digest::of(b"arm64"));
    assert_eq!(resolved.digest, Digest::of(index().to_string().as_bytes()));
}

#[tokio::test]
async fn a_digest_is_asked_for_before_a_tag() {
    let stub = Stub::start(|_| answer(200, &[], &index().to_string()));
    let digest = Digest::of(index().to_string().as_bytes());
    let resolved = registry(None).resolve(&stub.reference(&format!(":v1@{digest}"))).await.unwrap();
    assert_eq!(resolved.digest, digest);
    assert_eq!(stub.asked()[0].line, format!("GET /v2/team/app/manifests/{digest}"));
}

#[tokio::test]
async fn what_is_not_there_is_measured() {
    for (code, is_repository) in [("MANIFEST_UNKNOWN", false), ("NAME_UNKNOWN", true)] {
        let stub = Stub::start(move |_| refusal(404, code));
        let error = stub.resolve(None).await.unwrap_err();
        assert_eq!(matches!(error.problem, Problem::NoRepository(_)), is_repository, "{error}");
        assert_eq!((error.problem.class(), error.is_measured()), (Class::NotFound, true));
        assert_eq!(stub.asked().len(), 1, "a clear answer is not asked for twice");
    }
}

#[tokio::test]
async fn an_artefact_is_no_image() {
    let (_, manifest) = image();
    let chart = manifest.replace("vnd.oci.image.config.v1", "vnd.cncf.helm.config.v1");
    let stub = Stub::start(move |_| answer(200, &[], &chart));
    assert_eq!(stub.class(None).await, Class::NoImage);
}

#[tokio::test]
async fn the_control_trips_on_a_registry_that_has_everything() {
    let stub = Stub::start(|_| answer(200, &[], &index().to_string()));
    let error = registry(None).control(&stub.reference("")).await.unwrap_err();
    assert_eq!(error.problem.class(), Class::Garbage);
    assert!(error.to_string().contains(CONTROL_TAG), "{error}");
    let honest = Stub::start(healthy);
    registry(None).control(&honest.reference(":v1")).await.expect("there is no such tag");
    let failing = Stub::start(|_| answer(503, &[], ""));
    assert_eq!(registry(None).control(&failing.reference("")).await.unwrap_err().problem.class(), Class::Failing);
}

#[tokio::test]
async fn connections_go_where_they_are_told() {
    let stub = Stub::start(healthy);
    let connect = Some((stub.address.ip().to_string(), stub.address.port()));
    let registry = Registry::new(RegistryOptions { connect, ..options(None) }).unwrap();
    registry.resolve(&"registry.example:5000/team/app:v1".parse().unwrap()).await.unwrap();
    assert_eq!(stub.asked()[0].header("host"), Some("registry.example:5000"));
}

#[tokio::test]
async fn facts_are_read_as_they_were_written() {
    let stub = Stub::start(healthy);
    for rest in [":v1", ":v2"] {
        let reference = stub.reference(rest);
        let facts = ImageFacts::of(&reference, registry(None).resolve(&reference).await);
        let json = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<ImageFacts>(&json).unwrap(), facts);
    }
}
