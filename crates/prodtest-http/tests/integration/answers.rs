//! Servers that do answer, and what is sent to them.

use std::{io::Write, net::TcpStream, sync::mpsc, time::Duration};

use prodtest_http::{Client, ClientOptions, Exchange, Request};
use url::Url;

use crate::server::{HEALTHY, Server, client, failure, get, read_request};

#[tokio::test]
async fn a_healthy_answer_is_taken_down() {
    let server = Server::answering(
        b"HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nSet-Cookie: a=1\r\nSet-Cookie: b=\xff\r\nContent-Length: 5\r\n\r\nhello",
    );
    let exchange = server.get().await;
    let response = exchange.response.as_ref().unwrap();
    assert_eq!(response.status, 201);
    let headers: Vec<_> = response.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    assert_eq!(headers[..3], [("content-type", "text/plain"), ("set-cookie", "a=1"), ("set-cookie", "b=\u{fffd}")]);
    assert_eq!((response.body.text.as_str(), response.body.bytes, response.body.binary), ("hello", 5, false));
    assert_eq!((exchange.failure.as_ref(), exchange.reused, exchange.resent), (None, false, false));
    let first = exchange.first_byte_ms.unwrap();
    assert!(0.0 < first && first <= exchange.duration_ms, "{exchange:?}");
}

#[tokio::test]
async fn durations_are_those_of_the_wire() {
    let server = Server::start(|_, mut stream| {
        read_request(&mut stream);
        std::thread::sleep(Duration::from_millis(100));
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n").unwrap();
        std::thread::sleep(Duration::from_millis(100));
        stream.write_all(b"ok").unwrap();
    });
    let exchange = server.get().await;
    let first = exchange.first_byte_ms.unwrap();
    assert!((100.0..200.0).contains(&first) || exchange.duration_ms > 300.0, "{exchange:?}");
    assert!(exchange.duration_ms >= 200.0, "{exchange:?}");
}

#[tokio::test]
async fn chunks_are_put_together() {
    let exchange = Server::answering(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nfoo\r\n3;x=y\r\nbar\r\n0\r\nX-Trailer: 1\r\n\r\n",
    )
    .get()
    .await;
    assert_eq!(exchange.failure, None);
    assert_eq!(exchange.response.unwrap().body.text, "foobar");
}

#[tokio::test]
async fn a_body_may_end_with_the_connection() {
    let exchange = Server::answering(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nall of it").get().await;
    assert_eq!(exchange.failure, None);
    assert_eq!(exchange.response.unwrap().body.text, "all of it");
}

#[tokio::test]
async fn no_body_is_expected_after_head_and_204() {
    let server = Server::answering(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n");
    let exchange = client().send(Request { method: "HEAD".to_owned(), ..get(server.url("/")) }).await;
    assert_eq!((exchange.failure, exchange.response.unwrap().body.bytes), (None, 0));
    let exchange = Server::answering(b"HTTP/1.1 204 No Content\r\n\r\n").get().await;
    assert_eq!((exchange.failure, exchange.response.unwrap().status), (None, 204));
}

#[tokio::test]
async fn an_interim_answer_is_passed_over() {
    let exchange = Server::answering(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
    )
    .get()
    .await;
    assert_eq!(exchange.response.unwrap().status, 200);
}

#[tokio::test]
async fn a_redirect_is_an_answer() {
    let server = Server::answering(b"HTTP/1.1 302 Found\r\nLocation: /elsewhere\r\nContent-Length: 0\r\n\r\n");
    let exchange = server.get().await;
    let response = exchange.response.unwrap();
    assert_eq!((response.status, response.header("location")), (302, Some("/elsewhere")));
    assert_eq!(server.connections(), 1);
}

/// Sends a request and returns it as the server read it.
async fn as_read(client: &Client, change: impl FnOnce(&mut Request)) -> (String, Exchange) {
    let (sender, receiver) = mpsc::channel();
    let server = Server::start(move |_, mut stream: TcpStream| {
        if let Some(request) = read_request(&mut stream) {
            sender.send(request).unwrap();
            stream.write_all(HEALTHY).unwrap();
        }
    });
    let mut request = get(server.url("/a/b?c=d#fragment"));
    change(&mut request);
    let exchange = client.send(request).await;
    (receiver.recv_timeout(Duration::from_secs(5)).unwrap(), exchange)
}

#[tokio::test]
async fn a_request_is_sent_as_written() {
    let (read, exchange) = as_read(&client(), |request| {
        request.method = "PATCH".to_owned();
        request.headers = vec![("X-Key".to_owned(), "é".to_owned()), ("x-key".to_owned(), "2".to_owned())];
        request.body = Some(b"{}".to_vec());
    })
    .await;
    assert_eq!(exchange.failure, None);
    assert!(read.starts_with("PATCH /a/b?c=d HTTP/1.1\r\nhost: 127.0.0.1:"), "{read}");
    for line in ["user-agent: prodtest-http/test", "accept-encoding: identity", "x-key: é", "x-key: 2"] {
        assert!(read.contains(&format!("{line}\r\n")), "{line} is missing in {read}");
    }
    assert!(read.contains("content-length: 2\r\n") && read.ends_with("\r\n\r\n{}"), "{read}");
}

#[tokio::test]
async fn a_post_without_a_body_says_so() {
    let (read, _) = as_read(&client(), |request| request.method = "POST".to_owned()).await;
    assert_eq!(read.matches("content-length: 0\r\n").count(), 1, "{read}");
    let (read, _) = as_read(&client(), |_| {}).await;
    assert!(!read.contains("content-length"), "{read}");
}

#[tokio::test]
async fn connect_moves_the_connection_and_nothing_else() {
    let server = Server::start(|_, mut stream| {
        let request = read_request(&mut stream).unwrap();
        let host = request.lines().find(|line| line.starts_with("host: ")).unwrap();
        write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{host}", host.len()).unwrap();
    });
    let connect = Some(("127.0.0.1".to_owned(), server.address.port()));
    let client = Client::new(ClientOptions { connect, ..ClientOptions::default() }).unwrap();
    let exchange = client.send(get(Url::parse("http://service.example:8080/").unwrap())).await;
    assert_eq!(exchange.response.unwrap().body.text, "host: service.example:8080");
}

#[tokio::test]
async fn a_refused_request_is_a_fact_too() {
    let exchange = client()
        .send(Request {
            headers: vec![("x".to_owned(), "a\r\ninjected: 1".to_owned())],
            ..get(Url::parse("http://127.0.0.1:9/").unwrap())
        })
        .await;
    assert!(failure(&exchange).1.contains("`x`"), "{exchange:?}");
    assert!(!exchange.answered());
}
