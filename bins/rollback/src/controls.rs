//! The proof, in the same run, that the gate's instruments can fail.

use prodtest_gate::Control;
use prodtest_rollout::{probe, watch};

use crate::{checks::id, facts::Facts, plan::Plan};

/// What the controls showed.
pub(crate) fn controls(plan: &Plan, facts: &Facts) -> Vec<Control> {
    let mut controls = Vec::new();
    if let Some(Ok(seen)) = facts.target.as_ref().filter(|target| matches!(target, Ok(seen) if !seen.images.is_empty()))
    {
        controls.push(Control {
            name: "a tag that cannot be there".to_owned(),
            tripped: seen.control.is_none(),
            detail: seen.control.clone().unwrap_or_else(|| "the registry says that it is not there".to_owned()),
            proves: vec![id("target")],
        });
    }
    if facts.change.rollout.is_some() {
        let mut proves = vec![id("rto")];
        proves.extend(plan.fault().map(|_| id("detection-time")));
        controls.extend(watch::controls(&proves));
    }
    if facts.change.probe.is_some() {
        controls.extend(probe::controls(&facts.change.probe_controls, &[id("served-throughout")]));
    }
    controls
}
