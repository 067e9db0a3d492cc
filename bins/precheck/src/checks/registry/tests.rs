use prodtest_gate::Outcome;
use serde_json::{Value, json};

use super::*;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn judged(pulled: &Value) -> Judged {
    let nodes = json!({ "Ok": [{ "os": "linux", "architecture": "amd64" }] });
    judged_on(pulled, &nodes)
}

fn judged_on(pulled: &Value, platforms: &Value) -> Judged {
    let facts = json!({ "images": [pulled], "platforms": platforms });
    let facts: Facts = serde_json::from_value(facts).unwrap();
    let asks = Asks { platforms: Vec::new(), patience: Period::default() };
    let id = CheckId::new("precheck", "registry").unwrap();
    Registry::judge(&id, &asks, &Limits { image: None, place: None }, &facts)
}

fn pulled(seen: Value, secret: Option<&str>, passed_over: &[&str]) -> Value {
    let mut facts = json!({ "reference": "registry.lab:5000/godel:1" });
    facts.as_object_mut().unwrap().extend(seen.as_object().unwrap().clone());
    json!({ "named": "registry.lab:5000/godel:1", "seen": { "Ok": facts }, "secret": secret, "passed-over": passed_over, "control": null })
}

fn there(architecture: &str) -> Value {
    let image = json!({ "platform": { "os": "linux", "architecture": architecture }, "digest": DIGEST });
    json!({ "resolved": { "digest": DIGEST, "media-type": "x", "images": [image] } })
}

fn failure(class: &str) -> Value {
    json!({ "failure": { "class": class, "message": "could not", "hint": "look" } })
}

#[test]
fn an_image_that_is_there_for_the_nodes_passes() {
    assert_eq!(judged(&pulled(there("amd64"), Some("login"), &[])).outcome, Outcome::Passed);
    let judged = judged(&pulled(there("s390x"), Some("login"), &[]));
    assert_eq!(judged.outcome, Outcome::Failed);
    assert_eq!(judged.findings[0].rule, "platform");
}

#[test]
fn who_was_asked_with_which_login_is_told() {
    let judged_denied = judged(&pulled(failure("denied"), Some("login"), &[]));
    assert_eq!(judged_denied.outcome, Outcome::Failed);
    assert!(judged_denied.findings[0].because.as_ref().unwrap().contains("the pull secret `login`"));
    let judged = judged(&pulled(failure("unauthorized"), None, &["the pull secret `login` is not there"]));
    let because = judged.findings[0].because.as_ref().unwrap();
    assert!(
        because.contains("without a login") && because.ends_with("the pull secret `login` is not there"),
        "{because}"
    );
}

#[test]
fn what_does_not_answer_is_not_what_refuses() {
    assert_eq!(judged(&pulled(failure("refused"), Some("login"), &[])).outcome, Outcome::Failed);
    for class in ["no-answer", "unreachable", "garbage", "failing", "certificate", "rate-limited"] {
        assert_eq!(judged(&pulled(failure(class), Some("login"), &[])).outcome, Outcome::Undetermined, "{class}");
    }
}

#[test]
fn without_the_platforms_of_the_nodes_only_what_is_bad_anyway_is_told() {
    let unknown = json!({ "Err": { "message": "forbidden" } });
    let good = judged_on(&pulled(there("amd64"), None, &[]), &unknown);
    assert_eq!((good.outcome, good.reason.as_deref()), (Outcome::Undetermined, Some("forbidden")));
    assert_eq!(judged_on(&pulled(failure("not-found"), None, &[]), &unknown).outcome, Outcome::Failed);
}

#[test]
fn what_is_no_name_of_an_image_fails() {
    let bad = json!({ "named": "Godel:1", "seen": { "Err": "a capital" }, "secret": null, "passed-over": [], "control": null });
    assert_eq!(judged(&bad).findings[0].rule, "name");
}

#[test]
fn the_image_is_asked_for_with_the_secrets_of_the_pods_that_run_it() {
    let named = |image: &str, secrets: &[&str]| Named {
        image: image.to_owned(),
        secrets: secrets.iter().map(|name| (*name).to_owned()).collect(),
    };
    let rendered =
        [named("a.example/godel@sha256:00", &["x"]), named("a.example/godel:1", &["b"]), named("nginx", &["a"])];
    // What cannot be read is not the image's.
    assert_eq!(of_site("a.example/godel:2", &rendered), [named("a.example/godel:2", &["b"])]);
    assert_eq!(of_site("b.example/godel:2", &rendered), [named("b.example/godel:2", &["a", "b", "x"])]);
}
