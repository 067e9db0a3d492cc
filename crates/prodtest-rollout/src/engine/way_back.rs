//! The way back: to the revision that was good before, or, after a first install, to nothing.

use std::time::Duration;

use crate::{
    backup::{compare, restore},
    helm::{Ended, Helm, HelmProblem, History, Manifest, Release, Status},
    watch::{Aim, Follow, Noted, RolloutFacts, Tracker, Watch},
};
use tokio::{sync::watch, time::Instant, time::timeout};

use super::{
    Hold, Session, Stage, Step, backup,
    facts::{Trouble, WayBack},
    helm_way, manifests_way,
    way::Way,
};

/// Where to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum To {
    /// That revision.
    Revision(u32),
    /// There was none: the release goes.
    Nothing,
}

/// Goes back, within the budget, and looks whether all is as it was. A run that was told to stop has only a moment: it
/// asks Helm to go back, and does not wait for the pods.
pub async fn go(session: &mut Session<'_>, hold: &Hold, to: To, in_a_hurry: bool) {
    session.started(Stage::Restored);
    let mut way = WayBack {
        to: match to {
            To::Revision(revision) => Some(revision),
            To::Nothing => None,
        },
        started_ms: session.now_ms(),
        ..WayBack::default()
    };
    let going = async {
        match &hold.way {
            Way::Helm(helm) => go_and_look(session, hold, helm, to, in_a_hurry, &mut way).await,
            Way::Manifests => manifests_way::back(session, hold, to, in_a_hurry, &mut way).await,
        }
    };
    let budget = session.plan.rollback_timeout.0;
    let went = if in_a_hurry {
        session.run.unless_overdue(going).await
    } else {
        // It goes on when the gate is told to stop meanwhile: half way back is nowhere.
        timeout(budget, session.run.unless_overdue(going)).await.ok().flatten()
    };
    if went.is_none() {
        way.trouble.get_or_insert(match session.run.stopped() {
            Some(stop) => {
                Trouble::unmeasured(format!("{stop}, before the way back was done"), Some(session.recover_command()))
            }
            None => {
                let message = format!("the way back was not done within {} s", budget.as_secs());
                Trouble::measured("budget", message, None)
            }
        });
    }
    way.ended_ms = session.now_ms();
    session.facts.way_back = Some(way);
    session.finished(Stage::Restored);
}

async fn go_and_look(session: &Session<'_>, hold: &Hold, helm: &Helm, to: To, in_a_hurry: bool, way: &mut WayBack) {
    let (plan, release) = (session.plan, session.plan.release.as_str());
    let watching = Watch::start(&hold.cluster, plan.namespace());
    let mut live = if in_a_hurry { None } else { watching.await.ok() };
    let noted = live.as_ref().map(|live| Noted::of(&live.state()));
    let began = Instant::now();
    // Helm may prune it when it goes back to it.
    let before = match to {
        To::Revision(revision) => recorded(session, hold, revision).await,
        To::Nothing => None,
    };
    let mut running = match to {
        To::Revision(revision) => helm.rollback(release, revision, plan.hook_timeout.0),
        To::Nothing => helm.uninstall(release, plan.hook_timeout.0),
    };
    let ended = running.wait().await;
    if !matches!(ended, Ended::Done(_)) {
        way.trouble = Some(Trouble { rule: "helm".to_owned(), ..helm_way::trouble(&ended) });
        // Half way back is nowhere, so that is told of, and is no reason to stay there.
        let To::Revision(revision) = to else { return };
        way.resort = last_resort(session, hold, helm, revision, &ended).await;
        if way.resort.is_none() {
            return;
        }
    }
    let history = match History::read(&hold.cluster, plan.namespace(), release).await {
        Ok(history) => history,
        Err(error) => {
            way.trouble = Some(Trouble::unmeasured(error.to_string(), error.hint()));
            return;
        }
    };
    let newest = history.newest();
    way.revision = newest.map(|newest| newest.number);
    way.status = Some(match newest {
        None => "not installed".to_owned(),
        Some(newest) => match &newest.release {
            Ok(release) => format!("revision {}, {}", newest.number, release.status),
            Err(error) => error.to_string(),
        },
    });
    let To::Revision(_) = to else {
        if newest.is_some() {
            way.trouble = Some(Trouble::measured("history", "Helm still has the release", None));
        }
        return;
    };
    let (Some(now), Some(then)) = (newest.and_then(|newest| newest.release.as_ref().ok()), &before) else {
        way.trouble = Some(Trouble::unmeasured("Helm's record of the release cannot be read", None));
        return;
    };
    if now.status.is_pending() {
        way.differences.push(format!("release/{release}: it is {} after the rollback", now.status));
    }
    let (Ok(now), Ok(before)) = (Manifest::of(now), Manifest::of(then)) else {
        way.trouble = Some(Trouble::unmeasured("the manifest of the release cannot be read", None));
        return;
    };
    for document in before.documents.iter().filter(|document| !document.hook) {
        let name = format!("{}/{}", document.kind.to_lowercase(), document.name);
        match now.find(&document.kind, &document.name) {
            None => way.differences.push(format!("{name}: it is not in the release any more")),
            Some(again) => {
                let differences = compare(&document.object, &again.object).into_iter();
                way.differences.extend(differences.map(|difference| difference.to_string()));
            }
        }
    }
    if let (Some(live), Some(noted)) = (&mut live, noted) {
        let left = plan.rollback_timeout.0.saturating_sub(began.elapsed());
        way.rollout = Some(follow(session, live, noted, helm_way::aim(then, &before), left).await);
    } else if in_a_hurry {
        way.trouble = Some(Trouble::unmeasured(
            "Helm went back, and there was no time to see whether the pods did",
            Some(format!("look at the pods, or {}", session.recover_command())),
        ));
    }
}

