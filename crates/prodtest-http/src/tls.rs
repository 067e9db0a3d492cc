//! TLS: whom to trust, and the handshake.

use std::{io, sync::Arc};

use rustls::{
    ClientConfig, RootCertStore,
    crypto::CryptoProvider,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use tokio::net::TcpStream;
use tokio_rustls::{TlsConnector, client::TlsStream};
use url::Host;

use crate::{Failure, FailureKind, client::InvalidOptions, explain, request::unusable};

/// The one provider. It is passed on explicitly: the process's default would panic where two are linked.
pub(crate) fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

/// The authorities in a PEM text.
pub(crate) fn given_authorities(pem: &[u8]) -> Result<RootCertStore, InvalidOptions> {
    let invalid = |reason: String| InvalidOptions::Ca(reason);
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|error| invalid(error.to_string()))?;
        roots.add(certificate).map_err(|error| invalid(explain::tls_words(&error)))?;
    }
    if roots.is_empty() { Err(invalid("it holds no `BEGIN CERTIFICATE`".to_owned())) } else { Ok(roots) }
}

/// The system's authorities, from where curl would take them. Reads files: call it when the first of them is needed.
pub(crate) fn system_authorities() -> Result<RootCertStore, Failure> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // Systems carry old certificates that no parser takes any more; the others serve.
    let (taken, _) = roots.add_parsable_certificates(found.certs);
    if taken > 0 {
        return Ok(roots);
    }
    let reason = found.errors.first().map_or_else(|| "none are installed".to_owned(), ToString::to_string);
    Err(Failure::new(FailureKind::NoAuthorities, format!("no certificate authorities on this machine: {reason}")))
}

/// How requests speak TLS: certificates are verified, HTTP/1.1 is asked for.
pub(crate) fn verifying(roots: RootCertStore) -> Result<Arc<ClientConfig>, Failure> {
    let mut config = ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(FailureKind::Instrument, explain::tls_words(&error)))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(Arc::new(config))
}

/// The name that a certificate must be for.
pub(crate) fn server_name(host: &Host<String>) -> Result<ServerName<'static>, Failure> {
    match host {
        Host::Ipv4(ip) => Ok(ServerName::from(*ip)),
        Host::Ipv6(ip) => Ok(ServerName::from(*ip)),
        Host::Domain(name) => ServerName::try_from(name.clone())
            .map_err(|_| unusable(format!("{name:?} is no name that a certificate could be for"))),
    }
}

/// Shakes hands.
pub(crate) async fn handshake(
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
    tcp: TcpStream,
    peer: &str,
) -> Result<TlsStream<TcpStream>, Failure> {
    TlsConnector::from(config).connect(name, tcp).await.map_err(|error| of_handshake(&error, peer))
}

fn of_handshake(error: &io::Error, peer: &str) -> Failure {
    match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => {
            Failure::new(FailureKind::Closed, format!("`{peer}` closed the connection during the TLS handshake"))
        }
        io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionAborted => {
            Failure::new(FailureKind::Reset, format!("`{peer}` reset the connection during the TLS handshake"))
        }
        _ => Failure::new(
            FailureKind::Tls,
            explain::tls_error(error).map_or_else(|| error.to_string(), explain::tls_words),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pem_text_without_a_certificate_is_refused() {
        for pem in ["", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
            assert!(given_authorities(pem.as_bytes()).is_err(), "{pem:?}");
        }
    }
}
