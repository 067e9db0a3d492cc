//! `deploy/backup`: what was there before is kept, so that it can be put back.

use prodtest_gate::{Check, Evidence, Judged, Quantity};
use prodtest_rollout::engine::{
    facts::Facts,
    judge::{not_reached, troubled},
};

use super::{dry, id};
use crate::plan::Plan;

const NAME: &str = "backup";

/// What it declares.
pub(crate) fn declare(_plan: &Plan) -> Check {
    Check {
        why: Some("Without it there is no way back when the release's own history is lost or broken.".to_owned()),
        help: Some(
            "`prodtest-deploy restore` puts it back. A backup holds Secrets: it is kept in a Secret of the namespace, or in \
             the folder that `--backup-dir` names, and never among the reports."
                .to_owned(),
        ),
        needs: vec![id("image")],
        ..Check::new(id(NAME), "everything that the release has in the cluster is kept, and can be put back")
    }
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    if let Some(skipped) = dry(NAME, plan) {
        return skipped;
    }
    let is_first = facts.before.as_ref().is_some_and(|before| before.revision.is_none());
    let refused = facts.upgrade.as_ref().is_some_and(|upgrade| upgrade.started_ms.is_none());
    match &facts.backup {
        None if is_first => Judged::skipped(id(NAME), "a first install: there is nothing to keep"),
        None if refused => Judged::skipped(id(NAME), "nothing was changed, for the upgrade was refused beforehand"),
        None => not_reached(id(NAME), facts),
        Some(Err(trouble)) => troubled(id(NAME), trouble, &plan.change.release, plan.change.places.namespace.clone()),
        Some(Ok(seen)) => {
            let mut judged = Judged::by_findings(id(NAME), Vec::new());
            let count = u32::try_from(seen.objects).unwrap_or(u32::MAX);
            judged.evidence.push(Evidence::new("objects", Quantity::count(count)));
            judged.evidence.push(Evidence::new("kept as", Quantity::Text(format!("{}, {}", seen.name, seen.place))));
            if !seen.missing.is_empty() {
                judged.evidence.push(Evidence::new("not in the cluster", Quantity::Text(seen.missing.join(", "))));
            }
            judged
        }
    }
}
