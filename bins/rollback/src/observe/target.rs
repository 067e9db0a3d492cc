//! Where back is, and whether one can still get there.

use std::collections::BTreeSet;

use prodtest_image::{ImageFacts, Reference};
use prodtest_rollout::{
    engine::{Halt, Hold, Session, Step, facts::Trouble, migrations},
    helm::{Document, History, Manifest, NoChoice, Release, Status},
    journal::{Decision, Kept},
    way_back::{best, of_helm_alone, previous},
};
use serde_json::Value;

use crate::{
    facts::{Crossed, TargetSeen},
    plan::Target,
};

use super::Beside;

/// A revision, and why that one.
pub(super) struct Chosen {
    pub(super) revision: u32,
    pub(super) why: String,
}

/// The revision that a person means.
pub(super) fn resolve(target: &Target, history: &History, kept: &Kept) -> Result<Chosen, Trouble> {
    let Some(newest) = history.newest().map(|newest| newest.number) else {
        let hint = "look at `helm list`; what was put in by plain manifests has `manifests` in its environment";
        return Err(Trouble::measured("no-release", "there is no such release", Some(hint.to_owned())));
    };
    let none = |message: String| Trouble::measured("no-good-revision", message, None);
    match target {
        Target::Previous => {
            let choice = previous(history, kept).map_err(|none_good| none(none_good.to_string()))?;
            Ok(Chosen { revision: choice.revision, why: choice.why.to_string() })
        }
        Target::Revision(number) if *number == newest => Err(none(format!("revision {number} is the one that runs"))),
        Target::Revision(number) => {
            let revision = history.revisions.iter().find(|one| one.number == *number);
            match revision.map(|one| &one.release) {
                None => {
                    let there: Vec<String> = history.revisions.iter().map(|one| one.number.to_string()).collect();
                    let there = there.join(", ");
                    Err(none(format!("Helm has no revision {number}, or has pruned it; it has {there}")))
                }
                Some(Err(unreadable)) => Err(none(unreadable.to_string())),
                Some(Ok(release)) if !release.status.is_whole() => {
                    Err(none(format!("revision {number} is {}: it was never whole", release.status)))
                }
                Some(Ok(_)) => Ok(Chosen { revision: *number, why: recorded(kept, *number) }),
            }
        }
        Target::Version(version) => of_version(version, history, kept),
    }
}

/// How a revision is known to be of a version, the surest first: by what a gate wrote down, by the tag of an image, and only
/// then by the chart, whose `appVersion` often stays as it is while tags change.
const SIGNS: [fn(&Release, &Kept, &str) -> bool; 3] = [is_recorded_as, is_tagged, is_of_chart];

fn of_version(version: &str, history: &History, kept: &Kept) -> Result<Chosen, Trouble> {
    let none = |message: String| Trouble::measured("no-good-revision", message, None);
    for sign in SIGNS {
        let is = |release: &Release| sign(release, kept, version);
        if !history.revisions.iter().filter_map(|one| one.release.as_ref().ok()).any(is) {
            continue;
        }
        let choice = best(history, kept, |number| history.release(number).is_some_and(is));
        return match choice {
            Ok(choice) => {
                let why = format!("version {version}, {}", recorded(kept, choice.revision));
                Ok(Chosen { revision: choice.revision, why })
            }
            Err(NoChoice::NoneEarlier(_)) => Err(none(format!("version {version} is the one that runs"))),
            Err(NoChoice::NoneGood(_)) => {
                let message = format!("every earlier revision of version {version} was found bad, or never finished");
                Err(none(format!("{message}: name the revision if it is meant")))
            }
        };
    }
    Err(none(format!("no revision that Helm has is version {version}")))
}

fn is_recorded_as(release: &Release, kept: &Kept, version: &str) -> bool {
    kept.verdicts.get(&release.revision).is_some_and(|verdict| verdict.version.as_deref() == Some(version))
}

fn is_tagged(release: &Release, _kept: &Kept, version: &str) -> bool {
    let manifest = Manifest::of(release).unwrap_or_default();
    let images = manifest.documents.iter().filter(|document| !document.hook).flat_map(containers);
    let mut references = images.filter_map(|(_, image)| image.parse::<Reference>().ok());
    references.any(|image| image.tag() == Some(version))
}

