//! What is asked, and how often.

use std::time::Duration;

use prodtest_http::Request;
use url::Url;

/// What is asked of the service, again and again. It has no `Debug`: its headers and query may hold secrets.
#[derive(Clone)]
pub struct Target {
    /// An `http` or `https` URL that can be asked for as often as need be and changes nothing.
    pub url: Url,
    /// The one status that is good.
    pub status: u16,
    /// Headers to send.
    pub headers: Vec<(String, String)>,
}

impl Target {
    /// A path of a service, which must answer 200. The path may have a query.
    #[must_use]
    pub fn new(service: &Url, path: &str) -> Self {
        let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
        let mut url = service.clone();
        // Not `join`, which takes `//host` for another server.
        url.set_path(path);
        url.set_query(query);
        Self { url, status: 200, headers: Vec::new() }
    }

    /// How the target is called in facts: without its query, which may hold a secret.
    pub(super) fn name(&self) -> String {
        let mut url = self.url.clone();
        url.set_query(None);
        url.set_fragment(None);
        url.to_string()
    }

    pub(super) fn request(&self, timeout: Duration) -> Request {
        /// Answers are read to their end, but a probe is no download.
        const MAX_BODY: u64 = 1024 * 1024;
        Request {
            method: "GET".to_owned(),
            url: self.url.clone(),
            headers: self.headers.clone(),
            body: None,
            timeout,
            max_body: MAX_BODY,
        }
    }
}

/// How a probe goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Requests a second; 0 counts as 1.
    pub rate: u32,
    /// The deadline of each request.
    pub timeout: Duration,
    /// How many may wait for their answer at the same time. With less than `rate` times `timeout` a service that
    /// answers nothing makes requests late.
    pub concurrency: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { rate: 20, timeout: Duration::from_secs(2), concurrency: 256 }
    }
}

impl Options {
    /// When request number `n` is due, counted from the first.
    pub(super) fn due(&self, n: u64) -> Duration {
        let rate = u64::from(self.rate.max(1));
        // Seconds and their fraction apart: nothing adds up over a long run.
        Duration::from_secs(n / rate) + Duration::from_nanos(n % rate * 1_000_000_000 / rate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schedule_does_not_drift() {
        let options = Options { rate: 3, ..Options::default() };
        assert_eq!(options.due(3 * 3600), Duration::from_secs(3600));
        assert_eq!(options.due(1), Duration::from_nanos(333_333_333));
        assert_eq!(Options { rate: 0, ..options }.due(2), Duration::from_secs(2));
    }

    #[test]
    fn a_path_stays_with_its_service() {
        let service = Url::parse("https://a.example:8443/console?x=1").unwrap();
        let named = |path| Target::new(&service, path).url.to_string();
        assert_eq!(named("/api/health?deep=1"), "https://a.example:8443/api/health?deep=1");
        assert_eq!(named("//b.example/"), "https://a.example:8443//b.example/");
        assert_eq!(Target::new(&service, "/a?key=s3cret").name(), "https://a.example:8443/a");
    }
}
