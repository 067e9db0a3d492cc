//! The proof, in the same run, that the gate's instruments can fail.

use prodtest_gate::Control;
use prodtest_rollout::{engine::facts::Facts, probe, watch};

use crate::{checks::id, plan::Plan};

/// What the controls showed.
pub(crate) fn controls(_plan: &Plan, facts: &Facts) -> Vec<Control> {
    let mut controls = Vec::new();
    if let Some(seen) = facts.image.as_ref().filter(|seen| seen.registry.is_some()) {
        controls.push(Control {
            name: "a tag that cannot be there".to_owned(),
            tripped: seen.control.is_none(),
            detail: seen.control.clone().unwrap_or_else(|| "the registry says that it is not there".to_owned()),
            proves: vec![id("image")],
        });
    }
    if facts.rollout.is_some() {
        controls.extend(watch::controls(&[id("rollout")]));
    }
    if facts.probe.is_some() {
        controls.extend(probe::controls(&facts.probe_controls, &[id("served-throughout")]));
    }
    controls
}
