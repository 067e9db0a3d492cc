//! TLS from two PEM files.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

/// A certificate chain and its key, ready to be served.
#[derive(Clone)]
pub struct Tls(TlsAcceptor);

/// Why TLS cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file that cannot be read, or is not what it should be.
    #[error("cannot read {what} from `{}`", path.display())]
    Pem {
        /// What was looked for.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What went wrong.
        source: pem::Error,
    },
    /// A file without a certificate.
    #[error("no certificate in `{}`", .0.display())]
    Empty(PathBuf),
    /// A key that does not belong to the certificate, or that cannot be used.
    #[error("the certificate and the key do not go together")]
    Pair(#[source] rustls::Error),
}

impl Tls {
    /// Loads a certificate chain, leaf first, and its key.
    ///
    /// # Errors
    /// When a file is missing or holds something else, or the two do not match.
    pub fn load(cert: &Path, key: &Path) -> Result<Self, TlsError> {
        let failed = |what, path: &Path| {
            let path = path.to_owned();
            move |source| TlsError::Pem { what, path, source }
        };
        let chain: Vec<_> =
            CertificateDer::pem_file_iter(cert).and_then(Iterator::collect).map_err(failed("a certificate", cert))?;
        if chain.is_empty() {
            return Err(TlsError::Empty(cert.to_owned()));
        }
        let key = PrivateKeyDer::from_pem_file(key).map_err(failed("a private key", key))?;

        // Named here rather than taken from the process, which may have none, or two to choose from.
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Pair)?
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .map_err(TlsError::Pair)?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self(TlsAcceptor::from(Arc::new(config))))
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.0
    }
}
