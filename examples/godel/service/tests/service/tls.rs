//! HTTPS.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::{Godel, Reply, command, exchange};

struct Pair {
    dir: TempDir,
    cert: CertificateDer<'static>,
}

impl Pair {
    fn new() -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["godel.test".to_owned()]).unwrap();
        let dir = TempDir::new().unwrap();
        std::fs::write(dir.path().join("cert.pem"), cert.pem()).unwrap();
        std::fs::write(dir.path().join("key.pem"), signing_key.serialize_pem()).unwrap();
        Self { dir, cert: cert.der().clone() }
    }

    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).display().to_string()
    }

    /// Asks as a client who trusts this certificate.
    async fn get(&self, godel: &Godel, host: &'static str) -> Result<Reply, String> {
        let mut roots = RootCertStore::empty();
        roots.add(self.cert.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(godel.addr).await.unwrap();
        let name = ServerName::try_from(host).unwrap();
        let connector = TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, stream).await.map_err(|error| error.to_string())?;
        let request = Request::builder().uri("/api/health").header("host", host);
        exchange(stream, request.body(Body::empty()).unwrap()).await
    }
}

#[tokio::test]
async fn https_is_served_with_the_given_certificate() {
    let pair = Pair::new();
    let args = ["--tls-cert", &pair.path("cert.pem"), "--tls-key", &pair.path("key.pem")];
    let godel = Godel::start(&args).await;
    assert_eq!(godel.url, format!("https://{}", godel.addr));
    let reply = pair.get(&godel, "godel.test").await.unwrap();
    assert_eq!(reply.json()["data"]["status"], "healthy");
    // The certificate is for one name, and of one authority.
    pair.get(&godel, "else.test").await.unwrap_err();
    Pair::new().get(&godel, "godel.test").await.unwrap_err();
}

#[tokio::test]
async fn who_speaks_no_tls_disturbs_nobody() {
    let pair = Pair::new();
    let args = ["--tls-cert", &pair.path("cert.pem"), "--tls-key", &pair.path("key.pem")];
    let godel = Godel::start(&args).await;
    let silent = TcpStream::connect(godel.addr).await.unwrap();
    godel.ask("GET /api/health").try_send().await.unwrap_err();
    let reply = tokio::time::timeout(Duration::from_secs(5), pair.get(&godel, "godel.test")).await;
    assert_eq!(reply.unwrap().unwrap().status, 200);
    drop(silent);
}

#[tokio::test]
async fn files_that_cannot_serve_are_named() {
    let pair = Pair::new();
    let (cert, key) = (pair.path("cert.pem"), pair.path("key.pem"));
    let write = |name: &str, text: &str| std::fs::write(Path::new(&pair.path(name)), text).unwrap();
    write("empty.pem", "");
    write("other.pem", &KeyPair::generate().unwrap().serialize_pem());
    for (cert, key, said) in [
        (pair.path("none.pem"), key.clone(), "none.pem"),
        (pair.path("empty.pem"), key.clone(), "no certificate in"),
        (cert.clone(), pair.path("empty.pem"), "cannot read a private key"),
        (cert.clone(), pair.path("other.pem"), "do not go together"),
    ] {
        let output = command(&["--tls-cert", &cert, "--tls-key", &key]).output().await.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{stderr}");
        assert!(stderr.contains(said) && stderr.contains("hint: "), "{stderr}");
    }
}
