use prodtest_gate::Outcome as Came;
use prodtest_kube::{ClusterError, Problem};

use super::{
    api::{not_taken, warning},
    *,
};

fn judged(linted: &[&str], rendered: Rendered) -> Judged {
    let facts = Facts { linted: Ok(linted.iter().map(|line| (*line).to_owned()).collect()), rendered };
    Chart::judge(&CheckId::new("precheck", "chart").unwrap(), &(), &(), &facts)
}

fn tried(outcome: Outcome) -> Tried {
    let (api_version, kind) = ("policy/v1beta1".to_owned(), "PodDisruptionBudget".to_owned());
    Tried { api_version, kind, name: "a".to_owned(), place: None, outcome }
}

fn rules_of(judged: &Judged) -> Vec<&str> {
    judged.findings.iter().map(|finding| finding.rule.as_str()).collect()
}

#[test]
fn what_came_of_each_object_is_told() {
    let of = |outcome| judged(&[], Rendered::Objects(vec![tried(Outcome::Taken(Vec::new())), tried(outcome)]));
    assert_eq!(of(Outcome::Taken(Vec::new())).outcome, Came::Passed);
    let deprecated = "policy/v1beta1 PodDisruptionBudget is deprecated in v1.21+, unavailable in v1.25+";
    assert_eq!(rules_of(&of(Outcome::Taken(vec![deprecated.to_owned()]))), ["deprecated"]);
    let other = of(Outcome::Taken(vec!["would violate PodSecurity \"restricted:latest\"".to_owned()]));
    assert_eq!((other.outcome, other.evidence.len()), (Came::Passed, 2), "it is told, and is no finding");
    assert_eq!(rules_of(&of(Outcome::NotServed(vec!["policy/v1".to_owned()]))), ["removed"]);
    assert_eq!(rules_of(&of(Outcome::Refused("it is invalid".to_owned()))), ["refused"]);
    assert_eq!(of(Outcome::Unknown(Unseen::new("forbidden"))).outcome, Came::Undetermined);
}

#[test]
fn the_linter_is_not_heard_of_what_does_not_render() {
    let refused = || Rendered::Refused { values: true, why: "no".to_owned(), place: None };
    assert_eq!(rules_of(&judged(&["values.yaml: no", "templates/: no"], refused())), ["values"]);
    assert_eq!(rules_of(&judged(&["Chart.yaml: no"], Rendered::Objects(Vec::new()))), ["lint"]);
}

#[test]
fn a_warning_is_read_from_its_header() {
    let header = r#"299 - "v1 Endpoints is deprecated in v1.33+; use \"EndpointSlice\"""#;
    let read = warning(header).unwrap();
    assert_eq!(read, r#"v1 Endpoints is deprecated in v1.33+; use "EndpointSlice""#);
    assert!(deprecates(&read, "v1", "Endpoints") && !deprecates(&read, "v1", "Service"));
    assert_eq!(warning("299 -"), None);
}

#[test]
fn a_refusal_is_told_from_what_nobody_knows() {
    let of = |problem, secret| {
        let error = ClusterError { asked: "try it".to_owned(), server: "a".to_owned(), problem, rule: None };
        not_taken(&error, secret)
    };
    let forbidden = |message: &str| Problem::Forbidden(message.to_owned());
    let refused = |code, message: &str| Problem::Refused { code, message: message.to_owned() };
    let rbac =
        "deployments.apps \"a\" is forbidden: User \"b\" cannot patch resource \"deployments\" in API group \"apps\"";
    for problem in [
        Problem::NotFound,
        forbidden(rbac),
        forbidden("unable to create new content in namespace a because it is being terminated"),
        refused(400, "admission webhook \"a\" does not support dry run"),
        refused(429, "later"),
        refused(503, "not now"),
        Problem::Unreachable("refused".to_owned()),
    ] {
        assert!(matches!(of(problem.clone(), false), Outcome::Unknown(_)), "{problem}");
    }
    for problem in [
        forbidden("pods \"a\" is forbidden: violates PodSecurity \"restricted:latest\""),
        refused(422, "Deployment.apps \"a\" is invalid"),
        refused(
            500,
            "failed to create typed patch object (a/b; apps/v1, Kind=Deployment): .spec.c: field not declared",
        ),
    ] {
        assert!(matches!(of(problem.clone(), false), Outcome::Refused(_)), "{problem}");
    }
    let hidden = of(refused(422, "hunter22 is invalid"), true);
    assert!(!format!("{hidden:?}").contains("hunter22"), "{hidden:?}");
}

#[test]
fn the_value_that_a_schema_refuses_is_named() {
    let before = "values don't meet the specifications of the schema(s) in the following chart(s): godel: ";
    for (said, named) in [
        ("- at '/replicaCount': got string, want integer", Some("replicaCount")),
        ("- at '/topologySpread/0/maxSkew': minimum: got 0, want 1", Some("topologySpread[0].maxSkew")),
        ("- at '/image': additional properties 'tga' not allowed", Some("image.tga")),
        ("- at '': additional properties 'replicas' not allowed", Some("replicas")),
        ("- replicaCount: Invalid type. Expected: integer, given: string", Some("replicaCount")),
        ("- (root): Additional property replicas is not allowed", Some("replicas")),
        ("something else", None),
    ] {
        assert_eq!(key(&format!("{before}{said}")).as_deref(), named, "{said}");
    }
}
