//! One question to a registry: logged in as it asks for, sent on where it sends, tried again while that may help.

use std::time::{Duration, Instant};

use backon::{ExponentialBuilder, Retryable as _};
use prodtest_gate::Redactor;
use prodtest_http::{Request, Response};
use serde::Deserialize;
use url::Url;

use super::{
    LARGEST, Problem, Registry, RegistryError,
    challenge::Challenge,
    manifest::{Descriptor, MANIFESTS},
};
use crate::Reference;

/// How long one attempt may take: a registry that stalls once may answer the next time.
const ATTEMPT: Duration = Duration::from_secs(4);
/// An attempt shorter than this would only say that it was too short.
const SHORTEST: Duration = Duration::from_millis(100);
/// How often one question may be sent on to another URL.
const HOPS: usize = 4;

/// A path below a repository, and what may come back.
pub(super) struct Question {
    path: String,
    accept: String,
}

impl Question {
    /// A manifest of any kind, by tag or digest.
    pub(super) fn manifest(tag: &str) -> Self {
        Self { path: format!("manifests/{tag}"), accept: MANIFESTS.join(", ") }
    }

    /// A blob.
    pub(super) fn blob(descriptor: &Descriptor) -> Self {
        Self { path: format!("blobs/{}", descriptor.digest), accept: "*/*".to_owned() }
    }
}

/// Questions about one repository: what has been learned about the login holds for the next one.
pub(super) struct Session<'a> {
    pub(super) registry: &'a Registry,
    pub(super) reference: &'a Reference,
    base: Url,
    deadline: Instant,
    /// What is sent as `authorization`.
    authorization: Option<String>,
    /// What came of the attempt before, if it may pass: when the time is over, it is the answer.
    before: Option<Problem>,
    /// What must not be told.
    secrets: Vec<String>,
}

impl<'a> Session<'a> {
    pub(super) fn new(registry: &'a Registry, reference: &'a Reference) -> Result<Self, RegistryError> {
        let login = registry.options.login.as_ref();
        let error = |problem| RegistryError { reference: reference.to_string(), logged_in: login.is_some(), problem };
        let base = registry.base(reference).map_err(error)?;
        let secrets = login.map(super::Login::secrets).unwrap_or_default();
        let deadline = Instant::now() + registry.options.patience;
        Ok(Self { registry, reference, base, deadline, authorization: None, before: None, secrets })
    }

    /// The problem as an error, with nothing secret in it.
    pub(super) fn error(&self, problem: Problem) -> RegistryError {
        let redactor = Redactor::new(self.secrets.iter().map(String::as_str));
        RegistryError {
            reference: self.reference.to_string(),
            logged_in: self.registry.options.login.is_some(),
            problem: problem.said_as(|said| redactor.text(said)),
        }
    }

    /// Asks, and reads the answer, until it is one that lasts or the time is over.
    pub(super) async fn ask<T>(
        &mut self,
        question: &Question,
        read: impl Fn(&Response) -> Result<T, Problem>,
    ) -> Result<T, Problem> {
        let deadline = self.deadline;
        let pauses = ExponentialBuilder::default()
            .with_min_delay(Duration::from_millis(200))
            .with_max_delay(Duration::from_secs(2))
            .with_max_times(4)
            .with_jitter();
        // `backon` makes attempts of a closure that it may call while another attempt lives, for all the compiler knows.
        let session = tokio::sync::Mutex::new(self);
        let attempt = || async {
            let mut session = session.lock().await;
            let answer = session.once(question).await.and_then(|answer| read(&answer));
            session.before = answer.as_ref().err().cloned();
            answer
        };
        let pause_fits = |problem: &Problem| problem.may_pass() && Instant::now() < deadline;
        attempt.retry(pauses).sleep(tokio::time::sleep).when(pause_fits).await
    }

    async fn once(&mut self, question: &Question) -> Result<Response, Problem> {
        let mut url =
            self.base.join(&question.path).map_err(|error| Problem::Instrument(format!("no URL: {error}")))?;
        let mut tried_login = false;
        for _ in 0..HOPS {
            let own = url.origin() == self.base.origin();
            let mut headers = vec![("accept".to_owned(), question.accept.clone())];
            // Where the registry sends to is another's: it has a signed URL, and no business with the login.
            if own && let Some(authorization) = &self.authorization {
                headers.push(("authorization".to_owned(), authorization.clone()));
            }
            let response = self.send(&url, "GET", headers, None).await?;
            match response.status {
                200 => return Ok(response),
                301 | 302 | 303 | 307 | 308 => url = self.sent_on(&url, &response)?,
                401 if own && !tried_login => {
                    tried_login = true;
                    // A token that was good a moment ago may have expired.
                    self.authorization = None;
                    let challenge = Challenge::of(&response.headers)?;
                    self.authorization = Some(self.log_in(challenge, &said(&response)).await?);
                }
                _ => return Err(self.refusal(&response)),
            }
        }
        Err(Problem::Garbage(format!("it sent from one place to another more than {HOPS} times")))
    }

