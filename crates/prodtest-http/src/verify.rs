//! What is wrong with a chain of certificates, each thing told apart.

use std::sync::Arc;

use rustls::{
    CertificateError, Error as TlsError, RootCertStore,
    client::{
        WebPkiServerVerifier, danger::ServerCertVerifier as _, verify_server_cert_signed_by_trust_anchor,
        verify_server_name,
    },
    pki_types::{CertificateDer, ServerName, UnixTime},
    server::ParsedCertificate,
};

use crate::{Certificate, CertificateProblem, CertificateProblemKind as Kind, explain, tls};

/// A name that nobody can have a certificate for (RFC 6761, 6.4).
const CONTROL: &str = "prodtest-control.invalid";

/// What verification says of a chain.
#[derive(Default)]
pub(crate) struct Verdict {
    pub(crate) problems: Vec<CertificateProblem>,
    pub(crate) wrong_name_refused: bool,
}

/// Holds a chain against the authorities, the name and the time, exactly as a request does; when that refuses it, looks
/// for every reason by itself. `facts` is the chain as far as it could be read.
pub(crate) fn verify(
    chain: &[CertificateDer<'_>],
    facts: &[Certificate],
    name: &ServerName<'_>,
    roots: RootCertStore,
    now: UnixTime,
) -> Verdict {
    let Some((own, above)) = chain.split_first() else { return Verdict::default() };
    let roots = Arc::new(roots);
    let verifier = match WebPkiServerVerifier::builder_with_provider(Arc::clone(&roots), tls::provider()).build() {
        Ok(verifier) => verifier,
        Err(error) => return Verdict { problems: vec![other(error.to_string())], wrong_name_refused: false },
    };
    let accepts = |name: &ServerName<'_>| verifier.verify_server_cert(own, above, name, &[], now);
    let parsed = match ParsedCertificate::try_from(own) {
        Ok(parsed) => parsed,
        Err(error) => return Verdict { problems: vec![problem(&error, facts)], wrong_name_refused: false },
    };

    let mut problems = Vec::new();
    if let Err(whole) = accepts(name) {
        problems.extend(chain_problems(&parsed, above, facts, &roots, now));
        problems.extend(verify_server_name(&parsed, name).err().map(|error| problem(&error, facts)));
        if problems.is_empty() {
            problems.push(problem(&whole, facts));
        }
    }
    // An expired chain is refused for any name, which would prove nothing: the name alone must be refused too.
    let wrong_name_refused = ServerName::try_from(CONTROL)
        .is_ok_and(|control| accepts(&control).is_err() && verify_server_name(&parsed, &control).is_err());
    Verdict { problems, wrong_name_refused }
}

/// What is wrong with the chain, whatever the name. webpki stops at a date, so that the signatures of a chain that is out
/// of date are held against a time when it was in date.
fn chain_problems(
    own: &ParsedCertificate<'_>,
    above: &[CertificateDer<'_>],
    facts: &[Certificate],
    roots: &RootCertStore,
    now: UnixTime,
) -> Vec<CertificateProblem> {
    let algorithms = tls::provider().signature_verification_algorithms;
    let at = |time| verify_server_cert_signed_by_trust_anchor(own, roots, above, time, algorithms.all).err();
    let mut problems: Vec<_> = at(now).map(|error| problem(&error, facts)).into_iter().collect();
    if problems.iter().any(is_about_time)
        && let Some(time) = in_date(facts)
    {
        problems.extend(at(time).map(|error| problem(&error, facts)).filter(|problem| !is_about_time(problem)));
    }
    problems
}

fn is_about_time(problem: &CertificateProblem) -> bool {
    matches!(problem.kind, Kind::Expired | Kind::NotYetValid)
}

/// A time at which every certificate of the chain was valid, if there is one.
fn in_date(facts: &[Certificate]) -> Option<UnixTime> {
    let from = facts.iter().map(|certificate| certificate.not_before.as_second()).max()?;
    let to = facts.iter().map(|certificate| certificate.not_after.as_second()).min()?;
    let second = u64::try_from(from).ok().filter(|_| from <= to)?;
    Some(UnixTime::since_unix_epoch(std::time::Duration::from_secs(second)))
}

fn problem(error: &TlsError, facts: &[Certificate]) -> CertificateProblem {
    let TlsError::InvalidCertificate(reason) = error else { return other(explain::tls_words(error)) };
    let kind = match reason {
        CertificateError::UnknownIssuer => {
            return CertificateProblem { kind: Kind::UnknownIssuer, message: unknown_issuer(facts) };
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => Kind::WrongName,
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => Kind::Expired,
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => Kind::NotYetValid,
        CertificateError::Revoked => Kind::Revoked,
        _ => Kind::Other,
    };
    CertificateProblem { kind, message: explain::certificate_words(reason) }
}

/// Which authority is not known, for that is what one has to add, or why there is none.
fn unknown_issuer(facts: &[Certificate]) -> String {
    match facts {
        [] => explain::certificate_words(&CertificateError::UnknownIssuer),
        [own] if own.subject == own.issuer => {
            format!("the certificate is signed by itself (`{}`), and no authority that is trusted here", own.subject)
        }
        [own] => format!(
            "the certificate is signed by `{}`, which is not trusted here, and the server sent no certificate of it",
            own.issuer
        ),
        [.., last] => format!("the chain ends at `{}`, which is not trusted here", last.issuer),
    }
}

pub(crate) fn other(message: String) -> CertificateProblem {
    CertificateProblem { kind: Kind::Other, message }
}
