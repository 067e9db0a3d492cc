//! A service that answers as a test tells it to.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread,
};

/// One request, as it came.
#[derive(Clone, Debug)]
pub struct Asked {
    /// Method and path, `GET /api/health`.
    pub line: String,
    /// The headers, one a line.
    pub headers: String,
    /// The body.
    pub body: String,
}

impl Asked {
    /// The value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut fields = self.headers.lines().filter_map(|line| line.split_once(": "));
        fields.find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A service of a test's own, over plain HTTP; it stops when dropped. One connection, one request.
#[derive(Debug)]
pub struct Stub {
    /// Where it is.
    pub url: String,
    address: SocketAddr,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    asked: Mutex<Vec<Asked>>,
    connections: AtomicUsize,
    stopped: AtomicBool,
}

impl Stub {
    /// A service that writes to each connection what it likes, and then closes it.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn start(answer: impl Fn(&Asked, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static) -> Self {
        Self::for_a_while(usize::MAX, answer)
    }

    /// One that gives each request the answer of this function.
    #[must_use]
    pub fn saying(answer: impl Fn(&Asked) -> String + Send + Sync + 'static) -> Self {
        Self::start(move |asked, stream| stream.write_all(answer(asked).as_bytes()))
    }

    /// One that listens no longer once it was asked so many times.
    ///
    /// # Panics
    /// When it cannot listen.
    #[must_use]
    pub fn for_a_while(
        times: usize,
        answer: impl Fn(&Asked, &mut TcpStream) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (seen, answer) = (Arc::new(Seen::default()), Arc::new(answer));
        let shared = Arc::clone(&seen);
        thread::spawn(move || {
            for stream in listener.incoming().take(times).map_while(Result::ok) {
                if shared.stopped.load(Ordering::SeqCst) {
                    return;
                }
                shared.connections.fetch_add(1, Ordering::SeqCst);
                let (shared, answer) = (Arc::clone(&shared), Arc::clone(&answer));
                thread::spawn(move || {
                    // A client that went away is the client's affair.
                    let _ = serve(stream, &shared, &*answer);
                });
            }
        });
        Self { url: format!("http://{address}"), address, seen }
    }

    /// Every request so far, in the order in which they came.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        self.seen.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many connections were made to it, whether anything was asked over them or not.
    #[must_use]
    pub fn connections(&self) -> usize {
        self.seen.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.seen.stopped.store(true, Ordering::SeqCst);
        // Wakes the thread that waits for the next connection.
        let _ = TcpStream::connect(self.address);
    }
}

fn serve(
    mut stream: TcpStream,
    seen: &Seen,
    answer: &dyn Fn(&Asked, &mut TcpStream) -> io::Result<()>,
) -> io::Result<()> {
    let asked = read(&stream)?;
    seen.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
    answer(&asked, &mut stream)
}

fn read(stream: &TcpStream) -> io::Result<Asked> {
    let mut reader = BufReader::new(stream);
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut asked = Asked { line: String::new(), headers: String::new(), body: String::new() };
    line.trim_end().trim_end_matches(" HTTP/1.1").clone_into(&mut asked.line);
    while !asked.headers.ends_with("\r\n\r\n") && asked.headers != "\r\n" {
        if reader.read_line(&mut asked.headers)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    reader.take(length).read_to_string(&mut asked.body)?;
    Ok(asked)
}

/// An answer with its length, after which the connection ends.
#[must_use]
pub fn reply(status: &str, headers: &[(&str, &str)], body: &str) -> String {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}
