use prodtest_gate::Outcome;

use super::*;

fn wanted(secret: &str, key: Option<&str>, file: bool) -> Wanted {
    let key = key.map(str::to_owned);
    Wanted { secret: secret.to_owned(), key, file, by: "Deployment a".to_owned(), place: None }
}

fn judged(wanted: Vec<Wanted>, sources: Vec<Source>) -> Judged {
    let keys = [("ok", vec![]), ("line", vec![Flaw::Newline]), ("none", vec![Flaw::Empty])];
    let keys = keys.map(|(key, flaws)| (key.to_owned(), flaws));
    let login = BTreeMap::from([(OLD_LOGIN.to_owned(), Vec::new())]);
    let secrets = BTreeMap::from([
        ("a".to_owned(), BTreeMap::from(keys)),
        ("login".to_owned(), login),
        ("void".to_owned(), BTreeMap::new()),
    ]);
    let facts = Facts { wanted: Ok(wanted), secrets, sources };
    Secrets::judge(&CheckId::new("precheck", "secrets").unwrap(), &Vec::new(), &(), &facts)
}

fn told(wanted: Vec<Wanted>) -> Vec<String> {
    judged(wanted, Vec::new()).findings.iter().map(|finding| format!("{} {}", finding.rule, finding.subject)).collect()
}

#[test]
fn what_is_referred_to_must_be_there_and_be_meant() {
    assert!(told(vec![wanted("a", Some("ok"), false)]).is_empty());
    assert_eq!(told(vec![wanted("b", None, false)]), ["missing b"]);
    assert_eq!(told(vec![wanted("a", Some("other"), false)]), ["key-missing a/other"]);
    assert_eq!(told(vec![wanted("void", None, false)]), ["key-missing void"]);
    assert_eq!(told(vec![wanted("a", None, false)]), ["newline a/line", "empty a/none"]);
    assert_eq!(told(vec![wanted("a", None, true)]), ["empty a/none"], "a line of a file may end");
    assert!(told(vec![wanted("login", Some(LOGIN), true)]).is_empty(), "a login of old is one");
    assert_eq!(told(vec![wanted("b", Some("x"), false), wanted("b", Some("y"), false)]), ["missing b"], "once");
}

#[test]
fn what_is_not_synced_is_told() {
    let source = |not: Option<&str>| Source {
        kind: "SealedSecret".to_owned(),
        name: "a".to_owned(),
        condition: "Synced".to_owned(),
        not: not.map(str::to_owned),
    };
    assert_eq!(judged(Vec::new(), vec![source(None)]).outcome, Outcome::Passed);
    let bad = judged(Vec::new(), vec![source(Some("no key could decrypt it"))]);
    assert_eq!(bad.findings[0].message, "SealedSecret `a` is not synced: no key could decrypt it");
}

#[test]
fn what_the_configuration_names_is_told_without_the_chart() {
    let facts = |secrets: BTreeMap<_, _>| Facts { wanted: Err(Unseen::new("no chart")), secrets, sources: Vec::new() };
    let id = CheckId::new("precheck", "secrets").unwrap();
    let target = vec![wanted("a", None, false)];
    assert_eq!(Secrets::judge(&id, &target, &(), &facts(BTreeMap::new())).outcome, Outcome::Failed);
    let there = BTreeMap::from([("a".to_owned(), BTreeMap::from([("k".to_owned(), Vec::new())]))]);
    assert_eq!(Secrets::judge(&id, &target, &(), &facts(there)).outcome, Outcome::Undetermined);
}
