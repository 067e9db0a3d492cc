//! What the facts of a change mean, for whichever check of a gate. Pure.

pub mod identity;
pub mod image;
pub mod rollout;
pub mod served;
pub mod way_back;

use prodtest_gate::{CheckId, Finding, Judged, Place};

use super::facts::{Facts, Trouble};

/// Undetermined, because the gate did not get there.
#[must_use]
pub fn not_reached(id: CheckId, facts: &Facts) -> Judged {
    let why = facts.halted.as_ref().map_or_else(
        || "the gate did not get there".to_owned(),
        |halted| match &halted.hint {
            Some(hint) => format!("{}\nhint: {hint}", halted.message),
            None => halted.message.clone(),
        },
    );
    Judged::undetermined(id, why)
}

/// Failed or undetermined, as the trouble is.
#[must_use]
pub fn troubled(id: CheckId, trouble: &Trouble, subject: &str, place: Option<Place>) -> Judged {
    if trouble.measured {
        let mut finding = Finding::new(&id, &trouble.rule, subject, trouble.message.clone()).at(place);
        finding.help.clone_from(&trouble.hint);
        return Judged::by_findings(id, vec![finding]);
    }
    let hint = trouble.hint.as_ref().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
    Judged::undetermined(id, format!("{}{hint}", trouble.message))
}

/// Red where anything is wrong; else undetermined where something is not known.
#[must_use]
pub fn conclude(id: CheckId, findings: Vec<Finding>, unknown: Option<String>) -> Judged {
    match unknown {
        Some(why) if findings.is_empty() => Judged::undetermined(id, why),
        _ => Judged::by_findings(id, findings),
    }
}
