//! Tells the platform that the gate runs on. Decoration: what fails here changes no verdict.

use std::path::{Path, PathBuf};

use prodtest_ci::{Environment, annotations, append_outputs, append_summary, dotenv, outputs};
use prodtest_gate::RunRecord;

use crate::{flags::Format, output::Output, write};

/// Tells the platform; returns what could not be told.
pub(crate) fn publish(record: &RunRecord, out: &Path, environment: &Environment, output: &Output) -> Vec<String> {
    let mut problems = files(record, out, output);
    if output.format == Format::Github {
        for line in annotations(record) {
            output.command(&line);
        }
        problems.extend(append_outputs(environment, &outputs(record, &page(record, out))));
        problems.extend(append_summary(environment, record));
    }
    problems
}

/// Writes what the platform reads from files of ours: those of an earlier run must not speak for this one.
pub(crate) fn files(record: &RunRecord, out: &Path, output: &Output) -> Vec<String> {
    if output.format != Format::Gitlab {
        return Vec::new();
    }
    let name = format!("{}.env", record.gate);
    let written = write::whole(out, &name, &dotenv(record, &page(record, out)));
    written.err().map(|error| format!("`{name}` could not be written: {error}")).into_iter().collect()
}

fn page(record: &RunRecord, out: &Path) -> PathBuf {
    out.join(prodtest_report::Format::Html.file_name(&record.gate))
}
