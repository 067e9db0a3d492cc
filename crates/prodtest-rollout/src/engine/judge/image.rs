//! The image is there, and it is for the platform of the nodes.

use prodtest_gate::{CheckId, Finding, Judged, Place};
use prodtest_image::Standing;

use super::{not_reached, troubled};
use crate::engine::{
    facts::{Facts, ImageSeen},
    plan::{ImagePlan, Plan},
};

/// Whether nothing is to be said against the image that was asked for.
pub(in crate::engine) fn is_good(seen: &ImageSeen) -> bool {
    let standing = seen.registry.as_ref().map(|registry| registry.standing(&seen.platforms));
    seen.build.is_none() && seen.no_platforms.is_none() && matches!(standing, Some(Standing::Good))
}

/// What the facts say of the image that is deployed.
#[must_use]
pub fn judge(id: CheckId, plan: &Plan, facts: &Facts) -> Judged {
    let Some(image) = &plan.image else {
        return Judged::skipped(id, "the configuration names no image: the chart alone says what is deployed");
    };
    if !image.pin {
        return Judged::skipped(id, "`--no-pin`: the registry is not asked, and the tag is left to the kubelet");
    }
    match &facts.image {
        Some(seen) => seen_image(id, image, plan.places.image.clone(), seen),
        None => not_reached(id, facts),
    }
}

fn seen_image(id: CheckId, image: &ImagePlan, place: Option<Place>, seen: &ImageSeen) -> Judged {
    if let Some(trouble) = &seen.build {
        return troubled(id, trouble, &image.repository, place);
    }
    let Some(registry) = &seen.registry else {
        return Judged::undetermined(id, "the registry was not asked");
    };
    let mut judged = match (registry.standing(&seen.platforms), &seen.no_platforms) {
        (Standing::Good, Some(trouble)) => troubled(id, trouble, &image.repository, place),
        (Standing::Good, None) => Judged::by_findings(id, Vec::new()),
        (Standing::Bad { rule, message, help }, _) => {
            let finding = Finding::new(&id, rule, image.repository.clone(), message).at(place).help(help);
            Judged::by_findings(id, vec![finding])
        }
        (Standing::Unknown { why }, _) => Judged::undetermined(id, why),
    };
    judged.evidence = registry.evidence();
    judged
}
