//! `rollback/target`: there is a revision to go back to, and what it runs can still be pulled.

use prodtest_gate::{Check, Evidence, Finding, Judged, Quantity};
use prodtest_image::Standing;
use prodtest_rollout::engine::judge::{conclude, not_reached, troubled};

use super::id;
use crate::{
    facts::{Facts, TargetSeen},
    plan::{Action, Plan},
};

const NAME: &str = "target";

/// What it declares.
pub(crate) fn declare(plan: &Plan) -> Check {
    let title = match plan.action {
        Action::Drill(_) => "what runs is good, so that it can be gone back to, and its image can be pulled",
        Action::To(_) | Action::Recover => "there is a good revision to go back to, and its image can be pulled",
    };
    Check {
        why: Some(
            "`helm rollback` goes to the number before, whatever became of it; an image that somebody cleaned away, or a \
             migration that the earlier version does not know, is found out while users wait."
                .to_owned(),
        ),
        help: Some(
            "Push the image again, and keep the registry from cleaning away what a revision in `helm history` runs. A \
             revision is good when a gate said so: `prodtest-deploy` writes down a verdict of each. Name a revision or a \
             version where `previous` means none."
                .to_owned(),
        ),
        requirements: vec!["FR5.4".to_owned()],
        ..Check::new(id(NAME), title)
    }
}

/// What the facts say.
pub(crate) fn judge(plan: &Plan, facts: &Facts) -> Judged {
    let place = plan.change.places.image.clone();
    let seen = match &facts.target {
        None => {
            // What an earlier run has left cannot be put in order: nothing is begun.
            let refused = facts.change.upgrade.as_ref().and_then(|upgrade| upgrade.trouble.as_ref());
            let place = plan.change.places.namespace.clone();
            return match refused {
                Some(trouble) => troubled(id(NAME), trouble, &plan.change.release, place),
                None => not_reached(id(NAME), &facts.change),
            };
        }
        Some(Err(trouble)) => {
            return troubled(id(NAME), trouble, &plan.change.release, plan.change.places.namespace.clone());
        }
        Some(Ok(seen)) => seen,
    };
    let (mut findings, mut unknown): (Vec<Finding>, Vec<String>) = (Vec::new(), Vec::new());
    for image in &seen.images {
        match image.standing(&[]) {
            Standing::Good => {}
            Standing::Bad { rule, message, help } => {
                let message = format!("revision {} cannot be gone back to: {message}", seen.revision);
                // The tag and the digest change from release to release.
                let subject = plan.change.image.as_ref().map_or("image", |image| image.repository.as_str());
                findings.push(Finding::new(&id(NAME), rule, subject, message).at(place.clone()).help(help));
            }
            Standing::Unknown { why } => unknown.push(why),
        }
    }
    if seen.images.is_empty() {
        unknown.push(format!(
            "nobody knows whether what revision {} runs can still be pulled: no image of it is asked about{}\nhint: name \
             its repository in `image`",
            seen.revision,
            seen.not_asked.first().map(|why| format!(" ({why})")).unwrap_or_default(),
        ));
    }
    migrations(plan, seen, &mut findings, &mut unknown);
    let mut judged = conclude(id(NAME), findings, unknown.into_iter().next());
    judged.evidence = evidence(seen);
    judged
}

/// Those that lie between and that the earlier version may not know.
fn migrations(plan: &Plan, seen: &TargetSeen, findings: &mut Vec<Finding>, unknown: &mut Vec<String>) {
    if plan.across_migrations {
        return;
    }
    match &seen.migrations {
        None => {}
        Some(Err(why)) => unknown.push(format!("{why}\nhint: look which there are, and pass `--across-migrations`")),
        Some(Ok(crossed)) => {
            let may = |name: &str| plan.reversible_migrations.iter().any(|known| name.starts_with(known.as_str()));
            for one in crossed.iter().filter(|one| !one.has_way_back && !may(&one.name)) {
                let message = format!(
                    "going back to revision {} goes back across the migration `{}`, and nobody says that the earlier \
                     version can live with it",
                    seen.revision, one.name
                );
                let hint = "write it to `rollback.reversible-migrations` if it can, or pass `--across-migrations`";
                findings.push(Finding::new(&id(NAME), "migration", one.name.clone(), message).help(hint));
            }
        }
    }
}

fn evidence(seen: &TargetSeen) -> Vec<Evidence> {
    let helm = seen.helm_alone.iter().map(|to| format!("; `helm rollback` alone would go {to}"));
    let helm: String = helm.collect();
    let back = format!("revision {}, {}{helm}", seen.revision, seen.why);
    let mut evidence = vec![Evidence::new("goes back to", Quantity::Text(back))];
    evidence.extend(seen.images.iter().flat_map(prodtest_image::ImageFacts::evidence));
    if !seen.not_asked.is_empty() {
        evidence.push(Evidence::new("images not asked about", Quantity::Text(seen.not_asked.join(", "))));
    }
    if let Some(Ok(crossed)) =
        seen.migrations.as_ref().filter(|crossed| !matches!(crossed, Ok(none) if none.is_empty()))
    {
        let names: Vec<&str> = crossed.iter().map(|one| one.name.as_str()).collect();
        evidence.push(Evidence::new("migrations gone back across", Quantity::Text(names.join(", "))));
    }
    evidence
}
