//! The stores of the service: where they are, whom they are asked as, and whom one believes to be them. What the service
//! itself is given says all of that.

pub(crate) mod postgres;
pub(crate) mod resp;
pub(crate) mod trust;

use std::time::Duration;

use percent_encoding::percent_decode_str;
use prodtest_config::{HostPort, Located, SecretRef};
use prodtest_gate::{CheckId, Judged, Rule};
use prodtest_http::{Failure, FailureKind, connect_tcp};
use prodtest_inspect::{Seeing, Unseen};
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpStream, time::timeout};
use url::Url;

use crate::gate::Precheck;

/// How long a store may take for all that it is asked: shorter than a check's deadline, so that the check can say who kept
/// silent.
const ANSWER: Duration = Duration::from_secs(5);

/// A store.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Store {
    /// The address, with the credentials of the service.
    pub(crate) url: Located<SecretRef>,
    /// The authorities to trust, in PEM; the system's, where nobody says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ca: Option<SecretRef>,
    /// Where to connect instead.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) connect: Option<HostPort>,
}

/// Why a store lets nobody in, or not this one: so it would be with the service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Denied {
    /// Which rule that breaks.
    pub(crate) rule: String,
    /// What happened, without a secret.
    pub(crate) why: String,
}

impl Denied {
    pub(crate) fn new(rule: &str, why: impl Into<String>) -> Self {
        Self { rule: rule.to_owned(), why: why.into() }
    }
}

/// Why there is nothing to judge.
#[derive(Clone, Debug)]
pub(crate) enum Trouble {
    /// It was asked, and said no.
    Denied(Denied),
    /// It could not be asked.
    Unseen(Unseen),
}

impl From<Unseen> for Trouble {
    fn from(unseen: Unseen) -> Self {
        Self::Unseen(unseen)
    }
}

impl From<Denied> for Trouble {
    fn from(denied: Denied) -> Self {
        Self::Denied(denied)
    }
}

/// Asks, within [`ANSWER`]: a no is a fact, silence is none.
pub(crate) async fn within<T>(
    what: &str,
    ask: impl Future<Output = Result<T, Trouble>>,
) -> Result<Result<T, Denied>, Unseen> {
    match timeout(ANSWER, ask).await {
        Ok(Ok(seen)) => Ok(Ok(seen)),
        Ok(Err(Trouble::Denied(denied))) => Ok(Err(denied)),
        Ok(Err(Trouble::Unseen(unseen))) => Err(unseen),
        Err(_) => Err(Unseen::new(format!("{what} gave no answer within {} s", ANSWER.as_secs()))
            .hint("look whether it is reached from here, and is not cut off by a firewall")),
    }
}

/// The address of a store, read from what the service is given. Never shown or kept.
pub(crate) struct Address {
    url: Url,
}

impl Address {
    /// Its host, as a certificate has it.
    pub(crate) fn host(&self) -> &str {
        // The brackets of an IPv6 address belong to the URL.
        self.url.host_str().unwrap_or_default().trim_start_matches('[').trim_end_matches(']')
    }

    pub(crate) fn port(&self, default: u16) -> u16 {
        self.url.port().unwrap_or(default)
    }

    pub(crate) fn scheme(&self) -> &str {
        self.url.scheme()
    }

    pub(crate) fn user(&self) -> Option<String> {
        decoded(self.url.username())
    }

    pub(crate) fn password(&self) -> Option<String> {
        decoded(self.url.password()?)
    }

    /// What stands after the host.
    pub(crate) fn path(&self) -> Option<String> {
        decoded(self.url.path().trim_start_matches('/'))
    }

    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        self.url.query_pairs().find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
    }

    /// Reads it. What is wrong is said without a part of it: any may be a piece of the password.
    pub(crate) fn read(text: &str, schemes: &[&str]) -> Result<Self, String> {
        let expected = || format!("`{}://…`", schemes.join("://…` or `"));
        let url = Url::parse(text).map_err(|error| format!("it is no URL, {error}; expected {}", expected()))?;
        if !schemes.contains(&url.scheme()) {
            return Err(format!("it does not begin as {} does", expected()));
        }
        match url.host_str() {
            None | Some("") => Err("it names no host".to_owned()),
            Some(_) => Ok(Self { url }),
        }
    }
}

/// A part of a URL as it was meant; none, where it is empty.
fn decoded(part: &str) -> Option<String> {
    let text = percent_decode_str(part).decode_utf8_lossy();
    (!text.is_empty()).then(|| text.into_owned())
}

