//! What is asked for, and whether it can be sent at all.

use std::time::Duration;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Uri,
    header::{ACCEPT_ENCODING, CONTENT_LENGTH, HOST, TRANSFER_ENCODING, USER_AGENT},
};
use http_body_util::Full;
use url::{Host, Url};

use crate::{Failure, FailureKind};

/// One request. It has no `Debug`: its headers, body and query may hold secrets.
#[derive(Clone)]
pub struct Request {
    /// The method, as it is sent.
    pub method: String,
    /// An `http` or `https` URL; its fragment is not sent.
    pub url: Url,
    /// Headers besides those the client adds (`host`, `user-agent`, `accept-encoding: identity`, `content-length`),
    /// of which the first three give way to the ones given here.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// The deadline of the whole exchange.
    pub timeout: Duration,
    /// How many bytes of the response's body are kept; a larger one is cut, and the connection dropped.
    pub max_body: u64,
}

/// Where a request goes: connections are kept by it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Origin {
    /// Whether TLS is spoken.
    pub(crate) tls: bool,
    /// The host of the URL.
    pub(crate) host: Host<String>,
    /// Its port, or the scheme's.
    pub(crate) port: u16,
}

impl Origin {
    /// The origin of a URL.
    pub(crate) fn of(url: &Url) -> Result<Self, Failure> {
        let tls = match url.scheme() {
            "https" => true,
            "http" => false,
            other => return Err(unusable(format!("`{other}` is neither http nor https"))),
        };
        let host = url.host().map(|host| host.to_owned());
        match (host, url.port_or_known_default()) {
            (Some(host), Some(port)) => Ok(Self { tls, host, port }),
            _ => Err(unusable("the URL names no host")),
        }
    }
}

/// A request that can be sent, as often as need be.
pub(crate) struct Prepared {
    /// Where it goes.
    pub(crate) origin: Origin,
    /// What is sent.
    pub(crate) message: http::Request<Full<Bytes>>,
}

impl Prepared {
    /// Turns what the user wrote into a message, or says why that cannot be.
    pub(crate) fn new(request: &Request, user_agent: Option<&HeaderValue>) -> Result<Self, Failure> {
        let origin = Origin::of(&request.url)?;
        if !request.url.username().is_empty() || request.url.password().is_some() {
            return Err(unusable("the URL holds a user name or a password: use the `authorization` header"));
        }
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| unusable(format!("{:?} is no HTTP method", request.method)))?;
        if method == Method::CONNECT {
            return Err(unusable("`CONNECT` asks for a tunnel: this client makes none"));
        }
        let body = Bytes::from(request.body.clone().unwrap_or_default());
        let mut headers = own_headers(&request.url, user_agent)?;
        let given = given_headers(&request.headers, body.len())?;
        for name in given.keys() {
            headers.remove(name);
        }
        // hyper announces a body only if there is one, and some servers answer 411 to a `POST` that announces nothing.
        if body.is_empty() && [Method::POST, Method::PUT, Method::PATCH].contains(&method) {
            headers.insert(CONTENT_LENGTH, HeaderValue::from(0));
        }
        headers.extend(given);

        let mut message = http::Request::new(Full::new(body));
        *message.method_mut() = method;
        *message.uri_mut() = target(&request.url)?;
        *message.headers_mut() = headers;
        Ok(Self { origin, message })
    }

    /// Whether it changes nothing, so that it may be sent twice.
    pub(crate) fn is_safe(&self) -> bool {
        self.message.method().is_safe()
    }
}

/// The request target: path and query.
fn target(url: &Url) -> Result<Uri, Failure> {
    let target = url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()));
    target.parse().map_err(|error| unusable(format!("its path or query cannot be sent: {error}")))
}

