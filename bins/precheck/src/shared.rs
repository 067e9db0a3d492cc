//! What one check asked for and others need too: each is asked once.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use k8s_openapi::api::core::v1::{Namespace, Node, Pod, PodTemplateSpec};
use prodtest_gate::{Place, Rule};
use prodtest_inspect::{Seeing, Unseen};
use prodtest_kube::{
    Call,
    kube::{Api, api::ListParams},
};
use prodtest_rollout::{
    helm::{
        Document, Ended, Helm, HelmProblem, History, Manifest, Target, Unread, Upgrade, ValuesMode, as_path,
        launch::Launcher, values_of,
    },
    trace::{Sources, Subject, trace},
};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{
    gate::Precheck,
    pull,
    room::Added,
    site::{ChartSite, Site},
    store::{Store, Trouble, postgres::Session},
};

/// How long a hook could take, which none does: nothing is run.
const HOOKS: std::time::Duration = std::time::Duration::from_secs(60);

/// What is asked once.
#[derive(Default)]
pub(crate) struct Shared {
    helm: OnceCell<Result<Helm, Unseen>>,
    rendered: OnceCell<Result<Manifest, Unrendered>>,
    nodes: OnceCell<Result<Vec<Node>, Unseen>>,
    phase: OnceCell<Result<Option<String>, Unseen>>,
    running: OnceCell<Result<Vec<Pod>, Unseen>>,
    history: OnceCell<Result<History, Unseen>>,
    pub(crate) pull: pull::Kept,
    /// For [`crate::room::added`].
    pub(crate) added: OnceCell<Result<Vec<Added>, Unseen>>,
    sources: OnceLock<Option<Sources>>,
    database: OnceCell<Result<Session, Trouble>>,
}

/// Why the chart gave no manifest.
#[derive(Clone, Debug)]
pub(crate) enum Unrendered {
    /// Helm refused it, or it is no manifest: it is the chart or its values.
    Refused {
        /// What is wrong.
        why: String,
        /// The same in Helm's words, where they are Helm's.
        problem: Option<HelmProblem>,
    },
    /// It could not be tried.
    Untried(Unseen),
}

impl From<Unrendered> for Unseen {
    fn from(why: Unrendered) -> Self {
        match why {
            Unrendered::Refused { .. } => Self::new("the chart could not be rendered: see `precheck/chart`"),
            Unrendered::Untried(unseen) => unseen,
        }
    }
}

/// The `helm` program.
pub(crate) async fn helm(seeing: &Seeing<'_, Precheck>) -> Result<Helm, Unseen> {
    let find = || async {
        let site = seeing.site;
        let target = Target {
            kubeconfig: site.cluster.kubeconfig.clone(),
            context: site.cluster.context.clone(),
            namespace: site.namespace().to_owned(),
        };
        Helm::find(site.helm.as_deref(), target, Launcher::own().ok())
            .await
            .map_err(|error| Unseen::new(error.to_string()).hint(format!("{}: `--helm FILE`", error.hint())))
    };
    seeing.means.own.helm.get_or_init(find).await.clone()
}

/// What would be deployed.
pub(crate) async fn rendered<'a>(seeing: &Seeing<'a, Precheck>) -> Result<&'a Manifest, Unrendered> {
    let render = || async {
        let site = seeing.site;
        let Some(chart) = &site.chart else { return read(&site.manifests) };
        let helm = helm(seeing).await.map_err(Unrendered::Untried)?;
        let own = own_values(seeing);
        let mut running = helm.template(&upgrade(site, chart, &as_path(&chart.path), &own));
        match running.wait().await {
            Ended::Done(Value::String(text)) => {
                Manifest::parse(&text).map_err(|error| Unrendered::Refused { why: error.to_string(), problem: None })
            }
            Ended::Failed { problem: HelmProblem::Unreachable(why), .. } => Err(Unrendered::Untried(Unseen::new(why))),
            Ended::Failed { problem, .. } => {
                Err(Unrendered::Refused { why: problem.to_string(), problem: Some(problem) })
            }
            other => Err(Unrendered::Untried(Unseen::new(format!("helm did not come to its end: {other}")))),
        }
    };
    seeing.means.own.rendered.get_or_init(render).await.as_ref().map_err(Clone::clone)
}

/// What Helm is told of a chart.
fn upgrade<'a>(site: &'a Site, chart: &'a ChartSite, path: &'a str, own: &'a Value) -> Upgrade<'a> {
    let (release, values) = (site.release.as_str(), chart.values.as_slice());
    Upgrade { release, chart: path, values, set_json: &[], own, mode: ValuesMode::default(), hooks: HOOKS }
}

