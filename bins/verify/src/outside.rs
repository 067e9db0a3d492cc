//! The service as users have it: asked through what stands before it.

use std::time::Duration;

use futures_util::future::join_all;
use prodtest_config::BaseUrl;
use prodtest_gate::{CheckId, Finding, Rule};
use prodtest_http::{Client, ClientOptions, Exchange, Failure, FailureKind, Request};
use prodtest_inspect::{Seeing, Unseen};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{gate::Verify, live, site::Site};

/// How often each is asked, each on a connection of its own: one of three replicas that is broken answers some.
pub(crate) const TIMES: usize = 5;
/// How long an answer may take: whoever asks by hand has given up by then.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How much of an answer is read.
const LARGEST: u64 = 1 << 20;

/// One answer, or why there is none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Answer {
    pub(crate) status: Option<u16>,
    /// Why it is not whole.
    pub(crate) failure: Option<Failure>,
    /// Whether anybody showed himself at all.
    pub(crate) answered: bool,
}

/// The pods of the release.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PodsSeen {
    pub(crate) ready: u32,
    pub(crate) all: u32,
}

/// How users reach the service.
///
/// # Errors
/// When the authorities to trust cannot be read.
pub(crate) fn options(site: &Site) -> Result<ClientOptions, Unseen> {
    let ca = site.ca.as_ref().map(|file| {
        std::fs::read(file).map_err(|error| {
            Unseen::new(format!("`{}` could not be read: {error}", file.display()))
                .hint("`tls.ca` of the environment, or `--ca`, names the authorities to trust, in PEM")
        })
    });
    Ok(ClientOptions {
        connect: site.connect.clone(),
        ca: ca.transpose()?,
        user_agent: concat!("prodtest-verify/", env!("CARGO_PKG_VERSION")).to_owned(),
    })
}

/// Asks so many times at once, each on a connection of its own.
///
/// # Errors
/// When the authorities to trust are none.
pub(crate) async fn ask(
    site: &Site,
    url: &Url,
    headers: &[(String, String)],
    times: usize,
) -> Result<Vec<Exchange>, Unseen> {
    let client = Client::new(options(site)?).map_err(|error| Unseen::new(error.to_string()))?.unkept();
    let request = Request {
        method: "GET".to_owned(),
        url: url.clone(),
        headers: headers.to_vec(),
        body: None,
        timeout: PATIENCE,
        max_body: LARGEST,
    };
    Ok(join_all((0..times).map(|_| client.send(request.clone()))).await)
}

impl From<&Exchange> for Answer {
    fn from(exchange: &Exchange) -> Self {
        Self {
            status: exchange.response.as_ref().map(|response| response.status),
            failure: exchange.failure.clone(),
            answered: exchange.answered(),
        }
    }
}

/// The service's address with a path behind it. The path begins with a slash, so nothing in it can name another host.
pub(crate) fn join(base: &BaseUrl, path: &str) -> Url {
    let mut url = Url::clone(base);
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url.set_query(query);
    url
}

/// The pods of the release; none, where they cannot be seen, for they are only a hint.
pub(crate) async fn pods(seeing: &Seeing<'_, Verify>) -> Option<PodsSeen> {
    let (workloads, pods) = tokio::try_join!(live::workloads(seeing), live::pods(seeing)).ok()?;
    let own = || pods.iter().filter(|pod| workloads.iter().any(|workload| workload.selects(pod)));
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Some(PodsSeen { ready: count(own().filter(|pod| live::is_ready(pod)).count()), all: count(own().count()) })
}

/// What one must be allowed to do for [`pods`].
pub(crate) fn pods_rules(site: &Site) -> Vec<Rule> {
    let mut rules = live::workload_rules(site);
    rules.push(live::list_rule(site, "", "pods"));
    rules
}

/// Why it was not measured: nobody ever answered, so that a broken service and a broken way to it look the same; or this
/// machine could not do its part.
pub(crate) fn unmeasured<'a>(
    url: &str,
    answers: impl IntoIterator<Item = &'a Answer>,
    pods: Option<&PodsSeen>,
) -> Option<String> {
    let answers: Vec<&Answer> = answers.into_iter().collect();
    let failures = || answers.iter().filter_map(|answer| answer.failure.as_ref());
    if let Some(ours) = failures().find(|failure| failure.kind.is_ours()) {
        return Some(ours.to_string());
    }
    if answers.iter().any(|answer| answer.answered) {
        return None;
    }
    let first = failures().next();
    let why = first.map_or_else(|| "nothing was asked".to_owned(), ToString::to_string);
    let pods = pods.map(|pods| format!("; {} of {} pods are ready", pods.ready, pods.all)).unwrap_or_default();
    Some(format!(
        "`{url}` never answered: {why}{pods}\nhint: look whether it can be reached from this machine at all: \
         `--connect` goes round names and load balancers"
    ))
}

