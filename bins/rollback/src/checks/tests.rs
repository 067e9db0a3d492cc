//! What the facts mean, by example. The rules of the engine have their tests there.

use prodtest_gate::{Judged, Outcome};
use serde_json::{Value, json};

use super::{detection_time, history_clean, rto, served_throughout, service_restored, state_restored, target};
use crate::{facts::Facts, plan::Plan};

fn plan(action: Value, more: Value) -> Plan {
    let mut plan = json!({
        "action": action, "cluster": { "namespace": "shop" }, "release": "shop", "on-failure": "rollback",
        "values-mode": "reset", "timeout": "10m", "rollback-timeout": "5m", "hook-timeout": "5m", "patience": {},
        "places": {}, "rto": "1m", "detection-time": "10s", "availability": 99.9, "budget-window": "720h",
    });
    for (key, value) in more.as_object().into_iter().flatten() {
        plan[key] = value.clone();
    }
    serde_json::from_value(plan).unwrap()
}

fn drill() -> Plan {
    plan(json!({ "drill": "tag" }), json!({}))
}

fn to() -> Plan {
    plan(json!({ "to": "previous" }), json!({}))
}

fn facts(facts: Value) -> Facts {
    serde_json::from_value(facts).unwrap()
}

#[track_caller]
fn is(judged: &Judged, outcome: Outcome, says: &str) {
    let findings = judged.findings.iter().map(|finding| format!("{}: {}", finding.rule, finding.message));
    let said: Vec<String> = findings.chain(judged.reason.clone()).collect();
    assert_eq!(judged.outcome, outcome, "{said:?}");
    assert!(says.is_empty() || said.iter().any(|one| one.contains(says)), "{says}: {said:?}");
}

/// A bad version that was deployed, and whose rollout has this evidence.
fn deployed(evidence: Value, decided: Option<u64>) -> Value {
    let subject = json!({ "kind": "deployment", "name": "shop" });
    let evidence: Vec<Value> = evidence
        .as_array()
        .unwrap()
        .iter()
        .map(|at| {
            json!({
                "kind": "image-not-found", "subject": subject, "message": "not found", "count": 1, "sinceMs": at,
                "lastSeenMs": at, "countedMs": [], "stands": true,
            })
        })
        .collect();
    json!({ "change": {
        "upgrade": { "by": "helm 3", "started-ms": 1000, "ended-ms": 1500, "revision": 2 },
        "rollout": { "evidence": evidence, "lastMs": 20000, "appliedMs": 1500, "doneMs": if evidence.is_empty() { json!(1800) } else { Value::Null } },
        "decided-ms": decided,
    } })
}

#[test]
fn a_bad_version_is_called_bad_in_time_or_late_or_not_at_all() {
    let judged = |seen: Value| detection_time::judge(&drill(), &facts(seen));
    is(&judged(deployed(json!([3000]), Some(3100))), Outcome::Passed, "");
    is(&judged(deployed(json!([12000]), Some(12100))), Outcome::Failed, "late: ");
    is(&judged(deployed(json!([]), Some(2000))), Outcome::Failed, "missed: ");
    is(&judged(json!({})), Outcome::Undetermined, "did not get there");
    // Interrupted, nobody called it bad, and nobody missed it.
    for done in [json!(1800), Value::Null] {
        let mut stopped = deployed(json!([]), Some(2000));
        stopped["change"]["halted"] = json!({ "message": "interrupted (SIGINT)" });
        stopped["change"]["rollout"]["doneMs"] = done;
        is(&judged(stopped), Outcome::Undetermined, "interrupted");
    }
    // Whose cluster was lost is not bad.
    let lost = json!({ "change": {
        "upgrade": { "by": "helm 3", "started-ms": 1000, "trouble": { "message": "no answer" } }, "decided-ms": 9 } });
    is(&judged(lost), Outcome::Undetermined, "no answer");
    let refused = json!({ "change": {
        "upgrade": { "by": "helm 3", "trouble": { "message": "a schema", "measured": true, "rule": "values" } } } });
    is(&judged(refused), Outcome::Undetermined, "could not be deployed: a schema");
    is(&detection_time::judge(&to(), &facts(json!({}))), Outcome::Skipped, "nothing bad");
}

