//! Jobs and hooks that have failed.

use super::{DoomKind, Scene, Sign};
use crate::watch::{Kind, Subject, objects::Condition};

/// A sign, once a Job or a bare hook pod has failed for good.
pub(super) fn sign(scene: &Scene<'_>, subject: &Subject) -> Option<Sign> {
    match subject.kind {
        Kind::Job => {
            let job = scene.state.jobs.get(&subject.name)?;
            let conditions = &job.status.conditions;
            // The target is there as soon as it is certain, the condition when the last pod has ended.
            let failed = Condition::find(conditions, "Failed", "True")
                .or_else(|| Condition::find(conditions, "FailureTarget", "True"))?;
            let mut sign = Sign::new(DoomKind::JobFailed, failed.message.clone());
            sign.reason = Some(failed.reason.clone());
            let mut pods = scene.state.pods.values().filter(|pod| pod.metadata.is_of(&job.metadata.uid));
            if let Some(pod) = pods.find(|pod| pod.status.phase == "Failed") {
                sign.exit_code = pod.status.container_statuses.iter().find_map(|it| Some(it.last_end()?.exit_code));
                sign = sign.of(pod);
            }
            Some(sign)
        }
        Kind::Pod => {
            let pod = scene.state.pods.get(&subject.name).filter(|pod| pod.status.phase == "Failed")?;
            let ended =
                pod.all_containers().find_map(|(it, _)| Some((it, it.last_end()?)).filter(|it| it.1.exit_code != 0));
            let message = match (&ended, pod.status.message.is_empty()) {
                (Some((_, end)), true) => format!("exit code {}", end.exit_code),
                _ => pod.status.message.clone(),
            };
            let mut sign = Sign::new(DoomKind::JobFailed, message).of(pod);
            sign.exit_code = ended.map(|(_, end)| end.exit_code);
            sign.container = ended.map(|(status, _)| status.name.clone());
            sign.reason = ended.map(|(_, end)| end.reason.clone());
            Some(sign)
        }
        _ => None,
    }
}
