//! What a person sees at the end of a run: one table, then each problem, then one line.
//!
//! Everything is said in words; colour only repeats them.

use comfy_table::{CellAlignment, ColumnConstraint, ContentArrangement, Table, Width, presets};
use owo_colors::{OwoColorize, Style};
use prodtest_gate::{Outcome, RunRecord, Severity, Verdict};

use crate::{
    Format, meanwhile,
    problem::{self, COMMAND, Problem},
    text, words,
};

/// More than this nobody reads in a terminal.
const MAX_PROBLEMS: usize = 25;
/// The longest that a field is here, and the most lines of one.
const MAX_FIELD: usize = 1200;
/// How much of a listing is shown, in bytes; the record has it whole.
const MAX_LISTING: usize = 32 * 1024;
const MAX_FIELD_LINES: usize = 12;
/// Narrower or wider than this, tables are hard to read.
const WIDTHS: std::ops::RangeInclusive<usize> = 40..=140;
/// The width of the words that introduce a field, with the space after them.
const MARGIN: usize = 13;

/// The closing words of a run on a terminal of this width, in colour or not.
#[must_use]
pub fn terminal(record: &RunRecord, color: bool, width: usize) -> String {
    let paint = Paint { color };
    let width = width.clamp(*WIDTHS.start(), *WIDTHS.end());
    let problems = problem::problems(record);
    let mut shown = table(record, paint, width);
    for problem in problems.iter().take(MAX_PROBLEMS) {
        shown.push('\n');
        shown.push_str(&block(problem, paint, width));
    }
    if let Some(left_out) = problems.len().checked_sub(MAX_PROBLEMS).filter(|left_out| *left_out > 0) {
        shown.push_str(&format!("\n{left_out} more problems are in {}\n", Format::Html.file_name(&record.gate)));
    }
    for line in remarks(record) {
        shown.push_str(&format!("\n{}\n", wrap(&line, "  ", width)));
    }
    for listing in record.listings.iter().take(MAX_PROBLEMS) {
        shown.push_str(&format!("\n{}\n", text::cut(&text::line(&listing.title), MAX_FIELD)));
        for line in text::cut(&text::clean(&listing.text), MAX_LISTING).lines() {
            shown.push_str(&format!("  {}\n", line.replace('\t', " ")));
        }
    }
    shown.push('\n');
    shown.push_str(&paint.words(&words::closing(record), verdict_style(record.verdict)));
    shown.push('\n');
    shown
}

/// Why the run ended early, what was pardoned, controls that failed their purpose, notes.
fn remarks(record: &RunRecord) -> Vec<String> {
    let mut remarks: Vec<String> = Vec::new();
    remarks.extend(record.stopped.as_deref().map(|why| format!("the run ended early: {}", text::line(why))));
    remarks.extend(meanwhile::lines(record));
    remarks.extend(record.controls.iter().filter(|control| !control.tripped).map(words::control));
    let pardoned = problem::pardoned(record);
    remarks.extend(pardoned.iter().take(MAX_PROBLEMS).map(|(what, pardon)| format!("pardoned: {what}, {pardon}")));
    remarks.extend(record.notes.iter().map(|note| format!("note: {note}")));
    remarks.truncate(MAX_PROBLEMS);
    remarks.into_iter().map(|remark| text::cut(&text::line(&remark), MAX_FIELD).into_owned()).collect()
}

fn table(record: &RunRecord, paint: Paint, width: usize) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_width(u16::try_from(width).unwrap_or(u16::MAX))
        .set_header(["", "check", "outcome", "time", "seen"]);
    let findings = problem::by_check(record);
    for check in &record.checks {
        let name = text::line(check.check.id.name());
        let time = if check.outcome == Outcome::Skipped { String::new() } else { words::duration(check.duration_ms) };
        let seen = words::seen(check, findings.get(&check.check.id).map_or(&[], Vec::as_slice));
        table.add_row([mark(check.outcome).to_owned(), name, words::outcome(check), time, seen]);
    }
    if let Some(first) = table.column_mut(0) {
        first.set_padding((0, 1)).set_constraint(ColumnConstraint::Absolute(Width::Fixed(2)));
    }
    if let Some(time) = table.column_mut(3) {
        time.set_cell_alignment(CellAlignment::Right);
    }
    let mut shown = String::new();
    let lines = table.lines();
    for (i, line) in lines.enumerate() {
        shown.push_str(&paint.row(line.trim_end(), i == 0));
        shown.push('\n');
    }
    shown
}

