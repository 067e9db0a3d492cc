//! What the deploy gate does: it looks, it changes, and where what it changed is bad it goes back.

use prodtest_gate::{CheckId, Judged, Run};
use prodtest_rollout::{
    engine::{
        Eye, Halt, Hold, Means, Session, Stage, Step, end,
        end::Undo,
        facts::Facts,
        helm_way, image, manifests_way, prepare, recover, restore, runs,
        upgrade::{Live, journal, upgrade},
        way::Way,
        way_back::To,
    },
    journal::{Decision, OnFailure},
};

use crate::{
    checks,
    plan::{Action, Plan},
};

/// Shows each stage as the check of its name.
struct Deploying<'a>(&'a Plan);

impl Eye for Deploying<'_> {
    fn gate(&self) -> &'static str {
        "deploy"
    }

    fn check(&self, stage: Stage) -> Option<CheckId> {
        Some(checks::id(match stage {
            Stage::Image => "image",
            Stage::Backup => "backup",
            Stage::Upgrade => "upgrade",
            Stage::Rollout => "rollout",
            Stage::Served => "served-throughout",
            Stage::Identity => "identity",
            Stage::Restored => "restored",
        }))
    }

    fn judge(&self, facts: &Facts) -> Vec<Judged> {
        checks::judge(self.0, facts)
    }
}

/// Does it all. Returns what was seen, however it ended.
pub(crate) async fn observe(plan: &Plan, means: &Means, run: &Run) -> Facts {
    let eye = Deploying(plan);
    let mut session = Session::new(&plan.change, means, run, &eye);
    let went = match &plan.action {
        Action::Deploy => deploy(&mut session).await,
        Action::DryRun => dry_run(&mut session).await,
        Action::Recover => recover::only(&mut session).await,
        Action::Restore(name) => restore::restore(&mut session, name.as_deref()).await,
    };
    session.end(went).0
}

async fn deploy(session: &mut Session<'_>) -> Step {
    let cluster = session.connect().await?;
    image::look(session, &cluster).await?;
    let way = session.way().await?;
    let mut hold = session.hold(cluster, way).await?;
    let went = deploy_held(session, &mut hold).await;
    let stopped = matches!(went, Err(Halt::Stopped(_)));
    end::undo(session, &mut hold, stopped, |session, journal| {
        let (decision, why) = end::by_checks(session, stopped);
        let is_undone = (decision == Decision::Failed || stopped) && session.plan.on_failure == OnFailure::Rollback;
        let good = session.facts.before.as_ref().and_then(|before| before.good.as_ref()).map(|(good, _)| *good);
        let to = good.or(journal.from).map_or(To::Nothing, To::Revision);
        Undo { decision, why, to: is_undone.then_some(to) }
    })
    .await;
    end::release(session, hold).await;
    went
}

async fn deploy_held(session: &mut Session<'_>, hold: &mut Hold) -> Step {
    recover::before(session, hold).await?;
    let (rendered, backup) = prepare(session, hold).await?;
    let mut live = Live::start(session, hold).await?;
    let journal = journal(session, hold, backup);
    let went = upgrade(session, hold, &rendered, &journal, &mut live).await;
    live.end(session).await;
    went?;
    runs::look(session, hold, &rendered).await
}

/// Only shows what would be changed.
async fn dry_run(session: &mut Session<'_>) -> Step {
    let cluster = session.connect().await?;
    image::look(session, &cluster).await?;
    let way = session.way().await?;
    session.started(Stage::Upgrade);
    let rendered = match &way {
        Way::Helm(helm) => helm_way::dry_run(session, &cluster, helm).await,
        Way::Manifests => manifests_way::dry_run(session, &cluster).await,
    };
    session.finished(Stage::Upgrade);
    rendered
}
