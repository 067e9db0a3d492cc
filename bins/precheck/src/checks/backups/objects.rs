//! What objects of the cluster say of backups.

use jiff::Timestamp;
use k8s_openapi::api::batch::v1::CronJob;
use prodtest_gate::Rule;
use prodtest_inspect::Unseen;
use prodtest_kube::{
    Call, Cluster, Problem,
    kube::{
        Api,
        api::ListParams,
        core::{ApiResource, DynamicObject, GroupVersionKind},
    },
};
use serde_json::Value;

use super::{
    Backup,
    config::{Source, Velero},
};

const SNAPSHOTS: (&str, &str) = ("snapshot.storage.k8s.io", "volumesnapshots");
const VELERO: (&str, &str) = ("velero.io", "backups");
/// The label that Velero gives to what a Schedule makes.
const SCHEDULE: &str = "velero.io/schedule-name";

/// What one must be allowed to do.
pub(super) fn rules(namespace: &str, source: &Source) -> Vec<Rule> {
    match source {
        Source::CronJob(name) => vec![cron_job_rule(namespace, name)],
        Source::VolumeSnapshots(_) => vec![list_rule(namespace, SNAPSHOTS)],
        Source::Velero(velero) => vec![list_rule(&velero.namespace, VELERO)],
        Source::Pgbackrest(_) | Source::Command(_) => Vec::new(),
    }
}

fn cron_job_rule(namespace: &str, name: &str) -> Rule {
    Rule::new(namespace, "batch", &["cronjobs"], &["get"]).named([name.to_owned()])
}

fn list_rule(namespace: &str, (group, kinds): (&str, &str)) -> Rule {
    Rule::new(namespace, group, &[kinds], &["list"])
}

/// When the CronJob last succeeded. One that is not there makes no backups.
pub(super) async fn cron_job(cluster: &Cluster, namespace: &str, name: &str) -> Result<Vec<Backup>, Unseen> {
    let asked = format!("get the cronjob `{name}` in the namespace `{namespace}`");
    let call = Call { asked, rule: cron_job_rule(namespace, name) };
    let api: Api<CronJob> = Api::namespaced(cluster.client(), namespace);
    let what = format!("the cronjob `{name}`");
    let Some(job) = cluster.ask(&call, api.get_opt(name)).await? else {
        let remark = format!("there is no cronjob `{name}` in the namespace `{namespace}`");
        return Ok(vec![Backup { what, newest: None, remark: Some(remark) }]);
    };
    let status = job.status.unwrap_or_default();
    let remark = match (job.spec.suspend == Some(true), status.last_schedule_time) {
        (true, _) => Some("it is suspended".to_owned()),
        (false, Some(last)) => Some(format!("it was last started at {:.0}", last.0)),
        (false, None) => Some("it was never started".to_owned()),
    };
    Ok(vec![Backup { what, newest: status.last_successful_time.map(|time| time.0), remark }])
}

/// When the newest VolumeSnapshot that can be used was made.
/// <https://kubernetes.io/docs/concepts/storage/volume-snapshots/>
pub(super) async fn volume_snapshots(
    cluster: &Cluster,
    namespace: &str,
    selector: &str,
) -> Result<Vec<Backup>, Unseen> {
    let kind = ("VolumeSnapshot", "v1");
    let list = list(cluster, namespace, SNAPSHOTS, kind, Some(selector)).await?;
    let ready = |status: &Value| status["readyToUse"] == true;
    let what = format!("the volumesnapshots with `{selector}`");
    Ok(vec![newest(what, "ready to use", &list, ready, "creationTime")])
}

/// When the newest Backup of Velero's that is whole was done.
/// <https://velero.io/docs/main/api-types/backup/>
pub(super) async fn velero(cluster: &Cluster, velero: &Velero) -> Result<Vec<Backup>, Unseen> {
    let selector = velero.schedule.as_ref().map(|schedule| format!("{SCHEDULE}={schedule}"));
    let list = list(cluster, &velero.namespace, VELERO, ("Backup", "v1"), selector.as_deref()).await?;
    let completed = |status: &Value| status["phase"] == "Completed";
    let what = match &velero.schedule {
        Some(schedule) => format!("Velero's schedule `{schedule}`"),
        None => "Velero".to_owned(),
    };
    Ok(vec![newest(what, "completed", &list, completed, "completionTimestamp")])
}

/// The newest that is good, and how many there are.
fn newest(what: String, word: &str, list: &[DynamicObject], is_good: impl Fn(&Value) -> bool, time: &str) -> Backup {
    let good: Vec<Timestamp> = list
        .iter()
        .map(|object| &object.data["status"])
        .filter(|status| is_good(status))
        .filter_map(|status| status[time].as_str()?.parse().ok())
        .collect();
    let remark = format!("there are {}, and {} of them {word}", list.len(), good.len());
    Backup { what, newest: good.into_iter().max(), remark: Some(remark) }
}

async fn list(
    cluster: &Cluster,
    namespace: &str,
    (group, kinds): (&str, &str),
    (kind, version): (&str, &str),
    selector: Option<&str>,
) -> Result<Vec<DynamicObject>, Unseen> {
    let asked = format!("list the {kinds} of `{group}` in the namespace `{namespace}`");
    let call = Call { asked, rule: list_rule(namespace, (group, kinds)) };
    let resource = ApiResource::from_gvk_with_plural(&GroupVersionKind::gvk(group, version, kind), kinds);
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client(), namespace, &resource);
    let parameters = selector.map_or_else(ListParams::default, |selector| ListParams::default().labels(selector));
    cluster.ask(&call, api.list(&parameters)).await.map(|list| list.items).map_err(|error| match error.problem {
        // Of a namespace without any it would say that it has none.
        Problem::NotFound => {
            Unseen::new(error.to_string()).hint(format!("the cluster knows no `{group}/{version}`: is it installed?"))
        }
        _ => error.into(),
    })
}