fn block(problem: &Problem<'_>, paint: Paint, width: usize) -> String {
    let finding = &problem.finding;
    let style = outcome_style(problem.outcome);
    let severity = match finding.severity {
        Severity::High => String::new(),
        severity => format!(" ({})", severity.as_str()),
    };
    let word = paint.words(problem.outcome.as_str(), style);
    let id = paint.words(finding.check.as_str(), Style::new().bold());
    let message = text::cut(&problem::message(finding), MAX_FIELD).into_owned();
    let mut block = format!("{word} {id}{severity}\n  {}\n", wrap(&message, "  ", width));
    for (word, field) in problem::fields(finding) {
        // A tab's width is the terminal's own affair, and lines are counted here.
        let field = text::cut(&field, MAX_FIELD).replace('\t', "    ");
        let margin = " ".repeat(MARGIN + 2);
        let mut lines: Vec<String> = if word == COMMAND {
            // A command is there to be copied: it is never broken.
            field.lines().map(str::to_owned).collect()
        } else {
            field.lines().map(|line| wrap(line, &margin, width)).collect()
        };
        if lines.len() > MAX_FIELD_LINES {
            let left_out = lines.len() - MAX_FIELD_LINES;
            lines.truncate(MAX_FIELD_LINES);
            lines.push(format!("… ({left_out} more lines)"));
        }
        let label = paint.words(&format!("{word:MARGIN$}"), Style::new().dimmed());
        block.push_str(&format!("  {label}{}\n", lines.join(&format!("\n{margin}"))));
    }
    block
}

/// Breaks a line between words where it would pass `width`; what follows begins with `margin`.
fn wrap(line: &str, margin: &str, width: usize) -> String {
    let mut wrapped = String::with_capacity(line.len());
    let mut column = margin.len();
    for (i, word) in line.split(' ').enumerate() {
        let length = word.chars().count();
        if i > 0 && column + 1 + length > width {
            wrapped.push('\n');
            wrapped.push_str(margin);
            column = margin.len();
        } else if i > 0 {
            wrapped.push(' ');
            column += 1;
        }
        wrapped.push_str(word);
        column += length;
    }
    wrapped
}

const fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "+",
        Outcome::Failed => "x",
        Outcome::Undetermined => "?",
        Outcome::Skipped => "-",
    }
}

const fn outcome_style(outcome: Outcome) -> Style {
    match outcome {
        Outcome::Passed => Style::new().green(),
        Outcome::Failed => Style::new().red(),
        Outcome::Undetermined => Style::new().yellow(),
        Outcome::Skipped => Style::new().dimmed(),
    }
}

const fn verdict_style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Passed => Style::new().green(),
        Verdict::Failed => Style::new().red(),
        Verdict::Undetermined => Style::new().yellow(),
    }
}

/// Colour, or none.
#[derive(Clone, Copy)]
struct Paint {
    color: bool,
}

impl Paint {
    fn words(self, words: &str, style: Style) -> String {
        if self.color { words.style(style).to_string() } else { words.to_owned() }
    }

