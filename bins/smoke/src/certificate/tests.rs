use prodtest_http::{Certificate, CertificateProblem, CertificateProblemKind, Failure, FailureKind};

use super::*;

const NOW: &str = "2026-03-01T12:00:00Z";

fn presented(not_after: &str) -> CertificateFacts {
    let leaf = Certificate {
        subject: "CN=demo".to_owned(),
        issuer: "CN=ca".to_owned(),
        names: vec!["demo.example".to_owned()],
        not_before: "2026-01-01T00:00:00Z".parse().unwrap(),
        not_after: not_after.parse().unwrap(),
        fingerprint: "00".to_owned(),
    };
    CertificateFacts {
        reached: true,
        protocol: Some("TLS 1.3".to_owned()),
        chain: vec![leaf],
        wrong_name_refused: true,
        ..CertificateFacts::default()
    }
}

/// The rules that are broken, and what is said.
fn broken(facts: &CertificateFacts, min_days: u32) -> Vec<(&'static str, String)> {
    let (_, unmet) = judge(facts, min_days, NOW.parse().unwrap());
    unmet.into_iter().map(|unmet| (unmet.rule, unmet.seen)).collect()
}

#[test]
fn it_must_last_so_many_whole_days() {
    for (not_after, min_days, holds) in [
        ("2026-03-15T12:00:00Z", 14, true),
        ("2026-03-15T11:59:59Z", 14, false),
        ("2026-03-01T12:00:01Z", 0, true),
        ("2026-03-01T11:59:59Z", 0, false),
        ("9999-01-01T00:00:00Z", 14, true),
    ] {
        let broken = broken(&presented(not_after), min_days);
        assert_eq!(broken.is_empty(), holds, "{not_after}: {broken:?}");
        assert!(broken.iter().all(|(rule, seen)| *rule == "expiry" && seen.contains(not_after)), "{broken:?}");
    }
}

#[test]
fn what_no_client_accepts_is_told_alone() {
    let mut facts = presented("2026-03-02T00:00:00Z");
    let problem = |kind, message: &str| CertificateProblem { kind, message: message.to_owned() };
    facts.problems = vec![
        problem(CertificateProblemKind::UnknownIssuer, "nobody vouches for it"),
        problem(CertificateProblemKind::WrongName, "it is for `a`"),
    ];
    assert_eq!(broken(&facts, 14), [("trust", "nobody vouches for it; it is for `a`".to_owned())]);
}

#[test]
fn without_a_handshake_there_is_nothing_to_measure() {
    for (kind, no_answer, ours) in [
        (FailureKind::Refused, true, false),
        (FailureKind::TimeoutTls, true, false),
        (FailureKind::Tls, false, false),
        (FailureKind::NoAuthorities, true, true),
    ] {
        let failure = Some(Failure { kind, message: "why".to_owned() });
        let (evidence, unmet) =
            judge(&CertificateFacts { failure, ..CertificateFacts::default() }, 14, NOW.parse().unwrap());
        assert!(evidence.is_empty());
        let [unmet] = &unmet[..] else { panic!("{unmet:?}") };
        assert_eq!((unmet.rule, unmet.no_answer, unmet.ours), ("handshake", no_answer, ours), "{kind}");
    }
    assert_eq!(broken(&CertificateFacts::default(), 14), [("handshake", "none".to_owned())]);
}

#[test]
fn the_days_that_are_left_are_evidence() {
    let (evidence, _) = judge(&presented("2026-05-30T12:00:00Z"), 14, NOW.parse().unwrap());
    let told: Vec<String> = evidence.iter().map(|one| format!("{}: {}", one.name, one.value)).collect();
    assert_eq!(told, ["days left: 90 days", "protocol: TLS 1.3"]);
}
