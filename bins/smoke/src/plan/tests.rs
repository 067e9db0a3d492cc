use super::*;
use crate::fixture::{godel, plan};

#[test]
fn a_plan_is_read_as_it_was_written() {
    for plan in [
        godel(),
        plan(
            "steps: [{ name: a, request: GET /, expect: { status: [2xx, 404], json: { $.a: null, $.b: { equals: null } } } }]",
        ),
        plan(
            "steps: [{ name: a, request: POST /, json: { a: 1.5 }, headers: { x: { env: A }, y: z }, capture: { t: { json: $.t, secret: true } } }]",
        ),
    ] {
        let json = serde_json::to_string(&plan).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
        let value = serde_json::to_value(&plan).unwrap();
        assert_eq!(serde_json::from_value::<Plan>(value).unwrap(), plan);
    }
}

#[test]
fn a_plan_holds_references_and_no_secret() {
    let json = serde_json::to_string(&godel()).unwrap();
    assert!(json.contains("GODEL_API_KEY") && !json.contains("a-key"), "{json}");
}

#[test]
fn each_scenario_is_a_check_with_its_limits() {
    let checks = godel().checks(None);
    assert_eq!(checks.len(), 10);
    let lifecycle = checks.iter().find(|check| check.id.as_str() == "smoke/agent-lifecycle").unwrap();
    let limits: Vec<String> = lifecycle.limits.iter().map(|limit| format!("{}: {}", limit.name, limit.value)).collect();
    assert!(limits.contains(&"completed: until: 30 tries, every 2s".to_owned()), "{limits:?}");
    assert!(limits.contains(&"spawn: status: 201".to_owned()), "{limits:?}");
    let needs: Vec<&str> = lifecycle.needs.iter().map(CheckId::as_str).collect();
    assert_eq!(needs, ["smoke/tls", "smoke/auth-accepted"]);
    assert_eq!(lifecycle.place.as_ref().map(|place| place.line), Some(3));
}

#[test]
fn a_name_that_is_no_id_becomes_one() {
    assert_eq!(id("health").as_str(), "smoke/health");
    assert_eq!(id("Answers › /health").as_str(), "smoke/answers-health");
    assert_eq!(id("›").as_str(), "smoke/unnamed");
}
