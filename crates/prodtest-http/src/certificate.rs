//! What a server presents to prove who it is, as plain facts.

use std::net::IpAddr;

use jiff::Timestamp;
use rustls::pki_types::{CertificateDer, pem::PemObject as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use x509_parser::{extensions::GeneralName, parse_x509_certificate, prelude::X509Certificate};

use crate::Failure;

/// What was seen of a server's certificate. A part of the run record.
///
/// How many days are left is not said here: that is for who judges, and depends on the day.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CertificateFacts {
    /// Whether a handshake was completed. Whether the certificate is any good is not asked for that.
    pub reached: bool,
    /// Why no handshake was completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<Failure>,
    /// The version that was agreed on, `TLS 1.3`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub protocol: Option<String>,
    /// What the server presented, its own certificate first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub chain: Vec<Certificate>,
    /// What is wrong with it. Empty says that a request would accept it, provided that `chain` holds something.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<CertificateProblem>,
    /// The control: the same chain, held against the name `prodtest-control.invalid`, was refused for the name.
    pub wrong_name_refused: bool,
}

/// One certificate of a chain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Certificate {
    /// Whose it is, as a distinguished name.
    pub subject: String,
    /// Who signed it, as a distinguished name.
    pub issuer: String,
    /// The DNS names and addresses it is for.
    pub names: Vec<String>,
    /// When it begins to be valid.
    pub not_before: Timestamp,
    /// When it ends to be valid.
    pub not_after: Timestamp,
    /// SHA-256 of it, in hexadecimal.
    pub fingerprint: String,
}

/// What is wrong with a certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct CertificateProblem {
    /// Which of the ways to be wrong it is.
    pub kind: CertificateProblemKind,
    /// One line with the particulars. It may quote the certificate: hostile text.
    pub message: String,
}

/// The ways in which a certificate can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CertificateProblemKind {
    /// No trusted authority vouches for it.
    UnknownIssuer,
    /// It is for other names.
    WrongName,
    /// It, or one above it, is no longer valid.
    Expired,
    /// It, or one above it, is not valid yet.
    NotYetValid,
    /// It was revoked. Nobody is asked about that; a verifier may know all the same.
    Revoked,
    /// Something else; the message says what.
    Other,
}

impl Certificate {
    /// Reads the certificates in a PEM text, in their order.
    ///
    /// # Errors
    /// When there is none, or one cannot be read; in words that do not quote the text.
    pub fn of_pem(pem: &[u8]) -> Result<Vec<Self>, String> {
        let certificates = CertificateDer::pem_slice_iter(pem);
        let certificates: Vec<Self> = certificates
            .map(|der| Self::read(&der.map_err(|error| error.to_string())?))
            .collect::<Result<_, String>>()?;
        if certificates.is_empty() { Err("it holds no `BEGIN CERTIFICATE`".to_owned()) } else { Ok(certificates) }
    }

    /// Reads a certificate.
    pub(crate) fn read(der: &CertificateDer<'_>) -> Result<Self, String> {
        let (_, certificate) = parse_x509_certificate(der).map_err(|error| error.to_string())?;
        Ok(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            names: names(&certificate),
            not_before: stamp(certificate.validity().not_before.timestamp()),
            not_after: stamp(certificate.validity().not_after.timestamp()),
            fingerprint: Sha256::digest(der).iter().map(|byte| format!("{byte:02x}")).collect(),
        })
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(extension)) = certificate.subject_alternative_name() else { return Vec::new() };
    let name = |general: &GeneralName<'_>| match general {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes).map(|ip| ip.to_string()),
        _ => None,
    };
    extension.value.general_names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    <[u8; 4]>::try_from(bytes).map(IpAddr::from).or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}

/// Certificates that never end say so with the last second of the year 9999, which is beyond a [`Timestamp`].
fn stamp(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap_or(if second < 0 { Timestamp::MIN } else { Timestamp::MAX })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_never_ends_has_an_end_all_the_same() {
        assert_eq!(stamp(253_402_300_799), Timestamp::MAX);
        assert_eq!(stamp(0).to_string(), "1970-01-01T00:00:00Z");
    }

    #[test]
    fn noise_is_no_certificate() {
        assert!(Certificate::read(&CertificateDer::from(vec![0x30, 0x03, 1, 2, 3])).is_err());
    }
}
