//! Looks at what a server presents, good or bad.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime},
};

use rustls::{
    ClientConfig, DigitallySignedStruct, Error as TlsError, ProtocolVersion, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime},
};
use url::Url;

use crate::{
    Certificate, CertificateFacts, ClientOptions, Failure, FailureKind,
    dial::dial,
    explain,
    phase::Phase,
    request::{Origin, unusable},
    tls,
    verify::{other, verify},
};

/// Shakes hands with the host of an `https` URL, over a connection of its own, and takes down what it presents and what
/// is wrong with that at the time `now`. Authorities and `connect` are those of `options`.
///
/// The handshake itself accepts any certificate, for one that is refused would not be shown; no request ever goes over
/// such a connection.
pub async fn inspect_certificate(
    url: &Url,
    options: &ClientOptions,
    timeout: Duration,
    now: SystemTime,
) -> CertificateFacts {
    let subject = match Subject::new(url, options) {
        Ok(subject) => subject,
        Err(failure) => return CertificateFacts { failure: Some(failure), ..CertificateFacts::default() },
    };
    let (host, port) = options.target(&subject.origin);
    let peer = format!("{host}:{port}");
    let recorder = Arc::new(Recorder::new());
    let mut phase = Phase::default();

    let ended = tokio::time::timeout(timeout, async {
        let tcp = dial(&host, port, &mut phase).await?;
        phase = Phase::Tls;
        let stream = tls::handshake(accepting(Arc::clone(&recorder))?, subject.name.clone(), tcp, &peer).await?;
        Ok(stream.get_ref().1.protocol_version())
    })
    .await;
    let result = ended.unwrap_or_else(|_| Err(phase.timed_out(&peer, timeout, 0)));

    let mut facts = CertificateFacts { reached: result.is_ok(), ..CertificateFacts::default() };
    match result {
        Ok(version) => facts.protocol = version.map(spelt),
        Err(failure) => facts.failure = Some(failure),
    }
    examine(&mut facts, &recorder.chain(), subject, now);
    facts
}

/// Reads and verifies what was presented; a handshake can fail after that.
fn examine(facts: &mut CertificateFacts, chain: &[CertificateDer<'_>], subject: Subject, now: SystemTime) {
    let read = chain.iter().map(Certificate::read);
    let unreadable: Vec<String> =
        read.filter_map(|certificate| certificate.map(|certificate| facts.chain.push(certificate)).err()).collect();
    // A time before 1970 is a broken clock; then no certificate is valid yet, which is what it will say.
    let now = UnixTime::since_unix_epoch(now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default());
    let verdict = verify(chain, &facts.chain, &subject.name, subject.roots, now);
    facts.problems = verdict.problems;
    facts
        .problems
        .extend(unreadable.into_iter().map(|reason| other(format!("a certificate cannot be read: {reason}"))));
    facts.wrong_name_refused = verdict.wrong_name_refused;
}

/// Who is asked, and whom one trusts about the answer.
struct Subject {
    origin: Origin,
    name: ServerName<'static>,
    roots: RootCertStore,
}

impl Subject {
    fn new(url: &Url, options: &ClientOptions) -> Result<Self, Failure> {
        let origin = Origin::of(url)?;
        if !origin.tls {
            return Err(unusable("an http URL has no certificate"));
        }
        let name = tls::server_name(&origin.host)?;
        let roots = match &options.ca {
            Some(pem) => tls::given_authorities(pem)
                .map_err(|error| Failure::new(FailureKind::NoAuthorities, error.to_string()))?,
            None => tls::system_authorities()?,
        };
        Ok(Self { origin, name, roots })
    }
}

fn spelt(version: ProtocolVersion) -> String {
    match version {
        ProtocolVersion::TLSv1_2 => "TLS 1.2".to_owned(),
        ProtocolVersion::TLSv1_3 => "TLS 1.3".to_owned(),
        other => format!("{other:?}"),
    }
}

fn accepting(recorder: Arc<Recorder>) -> Result<Arc<ClientConfig>, Failure> {
    let config = ClientConfig::builder_with_provider(tls::provider())
        .with_safe_default_protocol_versions()
        .map_err(|error| Failure::new(FailureKind::Instrument, explain::tls_words(&error)))?
        .dangerous()
        .with_custom_certificate_verifier(recorder)
        .with_no_client_auth();
    Ok(Arc::new(config))
}

/// A verifier that takes down the chain and accepts it. That the server holds the key is verified all the same.
#[derive(Debug)]
struct Recorder {
    chain: Mutex<Vec<CertificateDer<'static>>>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Recorder {
    fn new() -> Self {
        Self { chain: Mutex::default(), algorithms: tls::provider().signature_verification_algorithms }
    }

    fn chain(&self) -> Vec<CertificateDer<'static>> {
        self.chain.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ServerCertVerifier for Recorder {
    fn verify_server_cert(
        &self,
        own: &CertificateDer<'_>,
        above: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        let chain = std::iter::once(own).chain(above).map(|certificate| certificate.clone().into_owned()).collect();
        *self.chain.lock().unwrap_or_else(PoisonError::into_inner) = chain;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, certificate, signed, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, certificate, signed, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