    /// Sends one request, to the registry or another host, within what is left of the time.
    pub(super) async fn send(
        &self,
        url: &Url,
        method: &str,
        headers: Vec<(String, String)>,
        body: Option<Vec<u8>>,
    ) -> Result<Response, Problem> {
        let client = if url.origin() == self.base.origin() { &self.registry.own } else { &self.registry.other };
        let timeout = self.deadline.saturating_duration_since(Instant::now()).min(ATTEMPT);
        if timeout < SHORTEST {
            let patience = self.registry.options.patience.as_secs_f64();
            let over = || Problem::NoAnswer(format!("the {patience} s for this question are over"));
            return Err(self.before.clone().unwrap_or_else(over));
        }
        let request =
            Request { method: method.to_owned(), url: url.clone(), headers, body, timeout, max_body: LARGEST };
        let exchange = client.send(request).await;
        match (exchange.failure, exchange.response) {
            (Some(failure), _) => Err(Problem::of_failure(failure)),
            (None, Some(response)) => Ok(response),
            (None, None) => Err(Problem::NoAnswer("nothing came".to_owned())),
        }
    }

    /// Where a redirect leads.
    fn sent_on(&self, from: &Url, response: &Response) -> Result<Url, Problem> {
        let location = response.header("location").unwrap_or_default();
        let to = from.join(location).map_err(|_| Problem::Garbage("it sends on to something that is no URL".into()))?;
        self.must_be_safe(&to)?;
        Ok(to)
    }

    /// No one is sent from TLS to where everybody can listen.
    pub(super) fn must_be_safe(&self, url: &Url) -> Result<(), Problem> {
        match url.scheme() {
            "https" => Ok(()),
            "http" if self.registry.options.plain_http => Ok(()),
            other => Err(Problem::Garbage(format!(
                "it sends on to `{other}://{}`, which is not `https`",
                url.host_str().unwrap_or_default()
            ))),
        }
    }

    fn refusal(&self, response: &Response) -> Problem {
        let words = said(response);
        let codes = Codes::of(response);
        let other = || Problem::Garbage(format!("it answered {}, not in a registry's words: {words}", response.status));
        match (response.status, &codes) {
            // Anything on the web answers 404: only a registry's own words count.
            (404, Some(codes)) if codes.has("NAME_UNKNOWN") => Problem::NoRepository(words),
            (404, Some(_)) => Problem::NoTag(words),
            (401, _) => self.refused(words),
            (403, Some(_)) => self.refused(words),
            (429, _) => Problem::RateLimited(words),
            (404 | 403, _) => other(),
            (status, _) if status < 400 => other(),
            (status, _) => Problem::Failing { status, said: words },
        }
    }

    /// Refused with a login is another thing than refused without.
    pub(super) fn refused(&self, words: String) -> Problem {
        match self.registry.options.login {
            Some(_) => Problem::Denied(words),
            None => Problem::Unauthorized(words),
        }
    }

    /// Keeps a secret that was learned out of all that is told.
    pub(super) fn keep_secret(&mut self, secret: &str) {
        self.secrets.push(secret.to_owned());
    }
}

/// What a registry says when it refuses.
#[derive(Deserialize)]
struct Codes {
    errors: Vec<Code>,
}

#[derive(Deserialize)]
struct Code {
    #[serde(default)]
    code: String,
    #[serde(default)]
    message: String,
}

impl Codes {
    fn of(response: &Response) -> Option<Self> {
        serde_json::from_str(&response.body.text).ok()
    }

    fn has(&self, code: &str) -> bool {
        self.errors.iter().any(|error| error.code == code)
    }
}

/// What it said, in one line: a registry's own words, or the beginning of whatever came.
pub(super) fn said(response: &Response) -> String {
    match Codes::of(response) {
        Some(codes) if !codes.errors.is_empty() => {
            let words = codes.errors.iter().map(|error| format!("{} {}", error.code, error.message));
            one_line(&words.collect::<Vec<_>>().join("; "))
        }
        _ => one_line(&response.body.text),
    }
}

fn one_line(text: &str) -> String {
    const LONGEST: usize = 200;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ").replace(char::is_control, " ");
    match line.char_indices().nth(LONGEST) {
        None if line.is_empty() => "without a word".to_owned(),
        None => line,
        Some((end, _)) => format!("{}…", &line[..end]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::RegistryOptions;

    #[test]
    fn a_login_is_not_carried_from_tls_to_where_everybody_can_listen() {
        let reference: Reference = "registry.example/a:b".parse().unwrap();
        let url = |text: &str| Url::parse(text).unwrap();
        for (plain_http, to, safe) in [
            (false, "https://auth.example/token", true),
            (false, "http://auth.example/token", false),
            (true, "http://auth.example/token", true),
            (true, "ftp://auth.example/token", false),
        ] {
            let registry = Registry::new(RegistryOptions { plain_http, ..RegistryOptions::default() }).unwrap();
            let session = Session::new(&registry, &reference).unwrap();
            assert_eq!(session.must_be_safe(&url(to)).is_ok(), safe, "{to}, plain HTTP: {plain_http}");
        }
    }

    #[test]
    fn docker_hubs_registry_has_another_name() {
        let registry = Registry::new(RegistryOptions::default()).unwrap();
        let reference = "nginx".parse().unwrap();
        let session = Session::new(&registry, &reference).unwrap();
        assert_eq!(session.base.as_str(), "https://registry-1.docker.io/v2/library/nginx/");
    }
}