    /// A line of the table, painted after it was laid out: escape sequences would be counted as letters. The mark
    /// stands in a column of its own, so nothing else can be mistaken for it.
    fn row(self, line: &str, is_header: bool) -> String {
        if is_header {
            return self.words(line, Style::new().dimmed());
        }
        let outcomes = [Outcome::Passed, Outcome::Failed, Outcome::Undetermined, Outcome::Skipped];
        let marked = outcomes.into_iter().find(|outcome| line.starts_with(mark(*outcome)));
        match marked {
            Some(Outcome::Skipped) => self.words(line, Style::new().dimmed()),
            Some(outcome) => format!("{}{}", self.words(&line[..1], outcome_style(outcome)), &line[1..]),
            None => line.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use prodtest_gate::Listing;
    use proptest::prelude::*;

    use super::*;
    use crate::fixture;

    #[test]
    fn a_listing_keeps_its_lines() {
        let diff = "a (live)\n-spec.replicas: 1\n+spec.replicas:\t2\n\u{1b}[31mred";
        let listing = Listing { title: "what would be changed".into(), text: diff.into() };
        let shown = terminal(&RunRecord { listings: vec![listing], ..fixture::green() }, false, 60);
        let expected = "what would be changed\n  a (live)\n  -spec.replicas: 1\n  +spec.replicas: 2\n  red\n";
        assert!(shown.contains(expected), "{shown}");
    }

    #[test]
    fn a_red_run_ends_with_table_problems_and_a_line() {
        insta::assert_snapshot!(terminal(&fixture::red(), false, 100), @r#"
           check      outcome           time  seen
        x  health     failed           12 ms  `GET /api/health` answered 503
        +  burst      passed           2.1 s  slowest request: 212 ms (limit 500 ms)
        -  tls        skipped                 the address is not HTTPS
        x  spawn      failed           12 ms  `POST /api/agents` answered 500
        ?  lifecycle  undetermined     12 ms  `smoke/spawn`, on which it leans, failed
        x  cors       failed (waived)  12 ms  any origin is allowed

        failed smoke/spawn (critical)
          `POST /api/agents` answered 500
          expected     201
          seen         500 Internal Server Error
          where        scenarios/agent life.yaml:7:5
          why          the database refuses connections:
                       `dial tcp 10.0.0.7:5432: connection refused`
          what to do   read the log of the pod that answered
          to see more  curl -sS -X POST http://127.0.0.1:7373/api/agents

        failed smoke/health
          `GET /api/health` answered 503
          expected     200
          seen         503 Service Unavailable
          where        prodtest.yaml:12:3

        undetermined smoke/lifecycle
          could not be measured: `smoke/spawn`, on which it leans, failed

        pardoned: `smoke/cors` failed, waived by ops until 2026-06-01: until the gateway is replaced

        note: the waiver at waivers.yaml:9:1 excused nothing in this run

        smoke: failed — 1 passed, 3 failed, 1 undetermined, 1 skipped; 1 pardoned in 2.13 s
        "#);
    }

    #[test]
    fn a_green_run_is_short() {
        insta::assert_snapshot!(terminal(&fixture::green(), false, 80), @r#"
           check   outcome   time  seen
        +  health  passed   12 ms  GET /api/health: 34 ms (limit 2 s)
        +  burst   passed   2.1 s  slowest request: 212 ms (limit 500 ms)
        -  tls     skipped         the address is not HTTPS

        smoke: passed — 2 passed, 0 failed, 0 undetermined, 1 skipped in 2.13 s
        "#);
    }

    #[test]
    fn colour_only_repeats_the_words() {
        let record = fixture::red();
        let painted = terminal(&record, true, 100);
        assert!(painted.contains("\u{1b}["));
        assert_eq!(text::clean(&painted), terminal(&record, false, 100));
    }

    #[test]
    fn a_flood_is_counted() {
        let shown = terminal(&fixture::flood(1000), false, 100);
        assert!(shown.contains("975 more problems are in smoke.html"));
        assert!(shown.lines().count() < 200);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn strangers_paint_nothing(text in fixture::any_text(), width in 0..300_usize) {
            let shown = terminal(&fixture::saying(&text), false, width);
            prop_assert!(!shown.chars().any(|c| c.is_control() && c != '\n'));
        }
    }
}
