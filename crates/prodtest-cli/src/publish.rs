//! Tells the platform that the gate runs on. Decoration: what fails here changes no verdict.

use std::path::Path;

use prodtest_ci::{Environment, annotations, append_outputs, append_summary, dotenv, outputs};
use prodtest_gate::RunRecord;

use crate::{flags::Format, output::Output, write};

/// Tells the platform; returns what could not be told.
pub(crate) fn publish(record: &RunRecord, out: &Path, environment: &Environment, output: &Output) -> Vec<String> {
    let page = out.join(prodtest_report::Format::Html.file_name(&record.gate));
    match output.format {
        Format::Github => {
            for line in annotations(record) {
                output.command(&line);
            }
            let problems = [append_outputs(environment, &outputs(record, &page)), append_summary(environment, record)];
            problems.into_iter().flatten().collect()
        }
        Format::Gitlab => {
            let name = format!("{}.env", record.gate);
            let written = write::whole(out, &name, &dotenv(record, &page));
            written.err().map(|error| format!("`{name}` could not be written: {error}")).into_iter().collect()
        }
        Format::Human | Format::Json => Vec::new(),
    }
}
