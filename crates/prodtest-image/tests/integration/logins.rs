//! Logins: passwords, tokens from another host, and what must not leave.

use std::sync::atomic::{AtomicUsize, Ordering};

use prodtest_image::{Class, Login};

use crate::stub::{Asked, Stub, answer, healthy, image, password, refusal};

/// `lab:a-test-word`
const BASIC: &str = "Basic bGFiOmEtdGVzdC13b3Jk";

/// A registry that wants a token, and gives what it has to who brings `good`.
fn behind(realm: &Stub, good: &'static str) -> Stub {
    let challenge = format!("Bearer realm=\"http://{}/token\",service=\"the registry\"", realm.address);
    Stub::start(move |asked| match asked.header("authorization") {
        Some(brought) if brought == format!("Bearer {good}") => healthy(asked),
        _ => answer(401, &[("www-authenticate", &challenge)], r#"{"errors":[{"code":"UNAUTHORIZED"}]}"#),
    })
}

fn giving(token: &'static str) -> Stub {
    Stub::start(move |_| answer(200, &[], &format!(r#"{{"token":"{token}"}}"#)))
}

#[tokio::test]
async fn a_token_is_fetched_elsewhere_once_and_used_again() {
    let realm = giving("good-token");
    let registry = behind(&realm, "good-token");
    registry.resolve(None).await.expect("a token for everybody");
    let fetched = realm.asked();
    assert_eq!(fetched.len(), 1, "the configuration is asked for with the same token");
    assert_eq!(fetched[0].header("authorization"), None);
    assert_eq!(fetched[0].line, "GET /token?scope=repository%3Ateam%2Fapp%3Apull&service=the+registry");
    registry.resolve(password()).await.expect("a token for the user");
    assert_eq!(realm.asked()[1].header("authorization"), Some(BASIC));
}

#[tokio::test]
async fn an_identity_token_is_exchanged() {
    let realm = Stub::start(|_| answer(200, &[], r#"{"access_token":"good-token"}"#));
    let registry = behind(&realm, "good-token");
    registry.resolve(Some(Login::IdentityToken("the-identity".into()))).await.expect("a token");
    let asked = &realm.asked()[0];
    assert_eq!(asked.line, "POST /token");
    assert!(asked.text.contains("grant_type=refresh_token") && asked.text.contains("refresh_token=the-identity"));
}

#[tokio::test]
async fn a_password_is_sent_only_when_it_is_wanted() {
    let registry = Stub::start(|asked| match asked.header("authorization") {
        Some(BASIC) => healthy(asked),
        _ => answer(401, &[("www-authenticate", "Basic realm=\"lab\"")], ""),
    });
    registry.resolve(password()).await.expect("it is let in");
    assert_eq!(registry.asked()[0].header("authorization"), None);
    assert_eq!(registry.class(None).await, Class::Unauthorized);
    let wrong = Login::Password { user: "lab".to_owned(), password: "another-word".into() };
    assert_eq!(registry.class(Some(wrong)).await, Class::Denied);
}

#[tokio::test]
async fn a_realm_that_gives_useless_tokens_is_not_asked_for_ever() {
    let realm = giving("useless-token");
    let registry = behind(&realm, "good-token");
    assert_eq!(registry.class(password()).await, Class::Denied);
    assert_eq!(registry.class(None).await, Class::Unauthorized);
    assert_eq!(realm.asked().len(), 2);
}

#[tokio::test]
async fn a_realm_that_refuses_is_measured_and_one_that_fails_is_not() {
    for (bytes, class) in [
        (refusal(401, "UNAUTHORIZED"), Class::Denied),
        (refusal(403, "DENIED"), Class::Denied),
        (answer(403, &[], "<html>blocked</html>"), Class::Garbage),
        (answer(503, &[], ""), Class::Failing),
        (answer(200, &[], "<html>hello</html>"), Class::Garbage),
        (answer(200, &[], r#"{"token":""}"#), Class::Garbage),
        (answer(302, &[("location", "/token")], ""), Class::Garbage),
        (answer(401, &[("www-authenticate", "Bearer realm=\"http://127.0.0.1:1/\"")], ""), Class::Denied),
    ] {
        let realm = Stub::start(move |_| bytes.clone());
        let registry = behind(&realm, "good-token");
        assert_eq!(registry.class(password()).await, class);
        assert!(realm.asked().len() <= 5);
    }
}

#[tokio::test]
async fn a_blob_elsewhere_is_fetched_without_the_login() {
    let store = Stub::start(|_| answer(200, &[], &image().0));
    let location = format!("http://{}/signed?a=b", store.address);
    let registry = Stub::start(move |asked| match asked.header("authorization") {
        Some(BASIC) if asked.line.contains("/blobs/") => answer(307, &[("location", &location)], ""),
        Some(BASIC) => healthy(asked),
        _ => answer(401, &[("www-authenticate", "Basic realm=\"lab\"")], ""),
    });
    registry.resolve(password()).await.expect("a blob");
    assert_eq!(store.asked()[0].header("authorization"), None);
}

#[tokio::test]
async fn a_token_that_expires_half_way_is_fetched_anew() {
    let realm = giving("good-token");
    let challenge = format!("Bearer realm=\"http://{}/token\"", realm.address);
    let count = AtomicUsize::new(0);
    let registry = Stub::start(move |asked| match count.fetch_add(1, Ordering::SeqCst) {
        0 | 2 => answer(401, &[("www-authenticate", &challenge)], ""),
        _ => healthy(asked),
    });
    registry.resolve(None).await.expect("both answers");
    assert_eq!(realm.asked().len(), 2);
}

#[tokio::test]
async fn what_a_registry_echoes_is_not_told() {
    let echo = |asked: &Asked| refusal(403, &format!("DENIED {}", asked.header("authorization").unwrap_or_default()));
    let realm = giving("secret-token");
    let challenge = format!("Bearer realm=\"http://{}/token\"", realm.address);
    let registry = Stub::start(move |asked| match asked.header("authorization") {
        Some(_) => echo(asked),
        None => answer(401, &[("www-authenticate", &challenge)], ""),
    });
    let error = registry.resolve(password()).await.unwrap_err();
    assert!(error.to_string().contains("[redacted]"), "{error}");
    assert!(!format!("{error:?}").contains("secret-token"), "{error:?}");
    let realm = Stub::start(move |asked| echo(asked));
    let error = behind(&realm, "x").resolve(password()).await.unwrap_err();
    assert!(error.to_string().contains("[redacted]") && !error.to_string().contains(&BASIC[6..]), "{error}");
}
