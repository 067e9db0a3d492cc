//! A private certificate authority, and servers with what it signs.

use std::{io::Write, sync::Arc};

use prodtest_http::{Client, ClientOptions};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer},
};
use url::Url;

use crate::server::{HEALTHY, Server, read_request};

/// The name that all tests ask for.
pub(crate) const NAME: &str = "service.example";

/// An authority.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate with its key, and what is sent with it.
pub(crate) struct Identity {
    pub(crate) chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

/// Parameters of a certificate for `names`, valid from year to year.
pub(crate) fn params(names: &[&str], from: i32, to: i32) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).unwrap();
    params.distinguished_name.push(DnType::CommonName, "a service");
    params.not_before = date_time_ymd(from, 1, 1);
    params.not_after = date_time_ymd(to, 1, 1);
    params
}

fn authority_params(name: &str) -> CertificateParams {
    let mut params = params(&[], 2000, 2100);
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        Self(CertifiedIssuer::self_signed(authority_params(name), KeyPair::generate().unwrap()).unwrap())
    }

    /// An authority that this one vouches for.
    pub(crate) fn intermediate(&self, name: &str) -> Self {
        Self(CertifiedIssuer::signed_by(authority_params(name), KeyPair::generate().unwrap(), &self.0).unwrap())
    }

    pub(crate) fn der(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    pub(crate) fn sign(&self, params: &CertificateParams) -> Identity {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Identity { chain: vec![certificate.der().clone()], key: key.into() }
    }

    /// Options that trust this authority, and connect to the server.
    pub(crate) fn options(&self, server: &Server) -> ClientOptions {
        ClientOptions {
            connect: Some((server.address.ip().to_string(), server.address.port())),
            ca: Some(self.0.pem().into_bytes()),
            ..ClientOptions::default()
        }
    }

    pub(crate) fn client(&self, server: &Server) -> Client {
        Client::new(self.options(server)).unwrap()
    }
}

/// An identity that nobody but itself vouches for.
pub(crate) fn self_signed(params: &CertificateParams) -> Identity {
    let key = KeyPair::generate().unwrap();
    Identity { chain: vec![params.self_signed(&key).unwrap().der().clone()], key: key.into() }
}

/// A healthy server behind TLS.
pub(crate) fn serve(identity: Identity) -> Server {
    serve_versions(identity, rustls::ALL_VERSIONS)
}

/// The same, with some versions of TLS only.
pub(crate) fn serve_versions(identity: Identity, versions: &[&'static rustls::SupportedProtocolVersion]) -> Server {
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(identity.chain, identity.key)
        .unwrap();
    let config = Arc::new(config);
    Server::start(move |_, tcp| {
        let mut stream = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), tcp);
        while read_request(&mut stream).is_some() {
            stream.write_all(HEALTHY).unwrap();
        }
    })
}

/// The URL that all tests ask for; where it leads is a matter of `connect`.
pub(crate) fn url() -> Url {
    Url::parse(&format!("https://{NAME}/")).unwrap()
}
