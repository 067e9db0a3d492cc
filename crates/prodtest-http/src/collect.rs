//! What has come of an exchange so far, kept where a deadline cannot take it away.

use std::time::Instant;

use prodtest_gate::{Quantity, Unit};

use crate::{Body, Exchange, Failure, FailureKind, Response, phase::Phase, traffic::Traffic};

/// What has come so far. It outlives the future that fills it in.
#[derive(Default)]
pub(crate) struct Progress {
    /// How far the exchange is.
    pub(crate) phase: Phase,
    /// Whether the connection in use was kept from an earlier exchange.
    pub(crate) reused: bool,
    /// Whether a kept connection was found closed before the request was sent.
    pub(crate) found_closed: bool,
    /// Whether the request was sent again.
    pub(crate) resent: bool,
    /// Whether hyper gave the request back before a byte of it was written.
    pub(crate) unsent: bool,
    /// The traffic of the connection in use.
    pub(crate) traffic: Option<Traffic>,
    /// Status and headers, once they came.
    pub(crate) head: Option<(u16, Vec<(String, String)>)>,
    /// The body as far as it came.
    pub(crate) body: Collected,
}

impl Progress {
    /// Takes down the head of the response.
    pub(crate) fn take_head(&mut self, head: &http::response::Parts) {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let headers = head.headers.iter().map(|(name, value)| (name.as_str().to_owned(), text(value.as_bytes())));
        self.head = Some((head.status.as_u16(), headers.collect()));
        self.phase = Phase::Body;
    }

    /// How many bytes came over the connection in use.
    pub(crate) fn received(&self) -> u64 {
        self.traffic.as_ref().map_or(0, |traffic| traffic.received().bytes)
    }

    /// What it comes to.
    pub(crate) fn into_exchange(self, started: Instant, failure: Option<Failure>) -> Exchange {
        let first = self.traffic.and_then(|traffic| traffic.received().first);
        Exchange {
            duration_ms: milliseconds(started, Instant::now()),
            first_byte_ms: first.map(|first| milliseconds(started, first)),
            reused: self.reused,
            found_closed: self.found_closed,
            resent: self.resent,
            response: self.head.map(|(status, headers)| Response { status, headers, body: self.body.into_body() }),
            failure,
        }
    }
}

/// In whole microseconds: a number with few digits is read from a run record exactly as it was written.
fn milliseconds(from: Instant, to: Instant) -> f64 {
    (to.saturating_duration_since(from).as_secs_f64() * 1_000_000.0).round() / 1000.0
}

/// A body as it comes, no more of it kept than asked for.
#[derive(Default)]
pub(crate) struct Collected {
    kept: Vec<u8>,
    bytes: u64,
    cut: bool,
}

impl Collected {
    /// How many bytes came.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Adds a piece, up to `limit` bytes in all.
    ///
    /// # Errors
    /// When the body is larger than that.
    pub(crate) fn add(&mut self, piece: &[u8], limit: u64) -> Result<(), Failure> {
        self.bytes += piece.len() as u64;
        let room = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(self.kept.len());
        self.kept.extend(piece.iter().take(room));
        if piece.len() <= room {
            return Ok(());
        }
        self.cut = true;
        let limit = Quantity::Number { number: limit as f64, unit: Unit::Bytes };
        Err(Failure::new(FailureKind::BodyTooLarge, format!("the body is larger than {limit}; it was cut there")))
    }

    fn into_body(self) -> Body {
        let binary = self.kept.contains(&0) || !is_text(&self.kept, self.cut);
        Body { text: String::from_utf8_lossy(&self.kept).into_owned(), bytes: self.bytes, cut: self.cut, binary }
    }
}

/// Whether it is UTF-8. The last character of a text that was cut may be cut too.
fn is_text(bytes: &[u8], cut: bool) -> bool {
    match std::str::from_utf8(bytes) {
        Ok(_) => true,
        Err(error) => cut && error.error_len().is_none(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collect(pieces: &[&[u8]], limit: u64) -> Body {
        let mut collected = Collected::default();
        let _ = pieces.iter().try_for_each(|piece| collected.add(piece, limit));
        collected.into_body()
    }

    #[test]
    fn a_body_of_exactly_the_limit_is_whole() {
        assert!(!collect(&[b"ab", b"cd"], 4).cut);
        let cut = collect(&[b"ab", b"cde"], 4);
        assert_eq!((cut.text.as_str(), cut.bytes, cut.cut), ("abcd", 5, true));
        assert!(!collect(&[], 0).cut);
    }

    #[test]
    fn a_character_cut_in_two_is_still_text() {
        assert!(!collect(&["aé".as_bytes()], 2).binary);
        assert!(collect(&[b"a\xff"], 9).binary);
        assert!(collect(&[b"a\xc3"], 9).binary, "a text that is not cut must end with a whole character");
        assert!(collect(&[b"a\0b"], 9).binary);
    }
}
