use prodtest_gate::Outcome;
use prodtest_http::FailureKind;

use super::{pages::Answer, *};

const URL: &str = "https://runbooks.example/godel/down";

fn asks() -> Asks {
    Asks {
        documents: Vec::new(),
        rules: Vec::new(),
        from_cluster: false,
        connect: None,
        ca: None,
        within: Period::default(),
    }
}

fn id() -> CheckId {
    CheckId::new("precheck", "runbooks").unwrap()
}

fn judged(facts: &Facts) -> Judged {
    Runbooks::judge(&id(), &asks(), &Limits { within: Period::default() }, facts)
}

fn page(answer: Answer) -> Page {
    Page { url: URL.to_owned(), sent_on: None, answer }
}

fn facts(alerts: Vec<Alert>, pages: Vec<Page>) -> Facts {
    Facts { alerts, files: Vec::new(), pages, controls: Vec::new() }
}

fn alert(runbook: Option<&str>) -> Alert {
    Alert { name: "Down".to_owned(), of: "`a.yaml`".to_owned(), place: None, runbook: runbook.map(str::to_owned) }
}

#[test]
fn a_page_must_answer() {
    let failure = |kind| Answer::Failure(kind, String::new());
    for (answer, outcome) in [
        (Answer::Status(200, 1), Outcome::Passed),
        (Answer::Status(200, 0), Outcome::Failed),
        (Answer::Status(204, 0), Outcome::Failed),
        (Answer::Status(404, 9), Outcome::Failed),
        (Answer::Status(500, 9), Outcome::Failed),
        (Answer::Status(403, 9), Outcome::Undetermined),
        (Answer::Hops, Outcome::Failed),
        (Answer::Lost, Outcome::Failed),
        (failure(FailureKind::Refused), Outcome::Failed),
        (failure(FailureKind::Timeout), Outcome::Undetermined),
        (failure(FailureKind::Resolve), Outcome::Undetermined),
        (failure(FailureKind::NoAuthorities), Outcome::Undetermined),
    ] {
        assert_eq!(judged(&facts(Vec::new(), vec![page(answer.clone())])).outcome, outcome, "{answer:?}");
    }
    let broken = judged(&facts(vec![alert(Some(URL))], vec![page(Answer::Status(404, 9))]));
    assert_eq!(broken.findings[0].because.as_deref(), Some("it is the runbook of `Down`"));
}

#[test]
fn an_alert_must_name_a_runbook() {
    let of = |runbook: Option<&str>| judged(&facts(vec![alert(runbook)], Vec::new()));
    assert_eq!(of(None).findings[0].rule, "no-runbook");
    assert_eq!(of(Some("wiki: down")).findings[0].rule, "no-url");
    assert_eq!(of(Some("https://a.example/{{ $labels.job }}")).outcome, Outcome::Undetermined);
    assert_eq!(of(Some(URL)).outcome, Outcome::Passed);
}

#[test]
fn where_there_is_nothing_nothing_is_proven() {
    assert_eq!(judged(&facts(Vec::new(), Vec::new())).outcome, Outcome::Undetermined);
}

#[test]
fn a_host_that_has_every_page_proves_nothing() {
    let with = |status| Facts { controls: vec![page(Answer::Status(status, 1))], ..facts(Vec::new(), Vec::new()) };
    assert!(Runbooks::control(&id(), &asks(), &with(404)).unwrap().tripped);
    assert!(!Runbooks::control(&id(), &asks(), &with(200)).unwrap().tripped);
    assert_eq!(Runbooks::control(&id(), &asks(), &facts(Vec::new(), Vec::new())), None);
}

#[test]
fn rules_are_read_from_files_of_both_kinds() {
    let plain = "groups:\n- name: a\n  rules:\n  - record: x\n    expr: 1\n  - alert: \"Down\"\n    expr: up == 0\n    annotations:\n      runbook_url: https://a.example/down\n";
    let alerts = rules::of_text("a.yaml", plain).unwrap();
    assert_eq!((alerts.len(), alerts[0].runbook.as_deref()), (1, Some("https://a.example/down")));
    assert_eq!(alerts[0].place.as_ref().map(|place| (place.line, place.column)), Some((6, 5)));
    let manifest = "kind: ConfigMap\n---\nkind: PrometheusRule\nspec:\n  groups:\n  - rules:\n    - { alert: Down, annotations: { runbook_url: '' } }\n    - { alert: DownToo }\n";
    let alerts = rules::of_text("b.yaml", manifest).unwrap();
    assert_eq!(alerts.iter().map(|alert| alert.runbook.as_deref()).collect::<Vec<_>>(), [None, None]);
    assert_eq!(alerts[1].place.as_ref().map(|place| place.line), Some(8));
    assert!(rules::of_text("c.yaml", "kind: ConfigMap\n").unwrap_err().message.contains("no rules of Prometheus"));
    assert!(rules::of_text("d.yaml", "groups: [").unwrap_err().message.contains("is not YAML"));
}

#[test]
fn a_login_in_a_link_is_neither_used_nor_told() {
    let text = "groups:\n- rules:\n  - alert: Down\n    annotations: { runbook_url: 'https://me:s3cret@a.example/down?x=1' }\n";
    let alerts = rules::of_text("a.yaml", text).unwrap();
    assert_eq!(alerts[0].runbook.as_deref(), Some("https://a.example/down?x=1"));
}

#[test]
fn a_document_must_be_there_and_have_something_in_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.md");
    let name = file.to_str().unwrap();
    assert_eq!(look(name), File::Missing);
    std::fs::write(&file, " \n").unwrap();
    assert_eq!(look(name), File::Empty);
    std::fs::write(&file, "# What to do").unwrap();
    assert_eq!(look(name), File::There);
    assert_eq!(look(folder.path().to_str().unwrap()), File::Missing);
}
