//! The live means of looking.

use std::{collections::BTreeMap, time::Duration};

use futures_util::future::join_all;
use prodtest_cli::{ClusterTarget, Input, Refusal};
use prodtest_config::{Located, SecretRef, Secrets};
use prodtest_gate::{Rule, Run};
use prodtest_kube::{Access, Call, Cluster, ClusterError, Problem, Server};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::time::timeout;

use crate::{Plan, Survey, Unseen};

/// How long the cluster may take to say that it is there. All checks wait for that.
const REACH: Duration = Duration::from_secs(4);

/// The live means of looking. Never kept.
pub struct Means<Own> {
    server: Server,
    /// The cluster, or why it cannot be asked; none before it was tried.
    cluster: Option<Result<Cluster, ClusterError>>,
    secrets: Secrets,
    /// Secrets that could not be had.
    missing: BTreeMap<SecretRef, Unseen>,
    references: Vec<Located<SecretRef>>,
    /// What the gate's own checks share.
    pub own: Own,
}

impl<Own> Means<Own> {
    /// For this plan, of that cluster, with what it needs of secrets; those of the environment and of files are read. Each that
    /// is in the cluster says in which namespace.
    ///
    /// # Errors
    /// When the configuration does not say which cluster it is, or one of these secrets is not set.
    pub fn new<S: Survey>(
        plan: &Plan<S::Site>,
        input: &Input<'_, S::Flags>,
        target: &ClusterTarget,
        own: Own,
    ) -> Result<Self, Refusal> {
        let (config, variable) = (input.config, input.variable.clone());
        let mut secrets = Secrets::new(move |name| variable(name));
        let access = Access { kubeconfig: target.kubeconfig.clone(), context: target.context.clone() };
        let configured = config.environment.kubernetes.as_ref().and_then(|cluster| cluster.context.as_ref());
        let by_flag = configured.map(|context| &context.value) != target.context.as_ref();
        let server = Server::find(&access).map_err(|error| error.explained(config, by_flag))?;
        let mut references: Vec<Located<SecretRef>> = Vec::new();
        for entry in S::CHECKS {
            let Some(check) = plan.checks.get(entry.name).filter(|check| check.left_out.is_none()) else { continue };
            let Some(target) = &check.target else { continue };
            for reference in (entry.secrets)(target).unwrap_or_default() {
                match &reference.value {
                    SecretRef::Kubernetes(_) => references.push(reference),
                    _ => {
                        secrets.resolve(&reference).map_err(|error| config.explain(error))?;
                    }
                }
            }
        }
        Ok(Self::of(server, secrets, references, own))
    }

    pub(crate) fn of(server: Server, secrets: Secrets, references: Vec<Located<SecretRef>>, own: Own) -> Self {
        Self { server, cluster: None, secrets, missing: BTreeMap::new(), references, own }
    }

    /// Gets the credentials, asks the cluster whether it is there, and for the secrets that are in it. What cannot be had is
    /// told by whoever needs it.
    pub async fn fetch(&mut self, run: &Run) {
        // Stopped: then nobody asks for anything any more.
        let Ok(reached) = run.unless_stopped(reach(&self.server)).await else { return };
        if let Ok(cluster) = &reached {
            let asking = self.references.iter().map(|reference| ask(cluster, reference));
            let Ok(answers) = run.unless_stopped(join_all(asking)).await else { return };
            for (reference, answer) in self.references.iter().zip(answers) {
                let taken = answer.and_then(|value| match self.secrets.take(reference, value.expose_secret()) {
                    Ok(Some(_)) => Ok(()),
                    Ok(None) => Err(Unseen::new(format!("{} is empty", reference.value))),
                    Err(error) => Err(Unseen::new(error.to_string())),
                });
                if let Err(unseen) = taken {
                    self.missing.insert(reference.value.clone(), unseen);
                }
            }
        }
        self.cluster = Some(reached);
    }

    /// Where the cluster's API is, and as whom it is asked.
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// The cluster.
    ///
    /// # Errors
    /// When it cannot be asked.
    pub fn cluster(&self) -> Result<&Cluster, Unseen> {
        match &self.cluster {
            Some(Ok(cluster)) => Ok(cluster),
            Some(Err(error)) => Err(error.clone().into()),
            None => Err(Unseen::new("the cluster was not asked")),
        }
    }

    /// The value of a secret that the check said it needs.
    ///
    /// # Errors
    /// When it could not be had.
    pub fn secret(&self, reference: &SecretRef) -> Result<&SecretString, Unseen> {
        match (self.secrets.get(reference), self.missing.get(reference)) {
            (Some(value), _) => Ok(value),
            (None, Some(unseen)) => Err(unseen.clone()),
            (None, None) => Err(Unseen::new(format!("{reference} was not read"))),
        }
    }

    /// Every value that must be kept out of everything.
    pub fn values(&self) -> impl Iterator<Item = &str> {
        self.secrets.values()
    }
}

/// The cluster, once it has said which version it is: the one question that all who are let in may ask.
async fn reach(server: &Server) -> Result<Cluster, ClusterError> {
    let cluster = Cluster::connect(server).await?;
    let call = Call { asked: "ask for the version".to_owned(), rule: Rule::new("", "", &[], &["get"]) };
    let client = cluster.client();
    match timeout(REACH, cluster.ask(&call, client.apiserver_version())).await {
        Ok(answer) => answer.map(|_| cluster),
        Err(_) => Err(cluster.error(&call, Problem::NoAnswer(REACH))),
    }
}

async fn ask(cluster: &Cluster, reference: &Located<SecretRef>) -> Result<SecretString, Unseen> {
    let SecretRef::Kubernetes(at) = &reference.value else {
        return Err(Unseen::new(format!("{} is not in the cluster", reference.value)));
    };
    let Some(namespace) = at.namespace.as_deref() else {
        return Err(Unseen::new(format!("nothing says in which namespace {} is", reference.value)));
    };
    Ok(cluster.secret(namespace, &at.secret, &at.key).await?)
}
