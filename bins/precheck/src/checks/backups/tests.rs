use prodtest_gate::Outcome;

use super::*;

fn judged(backups: Vec<Backup>) -> Judged {
    let facts = Facts { now: "2026-03-01T12:00:00Z".parse().unwrap(), backups };
    let id = CheckId::new("precheck", "backups").unwrap();
    let limits = Limits { max_age: Period(MAX_AGE), place: None };
    Backups::judge(&id, &Source::CronJob("backup".to_owned()), &limits, &facts)
}

fn backup(newest: Option<&str>) -> Backup {
    Backup { what: "it".to_owned(), newest: newest.map(|time| time.parse().unwrap()), remark: None }
}

#[test]
fn a_backup_must_be_young_enough() {
    for (newest, outcome) in [
        ("2026-03-01T11:59:59Z", Outcome::Passed),
        ("2026-03-01T08:00:00Z", Outcome::Passed),
        ("2026-03-01T07:59:59Z", Outcome::Failed),
        ("2026-03-01T12:00:30Z", Outcome::Passed),
        // No clock is that far ahead: who knows how old it is.
        ("2026-03-01T12:02:00Z", Outcome::Undetermined),
    ] {
        assert_eq!(judged(vec![backup(Some(newest))]).outcome, outcome, "{newest}");
    }
    let old = judged(vec![backup(Some("2026-02-27T10:00:00Z"))]);
    assert_eq!(old.findings[0].message, "the newest good backup of it is 2 days 2 h old, of 2026-02-27T10:00:00Z");
}

#[test]
fn each_thing_needs_a_backup_of_its_own() {
    let judged = judged(vec![backup(Some("2026-03-01T11:00:00Z")), backup(None)]);
    assert_eq!((judged.outcome, judged.findings[0].rule.as_str()), (Outcome::Failed, "none"));
}

#[test]
fn a_backup_of_pgbackrest_with_an_error_is_none() {
    let printed = r#"[
        {"name": "main", "status": {"code": 0, "message": "ok"}, "backup": [
            {"label": "a", "error": false, "timestamp": {"start": 100, "stop": 200}},
            {"label": "b", "error": true, "timestamp": {"start": 300, "stop": 400}},
            {"label": "c", "timestamp": {"start": 1, "stop": 150}}
        ]},
        {"name": "other", "status": {"code": 2, "message": "no valid backups"}, "backup": []}
    ]"#;
    let stanzas = command::pgbackrest(printed).unwrap();
    assert_eq!(stanzas[0].newest, Some(Timestamp::from_second(200).unwrap()));
    assert_eq!((stanzas[0].remark.as_deref(), stanzas[1].newest), (None, None));
    assert_eq!(stanzas[1].remark.as_deref(), Some("pgBackRest says of it: no valid backups"));
    assert_eq!(command::pgbackrest("[]").unwrap()[0].newest, None);
    assert!(command::pgbackrest("ERROR: [055]: unable to open").is_err());
}

#[test]
fn a_command_prints_a_time_last() {
    let words = ["tell".to_owned()];
    let time = |printed: &str| command::time(&words, printed).map(|backup| backup.newest.unwrap().to_string());
    assert_eq!(time("looking …\n2026-03-01T04:00:00+01:00\n\n").unwrap(), "2026-03-01T03:00:00Z");
    assert_eq!(time("1772334000\n").unwrap(), "2026-03-01T03:00:00Z");
    for garbage in ["", "yesterday", "2026-03-01"] {
        assert!(time(garbage).is_err(), "{garbage}");
    }
}

#[tokio::test]
async fn a_command_that_fails_says_nothing_of_backups() {
    let words = |text: &str| ["sh", "-c", text].map(str::to_owned);
    assert_eq!(command::output(&words("echo 5")).await.unwrap(), "5\n");
    let failed = command::output(&words("echo 5; echo no such host >&2; exit 3")).await.unwrap_err();
    assert!(failed.message.contains("exit status: 3") && failed.message.contains("no such host"), "{failed}");
    let missing = command::output(&["prodtest-no-such-program".to_owned()]).await.unwrap_err();
    assert!(missing.message.contains("is not installed"), "{missing}");
}

#[test]
fn a_time_is_told_in_two_units() {
    for (seconds, told) in [(59, "0 min"), (3_600, "1 h 0 min"), (90_000, "1 day 1 h"), (180_000, "2 days 2 h")] {
        assert_eq!(words(SignedDuration::from_secs(seconds)), told);
    }
}
