//! Records for the tests: a green one, a red one, a flood, and what strangers say.

use prodtest_gate::{
    Check, CheckId, CheckRecord, Control, Evidence, Figure, Finding, Listing, Mark, Outcome, Pardon, Pardons, Place,
    Quantity, RunRecord, SCHEMA_VERSION, Series, Severity, Unit, Verdict,
};
use proptest::prelude::*;

/// What a service may put into a message.
pub(crate) const HOSTILE: &str = "]]> <script>alert(1)</script> %0A::error::x\n::error::y\r##[error]z | `a` b` \
    @everyone https://evil.example \u{1b}[31mred\u{1b}[0m \0 \u{b} \u{fffe} \u{202e} </style> {{ 7 * 7 }} &amp; \"'";

fn id(name: &str) -> CheckId {
    CheckId::new("smoke", name).unwrap()
}

pub(crate) fn check(name: &str, title: &str, outcome: Outcome) -> CheckRecord {
    CheckRecord {
        check: Check::new(id(name), title),
        outcome,
        reason: None,
        pardon: None,
        evidence: Vec::new(),
        series: Vec::new(),
        duration_ms: 12.0,
    }
}

/// A record in which all is well.
pub(crate) fn green() -> RunRecord {
    let health = CheckRecord {
        evidence: vec![
            Evidence::new("GET /api/health", Quantity::milliseconds(34.0)).limited(Quantity::milliseconds(2000.0)),
        ],
        ..check("health", "the service says that it is well", Outcome::Passed)
    };
    let burst = CheckRecord {
        duration_ms: 2100.0,
        evidence: vec![
            Evidence::new("slowest request", Quantity::milliseconds(212.5)).limited(Quantity::milliseconds(500.0)),
            Evidence::new("requests", Quantity::count(50)),
        ],
        series: vec![
            Series::new(
                "duration of each request",
                Unit::Milliseconds,
                (0..50).map(|i| 80.0 + 13.0 * f64::from(i % 11)).collect(),
            )
            .limited(Some(500.0)),
        ],
        ..check("burst", "50 agents at once are accepted", Outcome::Passed)
    };
    let tls = CheckRecord {
        reason: Some("the address is not HTTPS".into()),
        duration_ms: 0.0,
        ..check("tls", "the certificate lasts", Outcome::Skipped)
    };
    RunRecord {
        schema_version: SCHEMA_VERSION,
        gate: "smoke".into(),
        question: "Does it do its job for a user?".into(),
        tool_version: "0.1.0".into(),
        service: "godel".into(),
        environment: "staging".into(),
        commit: Some("0123456789abcdef0123456789abcdef01234567".into()),
        digest: None,
        verdict: Verdict::Passed,
        stopped: None,
        started: "2026-03-01T10:00:00.25Z".parse().unwrap(),
        duration_ms: 2134,
        checks: vec![health, burst, tls],
        findings: Vec::new(),
        controls: vec![Control {
            name: "a status of 500 where 200 is asked for".into(),
            tripped: true,
            detail: "`GET /` of the loopback server gave 500 and was noticed".into(),
            proves: Vec::new(),
        }],
        figures: vec![Figure { name: "slowest-ms".into(), value: Quantity::milliseconds(212.5) }],
        notes: Vec::new(),
        listings: Vec::new(),
        pardons: Pardons::default(),
        plan: serde_json::json!({ "url": "http://127.0.0.1:7373", "within": "2s" }),
        facts: serde_json::json!({ "health": { "status": 200, "took-ms": 34.0 } }),
    }
}

