//! One HTTP/1.1 connection, driven by whoever uses it.

use std::{
    future::{Future, poll_fn},
    pin::{Pin, pin},
};

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{
    body::{Frame, Incoming},
    client::conn::http1::{self, SendRequest},
};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

use crate::traffic::{Counted, Traffic};

type Driver = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// An open connection. Nobody else drives it, so it stands still between exchanges, and dropping it closes the socket.
pub(crate) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    /// hyper's half that reads and writes; gone once it has ended.
    driver: Option<Driver>,
    traffic: Traffic,
}

impl Connection {
    /// Speaks HTTP on a stream.
    pub(crate) async fn over<S>(stream: S) -> hyper::Result<Self>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let traffic = Traffic::default();
        let (sender, driver) = http1::handshake(TokioIo::new(Counted::new(stream, traffic.clone()))).await?;
        Ok(Self { sender, driver: Some(Box::pin(driver)), traffic })
    }

    /// What it received.
    pub(crate) const fn traffic(&self) -> &Traffic {
        &self.traffic
    }

    /// Sends the request and waits for the head of the response.
    pub(crate) async fn head(
        &mut self,
        request: http::Request<Full<Bytes>>,
    ) -> hyper::Result<http::Response<Incoming>> {
        let response = self.sender.send_request(request);
        alongside(&mut self.driver, response).await
    }

    /// Waits for the next piece of the body.
    pub(crate) async fn frame(&mut self, body: &mut Incoming) -> Option<hyper::Result<Frame<Bytes>>> {
        alongside(&mut self.driver, body.frame()).await
    }

    /// Lets it do what it can without waiting, and tells whether it can carry another request.
    pub(crate) async fn is_open(&mut self) -> bool {
        alongside(&mut self.driver, std::future::ready(())).await;
        self.driver.is_some() && self.sender.is_ready()
    }
}

/// Waits for `future`, which needs the driver to go on, in the same task.
async fn alongside<F: Future>(driver: &mut Option<Driver>, future: F) -> F::Output {
    let mut future = pin!(future);
    poll_fn(|cx| {
        if driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready()) {
            // How it ended is told to the request or to the body.
            *driver = None;
        }
        future.as_mut().poll(cx)
    })
    .await
}
