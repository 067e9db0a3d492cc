//! Kept connections: a server may close them whenever it likes, and that is no failure of its.

use std::{
    io::Write,
    net::TcpStream,
    sync::{Mutex, mpsc},
    thread,
    time::Duration,
};

use prodtest_http::{Client, Exchange, FailureKind, Request};

use crate::server::{HEALTHY, Server, client, failure, get, read_request, reset};

/// Answers request after request on each connection.
fn patient(mut stream: TcpStream) {
    while read_request(&mut stream).is_some() {
        stream.write_all(HEALTHY).unwrap();
    }
}

async fn send(client: &Client, server: &Server, method: &str) -> Exchange {
    client.send(Request { method: method.to_owned(), ..get(server.url("/")) }).await
}

fn assert_healthy(exchange: &Exchange, reused: bool, resent: bool) {
    assert_eq!((&exchange.failure, exchange.reused, exchange.resent), (&None, reused, resent), "{exchange:?}");
    assert_eq!(exchange.response.as_ref().unwrap().body.text, "ok");
}

#[tokio::test]
async fn safe_requests_share_a_connection() {
    let server = Server::start(|_, stream| patient(stream));
    let client = client();
    for reused in [false, true, true] {
        assert_healthy(&send(&client, &server, "GET").await, reused, false);
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn other_requests_get_a_connection_each() {
    let server = Server::start(|_, stream| patient(stream));
    let client = client();
    for method in ["GET", "POST", "DELETE", "PUT"] {
        assert_healthy(&send(&client, &server, method).await, false, false);
    }
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn a_client_that_keeps_nothing_opens_a_connection_for_each() {
    let server = Server::start(|_, stream| patient(stream));
    let client = client();
    assert_healthy(&send(&client, &server, "GET").await, false, false);
    let unkept = client.unkept();
    for _ in 0..3 {
        assert_healthy(&send(&unkept, &server, "GET").await, false, false);
    }
    assert_eq!(server.connections(), 4);
    // What the other one keeps is still there, and nothing was added to it.
    assert_healthy(&send(&client, &server, "GET").await, true, false);
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn requests_at_the_same_time_do_not_share() {
    let server = Server::start(|_, stream| patient(stream));
    let client = client();
    let (one, two) = tokio::join!(send(&client, &server, "GET"), send(&client, &server, "GET"));
    assert_healthy(&one, false, false);
    assert_healthy(&two, false, false);
    assert_eq!(server.connections(), 2);
}

#[tokio::test]
async fn a_connection_closed_meanwhile_is_replaced() {
    let (sender, receiver) = mpsc::channel();
    // One that is closed as soon as it has answered is not kept at all.
    let (close, told) = mpsc::channel();
    let told = Mutex::new(told);
    let server = Server::start(move |_, mut stream| {
        read_request(&mut stream);
        stream.write_all(HEALTHY).unwrap();
        told.lock().unwrap().recv().unwrap();
        drop(stream);
        sender.send(()).unwrap();
    });
    let client = client();
    assert_healthy(&send(&client, &server, "GET").await, false, false);
    close.send(()).unwrap();
    receiver.recv().unwrap();
    // Whether the end is noticed before the request is sent or after it, the request is served.
    let exchange = send(&client, &server, "GET").await;
    assert_healthy(&exchange, false, exchange.resent);
    assert!(exchange.found_closed || exchange.resent, "{exchange:?}");
    close.send(()).unwrap();
    receiver.recv().unwrap();
    tokio::time::sleep(Duration::from_millis(50)).await;
    let exchange = send(&client, &server, "GET").await;
    assert_healthy(&exchange, false, false);
    assert!(exchange.found_closed, "{exchange:?}");
    close.send(()).unwrap();
}

/// A server that ends its first connection in some way at the second request on it.
fn ends_at_the_second(end: impl Fn(TcpStream) + Send + Sync + 'static) -> Server {
    Server::start(move |number, mut stream| {
        if number > 0 {
            return patient(stream);
        }
        read_request(&mut stream);
        stream.write_all(HEALTHY).unwrap();
        read_request(&mut stream);
        end(stream);
    })
}

#[tokio::test]
async fn a_connection_that_ends_under_the_request_is_replaced() {
    let goodbye = |mut stream: TcpStream| {
        let _ = stream.write_all(b"HTTP/1.1 408 Request Time-out\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
    };
    for server in [ends_at_the_second(drop), ends_at_the_second(reset), ends_at_the_second(goodbye)] {
        let client = client();
        assert_healthy(&send(&client, &server, "GET").await, false, false);
        assert_healthy(&send(&client, &server, "GET").await, false, true);
        assert_eq!(server.connections(), 2);
    }
}

#[tokio::test]
async fn half_an_answer_is_not_asked_for_again() {
    let server = ends_at_the_second(|mut stream| stream.write_all(b"HTTP/1.1 200 OK\r\n").unwrap());
    let client = client();
    assert_healthy(&send(&client, &server, "GET").await, false, false);
    let exchange = send(&client, &server, "GET").await;
    assert_eq!(failure(&exchange).0, FailureKind::Closed);
    assert!(exchange.reused && !exchange.resent);
}

#[tokio::test]
async fn a_service_that_ends_every_connection_fails() {
    let server = Server::start(|number, mut stream| {
        read_request(&mut stream);
        if number == 0 {
            stream.write_all(HEALTHY).unwrap();
            read_request(&mut stream);
        }
    });
    let client = client();
    assert_healthy(&send(&client, &server, "GET").await, false, false);
    let exchange = send(&client, &server, "GET").await;
    assert_eq!(failure(&exchange).0, FailureKind::Closed);
    assert!(exchange.resent);
}

#[tokio::test]
async fn what_comes_unasked_ends_a_connection() {
    let server = Server::start(|_, mut stream| {
        while read_request(&mut stream).is_some() {
            stream.write_all(HEALTHY).unwrap();
            stream.write_all(b"and more").unwrap();
        }
    });
    let client = client();
    assert_healthy(&send(&client, &server, "GET").await, false, false);
    thread::sleep(Duration::from_millis(50));
    let exchange = send(&client, &server, "GET").await;
    assert_healthy(&exchange, false, exchange.resent);
}

#[tokio::test]
async fn a_body_that_was_cut_ends_its_connection() {
    let server = Server::start(|_, stream| patient(stream));
    let client = client();
    client.send(Request { max_body: 1, ..get(server.url("/")) }).await;
    assert_healthy(&send(&client, &server, "GET").await, false, false);
}

#[test]
fn connections_of_a_runtime_that_is_gone_are_replaced() {
    let server = Server::start(|_, stream| patient(stream));
    let client = client();
    for _ in 0..2 {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let exchange = runtime.block_on(send(&client, &server, "GET"));
        assert_healthy(&exchange, false, exchange.resent);
    }
}
