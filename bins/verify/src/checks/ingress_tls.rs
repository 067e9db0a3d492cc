//! `verify/ingress-tls`: the certificate is good and lasts, old versions of TLS are refused, plain HTTP leads to TLS.

use std::time::SystemTime;

use jiff::Timestamp;
use prodtest_cli::Refusal;
use prodtest_config::{BaseUrl, HostPort};
use prodtest_gate::{Check, CheckId, Control, Evidence, Finding, Judged, Limit, Place, Quantity, Unit};
use prodtest_http::{
    CertificateFacts, CertificateProblemKind as Kind, Failure, FailureKind, Request, inspect_certificate,
};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    gate::Verify,
    greeting::{self, Newest, Word, greet},
    outside::{self, PATIENCE},
};

const DAY: i64 = 86_400;

/// What the entrance from outside is held against. How many days the certificate must last is `tls.min-days` of the
/// environment.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// The oldest version of TLS that may be accepted; `1.2` when left out, for RFC 8996 took away what is older.
    pub(crate) min_version: Option<Version>,
    /// Where to connect for plain HTTP; the host of the address, or of `connect`, at port 80 when left out.
    pub(crate) http_connect: Option<HostPort>,
    /// Whether plain HTTP may be closed altogether; when left out, it must lead to TLS.
    pub(crate) without_redirect: bool,
}

/// A version of TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) enum Version {
    /// TLS 1.2.
    #[default]
    #[serde(rename = "1.2")]
    Tls12,
    /// TLS 1.3.
    #[serde(rename = "1.3")]
    Tls13,
}

/// The check.
pub(crate) struct IngressTls;

/// Where it looks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Where {
    url: BaseUrl,
    http: (String, u16),
    /// Whether somebody said so, or it was made up of the way to TLS, which may be another one.
    http_said: bool,
    place: Option<Place>,
}

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    min_days: u32,
    min_version: Version,
    without_redirect: bool,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    now: Timestamp,
    host: String,
    certificate: CertificateFacts,
    /// What it says to a greeting that knows nothing newer than TLS 1.1, and than TLS 1.2.
    greeted_11: Word,
    greeted_12: Word,
    plain: Plain,
}

/// What plain HTTP gave.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Plain {
    status: Option<u16>,
    /// Where it leads to.
    location: Option<String>,
    failure: Option<Failure>,
}

impl Inspection<Verify> for IngressTls {
    const NAME: &'static str = "ingress-tls";

    type Target = Where;
    type Limits = Limits;
    type Facts = Facts;

    fn target(asked: &Asked<'_, Verify>) -> Result<Target<Where>, Refusal> {
        let site = asked.site;
        let Some(url) = &site.url else {
            return Ok(Target::Nowhere("the environment has no `url`".to_owned()));
        };
        if url.scheme() == "http" {
            return Ok(Target::Nowhere(
                "the environment's `url` is plain HTTP: no TLS is meant to be there".to_owned(),
            ));
        }
        let flag = asked.input.flags.http_connect.as_ref();
        let said = flag.or(asked.section.ingress_tls.http_connect.as_ref());
        let otherwise = || site.connect.as_ref().map_or(url.host_str().unwrap_or_default(), |(host, _)| host);
        let http = said.map_or_else(|| (otherwise().to_owned(), 80), |to| (to.host.clone(), to.port));
        let http_said = said.is_some() || site.connect.is_none();
        Ok(Target::At(Where { url: url.clone(), http, http_said, place: site.url_place.clone() }))
    }

    fn limits(asked: &Asked<'_, Verify>) -> Result<Limits, Refusal> {
        let section = &asked.section.ingress_tls;
        Ok(Limits {
            min_days: asked.input.config.environment.tls.min_days,
            min_version: section.min_version.unwrap_or_default(),
            without_redirect: section.without_redirect,
        })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        Check {
            why: Some(
                "When a certificate ends, every user is locked out at the same second; over plain HTTP or old TLS, others \
                 read along."
                    .to_owned(),
            ),
            help: Some(
                "Look at the Ingress (`tls`, its class's redirect and minimum version), at the Secret that it names, and at \
                 whoever renews that: `kubectl describe certificate`."
                    .to_owned(),
            ),
            limits: vec![
                Limit { name: "certificate lasts".to_owned(), value: format!("{} days", limits.min_days) },
                Limit { name: "oldest version".to_owned(), value: limits.min_version.shown().to_owned() },
            ],
            requirements: vec!["FR1.5".to_owned()],
            ..Check::new(id, "the certificate is good and lasts, old TLS is refused, and plain HTTP leads to TLS")
        }
    }

