//! What the facts say: pure.

use prodtest_gate::{Check, Control, Judged};

use crate::{Entry, Facts, Plan, Survey};

/// The checks that this plan makes.
#[must_use]
pub fn declared<S: Survey>(plan: &Plan<S::Site>) -> Vec<Check> {
    let planned = S::CHECKS.iter().filter_map(|entry| Some((entry, plan.checks.get(entry.name)?)));
    planned
        .map(|(entry, check)| {
            // A plan of another version declares no limits; what it comes to says why.
            let declared = (entry.declare)(entry.id(), &check.limits);
            let declared = declared.unwrap_or_else(|_| Check::new(entry.id(), entry.name));
            Check { left_out: check.left_out.clone(), ..declared }
        })
        .collect()
}

/// What the facts say of each check that is not left out.
#[must_use]
pub fn judge<S: Survey>(plan: &Plan<S::Site>, facts: &Facts) -> Vec<Judged> {
    let planned = S::CHECKS.iter().filter(|entry| plan.checks.get(entry.name).is_some_and(|it| it.left_out.is_none()));
    planned.filter_map(|entry| judge_one(entry, plan, facts)).collect()
}

/// None, where the run ended before it looked.
fn judge_one<S: Survey>(entry: &Entry<S>, plan: &Plan<S::Site>, facts: &Facts) -> Option<Judged> {
    let (id, check) = (entry.id(), plan.checks.get(entry.name)?);
    let Some(target) = &check.target else {
        return Some(Judged::skipped(id, check.nowhere.clone().unwrap_or_default()));
    };
    let Some(seen) = facts.seen.get(entry.name) else {
        let unreachable = facts.unreachable.as_ref()?;
        let first = S::CHECKS.first().map(Entry::id).filter(|first| *first != id);
        let why = first
            .map_or_else(|| unreachable.to_string(), |first| format!("the cluster could not be asked: see `{first}`"));
        return Some(Judged::undetermined(id, why));
    };
    let judged = match (&seen.facts, &seen.unseen) {
        (Some(facts), _) => (entry.judge)(&id, target, &check.limits, facts).unwrap_or_else(|error| {
            Judged::undetermined(id, format!("the record cannot be read by this version: {error}"))
        }),
        (None, unseen) => {
            Judged::undetermined(id, unseen.as_ref().map_or_else(|| "nothing was seen".to_owned(), ToString::to_string))
        }
    };
    #[expect(clippy::cast_precision_loss, reason = "milliseconds of a run")]
    Some(Judged { duration_ms: seen.took_ms as f64, ..judged })
}

/// What the instruments did where they had to fail.
#[must_use]
pub fn controls<S: Survey>(plan: &Plan<S::Site>, facts: &Facts) -> Vec<Control> {
    let tried = S::CHECKS.iter().filter_map(|entry| {
        let check = plan.checks.get(entry.name)?;
        let seen = facts.seen.get(entry.name)?;
        (entry.control)(&entry.id(), check.target.as_ref()?, seen.facts.as_ref()?).ok()?
    });
    tried.collect()
}
