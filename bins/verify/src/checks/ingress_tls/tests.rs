use prodtest_gate::Outcome;
use serde_json::{Value, json};

use super::*;

fn at(http_said: bool) -> Where {
    Where { url: "https://a.example".parse().unwrap(), http: ("a.example".to_owned(), 80), http_said, place: None }
}

fn limits() -> Limits {
    Limits { min_days: 14, min_version: Version::Tls12, without_redirect: false }
}

/// All is well, but for what is laid over it.
fn facts(over: &Value) -> Facts {
    let mut all = json!({
        "now": "2026-01-01T00:00:00Z",
        "host": "a.example",
        "certificate": {
            "reached": true, "protocol": "TLS 1.3", "wrong-name-refused": true,
            "chain": [{
                "subject": "CN=a", "issuer": "CN=b", "names": ["a.example"], "fingerprint": "",
                "not-before": "2025-01-01T00:00:00Z", "not-after": "2026-03-01T00:00:00Z",
            }],
        },
        "greeted-11": { "is": "refused", "alert": 70 },
        "greeted-12": { "is": "accepted", "version": "TLS 1.2" },
        "plain": { "status": 308, "location": "https://a.example/", "failure": null },
    });
    for (path, value) in over.as_object().unwrap() {
        *all.pointer_mut(path).unwrap() = value.clone();
    }
    serde_json::from_value(all).unwrap()
}

fn rules(over: &Value) -> Vec<String> {
    let judged = IngressTls::judge(&id(), &at(true), &limits(), &facts(over));
    judged.findings.into_iter().map(|finding| finding.rule).collect()
}

fn id() -> CheckId {
    "verify/ingress-tls".parse().unwrap()
}

#[test]
fn a_good_entrance_passes_and_each_flaw_has_its_rule() {
    assert_eq!(IngressTls::judge(&id(), &at(true), &limits(), &facts(&json!({}))).outcome, Outcome::Passed);
    assert_eq!(rules(&json!({ "/certificate/chain/0/not-after": "2026-01-06T12:00:00Z" })), ["expiry"]);
    assert_eq!(rules(&json!({ "/greeted-11": { "is": "accepted", "version": "TLS 1.0" } })), ["version"]);
    for plain in [
        json!({ "status": 200, "location": null, "failure": null }),
        json!({ "status": 302, "location": "https://a.example/", "failure": null }),
        json!({ "status": 301, "location": "https://b.example/", "failure": null }),
        json!({ "status": 301, "location": "http://a.example/", "failure": null }),
        json!({ "status": null, "location": null, "failure": { "kind": "refused", "message": "" } }),
    ] {
        assert_eq!(rules(&json!({ "/plain": plain })), ["redirect"], "{plain}");
    }
}

#[test]
fn a_closed_port_is_told_by_who_said_where_it_is() {
    let closed = facts(
        &json!({ "/plain": { "status": null, "location": null, "failure": { "kind": "refused", "message": "" } } }),
    );
    let judge = |said, without_redirect| {
        IngressTls::judge(&id(), &at(said), &Limits { without_redirect, ..limits() }, &closed).outcome
    };
    assert_eq!(judge(true, true), Outcome::Passed);
    assert_eq!(judge(true, false), Outcome::Failed);
    assert_eq!(judge(false, false), Outcome::Undetermined);
    assert_eq!(judge(false, true), Outcome::Undetermined);
}

#[test]
fn tls_1_2_is_too_old_where_1_3_is_asked_for() {
    let judged =
        IngressTls::judge(&id(), &at(true), &Limits { min_version: Version::Tls13, ..limits() }, &facts(&json!({})));
    assert_eq!(judged.findings[0].message, "`a.example` takes TLS 1.2");
}

#[test]
fn who_says_nothing_was_not_measured() {
    let silent = json!({ "/greeted-11": { "is": "silent", "why": "no answer within 10 s" } });
    assert_eq!(IngressTls::judge(&id(), &at(true), &limits(), &facts(&silent)).outcome, Outcome::Undetermined);
    let mut gone = facts(&json!({}));
    gone.certificate = serde_json::from_value(json!({
        "reached": false, "wrong-name-refused": false, "failure": { "kind": "refused", "message": "" },
    }))
    .unwrap();
    assert_eq!(IngressTls::judge(&id(), &at(true), &limits(), &gone).outcome, Outcome::Undetermined);
}

#[test]
fn the_control_trips_on_a_greeting_that_is_understood() {
    let tripped =
        |word: Value| IngressTls::control(&id(), &at(true), &facts(&json!({ "/greeted-12": word }))).unwrap().tripped;
    assert!(tripped(json!({ "is": "accepted", "version": "TLS 1.2" })));
    assert!(tripped(json!({ "is": "refused", "alert": 70 })));
    // The alert of a server that could not read it.
    assert!(!tripped(json!({ "is": "refused", "alert": 50 })));
}

#[test]
fn an_address_is_of_the_same_host() {
    for (location, host, same) in [
        ("https://a.example", "a.example", true),
        ("HTTPS://A.example:8443/x?y", "a.example", true),
        ("https://a.example?x", "a.example", true),
        ("https://a.example.evil/", "a.example", false),
        ("https://a.example@evil/", "a.example", false),
        ("http://a.example/", "a.example", false),
        ("/login", "a.example", false),
    ] {
        assert_eq!(is_tls_of(location, host), same, "{location}");
    }
}