#[test]
fn a_target_is_as_good_as_its_images_and_what_lies_between() {
    let image = |failure: Option<&str>| {
        let mut image = json!({ "reference": "r.example.com/shop:1" });
        match failure {
            Some(class) => image["failure"] = json!({ "class": class, "message": "could not", "hint": "look" }),
            None => {
                let digest = format!("sha256:{}", "0".repeat(64));
                image["resolved"] = json!({ "digest": digest, "media-type": "x", "images": [] });
            }
        }
        image
    };
    let seen = |image: Value, migrations: Value| {
        facts(json!({ "target": { "Ok": {
            "revision": 3, "why": "good", "images": [image], "migrations": migrations } } }))
    };
    let judged = |plan: &Plan, facts: &Facts| target::judge(plan, facts);
    is(&judged(&to(), &seen(image(None), Value::Null)), Outcome::Passed, "");
    is(&judged(&to(), &seen(image(Some("not-found")), Value::Null)), Outcome::Failed, "cannot be gone back to");
    is(&judged(&to(), &seen(image(Some("no-answer")), Value::Null)), Outcome::Undetermined, "");
    let none = facts(json!({ "target": { "Ok": { "revision": 3, "why": "good" } } }));
    is(&judged(&to(), &none), Outcome::Undetermined, "can still be pulled");

    let crossed = json!({ "Ok": [{ "name": "2_drop.sql", "has-way-back": false }, { "name": "3_add.sql", "has-way-back": true }] });
    is(&judged(&to(), &seen(image(None), crossed.clone())), Outcome::Failed, "migration: going back to revision 3");
    assert_eq!(judged(&to(), &seen(image(None), crossed.clone())).findings.len(), 1);
    let told = plan(json!({ "to": "previous" }), json!({ "across-migrations": true }));
    is(&judged(&told, &seen(image(None), crossed.clone())), Outcome::Passed, "");
    let known = plan(json!({ "to": "previous" }), json!({ "reversible-migrations": ["2_drop"] }));
    is(&judged(&known, &seen(image(None), crossed)), Outcome::Passed, "");
    let unknown = json!({ "Err": "nobody wrote it down" });
    is(&judged(&to(), &seen(image(None), unknown)), Outcome::Undetermined, "nobody wrote it down");
}

/// What a probe saw: failed requests before, and afterwards in each second from the first on.
fn probe(before: u64, after: &[u64]) -> Value {
    let phase = |failed: u64| {
        json!({ "requests": 100, "ok": 100 - failed, "failed": failed, "answered": 100, "reconnected": 0, "late": 0,
            "ours": 0, "slowest-ms": 1.0, "longest-gap": { "from-ms": 0, "until-ms": 1 } })
    };
    let bins: Vec<Value> = (0u64..)
        .zip(after)
        .map(|(second, failed)| json!({ "at-ms": second * 1000, "requests": 20, "failed": failed, "slowest-ms": 1.0 }))
        .collect();
    json!({
        "url": "https://shop.example.com/", "status": 200, "timeout-ms": 2000, "from-ms": 0, "until-ms": 9000, "change-ms": 0,
        "before": phase(before), "after": phase(after.iter().sum()), "open": 0,
        "pace": { "asked": 20, "achieved": 20.0, "lag-p99-ms": 1, "lag-max-ms": 1 }, "bin-ms": 1000, "bins": bins,
    })
}

const PROBE: &str = r#"{ "probe": { "url": "https://shop.example.com/", "path": "/", "rate": 20, "status": 200,
    "timeout": "2s", "max-failed": 0 } }"#;

/// A way back from 3 s to 4 s of the run.
fn way_back(probe: Value) -> Facts {
    let rollout = json!({ "doneMs": 3900, "lastMs": 4000, "appliedMs": 3100 });
    facts(json!({
        "change": {
            "upgrade": { "by": "helm 3", "started-ms": 1000, "ended-ms": 1500 }, "probe": probe,
            "way-back": { "to": 1, "started-ms": 3000, "ended-ms": 4000, "rollout": rollout, "status": "deployed" },
        },
        "state": { "Ok": { "objects": 3, "fields": 9, "at-ms": 4100 } },
    }))
}

#[test]
fn the_way_back_ends_with_the_last_failed_request() {
    let plan = plan(json!({ "drill": "slow" }), serde_json::from_str(PROBE).unwrap());
    assert_eq!(rto::span(&way_back(probe(0, &[]))), Some((3000, 4100)));
    // Of the second that begins at 6 s; what failed before the way back began is no part of it.
    assert_eq!(rto::span(&way_back(probe(0, &[0, 5, 5, 5, 0, 0, 1]))), Some((3000, 7000)));
    let judged = rto::judge(&plan, &way_back(probe(0, &[0, 5, 5, 5, 0, 0, 1])));
    is(&judged, Outcome::Passed, "");
    let said = |name: &str| judged.evidence.iter().find(|one| one.name == name).unwrap().value.to_string();
    assert_eq!(said("requests failed"), "16");
    // 16 of the 51,840 that may fail in 30 days at 20 a second.
    assert_eq!(said("error budget burnt"), "0.031 %");
    let tight = Plan { rto: "1s".parse().unwrap(), ..plan };
    is(&rto::judge(&tight, &way_back(probe(0, &[]))), Outcome::Failed, "late: ");
}

