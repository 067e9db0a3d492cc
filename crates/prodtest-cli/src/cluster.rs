//! Which cluster a gate asks: flags first, then the environment.

use std::path::PathBuf;

use clap::Args;
use prodtest_config::{Config, Environment, Namespace, ReleaseName};
use serde::{Deserialize, Serialize};

use crate::Refusal;

/// The flags of a gate that asks a cluster.
#[derive(Args, Clone, Debug)]
pub struct ClusterFlags {
    /// The kubeconfig, instead of the environment's `kubernetes.kubeconfig` and of kubectl's own
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    pub kubeconfig: Option<PathBuf>,
    /// The context of the kubeconfig, instead of the environment's `kubernetes.context` and of the current one
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    pub context: Option<String>,
    /// The namespace, instead of the environment's `kubernetes.namespace`
    #[arg(long, value_name = "NAME", help_heading = "Target")]
    pub namespace: Option<Namespace>,
}

/// A cluster and a namespace in it, as far as anybody said; part of a plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct ClusterTarget {
    /// The kubeconfig; kubectl's own if nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kubeconfig: Option<PathBuf>,
    /// The context in it; the current one if nobody said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    /// The namespace.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

impl ClusterTarget {
    /// Whether nobody said anything.
    #[must_use]
    pub fn is_unsaid(&self) -> bool {
        *self == Self::default()
    }

    /// What the flags say, else what the recorded run had if one is judged again, else what the environment says.
    #[must_use]
    pub fn new(flags: &ClusterFlags, recorded: Option<&Self>, environment: &Environment) -> Self {
        let configured = || {
            let Some(cluster) = &environment.kubernetes else { return Self::default() };
            Self {
                kubeconfig: cluster.kubeconfig.as_ref().map(|path| path.value.0.clone()),
                context: cluster.context.as_ref().map(|context| context.value.clone()),
                namespace: Some(cluster.namespace.to_string()),
            }
        };
        let otherwise = recorded.cloned().unwrap_or_else(configured);
        Self {
            kubeconfig: flags.kubeconfig.clone().or(otherwise.kubeconfig),
            context: flags.context.clone().or(otherwise.context),
            namespace: flags.namespace.as_ref().map(ToString::to_string).or(otherwise.namespace),
        }
    }
}

impl ClusterTarget {
    /// The release in it: what the flag says, else what the environment says.
    ///
    /// # Errors
    /// When nobody said, or nobody said in which namespace.
    pub fn release(&self, flag: Option<&ReleaseName>, config: &Config) -> Result<String, Refusal> {
        let name = &config.environment_name;
        if self.namespace.is_none() {
            let message = format!("the environment `{name}` has no namespace");
            let hint = "add `kubernetes: { namespace: … }` to it, or pass `--namespace`";
            return Err(Refusal::usage_with_hint(message, hint));
        }
        let cluster = config.environment.kubernetes.as_ref();
        let configured = cluster.and_then(|cluster| cluster.release.as_ref()).map(|release| &release.value);
        let missing = || {
            let message = format!("the environment `{name}` has no release");
            Refusal::usage_with_hint(message, "add `kubernetes: { release: … }` to it, or pass `--release`")
        };
        Ok(flag.or(configured).ok_or_else(missing)?.to_string())
    }
}

#[cfg(test)]
mod tests {
    use prodtest_config::Source;

    use super::*;

    #[test]
    fn flags_come_first_and_then_the_recorded_run() {
        let text = "service: a\nenvironments: { e: { kubernetes: { namespace: n, context: c, kubeconfig: k } } }\n";
        let source = Source::new("prodtest.yaml", text).unwrap();
        let environment = Config::of(&source, "smoke", None).unwrap().environment;
        let mut flags = ClusterFlags { kubeconfig: None, context: None, namespace: None };
        let target = |namespace: &str, context: Option<&str>, kubeconfig: Option<&str>| ClusterTarget {
            kubeconfig: kubeconfig.map(PathBuf::from),
            context: context.map(str::to_owned),
            namespace: Some(namespace.to_owned()),
        };
        assert_eq!(ClusterTarget::new(&flags, None, &environment), target("n", Some("c"), Some("k")));
        let recorded = target("before", None, None);
        assert_eq!(ClusterTarget::new(&flags, Some(&recorded), &environment), recorded);
        flags.context = Some("flag".to_owned());
        flags.namespace = Some("other".parse().unwrap());
        assert_eq!(ClusterTarget::new(&flags, None, &environment), target("other", Some("flag"), Some("k")));
        assert_eq!(ClusterTarget::new(&flags, None, &Environment::default()), target("other", Some("flag"), None));
    }
}
