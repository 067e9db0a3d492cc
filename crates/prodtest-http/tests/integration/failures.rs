//! Servers that do not answer, each in its own way.

use std::{
    io::Write,
    net::{Shutdown, TcpListener},
    thread,
    time::{Duration, Instant},
};

use prodtest_http::{Exchange, FailureKind, Request};
use url::Url;

use crate::server::{FOREVER, Server, client, failure, get, read_request, reset};

/// Sends a `GET` with little patience.
async fn hurried(server: &Server) -> Exchange {
    client().send(Request { timeout: Duration::from_millis(200), ..get(server.url("/")) }).await
}

#[tokio::test]
async fn an_unknown_name() {
    let exchange = client().send(get(Url::parse("http://nosuch.invalid/").unwrap())).await;
    let (kind, message) = failure(&exchange);
    assert_eq!(kind, FailureKind::Resolve);
    assert!(message.contains("`nosuch.invalid`"), "{message}");
    assert!(!exchange.answered());
}

#[tokio::test]
async fn a_port_where_nothing_listens() {
    let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let exchange = client().send(get(Url::parse(&format!("http://{address}/")).unwrap())).await;
    let (kind, message) = failure(&exchange);
    assert_eq!(kind, FailureKind::Refused);
    assert!(message.contains(&address.to_string()), "{message}");
    assert!(!exchange.answered());
}

#[tokio::test]
async fn accepts_and_never_answers() {
    let server = Server::start(|_, _stream| thread::sleep(FOREVER));
    let exchange = hurried(&server).await;
    let (kind, message) = failure(&exchange);
    assert_eq!(kind, FailureKind::Timeout);
    assert!(message.ends_with("sent nothing within 200 ms"), "{message}");
    assert!((200.0..2000.0).contains(&exchange.duration_ms), "{exchange:?}");
    assert!(!exchange.answered());
}

#[tokio::test]
async fn half_a_head_and_then_silence() {
    let server = Server::start(|_, mut stream| {
        read_request(&mut stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-").unwrap();
        thread::sleep(FOREVER);
    });
    let exchange = hurried(&server).await;
    let (kind, message) = failure(&exchange);
    assert_eq!(kind, FailureKind::Timeout);
    assert!(message.contains("after 25 bytes"), "{message}");
    assert!(exchange.answered() && exchange.response.is_none());
}

#[tokio::test]
async fn half_a_head_and_then_the_end() {
    let exchange = Server::answering(b"HTTP/1.1 200 OK\r\nContent-").get().await;
    let (kind, message) = failure(&exchange);
    assert_eq!(kind, FailureKind::Closed);
    assert!(message.contains("after 25 bytes"), "{message}");
    assert!(exchange.answered());
}

#[tokio::test]
async fn closes_at_once() {
    let exchange = Server::answering(b"").get().await;
    assert_eq!(failure(&exchange).0, FailureKind::Closed);
    assert!(!exchange.answered());
}

#[tokio::test]
async fn resets_at_once() {
    let server = Server::start(|_, mut stream| {
        read_request(&mut stream);
        reset(stream);
    });
    let exchange = server.get().await;
    let (kind, message) = failure(&exchange);
    assert_eq!(kind, FailureKind::Reset);
    assert!(message.contains("before it answered"), "{message}");
    assert!(!exchange.answered());
}

#[tokio::test]
async fn speaks_another_protocol() {
    let exchange = Server::answering(b"SSH-2.0-OpenSSH_9.9\r\n").get().await;
    let (kind, message) = failure(&exchange);
    assert_eq!(kind, FailureKind::Protocol);
    assert!(message.contains("SSH-2.0-OpenSSH_9.9"), "{message}");
    assert!(exchange.answered());
}

#[tokio::test]
async fn speaks_tls() {
    // The alert a TLS server has for a request in the clear.
    let exchange = Server::answering(&[0x15, 3, 1, 0, 2, 2, 70]).get().await;
    let (kind, message) = failure(&exchange);
    assert_eq!(kind, FailureKind::Protocol);
    assert!(message.contains("use `https`"), "{message}");
}

#[tokio::test]
async fn a_head_with_two_lengths() {
    let exchange =
        Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok").get().await;
    assert_eq!(failure(&exchange).0, FailureKind::Protocol);
}

#[tokio::test]
async fn a_head_without_end() {
    let server = Server::start(|_, mut stream| {
        read_request(&mut stream);
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nX: ");
        while stream.write_all(&[b'x'; 65536]).is_ok() {}
    });
    assert_eq!(failure(&server.get().await).0, FailureKind::Protocol);
}

#[tokio::test]
async fn does_not_read_what_is_sent() {
    let server = Server::start(|_, _stream| thread::sleep(FOREVER));
    let request = Request {
        method: "POST".to_owned(),
        body: Some(vec![0; 64 * 1024 * 1024]),
        timeout: Duration::from_millis(300),
        ..get(server.url("/"))
    };
    assert_eq!(failure(&client().send(request).await).0, FailureKind::Timeout);
}

#[tokio::test]
async fn answers_before_all_is_read() {
    let server = Server::start(|_, mut stream| {
        let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
        stream
            .write_all(b"HTTP/1.1 413 Content Too Large\r\nConnection: close\r\nContent-Length: 3\r\n\r\nbig")
            .unwrap();
        // As servers do: to close with bytes unread would be a reset, which can overtake the answer.
        stream.shutdown(Shutdown::Write).unwrap();
        let _ = std::io::copy(&mut stream, &mut std::io::sink());
    });
    let request = Request { method: "POST".to_owned(), body: Some(vec![0; 8 * 1024 * 1024]), ..get(server.url("/")) };
    let exchange = client().send(request).await;
    assert_eq!((&exchange.failure, exchange.response.as_ref().unwrap().status), (&None, 413), "{exchange:?}");
}

#[tokio::test]
async fn a_dropped_exchange_closes_its_connection() {
    let (sender, receiver) = std::sync::mpsc::channel();
    let server = Server::start(move |_, mut stream| {
        read_request(&mut stream);
        // Returns once the client is gone.
        read_request(&mut stream);
        sender.send(Instant::now()).unwrap();
    });
    let client = client();
    let exchange = client.send(get(server.url("/")));
    assert!(tokio::time::timeout(Duration::from_millis(100), exchange).await.is_err());
    assert!(receiver.recv_timeout(Duration::from_secs(5)).is_ok(), "the connection is still open");
}