    async fn observe(seeing: &Seeing<'_, Verify>, at: &Where) -> Result<Facts, Unseen> {
        let options = outside::options(seeing.site)?;
        let host = at.url.host_str().unwrap_or_default();
        let tls = options.connect.clone().unwrap_or_else(|| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            (host.to_owned(), at.url.port_or_known_default().unwrap_or(443))
        });
        let (certificate, greeted_11, greeted_12, plain) = tokio::join!(
            inspect_certificate(&at.url, &options, PATIENCE, SystemTime::now()),
            greet(&tls, host, Newest::Tls11, PATIENCE),
            greet(&tls, host, Newest::Tls12, PATIENCE),
            plain(at),
        );
        let plain = plain?;
        Ok(Facts { now: Timestamp::now(), host: host.to_owned(), certificate, greeted_11, greeted_12, plain })
    }

    fn judge(id: &CheckId, at: &Where, limits: &Limits, facts: &Facts) -> Judged {
        let certificate = &facts.certificate;
        if let Some(failure) = &certificate.failure
            && (failure.kind.is_ours() || (!failure.kind.answered() && certificate.chain.is_empty()))
        {
            let why = format!("no handshake with `{}`: {failure}", facts.host);
            return Judged::undetermined(id.clone(), why);
        }
        let mut findings = certificate_findings(id, limits, facts);
        findings.extend(version_finding(id, limits, facts));
        let redirect = redirect_finding(id, at, limits, facts);
        let unsure = match (&facts.greeted_11, &redirect) {
            (Word::Silent { why }, _) => Some(format!("whether old TLS is refused could not be told: {why}")),
            (_, Err(why)) => Some(why.clone()),
            _ => None,
        };
        findings.extend(redirect.ok().flatten());
        let findings: Vec<Finding> = findings.into_iter().map(|finding| finding.at(at.place.clone())).collect();
        let mut judged = match unsure {
            Some(why) if findings.is_empty() => Judged::undetermined(id.clone(), why),
            _ => Judged::by_findings(id.clone(), findings),
        };
        if let Some(left) = days_left(facts) {
            judged.evidence.push(Evidence::new("days left", days(left)).limited(days(i64::from(limits.min_days))));
        }
        let protocol = certificate.protocol.clone().map(|protocol| Evidence::new("protocol", Quantity::Text(protocol)));
        judged.evidence.extend(protocol);
        judged
    }

    fn control(id: &CheckId, _: &Where, facts: &Facts) -> Option<Control> {
        let certificate = &facts.certificate;
        if certificate.chain.is_empty() {
            return None;
        }
        // The greeting is understood: in TLS 1.2 it is taken, or refused for its version alone.
        let understood = matches!(facts.greeted_12, Word::Accepted { .. })
            || facts.greeted_12 == Word::Refused { alert: Some(greeting::PROTOCOL_VERSION) };
        let detail = match (certificate.wrong_name_refused, understood) {
            (true, true) => "the name is refused, the greeting understood".to_owned(),
            (false, _) => "the certificate was taken for a name that it is not for".to_owned(),
            (true, false) => format!("a greeting in TLS 1.2 is not understood: {:?}", facts.greeted_12),
        };
        Some(Control {
            name: "another name, and a greeting in TLS 1.2".to_owned(),
            tripped: certificate.wrong_name_refused && understood,
            detail,
            proves: vec![id.clone()],
        })
    }
}

impl Version {
    const fn shown(self) -> &'static str {
        match self {
            Self::Tls12 => "TLS 1.2",
            Self::Tls13 => "TLS 1.3",
        }
    }
}

async fn plain(at: &Where) -> Result<Plain, Unseen> {
    let mut url = outside::join(&at.url, "/");
    // The port of TLS is none of plain HTTP; a URL that has a scheme of the web takes both.
    let _ = url.set_scheme("http");
    let _ = url.set_port(None);
    let options = prodtest_http::ClientOptions { connect: Some(at.http.clone()), ..Default::default() };
    let client = prodtest_http::Client::new(options).map_err(|error| Unseen::new(error.to_string()))?;
    let request = Request {
        method: "GET".to_owned(),
        url,
        headers: Vec::new(),
        body: None,
        timeout: PATIENCE,
        max_body: 1 << 16,
    };
    let exchange = client.unkept().send(request).await;
    let response = exchange.response.as_ref();
    Ok(Plain {
        status: response.map(|response| response.status),
        location: response.and_then(|response| response.header("location")).map(str::to_owned),
        failure: exchange.failure,
    })
}

/// Whole days until the certificate ends.
fn days_left(facts: &Facts) -> Option<i64> {
    let own = facts.certificate.chain.first()?;
    Some((own.not_after.as_second() - facts.now.as_second()).div_euclid(DAY))
}

#[expect(clippy::cast_precision_loss, reason = "days")]
fn days(days: i64) -> Quantity {
    Quantity::Number { number: days as f64, unit: Unit::Days }
}