/// What `helm lint` has against the chart, a line each; none, where manifests are deployed.
pub(crate) async fn linted(seeing: &Seeing<'_, Precheck>) -> Result<Vec<String>, Unseen> {
    let Some(chart) = &seeing.site.chart else { return Ok(Vec::new()) };
    let helm = helm(seeing).await?;
    let own = own_values(seeing);
    let mut running = helm.lint(&upgrade(seeing.site, chart, &as_path(&chart.path), &own));
    match running.wait().await {
        Ended::Done(_) => Ok(Vec::new()),
        Ended::Failed { stderr, problem, .. } => {
            let errors = stderr.lines().filter_map(|line| line.strip_prefix("[ERROR] "));
            let errors: Vec<String> = errors.map(|error| error.trim().to_owned()).collect();
            Ok(if errors.is_empty() { vec![problem.to_string()] } else { errors })
        }
        other => Err(Unseen::new(format!("`helm lint` did not come to its end: {other}"))),
    }
}

/// Manifests as they are.
fn read(files: &[PathBuf]) -> Result<Manifest, Unrendered> {
    Manifest::read(files).map_err(|error| match error {
        Unread::File { .. } => Unrendered::Untried(Unseen::new(error.to_string())),
        Unread::Document { .. } => Unrendered::Refused { why: error.to_string(), problem: None },
    })
}

/// The values that the deploy gate gives.
fn own_values(seeing: &Seeing<'_, Precheck>) -> Value {
    let Some(image) = &seeing.site.image else { return Value::Null };
    values_of([
        (image.repository_key.as_deref(), Some(image.repository.as_str())),
        (image.tag_key.as_deref(), image.tag.as_deref()),
        (image.version_key.as_deref(), seeing.site.version.as_deref()),
    ])
}

/// The pods that would be deployed, with what they come from and how many of them.
pub(crate) struct Workload {
    /// `Deployment godel-api`.
    pub(crate) name: String,
    /// Its kind.
    pub(crate) kind: String,
    /// Its name alone.
    pub(crate) own_name: String,
    /// How many pods it has; of one that is scaled, the least.
    pub(crate) replicas: u32,
    /// Whether an autoscaler of the chart says how many.
    pub(crate) scaled: bool,
    /// The pods.
    pub(crate) template: PodTemplateSpec,
    most: Most,
}

/// How many pods a rollout may have more than there are.
#[derive(Clone, Copy)]
enum Most {
    Pods(u32),
    Percent(u32),
}

impl Workload {
    /// How many pods a rollout has beside those that run, if these are so many. Kubernetes rounds up.
    pub(crate) fn surge_of(&self, replicas: u32) -> u32 {
        match self.most {
            Most::Pods(number) => number,
            Most::Percent(percent) => {
                u32::try_from((u64::from(replicas) * u64::from(percent)).div_ceil(100)).unwrap_or(u32::MAX)
            }
        }
    }
}

/// The workloads that would be deployed.
pub(crate) fn workloads(manifest: &Manifest) -> Result<Vec<Workload>, Unseen> {
    let documents = manifest.workloads().filter(|document| !document.hook);
    documents
        .map(|document| {
            let name = format!("{} {}", document.kind, document.name);
            let template = serde_json::from_value(document.object["spec"]["template"].clone())
                .map_err(|error| Unseen::new(format!("the pods of {name} cannot be read: {error}")))?;
            let least = least(manifest, document);
            let replicas = least.unwrap_or_else(|| replicas(&document.object));
            let most = most(&document.object);
            let (kind, own_name) = (document.kind.clone(), document.name.clone());
            Ok(Workload { replicas, scaled: least.is_some(), template, most, kind, own_name, name })
        })
        .collect()
}

/// How many pods the chart's autoscaler of a workload keeps at least.
fn least(manifest: &Manifest, workload: &Document) -> Option<u32> {
    let scalers = manifest.documents.iter().filter(|document| document.kind == "HorizontalPodAutoscaler");
    let mut specs = scalers.map(|document| &document.object["spec"]);
    let of = |spec: &&Value| {
        let target = &spec["scaleTargetRef"];
        target["kind"] == workload.kind.as_str() && target["name"] == workload.name.as_str()
    };
    let least = specs.find(of)?["minReplicas"].as_u64().unwrap_or(1);
    Some(u32::try_from(least).unwrap_or(u32::MAX))
}

/// How many pods a workload has at once.
fn replicas(object: &Value) -> u32 {
    let spec = &object["spec"];
    let number = |key: &str| spec[key].as_u64();
    let replicas = match object["kind"].as_str() {
        Some("Job") => {
            let at_once = number("parallelism").unwrap_or(1);
            at_once.min(number("completions").unwrap_or(at_once))
        }
        _ => number("replicas").unwrap_or(1),
    };
    u32::try_from(replicas).unwrap_or(u32::MAX)
}

/// How many pods a rollout has beside those that run: a quarter of a Deployment where nobody says, none of what is replaced
/// in its place.
/// <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-surge>
/// <https://kubernetes.io/docs/tasks/manage-daemon/update-daemon-set/#performing-a-rolling-update>
fn most(object: &Value) -> Most {
    let spec = &object["spec"];
    let (strategy, otherwise) = match object["kind"].as_str() {
        Some("Deployment") => (&spec["strategy"], Most::Percent(25)),
        Some("DaemonSet") => (&spec["updateStrategy"], Most::Pods(0)),
        _ => return Most::Pods(0),
    };
    if !matches!(strategy["type"].as_str(), None | Some("RollingUpdate")) {
        return Most::Pods(0);
    }
    let most = &strategy["rollingUpdate"]["maxSurge"];
    let percent = most.as_str().and_then(|text| text.strip_suffix('%')?.parse().ok());
    match (most.as_u64(), percent) {
        (Some(number), _) => Most::Pods(u32::try_from(number).unwrap_or(u32::MAX)),
        (None, Some(percent)) => Most::Percent(percent),
        (None, None) => otherwise,
    }
}

