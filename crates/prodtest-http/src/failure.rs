//! Why an exchange did not end well.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What went wrong, told apart as far as a client can.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureKind {
    /// The name of the host is not known, or the name server did not answer.
    Resolve,
    /// Nothing listens on the port.
    Refused,
    /// No way to the host.
    Unreachable,
    /// No connection in time.
    TimeoutConnect,
    /// Connected, but no TLS handshake in time.
    TimeoutTls,
    /// The request was sent, but no whole response head came in time.
    Timeout,
    /// The response began, but its body did not end in time.
    TimeoutBody,
    /// The handshake or the certificate was no good.
    Tls,
    /// The other side reset the connection.
    Reset,
    /// The other side ended the connection before the response head.
    Closed,
    /// The body ended before its announced end.
    Incomplete,
    /// The body is larger than was asked for; it was cut.
    BodyTooLarge,
    /// What came is not HTTP.
    Protocol,
    /// The request cannot be sent as written.
    UnusableRequest,
    /// No certificate authorities were found here to hold the server's certificate against.
    NoAuthorities,
    /// This machine could not do its part: out of sockets, for one.
    Instrument,
}

impl FailureKind {
    /// Whether the service, or what stands before it, showed itself: bytes came of it.
    ///
    /// [`Exchange::answered`](crate::Exchange::answered) knows more: half a head may come before a timeout.
    #[must_use]
    pub const fn answered(self) -> bool {
        matches!(self, Self::TimeoutBody | Self::Tls | Self::Incomplete | Self::BodyTooLarge | Self::Protocol)
    }

    /// Whether the cause is on this side, so that it says nothing of the service.
    #[must_use]
    pub const fn is_ours(self) -> bool {
        matches!(self, Self::UnusableRequest | Self::NoAuthorities | Self::Instrument)
    }

    /// What a person calls it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Resolve => "name not known",
            Self::Refused => "connection refused",
            Self::Unreachable => "host unreachable",
            Self::TimeoutConnect => "no connection in time",
            Self::TimeoutTls => "no TLS handshake in time",
            Self::Timeout => "no answer in time",
            Self::TimeoutBody => "body not finished in time",
            Self::Tls => "TLS failed",
            Self::Reset => "connection reset",
            Self::Closed => "connection closed without an answer",
            Self::Incomplete => "body ended early",
            Self::BodyTooLarge => "body too large",
            Self::Protocol => "not HTTP",
            Self::UnusableRequest => "unusable request",
            Self::NoAuthorities => "no certificate authorities",
            Self::Instrument => "this machine could not do its part",
        }
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What went wrong, and how it looked from here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// Which of the ways to fail it was.
    pub kind: FailureKind,
    /// One line with the particulars. It may quote what the other side sent: hostile text.
    pub message: String,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.kind, self.message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_in_kebab_case() {
        assert_eq!(serde_json::to_string(&FailureKind::BodyTooLarge).unwrap(), "\"body-too-large\"");
        assert_eq!(serde_json::from_str::<FailureKind>("\"timeout-tls\"").unwrap(), FailureKind::TimeoutTls);
    }

    #[test]
    fn what_is_ours_never_counts_as_an_answer() {
        for kind in [FailureKind::UnusableRequest, FailureKind::NoAuthorities, FailureKind::Instrument] {
            assert!(kind.is_ours() && !kind.answered(), "{kind}");
        }
    }
}