/// Helm's record of a revision; that of the backup, where Helm has none any more.
async fn recorded(session: &Session<'_>, hold: &Hold, revision: u32) -> Option<Release> {
    let (namespace, release) = (session.plan.namespace(), session.plan.release.as_str());
    let history = History::read(&hold.cluster, namespace, release).await.ok()?;
    if let Some(there) = history.release(revision) {
        return Some(there.clone());
    }
    let backup = backup::kept(session, hold).await.ok()?;
    let named = backup.helm.iter().filter_map(|secret| Some((secret["metadata"]["name"].as_str()?, secret)));
    History::of(release, named).release(revision).cloned()
}

/// Goes back where Helm did not: without the chart's hooks; and where it has no such revision any more, with its record of
/// it from the backup. Tells what it took, if it did.
async fn last_resort(session: &Session<'_>, hold: &Hold, helm: &Helm, to: u32, ended: &Ended) -> Option<String> {
    let release = session.plan.release.as_str();
    let Ended::Failed { problem, .. } = ended else { return None };
    let took = match problem {
        // The same would come of it.
        HelmProblem::Unreachable(_) | HelmProblem::InProgress | HelmProblem::Unsupported(_) => return None,
        HelmProblem::NotFound(_) => {
            let backup = backup::kept(session, hold).await.ok()?;
            restore(&hold.cluster, &backup, session.plan.namespace()).await.ok()?;
            format!("Helm had no revision {to} any more, and its record was put back from the backup")
        }
        _ => "in the end Helm was told to leave out the chart's hooks".to_owned(),
    };
    let again = helm.rollback_without_hooks(release, to).wait().await;
    matches!(again, Ended::Done(_)).then_some(took)
}

/// What runs of the newest revision, where nothing is to be changed: that Helm is done with it says nothing of its pods.
///
/// # Errors
/// When the cluster does not answer, or the gate is told to stop.
pub async fn look(session: &mut Session<'_>, hold: &Hold, history: &History) -> Step<Option<RolloutFacts>> {
    let newest = history.newest().and_then(|newest| newest.release.as_ref().ok());
    let Some(newest) = newest.filter(|newest| newest.status == Status::Deployed) else { return Ok(None) };
    let Ok(manifest) = Manifest::of(newest) else { return Ok(None) };
    let watching = Watch::start(&hold.cluster, session.plan.namespace());
    let mut live = match session.run.unless_stopped(watching).await? {
        Ok(live) => live,
        Err(error) => return session.no_cluster(&error),
    };
    let noted = Noted::of(&live.state());
    let aim = Aim { hooks: Vec::new(), ..helm_way::aim(newest, &manifest) };
    let following = follow(session, &mut live, noted, aim, session.plan.rollback_timeout.0);
    Ok(Some(session.run.unless_stopped(following).await?))
}

async fn follow(session: &Session<'_>, live: &mut Watch, noted: Noted, aim: Aim, budget: Duration) -> RolloutFacts {
    let (applied, is_applied) = watch::channel(None);
    applied.send_replace(Some(session.now_ms()));
    let tracker = Tracker::new(aim, noted, session.plan.patience.clone());
    let mut follow = Follow::new(live, tracker, session.begin, is_applied);
    follow.run(session.begin.elapsed() + budget, |_| {}).await;
    follow.facts().clone()
}
