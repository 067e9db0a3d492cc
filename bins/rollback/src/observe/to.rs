//! The way back for good: to an earlier revision, under the eyes of the cluster and of a probe.

use jiff::Timestamp;
use prodtest_gate::Outcome;
use prodtest_rollout::{
    backup::{Backup, collect},
    engine::{
        Halt, Hold, Session, Stage, Step, backup, end,
        facts::Trouble,
        helm_way, manifests_way, recover, runs,
        upgrade::{Live, journal, upgrade, write_ahead},
        verdicts,
        way::Way,
        way_back::{self, To},
    },
    helm::{Document, Manifest},
    identity::{list_pods, running},
    journal::{Decision, Phase, Verdict},
};

use super::{Beside, at_last, state, target};
use crate::{checks, facts::StateSeen, plan::Target};

/// Goes there.
pub(super) async fn to(session: &mut Session<'_>, beside: &mut Beside<'_>, target: &Target) -> Step {
    let cluster = session.connect().await?;
    let way = session.way().await?;
    let mut hold = session.hold(cluster, way).await?;
    let went = to_held(session, beside, &mut hold, target).await;
    end::release(session, hold).await;
    went
}

async fn to_held(session: &mut Session<'_>, beside: &mut Beside<'_>, hold: &mut Hold, target: &Target) -> Step {
    recover::before(session, hold).await?;
    match hold.way {
        Way::Helm(_) => of_helm(session, beside, hold, target).await,
        Way::Manifests => of_manifests(session, beside, hold, target).await,
    }
}

async fn of_helm(session: &mut Session<'_>, beside: &mut Beside<'_>, hold: &mut Hold, target: &Target) -> Step {
    beside.started(session, "target");
    let before = session.history(&hold.cluster).await?;
    session.note_before(&before, &hold.kept);
    let chosen = target::resolve(target, &before, &hold.kept);
    let looked = target::look(session, beside, hold, &before, chosen).await;
    beside.finished(session, "target");
    let revision = looked?;
    let Some(rendered) = before.release(revision).and_then(|release| helm_way::earlier(release).ok()) else {
        return session.halt(Trouble::unmeasured(format!("Helm's record of revision {revision} cannot be read"), None));
    };
    if beside.plan.dry_run {
        let now = before.newest().and_then(|newest| newest.release.as_ref().ok());
        let now = now.and_then(|release| Manifest::of(release).ok()).unwrap_or_default();
        session.facts.diff = Some(runs::difference(&now.documents, &rendered.documents));
        return Ok(());
    }
    session.started(Stage::Backup);
    let kept = backup::keep(session, hold, backup::Objects::OfHelm(before.clone())).await;
    session.finished(Stage::Backup);
    let kept = kept?;
    let mut live = Live::start(session, hold).await?;
    let mut journal = journal(session, hold, kept);
    // A run that is cut off is to be brought to its end, and that is there. What it makes comes after what is there now.
    (journal.phase, journal.good, journal.to) = (Phase::RollingBack, Some(revision), journal.from);
    let went = upgrade(session, hold, &rendered, &journal, &mut live).await;
    let is_refused = session.facts.upgrade.as_ref().is_some_and(|seen| seen.hook || seen.trouble.is_some());
    if went.is_ok() && is_refused {
        // Helm has left the release half way: once more, and in the end without what kept it.
        way_back::go(session, hold, To::Revision(revision), false).await;
    }
    live.end(session).await;
    went?;
    if session.facts.way_back.as_ref().is_some_and(|way| way.trouble.is_some() && way.resort.is_none()) {
        // The journal stays open, for who recovers.
        return Err(Halt::Told);
    }
    beside.started(session, "state-restored");
    let compared = state::against(session, hold, &rendered.documents).await?;
    beside.facts.state = Some(compared.map(|(objects, fields, differences)| {
        let at_ms = differences.is_empty().then(|| session.now_ms());
        StateSeen { objects, fields, digests: Vec::new(), differences, at_ms }
    }));
    beside.finished(session, "state-restored");
    let looked = look(session, beside, hold, &rendered.documents, revision).await;
    let history = beside.facts.history.as_ref().and_then(|seen| seen.as_ref().ok());
    let made = history.and_then(|seen| seen.newest.as_ref()).map(|(number, _)| *number);
    let known: Vec<u32> = before.revisions.iter().map(|one| one.number).collect();
    settle(session, beside, hold, Went { to: revision, made, known, is_whole: looked.is_ok() }).await;
    looked
}

