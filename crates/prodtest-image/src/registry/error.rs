//! Why a registry did not say what a reference stands for.

use prodtest_http::{Failure, FailureKind};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Digest;

/// A question that a registry did not answer as hoped.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("could not resolve `{reference}`: {problem}")]
pub struct RegistryError {
    /// What was to be resolved.
    pub reference: String,
    /// Whether there was a login.
    pub logged_in: bool,
    /// What came instead.
    pub problem: Problem,
}

/// What came instead of an answer. Texts of the registry's are redacted; they are hostile all the same.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The repository is there, and has no such tag or digest.
    #[error("the registry has no such tag or digest: {0}")]
    NoTag(String),
    /// There is no such repository.
    #[error("the registry has no such repository: {0}")]
    NoRepository(String),
    /// Nobody is logged in, and one must be.
    #[error("the registry wants a login, and there is none: {0}")]
    Unauthorized(String),
    /// The login is not accepted, or not enough.
    #[error("the registry refuses the login: {0}")]
    Denied(String),
    /// It is there, and is no image: a chart, for one.
    #[error("it is no image: {0}")]
    NoImage(String),
    /// It was asked too often.
    #[error("the registry has been asked too often: {0}")]
    RateLimited(String),
    /// No answer in time, or none at all.
    #[error("the registry does not answer: {0}")]
    NoAnswer(String),
    /// It answers that it cannot answer.
    #[error("the registry answered {status}: {said}")]
    Failing {
        /// The HTTP status.
        status: u16,
        /// What it said.
        said: String,
    },
    /// Nobody takes the connection, or who does ends it without a word.
    #[error("the registry takes no connection: {0}")]
    Refused(String),
    /// No connection.
    #[error("the registry cannot be reached: {0}")]
    Unreachable(String),
    /// Its certificate was not accepted, or it speaks no TLS.
    #[error("no connection to the registry can be trusted: {0}")]
    Certificate(String),
    /// The answer was cut short.
    #[error("the registry's answer is not whole: {0}")]
    Cut(String),
    /// What came is not what a registry says.
    #[error("the registry's answer cannot be believed: {0}")]
    Garbage(String),
    /// What came is not what its digest says.
    #[error(
        "the registry's answer cannot be believed: it should have the digest `{expected}` ({by}), and has `{found}`"
    )]
    DigestMismatch {
        /// Who said which digest it has.
        by: &'static str,
        /// That digest.
        expected: Digest,
        /// The digest of the bytes that came.
        found: Digest,
    },
    /// More came than anybody reads.
    #[error("the registry's answer is too large: {0}")]
    TooLarge(String),
    /// This side could not ask.
    #[error("the registry could not be asked from here: {0}")]
    Instrument(String),
}

/// A [`Problem`] in one word, for the run record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// No such tag, digest or repository.
    NotFound,
    /// It wants a login, and there is none.
    Unauthorized,
    /// The login is not accepted, or not enough.
    Denied,
    /// It is no image.
    NoImage,
    /// Asked too often.
    RateLimited,
    /// No answer in time, or none at all.
    NoAnswer,
    /// It answered that it cannot answer.
    Failing,
    /// Nobody takes the connection, or who does ends it without a word.
    Refused,
    /// No connection.
    Unreachable,
    /// No connection that can be trusted.
    Certificate,
    /// Not what a registry says, or not all of it.
    Garbage,
    /// Not what its digest says.
    DigestMismatch,
    /// More than anybody reads.
    TooLarge,
    /// This side could not ask.
    Instrument,
}

impl Class {
    /// Whether the registry answered clearly, so that the image is at fault. Everything else says nothing of it.
    #[must_use]
    pub const fn is_measured(self) -> bool {
        matches!(self, Self::NotFound | Self::Unauthorized | Self::Denied | Self::NoImage)
    }
}

