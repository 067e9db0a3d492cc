//! One request and what came of it, as plain facts.

use serde::{Deserialize, Serialize};

use crate::Failure;

/// What came of one request. A part of the run record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Exchange {
    /// From the start to the last byte of the body, or to the failure, in milliseconds.
    pub duration_ms: f64,
    /// From the start to the first byte of the response, in milliseconds, if one came.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_byte_ms: Option<f64>,
    /// Whether it went over a connection that an earlier exchange had opened.
    #[serde(default, skip_serializing_if = "is_false")]
    pub reused: bool,
    /// Whether a connection that was kept for it was found closed before the request was sent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub found_closed: bool,
    /// Whether it was sent again on a new connection, because a kept one had been closed meanwhile.
    #[serde(default, skip_serializing_if = "is_false")]
    pub resent: bool,
    /// The head, and what came of the body. Beside a failure, when the head came and the body did not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<Response>,
    /// Why it did not end well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
}

impl Exchange {
    /// An exchange that came to nothing before anything was sent.
    pub(crate) const fn unsent(failure: Failure) -> Self {
        Self {
            duration_ms: 0.0,
            first_byte_ms: None,
            reused: false,
            found_closed: false,
            resent: false,
            response: None,
            failure: Some(failure),
        }
    }

    /// Whether the service, or what stands before it, showed itself in this exchange.
    #[must_use]
    pub fn answered(&self) -> bool {
        self.response.is_some()
            || self.first_byte_ms.is_some()
            || self.failure.as_ref().is_some_and(|failure| failure.kind.answered())
    }
}

/// A response head and its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers in the order of arrival, equals beside each other: names in lower case, values as lossy UTF-8.
    pub headers: Vec<(String, String)>,
    /// What came of the body.
    pub body: Body,
}

impl Response {
    /// The first value of the header, whose name is given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

/// What came of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Body {
    /// What was kept of it, as lossy UTF-8.
    pub text: String,
    /// How many bytes were received; more than were kept, when it was cut.
    pub bytes: u64,
    /// Whether it was cut at the request's limit.
    pub cut: bool,
    /// Whether it is no text: not UTF-8, or with a zero byte.
    pub binary: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's `skip_serializing_if` passes a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FailureKind;

    #[test]
    fn half_a_head_before_a_timeout_is_an_answer() {
        let mut exchange = Exchange::unsent(Failure::new(FailureKind::Timeout, ""));
        assert!(!exchange.answered());
        exchange.first_byte_ms = Some(1.5);
        assert!(exchange.answered());
    }

    #[test]
    fn an_exchange_is_read_as_it_was_written() {
        let mut exchange = Exchange::unsent(Failure::new(FailureKind::Incomplete, "ended"));
        exchange.response = Some(Response {
            status: 200,
            headers: vec![("content-type".to_owned(), "text/plain".to_owned())],
            body: Body { text: "half".to_owned(), bytes: 4, cut: false, binary: false },
        });
        let json = serde_json::to_value(&exchange).unwrap();
        assert_eq!(json["duration-ms"], 0.0);
        assert_eq!(serde_json::from_value::<Exchange>(json).unwrap(), exchange);
    }
}
