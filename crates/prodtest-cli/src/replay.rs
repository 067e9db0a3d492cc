//! `--replay`: judges a recorded run again, offline.

use std::path::Path;

use prodtest_gate::RunRecord;

use crate::{
    CommandLine, Refusal,
    conclude::{About, conclude},
};

/// Reads a record of this gate.
///
/// # Errors
/// When it cannot be read, is no record, or is another gate's.
pub(crate) fn read<G: CommandLine>(path: &Path) -> Result<RunRecord, Refusal> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Refusal::usage(format!("the record `{shown}` could not be read: {error}")))?;
    let record = prodtest_report::parse(&text)
        .map_err(|error| Refusal::usage(format!("`{shown}` is not a run record: {error}")))?;
    if record.gate != G::NAME {
        let hint = format!("use `prodtest-{} --replay {shown}`", record.gate);
        return Err(Refusal::usage_with_hint(format!("`{shown}` is a record of the gate `{}`", record.gate), hint));
    }
    if record.facts.is_null() {
        let message = format!("`{shown}` holds no facts: the run did not come to its end");
        return Err(Refusal::usage(message));
    }
    Ok(record)
}

/// Judges its facts under `plan`, or under its own plan.
///
/// # Errors
/// When plan or facts have another shape than this version's.
pub(crate) fn judge<G: CommandLine>(record: RunRecord, plan: Option<G::Plan>) -> Result<RunRecord, Refusal> {
    let shape = |what: &str, error: serde_json::Error| {
        let message = format!("the record's {what} cannot be read by this version: {error}");
        Refusal::usage_with_hint(message, format!("replay it with version {}", record.tool_version))
    };
    let facts: G::Facts = serde_json::from_value(record.facts.clone()).map_err(|error| shape("facts", error))?;
    let plan = match plan {
        Some(plan) => plan,
        None => serde_json::from_value(record.plan.clone()).map_err(|error| shape("plan", error))?,
    };
    let about = About {
        tool_version: record.tool_version,
        service: record.service,
        environment: record.environment,
        commit: record.commit,
        digest: record.digest,
        started: record.started,
        duration_ms: record.duration_ms,
        stopped: record.stopped,
        pardons: record.pardons,
    };
    Ok(conclude::<G>(about, &plan, &facts))
}