fn certificate_findings(id: &CheckId, limits: &Limits, facts: &Facts) -> Vec<Finding> {
    let (certificate, host) = (&facts.certificate, &facts.host);
    let finding = |rule: &str, message: String, expected: String, seen: String| {
        Finding::new(id, rule, host, message).expected(expected, seen)
    };
    if let Some(failure) = &certificate.failure {
        let message = format!("no handshake with `{host}`: {failure}");
        return vec![finding("handshake", message, "a TLS handshake".to_owned(), failure.to_string())];
    }
    let mut findings: Vec<Finding> = Vec::new();
    for problem in &certificate.problems {
        let (rule, what) = match problem.kind {
            Kind::UnknownIssuer => ("unknown-issuer", "is of an authority that is not trusted"),
            Kind::WrongName => ("wrong-name", "is for another name"),
            Kind::Expired => ("expired", "has ended"),
            Kind::NotYetValid => ("not-yet-valid", "is not valid yet"),
            Kind::Revoked => ("revoked", "was revoked"),
            Kind::Other => ("chain", "is no good"),
        };
        if findings.iter().all(|known| known.rule != rule) {
            let message = format!("the certificate of `{host}` {what}: {}", problem.message);
            findings.push(finding(
                rule,
                message,
                "a certificate that a client accepts".to_owned(),
                problem.message.clone(),
            ));
        }
    }
    let left = days_left(facts).unwrap_or(i64::MIN);
    match certificate.chain.first() {
        None => findings.push(finding(
            "handshake",
            format!("`{host}` presents no certificate"),
            "a certificate".to_owned(),
            "none".to_owned(),
        )),
        Some(own) if left < i64::from(limits.min_days) && findings.iter().all(|known| known.rule != "expired") => {
            let seen = format!("{}, until {}", days(left), own.not_after);
            let message = format!("the certificate of `{host}` lasts {} more", days(left));
            findings.push(finding("expiry", message, format!("at least {} days", limits.min_days), seen));
        }
        Some(_) => {}
    }
    findings
}

fn version_finding(id: &CheckId, limits: &Limits, facts: &Facts) -> Option<Finding> {
    let greetings = [(&facts.greeted_11, true), (&facts.greeted_12, limits.min_version == Version::Tls13)];
    let accepted = greetings.into_iter().find_map(|(word, is_old)| match word {
        Word::Accepted { version } if is_old => Some(version),
        _ => None,
    })?;
    let (host, least) = (&facts.host, limits.min_version.shown());
    let message = format!("`{host}` takes {accepted}");
    Some(Finding::new(id, "version", host, message).expected(format!("{least} at least"), accepted))
}

/// What is wrong with plain HTTP, or why that could not be told.
fn redirect_finding(id: &CheckId, at: &Where, limits: &Limits, facts: &Facts) -> Result<Option<Finding>, String> {
    let (plain, host) = (&facts.plain, &facts.host);
    let url = format!("http://{host}/");
    let finding = |rule: &str, message: String, seen: String| {
        let expected = format!("a 301 or 308 to `https://{host}`");
        Ok(Some(Finding::new(id, rule, host, message).expected(expected, seen)))
    };
    let status = match (plain.status, &plain.failure) {
        (Some(status), _) => status,
        (None, Some(failure)) if failure.kind.is_ours() => return Err(failure.to_string()),
        // Nothing was said of this way, and the one to TLS is a way of its own.
        (None, Some(failure)) if !at.http_said => {
            return Err(format!(
                "plain HTTP could not be asked: {failure}\nhint: say where it is: `--http-connect`, or \
                 `verify.ingress-tls.http-connect`"
            ));
        }
        (None, Some(failure)) if limits.without_redirect && is_closed(failure.kind) => return Ok(None),
        (None, failure) => {
            let seen = failure.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string);
            return finding("redirect", format!("`{url}` leads nowhere: {seen}"), seen);
        }
    };
    let leads_to_tls = plain.location.as_ref().is_some_and(|location| is_tls_of(location, host));
    match (status, &plain.location) {
        (301 | 308, _) if leads_to_tls => Ok(None),
        (300..400, Some(location)) => {
            let seen = format!("status {status} to `{location}`");
            finding("redirect", format!("`{url}` answers {seen}"), seen)
        }
        _ => finding("redirect", format!("`{url}` answers {status} in the clear"), format!("status {status}")),
    }
}

const fn is_closed(kind: FailureKind) -> bool {
    matches!(kind, FailureKind::Refused | FailureKind::Unreachable | FailureKind::TimeoutConnect)
}

/// Whether an address is one of TLS on this host.
fn is_tls_of(location: &str, host: &str) -> bool {
    let same = location.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("https://"));
    let rest = same.and_then(|_| location.get(8..)).unwrap_or_default();
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = rest.get(..end).unwrap_or_default();
    let port = |rest: &str| rest.is_empty() || rest.strip_prefix(':').is_some_and(|port| port.parse::<u16>().is_ok());
    authority.get(..host.len()).is_some_and(|name| name.eq_ignore_ascii_case(host))
        && authority.get(host.len()..).is_some_and(port)
}

#[cfg(test)]
mod tests;
