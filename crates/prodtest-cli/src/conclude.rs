//! From plan and facts to a run record. Pure, so that a recorded run gives the same record again.

use jiff::{Timestamp, tz::TimeZone};
use prodtest_gate::{Check, Gate, Pardons, RunRecord, SCHEMA_VERSION, Verdict, settle};
use serde::Deserialize;

/// What a record says beside plan, facts and judgement.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct About {
    pub(crate) tool_version: String,
    pub(crate) service: String,
    pub(crate) environment: String,
    pub(crate) commit: Option<String>,
    pub(crate) digest: Option<String>,
    pub(crate) started: Timestamp,
    pub(crate) duration_ms: u64,
    pub(crate) stopped: Option<String>,
    pub(crate) pardons: Pardons,
}

/// A judged run.
#[derive(Clone, Debug)]
pub(crate) struct Concluded {
    /// The record.
    pub(crate) record: RunRecord,
    /// What is wrong with the configuration, where only the run could show it.
    pub(crate) misconfigured: Option<String>,
}

/// Judges facts under a plan.
pub(crate) fn conclude<G: Gate>(about: About, plan: &G::Plan, facts: &G::Facts) -> Concluded {
    let controls = G::controls(plan, facts);
    let today = about.started.to_zoned(TimeZone::UTC).date();
    let checks = G::checks(plan, Some(facts));
    let settled = settle(G::NAME, checks, G::judge(plan, facts), &controls, &about.pardons, today);
    let misconfigured = G::misconfigured(plan, facts);
    let facts_json = serde_json::to_value(facts).unwrap_or_default();
    let record = RunRecord {
        controls,
        figures: G::figures(plan, facts),
        // Checks that cannot be told apart may have hidden one another.
        verdict: match settled.verdict {
            Verdict::Passed if misconfigured.is_some() => Verdict::Undetermined,
            verdict => verdict,
        },
        checks: settled.checks,
        findings: settled.findings,
        notes: settled.notes.into_iter().chain(G::remarks(plan, facts)).chain(misconfigured.clone()).collect(),
        listings: G::listings(plan, facts),
        digest: G::digest(plan, facts).or_else(|| about.digest.clone()),
        ..record::<G>(about, plan, facts_json)
    };
    Concluded { record, misconfigured }
}

/// The record of a run that has not ended: everything undetermined. It stands until the real one takes its place, so
/// that a run that is killed leaves no green report of an earlier one behind. `why` is the reason that it gives.
pub(crate) fn unfinished<G: Gate>(about: About, plan: &G::Plan, why: &str) -> RunRecord {
    let today = about.started.to_zoned(TimeZone::UTC).date();
    let checks: Vec<Check> = G::checks(plan, None);
    let judged = checks
        .iter()
        .filter(|check| check.left_out.is_none())
        .map(|check| prodtest_gate::Judged::undetermined(check.id.clone(), why))
        .collect();
    let settled = settle(G::NAME, checks, judged, &[], &Pardons::default(), today);
    RunRecord {
        verdict: Verdict::Undetermined,
        checks: settled.checks,
        findings: settled.findings,
        stopped: Some(why.to_owned()),
        ..record::<G>(about, plan, serde_json::Value::Null)
    }
}

fn record<G: Gate>(about: About, plan: &G::Plan, facts: serde_json::Value) -> RunRecord {
    RunRecord {
        schema_version: SCHEMA_VERSION,
        gate: G::NAME.to_owned(),
        question: G::QUESTION.to_owned(),
        tool_version: about.tool_version,
        service: about.service,
        environment: about.environment,
        commit: about.commit,
        digest: about.digest,
        verdict: Verdict::Undetermined,
        stopped: about.stopped,
        started: about.started,
        duration_ms: about.duration_ms,
        checks: Vec::new(),
        findings: Vec::new(),
        controls: Vec::new(),
        figures: Vec::new(),
        notes: Vec::new(),
        listings: Vec::new(),
        pardons: about.pardons,
        plan: serde_json::to_value(plan).unwrap_or_default(),
        facts,
    }
}
