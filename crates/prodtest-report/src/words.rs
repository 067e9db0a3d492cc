//! Sentences that more than one report says, in the same words.

use prodtest_gate::{CheckRecord, Control, Evidence, Finding, Outcome, Quantity, RunRecord, Verdict};

use crate::{problem, text};

/// The longest that one piece of evidence is in a report; the run record has it whole.
const MAX_VALUE: usize = 1024;
/// The longest that a cell of a table is.
const MAX_CELL: usize = 300;

/// `GET /api/health: 34 ms (limit 2 s)`.
pub(crate) fn evidence(evidence: &Evidence) -> String {
    let name = text::line(&evidence.name);
    let said = match &evidence.limit {
        Some(limit) => format!("{name}: {} (limit {})", quantity(&evidence.value), quantity(limit)),
        None => format!("{name}: {}", quantity(&evidence.value)),
    };
    text::cut(&said, MAX_VALUE).into_owned()
}

/// A quantity on one line, of bounded length.
pub(crate) fn quantity(quantity: &Quantity) -> String {
    text::cut(&text::line(&quantity.to_string()), MAX_VALUE).into_owned()
}

/// `2.1 s`.
pub(crate) fn duration(milliseconds: f64) -> String {
    Quantity::milliseconds(milliseconds).to_string()
}

/// Why a check is undetermined or skipped, on one line.
pub(crate) fn reason(check: &CheckRecord) -> String {
    let reason = check.reason.as_deref().map(text::line).unwrap_or_default();
    text::cut(&reason, MAX_VALUE).into_owned()
}

/// What a table says of a check: why there is nothing to measure, what is wrong, or what was measured, of which what
/// was held against a limit comes first.
pub(crate) fn seen(check: &CheckRecord, findings: &[&Finding]) -> String {
    let main = check.evidence.iter().find(|one| one.limit.is_some()).or(check.evidence.first());
    let said = match (check.outcome, findings.first(), main) {
        (Outcome::Undetermined | Outcome::Skipped, _, _) => reason(check),
        (Outcome::Failed, Some(finding), _) => problem::message(finding),
        (_, _, Some(main)) => evidence(main),
        (_, _, None) => String::new(),
    };
    text::cut(&said, MAX_CELL).into_owned()
}

/// `failed`, or `failed (waived)`.
pub(crate) fn outcome(check: &CheckRecord) -> String {
    match check.pardon {
        Some(prodtest_gate::Pardon::Waiver { .. }) => format!("{} (waived)", check.outcome),
        Some(prodtest_gate::Pardon::AllowUndetermined) => format!("{} (allowed)", check.outcome),
        None => check.outcome.to_string(),
    }
}

/// The control and whether it did its work.
pub(crate) fn control(control: &Control) -> String {
    let tripped = if control.tripped { "tripped" } else { "did NOT trip" };
    text::cut(&format!("control `{}` {tripped}: {}", text::line(&control.name), text::line(&control.detail)), MAX_VALUE)
        .into_owned()
}

/// `9 passed, 1 failed, 0 undetermined, 0 skipped`, and how many of them do not count.
pub(crate) fn counts(record: &RunRecord) -> String {
    let counts = [Outcome::Passed, Outcome::Failed, Outcome::Undetermined, Outcome::Skipped]
        .map(|outcome| format!("{} {outcome}", record.count(outcome)))
        .join(", ");
    match record.checks.iter().filter(|check| check.pardon.is_some()).count() {
        0 => counts,
        pardoned => format!("{counts}; {pardoned} pardoned"),
    }
}

/// The line that every run ends with: `smoke: failed — 9 passed, 1 failed, 0 undetermined, 0 skipped in 2.1 s`.
pub(crate) fn closing(record: &RunRecord) -> String {
    format!("{}: {} — {} in {}", record.gate, record.verdict, counts(record), took(record))
}

/// How long the run took.
pub(crate) fn took(record: &RunRecord) -> String {
    duration(record.duration_ms as f64)
}

/// What the verdict answers to the gate's question.
pub(crate) const fn answer(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "Yes",
        Verdict::Failed => "No",
        Verdict::Undetermined => "It could not be told",
    }
}

/// A mark beside an outcome; the word always stands beside it too.
pub(crate) const fn mark(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Passed => "✅",
        Outcome::Failed => "❌",
        Outcome::Undetermined => "❔",
        Outcome::Skipped => "➖",
    }
}

/// The same for a verdict.
pub(crate) const fn verdict_mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => mark(Outcome::Passed),
        Verdict::Failed => mark(Outcome::Failed),
        Verdict::Undetermined => mark(Outcome::Undetermined),
    }
}
