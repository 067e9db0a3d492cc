//! The cluster's word on one object: which kinds it serves, and what it says to an apply that changes nothing.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::join_all;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::APIResourceList;
use prodtest_gate::Rule;
use prodtest_inspect::Unseen;
use prodtest_kube::{
    Call, Cluster, ClusterError, Problem,
    kube::{
        self, Api,
        api::{ApiResource, DynamicObject, Patch, PatchParams},
        client::Body,
        core::{Request, Status},
    },
};
use prodtest_rollout::helm::Document;
use serde::{Deserialize, Serialize};

/// Whose the fields would be.
const MANAGER: &str = "prodtest-precheck";

/// What came of an object.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// The cluster would take it. What it said beside that.
    Taken(Vec<String>),
    /// Its kind is not served in that version. The versions of its group that are.
    NotServed(Vec<String>),
    /// The cluster would not take it.
    Refused(String),
    /// Nobody knows.
    Unknown(Unseen),
}

/// What the cluster serves.
pub(super) struct Served {
    versions: BTreeSet<String>,
    kinds: BTreeMap<String, Result<APIResourceList, Unseen>>,
}

impl Served {
    /// Asks for the versions that there are, and for the kinds of those that are wanted.
    pub(super) async fn ask(cluster: &Cluster, wanted: BTreeSet<&str>) -> Result<Self, Unseen> {
        let client = cluster.client();
        let call = |asked: String| Call { asked, rule: Rule::new("", "", &[], &["get"]) };
        let groups = cluster.ask(&call("ask which API groups there are".to_owned()), client.list_api_groups()).await?;
        let of_groups = groups.groups.into_iter().flat_map(|group| group.versions);
        let mut versions: BTreeSet<String> = of_groups.map(|version| version.group_version).collect();
        versions.insert("v1".to_owned());
        let wanted = wanted.into_iter().filter(|version| versions.contains(*version));
        let kinds = join_all(wanted.map(|version| {
            let (client, call) = (&client, call(format!("ask which kinds there are of `{version}`")));
            async move {
                let listed = match version {
                    "v1" => cluster.ask(&call, client.list_core_api_resources(version)).await,
                    _ => cluster.ask(&call, client.list_api_group_resources(version)).await,
                };
                (version.to_owned(), listed.map_err(Unseen::from))
            }
        }));
        let kinds = kinds.await.into_iter().collect();
        Ok(Self { versions, kinds })
    }

    /// The kind of an object, and whether it is of a namespace.
    fn kind(&self, document: &Document) -> Result<(ApiResource, bool), Outcome> {
        let (version, kind) = (&document.api_version, &document.kind);
        let (group, short) = version.split_once('/').unwrap_or(("", version));
        let others = || {
            let same = |other: &&String| other.split_once('/').map_or("", |(group, _)| group) == group;
            Outcome::NotServed(self.versions.iter().filter(same).filter(|other| *other != version).cloned().collect())
        };
        let list = match self.kinds.get(version) {
            Some(Ok(list)) => list,
            Some(Err(unseen)) => return Err(Outcome::Unknown(unseen.clone())),
            None => return Err(others()),
        };
        let found = list.resources.iter().find(|it| it.kind == *kind && !it.name.contains('/')).ok_or_else(others)?;
        let resource = ApiResource {
            group: group.to_owned(),
            version: short.to_owned(),
            api_version: version.clone(),
            kind: kind.clone(),
            plural: found.name.clone(),
        };
        Ok((resource, found.namespaced))
    }

    /// Has the cluster say what it would make of an object. Nothing is changed.
    pub(super) async fn try_one(&self, cluster: &Cluster, namespace: &str, document: &Document) -> Outcome {
        let (kind, namespaced) = match self.kind(document) {
            Ok(kind) => kind,
            Err(outcome) => return outcome,
        };
        let namespace = document.namespace.as_deref().unwrap_or(namespace);
        let client = cluster.client();
        let api: Api<DynamicObject> = if namespaced {
            Api::namespaced_with(client.clone(), namespace, &kind)
        } else {
            Api::all_with(client.clone(), &kind)
        };
        let rule =
            Rule::new(if namespaced { namespace } else { "" }, &kind.group, &[&kind.plural], &["create", "patch"]);
        let call = Call { asked: format!("try {} `{}`", document.kind, document.name), rule };
        let parameters =
            PatchParams { dry_run: true, force: true, field_manager: Some(MANAGER.to_owned()), field_validation: None };
        let trying = async {
            let request =
                Request::new(api.resource_url()).patch(&document.name, &parameters, &Patch::Apply(&document.object));
            let response = client.send(request.map_err(kube::Error::BuildRequest)?.map(Body::from)).await?;
            let told = response.headers().get_all("warning").iter().filter_map(|it| warning(it.to_str().ok()?));
            let (told, status): (Vec<String>, _) = (told.collect(), response.status());
            let body = response.into_body().collect_bytes().await?;
            if status.is_success() {
                return Ok(told);
            }
            let said = serde_json::from_slice::<Status>(&body);
            let said =
                said.unwrap_or_else(|_| Status::failure("no word of Kubernetes' own", "").with_code(status.as_u16()));
            Err(kube::Error::Api(said.boxed()))
        };
        match cluster.ask(&call, trying).await {
            Ok(warnings) => Outcome::Taken(warnings),
            Err(error) => not_taken(&error, document.kind == "Secret"),
        }
    }
}

/// The text of `299 - "policy/v1beta1 PodDisruptionBudget is deprecated in v1.21+"`.
/// <https://kubernetes.io/blog/2020/09/03/warnings/>
pub(super) fn warning(header: &str) -> Option<String> {
    let (_, rest) = header.split_once('"')?;
    let (text, _) = rest.rsplit_once('"')?;
    Some(text.replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// Whether a warning says that a version of a kind will go.
pub(super) fn deprecates(warning: &str, document_version: &str, kind: &str) -> bool {
    let of_kind = format!("{document_version} {kind}");
    warning.strip_prefix(&of_kind).is_some_and(|rest| rest.trim_start().starts_with("is deprecated"))
}

/// What a refusal means. `secret`: the cluster's words quote values, and are left out.
pub(super) fn not_taken(error: &ClusterError, secret: bool) -> Outcome {
    let refused = |message: &String| {
        let hidden = "its words are left out, for they may quote a Secret";
        Outcome::Refused(if secret { hidden.to_owned() } else { message.clone() })
    };
    let unknown = || Outcome::Unknown(error.clone().into());
    let elsewhere = |what: &str| Outcome::Unknown(Unseen::new(format!("{what}: see `precheck/namespace`")));
    match &error.problem {
        // A namespace is what an apply does not make by itself.
        Problem::NotFound => elsewhere("the namespace is not there"),
        Problem::Forbidden(message) if message.contains("being terminated") => {
            elsewhere("the namespace is on its way out")
        }
        // Whoever asks may not; what admission forbids reads otherwise.
        Problem::Forbidden(message) if message.contains(" cannot ") && message.contains(" resource ") => unknown(),
        Problem::Forbidden(message) => refused(message),
        // The API server calls an object that does not fit its schema an error of its own.
        Problem::Refused { code: 500, message } if message.starts_with("failed to create typed patch object") => {
            refused(message)
        }
        Problem::Refused { message, .. } if message.contains("does not support dry run") => unknown(),
        Problem::Refused { code: 429, .. } => unknown(),
        Problem::Refused { code: 400..=499, message } => refused(message),
        _ => unknown(),
    }
}
