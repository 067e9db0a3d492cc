//! `deploy/image`: the image is there, and it is for the platform of the nodes.

use prodtest_gate::{Check, Judged, Limit};
use prodtest_rollout::engine::{facts::Facts, judge};

use super::id;
use crate::plan::Plan;

const NAME: &str = "image";

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    let limits = plan.change.image.iter().flat_map(|image| {
        let asked = image.tag.clone().or_else(|| image.digest.clone()).unwrap_or_default();
        [Limit { name: "image".to_owned(), value: format!("{} {asked}", image.repository).trim_end().to_owned() }]
    });
    Check {
        why: Some(
            "A tag that does not exist, or an image for another processor, is known before anything is touched; found out \
             by the kubelet it costs a rollout."
                .to_owned(),
        ),
        help: Some(
            "Push the image, or name another by `--tag`. What is deployed is the digest that the registry has for it now: \
             a tag that is moved later changes nothing."
                .to_owned(),
        ),
        limits: limits.collect(),
        ..Check::new(id(NAME), "the image is in its registry, for the platform of the nodes")
    }
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    judge::image::judge(id(NAME), &plan.change, facts)
}
