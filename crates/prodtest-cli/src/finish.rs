//! The end of a call: the reports, what is printed, what the platform is told, and the exit code.

use std::path::Path;

use prodtest_ci::Environment;
use prodtest_gate::{Redactor, RunRecord, Verdict};

use crate::{Common, Refusal, conclude::Concluded, flags::Format, output::Output, publish, write};

/// Writes the reports of a run that has not ended: they stand until the real ones take their place.
///
/// # Errors
/// When the folder cannot be written to. Nothing was asked of the service yet.
pub(crate) fn placeholder(record: &RunRecord, out: &Path, output: &Output, sweep: &Redactor) -> Result<(), Refusal> {
    prepare(out)?;
    let written = write_reports(&swept(record, sweep), out, sweep);
    match written.problems.into_iter().chain(publish::files(record, out, output)).next() {
        Some(problem) => Err(unwritable(out, &problem)),
        None => Ok(()),
    }
}

/// Makes the folder of the reports.
///
/// # Errors
/// When it cannot be made or written to.
pub(crate) fn prepare(out: &Path) -> Result<(), Refusal> {
    write::prepare(out).map_err(|error| unwritable(out, &error.to_string()))
}

fn unwritable(out: &Path, why: &str) -> Refusal {
    let message = format!("the folder of the reports, `{}`, cannot be written to: {why}", out.display());
    Refusal::usage_with_hint(message, "name another with `--out DIR`")
}

/// Writes the reports, prints the end, tells the platform, and gives the exit code.
///
/// # Errors
/// When the run showed that the configuration is wrong; the reports are written all the same.
pub(crate) fn finish(
    Concluded { record, misconfigured }: Concluded,
    common: &Common,
    environment: &Environment,
    output: &Output,
    sweep: &Redactor,
) -> Result<u8, Refusal> {
    let record = &swept(&record, sweep);
    let written = write_reports(record, &common.out, sweep);
    match output.format {
        Format::Json => output.result(&prodtest_report::Format::Run.render(record).unwrap_or_default()),
        Format::Human | Format::Github | Format::Gitlab => {
            output.result(&prodtest_report::terminal(record, output.color, width()));
        }
    }
    let unpublished = publish::publish(record, &common.out, environment, output);
    for problem in written.problems.iter().chain(&unpublished) {
        output.warning(problem);
    }
    match (misconfigured, record.verdict) {
        (Some(message), _) => Err(Refusal::usage(message)),
        // A verdict without its record cannot be judged again.
        (None, Verdict::Passed) if !written.record => Ok(Verdict::Undetermined.exit_code()),
        (None, verdict) => Ok(verdict.exit_code()),
    }
}

/// The record without secrets. Facts never hold one; what a user wrote into a scenario may, and once it is escaped for
/// a page nobody would find it.
fn swept(record: &RunRecord, sweep: &Redactor) -> RunRecord {
    let text = prodtest_report::Format::Run.render(record).unwrap_or_default();
    let clean = sweep.text(&text);
    // A secret that is a word of the record's own, `passed`, would leave no record.
    if clean == text { record.clone() } else { prodtest_report::parse(&clean).unwrap_or_else(|_| record.clone()) }
}

/// What came of writing the reports.
struct Written {
    /// Whether the record, from which all others can be made again, is on the disk.
    record: bool,
    /// What could not be written, and why.
    problems: Vec<String>,
}

/// Writes every report; a record that cannot be written is among the problems, whole, for standard error.
fn write_reports(record: &RunRecord, out: &Path, sweep: &Redactor) -> Written {
    let mut written = Written { record: true, problems: Vec::new() };
    for report in prodtest_report::render_all(record) {
        let result = match &report.text {
            Ok(text) => write::whole(out, &report.file, &sweep.text(text)).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        let Err(error) = result else { continue };
        written.problems.push(format!("`{}` could not be written: {error}", out.join(&report.file).display()));
        if report.format == prodtest_report::Format::Run {
            written.record = false;
            let text = report.text.map(|text| sweep.text(&text)).unwrap_or_default();
            written.problems.push(format!("the record, which has no other place:\n{text}"));
        }
    }
    written
}

/// The width of the terminal; a log has as much as is easy to read.
fn width() -> usize {
    terminal_size::terminal_size().map_or(100, |(width, _)| usize::from(width.0)).clamp(60, 160)
}
