//! Between a client and a server of plain HTTP: passes on what is asked, or does something else with it.
//!
//! One connection, one request: what is passed on says `Connection: close`, which every client of HTTP/1.1 understands,
//! and so nothing here has to know where an answer ends.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// What becomes of a request.
pub(super) enum Act {
    /// It is passed on, with these further headers.
    Pass(Vec<String>),
    /// It is passed on, and its answer cut off after so long.
    Cut(Duration),
    /// It is answered with this.
    Answer(&'static str),
}

/// A relay on loopback. It takes nothing more once it is dropped.
pub(super) struct Relay {
    /// Where it listens.
    pub(super) port: u16,
    ended: Arc<AtomicBool>,
}

impl Relay {
    /// Between whoever comes and 127.0.0.1:`to`. `act` is asked for each request, with its head, and may take its time.
    pub(super) fn start(to: u16, act: impl Fn(&str) -> Act + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let (ended, act) = (Arc::new(AtomicBool::new(false)), Arc::new(act));
        let over = Arc::clone(&ended);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let act = Arc::clone(&act);
                // Who hangs up early is not this one's to judge.
                thread::spawn(move || serve(stream, to, &*act));
            }
        });
        Self { port, ended }
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // It waits for the next one.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

fn serve(mut client: TcpStream, to: u16, act: &dyn Fn(&str) -> Act) -> io::Result<()> {
    let mut read = Vec::new();
    let end = loop {
        if let Some(end) = read.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
            break end;
        }
        let mut part = [0; 4096];
        match client.read(&mut part)? {
            0 => return Ok(()),
            length => read.extend(&part[..length]),
        }
    };
    let head = String::from_utf8_lossy(&read[..end]).into_owned();
    let (more, limit) = match act(&head) {
        Act::Pass(more) => (more, None),
        Act::Cut(after) => (Vec::new(), Some(after)),
        Act::Answer(answer) => {
            client.write_all(answer.as_bytes())?;
            return client.shutdown(Shutdown::Write);
        }
    };
    let mut lines: Vec<&str> = head.split("\r\n").collect();
    lines.retain(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    lines.push("Connection: close");
    lines.extend(more.iter().map(String::as_str));
    let mut server = TcpStream::connect(SocketAddr::from((Ipv4Addr::LOCALHOST, to)))?;
    server.write_all(lines.join("\r\n").as_bytes())?;
    server.write_all(&read[end..])?;
    if let Some(after) = limit {
        let ends = [client.try_clone()?, server.try_clone()?];
        thread::spawn(move || {
            // The fault itself: an answer that is cut off in its course.
            thread::sleep(after);
            ends.iter().for_each(|end| drop(end.shutdown(Shutdown::Both)));
        });
    }
    let (mut from, mut into) = (client.try_clone()?, server.try_clone()?);
    let asking = thread::spawn(move || io::copy(&mut from, &mut into));
    let answered = io::copy(&mut server, &mut client);
    let _ = client.shutdown(Shutdown::Both);
    let _ = asking.join();
    answered.map(|_| ())
}
