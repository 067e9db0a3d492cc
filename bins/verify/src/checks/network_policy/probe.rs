//! What a probe says.

use prodtest_inspect::Unseen;
use serde::{Deserialize, Serialize};

/// A line of its output.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub(super) enum Line {
    /// What it can do at all.
    Itself { itself: Itself },
    /// What came of an argument.
    Target { target: String, is: Said, why: String },
}

/// What it can do at all: connect to itself, and be refused where nothing listens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Itself {
    pub(super) open: Said,
    pub(super) closed: Said,
}

/// What came of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Said {
    Connected,
    Refused,
    TimedOut,
    Unreachable,
    Prohibited,
    NoName,
    NoSocket,
    #[serde(other)]
    Other,
}

impl Said {
    /// Whether there is no way there: a policy drops, or refuses.
    pub(super) const fn is_closed(self) -> bool {
        matches!(self, Self::Refused | Self::TimedOut | Self::Unreachable | Self::Prohibited)
    }

    /// What a person calls it.
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Refused => "connection refused",
            Self::TimedOut => "no answer in time",
            Self::Unreachable => "unreachable",
            Self::Prohibited => "prohibited",
            Self::NoName => "name not known",
            Self::NoSocket => "no socket",
            Self::Other => "something else",
        }
    }
}

/// Reads the output.
pub(super) fn read(log: &str) -> Result<Vec<Line>, Unseen> {
    let lines = log.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| {
            serde_json::from_str(line).map_err(|_| {
                let begin: String = line.chars().take(100).collect();
                Unseen::new(format!("the probe said something that is none of its lines: `{begin}`"))
                    .hint("`verify.network-policy.image` must be `prodtest-probe`, or speak as it does")
            })
        })
        .collect()
}