impl Store {
    /// What one must be allowed to read for it.
    pub(crate) fn rules(&self) -> Vec<Rule> {
        let of = |reference: &SecretRef| match reference {
            SecretRef::Kubernetes(at) => {
                Some(Rule::get_secrets(at.namespace.as_deref().unwrap_or_default(), [at.secret.clone()]))
            }
            _ => None,
        };
        let mut rules: Vec<Rule> = of(&self.url.value).into_iter().collect();
        rules.extend(self.ca.as_ref().and_then(of).filter(|rule| !rules.contains(rule)));
        rules
    }

    /// Its address.
    pub(crate) fn address(&self, seeing: &Seeing<'_, Precheck>, schemes: &[&str]) -> Result<Address, Trouble> {
        let secret = seeing.means.secret(&self.url.value)?;
        let read = Address::read(secret.expose_secret(), schemes);
        Ok(read.map_err(|why| Denied::new("url", format!("{} cannot be used: {why}", self.url.value)))?)
    }

    /// A connection to it.
    pub(crate) async fn dial(&self, address: &Address, port: u16) -> Result<TcpStream, Trouble> {
        let (host, port) = match &self.connect {
            Some(connect) => (connect.host.as_str(), connect.port),
            None => (address.host(), address.port(port)),
        };
        connect_tcp(host, port).await.map_err(undialled)
    }

    /// The authorities to trust, in PEM.
    pub(crate) async fn authorities(&self, seeing: &Seeing<'_, Precheck>) -> Result<Option<String>, Unseen> {
        authorities(seeing, self.ca.as_ref()).await
    }
}

/// Authorities to trust, in PEM: they are no secret, and have many lines.
pub(crate) async fn authorities(
    seeing: &Seeing<'_, Precheck>,
    ca: Option<&SecretRef>,
) -> Result<Option<String>, Unseen> {
    match ca {
        None => Ok(None),
        Some(SecretRef::Kubernetes(at)) => {
            let namespace = at.namespace.as_deref().unwrap_or_default();
            let pem = seeing.means.cluster()?.secret(namespace, &at.secret, &at.key).await?;
            Ok(Some(pem.expose_secret().to_owned()))
        }
        Some(SecretRef::File(path)) => std::fs::read_to_string(path)
            .map(Some)
            .map_err(|error| Unseen::new(format!("the authority `{path}` could not be read: {error}"))),
        Some(SecretRef::Env(name)) => {
            Err(Unseen::new(format!("an authority is read from a file or a Secret, not from the variable `{name}`")))
        }
    }
}

/// Why there is no connection.
pub(crate) fn undialled(failure: Failure) -> Trouble {
    match failure.kind {
        FailureKind::Refused | FailureKind::Reset | FailureKind::Closed => {
            Denied::new("connect", failure.to_string()).into()
        }
        // Whether the pods know the name, or a way, nobody can tell from here.
        _ => Unseen::new(failure.to_string())
            .hint("say where it is reached from here, by `connect: HOST:PORT` or the flag for it")
            .into(),
    }
}

/// A finding for a store that let nobody in.
pub(crate) fn denied(id: &CheckId, subject: &str, expected: &str, denied: &Denied) -> Judged {
    let finding = prodtest_gate::Finding::new(id, &denied.rule, subject, format!("{subject}: {}", denied.why));
    Judged::by_findings(id.clone(), vec![finding.expected(expected, denied.why.clone())])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_read_as_it_was_meant() {
        let address = Address::read("postgres://go%64el:p%40ss%2Fw@db.test:6432/agents?sslmode=require", &["postgres"]);
        let address = address.ok().unwrap();
        assert_eq!((address.host(), address.port(5432)), ("db.test", 6432));
        assert_eq!((address.user().unwrap(), address.password().unwrap()), ("godel".to_owned(), "p@ss/w".to_owned()));
        assert_eq!(
            (address.path().unwrap(), address.parameter("sslmode").unwrap()),
            ("agents".into(), "require".into())
        );
        let bare = Address::read("postgres://[::1]", &["postgres"]).ok().unwrap();
        assert_eq!((bare.host(), bare.port(5432), bare.user(), bare.path()), ("::1", 5432, None, None));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_address() {
        for (text, said) in [
            ("s3cret", "no URL"),
            ("redis://:s3cret@h", "does not begin"),
            ("postgres:///s3cret", "names no host"),
            ("postgres://u:s3cret/x@h/d", "no URL"),
        ] {
            let why = Address::read(text, &["postgres", "postgresql"]).err().unwrap();
            assert!(why.contains(said) && !why.contains("s3cret"), "{why}");
        }
    }
}
