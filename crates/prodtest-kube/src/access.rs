//! Which cluster it is, and as whom it is asked: the kubeconfig, found and read as kubectl does.

use std::{fmt, io, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use kube::config::{Config as Ready, ExecInteractiveMode, InClusterError, Kubeconfig, KubeconfigError};
use prodtest_config::{Config, ConfigError, listed, nearest};

/// What was said of the way to the cluster; what was not said is as kubectl has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// The kubeconfig.
    pub kubeconfig: Option<PathBuf>,
    /// The context in it.
    pub context: Option<String>,
}

/// A cluster's API and the credentials for it, before anything is asked.
#[derive(Clone)]
pub struct Server {
    pub(crate) config: Ready,
    url: String,
}

/// Why it is not known which cluster to ask. It is the configuration that is wrong.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoServer {
    /// There is neither a kubeconfig nor a service account.
    #[error("there is no kubeconfig, and this is no pod of a cluster: {0}")]
    Nowhere(String),
    /// The kubeconfig cannot be read, or not be used.
    #[error("the kubeconfig cannot be used: {0}")]
    Unusable(String),
    /// There is no such context.
    #[error("the kubeconfig has no context `{name}`")]
    UnknownContext {
        /// The one that was asked for.
        name: String,
        /// Those that there are.
        known: Vec<String>,
    },
    /// None was asked for, and there is no current one.
    #[error("the kubeconfig has no current context, and none is chosen")]
    NoContext {
        /// Those that there are.
        known: Vec<String>,
    },
}

