//! The watch against a server that misbehaves: the state ends up right.

use tokio::time::timeout;

use super::{
    server::{Answer, Api, Script, event, list, pod, status},
    *,
};

const SOON: Duration = Duration::from_secs(10);

/// Waits until the pods are these, by name and phase.
async fn until(watch: &mut Watch, expected: &[(&str, &str)]) {
    let is_so = |watch: &Watch| {
        let state = watch.state();
        let pods = state.pods.values().map(|pod| (pod.metadata.name.as_str(), pod.status.phase.as_str()));
        pods.eq(expected.iter().copied())
    };
    let reached = async {
        while !is_so(watch) {
            watch.changed().await;
        }
    };
    let late = timeout(SOON, reached).await.is_err();
    assert!(!late, "it never was {expected:?}: {:?}", watch.state().pods);
}

async fn started(script: Script) -> (Api, Watch) {
    let api = Api::start(script).await;
    let watch = timeout(SOON, Watch::start(&api.cluster, "shop")).await.expect("a start in time").unwrap();
    (api, watch)
}

#[tokio::test]
async fn a_watch_follows_what_happens() {
    let (api, mut watch) = started(Script {
        lists: [list(5, &[pod("a", 4, "Pending"), pod("b", 5, "Running")])].into(),
        watches: [Answer::Open(vec![
            event("MODIFIED", &pod("a", 6, "Running")),
            event("DELETED", &pod("b", 7, "Running")),
            event("ADDED", &pod("c", 8, "Pending")),
        ])]
        .into(),
        ..Script::default()
    })
    .await;
    until(&mut watch, &[("a", "Running"), ("c", "Pending")]).await;
    assert_eq!(*api.asked.lock().unwrap(), ["list", "watch 5"]);
    assert!(watch.blind().is_none());
}

#[tokio::test]
async fn what_is_too_old_is_listed_anew() {
    let gone = serde_json::json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": 410, "reason": "Expired", "message": "too old" });
    let (api, mut watch) = started(Script {
        lists: [
            list(5, &[pod("a", 4, "Pending"), pod("b", 4, "Pending")]),
            list(9, &[pod("a", 9, "Running")]),
            list(12, &[pod("a", 12, "Failed")]),
        ]
        .into(),
        watches: [Answer::Lines(vec![event("ERROR", &gone)]), status(410, "Expired")].into(),
        ..Script::default()
    })
    .await;
    until(&mut watch, &[("a", "Failed")]).await;
    assert_eq!(api.asked.lock().unwrap()[..5], ["list", "watch 5", "list", "watch 9", "list"]);
}

#[tokio::test]
async fn a_watch_that_is_cut_every_time_is_resumed_where_it_was() {
    let bookmark = serde_json::json!({ "type": "BOOKMARK", "object": { "kind": "Pod", "apiVersion": "v1", "metadata": { "resourceVersion": "20" } } });
    let (api, mut watch) = started(Script {
        lists: [list(5, &[])].into(),
        watches: [
            Answer::Lines(vec![event("ADDED", &pod("a", 6, "Pending"))]),
            Answer::Lines(vec![bookmark]),
            Answer::Lines(Vec::new()),
            Answer::Lines(vec![event("MODIFIED", &pod("a", 21, "Running"))]),
        ]
        .into(),
        ..Script::default()
    })
    .await;
    until(&mut watch, &[("a", "Running")]).await;
    assert_eq!(api.asked.lock().unwrap()[..5], ["list", "watch 5", "watch 6", "watch 20", "watch 20"]);
    assert!(watch.blind().is_none());
}

#[tokio::test]
async fn a_server_that_is_overloaded_at_first_is_borne_with() {
    let (api, mut watch) = started(Script {
        lists: [
            status(429, "TooManyRequests"),
            status(503, "ServiceUnavailable"),
            Answer::Whole(200, "<html>".to_owned()),
            Answer::Cut("{\"kind\":\"List\",\"items\":[".to_owned()),
            list(5, &[pod("a", 4, "Running")]),
        ]
        .into(),
        ..Script::default()
    })
    .await;
    until(&mut watch, &[("a", "Running")]).await;
    assert_eq!(api.asked.lock().unwrap().iter().filter(|what| *what == "list").count(), 5);
    assert!(watch.blind().is_none());
}

#[tokio::test]
async fn a_server_that_fails_later_is_known_to() {
    let (api, mut watch) = started(Script {
        lists: [list(5, &[pod("a", 4, "Pending")])].into(),
        watches: [status(500, "InternalError")].into(),
        ..Script::default()
    })
    .await;
    let blind = async {
        while watch.blind().is_none() {
            watch.changed().await;
        }
    };
    timeout(SOON, blind).await.expect("it is noticed");
    let (_, error) = watch.blind().unwrap();
    assert!(error.to_string().contains("pods"), "{error}");
    assert_eq!(watch.state().pods.len(), 1, "what was known stays");
    // Asked again and again, with pauses.
    timeout(SOON, async {
        while api.asked.lock().unwrap().len() < 5 {
            api.was_asked.notified().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn an_object_of_another_shape_spoils_no_other() {
    let odd = serde_json::json!({ "metadata": { "name": "odd", "resourceVersion": "6", "labels": 7 }, "status": [] });
    let (_api, mut watch) = started(Script {
        lists: [list(5, &[odd.clone(), serde_json::Value::Null, pod("a", 4, "Pending")])].into(),
        watches: [Answer::Open(vec![event("MODIFIED", &odd), event("MODIFIED", &pod("a", 8, "Running"))])].into(),
        ..Script::default()
    })
    .await;
    until(&mut watch, &[("a", "Running")]).await;
    assert!(watch.state().unreadable.contains("pods/odd"), "{:?}", watch.state().unreadable);
    assert!(watch.blind().is_none());
}

#[tokio::test]
async fn nodes_need_not_be_allowed() {
    let (_api, watch) =
        started(Script { lists: [list(5, &[])].into(), forbidden: vec!["/nodes"], ..Script::default() }).await;
    assert!(watch.blind().is_none() && watch.state().nodes.is_none());
}

#[tokio::test]
async fn what_must_be_allowed_is_said() {
    let api = Api::start(Script { lists: [list(5, &[])].into(), forbidden: vec!["/jobs"], ..Script::default() }).await;
    let error = timeout(SOON, Watch::start(&api.cluster, "shop")).await.unwrap().unwrap_err();
    assert!(matches!(error.problem, Problem::Forbidden(_)), "{error}");
    assert!(error.hint().unwrap().contains(r#""resources":["jobs"]"#), "{error}");
}

#[tokio::test]
async fn what_is_asked_for_anew_is_newer_than_the_call() {
    let (api, mut watch) = started(Script {
        lists: [list(5, &[pod("a", 4, "Pending")]), list(9, &[pod("a", 9, "Running")])].into(),
        ..Script::default()
    })
    .await;
    let call = watch.refresh();
    assert!(!watch.is_fresh(call));
    let fresh = async {
        while !watch.is_fresh(call) {
            watch.changed().await;
        }
    };
    timeout(SOON, fresh).await.expect("fresh in time");
    assert_eq!(watch.state().pods["a"].status.phase, "Running");
    assert_eq!(api.asked.lock().unwrap().iter().filter(|what| *what == "list").count(), 2);
}
