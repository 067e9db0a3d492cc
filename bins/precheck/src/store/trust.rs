//! Whom the client of a store believes: as `sslmode` says it for PostgreSQL.
//! <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-PROTECTION>

use std::sync::Arc;

use prodtest_inspect::Unseen;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject as _},
};

/// How far a server is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trust {
    /// Whoever answers: `require`.
    Anyone,
    /// Who has a certificate of an authority: `verify-ca`.
    Authority,
    /// Who has one for the name that was asked for: `verify-full`.
    Name,
}

/// TLS with that much trust, in these authorities; in the system's, where there are none.
pub(crate) fn config(trust: Trust, authorities: Option<&str>) -> Result<ClientConfig, Unseen> {
    let impossible = |error: &dyn std::fmt::Display| Unseen::new(format!("TLS cannot be had: {error}"));
    let builder = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| impossible(&error))?;
    let believed = match trust {
        Trust::Name => return Ok(builder.with_root_certificates(roots(authorities)?).with_no_client_auth()),
        Trust::Anyone => None,
        Trust::Authority => {
            let roots = Arc::new(roots(authorities)?);
            let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider()).build();
            Some(verifier.map_err(|error| impossible(&error))?)
        }
    };
    let verifier = Arc::new(Nameless { provider: provider(), believed });
    Ok(builder.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

fn roots(pem: Option<&str>) -> Result<RootCertStore, Unseen> {
    let mut roots = RootCertStore::empty();
    let Some(pem) = pem else {
        // Systems carry old certificates that no parser takes any more; the others serve.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let none = || Unseen::new("this machine has no certificate authorities").hint("name those to trust: `ca: …`");
        return if roots.is_empty() { Err(none()) } else { Ok(roots) };
    };
    let unreadable = |why: &str| Unseen::new(format!("the authorities to trust cannot be read: {why}"));
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|error| unreadable(&error.to_string()))?;
        roots.add(certificate).map_err(|error| unreadable(&error.to_string()))?;
    }
    if roots.is_empty() { Err(unreadable("there is no `BEGIN CERTIFICATE`")) } else { Ok(roots) }
}

/// Named here rather than taken from the process, which may have none, or two to choose from.
fn provider() -> Arc<CryptoProvider> {
    Arc::new(ring::default_provider())
}

/// Believes a certificate whatever its name; of an authority, if there is one to ask.
#[derive(Debug)]
struct Nameless {
    provider: Arc<CryptoProvider>,
    believed: Option<Arc<WebPkiServerVerifier>>,
}

impl ServerCertVerifier for Nameless {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        others: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        stapled: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(verifier) = &self.believed else { return Ok(ServerCertVerified::assertion()) };
        match verifier.verify_server_cert(own, others, name, stapled, now) {
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            answer => answer,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn authorities_that_are_none_are_told() {
        assert!(config(Trust::Anyone, None).is_ok());
        for trust in [Trust::Authority, Trust::Name] {
            let why = config(trust, Some("nonsense")).unwrap_err();
            assert!(why.message.contains("BEGIN CERTIFICATE"), "{why}");
        }
    }
}
