//! A mirror of the releases, on loopback: HTTPS with a certificate of its own authority.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use prodtest_testkit::{Certificates, Flaw};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
};
use tempfile::TempDir;

/// A running mirror that answers every request with the same bytes. Its threads end with the process.
pub(crate) struct Mirror {
    /// Its address, `https://localhost:45678`.
    pub(crate) url: String,
    /// The authority to trust.
    pub(crate) ca: PathBuf,
    asked: Arc<Mutex<Vec<String>>>,
    _folder: TempDir,
}

impl Mirror {
    /// Starts one that serves `bytes`.
    pub(crate) fn serving(bytes: Vec<u8>) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let made = Certificates::make(folder.path(), Flaw::None).expect("certificates");
        let cert = CertificateDer::from_pem_file(&made.cert).expect("a certificate");
        let key = PrivateKeyDer::from_pem_file(&made.key).expect("a key");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("protocol versions")
            .with_no_client_auth()
            .with_single_cert(vec![cert], key)
            .expect("a server's configuration");
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (bytes, seen) = (Arc::new(bytes), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (config, bytes, seen) = (Arc::clone(&config), Arc::clone(&bytes), Arc::clone(&seen));
                thread::spawn(move || {
                    if let Some(path) = answer(stream, config, &bytes) {
                        seen.lock().expect("a lock").push(path);
                    }
                });
            }
        });
        Self { url: format!("https://localhost:{port}"), ca: made.ca, asked, _folder: folder }
    }

    /// The paths it was asked for.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().expect("a lock").clone()
    }
}

/// One request, one answer; says which path was asked for.
fn answer(stream: TcpStream, config: Arc<ServerConfig>, bytes: &[u8]) -> Option<String> {
    stream.set_read_timeout(Some(Duration::from_secs(10))).ok()?;
    let mut stream = StreamOwned::new(ServerConnection::new(config).ok()?, stream);
    let mut request = Vec::new();
    let mut buffer = [0; 1024];
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut buffer).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&buffer[..read]);
    }
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", bytes.len());
    stream.write_all(head.as_bytes()).ok()?;
    stream.write_all(bytes).ok()?;
    stream.conn.send_close_notify();
    stream.flush().ok()?;
    String::from_utf8_lossy(&request).split_whitespace().nth(1).map(str::to_owned)
}