impl Problem {
    /// Its class.
    #[must_use]
    pub const fn class(&self) -> Class {
        match self {
            Self::NoTag(_) | Self::NoRepository(_) => Class::NotFound,
            Self::Unauthorized(_) => Class::Unauthorized,
            Self::Denied(_) => Class::Denied,
            Self::NoImage(_) => Class::NoImage,
            Self::RateLimited(_) => Class::RateLimited,
            Self::NoAnswer(_) => Class::NoAnswer,
            Self::Failing { .. } => Class::Failing,
            Self::Refused(_) => Class::Refused,
            Self::Unreachable(_) => Class::Unreachable,
            Self::Certificate(_) => Class::Certificate,
            Self::Cut(_) | Self::Garbage(_) => Class::Garbage,
            Self::DigestMismatch { .. } => Class::DigestMismatch,
            Self::TooLarge(_) => Class::TooLarge,
            Self::Instrument(_) => Class::Instrument,
        }
    }

    /// Whether it may be gone the next moment.
    pub(super) const fn may_pass(&self) -> bool {
        match self {
            Self::Failing { status, .. } => *status >= 500,
            Self::RateLimited(_) | Self::NoAnswer(_) | Self::Refused(_) | Self::Unreachable(_) | Self::Cut(_) => true,
            _ => false,
        }
    }

    /// What a failure of the HTTP client means here.
    pub(super) fn of_failure(failure: Failure) -> Self {
        let Failure { kind, message } = failure;
        match kind {
            FailureKind::Resolve | FailureKind::Unreachable => Self::Unreachable(message),
            FailureKind::Refused | FailureKind::Reset | FailureKind::Closed => Self::Refused(message),
            FailureKind::TimeoutConnect | FailureKind::TimeoutTls | FailureKind::Timeout | FailureKind::TimeoutBody => {
                Self::NoAnswer(message)
            }
            FailureKind::Tls => Self::Certificate(message),
            FailureKind::Incomplete => Self::Cut(message),
            FailureKind::BodyTooLarge => Self::TooLarge(message),
            FailureKind::Protocol => Self::Garbage(message),
            FailureKind::UnusableRequest | FailureKind::NoAuthorities | FailureKind::Instrument => {
                Self::Instrument(message)
            }
        }
    }

    /// The same problem, what was said in it told by `words`.
    pub(super) fn said_as(mut self, words: impl Fn(&str) -> String) -> Self {
        match &mut self {
            Self::NoTag(said)
            | Self::NoRepository(said)
            | Self::Unauthorized(said)
            | Self::Denied(said)
            | Self::NoImage(said)
            | Self::RateLimited(said)
            | Self::NoAnswer(said)
            | Self::Failing { said, status: _ }
            | Self::Refused(said)
            | Self::Unreachable(said)
            | Self::Certificate(said)
            | Self::Cut(said)
            | Self::Garbage(said)
            | Self::TooLarge(said)
            | Self::Instrument(said) => *said = words(said),
            Self::DigestMismatch { by: _, expected: _, found: _ } => {}
        }
        self
    }
}

impl RegistryError {
    /// Whether the registry answered clearly; see [`Class::is_measured`].
    #[must_use]
    pub const fn is_measured(&self) -> bool {
        self.problem.class().is_measured()
    }

    /// What to do, in one line.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match &self.problem {
            Problem::NoTag(_) => "push the image under this tag, or correct the tag",
            Problem::NoRepository(_) => "correct the name of the image, or push it there first",
            Problem::Unauthorized(_) => {
                "log in; some registries also say this of a repository that does not exist, lest they give it away"
            }
            Problem::Denied(_) => {
                "the login must be valid and allowed to pull from this repository; some registries also say this of one \
                 that does not exist"
            }
            Problem::NoImage(_) => "name an image: charts and other artefacts cannot run",
            Problem::RateLimited(_) if self.logged_in => "wait, or use another login, or a mirror of the registry",
            Problem::RateLimited(_) => "log in: registries limit who is unknown the most",
            Problem::NoAnswer(_)
            | Problem::Failing { .. }
            | Problem::Refused(_)
            | Problem::Unreachable(_)
            | Problem::Cut(_) => {
                "look whether the registry is well, and whether this machine reaches it: `curl -i https://REGISTRY/v2/`"
            }
            Problem::Certificate(_) => {
                "name the authority that signed the registry's certificate, or plain HTTP if it speaks no TLS"
            }
            Problem::Garbage(_) | Problem::DigestMismatch { .. } | Problem::TooLarge(_) => {
                "look what stands between this machine and the registry, a proxy or a mirror, and whether the name is a \
                 registry's"
            }
            Problem::Instrument(_) => "look at this machine: its certificate authorities, its open files",
        }
    }
}
