use prodtest_gate::Outcome;
use serde_json::json;

use super::*;

fn id() -> CheckId {
    CheckId::new("precheck", "namespace").unwrap()
}

fn room(containers: serde_json::Value, pods: u32, quotas: serde_json::Value, ranges: serde_json::Value) -> Room {
    let spec = serde_json::from_value(json!({ "containers": containers })).unwrap();
    let shape = Shape::of(&spec).unwrap();
    let added = Added { workload: "Deployment a".to_owned(), pods, shape, places: BTreeMap::new() };
    let quotas: Vec<ResourceQuota> = serde_json::from_value(quotas).unwrap();
    let quotas = quotas.into_iter().map(|quota| {
        let (spec, status) = (quota.spec.unwrap_or_default(), quota.status.unwrap_or_default());
        let (hard, used) = (read(spec.hard.as_ref()).unwrap(), read(status.used.as_ref()).unwrap());
        Quota { name: "q".to_owned(), hard, used, scopes: scopes(&spec), place: None }
    });
    let specs: Vec<LimitRangeSpec> = serde_json::from_value(ranges).unwrap();
    let ranges = specs.into_iter().map(|spec| Range { name: "r".to_owned(), items: items(spec).unwrap(), place: None });
    Room { quotas: quotas.collect(), ranges: ranges.collect(), added: vec![added] }
}

fn container(requests: serde_json::Value, limits: serde_json::Value) -> serde_json::Value {
    json!([{ "name": "a", "resources": { "requests": requests, "limits": limits } }])
}

fn rules_of(room: &Room) -> Vec<String> {
    let judged = held(&id(), room);
    judged.findings.iter().map(|finding| format!("{}: {}", finding.rule, finding.subject)).collect()
}

#[test]
fn a_quota_must_have_room_for_all_pods_that_are_added() {
    let quota = |used: &str| json!([{ "spec": { "hard": { "pods": "4", "cpu": "1" } }, "status": { "used": { "pods": used, "cpu": "0" } } }]);
    let of = |pods, used: &str| {
        rules_of(&room(container(json!({ "cpu": "250m" }), json!({})), pods, quota(used), json!([])))
    };
    assert!(of(1, "3").is_empty());
    assert_eq!(of(1, "4"), ["quota: q pods"]);
    assert_eq!(of(2, "3"), ["quota: q pods"]);
    assert_eq!(of(5, "0"), ["quota: q pods", "quota: q requests.cpu"]);
    assert!(of(0, "4").is_empty(), "nothing is added");
    assert!(of(0, "9").is_empty(), "nothing is added");
}

#[test]
fn a_quota_demands_that_each_container_says_what_it_takes() {
    let quota = json!([{ "spec": { "hard": { "limits.memory": "8Gi" } } }]);
    let silent = || container(json!({ "memory": "1Gi" }), json!({}));
    assert_eq!(
        rules_of(&room(silent(), 1, quota.clone(), json!([]))),
        ["quota-unsaid: q limits.memory Deployment a a"]
    );
    let given = json!([{ "limits": [{ "type": "Container", "default": { "memory": "2Gi" } }] }]);
    assert!(rules_of(&room(silent(), 1, quota.clone(), given.clone())).is_empty(), "the limit range says it");
    assert_eq!(rules_of(&room(silent(), 5, quota, given)), ["quota: q limits.memory"], "and then it counts");
}

#[test]
fn a_quota_of_other_pods_does_not_count() {
    let quota = |scope: &str| json!([{ "spec": { "hard": { "pods": "0" }, "scopes": [scope] } }]);
    let of = |scope: &str| {
        held(&id(), &room(container(json!({ "cpu": "1" }), json!({})), 1, quota(scope), json!([]))).outcome
    };
    assert_eq!(
        ["BestEffort", "NotBestEffort", "Terminating", "NotTerminating"].map(of),
        [Outcome::Passed, Outcome::Failed, Outcome::Passed, Outcome::Failed]
    );
    assert_eq!(of("CrossNamespacePodAffinity"), Outcome::Undetermined);
}

#[test]
fn a_limit_range_bounds_what_is_said_and_what_it_gives_itself() {
    let range = |item: serde_json::Value| json!([{ "limits": [item] }]);
    let of = |requests, limits, item| rules_of(&room(container(requests, limits), 1, json!([]), range(item)));
    let max = json!({ "type": "Container", "max": { "memory": "64Mi" } });
    assert_eq!(of(json!({}), json!({ "memory": "128Mi" }), max.clone()), ["limit-range: r memory max Deployment a a"]);
    assert!(of(json!({}), json!({}), max).is_empty(), "it gives its maximum");
    let min = json!({ "type": "Container", "min": { "cpu": "100m" } });
    assert_eq!(of(json!({ "cpu": "10m" }), json!({}), min.clone()), ["limit-range: r cpu min Deployment a a"]);
    assert!(of(json!({}), json!({}), min).is_empty());
    let ratio = json!({ "type": "Container", "maxLimitRequestRatio": { "cpu": "2" } });
    assert!(of(json!({ "cpu": "1" }), json!({ "cpu": "2" }), ratio.clone()).is_empty());
    assert_eq!(of(json!({ "cpu": "1" }), json!({ "cpu": "2001m" }), ratio).len(), 1);
    let pod = json!({ "type": "Pod", "max": { "cpu": "1" } });
    assert_eq!(of(json!({}), json!({ "cpu": "2" }), pod), ["limit-range: r cpu max Deployment a pod"]);
}

#[test]
fn a_namespace_that_is_not_there_or_goes_is_told() {
    let target = Where { namespace: "a".to_owned(), place: None };
    let of = |phase: Option<&str>| {
        let facts = Facts { phase: phase.map(str::to_owned), room: Some(Err(Unseen::new("no chart"))) };
        Namespace::judge(&id(), &target, &(), &facts).outcome
    };
    assert_eq!(
        [of(None), of(Some("Terminating")), of(Some("Active"))],
        [Outcome::Failed, Outcome::Failed, Outcome::Undetermined]
    );
}
