//! All that the deploy gate does: it looks, it changes, and where what it changed is bad it goes back.

mod backup;
mod change;
mod end;
mod helm_way;
mod image;
mod manifests_way;
mod origin;
mod recover;
mod restore;
mod runs;
mod secrets;
mod upgrade;
mod verdicts;
mod way;
mod way_back;

use std::time::Duration;

use prodtest_config::Secrets;
use prodtest_gate::{Outcome, Progress, Run, Stop};
use prodtest_http::ClientOptions;
use prodtest_image::Registry;
use prodtest_kube::{Cluster, ClusterError, Server};
use prodtest_rollout::{
    helm::{Helm, History, launch::Launcher},
    journal::{Held, Holder, Journal, Kept, Store, acquire},
    way_back::{BeforeNext, before_next},
};
use tokio::time::Instant;

use crate::{
    checks,
    facts::{Before, Facts, Trouble},
    plan::{Action, Plan},
};
use upgrade::Rendered;
use way::Way;

/// How long another run on the same release is waited for.
const OTHERS: Duration = Duration::from_secs(60);

/// The live means of the gate.
pub(crate) struct Means {
    /// The cluster.
    pub(crate) server: Server,
    /// The registry, where it is asked.
    pub(crate) registry: Option<Registry>,
    /// How the service is asked, where it has an address.
    pub(crate) service: Option<ClientOptions>,
    /// What is kept out of everything.
    pub(crate) secrets: Secrets,
    /// Where the run can be seen, for whoever finds its journal.
    pub(crate) seen_at: Option<String>,
}

/// Why the gate does not go on.
pub(super) enum Halt {
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
type Step<T = ()> = Result<T, Halt>;

/// One run.
pub(super) struct Session<'a> {
    plan: &'a Plan,
    means: &'a Means,
    run: &'a Run,
    begin: Instant,
    facts: Facts,
    /// Values of Secrets that pods may have printed.
    kept_out: Vec<String>,
}

/// Does it all. Returns what was seen, however it ended.
pub(crate) async fn observe(plan: &Plan, means: &Means, run: &Run) -> Facts {
    let mut session =
        Session { plan, means, run, begin: Instant::now(), facts: Facts::default(), kept_out: Vec::new() };
    let went = match &plan.action {
        Action::Deploy | Action::DryRun => deploy(&mut session).await,
        Action::Recover => recover::only(&mut session).await,
        Action::Restore(name) => restore::restore(&mut session, name.as_deref()).await,
    };
    if let Err(Halt::Stopped(stop)) = went {
        session.halted(Trouble::unmeasured(stop.to_string(), None));
    }
    let mut secrets: Vec<&str> = means.secrets.values().collect();
    secrets.extend(session.kept_out.iter().map(String::as_str));
    session.facts.redacted(&secrets)
}

/// Holds the release: the cluster, the way into it, the lock, and what was found.
pub(super) struct Hold {
    cluster: Cluster,
    way: Way,
    held: Held,
    store: Store,
    kept: Kept,
}

async fn deploy(session: &mut Session<'_>) -> Step {
    let cluster = session.connect().await?;
    session.started("image");
    let image = image::look(session, &cluster).await;
    session.finished("image");
    image?;
    let way = session.way().await?;
    if session.plan.action == Action::DryRun {
        session.started("upgrade");
        let rendered = match &way {
            Way::Helm(helm) => helm_way::dry_run(session, &cluster, helm).await,
            Way::Manifests => manifests_way::dry_run(session, &cluster).await,
        };
        session.finished("upgrade");
        return rendered;
    }
    let mut hold = session.hold(cluster, way).await?;
    let went = deploy_held(session, &mut hold).await;
    end::settle(session, hold, went).await
}

async fn deploy_held(session: &mut Session<'_>, hold: &mut Hold) -> Step<Option<Journal>> {
    recover::before(session, hold).await?;
    let (rendered, backup) = prepare(session, hold).await?;
    upgrade::upgrade(session, hold, &rendered, backup).await.map(Some)
}

/// Renders it, and keeps what is there. Nothing is changed yet.
async fn prepare(session: &mut Session<'_>, hold: &Hold) -> Step<(Rendered, Option<String>)> {
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
    session.started("backup");
    let kept = backup::keep(session, hold, objects).await;
    session.finished("backup");
    Ok((rendered, kept?))
}

impl Session<'_> {
    /// Milliseconds since the run began.
    fn now_ms(&self) -> u64 {
        u64::try_from(self.begin.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    /// What keeps the gate from going on; the first that is said stands.
    fn halted(&mut self, trouble: Trouble) {
        self.facts.halted.get_or_insert(trouble);
    }

    /// The gate cannot go on.
    fn halt<T>(&mut self, trouble: Trouble) -> Step<T> {
        self.halted(trouble);
        Err(Halt::Told)
    }

    /// The gate cannot go on, for the cluster did not answer.
    fn no_cluster<T>(&mut self, error: &ClusterError) -> Step<T> {
        self.halt(Trouble::unmeasured(error.to_string(), error.hint()))
    }

    fn started(&self, name: &str) {
        self.run.report(Progress::Started(checks::id(name)));
    }

    fn note(&self, name: &str, note: impl Into<String>) {
        self.run.report(Progress::Note(checks::id(name), note.into()));
    }

    fn finished(&self, name: &str) {
        let id = checks::id(name);
        let judged = checks::judge(self.plan, &self.facts).into_iter().find(|judged| judged.id == id);
        let outcome = judged.map_or(Outcome::Skipped, |judged| judged.outcome);
        self.run.report(Progress::Finished(id, outcome));
    }

    async fn connect(&mut self) -> Step<Cluster> {
        let cluster = match self.run.unless_stopped(Cluster::connect(&self.means.server)).await? {
            Ok(cluster) => cluster,
            Err(error) => return self.no_cluster(&error),
        };
        // One that is away for a while is waited for later on; one that never answered is told of at once.
        self.history(&cluster).await?;
        Ok(cluster)
    }

    async fn helm(&mut self) -> Step<Helm> {
        let target = prodtest_rollout::helm::Target {
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

    async fn history(&mut self, cluster: &Cluster) -> Step<History> {
        let reading = History::read(cluster, self.plan.namespace(), &self.plan.release);
        match self.run.unless_stopped(reading).await? {
            Ok(history) => Ok(history),
            Err(error) => self.no_cluster(&error),
        }
    }

    /// Takes the release, so that no other run changes it meanwhile.
    async fn hold(&mut self, cluster: Cluster, way: Way) -> Step<Hold> {
        let (namespace, release) = (self.plan.namespace(), self.plan.release.as_str());
        let who = match Holder::new("deploy", self.means.seen_at.clone()) {
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
    fn note_before(&mut self, history: &History, kept: &Kept) {
        let BeforeNext { newest, next, good } = before_next(history, kept);
        let good = good.ok().map(|choice| (choice.revision, choice.why.to_string()));
        self.facts.before = Some(Before { revision: newest, next, good });
    }
}