/// To what was there before the last change, as its backup has it.
async fn of_manifests(session: &mut Session<'_>, beside: &mut Beside<'_>, hold: &mut Hold, target: &Target) -> Step {
    beside.started(session, "target");
    let looked = target_of_manifests(session, beside, hold, target).await;
    beside.finished(session, "target");
    let (revision, backup) = looked?;
    let documents = target::documents(&backup.objects);
    manifests_way::note_before(session, hold, true);
    if beside.plan.dry_run {
        let (release, namespace) = (session.plan.release.as_str(), session.plan.namespace());
        let reading = collect(&hold.cluster, namespace, release, &backup.objects, &[]);
        return match session.run.unless_stopped(reading).await? {
            Ok(now) => {
                session.facts.diff = Some(runs::difference(&target::documents(&now.objects), &documents));
                Ok(())
            }
            Err(error) => session.halt(Trouble::unmeasured(error.to_string(), error.hint())),
        };
    }
    let mut live = Live::start(session, hold).await?;
    let named = hold.kept.journal.as_ref().and_then(|journal| journal.backup.clone());
    let mut journal = journal(session, hold, named);
    // A run that is cut off is to be brought to its end, and that is what the backup has.
    (journal.phase, journal.from, journal.good) = (Phase::RollingBack, Some(revision), Some(revision));
    write_ahead(session, hold, &journal).await?;
    way_back::go(session, hold, To::Revision(revision), false).await;
    let aim = session.facts.way_back.as_ref().and_then(|way| way.rollout.as_ref()).map(|rollout| rollout.aim.clone());
    let settled = match aim {
        Some(aim) => live.settle(session, &aim).await,
        None => Ok(()),
    };
    live.end(session).await;
    settled?;
    let Some(way) = session.facts.way_back.as_ref().filter(|way| way.trouble.is_none()) else { return Err(Halt::Told) };
    let differences = way.differences.clone();
    let at_ms = differences.is_empty().then_some(way.ended_ms);
    let fields = backup.objects.iter().map(state::fields).sum();
    let seen = StateSeen { objects: backup.objects.len(), fields, digests: Vec::new(), differences, at_ms };
    beside.facts.state = Some(Ok(seen));
    beside.finished(session, "state-restored");
    let looked = look(session, beside, hold, &documents, revision).await;
    if let Some(journal) = hold.kept.journal.as_mut() {
        journal.backup = None;
    }
    let known: Vec<u32> = hold.kept.verdicts.keys().copied().collect();
    let made = session.facts.before.as_ref().map(|before| before.next);
    settle(session, beside, hold, Went { to: revision, made, known, is_whole: looked.is_ok() }).await;
    looked
}

async fn target_of_manifests(
    session: &mut Session<'_>,
    beside: &mut Beside<'_>,
    hold: &Hold,
    target: &Target,
) -> Step<(u32, Backup)> {
    let refuse = |message: &str, hint: &str| Trouble::measured("no-good-revision", message, Some(hint.to_owned()));
    // One that was gone back to is spent.
    let before = hold.kept.journal.as_ref().filter(|journal| journal.backup.is_some()).and_then(|journal| journal.from);
    let kept = match (target, before) {
        (Target::Revision(_) | Target::Version(_), _) => {
            Err(refuse("plain manifests have no revisions but the one before", "say `to previous`"))
        }
        (Target::Previous, None) => {
            let message = "no gate has kept what was there before the last change";
            Err(refuse(message, "deploy by `prodtest-deploy`, which makes a backup of it first"))
        }
        (Target::Previous, Some(revision)) => backup::kept(session, hold).await.map(|backup| (revision, backup)),
    };
    let (chosen, backup) = match kept {
        Ok((revision, backup)) => {
            let why = "what the backup of the last change has".to_owned();
            (Ok(target::Chosen { revision, why }), Some(backup))
        }
        Err(trouble) => (Err(trouble), None),
    };
    let documents = backup.as_ref().map(|backup| target::documents(&backup.objects)).unwrap_or_default();
    let revision = target::look_at(session, beside, hold, &documents, chosen).await?;
    backup.map(|backup| (revision, backup)).ok_or(Halt::Told)
}

/// Looks whether pods and service are those of the revision.
async fn look(
    session: &mut Session<'_>,
    beside: &mut Beside<'_>,
    hold: &Hold,
    documents: &[Document],
    revision: u32,
) -> Step {
    beside.started(session, "service-restored");
    for selector in documents.iter().filter(|document| !document.hook).filter_map(runs::selector) {
        let listing = list_pods(&hold.cluster, session.plan.namespace(), &selector);
        match session.run.unless_stopped(listing).await? {
            Ok(pods) => beside.facts.running.extend(running(&pods)),
            Err(error) => return session.halt(Trouble::unmeasured(error.to_string(), error.hint())),
        }
    }
    at_last(session, beside, hold, revision).await
}

/// What was gone to.
struct Went {
    to: u32,
    /// The revision that this made, if it is known.
    made: Option<u32>,
    /// The revisions whose verdicts are kept.
    known: Vec<u32>,
    is_whole: bool,
}

/// Writes down what came of it: of the new revision, and of the one that was left.
async fn settle(session: &mut Session<'_>, beside: &Beside<'_>, hold: &mut Hold, went: Went) {
    let judged = checks::judge(beside.plan, &beside.so_far(session));
    let against = judged.iter().filter(|judged| judged.outcome.blocks());
    let against: Vec<String> = against.map(|judged| format!("{} {}", judged.id, judged.outcome)).collect();
    let failed = judged.iter().any(|judged| judged.outcome == Outcome::Failed);
    let decision = match (failed, against.is_empty() && went.is_whole) {
        (true, _) => Decision::Failed,
        (false, true) => Decision::Passed,
        (false, false) => Decision::Undetermined,
    };
    let left = session.facts.before.as_ref().and_then(|before| before.revision);
    let (Some(left), Some(made)) = (left, went.made) else { return };
    let why = match against.as_slice() {
        [] => format!("it is revision {} again", went.to),
        against => against.join(", "),
    };
    let of = |decision: Decision, why: String, like: Option<&Verdict>| Verdict {
        verdict: decision,
        version: like.and_then(|like| like.version.clone()),
        digest: like.and_then(|like| like.digest.clone()),
        migration: like.and_then(|like| like.migration.clone()),
        at: Timestamp::now(),
        gate: checks::GATE.to_owned(),
        why,
    };
    let again = of(decision, why, hold.kept.verdicts.get(&went.to));
    // Whoever went back from it had a reason: the next `previous` is not that one.
    let given_up = of(Decision::Failed, format!("it was left for revision {}", went.to), hold.kept.verdicts.get(&left));
    for (revision, verdict) in [(made, again), (left, given_up)] {
        verdicts::note(session, hold, revision, verdict, &went.known).await;
    }
    end::done(session, hold).await;
}
