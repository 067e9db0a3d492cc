//! Plain manifests, by server-side apply.
//!
//! There is no record of them but the journal, which numbers them; the good state to go back to is the backup that was
//! made before. What is no longer in the manifests stays in the cluster: it is not pruned. Hooks are Helm's, and refused.

mod applying;
mod back;
mod read;

use crate::{
    apply::{Applier, Manner, Outcome, Reference, diff},
    helm::Document,
    journal::Numbers,
    trace::{ChartFiles, Sources, Subject, trace},
};
use prodtest_gate::Place;
use prodtest_kube::Cluster;
use serde_json::Value;

pub(super) use applying::Applying;
pub(super) use back::back;

use super::{
    Halt, Hold, Session, Step,
    facts::{Before, Trouble, UpgradeSeen},
    upgrade::{Rendered, digest},
    way::{Failure, Way},
};

/// Reads them, notes what is there, and asks the cluster whether it would take them. Nothing is changed.
///
/// # Errors
/// When they cannot be read, or the cluster would not take them.
pub async fn render(session: &mut Session<'_>, hold: &Hold) -> Step<Rendered> {
    let rendered = read(session)?;
    let live = live(session, &hold.cluster, &rendered).await?;
    note_before(session, hold, live.iter().any(Option::is_some));
    tried(session, &hold.cluster, &rendered).await?;
    Ok(rendered)
}

/// Tells what they would change.
///
/// # Errors
/// When they cannot be read, or the cluster would not take them.
pub async fn dry_run(session: &mut Session<'_>, cluster: &Cluster) -> Step {
    let rendered = read(session)?;
    let live = live(session, cluster, &rendered).await?;
    let would_be = tried(session, cluster, &rendered).await?;
    session.facts.diff = Some(live.iter().zip(&would_be).map(|(live, after)| diff(live.as_ref(), after)).collect());
    session.facts.upgrade = Some(UpgradeSeen { by: Way::Manifests.by(), ..UpgradeSeen::default() });
    Ok(())
}

fn read(session: &mut Session<'_>) -> Step<Rendered> {
    match read::read(session.plan, digest(session).as_deref()) {
        Ok(rendered) => Ok(rendered),
        Err(failure) => refuse(session, failure),
    }
}

fn refuse<T>(session: &mut Session<'_>, Failure { trouble, place }: Failure) -> Step<T> {
    session.facts.upgrade =
        Some(UpgradeSeen { by: Way::Manifests.by(), trouble: Some(trouble), place, ..UpgradeSeen::default() });
    Err(Halt::Told)
}

/// Each object as the cluster has it, if it does.
async fn live(session: &mut Session<'_>, cluster: &Cluster, rendered: &Rendered) -> Step<Vec<Option<Value>>> {
    let applier = Applier::new(cluster, session.plan.namespace());
    let mut live = Vec::new();
    for document in &rendered.documents {
        let asking = async {
            match Reference::of(&document.object) {
                Ok(reference) => applier.get(&reference).await,
                // The apply says so, with its place.
                Err(_) => Ok(None),
            }
        };
        match session.run.unless_stopped(asking).await? {
            Ok(found) => live.push(found),
            // A kind that the cluster does not know is the apply's to tell too.
            Err(error) if error.problem == prodtest_kube::Problem::NotFound => live.push(None),
            Err(error) => return session.no_cluster(&error),
        }
    }
    Ok(live)
}

/// Notes the number of what is there, and of what comes next. `any_there`: whether any object of the release is.
pub fn note_before(session: &mut Session<'_>, hold: &Hold, any_there: bool) {
    let Numbers { current, next } = Numbers::of(&hold.kept, any_there);
    let good = current.map(|current| (current, "what is there now, as the backup has it".to_owned()));
    session.facts.before = Some(Before { revision: current, next, good });
}

/// Asks the cluster whether it would take them; each as it would be.
async fn tried(session: &mut Session<'_>, cluster: &Cluster, rendered: &Rendered) -> Step<Vec<Value>> {
    let applier = Applier::new(cluster, session.plan.namespace());
    let dry = Manner { dry_run: true, ..Manner::default() };
    let (mut would_be, mut refused) = (Vec::new(), Vec::new());
    for document in &rendered.documents {
        let (outcome, after) = session.run.unless_stopped(applier.apply(&document.object, dry)).await?;
        would_be.extend(after);
        refused.extend(failure(&rendered.written, document, &outcome));
    }
    let others = refused.len().saturating_sub(1);
    match refused.into_iter().next() {
        None => Ok(would_be),
        Some(mut first) => {
            if others > 0 {
                first.trouble.message.push_str(&format!(" (and {others} more that the cluster would not take)"));
            }
            refuse(session, first)
        }
    }
}

/// Why an object is not in the cluster as it was given, if it is not.
fn failure(written: &ChartFiles, document: &Document, outcome: &Outcome) -> Option<Failure> {
    if outcome.is_there() {
        return None;
    }
    let message = format!("{}/{}: {outcome}", document.kind.to_lowercase(), document.name);
    let trouble = match outcome {
        Outcome::Conflict { .. } => {
            let hint = "leave these fields out of the manifest; or take them over, once: \
                        `kubectl apply --server-side --force-conflicts --field-manager=prodtest --filename FILE`";
            Trouble::measured("conflict", message, Some(hint.to_owned()))
        }
        Outcome::Unknown { .. } => Trouble::unmeasured(message, None),
        _ => Trouble::measured("refused", message, None),
    };
    Some(Failure { trouble, place: place(written, document) })
}

/// The line of the manifest that says what the object is.
fn place(written: &ChartFiles, document: &Document) -> Option<Place> {
    let sources = Sources { chart: written.clone(), ..Sources::default() };
    Some(trace(&sources, Some(document), &Subject::Object)?.place)
}
