//! What proves nothing of an image: a registry that is not well, or something else in its place.

use std::{
    io::Write as _,
    net::TcpListener,
    sync::atomic::{AtomicUsize, Ordering},
    thread,
    time::{Duration, Instant},
};

use prodtest_image::{Class, Digest, Problem, Registry, RegistryOptions};

use crate::stub::{INDEX, Stub, answer, healthy, image, index, options, refusal, registry};

#[tokio::test]
async fn what_passes_is_waited_for() {
    let count = AtomicUsize::new(0);
    let stub = Stub::start(move |asked| match count.fetch_add(1, Ordering::SeqCst) {
        0 => answer(502, &[], "<html>bad gateway</html>"),
        1 => refusal(429, "TOOMANYREQUESTS"),
        _ => healthy(asked),
    });
    stub.resolve(None).await.expect("the third answer");
}

#[tokio::test]
async fn what_stays_is_told_apart_and_proves_nothing() {
    let cut = |body: &str| answer(200, &[], body)[..120].to_vec();
    for (bytes, class) in [
        (answer(502, &[], "<html>bad gateway</html>"), Class::Failing),
        (refusal(429, "TOOMANYREQUESTS"), Class::RateLimited),
        (cut(&index().to_string()), Class::Garbage),
        (answer(200, &[], "<html>hello</html>"), Class::Garbage),
        (answer(200, &[], "{}"), Class::Garbage),
        (answer(200, &[], "\u{0}"), Class::Garbage),
        (answer(404, &[], "<html>no such page</html>"), Class::Garbage),
        (answer(403, &[], "<html>blocked by the proxy</html>"), Class::Garbage),
        (answer(401, &[], ""), Class::Garbage),
        (answer(204, &[], ""), Class::Garbage),
        (b"SSH-2.0-OpenSSH\r\n".to_vec(), Class::Garbage),
        (Vec::new(), Class::Refused),
        (answer(302, &[("location", "/v2/team/app/manifests/v1")], ""), Class::Garbage),
    ] {
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let stub = Stub::start(move |_| bytes.clone());
        let error = stub.resolve(None).await.unwrap_err();
        assert_eq!(error.problem.class(), class, "{shown}: {error}");
        assert!(!error.is_measured());
        assert!(stub.asked().len() <= 5, "it asked {} times", stub.asked().len());
    }
}

#[tokio::test]
async fn a_manifest_must_have_the_digest_that_was_asked_for() {
    let stub = Stub::start(|_| answer(200, &[("content-type", INDEX)], &index().to_string()));
    let other = Digest::of(b"another");
    let error = registry(None).resolve(&stub.reference(&format!("@{other}"))).await.unwrap_err();
    assert!(matches!(&error.problem, Problem::DigestMismatch { expected, .. } if *expected == other), "{error}");
    assert!(!error.is_measured());
}

#[tokio::test]
async fn a_manifest_must_have_the_digest_of_its_header() {
    let other = Digest::of(b"another");
    let stub = Stub::start(move |_| answer(200, &[("docker-content-digest", other.as_str())], &index().to_string()));
    assert_eq!(stub.class(None).await, Class::DigestMismatch);
}

#[tokio::test]
async fn a_configuration_must_have_the_digest_of_its_manifest() {
    let stub = Stub::start(|asked| match asked.line.contains("/blobs/") {
        true => answer(200, &[], &image().0.replace("arm64", "amd64")),
        false => answer(200, &[], &image().1),
    });
    assert_eq!(stub.class(None).await, Class::DigestMismatch);
}

#[tokio::test]
async fn a_manifest_of_two_kinds_is_believed_by_nobody() {
    let mut both = index();
    let image: serde_json::Value = serde_json::from_str(&image().1).unwrap();
    both["config"] = image["config"].clone();
    both["layers"] = image["layers"].clone();
    let stub = Stub::start(move |_| answer(200, &[], &both.to_string()));
    assert_eq!(stub.class(None).await, Class::Garbage);
}

#[tokio::test]
async fn a_body_without_an_end_is_cut() {
    let stub = Stub::with(|_, stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n");
        while stream.write_all(&[b' '; 65536]).is_ok() {}
    });
    assert_eq!(stub.class(None).await, Class::TooLarge);
}

#[tokio::test]
async fn silence_ends_with_the_patience() {
    let begun = Instant::now();
    let stub = Stub::with(|_, _| thread::sleep(Duration::from_secs(60)));
    assert_eq!(stub.class(None).await, Class::NoAnswer);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

#[tokio::test]
async fn nobody_there_is_told_from_a_certificate_that_is_none() {
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("{free}/a:b").parse().unwrap();
    assert_eq!(registry(None).resolve(&nobody).await.unwrap_err().problem.class(), Class::Refused);
    let plain = TcpListener::bind("127.0.0.1:0").unwrap();
    let reference = format!("{}/a:b", plain.local_addr().unwrap()).parse().unwrap();
    thread::spawn(move || plain.accept().unwrap().0.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let over_tls = Registry::new(RegistryOptions { plain_http: false, ..options(None) }).unwrap();
    let error = over_tls.resolve(&reference).await.unwrap_err();
    assert_eq!(error.problem.class(), Class::Certificate, "{error}");
    assert!(error.hint().contains("plain HTTP"));
}
