//! What a connection received, counted where the bytes pass.
//!
//! hyper tells of a whole head or of none. Whether half of one came, when its first byte came, and what garbage looked
//! like, is known only here.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Instant,
};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// How much of the beginning is kept, to be quoted when it is not HTTP.
const OPENING_LEN: usize = 48;

/// What came since the last [`Traffic::restart`].
#[derive(Clone, Debug, Default)]
pub(crate) struct Received {
    /// How many bytes.
    pub(crate) bytes: u64,
    /// When the first of them came.
    pub(crate) first: Option<Instant>,
    /// The first few.
    pub(crate) opening: Vec<u8>,
}

/// A view of one connection's traffic, shared by the connection and the exchange that uses it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Traffic(Arc<Mutex<Received>>);

impl Traffic {
    /// Begins to count anew, for the next exchange on the same connection.
    pub(crate) fn restart(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Received::default();
    }

    /// What came so far.
    pub(crate) fn received(&self) -> Received {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, fresh: &[u8]) {
        if fresh.is_empty() {
            return;
        }
        let mut received = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        received.first.get_or_insert_with(Instant::now);
        received.bytes += fresh.len() as u64;
        let room = OPENING_LEN.saturating_sub(received.opening.len());
        received.opening.extend(fresh.iter().take(room));
    }
}

/// A stream that notes what is read from it.
#[derive(Debug)]
pub(crate) struct Counted<S> {
    stream: S,
    traffic: Traffic,
}

impl<S> Counted<S> {
    pub(crate) const fn new(stream: S, traffic: Traffic) -> Self {
        Self { stream, traffic }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Counted<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buf))?;
        self.traffic.note(buf.filled().get(before..).unwrap_or_default());
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Counted<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_beginning_is_kept_and_the_rest_is_counted() {
        let traffic = Traffic::default();
        traffic.note(&[b'a'; 40]);
        traffic.note(&[b'b'; 40]);
        let received = traffic.received();
        assert_eq!((received.bytes, received.opening.len()), (80, OPENING_LEN));
        assert!(received.first.is_some());
        traffic.restart();
        assert!(traffic.received().first.is_none());
    }
}
