//! Responses that begin well and end badly.

use std::{
    io::Write,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use prodtest_http::{Exchange, FailureKind, Request};

use crate::server::{FOREVER, Server, client, failure, get, read_request, reset};

/// The head must be there beside the failure.
fn assert_ended(exchange: &Exchange, kind: FailureKind, text: &str) {
    assert_eq!(failure(exchange).0, kind, "{exchange:?}");
    let response = exchange.response.as_ref().expect("the head came");
    assert_eq!((response.status, response.body.text.as_str()), (200, text));
    assert!(exchange.answered());
}

#[tokio::test]
async fn shorter_than_announced() {
    let exchange = Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").get().await;
    assert_ended(&exchange, FailureKind::Incomplete, "half");
    assert!(failure(&exchange).1.contains("after 4 bytes"), "{exchange:?}");
}

#[tokio::test]
async fn chunks_without_an_end() {
    let exchange = Server::answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n").get().await;
    assert_ended(&exchange, FailureKind::Incomplete, "half");
}

#[tokio::test]
async fn chunks_of_garbage() {
    let exchange = Server::answering(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\nnonsense\r\n")
        .get()
        .await;
    assert_ended(&exchange, FailureKind::Protocol, "half");
}

#[tokio::test]
async fn reset_in_the_middle() {
    let server = Server::start(|_, mut stream| {
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").unwrap();
        // A reset takes back what was not read yet.
        thread::sleep(Duration::from_millis(200));
        reset(stream);
    });
    assert_ended(&server.get().await, FailureKind::Reset, "half");
}

#[tokio::test]
async fn stalls_in_the_middle() {
    let server = Server::start(|_, mut stream| {
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf").unwrap();
        thread::sleep(FOREVER);
    });
    let exchange = client().send(Request { timeout: Duration::from_millis(300), ..get(server.url("/")) }).await;
    assert_ended(&exchange, FailureKind::TimeoutBody, "half");
}

#[tokio::test]
async fn a_gigabyte_is_cut() {
    const GIGABYTE: u64 = 1 << 30;
    let written = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&written);
    let server = Server::start(move |_, mut stream| {
        read_request(&mut stream);
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {GIGABYTE}\r\n\r\n").unwrap();
        let piece = vec![b'x'; 65536];
        while counter.load(Ordering::SeqCst) < GIGABYTE && stream.write_all(&piece).is_ok() {
            counter.fetch_add(piece.len() as u64, Ordering::SeqCst);
        }
    });
    let limit = 100_000;
    let exchange = client().send(Request { max_body: limit, ..get(server.url("/")) }).await;
    assert_eq!(failure(&exchange), (FailureKind::BodyTooLarge, "the body is larger than 97.7 KiB; it was cut there"));
    let body = exchange.response.unwrap().body;
    assert!(body.cut && !body.binary && body.text.len() as u64 == limit);
    assert!(limit < body.bytes && body.bytes < 2_000_000, "{} bytes were read", body.bytes);
    // What the server could write is what fits into the sockets' buffers.
    let written = written.load(Ordering::SeqCst);
    assert!(written < GIGABYTE / 10, "{written} bytes were written");
}

#[tokio::test]
async fn a_body_of_the_limit_is_not_cut() {
    let server = Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour");
    let exchange = client().send(Request { max_body: 4, ..get(server.url("/")) }).await;
    assert_eq!((exchange.failure, exchange.response.unwrap().body.text.as_str()), (None, "four"));
}

#[tokio::test]
async fn what_is_no_text_is_called_so() {
    let exchange = Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n\x89PN").get().await;
    assert!(exchange.response.unwrap().body.binary);
}
