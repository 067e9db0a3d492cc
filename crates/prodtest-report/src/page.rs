//! What the HTML page is told: the record's texts, cleaned and of bounded length, in the page's order.

use std::io;

use askama::Template;
use prodtest_gate::{CheckRecord, Evidence, Outcome, RunRecord};

use crate::{
    Format,
    html::filters,
    plot::Plot,
    problem::{self, COMMAND, Problem},
    text, words,
};

/// A page with more than this is slow on a phone; the run record has everything.
const MAX_CHECKS: usize = 1000;
const MAX_PROBLEMS: usize = 200;
const MAX_PLOTS: usize = 40;
const MAX_EVIDENCE: usize = 50;
const MAX_LISTED: usize = 100;
/// How much of a listing is shown, in bytes.
const MAX_LISTING: usize = 256 * 1024;
/// How much of the plan and of the facts is shown.
const MAX_JSON: usize = 256 * 1024;

/// What the template is told.
#[derive(Template)]
#[template(path = "report.html")]
pub(crate) struct Page {
    gate: String,
    question: String,
    answer: &'static str,
    verdict: &'static str,
    counts: String,
    took: String,
    stopped: Option<String>,
    environment: String,
    about: Vec<(&'static str, String)>,
    shares: Vec<Share>,
    problems: Vec<Block>,
    more_problems: usize,
    checks: Vec<Row>,
    more_checks: usize,
    plots: Vec<Plot>,
    figures: Vec<(String, String)>,
    controls: Vec<ControlRow>,
    pardons: Vec<(String, String)>,
    more_pardons: usize,
    notes: Vec<String>,
    listings: Vec<(String, String)>,
    plan: Excerpt,
    facts: Excerpt,
    run_file: String,
}

/// How many checks had an outcome, for the bar under the verdict.
struct Share {
    outcome: &'static str,
    count: usize,
}

struct Block {
    check: String,
    outcome: &'static str,
    severity: &'static str,
    message: String,
    fields: Vec<(&'static str, String)>,
    command: Option<String>,
}

struct Row {
    id: String,
    title: String,
    outcome: &'static str,
    word: String,
    pardon: Option<String>,
    reason: Option<String>,
    took: Option<String>,
    /// The share of the slowest check's time, in per cent.
    bar: f64,
    evidence: Vec<Measured>,
    more_evidence: usize,
    requirements: String,
}

struct Measured {
    name: String,
    value: String,
    limit: Option<String>,
}

struct ControlRow {
    name: String,
    tripped: bool,
    detail: String,
}

/// The beginning of a JSON text, and whether that is not all.
struct Excerpt {
    json: String,
    is_cut: bool,
}

impl Page {
    pub(crate) fn of(record: &RunRecord) -> Self {
        let problems = problem::problems(record);
        let slowest = record.checks.iter().map(|check| check.duration_ms).fold(0.0, f64::max);
        let pardons = problem::pardoned(record);
        let series = record.checks.iter().flat_map(|check| check.series.iter().map(move |series| (check, series)));
        Self {
            gate: record.gate.clone(),
            question: short(&record.question),
            answer: words::answer(record.verdict),
            verdict: record.verdict.as_str(),
            counts: words::counts(record),
            took: words::took(record),
            stopped: record.stopped.as_deref().map(short),
            environment: short(&record.environment),
            about: about(record),
            shares: shares(record),
            more_problems: problems.len().saturating_sub(MAX_PROBLEMS),
            problems: problems.iter().take(MAX_PROBLEMS).map(Block::of).collect(),
            more_checks: record.checks.len().saturating_sub(MAX_CHECKS),
            checks: record.checks.iter().take(MAX_CHECKS).map(|check| Row::of(check, slowest)).collect(),
            plots: series
                .filter_map(|(check, series)| Plot::of(check.check.id.as_str(), series))
                .take(MAX_PLOTS)
                .collect(),
            figures: record
                .figures
                .iter()
                .map(|figure| (short(&figure.name), words::quantity(&figure.value)))
                .collect(),
            controls: record
                .controls
                .iter()
                .take(MAX_LISTED)
                .map(|control| ControlRow {
                    name: short(&control.name),
                    tripped: control.tripped,
                    detail: short(&control.detail),
                })
                .collect(),
            more_pardons: pardons.len().saturating_sub(MAX_LISTED),
            pardons: pardons
                .into_iter()
                .take(MAX_LISTED)
                .map(|(what, pardon)| (short(&what), short(&pardon.to_string())))
                .collect(),
            listings: record
                .listings
                .iter()
                .take(MAX_LISTED)
                .map(|listing| {
                    (short(&listing.title), text::cut(&text::clean(&listing.text), MAX_LISTING).into_owned())
                })
                .collect(),
            notes: record.notes.iter().take(MAX_LISTED).map(|note| short(note)).collect(),
            plan: Excerpt::of(&record.plan),
            facts: Excerpt::of(&record.facts),
            run_file: Format::Run.file_name(&record.gate),
        }
    }
}

/// A text on one line, of bounded length.
fn short(text: &str) -> String {
    text::cut(&text::line(text), 4096).into_owned()
}

fn about(record: &RunRecord) -> Vec<(&'static str, String)> {
    let about = [
        ("service", Some(short(&record.service))),
        ("environment", Some(short(&record.environment))),
        ("image", record.digest.as_deref().map(short)),
        ("commit", record.commit.as_deref().map(short)),
        ("started", Some(record.started.to_string())),
        ("took", Some(words::took(record))),
        ("prodtest", Some(short(&record.tool_version))),
    ];
    about.into_iter().filter_map(|(name, value)| Some((name, value?))).collect()
}

fn shares(record: &RunRecord) -> Vec<Share> {
    [Outcome::Passed, Outcome::Failed, Outcome::Undetermined, Outcome::Skipped]
        .into_iter()
        .map(|outcome| Share { outcome: outcome.as_str(), count: record.count(outcome) })
        .filter(|share| share.count > 0)
        .collect()
}

impl Block {
    fn of(problem: &Problem<'_>) -> Self {
        let finding = &problem.finding;
        let (command, fields): (Vec<_>, Vec<_>) = problem::fields(finding).partition(|(word, _)| *word == COMMAND);
        Self {
            check: finding.check.to_string(),
            outcome: problem.outcome.as_str(),
            severity: finding.severity.as_str(),
            message: problem::message(finding),
            fields,
            command: command.into_iter().next().map(|(_, command)| command),
        }
    }
}

impl Row {
    fn of(check: &CheckRecord, slowest: f64) -> Self {
        let share = if slowest > 0.0 { check.duration_ms / slowest * 100.0 } else { 0.0 };
        Self {
            id: check.check.id.to_string(),
            title: short(&check.check.title),
            outcome: check.outcome.as_str(),
            word: words::outcome(check),
            pardon: check.pardon.as_ref().map(|pardon| short(&pardon.to_string())),
            reason: Some(words::reason(check)).filter(|reason| !reason.is_empty()),
            took: (check.outcome != Outcome::Skipped).then(|| words::duration(check.duration_ms)),
            bar: share.clamp(0.0, 100.0).round(),
            evidence: check.evidence.iter().take(MAX_EVIDENCE).map(Measured::of).collect(),
            more_evidence: check.evidence.len().saturating_sub(MAX_EVIDENCE),
            requirements: short(&check.check.requirements.join(", ")),
        }
    }
}

impl Measured {
    fn of(evidence: &Evidence) -> Self {
        Self {
            name: text::cut(&text::line(&evidence.name), 400).into_owned(),
            value: words::quantity(&evidence.value),
            limit: evidence.limit.as_ref().map(words::quantity),
        }
    }
}

impl Excerpt {
    fn of(value: &serde_json::Value) -> Self {
        let mut sink = Sink { bytes: Vec::new() };
        let is_cut = serde_json::to_writer_pretty(&mut sink, value).is_err();
        let json = String::from_utf8_lossy(&sink.bytes);
        Self { json: text::clean(&json).into_owned(), is_cut }
    }
}

/// Takes as much as is shown, and refuses the rest, so that facts of many megabytes are not written out to be cut.
struct Sink {
    bytes: Vec<u8>,
}

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = MAX_JSON.saturating_sub(self.bytes.len());
        if room == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let taken = room.min(bytes.len());
        self.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
