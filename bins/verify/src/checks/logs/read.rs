//! Reading logs: of every container of the release, and of the one that it replaced.

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use k8s_openapi::api::core::v1::{ContainerStatus, Pod};
use prodtest_gate::{Redactor, Rule};
use prodtest_inspect::{Seeing, Unseen};
use prodtest_kube::{
    Call, Problem,
    kube::{
        Api,
        api::LogParams,
        core::{ApiResource, DynamicObject, GroupVersionKind},
    },
};
use prodtest_rollout::{backup::secret_texts, quoted};

use super::{Facts, LogSeen, Where};
use crate::{gate::Verify, live, site::Site};

/// How many logs are read side by side.
const SIDE_BY_SIDE: usize = 8;
const MIB: u32 = 1024 * 1024;

/// What one must be allowed to do.
pub(super) fn rule(site: &Site) -> Rule {
    Rule::new(site.namespace(), "", &["pods/log"], &["get"])
}

/// Reads them all.
pub(super) async fn all(seeing: &Seeing<'_, Verify>, target: &Where) -> Result<Facts, Unseen> {
    let (workloads, pods, since) =
        tokio::try_join!(live::workloads(seeing), live::pods(seeing), live::rolled_out(seeing))?;
    let redactor = redactor(seeing, workloads).await;
    let mut wanted = Vec::new();
    for workload in workloads {
        let own = pods.iter().filter(|pod| workload.selects(pod) && pod.metadata.deletion_timestamp.is_none());
        for pod in own {
            wanted.extend(logs(pod).into_iter().map(|(container, previous)| LogSeen {
                workload: workload.shown(),
                pod: pod.metadata.name.clone().unwrap_or_default(),
                container: container.to_owned(),
                previous,
                ..LogSeen::default()
            }));
        }
    }
    let reading = wanted.into_iter().map(|log| one(seeing, target, log, since, redactor.as_ref().ok()));
    let logs = stream::iter(reading).buffered(SIDE_BY_SIDE).collect().await;
    let planted = format!("{{}}\n{}\n", target.language.planted());
    let control = target.language.read(&planted, None).errors.count == 1;
    Ok(Facts { since, logs, withheld: redactor.err(), control })
}

/// Which logs a pod has: the containers that run or ran, and whether each is the one before.
fn logs(pod: &Pod) -> Vec<(&str, bool)> {
    let Some(status) = &pod.status else { return Vec::new() };
    let statuses = status.init_container_statuses.iter().chain(&status.container_statuses).flatten();
    let of = |status: &ContainerStatus| {
        let now = status.state.as_ref().is_some_and(|state| state.running.is_some() || state.terminated.is_some());
        let before = status.last_state.as_ref().is_some_and(|state| state.terminated.is_some());
        [(now, false), (before, true)].into_iter().filter_map(|(is, previous)| is.then_some(previous))
    };
    statuses.flat_map(|status| of(status).map(|previous| (status.name.as_str(), previous))).collect()
}

async fn one(
    seeing: &Seeing<'_, Verify>,
    target: &Where,
    mut log: LogSeen,
    since: Option<Timestamp>,
    redactor: Option<&Redactor>,
) -> LogSeen {
    let namespace = seeing.site.namespace();
    let most = target.max_mib.saturating_mul(MIB);
    let params = LogParams {
        container: Some(log.container.clone()),
        previous: log.previous,
        limit_bytes: Some(i64::from(most)),
        since_time: since,
        ..LogParams::default()
    };
    let before = if log.previous { " before" } else { "" };
    let call = Call {
        asked: format!("get the log of the container{before} `{}` of the pod `{}`", log.container, log.pod),
        rule: rule(seeing.site),
    };
    let cluster = match seeing.means.cluster() {
        Ok(cluster) => cluster,
        Err(unseen) => {
            log.unseen = Some(unseen);
            return log;
        }
    };
    let api: Api<Pod> = Api::namespaced(cluster.client(), namespace);
    match cluster.ask(&call, api.logs(&log.pod, &params)).await {
        // The kubelet says so with 200, as if the container had.
        Ok(text) if text.starts_with("unable to retrieve container logs") => {
            log.unseen = Some(Unseen::new(format!("could not {}: the node does not have it any more", call.asked)));
        }
        Ok(text) => {
            log.cut = text.len() >= usize::try_from(most).unwrap_or(usize::MAX);
            // The last line of what was cut is half a line.
            let whole = if log.cut { text.rsplit_once('\n').map_or("", |(whole, _)| whole) } else { text.as_str() };
            log.lines = target.language.read(whole, redactor);
        }
        Err(error) => log.unseen = Some(error.into()),
    }
    log
}

/// What keeps the values of Secrets that the pods use out of what is quoted of their logs; or why it cannot, and then
/// nothing is quoted.
async fn redactor(seeing: &Seeing<'_, Verify>, workloads: &[live::Workload]) -> Result<Redactor, Unseen> {
    let (cluster, namespace) = (seeing.means.cluster()?, seeing.site.namespace());
    let mut names = BTreeSet::new();
    for workload in workloads {
        quoted::named(&workload.object.data, &mut names);
    }
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Secret"));
    let api: Api<DynamicObject> = Api::namespaced_with(cluster.client(), namespace, &kind);
    let mut forms: Vec<String> = Vec::new();
    for name in names {
        let call = Call {
            asked: format!("get the secret `{name}` in the namespace `{namespace}`"),
            rule: Rule::get_secrets(namespace, [name.clone()]),
        };
        match cluster.ask(&call, api.get(&name)).await {
            Ok(secret) => forms.extend(secret_texts(&secret.data).iter().flat_map(|text| quoted::forms(text))),
            // One that is not there has nothing to hide.
            Err(error) if error.problem == Problem::NotFound => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Redactor::new(forms.iter().map(String::as_str)))
}