fn own_headers(url: &Url, user_agent: Option<&HeaderValue>) -> Result<HeaderMap, Failure> {
    let host = url.host_str().unwrap_or_default();
    let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
    let mut headers = HeaderMap::new();
    headers.insert(
        HOST,
        HeaderValue::from_str(&host).map_err(|_| unusable(format!("{host:?} cannot be sent as a header")))?,
    );
    if let Some(user_agent) = user_agent {
        headers.insert(USER_AGENT, user_agent.clone());
    }
    // What is judged must be what was sent: a body that is only ever compressed would be judged as noise.
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(headers)
}

/// The user's headers. A value that cannot be sent is not quoted: it may be a secret.
fn given_headers(given: &[(String, String)], body: usize) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let header =
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| unusable(format!("{name:?} is no header name")))?;
        let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| {
            unusable(format!("the value of header `{header}` holds a line break or a control character"))
        })?;
        // The length of a body is the client's to tell: one that does not fit would desynchronise the connection.
        if header == TRANSFER_ENCODING {
            return Err(unusable("`transfer-encoding` is set by the client alone"));
        }
        if header == CONTENT_LENGTH && value.to_str().ok().and_then(|text| text.parse().ok()) != Some(body) {
            return Err(unusable(format!("`content-length` does not fit the body of {body} bytes")));
        }
        if header == CONTENT_LENGTH {
            headers.insert(header, value);
        } else {
            headers.append(header, value);
        }
    }
    Ok(headers)
}

pub(crate) fn unusable(message: impl Into<String>) -> Failure {
    Failure::new(FailureKind::UnusableRequest, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(method: &str, url: &str, headers: &[(&str, &str)]) -> Request {
        Request {
            method: method.to_owned(),
            url: Url::parse(url).unwrap(),
            headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            body: None,
            timeout: Duration::from_secs(1),
            max_body: 0,
        }
    }

    fn refusal(method: &str, url: &str, headers: &[(&str, &str)]) -> String {
        let failure = Prepared::new(&request(method, url, headers), None).err().expect("it was accepted");
        assert_eq!(failure.kind, FailureKind::UnusableRequest);
        failure.message
    }

    #[test]
    fn what_would_inject_is_refused() {
        assert!(refusal("GET", "http://a/", &[("x", "a\r\nb: c")]).contains("`x`"));
        assert!(!refusal("GET", "http://a/", &[("authorization", "s3cret\n")]).contains("s3cret"));
        refusal("GET", "http://a/", &[("x\r\ny", "a")]);
        refusal("GET /x HTTP/1.1\r\n", "http://a/", &[]);
        refusal("", "http://a/", &[]);
        refusal("CONNECT", "http://a/", &[]);
    }

    #[test]
    fn what_would_lie_about_the_body_is_refused() {
        refusal("POST", "http://a/", &[("content-length", "5")]);
        refusal("POST", "http://a/", &[("transfer-encoding", "chunked")]);
        assert!(Prepared::new(&request("POST", "http://a/", &[("content-length", "0")]), None).is_ok());
    }

    #[test]
    fn a_url_must_be_one_of_http_without_a_password() {
        refusal("GET", "ftp://a/", &[]);
        refusal("GET", "mailto:a@b", &[]);
        assert!(!refusal("GET", "http://user:s3cret@a/", &[]).contains("s3cret"));
    }

    #[test]
    fn the_users_headers_go_before_the_clients() {
        let given = [("Host", "b.example"), ("accept-encoding", "gzip"), ("x", "1"), ("x", "2")];
        let agent = HeaderValue::from_static("prodtest");
        let prepared = Prepared::new(&request("GET", "http://[::1]:81/p?q=1#f", &given), Some(&agent)).unwrap();
        let headers = prepared.message.headers();
        assert_eq!(
            (&headers["host"], &headers["accept-encoding"]),
            (&"b.example".parse().unwrap(), &"gzip".parse().unwrap())
        );
        assert_eq!(headers.get_all("x").iter().count(), 2);
        assert_eq!(headers["user-agent"], "prodtest");
        assert_eq!(prepared.message.uri(), "/p?q=1");
        assert_eq!(prepared.origin, Origin { tls: false, host: Host::Ipv6("::1".parse().unwrap()), port: 81 });
    }
}
