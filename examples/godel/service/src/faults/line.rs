//! The connection below a request, for the fault that cuts it.

use std::net::TcpStream as StdStream;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::{Extension, Router};
use futures_util::stream::{StreamExt as _, once};
use socket2::SockRef;
use tokio::net::TcpStream;

/// Time for the first half to reach the client: a reset also drops what the sender has not sent.
const PAUSE: Duration = Duration::from_millis(100);

/// A second handle on a connection's socket.
#[derive(Clone)]
pub(crate) struct Line(Arc<StdStream>);

impl Line {
    /// Makes the next close a reset. Others hold the socket too, so the close itself is theirs.
    fn will_reset(&self) {
        let _ = SockRef::from(&*self.0).set_linger(Some(Duration::ZERO));
    }
}

/// Lets every request on this connection know its line.
pub(crate) fn on_line(router: Router, stream: &TcpStream) -> Router {
    match stream.as_fd().try_clone_to_owned() {
        Ok(handle) => router.layer(Extension(Line(Arc::new(StdStream::from(handle))))),
        Err(error) => {
            tracing::warn!(%error, "no second handle on the connection");
            router
        }
    }
}

/// A body that ends half way, and its connection with it.
pub(super) fn broken_off(whole: &Bytes, line: Line) -> Body {
    let half = whole.slice(..whole.len() / 2);
    let cut = async move {
        tokio::time::sleep(PAUSE).await;
        line.will_reset();
        Err(std::io::Error::from(std::io::ErrorKind::ConnectionReset))
    };
    Body::from_stream(once(async { Ok(half) }).chain(once(cut)))
}
