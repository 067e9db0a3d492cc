//! What the gates have in common that change a release: deploy, and rollback.
//!
//! A [`Session`] is one run. Its steps are functions, which a gate calls in its order: [`Session::connect`] and
//! [`Session::hold`] (the lock), [`recover::before`], [`prepare`] (rendered, and kept), [`upgrade::upgrade`] under the
//! eyes of the cluster and of a probe ([`upgrade::Live`]), [`runs::look`], [`end::undo`], [`end::release`]. What they see
//! is in [`Facts`], in the order in which it was reached; what that means is pure ([`judge`]).

pub mod backup;
mod change;
pub mod end;
pub mod facts;
pub mod helm_way;
pub mod image;
pub mod judge;
pub mod manifests_way;
pub mod migrations;
mod origin;
pub mod plan;
pub mod recover;
pub mod resolve;
pub mod restore;
pub mod runs;
mod secrets;
pub mod section;
pub mod upgrade;
pub mod verdicts;
pub mod way;
pub mod way_back;

use std::time::Duration;

use prodtest_config::Secrets;
use prodtest_gate::{CheckId, Judged, Outcome, Progress, Run, Stop};
use prodtest_http::ClientOptions;
use prodtest_image::Registry;
use prodtest_kube::{Cluster, ClusterError, Server};
use tokio::time::Instant;

use crate::{
    helm::{Helm, History, launch::Launcher},
    journal::{Held, Holder, Kept, Store, acquire},
    way_back::{BeforeNext, before_next},
};
use facts::{Before, Facts, Trouble};
use plan::Plan;
use upgrade::Rendered;
use way::Way;

/// How long another run on the same release is waited for.
const OTHERS: Duration = Duration::from_secs(60);

/// The live means of a gate that changes a release.
pub struct Means {
    /// The cluster.
    pub server: Server,
    /// The registry, where it is asked.
    pub registry: Option<Registry>,
    /// How the service is asked, where it has an address.
    pub service: Option<ClientOptions>,
    /// What is kept out of everything.
    pub secrets: Secrets,
    /// Where the run can be seen, for whoever finds its journal.
    pub seen_at: Option<String>,
}

/// Why a gate does not go on.
#[derive(Clone, Copy, Debug)]
pub enum Halt {
    /// It was told to stop.
    Stopped(Stop),
    /// Something went wrong that was written down already.
    Told,
}

impl From<Stop> for Halt {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

/// A step that may not go on.
pub type Step<T = ()> = Result<T, Halt>;

/// What a step is about, of which a gate may have a check.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The image is looked for.
    Image,
    /// What is there is kept.
    Backup,
    /// The change itself.
    Upgrade,
    /// What the cluster makes of it.
    Rollout,
    /// What users see of it.
    Served,
    /// What runs after it.
    Identity,
    /// The way back.
    Restored,
}

/// What a gate makes of what was seen while it goes on.
pub trait Eye {
    /// The gate's name, for the journal.
    fn gate(&self) -> &'static str;
    /// The check that shows how a stage goes, if there is one.
    fn check(&self, stage: Stage) -> Option<CheckId>;
    /// Whether its check ends with a stage, and is not measured any further.
    fn ends(&self, _stage: Stage) -> bool {
        true
    }
    /// What the facts say so far.
    fn judge(&self, facts: &Facts) -> Vec<Judged>;
}

/// One run.
pub struct Session<'a> {
    /// What is to be done.
    pub plan: &'a Plan,
    /// With what.
    pub means: &'a Means,
    /// Its deadline and signals.
    pub run: &'a Run,
    /// The zero of all times in the facts.
    pub begin: Instant,
    /// What was seen so far.
    pub facts: Facts,
    eye: &'a dyn Eye,
    /// Values of Secrets that pods may have printed.
    kept_out: Vec<String>,
}

/// Holds the release: the cluster, the way into it, the lock, and what was found.
pub struct Hold {
    /// The cluster.
    pub cluster: Cluster,
    /// The way into it.
    pub way: Way,
    held: Held,
    store: Store,
    /// What earlier runs wrote down.
    pub kept: Kept,
}

/// Renders it, and keeps what is there. Nothing is changed yet.
///
/// # Errors
/// When the cluster would not take it, or what is there cannot be kept.
pub async fn prepare(session: &mut Session<'_>, hold: &Hold) -> Step<(Rendered, Option<String>)> {
    let (rendered, objects) = match &hold.way {
        Way::Helm(helm) => {
            let history = session.history(&hold.cluster).await?;
            session.note_before(&history, &hold.kept);
            (helm_way::render(session, helm).await?, backup::Objects::OfHelm(history))
        }
        Way::Manifests => {
            let rendered = manifests_way::render(session, hold).await?;
            let objects = rendered.documents.iter().map(|document| document.object.clone()).collect();
            (rendered, backup::Objects::These(objects))
        }
    };
    session.started(Stage::Backup);
    let kept = backup::keep(session, hold, objects).await;
    session.finished(Stage::Backup);
    Ok((rendered, kept?))
}

impl<'a> Session<'a> {
    /// A run that begins now.
    #[must_use]
    pub fn new(plan: &'a Plan, means: &'a Means, run: &'a Run, eye: &'a dyn Eye) -> Self {
        Self { plan, means, run, begin: Instant::now(), facts: Facts::default(), eye, kept_out: Vec::new() }
    }

