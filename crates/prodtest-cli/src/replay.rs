//! `--replay`: judges a recorded run again, offline.

use std::{error::Error, path::Path};

use prodtest_ci::Environment;
use prodtest_gate::{Pardons, Redactor, RunRecord, Waiver};

use crate::{
    CommandLine, Common, Refusal,
    conclude::{About, Concluded, conclude},
    finish::{self, prepare},
    output::Output,
};

/// Reads a record of this gate.
///
/// # Errors
/// When it cannot be read, is no record, or is another gate's.
pub(crate) fn read<G: CommandLine>(path: &Path) -> Result<RunRecord, Refusal> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Refusal::usage(format!("the record `{shown}` could not be read: {error}")))?;
    let record = prodtest_report::parse(&text).map_err(|error| {
        let message = format!("`{shown}` cannot be judged again: {}", whole(&error));
        let hint = format!("`--replay` takes the `{}.run.json` that a run left behind", G::NAME);
        Refusal::usage_with_hint(message, hint)
    })?;
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

/// An error with what caused it, in one line. It may quote the file, which may hold anything.
fn whole(error: &dyn Error) -> String {
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    let words: Vec<String> = chain.map(ToString::to_string).collect();
    words.join(": ").replace(char::is_control, " ")
}

/// What excuses what, when a record is judged under a configuration: its waivers; and what was allowed to be
/// undetermined in this call, or else in the recorded one.
pub(crate) fn pardons(record: &RunRecord, waivers: Vec<Waiver>, common: &Common) -> Pardons {
    let given = &common.allow_undetermined;
    let allowed = if given.is_empty() { &record.pardons.allow_undetermined } else { given };
    Pardons { waivers, allow_undetermined: allowed.clone() }
}

/// Writes and prints what judging it again came to. There are no secrets to look for: a record holds none.
///
/// # Errors
/// As a run.
pub(crate) fn finish(
    concluded: Concluded,
    common: &Common,
    environment: &Environment,
    output: &Output,
) -> Result<u8, Refusal> {
    prepare(&common.out)?;
    finish::finish(concluded, common, environment, output, &Redactor::default())
}

/// Judges its facts under another plan with its pardons, or under its own.
///
/// # Errors
/// When plan or facts have another shape than this version's.
pub(crate) fn judge<G: CommandLine>(
    record: &RunRecord,
    under: Option<(G::Plan, Pardons)>,
) -> Result<Concluded, Refusal> {
    let record = record.clone();
    let shape = |what: &str, error: serde_json::Error| {
        let message = format!("the record's {what} cannot be read by this version: {}", whole(&error));
        Refusal::usage_with_hint(message, format!("replay it with version {}", record.tool_version))
    };
    let facts: G::Facts = serde_json::from_value(record.facts.clone()).map_err(|error| shape("facts", error))?;
    let (plan, pardons) = match under {
        Some(other) => other,
        None => {
            (serde_json::from_value(record.plan.clone()).map_err(|error| shape("plan", error))?, record.pardons.clone())
        }
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
        pardons,
    };
    Ok(conclude::<G>(about, &plan, &facts))
}
