//! What runs after the rollout: the digests of the pods, the version that answers; and what would be changed.

use std::{collections::BTreeSet, time::Duration};

use crate::{
    apply::diff,
    helm::Document,
    identity::{Answer, Ask, VersionFacts, ask, list_pods, running},
    watch::RolloutVerdict,
};
use prodtest_http::Client;

use tokio::time::{Instant, sleep};

use super::{
    Hold, Session, Stage, Step,
    facts::{IdentitySeen, Trouble},
    plan::Plan,
    upgrade::Rendered,
};

/// How often the version is asked for: behind a Service any of the pods may answer.
const TIMES: u32 = 10;
/// How long a new service may take to be known to all that stands before it.
const SETTLED: Duration = Duration::from_secs(10);
/// The time between two rounds of asking it.
const PAUSE: Duration = Duration::from_millis(250);
/// How long an answer may take.
const ANSWER: Duration = Duration::from_secs(5);

/// Looks, where the rollout got there.
///
/// # Errors
/// When the gate is told to stop.
pub async fn look(session: &mut Session<'_>, hold: &Hold, rendered: &Rendered) -> Step {
    let got_there = session
        .facts
        .rollout
        .as_ref()
        .is_some_and(|rollout| matches!(rollout.verdict(&session.plan.patience), RolloutVerdict::Done { .. }));
    if !got_there {
        return Ok(());
    }
    session.started(Stage::Identity);
    let (digests, containers) = expected(session, rendered);
    let mut pods = Vec::new();
    for selector in rendered.documents.iter().filter(|document| !document.hook).filter_map(selector) {
        let listing = list_pods(&hold.cluster, session.plan.namespace(), &selector);
        match session.run.unless_stopped(listing).await? {
            Ok(listed) => pods.extend(listed),
            Err(error) => {
                session.facts.identity = Some(Err(Trouble::unmeasured(error.to_string(), error.hint())));
                session.finished(Stage::Identity);
                return Ok(());
            }
        }
    }
    session.facts.identity = Some(Ok(IdentitySeen { digests, containers, running: running(&pods) }));
    session.facts.version = ask_version(session).await?;
    session.finished(Stage::Identity);
    Ok(())
}

/// Asks the service which version it is, where the configuration says how.
///
/// # Errors
/// When the gate is told to stop.
pub async fn ask_version(session: &Session<'_>) -> Step<Option<VersionFacts>> {
    let plan = session.plan;
    let (Some(at), Some(probe), Some(options)) = (&plan.version_at, &plan.probe, &session.means.service) else {
        return Ok(None);
    };
    let (Ok(client), Ok(url)) = (Client::new(options.clone()), probe.url.join(&at.path)) else { return Ok(None) };
    let asked = Ask { url, field: at.field.clone(), times: TIMES, timeout: ANSWER };
    let asking = async {
        match session.facts.probe {
            Some(_) => ask(&client, &asked).await,
            None => ask_settled(&client, &asked).await,
        }
    };
    Ok(Some(session.run.unless_stopped(asking).await?))
}

/// Asks a service that nobody has asked before: what stands before the pods learns of them a moment after they are ready,
/// and nothing tells when. What has no version then is asked for once more, for a while.
async fn ask_settled(client: &Client, asked: &Ask) -> VersionFacts {
    let end = Instant::now() + SETTLED;
    loop {
        let facts = ask(client, asked).await;
        let all_say = facts.answers.iter().all(|answer| matches!(answer, Answer::Version { .. }));
        if all_say || Instant::now() + PAUSE >= end {
            return facts;
        }
        sleep(PAUSE).await;
    }
}

/// The digests that are right, and the containers that run the image, by name.
fn expected(session: &Session<'_>, rendered: &Rendered) -> (BTreeSet<String>, BTreeSet<String>) {
    let Some(image) = &session.plan.image else { return (BTreeSet::new(), BTreeSet::new()) };
    let resolved = session.facts.image.as_ref().and_then(|seen| seen.registry.as_ref()?.resolved.as_ref());
    let digests = resolved.iter().flat_map(|resolved| {
        let platforms = resolved.images.iter().map(|image| image.digest.to_string());
        std::iter::once(resolved.digest.to_string()).chain(platforms)
    });
    let containers = containers(&image.repository, &rendered.documents).map(str::to_owned);
    (digests.collect(), containers.collect())
}

/// The names of the containers that run an image of this repository.
fn containers<'a>(repository: &'a str, documents: &'a [Document]) -> impl Iterator<Item = &'a str> {
    let workloads = documents.iter().filter(|document| !document.hook);
    let all = workloads.flat_map(|document| {
        document.object["spec"]["template"]["spec"]["containers"].as_array().into_iter().flatten()
    });
    let of_it = all.filter(move |container| {
        let image = container["image"].as_str().unwrap_or_default();
        image.strip_prefix(repository).is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '@']))
    });
    of_it.filter_map(|container| container["name"].as_str())
}

/// Whether anything of it runs the image of the plan, if there is one.
pub(super) fn runs_the_image(plan: &Plan, documents: &[Document]) -> bool {
    plan.image.as_ref().is_none_or(|image| containers(&image.repository, documents).next().is_some())
}

/// The label selector of a workload; a disruption budget has one too, and runs nothing.
#[must_use]
pub fn selector(document: &Document) -> Option<String> {
    let spec = Some(&document.object["spec"]).filter(|spec| spec["template"].is_object())?;
    let labels = spec["selector"]["matchLabels"].as_object()?;
    let labels: Vec<String> =
        labels.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_str()?))).collect();
    Some(labels.join(","))
}

/// What the one set of objects has that the other has not.
#[must_use]
pub fn difference(old: &[Document], new: &[Document]) -> String {
    let objects = |all: &[Document]| -> Vec<Document> { all.iter().filter(|one| !one.hook).cloned().collect() };
    let (old, new) = (objects(old), objects(new));
    let same = |one: &Document, other: &Document| one.kind == other.kind && one.name == other.name;
    let mut text: String = new
        .iter()
        .map(|document| {
            let before = old.iter().find(|before| same(before, document)).map(|before| &before.object);
            diff(before, &document.object)
        })
        .collect();
    for gone in old.iter().filter(|before| !new.iter().any(|document| same(document, before))) {
        text.push_str(&format!("{}/{} would be deleted\n", gone.kind.to_lowercase(), gone.name));
    }
    text
}
