//! The new revision, put into the cluster under the eyes of the cluster and of a probe.

use std::time::Duration;

use prodtest_http::Client;
use prodtest_rollout::{
    helm::Document,
    journal::{Journal, OnFailure as Policy, Phase},
    probe::{Options, Probe, Target, run_controls},
    trace::ChartFiles,
    watch::{Aim, Noted, State, Watch, old_pods_gone},
};
use serde_json::Value;
use tokio::time::timeout;

use super::{Halt, Hold, Session, Step, change::change, runs, secrets};
use crate::{facts::Trouble, section::OnFailure};

/// How long a lock that is not sure is waited for: as long as the API may be away.
pub(super) const SURE: Duration = Duration::from_secs(60);
/// How many seconds' worth of requests the probe sends before anything is changed, and again after the last of the old
/// pods has gone: proxies learn of it late.
const LOOKS: u64 = 1;
/// How long those may take.
const LOOKS_WITHIN: Duration = Duration::from_secs(30);
/// How long old pods may take to end, whatever their grace period says.
const OLD_PODS: Duration = Duration::from_secs(120);
/// Longer than any request of the probe may wait its turn.
const PROBE_RUNS: usize = 64;

/// What is about to be put into the cluster.
pub(super) struct Rendered {
    /// Its objects and hooks.
    pub(super) documents: Vec<Document>,
    /// What is to come of it.
    pub(super) aim: Aim,
    /// The values that the gate gave to a chart.
    pub(super) own: Value,
    /// What it was read from, where that is all that there is: plain manifests.
    pub(super) written: ChartFiles,
}

/// The digest that is to run.
pub(super) fn digest(session: &Session<'_>) -> Option<String> {
    let resolved = session.facts.image.as_ref()?.registry.as_ref()?.resolved.as_ref()?;
    Some(resolved.digest.to_string())
}

/// What is live during an upgrade.
pub(super) struct Live {
    pub(super) watch: Watch,
    pub(super) noted: Noted,
    pub(super) probe: Option<Probe>,
}

/// Puts it into the cluster and sees it through. The journal says what was done, whatever comes of it.
pub(super) async fn upgrade(
    session: &mut Session<'_>,
    hold: &mut Hold,
    rendered: &Rendered,
    backup: Option<String>,
) -> Step<Journal> {
    let watching = Watch::start(&hold.cluster, session.plan.namespace());
    let watch = match session.run.unless_stopped(watching).await? {
        Ok(watch) => watch,
        Err(error) => return session.no_cluster(&error),
    };
    let noted = Noted::of(&watch.state());
    session.started("served-throughout");
    let probe = start_probe(session).await?;
    let mut live = Live { watch, noted, probe };

    let journal = journal(session, hold, backup);
    // Ahead of the change that it tells of. Seen to its end, so that it is known whether it says so.
    match session.run.unless_overdue(hold.store.write(&hold.held, &journal)).await {
        Some(Ok(())) => {}
        Some(Err(error)) => return session.halt(Trouble::unmeasured(error.to_string(), error.hint())),
        None => return Err(Halt::Stopped(session.run.until_stopped().await)),
    }
    hold.kept.journal = Some(journal.clone());
    // Told to stop meanwhile, nothing is begun at all.
    if let Err(standing) = session.run.unless_stopped(hold.held.sure(SURE)).await? {
        let message = format!("the lock on the release was lost, and nothing was changed: {standing:?}");
        return session.halt(Trouble::unmeasured(message, None));
    }
    let went = change(session, hold, rendered, &mut live).await;
    if let Some(probe) = live.probe.take() {
        session.facts.probe = Some(probe.stop().await);
    }
    session.finished("served-throughout");
    if !session.facts.diagnoses.is_empty() || session.facts.upgrade.as_ref().is_some_and(|seen| seen.trouble.is_some())
    {
        // Now, for the way back may take new ones away.
        secrets::read(session, hold, rendered).await?;
    }
    went?;
    runs::look(session, hold, rendered).await?;
    Ok(journal)
}

fn journal(session: &Session<'_>, hold: &Hold, backup: Option<String>) -> Journal {
    let policy = match session.plan.on_failure {
        OnFailure::Rollback => Policy::Rollback,
        OnFailure::Keep => Policy::Keep,
    };
    let before = session.facts.before.clone().unwrap_or_default();
    let mut journal = Journal::new(&hold.held.holder, jiff::Timestamp::now(), policy);
    journal.phase = Phase::Upgrading;
    journal.from = before.revision;
    journal.to = Some(before.next);
    journal.good = before.good.map(|(good, _)| good);
    journal.backup = backup;
    journal.digest = digest(session);
    journal.version.clone_from(&session.plan.version);
    journal
}

/// The probe, once it has seen the service as it was; none where there is nothing to see.
async fn start_probe(session: &mut Session<'_>) -> Step<Option<Probe>> {
    let (Some(plan), Some(options)) = (&session.plan.probe, &session.means.service) else { return Ok(None) };
    if session.facts.before.as_ref().is_none_or(|before| before.revision.is_none()) {
        session.facts.no_probe = Some("a first install: nothing was served before".to_owned());
        return Ok(None);
    }
    session.facts.probe_controls = session.run.unless_stopped(run_controls()).await?;
    let client = match Client::new(options.clone()) {
        Ok(client) => client,
        Err(error) => return session.halt(Trouble::unmeasured(error.to_string(), None)),
    };
    let mut target = Target::new(&plan.url, &plan.path);
    target.status = plan.status;
    let options =
        Options { rate: plan.rate, timeout: plan.timeout.0, concurrency: PROBE_RUNS.max(plan.rate as usize * 4) };
    let probe = Probe::start(client, target, options, session.begin);
    look_on(session, &probe).await?;
    probe.mark_change();
    Ok(Some(probe))
}

/// The old pods end after the new ones are there, and it is then that requests get lost.
pub(super) async fn wait_for_old_pods(session: &Session<'_>, rendered: &Rendered, live: &mut Live) -> Step {
    let Live { watch, noted, .. } = live;
    let gone = async {
        while !watch.with(|state: &State| old_pods_gone(state, noted, &rendered.aim)) {
            watch.changed().await;
        }
    };
    session.note("served-throughout", "until the old pods have ended");
    let _ = session.run.unless_stopped(timeout(OLD_PODS, gone)).await?;
    match &live.probe {
        Some(probe) => look_on(session, probe).await,
        None => Ok(()),
    }
}

/// Lets the probe look for a while. One that gets nowhere says so itself, when it is judged.
async fn look_on(session: &Session<'_>, probe: &Probe) -> Step {
    let requests = session.plan.probe.as_ref().map_or(0, |plan| u64::from(plan.rate)) * LOOKS;
    let _ = session.run.unless_stopped(timeout(LOOKS_WITHIN, probe.more(requests))).await?;
    Ok(())
}
