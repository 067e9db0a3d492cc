//! Requests over TLS, and the certificates they refuse.

use std::{io::Write, process::Command, thread, time::Duration};

use prodtest_http::{Client, ClientOptions, Exchange, FailureKind, InvalidOptions, Request};

use crate::{
    authority::{Authority, Identity, NAME, params, self_signed, serve, url},
    server::{FOREVER, HEALTHY, Server, failure, get, read_request},
};

/// Asks a server with that identity, trusting the authority.
async fn ask(authority: &Authority, identity: Identity) -> Exchange {
    let server = serve(identity);
    authority.client(&server).send(get(url())).await
}

fn assert_refused(exchange: &Exchange, words: &str) {
    let (kind, message) = failure(exchange);
    assert_eq!(kind, FailureKind::Tls);
    assert!(message.contains(words), "{message}");
    assert!(exchange.answered());
}

#[tokio::test]
async fn a_good_certificate_by_a_private_authority() {
    let authority = Authority::new("root");
    let server = serve(authority.sign(&params(&[NAME], 2020, 2090)));
    let client = authority.client(&server);
    for reused in [false, true] {
        let exchange = client.send(get(url())).await;
        assert_eq!((&exchange.failure, exchange.reused), (&None, reused));
        assert_eq!(exchange.response.unwrap().body.text, "ok");
    }
    assert_eq!(server.connections(), 1);
}

#[tokio::test]
async fn a_certificate_for_an_address() {
    let authority = Authority::new("root");
    let server = serve(authority.sign(&params(&["127.0.0.1"], 2020, 2090)));
    let url = format!("https://{}/", server.address).parse().unwrap();
    let client = Client::new(ClientOptions { connect: None, ..authority.options(&server) }).unwrap();
    assert_eq!(client.send(get(url)).await.failure, None);
}

#[tokio::test]
async fn certificates_that_are_refused() {
    let authority = Authority::new("root");
    let expired = authority.sign(&params(&[NAME], 2010, 2020));
    assert_refused(&ask(&authority, expired).await, "expired at 2020-01-01T00:00:00Z");
    let early = authority.sign(&params(&[NAME], 2090, 2091));
    assert_refused(&ask(&authority, early).await, "not valid before 2090-01-01T00:00:00Z");
    let misnamed = authority.sign(&params(&["a.example", "b.example"], 2020, 2090));
    let words = "the certificate is for `a.example`, `b.example`, not for `service.example`";
    assert_refused(&ask(&authority, misnamed).await, words);
    let stranger = Authority::new("stranger").sign(&params(&[NAME], 2020, 2090));
    assert_refused(&ask(&authority, stranger).await, "an authority that is not trusted here");
    let own = self_signed(&params(&[NAME], 2020, 2090));
    assert_refused(&ask(&authority, own).await, "an authority that is not trusted here");
}

/// Asks a server that does not speak TLS at all.
async fn ask_plain(server: &Server) -> Exchange {
    let client = Authority::new("root").client(server);
    client.send(Request { timeout: Duration::from_millis(500), ..get(url()) }).await
}

#[tokio::test]
async fn plain_http_on_the_port() {
    let server = Server::start(|_, mut stream| {
        let _ = stream.write_all(HEALTHY);
        let _ = read_request(&mut stream);
    });
    assert_refused(&ask_plain(&server).await, "does not speak TLS");
}

#[tokio::test]
async fn silence_on_the_port() {
    let exchange = ask_plain(&Server::start(|_, _stream| thread::sleep(FOREVER))).await;
    assert_eq!(failure(&exchange).0, FailureKind::TimeoutTls);
    assert!(!exchange.answered());
}

#[tokio::test]
async fn the_end_during_the_handshake() {
    let server = Server::start(|_, mut stream| {
        // The greeting has to be read: to close with bytes unread is a reset.
        let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
    });
    let exchange = ask_plain(&server).await;
    assert_eq!(failure(&exchange).0, FailureKind::Closed);
    assert!(!exchange.answered());
}

#[test]
fn authorities_that_are_none_are_a_mistake() {
    let options = ClientOptions { ca: Some(b"nonsense".to_vec()), ..ClientOptions::default() };
    assert!(matches!(Client::new(options), Err(InvalidOptions::Ca(_))));
    let options = ClientOptions { user_agent: "a\r\nb: c".to_owned(), ..ClientOptions::default() };
    assert!(matches!(Client::new(options), Err(InvalidOptions::UserAgent(_))));
}

/// Where a machine without authorities looks for them.
const NOWHERE: &str = "/nonexistent.pem";

/// Runs itself once more, for it needs an environment of its own.
#[tokio::test]
async fn a_machine_without_authorities() {
    if is_told_to_look_nowhere() {
        let exchange = Client::new(ClientOptions::default()).unwrap().send(get(url())).await;
        let (kind, message) = failure(&exchange);
        assert_eq!(kind, FailureKind::NoAuthorities);
        assert!(message.contains(NOWHERE), "{message}");
        assert!(kind.is_ours() && !exchange.answered());
        return;
    }
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "handshakes::a_machine_without_authorities"])
        .env("SSL_CERT_FILE", NOWHERE)
        .env_remove("SSL_CERT_DIR")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

#[expect(clippy::disallowed_methods, reason = "it is how the test knows itself")]
fn is_told_to_look_nowhere() -> bool {
    std::env::var_os("SSL_CERT_FILE").is_some_and(|file| file == NOWHERE)
}
