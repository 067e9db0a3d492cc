//! The calls.

use std::{fmt, sync::Once, time::Duration};

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client, client::ClientBuilder};
use prodtest_gate::Rule;
use secrecy::SecretString;
use tokio::{sync::oneshot, time::timeout};

use crate::{ClusterError, Problem, Server, explain};

/// How long a plugin may take for the credentials: some start an interpreter and ask their cloud.
const CREDENTIALS: Duration = Duration::from_secs(30);
/// How long one call may take, retries of an overloaded server and all.
const CALL: Duration = Duration::from_secs(10);

/// A cluster that can be asked.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    server: String,
    patience: Duration,
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cluster").field(&self.server).finish()
    }
}

impl Cluster {
    /// Gets the credentials and prepares the connection; it is made with the first call.
    ///
    /// # Errors
    /// When the credentials cannot be had, or the kubeconfig's certificates and keys are no good.
    pub async fn connect(server: &Server) -> Result<Self, ClusterError> {
        install_provider();
        let asked = match &server.config.auth_info.exec {
            Some(plugin) => {
                format!("get credentials by the plugin `{}`", plugin.command.as_deref().unwrap_or_default())
            }
            None => "get credentials".to_owned(),
        };
        let error = |problem| ClusterError { asked, server: server.url().to_owned(), problem, rule: None };
        let (done, waiting) = oneshot::channel();
        let config = server.config.clone();
        // The library waits for a plugin without giving way. A thread of its own, for the runtime would wait at its end
        // for a plugin that hangs.
        let spawned = std::thread::Builder::new().name("credentials".to_owned()).spawn(move || {
            // Nobody waits any more once the time is up.
            let _ = done.send(ClientBuilder::try_from(config));
        });
        if let Err(why) = spawned {
            return Err(error(Problem::NoCredentials(format!("no thread: {why}"))));
        }
        match timeout(CREDENTIALS, waiting).await {
            Ok(Ok(Ok(builder))) => Ok(Self::of(builder.build(), server.url())),
            Ok(Ok(Err(why))) => Err(error(explain::problem(&why))),
            Ok(Err(_)) => Err(error(Problem::NoCredentials("the thread ended early".to_owned()))),
            Err(_) => Err(error(Problem::NoAnswer(CREDENTIALS))),
        }
    }

    fn of(client: Client, server: &str) -> Self {
        Self { client, server: server.to_owned(), patience: CALL }
    }

    /// The value of one key of a Secret.
    ///
    /// # Errors
    /// When it is not there, or the cluster did not give it.
    pub async fn secret(&self, namespace: &str, name: &str, key: &str) -> Result<SecretString, ClusterError> {
        let call = Call {
            asked: format!("get the secret `{name}` in the namespace `{namespace}`"),
            rule: Rule::get_secrets(namespace, [name.to_owned()]),
        };
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        let secret = self.ask(&call, api.get(name)).await?;
        if secret.metadata.name.as_deref() != Some(name) {
            // `{}` reads as a Secret without a key.
            return Err(self.error(&call, Problem::Garbage("it is not that Secret".to_owned())));
        }
        let mut data = secret.data.unwrap_or_default();
        let Some(value) = data.remove(key) else {
            let present = data.into_keys().collect();
            return Err(self.error(&call, Problem::NoSuchKey { key: key.to_owned(), present }));
        };
        match String::from_utf8(value.0) {
            Ok(text) => Ok(text.into()),
            Err(_) => Err(self.error(&call, Problem::NoText { key: key.to_owned() })),
        }
    }

    /// The library's client, for calls that [`Self::ask`] makes and for watches.
    #[must_use]
    pub fn client(&self) -> Client {
        self.client.clone()
    }

    /// Does one call, within its time.
    ///
    /// # Errors
    /// When the cluster did not do it.
    pub async fn ask<T>(&self, call: &Call, work: impl Future<Output = kube::Result<T>>) -> Result<T, ClusterError> {
        match timeout(self.patience, work).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) => Err(self.error(call, explain::problem(&error))),
            Err(_) => Err(self.error(call, Problem::NoAnswer(self.patience))),
        }
    }

    /// What went wrong with a call.
    #[must_use]
    pub fn error(&self, call: &Call, problem: Problem) -> ClusterError {
        let Call { asked, rule } = call;
        ClusterError { asked: asked.clone(), server: self.server.clone(), problem, rule: Some(Box::new(rule.clone())) }
    }
}

/// What is asked for, and what one must be allowed to do for it.
#[derive(Clone, Debug)]
pub struct Call {
    /// In words, after "could not": `get the secret `a` in the namespace `b``.
    pub asked: String,
    /// What one must be allowed to do.
    pub rule: Rule,
}

/// The library takes the process's provider; prodtest-http brings its own along and needs none.
fn install_provider() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // Another one would be there already only if somebody else had installed it, and then it serves.
        let _ = rustls::crypto::ring::default_provider().install_default();
    });
}

#[cfg(test)]
mod tests;
