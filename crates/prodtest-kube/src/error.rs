//! What went wrong with a cluster, in words that say what to do.

use std::{fmt, time::Duration};

use prodtest_config::{listed, nearest};
use prodtest_gate::Rule;

/// A call that did not give what was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not {asked}, at the cluster `{server}`: {problem}")]
pub struct ClusterError {
    /// What was asked for, in words: `get the secret `a` in the namespace `b``.
    pub asked: String,
    /// Where the cluster's API is.
    pub server: String,
    /// What came instead.
    pub problem: Problem,
    /// What whoever asks must be allowed to do.
    pub rule: Option<Box<Rule>>,
}

/// What came instead.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// There is no such object.
    #[error("it is not there")]
    NotFound,
    /// The object is there, and does not have that key.
    #[error("it has no key `{key}`")]
    NoSuchKey {
        /// The key that was asked for.
        key: String,
        /// The keys that it has.
        present: Vec<String>,
    },
    /// The value is not text, so that it cannot be sent in a header.
    #[error("its key `{key}` is not text in UTF-8")]
    NoText {
        /// The key that was asked for.
        key: String,
    },
    /// Whoever asks may not.
    #[error("forbidden: {0}")]
    Forbidden(String),
    /// The cluster does not know who asks.
    #[error("the credentials are not accepted: {0}")]
    Unauthorized(String),
    /// There are no credentials: a plugin failed, or a file is missing.
    #[error("there are no credentials: {0}")]
    NoCredentials(String),
    /// Any other answer that is none.
    #[error("it answered {code}: {message}")]
    Refused {
        /// The HTTP status.
        code: u16,
        /// What it said.
        message: String,
    },
    /// What came back is something else.
    #[error("what came back is something else: {0}")]
    Garbage(String),
    /// No answer in time.
    #[error("no answer within {} s", .0.as_secs_f64())]
    NoAnswer(Duration),
    /// No connection.
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
    /// The server's certificate was not accepted.
    #[error("its certificate is not accepted: {0}")]
    Certificate(String),
    /// The kubeconfig's certificates, keys or proxy are no good.
    #[error("the kubeconfig cannot be used: {0}")]
    Unusable(String),
}

impl ClusterError {
    /// Whether the cluster answered that what was asked for is not set.
    #[must_use]
    pub const fn is_unset(&self) -> bool {
        matches!(self.problem, Problem::NotFound | Problem::NoSuchKey { .. })
    }

    /// Whether it is the configuration that is wrong, not the cluster.
    #[must_use]
    pub const fn is_configuration(&self) -> bool {
        self.is_unset() || matches!(self.problem, Problem::Unusable(_) | Problem::NoText { .. })
    }

    /// What to do, in one line.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match &self.problem {
            Problem::Forbidden(_) => {
                let role = self.rule.as_ref()?.role();
                format!("apply this Role, and bind it to whoever the gate runs as: {role}")
            }
            Problem::NoSuchKey { key, present } => match nearest(key, present.iter().map(String::as_str)) {
                Some(near) => format!("did you mean `{near}`? it has {}", listed(present)),
                None if present.is_empty() => "it has no key at all".to_owned(),
                None => format!("it has {}", listed(present)),
            },
            Problem::NotFound => "look at `kubectl get secrets`, in that namespace and context".to_owned(),
            Problem::Unauthorized(_) => {
                "a token or certificate has expired, or is of another cluster: log in again, or name another \
                 `--context`"
                    .to_owned()
            }
            Problem::NoCredentials(_) => "run the plugin that the kubeconfig names by hand".to_owned(),
            Problem::Certificate(_) => {
                "the kubeconfig's `certificate-authority-data` must be of the authority that signed it".to_owned()
            }
            Problem::Unreachable(_) | Problem::NoAnswer(_) => {
                "look whether `kubectl get --raw /readyz` works from this machine".to_owned()
            }
            Problem::Garbage(_) => "look what stands between this machine and the cluster's API".to_owned(),
            Problem::Unusable(_) | Problem::NoText { .. } | Problem::Refused { .. } => return None,
        })
    }
}

/// The beginning of what a server said, in one line: a proxy's page is long.
pub(crate) fn one_line(text: impl fmt::Display) -> String {
    const LONGEST: usize = 300;
    let text = text.to_string();
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace(char::is_control, " ");
    match line.char_indices().nth(LONGEST) {
        None if line.is_empty() => "without a word".to_owned(),
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}