fn is_of_chart(release: &Release, _kept: &Kept, version: &str) -> bool {
    release.chart.app_version == version
}

/// What a gate wrote down of it.
fn recorded(kept: &Kept, number: u32) -> String {
    match kept.verdicts.get(&number).map(|verdict| (verdict.verdict, &verdict.why)) {
        None => "of which nothing is recorded".to_owned(),
        Some((Decision::Passed, _)) => "which a gate found good".to_owned(),
        Some((Decision::Failed, why)) => format!("which a gate found bad: {why}"),
        Some((Decision::Undetermined, why)) => format!("of which it is not known whether it was good: {why}"),
    }
}

/// Objects of the cluster as those of a manifest.
pub(super) fn documents(objects: &[Value]) -> Vec<Document> {
    let document = |object: &Value| {
        let named = prodtest_rollout::apply::Reference::of(object).ok()?;
        Some(Document {
            source: None,
            api_version: named.api_version,
            kind: named.kind,
            name: named.name,
            namespace: named.namespace,
            hook: false,
            object: object.clone(),
        })
    };
    objects.iter().filter_map(document).collect()
}

/// The containers of a workload, by name and image.
fn containers(document: &Document) -> Vec<(String, String)> {
    let spec = &document.object["spec"]["template"]["spec"];
    let all = ["initContainers", "containers"].into_iter().flat_map(|key| spec[key].as_array().into_iter().flatten());
    let word = |value: &Value| value.as_str().map(str::to_owned);
    all.filter_map(|container| Some((word(&container["name"])?, word(&container["image"])?))).collect()
}

/// Looks whether a revision that Helm has can be gone back to. The gate goes on only where nothing speaks against it.
pub(super) async fn look(
    session: &mut Session<'_>,
    beside: &mut Beside<'_>,
    hold: &Hold,
    history: &History,
    chosen: Result<Chosen, Trouble>,
) -> Step<u32> {
    let read = |chosen: Chosen| {
        let unreadable =
            |why: String| Trouble::unmeasured(format!("revision {} cannot be read: {why}", chosen.revision), None);
        let release =
            history.release(chosen.revision).ok_or_else(|| unreadable("Helm's record is broken".to_owned()))?;
        let manifest = Manifest::of(release).map_err(|error| unreadable(error.to_string()))?;
        Ok((chosen, manifest.documents))
    };
    let (chosen, documents) = match chosen.and_then(read) {
        Ok((chosen, documents)) => (Ok(chosen), documents),
        Err(trouble) => (Err(trouble), Vec::new()),
    };
    let migrations = match &chosen {
        Ok(chosen) => crossed(beside, hold, history, chosen.revision),
        Err(_) => None,
    };
    let alone = of_helm_alone(history);
    let helm_alone = Some(alone.map_or_else(|| "nowhere".to_owned(), |number| format!("to revision {number}")));
    look_with(session, beside, hold, &documents, chosen, TargetSeen { migrations, helm_alone, ..TargetSeen::default() })
        .await
}

/// The same of objects that nobody has a record of.
pub(super) async fn look_at(
    session: &mut Session<'_>,
    beside: &mut Beside<'_>,
    hold: &Hold,
    documents: &[Document],
    chosen: Result<Chosen, Trouble>,
) -> Step<u32> {
    look_with(session, beside, hold, documents, chosen, TargetSeen::default()).await
}

async fn look_with(
    session: &mut Session<'_>,
    beside: &mut Beside<'_>,
    hold: &Hold,
    documents: &[Document],
    chosen: Result<Chosen, Trouble>,
    seen: TargetSeen,
) -> Step<u32> {
    let seen = match chosen {
        Ok(Chosen { revision, why }) => {
            let version = hold.kept.verdicts.get(&revision).and_then(|verdict| verdict.version.clone());
            let mut seen = TargetSeen { revision, why, version, ..seen };
            let running: Vec<&Document> = documents.iter().filter(|document| !document.hook).collect();
            images(session, &running, &mut seen).await?;
            Ok(seen)
        }
        Err(trouble) => Err(trouble),
    };
    let revision = seen.as_ref().ok().map(|seen| seen.revision);
    beside.facts.target = Some(seen);
    let judged = crate::checks::target::judge(beside.plan, &beside.facts);
    match revision.filter(|_| judged.outcome == prodtest_gate::Outcome::Passed) {
        Some(revision) => Ok(revision),
        None => Err(Halt::Told),
    }
}

