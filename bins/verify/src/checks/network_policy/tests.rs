use prodtest_gate::Outcome;
use serde_json::json;

use super::*;

fn id() -> CheckId {
    "verify/network-policy".parse().unwrap()
}

fn at() -> Where {
    Where { image: String::new(), pull_secrets: Vec::new(), allowed: Vec::new(), forbidden: Vec::new(), place: None }
}

fn judged(tries: &[(bool, Said)]) -> Judged {
    let tries = tries.iter().map(|(must_open, is)| Try {
        path: "from a to b".to_owned(),
        must_open: *must_open,
        is: *is,
        why: String::new(),
    });
    let facts = Facts { tries: tries.collect(), itself: Vec::new(), left: Vec::new() };
    NetworkPolicy::judge(&id(), &at(), &(), &facts)
}

#[test]
fn what_is_allowed_must_get_through_to_all_and_what_is_forbidden_to_none() {
    let rules = |tries: &[(bool, Said)]| judged(tries).findings.into_iter().map(|it| it.rule).collect::<Vec<_>>();
    assert_eq!(judged(&[(true, Said::Connected), (false, Said::TimedOut)]).outcome, Outcome::Passed);
    assert_eq!(rules(&[(true, Said::Connected), (true, Said::TimedOut)]), ["closed"]);
    assert_eq!(rules(&[(false, Said::TimedOut), (false, Said::Connected)]), ["open"]);
    assert_eq!(rules(&[(true, Said::NoName)]), ["closed"]);
    // A name that cannot be looked up says nothing of the way there.
    assert_eq!(judged(&[(true, Said::Connected), (false, Said::NoName)]).outcome, Outcome::Undetermined);
    assert_eq!(judged(&[]).outcome, Outcome::Undetermined);
}

#[test]
fn what_could_not_be_taken_away_is_told() {
    let tries = vec![Try { path: "p".to_owned(), must_open: true, is: Said::Connected, why: String::new() }];
    let facts = Facts { tries, itself: Vec::new(), left: vec!["the job `a`".to_owned()] };
    assert_eq!(NetworkPolicy::judge(&id(), &at(), &(), &facts).findings[0].rule, "cleanup");
}

#[test]
fn a_probe_that_could_not_connect_proves_nothing() {
    let tripped = |open: Said, closed: Said| {
        let facts = Facts { tries: Vec::new(), itself: vec![probe::Itself { open, closed }], left: Vec::new() };
        NetworkPolicy::control(&id(), &at(), &facts).unwrap().tripped
    };
    assert!(tripped(Said::Connected, Said::Refused));
    assert!(!tripped(Said::NoSocket, Said::NoSocket));
    assert!(!tripped(Said::Connected, Said::Connected));
}

#[test]
fn the_lines_of_a_probe_are_read() {
    let lines = probe::read(
        "{\"itself\":{\"open\":\"connected\",\"closed\":\"refused\"}}\n\
         {\"target\":\"closed=a:1\",\"is\":\"timed-out\",\"why\":\"w\"}\n",
    );
    let wanted = [Wanted { path: "p".to_owned(), must_open: false, address: "a:1".to_owned() }];
    let (itself, tries) = told(&lines.unwrap(), &wanted, &FromSection::default()).unwrap();
    assert_eq!((itself.open, tries[0].is), (Said::Connected, Said::TimedOut));
    assert!(told(&[], &wanted, &FromSection::default()).is_err());
    assert!(probe::read("hello").is_err());
}

#[test]
fn a_service_goes_by_its_address_and_anything_else_by_its_name() {
    let service =
        serde_json::from_value(json!({ "metadata": { "name": "api" }, "spec": { "clusterIP": "10.96.0.7" } }));
    let services = [service.unwrap()];
    let address = |to: &str| {
        let way = PathSection { to: Some(to.parse().unwrap()), ..PathSection::default() };
        wanted(&way, true, &[], &services).unwrap()[0].argument()
    };
    assert_eq!(address("api:80"), "open=10.96.0.7:80");
    assert_eq!(address("db.example:5432"), "open=db.example:5432");
    let way = PathSection { to_pods: Some(80), ..PathSection::default() };
    assert!(wanted(&way, true, &[], &[]).is_err());
}
