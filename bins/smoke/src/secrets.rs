//! Secrets that are in the cluster: which they are is known before the run, their values once it has begun.

use futures_util::future::join_all;
use prodtest_cli::{ClusterTarget, Refusal};
use prodtest_config::{ConfigError, InCluster, Located, SecretRef, Secrets};
use prodtest_gate::{Place, Run};
use prodtest_kube::{Access, Cluster, ClusterError, NoServer, Server};
use secrecy::{ExposeSecret, SecretString};

use crate::{facts::Withheld, load};

/// The secrets that the cluster is asked for.
#[derive(Debug, Default)]
pub(crate) struct FromCluster {
    /// Whom to ask; none where there is nothing to ask for.
    server: Option<Server>,
    wanted: Vec<Wanted>,
    /// Those that it did not give.
    pub(crate) withheld: Vec<Withheld>,
}

/// One of them.
#[derive(Clone, Debug)]
struct Wanted {
    reference: Located<SecretRef>,
    at: InCluster,
    /// Whether all that needs it may be skipped.
    optional: bool,
}

impl FromCluster {
    /// Adds a secret, if it is in the cluster.
    pub(crate) fn want(&mut self, reference: &Located<SecretRef>, optional: bool) {
        let SecretRef::Kubernetes(at) = &reference.value else { return };
        match self.wanted.iter_mut().find(|known| known.reference.value == reference.value) {
            Some(known) => known.optional &= optional,
            None => self.wanted.push(Wanted { reference: reference.clone(), at: at.clone(), optional }),
        }
    }

    /// Finds out whom to ask; asks nobody yet.
    ///
    /// # Errors
    /// When the configuration does not say which cluster it is. `context` is where it names the context.
    pub(crate) fn find(&mut self, target: &ClusterTarget, context: Option<&Place>) -> Result<(), ConfigError> {
        let Some(first) = self.wanted.first() else { return Ok(()) };
        let access = Access { kubeconfig: target.kubeconfig.clone(), context: target.context.clone() };
        let server = Server::find(&access).map_err(|error| {
            let place = match (&error, context) {
                (NoServer::UnknownContext { .. }, Some(place)) => place.clone(),
                _ => first.reference.place.clone(),
            };
            ConfigError::new(error.to_string()).at(place).with_hint(error.hint())
        })?;
        self.server = Some(server);
        Ok(())
    }

    /// Asks for all of them at once. What the cluster did not give is among the withheld.
    ///
    /// # Errors
    /// When one is not set that must be, or is no secret that could be used.
    pub(crate) async fn fetch(&mut self, secrets: &mut Secrets, run: &Run) -> Result<(), Refusal> {
        let Some(server) = &self.server else { return Ok(()) };
        let answers = match run.unless_stopped(ask(server, &self.wanted)).await {
            Ok(answers) => answers,
            Err(reason) => {
                let withheld = |wanted: &Wanted| Withheld {
                    secret: wanted.reference.value.clone(),
                    unset: false,
                    why: reason.to_string(),
                    hint: None,
                };
                self.withheld = self.wanted.iter().map(withheld).collect();
                return Ok(());
            }
        };
        for (wanted, answer) in self.wanted.iter().zip(answers) {
            if let Some(withheld) = taken(wanted, answer, secrets).map_err(load::explain)? {
                self.withheld.push(withheld);
            }
        }
        Ok(())
    }
}

type Answer = Result<SecretString, ClusterError>;

async fn ask(server: &Server, wanted: &[Wanted]) -> Vec<Answer> {
    let cluster = match Cluster::connect(server).await {
        Ok(cluster) => cluster,
        Err(error) => return wanted.iter().map(|_| Err(error.clone())).collect(),
    };
    let cluster = &cluster;
    join_all(wanted.iter().map(|Wanted { at, .. }| async move {
        cluster.secret(at.namespace.as_deref().unwrap_or_default(), &at.secret, &at.key).await
    }))
    .await
}

/// Keeps the value of a secret, or says why there is none.
fn taken(wanted: &Wanted, answer: Answer, secrets: &mut Secrets) -> Result<Option<Withheld>, ConfigError> {
    let Wanted { reference, optional, .. } = wanted;
    let error = match answer {
        Ok(value) => match secrets.take(reference, value.expose_secret())? {
            Some(_) => return Ok(None),
            None => Unread { unset: true, configuration: true, why: "it is empty".to_owned(), hint: None },
        },
        Err(error) => Unread {
            unset: error.is_unset(),
            configuration: error.is_configuration(),
            why: error.to_string(),
            hint: error.hint(),
        },
    };
    if error.configuration && !(error.unset && *optional) {
        let what = if error.unset { "is not set" } else { "cannot be had" };
        let refused = ConfigError::new(format!("{} {what}", reference.value)).at(reference.place.clone());
        let refused = refused.with_note(error.why);
        return Err(match error.hint {
            Some(hint) => refused.with_hint(hint),
            None => refused,
        });
    }
    let Unread { unset, why, hint, .. } = error;
    Ok(Some(Withheld { secret: reference.value.clone(), unset, why, hint }))
}

/// Why there is no value.
struct Unread {
    unset: bool,
    configuration: bool,
    why: String,
    hint: Option<String>,
}