/// What is wrong with these answers, if anything is: one finding for all.
pub(crate) fn wrong(
    id: &CheckId,
    subject: &str,
    url: &str,
    answers: &[Answer],
    status: u16,
    pods: Option<&PodsSeen>,
) -> Option<Finding> {
    let is_wrong = |answer: &&Answer| answer.failure.is_some() || answer.status != Some(status);
    let first = answers.iter().find(is_wrong)?;
    let number = answers.iter().filter(is_wrong).count();
    let how_many =
        if number == answers.len() { String::new() } else { format!(", {number} of {} times", answers.len()) };
    let (rule, seen) = match (&first.failure, first.status) {
        (Some(failure), _) if failure.kind == FailureKind::Tls => ("handshake", failure.to_string()),
        (Some(failure), _) => ("unanswered", failure.to_string()),
        (None, Some(status)) => ("status", format!("status {status}")),
        (None, None) => ("unanswered", "nothing".to_owned()),
    };
    let mut finding = Finding::new(id, rule, subject, format!("`{url}` gave {seen}{how_many}"))
        .expected(format!("status {status}"), seen);
    finding.because = pods.and_then(behind);
    Some(finding)
}

/// What ready pods say of a service that is broken for users.
pub(crate) fn behind(pods: &PodsSeen) -> Option<String> {
    (pods.ready > 0 && pods.ready == pods.all).then(|| {
        format!(
            "all {} pods are ready: look at what is between users and them, the Ingress, its backends, the Service and \
             its port",
            pods.ready
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16) -> Answer {
        Answer { status: Some(status), failure: None, answered: true }
    }

    fn failed(kind: &str) -> Answer {
        let failure = serde_json::from_value(serde_json::json!({ "kind": kind, "message": "m" })).unwrap();
        Answer { status: None, failure: Some(failure), answered: false }
    }

    fn id() -> CheckId {
        "verify/health".parse().unwrap()
    }

    #[test]
    fn who_never_answers_was_not_measured() {
        let why = |answers: &[Answer]| unmeasured("http://a/", answers, None);
        assert!(
            why(&[failed("refused"), failed("timeout")]).unwrap().contains("never answered: connection refused: m")
        );
        assert_eq!(why(&[failed("refused"), answered(500)]), None);
        assert!(why(&[answered(200), failed("instrument")]).unwrap().starts_with("this machine"));
        let pods = PodsSeen { ready: 3, all: 3 };
        assert!(unmeasured("http://a/", &[failed("refused")], Some(&pods)).unwrap().contains("3 of 3 pods are ready"));
    }

    #[test]
    fn one_wrong_answer_of_several_is_told_with_its_number() {
        let pods = PodsSeen { ready: 3, all: 3 };
        let finding = |answers: &[Answer]| wrong(&id(), "/", "http://a/", answers, 200, Some(&pods));
        assert_eq!(finding(&[answered(200), answered(200)]), None);
        let one = finding(&[answered(200), answered(503)]).unwrap();
        assert_eq!((one.rule.as_str(), one.message.as_str()), ("status", "`http://a/` gave status 503, 1 of 2 times"));
        assert!(one.because.unwrap().contains("all 3 pods are ready"));
        assert_eq!(finding(&[answered(200), failed("refused")]).unwrap().rule, "unanswered");
        assert_eq!(finding(&[failed("tls")]).unwrap().rule, "handshake");
        assert_eq!(behind(&PodsSeen { ready: 2, all: 3 }), None);
    }

    #[test]
    fn a_path_stays_on_its_host() {
        let join = |base: &str, path: &str| join(&base.parse().unwrap(), path).to_string();
        assert_eq!(join("https://a", "/b?c=d"), "https://a/b?c=d");
        assert_eq!(join("https://a/e/", "//b"), "https://a/e//b");
    }
}
