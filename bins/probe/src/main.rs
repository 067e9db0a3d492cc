//! `prodtest-probe`: tries to connect, and says what came of it. No gate: the verify gate runs it in the cluster, to see
//! what network policies let through.
//!
//! Each argument is `open=HOST:PORT` or `closed=HOST:PORT`, and says what is hoped for. As policies take a moment until
//! they know a new pod, each is tried until it is as hoped for, or the patience is at its end; the last try counts. A line
//! of JSON tells of each; the first tells what it can do at all: connect to itself, and be refused where nothing listens.

use std::{
    io::{self, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs as _},
    process::ExitCode,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

/// How long one connection may take. Where packets are dropped, there is never an answer.
const TRY: Duration = Duration::from_secs(2);
/// For how long something else than what is hoped for is tried again.
const PATIENCE: Duration = Duration::from_secs(6);
const BETWEEN: Duration = Duration::from_millis(200);

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let lines = thread::scope(|scope| {
        let trying: Vec<_> = arguments.iter().map(|argument| scope.spawn(|| line(argument))).collect();
        let lines = trying.into_iter().filter_map(|thread| thread.join().ok());
        std::iter::once(itself()).chain(lines).map(|line| line.to_string() + "\n").collect::<String>()
    });
    match io::stdout().write_all(lines.as_bytes()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(_) => ExitCode::FAILURE,
    }
}

/// What it can do at all.
fn itself() -> Value {
    let open = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = open.as_ref().ok().and_then(|listener| listener.local_addr().ok());
    let outcome = |address: Option<SocketAddr>| address.map_or("no-socket", |address| connect(address).0);
    let connected = outcome(address);
    drop(open);
    json!({ "itself": { "open": connected, "closed": outcome(address) } })
}

fn line(argument: &str) -> Value {
    let (hoped, target) = argument.split_once('=').unwrap_or(("", argument));
    let begun = Instant::now();
    loop {
        let (is, why) = attempt(target);
        let as_hoped = (is == "connected") == (hoped == "open");
        if as_hoped || begun.elapsed() >= PATIENCE {
            return json!({ "target": argument, "is": is, "why": why });
        }
        thread::sleep(BETWEEN);
    }
}

/// The best of what the addresses of a name give.
fn attempt(target: &str) -> (&'static str, String) {
    let addresses = match target.to_socket_addrs() {
        Ok(addresses) => addresses,
        Err(error) => return ("no-name", error.to_string()),
    };
    let mut last = ("no-name", "it has no address".to_owned());
    for address in addresses {
        last = connect(address);
        if last.0 == "connected" {
            break;
        }
    }
    last
}

fn connect(address: SocketAddr) -> (&'static str, String) {
    match TcpStream::connect_timeout(&address, TRY) {
        Ok(_) => ("connected", String::new()),
        Err(error) => {
            let is = match error.kind() {
                io::ErrorKind::ConnectionRefused => "refused",
                io::ErrorKind::TimedOut => "timed-out",
                io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "unreachable",
                // A firewall's prohibition arrives as a missing permission.
                io::ErrorKind::PermissionDenied => "prohibited",
                _ => "other",
            };
            (is, error.to_string())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_can_connect_and_be_refused() {
        assert_eq!(itself(), json!({ "itself": { "open": "connected", "closed": "refused" } }));
    }

    #[test]
    fn each_argument_has_its_line() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let open = format!("open={}", listener.local_addr().unwrap());
        assert_eq!(line(&open), json!({ "target": open, "is": "connected", "why": "" }));
        assert_eq!(line("closed=no-such-name.invalid:1")["is"], "no-name");
        let port = listener.local_addr().unwrap().port();
        drop(listener);
        assert_eq!(line(&format!("closed=127.0.0.1:{port}"))["is"], "refused");
    }
}