/// Asks the registry for what these run, as far as it is the one that is configured.
async fn images(session: &Session<'_>, documents: &[&Document], seen: &mut TargetSeen) -> Step {
    let (Some(registry), Some(image)) = (&session.means.registry, &session.plan.image) else { return Ok(()) };
    let Ok(repository) = image.repository.parse::<Reference>() else { return Ok(()) };
    let (mut asked, mut others) = (BTreeSet::new(), BTreeSet::new());
    for (name, image) in documents.iter().flat_map(|document| containers(document)) {
        match image.parse::<Reference>() {
            Ok(reference) if reference.registry() == repository.registry() => {
                seen.containers.push(name);
                asked.insert(image);
            }
            Ok(_) => {
                others.insert(format!("`{image}`, of another registry"));
            }
            Err(error) => {
                others.insert(format!("`{image}`: {error}"));
            }
        }
    }
    seen.not_asked = others.into_iter().collect();
    for image in asked {
        let Ok(reference) = image.parse::<Reference>() else { continue };
        let asking = async { tokio::join!(registry.resolve(&reference), registry.control(&reference)) };
        let (resolved, control) = session.run.unless_stopped(asking).await?;
        seen.images.push(ImageFacts::of(&reference, resolved));
        seen.control = seen.control.take().or_else(|| control.err().map(|error| error.to_string()));
    }
    Ok(())
}

/// The migrations between that revision and the one that runs; none where nobody says where they are.
fn crossed(beside: &Beside<'_>, hold: &Hold, history: &History, revision: u32) -> Option<Result<Vec<Crossed>, String>> {
    let folder = beside.plan.change.migrations.as_ref()?;
    let newest = history.newest()?.number;
    if newest == revision {
        return Some(Ok(Vec::new()));
    }
    let of = |number: u32| {
        let migration = hold.kept.verdicts.get(&number).and_then(|verdict| verdict.migration.clone());
        migration.ok_or_else(|| format!("nobody wrote down which migrations revision {number} was deployed with"))
    };
    let between = || {
        let (then, now) = (of(revision)?, of(newest)?);
        if then == now {
            return Ok(Vec::new());
        }
        let names =
            migrations::names(folder).map_err(|error| format!("`{}` cannot be read: {error}", folder.display()))?;
        let between = migrations::between(&names, &then, &now);
        let between = between.ok_or_else(|| {
            format!("the migrations between `{then}` and `{now}` are not all in `{}`", folder.display())
        })?;
        let crossed =
            |name: &str| Crossed { name: name.to_owned(), has_way_back: migrations::has_way_back(&names, name) };
        Ok(between.into_iter().map(crossed).collect())
    };
    Some(between())
}

/// The revision that runs, which a drill comes back to; it must be good, or coming back proves nothing.
pub(super) fn of_drill(history: &History, kept: &Kept) -> Result<Chosen, Trouble> {
    let Some(newest) = history.newest() else {
        return Err(Trouble::measured("no-release", "there is no release to drill with", None));
    };
    let number = newest.number;
    match &newest.release {
        Err(error) => Err(Trouble::unmeasured(error.to_string(), None)),
        Ok(release) if release.status != Status::Deployed => {
            let message = format!("revision {number} is {}: there is nothing to come back to", release.status);
            Err(Trouble::measured("no-good-revision", message, None))
        }
        Ok(_) => not_bad(kept, number),
    }
}

/// The same of plain manifests, by the number of what is there.
pub(super) fn of_manifests(number: Option<u32>, kept: &Kept) -> Result<Chosen, Trouble> {
    match number {
        Some(number) => not_bad(kept, number),
        None => Err(Trouble::measured("no-release", "nothing of the manifests is there to drill with", None)),
    }
}

fn not_bad(kept: &Kept, number: u32) -> Result<Chosen, Trouble> {
    match kept.verdicts.get(&number).map(|verdict| (verdict.verdict, &verdict.why)) {
        Some((Decision::Failed, why)) => {
            let message = format!("revision {number} was found bad: {why}");
            Err(Trouble::measured("no-good-revision", message, None))
        }
        _ => Ok(Chosen { revision: number, why: format!("the one that runs, {}", recorded(kept, number)) }),
    }
}
