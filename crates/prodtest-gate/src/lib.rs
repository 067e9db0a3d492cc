//! What a gate is.
//!
//! A gate answers one question about a release by making *checks*. Each check is two steps: *observe* (all the
//! input and output; returns plain facts) and *judge* (pure: plan and facts in, outcome, evidence and findings
//! out). This crate holds the words both steps share, the rules that turn judgements into a verdict, and the run
//! they happen in: its deadline, its signals, its progress.
//!
//! It depends on no other crate of the suite; every other crate may depend on it.

mod check;
mod control;
mod evidence;
mod finding;
mod gate;
mod id;
mod judged;
mod outcome;
mod record;
mod redact;
mod rule;
mod run;
mod settle;
mod waiver;

pub use check::{Check, Limit, Severity};
pub use control::Control;
pub use evidence::{Evidence, Mark, Quantity, Series, Unit};
pub use finding::{Finding, Place, RULE_CLEANUP, RULE_UNDETERMINED};
pub use gate::{Gate, Progress};
pub use id::{CheckId, InvalidCheckId};
pub use judged::Judged;
pub use outcome::{Outcome, Verdict};
pub use record::{CheckRecord, Figure, Listing, RunRecord, SCHEMA_VERSION};
pub use redact::{MIN_SECRET_LEN, Redactor};
pub use rule::Rule;
pub use run::{Run, Stop};
pub use settle::{Pardons, Settled, settle};
pub use waiver::{Pardon, Waiver, WaiverTarget};
