//! What one request came to.

use prodtest_http::{Exchange, FailureKind};

/// The longest particulars that are kept of a failed request.
const MAX_DETAIL: usize = 200;

/// What one request came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Ended {
    /// Whether the service showed itself.
    pub(super) answered: bool,
    /// Whether a kept connection was gone before a byte of the answer.
    pub(super) reconnected: bool,
    /// Why it failed, if it did.
    pub(super) failure: Option<Why>,
}

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Why {
    pub(super) kind: String,
    pub(super) detail: String,
    /// Whether the cause was on this side.
    pub(super) ours: bool,
}

/// The kind of a request for which there was no room.
pub(super) const LATE: &str = "not sent in time";

impl Ended {
    /// Holds an exchange against the status that is good.
    pub(super) fn of(exchange: &Exchange, status: u16) -> Self {
        Self {
            answered: exchange.answered(),
            reconnected: exchange.found_closed || exchange.resent,
            failure: why(exchange, status),
        }
    }

    /// A request for which there was no room beside `waiting` others.
    pub(super) fn late(waiting: usize) -> Self {
        let detail = format!("{waiting} others still waited for their answer");
        let why = Why { kind: LATE.to_owned(), detail, ours: false };
        Self { answered: false, reconnected: false, failure: Some(why) }
    }
}

fn why(exchange: &Exchange, wanted: u16) -> Option<Why> {
    let status = exchange.response.as_ref().map(|response| response.status);
    if let Some(status) = status.filter(|status| *status != wanted) {
        let kind = match status {
            429 => "status 429 (too many requests)".to_owned(),
            status => format!("status {status}"),
        };
        return Some(Why { kind, detail: format!("answered {status}, not {wanted}"), ours: false });
    }
    let failure = exchange.failure.as_ref()?;
    // It is the probe that wanted no more of a good answer.
    if failure.kind == FailureKind::BodyTooLarge {
        return None;
    }
    let mut detail = failure.message.clone();
    detail.truncate(detail.floor_char_boundary(MAX_DETAIL));
    Some(Why { kind: failure.kind.word().to_owned(), detail, ours: failure.kind.is_ours() })
}

#[cfg(test)]
mod tests {
    use prodtest_http::{Body, Failure, Response};

    use super::*;

    fn exchange(status: Option<u16>, failure: Option<FailureKind>) -> Exchange {
        let response = status.map(|status| Response { status, headers: Vec::new(), body: Body::default() });
        Exchange {
            duration_ms: 1.0,
            first_byte_ms: status.map(|_| 1.0),
            reused: false,
            found_closed: false,
            resent: false,
            response,
            failure: failure.map(|kind| Failure { kind, message: "é".repeat(500) }),
        }
    }

    fn kind(status: Option<u16>, failure: Option<FailureKind>) -> Option<String> {
        Ended::of(&exchange(status, failure), 200).failure.map(|why| why.kind)
    }

    #[test]
    fn only_the_status_asked_for_is_good() {
        assert_eq!(kind(Some(200), None), None);
        assert_eq!(kind(Some(503), None).unwrap(), "status 503");
        assert_eq!(kind(Some(302), None).unwrap(), "status 302");
        assert_eq!(kind(Some(429), None).unwrap(), "status 429 (too many requests)");
    }

    #[test]
    fn half_an_answer_is_none() {
        assert_eq!(kind(Some(200), Some(FailureKind::Incomplete)).unwrap(), "body ended early");
        assert_eq!(kind(Some(200), Some(FailureKind::Reset)).unwrap(), "connection reset");
        assert_eq!(kind(None, Some(FailureKind::Refused)).unwrap(), "connection refused");
        assert_eq!(kind(Some(200), Some(FailureKind::BodyTooLarge)), None);
        assert_eq!(kind(Some(500), Some(FailureKind::BodyTooLarge)).unwrap(), "status 500");
    }

    #[test]
    fn what_is_kept_of_it_is_bounded() {
        let why = Ended::of(&exchange(None, Some(FailureKind::Protocol)), 200).failure.unwrap();
        assert!(why.detail.len() <= MAX_DETAIL && !why.ours);
        assert!(Ended::of(&exchange(None, Some(FailureKind::Instrument)), 200).failure.unwrap().ours);
    }
}
