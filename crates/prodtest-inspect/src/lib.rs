//! Gates that look and change nothing: each check is an [`Inspection`], observed by itself, side by side with the others.
//!
//! An inspection says where it looks (its *target*) and what it holds that against (its *limits*), looks within a deadline
//! of its own, and judges what it saw. A gate is a list of them ([`Survey::CHECKS`]); what is left, plan, record, replay,
//! deadlines, progress, the cluster that is not there, is the same for all such gates and is here.
//!
//! Targets, limits and facts are kept as JSON from the moment they are made, so that a record that is judged again goes the
//! very same way as a live run.

mod entry;
mod inspection;
mod judge;
mod means;
mod observe;
mod plan;

pub use entry::{Entry, id};
pub use inspection::{Asked, Inspection, Seeing, Survey, Target, Unseen};
pub use judge::{controls, declared, judge};
pub use means::Means;
pub use observe::{Facts, Seen, observe};
pub use plan::{CheckPlan, Plan, plan, rules};

#[cfg(test)]
mod tests;
