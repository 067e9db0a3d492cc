//! What the library's errors mean.
//!
//! The words of a parser are left out: they quote what they could not read, which may be a Secret or a token.

use std::{error::Error, io};

use kube::client::AuthError;
use rustls::CertificateError;

use crate::error::{Problem, one_line};

/// What the error of a call means.
#[must_use]
pub fn problem(error: &kube::Error) -> Problem {
    match error {
        kube::Error::Api(status) => {
            let message = one_line(&status.message);
            match status.code {
                401 => Problem::Unauthorized(message),
                403 => Problem::Forbidden(message),
                // Only the API itself says so; from anybody else it means that the API was not asked.
                404 if status.reason == "NotFound" => Problem::NotFound,
                // Any JSON reads as a status; then its code is not there.
                0 => Problem::Garbage("an error that is none of Kubernetes' own".to_owned()),
                code => Problem::Refused { code, message },
            }
        }
        kube::Error::SerdeError(error) => {
            let what = if error.is_data() { "JSON of another shape" } else { "no JSON" };
            Problem::Garbage(format!("{what}, at line {}, column {}", error.line(), error.column()))
        }
        kube::Error::FromUtf8(_) => Problem::Garbage("no text".to_owned()),
        kube::Error::Auth(error) => Problem::NoCredentials(credentials(error)),
        kube::Error::RustlsTls(error) => Problem::Unusable(one_line(error)),
        kube::Error::InferKubeconfig(error) => Problem::Unusable(one_line(error)),
        kube::Error::ProxyProtocolUnsupported { .. } | kube::Error::ProxyProtocolDisabled { .. } => {
            Problem::Unusable("its proxy is neither `http://` nor `https://`".to_owned())
        }
        other => transport(other),
    }
}

/// Why there are no credentials. The command of a plugin is left out as well: the library writes its environment before
/// it.
fn credentials(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecRun { out, .. } => {
            let said = String::from_utf8_lossy(&out.stderr);
            let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or_default();
            format!("the plugin ended with {}: {}", out.status, one_line(last))
        }
        AuthError::AuthExecParse(_) | AuthError::ParseTokenKey(_) => {
            "what the plugin printed is no credential".to_owned()
        }
        other => one_line(other),
    }
}

/// Why there was no answer.
fn transport(error: &kube::Error) -> Problem {
    let first: &(dyn Error + 'static) = error;
    let chain = || std::iter::successors(Some(first), |error| (*error).source());
    if let Some(tls) = chain().find_map(tls) {
        return match tls {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                Problem::Certificate("it is signed by an authority that the kubeconfig does not name".to_owned())
            }
            rustls::Error::InvalidCertificate(reason) => Problem::Certificate(one_line(reason)),
            other => Problem::Unreachable(one_line(other)),
        };
    }
    // The outer ones only say that something failed.
    let last = chain().last().map(one_line).unwrap_or_default();
    match chain().find_map(|error| error.downcast_ref::<io::Error>()).map(io::Error::kind) {
        Some(io::ErrorKind::ConnectionRefused) => Problem::Unreachable("connection refused".to_owned()),
        _ => Problem::Unreachable(last),
    }
}

/// The TLS error that an error is, or that is inside an error of input or output, however deep: such an error does not
/// name what is inside it as its source.
fn tls<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    match error.downcast_ref::<io::Error>() {
        Some(error) => tls(error.get_ref()?),
        None => error.downcast_ref(),
    }
}
