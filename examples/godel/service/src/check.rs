//! `godel --check URL`: asks a service, instead of being one. Its image holds no other program that could.

use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode, Uri, header};
use http_body_util::{BodyExt as _, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;

/// How long all of it may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How much of an answer is read, to be shown.
const SHOWN: usize = 4096;

/// A URL that can be asked: `http`, with a host.
pub(crate) fn url(text: &str) -> Result<Uri, String> {
    let uri: Uri = text.parse().map_err(|error| format!("{error}"))?;
    if uri.scheme_str() != Some("http") || uri.host().is_none() {
        return Err("not a URL that starts with `http://`".to_owned());
    }
    Ok(uri)
}

/// Why the service is not well.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CheckError {
    /// Nobody can be reached there.
    #[error("`{0}` is not reached: {1}")]
    Unreached(Uri, std::io::Error),
    /// What came is no HTTP.
    #[error("`{0}` does not answer: {1}")]
    Broken(Uri, hyper::Error),
    /// Not all came in time.
    #[error("`{0}` does not answer within {patience} s", patience = PATIENCE.as_secs())]
    Late(Uri),
    /// An answer, and not a good one.
    #[error("`{0}` answers {1}: {2}")]
    Unwell(Uri, StatusCode, String),
}

/// GETs `url`, once; the status, if it is a 2xx.
pub(crate) async fn run(url: &Uri) -> Result<StatusCode, CheckError> {
    timeout(PATIENCE, get(url)).await.unwrap_or_else(|_| Err(CheckError::Late(url.clone())))
}

async fn get(url: &Uri) -> Result<StatusCode, CheckError> {
    let broken = |error| CheckError::Broken(url.clone(), error);
    let host = url.host().unwrap_or_default().trim_matches(['[', ']']);
    let stream = TcpStream::connect((host, url.port_u16().unwrap_or(80)));
    let stream = stream.await.map_err(|error| CheckError::Unreached(url.clone(), error))?;
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);

    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let mut request = Request::new(Body::empty());
    *request.uri_mut() = path.parse().unwrap_or_default();
    if let Some(Ok(authority)) = url.authority().map(|authority| authority.as_str().parse()) {
        request.headers_mut().insert(header::HOST, authority);
    }
    let answer = sender.send_request(request).await.map_err(broken)?;
    let status = answer.status();
    if status.is_success() {
        return Ok(status);
    }
    // The status is enough, should the body not be had.
    let body = Limited::new(answer.into_body(), SHOWN).collect().await;
    let body = body.map(|body| body.to_bytes()).unwrap_or_default();
    Err(CheckError::Unwell(url.clone(), status, String::from_utf8_lossy(&body).trim().to_owned()))
}
