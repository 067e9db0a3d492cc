//! What errors of the libraries mean, in plain words.

use std::{error::Error, io};

use jiff::Timestamp;
use rustls::{AlertDescription, CertificateError, Error as TlsError, pki_types::UnixTime};

use crate::{
    Failure, FailureKind,
    traffic::{Received, Traffic},
};

/// Why no response head came.
pub(crate) fn of_head(error: &hyper::Error, peer: &str, traffic: &Traffic) -> Failure {
    let received = traffic.received();
    if error.is_parse() {
        return Failure::new(FailureKind::Protocol, not_http(peer, &received, error));
    }
    let cause = io_cause(error);
    if let Some(tls) = cause.and_then(tls_error) {
        return Failure::new(FailureKind::Tls, tls_words(tls));
    }
    let so_far = match received.bytes {
        0 => "before it answered".to_owned(),
        bytes => format!("after {bytes} bytes of the response head"),
    };
    match cause.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted) => {
            Failure::new(FailureKind::Reset, format!("`{peer}` reset the connection {so_far}"))
        }
        _ => Failure::new(FailureKind::Closed, format!("`{peer}` closed the connection {so_far}")),
    }
}

/// Why a body did not come to its end.
pub(crate) fn of_body(error: &hyper::Error, bytes: u64) -> Failure {
    let cause = io_cause(error);
    if let Some(tls) = cause.and_then(tls_error) {
        return Failure::new(FailureKind::Tls, tls_words(tls));
    }
    match cause.map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted) => {
            Failure::new(FailureKind::Reset, format!("the connection was reset after {bytes} bytes of the body"))
        }
        Some(io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData) => Failure::new(
            FailureKind::Protocol,
            format!("the body is framed wrongly after {bytes} bytes: {}", root(error)),
        ),
        _ => Failure::new(FailureKind::Incomplete, format!("the body ended early, after {bytes} bytes")),
    }
}

/// The TLS error inside an error of input or output.
pub(crate) fn tls_error(error: &io::Error) -> Option<&TlsError> {
    error.get_ref()?.downcast_ref()
}

/// What a TLS error means.
pub(crate) fn tls_words(error: &TlsError) -> String {
    match error {
        TlsError::InvalidCertificate(reason) => certificate_words(reason),
        TlsError::InvalidMessage(_) => "what answered on this port does not speak TLS".to_owned(),
        TlsError::AlertReceived(AlertDescription::CertificateRequired) => {
            "the server asks for a client certificate".to_owned()
        }
        TlsError::AlertReceived(alert) => format!("the server ended the handshake with the alert `{alert:?}`"),
        other => other.to_string(),
    }
}

/// Why a certificate was refused.
pub(crate) fn certificate_words(reason: &CertificateError) -> String {
    match reason {
        CertificateError::UnknownIssuer => {
            "the certificate is signed by an authority that is not trusted here".to_owned()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            format!("the certificate is for {}, not for `{}`", names(presented), expected.to_str())
        }
        CertificateError::ExpiredContext { time, not_after } => {
            format!("the certificate expired at {} (it is {})", stamp(*not_after), stamp(*time))
        }
        CertificateError::NotValidYetContext { time, not_before } => {
            format!("the certificate is not valid before {} (it is {})", stamp(*not_before), stamp(*time))
        }
        CertificateError::Revoked => "the certificate was revoked".to_owned(),
        CertificateError::BadEncoding => "the certificate cannot be read".to_owned(),
        CertificateError::BadSignature => "a signature in the certificate chain is wrong".to_owned(),
        CertificateError::InvalidPurposeContext { .. } => "the certificate is not meant for a server".to_owned(),
        // webpki's own words, which rustls only wraps.
        CertificateError::Other(inner) if inner.0.to_string() == "CaUsedAsEndEntity" => {
            "the certificate is an authority's own, used as a server's".to_owned()
        }
        CertificateError::Other(inner) => format!("the certificate was refused: {}", inner.0),
        other => format!("the certificate was refused: {other}"),
    }
}

/// The names that webpki lists as `DnsName("a.example")`, `IpAddress(192.0.2.1)`.
fn names(presented: &[String]) -> String {
    let bare = presented.iter().map(|name| {
        let inside = name.split_once('(').map_or(name.as_str(), |(_, inside)| inside);
        format!("`{}`", inside.trim_end_matches(')').trim_matches('"'))
    });
    let names: Vec<String> = bare.collect();
    if names.is_empty() { "no name at all".to_owned() } else { names.join(", ") }
}

fn stamp(time: UnixTime) -> Timestamp {
    i64::try_from(time.as_secs()).ok().and_then(|second| Timestamp::from_second(second).ok()).unwrap_or(Timestamp::MAX)
}

/// What garbage looked like; TLS records, the commonest, by name.
fn not_http(peer: &str, received: &Received, error: &hyper::Error) -> String {
    match received.opening.as_slice() {
        [0x15 | 0x16, 3, ..] => format!("`{peer}` speaks TLS on this port: use `https`"),
        opening => {
            let opening = String::from_utf8_lossy(opening);
            format!("`{peer}` did not answer in HTTP/1: {}; it began with {opening:?}", root(error))
        }
    }
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

fn io_cause(error: &hyper::Error) -> Option<&io::Error> {
    chain(error).find_map(|cause| cause.downcast_ref())
}

fn root(error: &hyper::Error) -> String {
    chain(error).last().map_or_else(String::new, ToString::to_string)
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::ServerName;

    use super::*;

    #[test]
    fn a_wrong_name_is_told_beside_the_right_ones() {
        let reason = CertificateError::NotValidForNameContext {
            expected: ServerName::try_from("c.example").unwrap(),
            presented: vec!["DnsName(\"a.example\")".to_owned(), "IpAddress(192.0.2.1)".to_owned()],
        };
        let words = "the certificate is for `a.example`, `192.0.2.1`, not for `c.example`";
        assert_eq!(certificate_words(&reason), words);
    }
}