impl NoServer {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> String {
        let contexts = |known: &[String]| match known {
            [] => "it has none".to_owned(),
            known => format!("it has {}", listed(known)),
        };
        match self {
            Self::Nowhere(_) => {
                "name one by `--kubeconfig FILE`, by `kubernetes: { kubeconfig: FILE }`, or by `KUBECONFIG`".to_owned()
            }
            Self::Unusable(_) => "look whether `kubectl get --raw /version` works with it".to_owned(),
            Self::UnknownContext { name, known } => match nearest(name, known.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`? {}", contexts(known)),
                None => contexts(known),
            },
            Self::NoContext { known } => format!("name one by `--context NAME`: {}", contexts(known)),
        }
    }
}

impl NoServer {
    /// As an error of the configuration; at its line, where the context that there is not was named there, and not by a flag.
    #[must_use]
    pub fn explained(&self, config: &Config, context_by_flag: bool) -> ConfigError {
        let error = ConfigError::new(self.to_string()).with_hint(self.hint());
        let configured = config.environment.kubernetes.as_ref().and_then(|cluster| cluster.context.as_ref());
        match (self, configured.filter(|_| !context_by_flag)) {
            (Self::UnknownContext { .. }, Some(context)) => config.explain(error.at(context.place.clone())),
            _ => error,
        }
    }
}

impl Server {
    /// Finds it. Reads files, and asks nobody.
    ///
    /// # Errors
    /// When the configuration does not say which cluster it is.
    pub fn find(access: &Access) -> Result<Self, NoServer> {
        let mut config = match kubeconfig(access)? {
            Found::Kubeconfig(kubeconfig) => in_context(*kubeconfig, access.context.as_deref())?,
            Found::Nothing(why) => in_pod(access, &why)?,
        };
        if let Some(plugin) = &mut config.auth_info.exec {
            // Nobody sits in front of a gate: a plugin that asks for a password would wait for ever.
            plugin.interactive_mode = Some(ExecInteractiveMode::Never);
        }
        let url = shown(&config);
        Ok(Self { config, url })
    }

    /// The certificate that says who asks, in PEM; none where a token or a plugin does.
    ///
    /// # Errors
    /// When the kubeconfig names one that cannot be read, in words.
    pub fn client_certificate(&self) -> Result<Option<Vec<u8>>, String> {
        let who = &self.config.auth_info;
        match (&who.client_certificate_data, &who.client_certificate) {
            (Some(data), _) => {
                let bytes =
                    STANDARD.decode(data.trim()).map_err(|_| "`client-certificate-data` is no base64".to_owned())?;
                Ok(Some(bytes))
            }
            (None, Some(path)) => std::fs::read(path).map(Some).map_err(|error| format!("`{path}`: {error}")),
            (None, None) => Ok(None),
        }
    }

    /// Where its API is.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }
}

/// The address alone: the rest is credentials.
impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Server").field(&self.url).finish()
    }
}

/// Where kubectl looks when nobody says where, in the home directory.
const DEFAULT: &str = ".kube/config";

enum Found {
    Kubeconfig(Box<Kubeconfig>),
    /// There is none, with where it was looked for.
    Nothing(String),
}

fn kubeconfig(access: &Access) -> Result<Found, NoServer> {
    let read = match &access.kubeconfig {
        Some(path) => Kubeconfig::read_from(path),
        None => Kubeconfig::read(),
    };
    match read {
        Ok(kubeconfig) => Ok(Found::Kubeconfig(Box::new(kubeconfig))),
        // What nobody named need not be there.
        Err(error @ KubeconfigError::FindPath) if access.kubeconfig.is_none() => Ok(Found::Nothing(words(&error))),
        // `KUBECONFIG` is somebody naming it, and then it must be there: or a job whose file is missing would ask the
        // cluster that its runner happens to be in.
        Err(KubeconfigError::ReadConfig(error, path))
            if access.kubeconfig.is_none() && error.kind() == io::ErrorKind::NotFound && path.ends_with(DEFAULT) =>
        {
            Ok(Found::Nothing(format!("there is no file `{}`", path.display())))
        }
        Err(error) => Err(NoServer::Unusable(words(&error))),
    }
}

fn in_context(mut kubeconfig: Kubeconfig, asked: Option<&str>) -> Result<Ready, NoServer> {
    let known: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
    let current = kubeconfig.current_context.take().filter(|name| !name.is_empty());
    let Some(name) = asked.map(str::to_owned).or(current) else { return Err(NoServer::NoContext { known }) };
    if !known.contains(&name) {
        return Err(NoServer::UnknownContext { name, known });
    }
    kubeconfig.current_context = Some(name);
    Ready::try_from(kubeconfig).map_err(|error| NoServer::Unusable(words(&error)))
}

fn in_pod(access: &Access, looked: &str) -> Result<Ready, NoServer> {
    if let Some(name) = &access.context {
        return Err(NoServer::Nowhere(format!("{looked}, so there is no context `{name}`")));
    }
    Ready::incluster().map_err(|error| match error {
        InClusterError::ReadEnvironmentVariable(_) => NoServer::Nowhere(looked.to_owned()),
        error => NoServer::Unusable(format!("of this pod's service account: {error}")),
    })
}

/// What is wrong with a kubeconfig. The parser's own words quote the file, which holds tokens and keys.
fn words(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(error) => match error.location() {
            Some(at) => format!("it is not the YAML of a kubeconfig, at line {}, column {}", at.line(), at.column()),
            None => "it is not the YAML of a kubeconfig".to_owned(),
        },
        KubeconfigError::ReadConfig(error, path) => format!("`{}`: {error}", path.display()),
        KubeconfigError::LoadClusterOfContext(name) => format!("its context is of a cluster `{name}` that it has not"),
        KubeconfigError::ParseClusterUrl(_) => "the `server` of its cluster is no address".to_owned(),
        KubeconfigError::FindPath => "no home directory is known".to_owned(),
        other => other.to_string(),
    }
}

/// The address without user, password, path and query.
fn shown(config: &Ready) -> String {
    let url = &config.cluster_url;
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme_str().unwrap_or("https"), url.host().unwrap_or_default())
}

#[cfg(test)]
mod tests;
