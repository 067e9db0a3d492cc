//! `--replay`: judges a recorded run again, offline.

use std::{error::Error, path::Path};

use prodtest_ci::Environment;
use prodtest_gate::{Pardons, Redactor, Waiver};
use prodtest_report::ParseError;
use serde::Deserialize as _;
use serde_json::Value;

use crate::{
    CommandLine, Common, Refusal,
    conclude::{About, Concluded, conclude},
    finish::{self, prepare},
    output::Output,
};

/// What of a record its verdict is judged again from.
#[derive(Clone, Debug)]
pub(crate) struct Recorded {
    pub(crate) about: About,
    pub(crate) plan: Value,
    pub(crate) facts: Value,
}

/// Reads a record of this gate.
///
/// # Errors
/// When it cannot be read, is no record, or is another gate's.
pub(crate) fn read<G: CommandLine>(path: &Path) -> Result<Recorded, Refusal> {
    let shown = path.display();
    let text = std::fs::read_to_string(path)
        .map_err(|error| Refusal::usage(format!("the record `{shown}` could not be read: {error}")))?;
    let refuse = |error: &dyn Error| {
        let message = format!("`{shown}` cannot be judged again: {}", whole(error));
        let hint = format!("`--replay` takes the `{}.run.json` that a run left behind", G::NAME);
        Refusal::usage_with_hint(message, hint)
    };
    let mut record = prodtest_report::read(&text).map_err(|error| refuse(&error))?;
    let (plan, facts) = (record["plan"].take(), record["facts"].take());
    let gate = record["gate"].as_str().unwrap_or_default().to_owned();
    let about = About::deserialize(&record).map_err(|error| refuse(&ParseError::Shape(error)))?;
    if gate != G::NAME {
        let hint = format!("use `prodtest-{gate} --replay {shown}`");
        return Err(Refusal::usage_with_hint(format!("`{shown}` is a record of the gate `{gate}`"), hint));
    }
    if facts.is_null() {
        let message = format!("`{shown}` holds no facts: the run did not come to its end");
        return Err(Refusal::usage(message));
    }
    Ok(Recorded { about, plan, facts })
}

/// An error with what caused it, in one line. It may quote the file, which may hold anything.
fn whole(error: &dyn Error) -> String {
    let chain = std::iter::successors(Some(error), |error| (*error).source());
    let words: Vec<String> = chain.map(ToString::to_string).collect();
    words.join(": ").replace(char::is_control, " ")
}

/// What excuses what, when a record is judged under a configuration: its waivers; and what was allowed to be
/// undetermined in this call, or else in the recorded one.
pub(crate) fn pardons(record: &Recorded, waivers: Vec<Waiver>, common: &Common) -> Pardons {
    let given = &common.allow_undetermined;
    let allowed = if given.is_empty() { &record.about.pardons.allow_undetermined } else { given };
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
    record: &Recorded,
    under: Option<(G::Plan, Pardons)>,
) -> Result<Concluded, Refusal> {
    let shape = |what: &str, error: serde_json::Error| {
        let message = format!("the record's {what} cannot be read by this version: {}", whole(&error));
        Refusal::usage_with_hint(message, format!("replay it with version {}", record.about.tool_version))
    };
    let facts = G::Facts::deserialize(&record.facts).map_err(|error| shape("facts", error))?;
    let mut about = record.about.clone();
    let plan = match under {
        Some((plan, pardons)) => {
            about.pardons = pardons;
            plan
        }
        None => G::Plan::deserialize(&record.plan).map_err(|error| shape("plan", error))?,
    };
    Ok(conclude::<G>(about, &plan, &facts))
}