/// A record with one of everything: two failures, a consequence, a waiver, a note.
pub(crate) fn red() -> RunRecord {
    let mut record = green();
    record.verdict = Verdict::Failed;
    record.checks[0].outcome = Outcome::Failed;
    record.findings.push(
        Finding::new(&id("health"), "status", "get", "`GET /api/health` answered 503")
            .expected("200", "503 Service Unavailable")
            .at(Some(Place { file: "prodtest.yaml".into(), line: 12, column: 3 })),
    );
    let spawn = CheckRecord {
        evidence: vec![Evidence::new("status", Quantity::Text("500".into())).limited(Quantity::Text("201".into()))],
        ..check("spawn", "an agent can be spawned", Outcome::Failed)
    };
    record.checks.push(spawn);
    record.findings.push(Finding {
        severity: Severity::Critical,
        because: Some("the database refuses connections:\n`dial tcp 10.0.0.7:5432: connection refused`".into()),
        command: Some("curl -sS -X POST http://127.0.0.1:7373/api/agents".into()),
        place: Some(Place { file: "scenarios/agent life.yaml".into(), line: 7, column: 5 }),
        ..Finding::new(&id("spawn"), "status", "spawn", "`POST /api/agents` answered 500")
            .expected("201", "500 Internal Server Error")
            .help("read the log of the pod that answered")
    });
    let reason = "`smoke/spawn`, on which it leans, failed";
    record.checks.push(CheckRecord {
        reason: Some(reason.into()),
        ..check("lifecycle", "an agent ends", Outcome::Undetermined)
    });
    record.findings.push(Finding::new(
        &id("lifecycle"),
        "undetermined",
        "",
        format!("could not be measured: {reason}"),
    ));
    let pardon = Pardon::Waiver {
        owner: "ops".into(),
        reason: "until the gateway is replaced".into(),
        expires: jiff::civil::date(2026, 6, 1),
    };
    record.checks.push(CheckRecord {
        pardon: Some(pardon.clone()),
        ..check("cors", "other origins are refused", Outcome::Failed)
    });
    record
        .findings
        .push(Finding { pardon: Some(pardon), ..Finding::new(&id("cors"), "origin", "any", "any origin is allowed") });
    record.notes.push("the waiver at waivers.yaml:9:1 excused nothing in this run".into());
    record
}

/// A red record in which a stranger says `text` wherever strangers can say anything.
pub(crate) fn saying(text: &str) -> RunRecord {
    let mut record = red();
    for finding in &mut record.findings {
        finding.message = text.to_owned();
        for field in [&mut finding.seen, &mut finding.because, &mut finding.help, &mut finding.command] {
            *field = Some(text.to_owned());
        }
        finding.place = Some(Place { file: text.to_owned(), line: 1, column: 1 });
    }
    for check in &mut record.checks {
        check.check.title = text.to_owned();
        check.reason = Some(text.to_owned());
        check.evidence.push(Evidence::new(text, Quantity::Text(text.to_owned())));
        for series in &mut check.series {
            series.name = text.to_owned();
            series.times = (0..series.values.len()).map(|i| i as f64 * 1000.0).collect();
            series.marks = vec![Mark { at_ms: 7000.0, label: text.to_owned() }];
        }
    }
    record.controls[0].detail = text.to_owned();
    record.notes.push(text.to_owned());
    record.listings = vec![Listing { title: text.to_owned(), text: text.to_owned() }];
    record.stopped = Some(text.to_owned());
    record.environment = text.to_owned();
    record.service = text.to_owned();
    record.digest = Some(text.to_owned());
    record.facts = serde_json::json!({ text: [text, text.len()] });
    record
}

/// Everything bad at once, and much of it.
pub(crate) fn hostile() -> RunRecord {
    let long = format!("{HOSTILE}{}", "long ".repeat(20_000));
    saying(&long)
}

/// A scanner's flood: one failed check with that many findings.
pub(crate) fn flood(findings: usize) -> RunRecord {
    let mut record = green();
    record.verdict = Verdict::Failed;
    record.checks[0].outcome = Outcome::Failed;
    record.findings = (0..findings)
        .map(|i| {
            let severity = [Severity::Low, Severity::High, Severity::Medium, Severity::Critical][i % 4];
            let message = format!("`package-{i}` has a known weakness");
            Finding { severity, ..Finding::new(&id("health"), "cve", format!("package-{i}"), message) }
                .expected("a version without one", "1.2.3")
                .at(Some(Place { file: "Cargo.lock".into(), line: 1, column: 1 }))
        })
        .collect();
    record
}

/// Texts of every kind, the bad ones often.
pub(crate) fn any_text() -> impl Strategy<Value = String> {
    let bad = prop::sample::select(vec![
        "]]>",
        "]]",
        ">",
        "<script>",
        "</script>",
        "<!--",
        "-->",
        "&",
        "\"",
        "'",
        "`",
        "|",
        "\n",
        "\r",
        "::error::",
        "\u{1b}[31m",
        "\u{1b}]0;",
        "\0",
        "\u{9b}",
        "\u{fffe}",
        "\u{202e}",
        "\u{85}",
        "{{",
        "{%",
        "%0A",
        "@team",
        "é",
        "\u{1f600}",
    ]);
    prop::collection::vec(prop_oneof![bad.prop_map(str::to_owned), ".{0,6}"], 0..12).prop_map(|parts| parts.concat())
}
