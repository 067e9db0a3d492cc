//! What one check asked for and others need too: each is asked once.

use std::path::PathBuf;

use k8s_openapi::api::core::v1::{Node, PodTemplateSpec};
use prodtest_gate::Rule;
use prodtest_inspect::{Seeing, Unseen};
use prodtest_kube::{
    Call,
    kube::{Api, api::ListParams},
};
use prodtest_rollout::helm::{
    Ended, Helm, HelmProblem, History, Manifest, Target, Upgrade, ValuesMode, as_path, launch::Launcher, values_of,
};
use serde_json::Value;
use tokio::sync::OnceCell;

use crate::{gate::Precheck, pull};

/// How long a hook could take, which none does: nothing is run.
const HOOKS: std::time::Duration = std::time::Duration::from_secs(60);

/// What is asked once.
#[derive(Default)]
pub(crate) struct Shared {
    helm: OnceCell<Result<Helm, Unseen>>,
    rendered: OnceCell<Result<Manifest, Unrendered>>,
    nodes: OnceCell<Result<Vec<Node>, Unseen>>,
    history: OnceCell<Result<History, Unseen>>,
    pub(crate) pull: pull::Kept,
}

/// Why the chart gave no manifest.
#[derive(Clone, Debug)]
pub(crate) enum Unrendered {
    /// Helm refused it: it is the chart or its values.
    Refused(String),
    /// It could not be tried.
    Untried(Unseen),
}

impl From<Unrendered> for Unseen {
    fn from(why: Unrendered) -> Self {
        match why {
            Unrendered::Refused(_) => Self::new("the chart could not be rendered: see `precheck/chart`"),
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
        let mut running = helm.template(&Upgrade {
            release: &site.release,
            chart: &as_path(&chart.path),
            values: &chart.values,
            set_json: &[],
            own: &own_values(seeing),
            mode: ValuesMode::default(),
            hooks: HOOKS,
        });
        match running.wait().await {
            Ended::Done(Value::String(text)) => {
                Manifest::parse(&text).map_err(|error| Unrendered::Refused(error.to_string()))
            }
            Ended::Failed { problem: HelmProblem::Unreachable(why), .. } => Err(Unrendered::Untried(Unseen::new(why))),
            Ended::Failed { problem, .. } => Err(Unrendered::Refused(problem.to_string())),
            other => Err(Unrendered::Untried(Unseen::new(format!("helm did not come to its end: {other}")))),
        }
    };
    seeing.means.own.rendered.get_or_init(render).await.as_ref().map_err(Clone::clone)
}

/// Manifests as they are.
fn read(files: &[PathBuf]) -> Result<Manifest, Unrendered> {
    let mut manifest = Manifest::default();
    for file in files {
        let shown = file.display();
        let text = std::fs::read_to_string(file)
            .map_err(|error| Unrendered::Untried(Unseen::new(format!("`{shown}` could not be read: {error}"))))?;
        let read = Manifest::parse(&text).map_err(|error| Unrendered::Refused(format!("`{shown}`: {error}")))?;
        manifest.documents.extend(read.documents);
    }
    Ok(manifest)
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
    /// How many pods a rollout has beside those that run.
    pub(crate) surge: u32,
    /// The pods.
    pub(crate) template: PodTemplateSpec,
}

/// The workloads that would be deployed.
pub(crate) fn workloads(manifest: &Manifest) -> Result<Vec<Workload>, Unseen> {
    let documents = manifest.workloads().filter(|document| !document.hook);
    documents
        .map(|document| {
            let name = format!("{} {}", document.kind, document.name);
            let template = serde_json::from_value(document.object["spec"]["template"].clone())
                .map_err(|error| Unseen::new(format!("the pods of {name} cannot be read: {error}")))?;
            Ok(Workload { surge: surge(&document.object), template, name })
        })
        .collect()
}

/// How many pods a rollout has beside those that run: Kubernetes rounds up, and has a quarter where nobody says.
/// <https://kubernetes.io/docs/concepts/workloads/controllers/deployment/#max-surge>
fn surge(object: &Value) -> u32 {
    let spec = &object["spec"];
    let replicas = spec["replicas"].as_u64().unwrap_or(1);
    if object["kind"] != "Deployment" || spec["strategy"]["type"] == "Recreate" {
        return 0;
    }
    let most = &spec["strategy"]["rollingUpdate"]["maxSurge"];
    let percent = match (most.as_u64(), most.as_str().and_then(|text| text.strip_suffix('%')?.parse::<u64>().ok())) {
        (Some(number), _) => return u32::try_from(number).unwrap_or(u32::MAX),
        (None, Some(percent)) => percent,
        (None, None) => 25,
    };
    u32::try_from((replicas * percent).div_ceil(100)).unwrap_or(u32::MAX)
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

/// The revisions of the release, as Helm has them.
pub(crate) async fn history<'a>(seeing: &Seeing<'a, Precheck>) -> Result<&'a History, Unseen> {
    let read = || async {
        let (cluster, site) = (seeing.means.cluster()?, seeing.site);
        Ok(History::read(cluster, site.namespace(), &site.release).await?)
    };
    seeing.means.own.history.get_or_init(read).await.as_ref().map_err(Clone::clone)
}
