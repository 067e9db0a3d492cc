//! A server that follows a script, and the requests that are sent to it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use prodtest_http::{Client, ClientOptions, Exchange, FailureKind, Request};
use url::Url;

/// A whole and healthy answer.
pub(crate) const HEALTHY: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// Longer than any test waits, so that what is silent stays silent.
pub(crate) const FOREVER: Duration = Duration::from_secs(60);

/// A listener on loopback. Its threads end with the process.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Server {
    /// Runs `script` for each connection, with its number from 0.
    pub(crate) fn start(script: impl Fn(usize, TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Arc::new(AtomicUsize::new(0));
        let (script, counter) = (Arc::new(script), Arc::clone(&connections));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let number = counter.fetch_add(1, Ordering::SeqCst);
                let (script, stream) = (Arc::clone(&script), stream.unwrap());
                thread::spawn(move || script(number, stream));
            }
        });
        Self { address, connections }
    }

    /// Reads one request a connection, answers with these bytes, and closes.
    pub(crate) fn answering(bytes: &'static [u8]) -> Self {
        Self::start(move |_, mut stream| {
            read_request(&mut stream);
            stream.write_all(bytes).unwrap();
        })
    }

    /// How many connections it accepted.
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn url(&self, path: &str) -> Url {
        Url::parse(&format!("http://{}{path}", self.address)).unwrap()
    }

    /// Sends it a plain `GET`.
    pub(crate) async fn get(&self) -> Exchange {
        client().send(get(self.url("/"))).await
    }
}

/// Reads a request with its body; nothing when the connection ended instead.
pub(crate) fn read_request(stream: &mut impl Read) -> Option<String> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            _ => return None,
        }
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    Some(head + &String::from_utf8(body).unwrap())
}

/// Ends a connection with a reset instead of a goodbye.
pub(crate) fn reset(stream: TcpStream) {
    socket2::SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);
}

pub(crate) fn client() -> Client {
    Client::new(ClientOptions { user_agent: "prodtest-http/test".to_owned(), ..ClientOptions::default() }).unwrap()
}

pub(crate) fn get(url: Url) -> Request {
    Request {
        method: "GET".to_owned(),
        url,
        headers: Vec::new(),
        body: None,
        timeout: Duration::from_secs(10),
        max_body: 1024 * 1024,
    }
}

/// The kind and the words of the failure, which must be there.
pub(crate) fn failure(exchange: &Exchange) -> (FailureKind, &str) {
    let failure = exchange.failure.as_ref().unwrap_or_else(|| panic!("no failure in {exchange:?}"));
    (failure.kind, &failure.message)
}
