//! How far an exchange has come, so that a deadline knows what it struck.

use std::time::Duration;

use prodtest_gate::Quantity;

use crate::{Failure, FailureKind};

/// The phases of an exchange, in their order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Asking for the addresses of the host.
    #[default]
    Resolve,
    /// Connecting to one of them.
    Connect,
    /// Shaking hands.
    Tls,
    /// Sending the request and waiting for the head of the response.
    Head,
    /// Receiving the body.
    Body,
}

impl Phase {
    /// The failure of a deadline that struck in this phase. `received` counts the bytes of the response.
    pub(crate) fn timed_out(self, peer: &str, within: Duration, received: u64) -> Failure {
        let within = shown(within);
        match self {
            Self::Resolve => {
                Failure::new(FailureKind::Resolve, format!("no address for `{peer}` within {within}: no answer"))
            }
            Self::Connect => {
                Failure::new(FailureKind::TimeoutConnect, format!("no connection to `{peer}` within {within}"))
            }
            Self::Tls => Failure::new(
                FailureKind::TimeoutTls,
                format!("`{peer}` accepted the connection, but no TLS handshake ended within {within}"),
            ),
            Self::Head if received == 0 => Failure::new(
                FailureKind::Timeout,
                format!("`{peer}` accepted the connection, but sent nothing within {within}"),
            ),
            Self::Head => Failure::new(
                FailureKind::Timeout,
                format!("`{peer}` did not finish the response head within {within}, after {received} bytes of it"),
            ),
            Self::Body => Failure::new(
                FailureKind::TimeoutBody,
                format!("`{peer}` sent the response head, but did not finish the body within {within}"),
            ),
        }
    }
}

/// A duration with its unit, worded as everywhere in the suite.
fn shown(duration: Duration) -> String {
    Quantity::milliseconds(duration.as_secs_f64() * 1000.0).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_names_what_it_struck() {
        let two = Duration::from_secs(2);
        let failure = Phase::Head.timed_out("a.example:80", two, 0);
        assert_eq!(failure.message, "`a.example:80` accepted the connection, but sent nothing within 2 s");
        assert_eq!(Phase::Tls.timed_out("x", two, 0).kind, FailureKind::TimeoutTls);
        assert!(Phase::Head.timed_out("x", two, 17).message.contains("17 bytes"));
    }
}