/// The line of the chart, its values or the configuration that something comes from.
pub(crate) fn place(seeing: &Seeing<'_, Precheck>, document: Option<&Document>, subject: &Subject) -> Option<Place> {
    let chart = seeing.site.chart.as_ref()?;
    trace(sources(seeing)?, document, subject).map_or_else(|| Some(chart.place.clone()), |traced| Some(traced.place))
}

/// The files of the chart and its values; none, where they cannot be read or manifests are deployed.
pub(crate) fn sources<'a>(seeing: &Seeing<'a, Precheck>) -> Option<&'a Sources> {
    let chart = seeing.site.chart.as_ref()?;
    let read = || Sources::read(&chart.path, &chart.values, Path::new(".")).ok();
    seeing.means.own.sources.get_or_init(read).as_ref()
}

/// Whether it is made by `helm test` alone, after all others.
pub(crate) fn is_test(document: &Document) -> bool {
    let hook = document.object["metadata"]["annotations"]["helm.sh/hook"].as_str();
    hook.is_some_and(|hook| hook.contains("test"))
}

/// `Active` or `Terminating`; none, where the namespace is not there.
pub(crate) async fn phase(seeing: &Seeing<'_, Precheck>) -> Result<Option<String>, Unseen> {
    let get = || async {
        let (cluster, name) = (seeing.means.cluster()?, seeing.site.namespace());
        let call = Call { asked: format!("get the namespace `{name}`"), rule: namespace_rule(seeing.site) };
        let api: Api<Namespace> = Api::all(cluster.client());
        let found = cluster.ask(&call, api.get_opt(name)).await?;
        let phase = |namespace: Namespace| namespace.status.and_then(|status| status.phase);
        Ok(found.map(|namespace| phase(namespace).unwrap_or_else(|| "Active".to_owned())))
    };
    seeing.means.own.phase.get_or_init(get).await.clone()
}

/// What one must be allowed to do for [`phase`].
pub(crate) fn namespace_rule(site: &Site) -> Rule {
    let name = site.namespace();
    Rule::new(name, "", &["namespaces"], &["get"]).named([name.to_owned()])
}

/// The nodes of the cluster.
pub(crate) async fn nodes<'a>(seeing: &Seeing<'a, Precheck>) -> Result<&'a [Node], Unseen> {
    let list = || async {
        let cluster = seeing.means.cluster()?;
        let call = Call { asked: "list the nodes".to_owned(), rule: nodes_rule() };
        let api: Api<Node> = Api::all(cluster.client());
        Ok(cluster.ask(&call, api.list(&ListParams::default())).await?.items)
    };
    seeing.means.own.nodes.get_or_init(list).await.as_deref().map_err(Clone::clone)
}

/// What one must be allowed to do for [`nodes`].
pub(crate) fn nodes_rule() -> Rule {
    Rule::new("", "", &["nodes"], &["list"])
}

/// The pods of the cluster that are not at their end.
pub(crate) async fn running<'a>(seeing: &Seeing<'a, Precheck>) -> Result<&'a [Pod], Unseen> {
    let list = || async {
        let cluster = seeing.means.cluster()?;
        let call = Call { asked: "list the pods of all namespaces".to_owned(), rule: pods_rule() };
        let api: Api<Pod> = Api::all(cluster.client());
        let running = ListParams::default().fields("status.phase!=Succeeded,status.phase!=Failed");
        Ok(cluster.ask(&call, api.list(&running)).await?.items)
    };
    seeing.means.own.running.get_or_init(list).await.as_deref().map_err(Clone::clone)
}

/// What one must be allowed to do for [`running`].
pub(crate) fn pods_rule() -> Rule {
    Rule::new("", "", &["pods"], &["list"])
}

/// The revisions of the release, as Helm has them.
pub(crate) async fn history<'a>(seeing: &Seeing<'a, Precheck>) -> Result<&'a History, Unseen> {
    let read = || async {
        let (cluster, site) = (seeing.means.cluster()?, seeing.site);
        Ok(History::read(cluster, site.namespace(), &site.release).await?)
    };
    seeing.means.own.history.get_or_init(read).await.as_ref().map_err(Clone::clone)
}

/// One session of the database for all: where few connections are left, a second could be one too many.
pub(crate) async fn database<'a>(seeing: &Seeing<'a, Precheck>, store: &Store) -> Result<&'a Session, Trouble> {
    let open = || Session::open(seeing, store);
    seeing.means.own.database.get_or_init(open).await.as_ref().map_err(Clone::clone)
}