    /// Ends it: what was seen, however it ended, without secrets; and what may not be in anything else either.
    #[must_use]
    pub fn end(mut self, went: Step) -> (Facts, Vec<String>) {
        if let Err(Halt::Stopped(stop)) = went {
            self.halted(Trouble::unmeasured(stop.to_string(), None));
        }
        let mut secrets: Vec<String> = self.means.secrets.values().map(str::to_owned).collect();
        secrets.append(&mut self.kept_out);
        let all: Vec<&str> = secrets.iter().map(String::as_str).collect();
        (self.facts.redacted(&all), secrets)
    }

    /// Milliseconds since the run began.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What keeps the gate from going on; the first that is said stands.
    pub fn halted(&mut self, trouble: Trouble) {
        self.facts.halted.get_or_insert(trouble);
    }

    /// The gate cannot go on.
    ///
    /// # Errors
    /// Always.
    pub fn halt<T>(&mut self, trouble: Trouble) -> Step<T> {
        self.halted(trouble);
        Err(Halt::Told)
    }

    /// The gate cannot go on, for the cluster did not answer.
    ///
    /// # Errors
    /// Always.
    pub fn no_cluster<T>(&mut self, error: &ClusterError) -> Step<T> {
        self.halt(Trouble::unmeasured(error.to_string(), error.hint()))
    }

    /// Tells that a stage begins.
    pub fn started(&self, stage: Stage) {
        self.report(stage, Progress::Started);
    }

    /// Tells something of a stage that takes long.
    pub fn note(&self, stage: Stage, note: impl Into<String>) {
        self.report(stage, |id| Progress::Note(id, note.into()));
    }

    /// Tells what came of a stage.
    pub fn finished(&self, stage: Stage) {
        if !self.eye.ends(stage) {
            return;
        }
        self.report(stage, |id| {
            let judged = self.eye.judge(&self.facts).into_iter().find(|judged| judged.id == id);
            Progress::Finished(id, judged.map_or(Outcome::Skipped, |judged| judged.outcome))
        });
    }

    fn report(&self, stage: Stage, progress: impl FnOnce(CheckId) -> Progress) {
        if let Some(id) = self.eye.check(stage) {
            self.run.report(progress(id));
        }
    }

    /// How a person puts back what this gate has left half way.
    fn recover_command(&self) -> String {
        format!("run `prodtest-{} --recover`", self.eye.gate())
    }

    /// Reaches the cluster.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn connect(&mut self) -> Step<Cluster> {
        let cluster = match self.run.unless_stopped(Cluster::connect(&self.means.server)).await? {
            Ok(cluster) => cluster,
            Err(error) => return self.no_cluster(&error),
        };
        // One that is away for a while is waited for later on; one that never answered is told of at once.
        self.history(&cluster).await?;
        Ok(cluster)
    }

    /// Finds Helm.
    ///
    /// # Errors
    /// When there is none.
    pub async fn helm(&mut self) -> Step<Helm> {
        let target = crate::helm::Target {
            kubeconfig: self.plan.cluster.kubeconfig.clone(),
            context: self.plan.cluster.context.clone(),
            namespace: self.plan.namespace().to_owned(),
        };
        // Without it, Helm would outlive a gate that is killed; where it cannot be had, the journal still tells.
        let launcher = Launcher::own().ok();
        let finding = Helm::find(self.plan.helm.as_deref(), target, launcher);
        match self.run.unless_stopped(finding).await? {
            Ok(helm) => Ok(helm),
            Err(error) => {
                let hint = format!("{}: `--helm FILE`", error.hint());
                self.halt(Trouble::unmeasured(error.to_string(), Some(hint)))
            }
        }
    }

    /// Reads Helm's record of the release.
    ///
    /// # Errors
    /// When the cluster does not answer.
    pub async fn history(&mut self, cluster: &Cluster) -> Step<History> {
        let reading = History::read(cluster, self.plan.namespace(), &self.plan.release);
        match self.run.unless_stopped(reading).await? {
            Ok(history) => Ok(history),
            Err(error) => self.no_cluster(&error),
        }
    }

    /// Takes the release, so that no other run changes it meanwhile.
    ///
    /// # Errors
    /// When another run has it, or the cluster does not answer.
    pub async fn hold(&mut self, cluster: Cluster, way: Way) -> Step<Hold> {
        let (namespace, release) = (self.plan.namespace(), self.plan.release.as_str());
        let who = match Holder::new(self.eye.gate(), self.means.seen_at.clone()) {
            Ok(who) => who,
            Err(error) => return self.halt(Trouble::unmeasured(format!("no random number: {error}"), None)),
        };
        let acquiring = acquire(&cluster, namespace, release, &who, OTHERS);
        let held = match self.run.unless_stopped(acquiring).await? {
            Ok(held) => held,
            Err(error) => return self.halt(Trouble::unmeasured(error.to_string(), error.hint())),
        };
        let store = Store::new(&cluster, namespace, release);
        match self.run.unless_stopped(store.read()).await {
            Ok(Ok(kept)) => Ok(Hold { cluster, way, held, store, kept }),
            other => {
                // It is given back in any case; what cannot be told runs out by itself.
                let _ = held.release().await;
                match other? {
                    Err(error) => self.halt(Trouble::unmeasured(error.to_string(), error.hint())),
                    Ok(_) => Err(Halt::Told),
                }
            }
        }
    }

    /// Notes the release as it is, and the revision to go back to.
    pub fn note_before(&mut self, history: &History, kept: &Kept) {
        let BeforeNext { newest, next, good } = before_next(history, kept);
        let good = good.ok().map(|choice| (choice.revision, choice.why.to_string()));
        self.facts.before = Some(Before { revision: newest, next, good });
    }
}
