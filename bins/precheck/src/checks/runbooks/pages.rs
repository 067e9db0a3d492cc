//! Pages: whether each answers, and whether its host says so of any page.

use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};
use prodtest_http::{Client, ClientOptions, FailureKind, Request};
use prodtest_inspect::Unseen;
use serde::{Deserialize, Serialize};
use url::Url;

/// How often a page may send on to another.
const HOPS: usize = 5;
/// How many are asked for at once.
const AT_ONCE: usize = 16;
/// How much of a page is read: only that there is something.
const MOST: u64 = 64 * 1024;
/// What no page is called.
const CONTROL: &str = "prodtest-control-no-such-page";

/// A page, and what came of asking for it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Page {
    /// Where it is said to be.
    pub(super) url: String,
    /// Where it sent on to last, if it did.
    pub(super) sent_on: Option<String>,
    /// What came.
    pub(super) answer: Answer,
}

/// What came of asking for a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// This status, with so many bytes, as far as they were read.
    Status(u16, u64),
    /// No whole answer.
    Failure(FailureKind, String),
    /// It sends on and on.
    Hops,
    /// It sends on to what is no URL.
    Lost,
}

/// What a page comes to.
pub(super) enum Verdict {
    /// It can be read.
    Good,
    /// It cannot.
    Bad {
        /// Which rule it breaks.
        rule: &'static str,
        /// What is wrong.
        message: String,
        /// What was seen.
        seen: String,
    },
    /// That could not be told.
    Unknown(String),
}

/// Asks for each of these, and in each of their folders for a page that cannot be there.
pub(super) async fn ask(
    options: ClientOptions,
    urls: &[String],
    within: Duration,
) -> Result<(Vec<Page>, Vec<Page>), Unseen> {
    let client = Client::new(options).map_err(|error| Unseen::new(error.to_string()))?;
    let client = &client;
    let all = |urls: Vec<String>| async move {
        let asking = urls.into_iter().map(|url| page(client, url, within));
        stream::iter(asking).buffered(AT_ONCE).collect::<Vec<Page>>().await
    };
    let pages = all(urls.to_vec()).await;
    let mut controls: Vec<String> = Vec::new();
    for page in pages.iter().filter(|page| page.says_yes()) {
        let Some(control) = Url::parse(&page.url).ok().and_then(|url| url.join(CONTROL).ok()) else { continue };
        if !controls.contains(&control.to_string()) {
            controls.push(control.to_string());
        }
    }
    let controls = all(controls).await;
    Ok((pages, controls))
}

/// Asks for one, and where it sends on to. The client follows nothing by itself.
async fn page(client: &Client, url: String, within: Duration) -> Page {
    let begun = Instant::now();
    let lost = |sent_on: Option<String>| Page { url: url.clone(), sent_on, answer: Answer::Lost };
    let Ok(mut at) = Url::parse(&url) else { return lost(None) };
    let mut sent_on = None;
    for _ in 0..=HOPS {
        let request = Request {
            method: "GET".to_owned(),
            url: at.clone(),
            headers: vec![("accept".to_owned(), "*/*".to_owned())],
            body: None,
            timeout: within.saturating_sub(begun.elapsed()),
            max_body: MOST,
        };
        let exchange = client.send(request).await;
        let failure = exchange.failure.filter(|failure| failure.kind != FailureKind::BodyTooLarge);
        let answer = match (failure, exchange.response) {
            (Some(failure), _) => Answer::Failure(failure.kind, failure.message),
            (None, Some(response)) if matches!(response.status, 301 | 302 | 303 | 307 | 308) => {
                let to = response.header("location").and_then(|to| at.join(to).ok());
                let Some(to) = to.filter(|to| matches!(to.scheme(), "http" | "https")) else { return lost(sent_on) };
                sent_on = Some(told(&to));
                at = to;
                continue;
            }
            (None, Some(response)) => Answer::Status(response.status, response.body.bytes),
            (None, None) => Answer::Failure(FailureKind::Closed, "nothing came".to_owned()),
        };
        return Page { url, sent_on, answer };
    }
    Page { url, sent_on, answer: Answer::Hops }
}

/// Where it is, for a report: what follows the path may be a signature or a token.
fn told(url: &Url) -> String {
    let mut bare = url.clone();
    bare.set_query(None);
    bare.set_fragment(None);
    without_login(bare).into()
}

/// The same without user and password: it is asked for without, and told without.
pub(super) fn without_login(mut url: Url) -> Url {
    // Refused only for a URL that has no host, and so no login.
    let _ = url.set_password(None).and_then(|()| url.set_username(""));
    url
}

impl Page {
    /// Whether it answered that it is there.
    pub(super) fn says_yes(&self) -> bool {
        matches!(self.answer, Answer::Status(200, _))
    }

    /// What it comes to.
    pub(super) fn verdict(&self) -> Verdict {
        let url = match &self.sent_on {
            Some(to) => format!("`{}`, which sends on to `{to}`,", self.url),
            None => format!("`{}`", self.url),
        };
        let bad = |rule, message: String, seen: String| Verdict::Bad { rule, message, seen };
        match &self.answer {
            Answer::Status(200, 1..) => Verdict::Good,
            Answer::Status(200, 0) => bad("empty", format!("{url} is an empty page"), "200 and nothing".to_owned()),
            // Who asks is not let in, or too often: that says nothing of the page.
            Answer::Status(status @ (401 | 403 | 407 | 429), _) => {
                Verdict::Unknown(format!("{url} answered {status}: whether there is a page cannot be told from here"))
            }
            Answer::Status(status, _) => bad("answer", format!("{url} answered {status}"), status.to_string()),
            Answer::Hops => bad(
                "answer",
                format!("{url} sends on more than {HOPS} times"),
                "one redirect after the other".to_owned(),
            ),
            Answer::Lost => bad("answer", format!("{url} leads to what is no URL"), "no URL".to_owned()),
            Answer::Failure(kind, message) => match kind {
                FailureKind::Refused
                | FailureKind::Reset
                | FailureKind::Closed
                | FailureKind::Tls
                | FailureKind::Incomplete
                | FailureKind::Protocol => bad("answer", format!("{url} does not answer: {message}"), kind.to_string()),
                _ => Verdict::Unknown(format!("{url} could not be asked for: {message}")),
            },
        }
    }
}
