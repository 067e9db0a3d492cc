//! The way back of plain manifests: what is in the backup is put back, and what it says was not there goes.

use std::time::Duration;

use crate::{
    apply::{Applier, Reference, Removed},
    backup::{Backup, restore},
    watch::{Aim, Follow, Kind, Noted, Subject, Tracker, Watch},
};
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};

use crate::engine::{
    Hold, Session,
    backup::{kept, trouble_of},
    facts::{Trouble, WayBack},
    way_back::To,
};

/// How often it is looked whether an object has gone.
const LOOK: Duration = Duration::from_millis(200);

/// Goes back to the backup that the journal names. In a hurry, the pods are not waited for.
pub(in crate::engine) async fn back(session: &Session<'_>, hold: &Hold, to: To, in_a_hurry: bool, way: &mut WayBack) {
    let (plan, began) = (session.plan, Instant::now());
    let backup = match kept(session, hold).await {
        Ok(backup) => backup,
        Err(trouble) => {
            way.trouble = Some(trouble);
            return;
        }
    };
    let watching = Watch::start(&hold.cluster, plan.namespace());
    let mut live = if in_a_hurry { None } else { watching.await.ok() };
    let noted = live.as_ref().map(|live| Noted::of(&live.state()));
    match restore(&hold.cluster, &backup, plan.namespace()).await {
        Ok(facts) => {
            let refused = facts.applied.iter().filter(|one| !one.outcome.is_there());
            way.differences.extend(refused.map(|one| format!("{}: {}", one.object, one.outcome)));
            way.differences.extend(facts.differences.iter().map(ToString::to_string));
        }
        Err(error) => {
            way.trouble = Some(trouble_of(&error));
            return;
        }
    }
    let applier = Applier::new(&hold.cluster, plan.namespace());
    if let Err(trouble) = take_away(&applier, &backup.missing, in_a_hurry, way).await {
        way.trouble = Some(trouble);
        return;
    }
    way.status = Some(match to {
        To::Revision(_) => "as the backup has it".to_owned(),
        To::Nothing => "not there, as before".to_owned(),
    });
    if let (Some(live), Some(noted)) = (&mut live, noted) {
        let (applied, is_applied) = watch::channel(None);
        applied.send_replace(Some(session.now_ms()));
        let tracker = Tracker::new(aim(&backup), noted, plan.patience.clone());
        let mut follow = Follow::new(live, tracker, session.begin, is_applied);
        let left = plan.rollback_timeout.0.saturating_sub(began.elapsed());
        follow.run(session.begin.elapsed() + left, |_| {}).await;
        way.rollout = Some(follow.facts().clone()).filter(|_| to != To::Nothing);
    } else if in_a_hurry {
        way.trouble = Some(Trouble::unmeasured(
            "the objects were put back, and there was no time to see whether the pods came",
            Some(format!("look at the pods, or {}", session.recover_command())),
        ));
    } else {
        way.trouble =
            Some(Trouble::unmeasured("the objects were put back, and nobody could see what came of it", None));
    }
}

/// Takes away what was not there before, the last first, and waits until it is gone.
async fn take_away(
    applier: &Applier<'_>,
    missing: &[Reference],
    in_a_hurry: bool,
    way: &mut WayBack,
) -> Result<(), Trouble> {
    let failed = |error: prodtest_kube::ClusterError| Trouble::unmeasured(error.to_string(), error.hint());
    let mut going = Vec::new();
    for object in missing.iter().rev() {
        match applier.remove(object).await.map_err(failed)? {
            Removed::Gone => {}
            Removed::Going => going.push(object),
            Removed::NotOurs => way.differences.push(format!("{object}: somebody else made it meanwhile")),
            Removed::Kept => {
                way.differences.push(format!("{object}: it is new, and stays, for what is in it would go too"));
            }
        }
    }
    if in_a_hurry {
        return Ok(());
    }
    for object in going {
        // The budget of the way back ends it.
        while applier.get(object).await.map_err(failed)?.is_some() {
            sleep(LOOK).await;
        }
    }
    Ok(())
}

/// What must run again.
fn aim(backup: &Backup) -> Aim {
    let subject = |object: &serde_json::Value| {
        let kind = Kind::named(object["kind"].as_str()?)?;
        Some(Subject::new(kind, object.pointer("/metadata/name")?.as_str()?))
    };
    Aim { workloads: backup.objects.iter().filter_map(subject).collect(), hooks: Vec::new() }
}
