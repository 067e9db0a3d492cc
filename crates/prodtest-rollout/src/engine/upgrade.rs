//! The new revision, put into the cluster under the eyes of the cluster and of a probe.

use std::time::Duration;

use crate::{
    helm::Document,
    journal::{Journal, Phase},
    probe::{Options, Probe, ProbeFacts, Target, run_controls},
    trace::ChartFiles,
    watch::{Aim, Noted, State, Watch, old_pods_gone},
};
use prodtest_http::Client;
use serde_json::Value;
use tokio::time::timeout;

use super::{Halt, Hold, Session, Stage, Step, change::change, facts::Trouble, secrets};

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
pub struct Rendered {
    /// Its objects and hooks.
    pub documents: Vec<Document>,
    /// What is to come of it.
    pub aim: Aim,
    /// Which revision it is, where it is one that was there before: Helm goes back to it.
    pub revision: Option<u32>,
    /// The values that the gate gave to a chart.
    pub own: Value,
    /// What it was read from, where that is all that there is: plain manifests.
    pub written: ChartFiles,
}

/// The digest that is to run.
pub(super) fn digest(session: &Session<'_>) -> Option<String> {
    let resolved = session.facts.image.as_ref()?.registry.as_ref()?.resolved.as_ref()?;
    Some(resolved.digest.to_string())
}

/// What is live during a change.
pub struct Live {
    pub(super) watch: Watch,
    pub(super) noted: Noted,
    probe: Option<Probe>,
}

impl Live {
    /// Begins to watch and to probe.
    ///
    /// # Errors
    /// When the cluster does not tell of its objects, or the gate is told to stop.
    pub async fn start(session: &mut Session<'_>, hold: &Hold) -> Step<Self> {
        let watching = Watch::start(&hold.cluster, session.plan.namespace());
        let watch = match session.run.unless_stopped(watching).await? {
            Ok(watch) => watch,
            Err(error) => return session.no_cluster(&error),
        };
        let noted = Noted::of(&watch.state());
        session.started(Stage::Served);
        let probe = start_probe(session).await?;
        Ok(Self { watch, noted, probe })
    }

    /// What is there now is what the next change takes the place of.
    pub fn note(&mut self) {
        self.noted = Noted::of(&self.watch.state());
    }

    /// What the probe has seen so far; none where there is none.
    #[must_use]
    pub fn probed(&self) -> Option<ProbeFacts> {
        self.probe.as_ref().map(Probe::snapshot)
    }

    /// Waits until something was heard of the cluster.
    pub async fn changed(&mut self) {
        self.watch.changed().await;
    }

    /// Sends no more requests, and keeps what was seen of those that were.
    pub async fn end(self, session: &mut Session<'_>) {
        if let Some(probe) = self.probe {
            session.facts.probe = Some(probe.stop().await);
        }
        session.finished(Stage::Served);
    }

    /// Waits until those of the pods noted that are of no use any more have ended: it is then that requests get lost. Lets
    /// the probe look on for a moment more.
    ///
    /// # Errors
    /// When the gate is told to stop.
    pub async fn settle(&mut self, session: &Session<'_>, aim: &Aim) -> Step {
        let gone = async {
            while !self.watch.with(|state: &State| old_pods_gone(state, &self.noted, aim)) {
                self.watch.changed().await;
            }
        };
        session.note(Stage::Served, "until the old pods have ended");
        let _ = session.run.unless_stopped(timeout(OLD_PODS, gone)).await?;
        match &self.probe {
            Some(probe) => look_on(session, probe).await,
            None => Ok(()),
        }
    }
}

/// Puts it into the cluster and sees it through. The journal says what was done, whatever comes of it.
///
/// # Errors
/// When nothing could be begun, or the gate is told to stop. That it did not land is a fact.
pub async fn upgrade(
    session: &mut Session<'_>,
    hold: &mut Hold,
    rendered: &Rendered,
    journal: &Journal,
    live: &mut Live,
) -> Step {
    write_ahead(session, hold, journal).await?;
    let went = change(session, hold, rendered, live).await;
    if !session.facts.diagnoses.is_empty() || session.facts.upgrade.as_ref().is_some_and(|seen| seen.trouble.is_some())
    {
        // Now, for the way back may take new ones away.
        secrets::read(session, hold, rendered).await?;
    }
    went
}

/// Writes the journal ahead of the change that it tells of.
///
/// # Errors
/// When it could not be, or the gate is told to stop: nothing is to be begun then.
pub async fn write_ahead(session: &mut Session<'_>, hold: &mut Hold, journal: &Journal) -> Step {
    // Seen to its end, so that it is known whether it says so.
    match session.run.unless_overdue(hold.store.write(&hold.held, journal)).await {
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
    Ok(())
}

/// What is written down ahead of a change: from the newest revision to the next one, and back to the good one.
#[must_use]
pub fn journal(session: &Session<'_>, hold: &Hold, backup: Option<String>) -> Journal {
    let before = session.facts.before.clone().unwrap_or_default();
    let mut journal = Journal::new(&hold.held.holder, jiff::Timestamp::now(), session.plan.on_failure);
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

/// Lets the probe look for a while. One that gets nowhere says so itself, when it is judged.
async fn look_on(session: &Session<'_>, probe: &Probe) -> Step {
    let requests = session.plan.probe.as_ref().map_or(0, |plan| u64::from(plan.rate)) * LOOKS;
    let _ = session.run.unless_stopped(timeout(LOOKS_WITHIN, probe.more(requests))).await?;
    Ok(())
}