#[test]
fn what_failed_before_is_not_the_fault_of_who_goes_back() {
    let with = |action: Value| plan(action, serde_json::from_str(PROBE).unwrap());
    let (to, drill) = (with(json!({ "to": "previous" })), with(json!({ "drill": "tag" })));
    is(&served_throughout::judge(&to, &way_back(probe(30, &[5, 0]))), Outcome::Skipped, "failed already before");
    is(&served_throughout::judge(&to, &way_back(probe(0, &[5, 0]))), Outcome::Failed, "");
    is(&served_throughout::judge(&drill, &way_back(probe(0, &[0, 0]))), Outcome::Passed, "");
    let mut seen = way_back(probe(30, &[5, 5]));
    seen.running =
        serde_json::from_value(json!([{ "pod": "a", "container": "a", "image": "a", "image-id": "a" }])).unwrap();
    is(&service_restored::judge(&to, &seen), Outcome::Failed, "failing: the service still fails");
}

#[test]
fn the_service_is_as_before_by_its_version_and_by_its_scenarios() {
    let answers = |versions: &[&str]| {
        let answers: Vec<Value> =
            versions.iter().map(|version| json!({ "is": "version", "version": version })).collect();
        json!({ "url": "https://shop.example.com/", "field": "version", "answers": answers })
    };
    let judged = |before: &[&str], after: &[&str], smoke: Value| {
        let seen = json!({ "version-before": answers(before), "version-after": answers(after), "smoke": smoke });
        service_restored::judge(&drill(), &facts(seen))
    };
    is(&judged(&["1", "1"], &["1", "1"], Value::Null), Outcome::Passed, "");
    is(&judged(&["1", "1"], &["1", "2"], Value::Null), Outcome::Failed, "version: 1 of 2 answers");
    is(&judged(&["1", "2"], &["1", "1"], Value::Null), Outcome::Undetermined, "several versions answered before");
    let smoke = |verdict: &str, failed: &[&str]| json!({ "verdict": verdict, "passed": 3, "failed": failed });
    is(&judged(&["1"], &["1"], smoke("passed", &[])), Outcome::Passed, "");
    is(
        &judged(&["1"], &["1"], smoke("failed", &["smoke/order: a 500"])),
        Outcome::Failed,
        "smoke: a user is not served",
    );
    is(&judged(&["1"], &["1"], smoke("undetermined", &[])), Outcome::Undetermined, "could not measure");
    let missing = json!({ "trouble": "`prodtest-smoke` is not installed" });
    is(&judged(&["1"], &["1"], missing), Outcome::Undetermined, "is not installed");
    is(&service_restored::judge(&drill(), &facts(json!({}))), Outcome::Undetermined, "did not get there");
}

#[test]
fn every_difference_is_a_finding_about_its_object() {
    let differences = ["configmap/a: data.b: expected 1, seen 2", "values: `x` is not as it was"];
    let seen = facts(json!({ "state": { "Ok": { "objects": 1, "fields": 2, "differences": differences } } }));
    let judged = state_restored::judge(&drill(), &seen);
    let subjects: Vec<&str> = judged.findings.iter().map(|finding| finding.subject.as_str()).collect();
    assert_eq!(subjects, ["configmap/a", "values"]);
    let unread = facts(json!({ "state": { "Err": { "message": "no answer" } } }));
    is(&state_restored::judge(&drill(), &unread), Outcome::Undetermined, "no answer");
}

#[test]
fn a_history_is_in_order_only_with_nothing_pending_and_the_way_back_still_there() {
    let judged = |newest: &str, pending: &[u32], has_target: bool| {
        let seen = json!({ "newest": [4, newest], "pending": pending, "has-target": has_target, "revisions": 4 });
        history_clean::judge(&drill(), &facts(json!({ "history": { "Ok": seen } })))
    };
    is(&judged("deployed", &[], true), Outcome::Passed, "");
    is(&judged("pending-rollback", &[4], true), Outcome::Failed, "status: the newest revision, 4");
    is(&judged("deployed", &[3], true), Outcome::Failed, "pending: revision 3");
    is(&judged("deployed", &[], false), Outcome::Failed, "pruned: ");
    is(&history_clean::judge(&drill(), &facts(json!({}))), Outcome::Undetermined, "did not get there");
}
