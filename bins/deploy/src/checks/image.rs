//! `deploy/image`: the image is there, and it is for the platform of the nodes.

use prodtest_gate::{Check, Finding, Judged, Limit};
use prodtest_image::Standing;

use super::{id, not_reached, troubled};
use crate::{
    facts::{Facts, ImageSeen},
    plan::{ImagePlan, Plan},
};

const NAME: &str = "image";

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    let limits = plan.image.iter().flat_map(|image| {
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
    let Some(image) = &plan.image else {
        return Judged::skipped(id(NAME), "the configuration names no image: the chart alone says what is deployed");
    };
    if !image.pin {
        return Judged::skipped(id(NAME), "`--no-pin`: the registry is not asked, and the tag is left to the kubelet");
    }
    match &facts.image {
        Some(seen) => seen_image(plan, image, seen),
        None => not_reached(NAME, facts),
    }
}

fn seen_image(plan: &Plan, image: &ImagePlan, seen: &ImageSeen) -> Judged {
    let place = plan.places.image.clone();
    if let Some(trouble) = &seen.build {
        return troubled(NAME, trouble, &image.repository, place);
    }
    let Some(registry) = &seen.registry else {
        return Judged::undetermined(id(NAME), "the registry was not asked");
    };
    let mut judged = match (registry.standing(&seen.platforms), &seen.no_platforms) {
        (Standing::Good, Some(trouble)) => troubled(NAME, trouble, &image.repository, place),
        (Standing::Good, None) => Judged::by_findings(id(NAME), Vec::new()),
        (Standing::Bad { rule, message, help }, _) => {
            let finding = Finding::new(&id(NAME), rule, image.repository.clone(), message).at(place).help(help);
            Judged::by_findings(id(NAME), vec![finding])
        }
        (Standing::Unknown { why }, _) => Judged::undetermined(id(NAME), why),
    };
    judged.evidence = registry.evidence();
    judged
}
