//! From a host and a port to a TCP connection.

use std::{
    io,
    net::{IpAddr, SocketAddr, ToSocketAddrs},
    time::Duration,
};

use tokio::{net::TcpStream, sync::oneshot, task::JoinSet, time::sleep};

use crate::{Failure, FailureKind, phase::Phase};

/// How long an address may keep silent before the next one is tried beside it (RFC 8305, 5): a runner without a way for
/// IPv6 must not take the service's time.
const HEAD_START: Duration = Duration::from_millis(250);

/// Connects to a host that speaks something else than HTTP: its addresses are tried as for a request. Whoever calls bounds
/// the time.
///
/// # Errors
/// When the host is not known, or none of its addresses takes the connection.
pub async fn connect_tcp(host: &str, port: u16) -> Result<TcpStream, Failure> {
    dial(host, port, &mut Phase::default()).await
}

/// Connects to the host. Leaves in `phase` how far it came when it is dropped.
pub(crate) async fn dial(host: &str, port: u16, phase: &mut Phase) -> Result<TcpStream, Failure> {
    *phase = Phase::Resolve;
    let addresses = resolve(host, port).await?;
    *phase = Phase::Connect;
    let stream = connect(addresses).await?;
    // Small requests must not wait for Nagle. A socket that refuses the option still serves.
    let _ = stream.set_nodelay(true);
    Ok(stream)
}

/// The addresses of the host, from the system's resolver.
///
/// The system's resolver blocks, and can do so for longer than a gate's deadline. It gets a thread of its own rather than
/// one of tokio's, for which the end of the runtime would wait.
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, Failure> {
    if let Ok(ip) = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
        return Ok(vec![SocketAddr::new(ip, port)]);
    }
    let (sender, receiver) = oneshot::channel();
    let question = (host.to_owned(), port);
    let thread = std::thread::Builder::new().name("resolve".to_owned());
    thread
        .spawn(move || {
            // Nobody may be waiting any more.
            let _ = sender.send(question.to_socket_addrs().map(Vec::from_iter));
        })
        .map_err(|error| Failure::new(FailureKind::Instrument, format!("no thread to resolve `{host}`: {error}")))?;
    match receiver.await {
        Ok(Ok(addresses)) if !addresses.is_empty() => Ok(addresses),
        Ok(Ok(_)) | Err(_) => Err(Failure::new(FailureKind::Resolve, format!("`{host}` has no address"))),
        Ok(Err(error)) => Err(Failure::new(FailureKind::Resolve, format!("`{host}` is not known: {error}"))),
    }
}

/// The first connection that succeeds. Addresses are tried in the resolver's order, each after the one before it failed
/// or kept silent for [`HEAD_START`].
async fn connect(addresses: Vec<SocketAddr>) -> Result<TcpStream, Failure> {
    let mut waiting = addresses.into_iter();
    let mut attempts = JoinSet::new();
    let mut worst: Option<Failure> = None;
    loop {
        if let Some(address) = waiting.next() {
            attempts.spawn(async move { TcpStream::connect(address).await.map_err(|error| refusal(address, &error)) });
        }
        let more = waiting.len() > 0;
        tokio::select! {
            ended = attempts.join_next() => match ended {
                Some(Ok(Ok(stream))) => return Ok(stream),
                Some(Ok(Err(failure))) => worst = Some(more_telling(worst, failure)),
                Some(Err(_)) => {}
                None => break,
            },
            () = sleep(HEAD_START), if more => {}
        }
    }
    Err(worst.unwrap_or_else(|| Failure::new(FailureKind::Unreachable, "no address could be tried")))
}

/// Of two addresses' failures the one that says more of the service: that nothing listens says more than no way there.
fn more_telling(known: Option<Failure>, next: Failure) -> Failure {
    match known {
        Some(known) if known.kind == FailureKind::Refused || next.kind != FailureKind::Refused => known,
        _ => next,
    }
}

fn refusal(address: SocketAddr, error: &io::Error) -> Failure {
    use io::ErrorKind::{
        AddrNotAvailable, ConnectionRefused, ConnectionReset, HostUnreachable, NetworkDown, NetworkUnreachable,
        PermissionDenied, TimedOut,
    };
    let (kind, what) = match error.kind() {
        ConnectionRefused => (FailureKind::Refused, "refused the connection"),
        ConnectionReset => (FailureKind::Reset, "reset the connection at once"),
        TimedOut => (FailureKind::TimeoutConnect, "did not answer"),
        // A firewall's prohibition arrives as a missing permission; an address family without a route as a missing
        // address.
        HostUnreachable | NetworkUnreachable | NetworkDown | AddrNotAvailable | PermissionDenied => {
            (FailureKind::Unreachable, "cannot be reached")
        }
        _ => (FailureKind::Instrument, "could not be tried"),
    };
    Failure::new(kind, format!("`{address}` {what}: {error}"))
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, time::Instant};

    use super::*;

    const LOOPBACK: &str = "127.0.0.1:0";

    #[tokio::test]
    async fn an_address_that_refuses_gives_way_at_once() {
        let refusing = TcpListener::bind(LOOPBACK).unwrap().local_addr().unwrap();
        let healthy = TcpListener::bind(LOOPBACK).unwrap();
        let started = Instant::now();
        assert!(connect(vec![refusing, healthy.local_addr().unwrap()]).await.is_ok());
        assert!(started.elapsed() < HEAD_START);
        assert_eq!(connect(vec![refusing, refusing]).await.unwrap_err().kind, FailureKind::Refused);
        assert!(connect(Vec::new()).await.is_err());
    }

    /// Linux drops the greetings to a listener whose queue is full.
    #[cfg(target_os = "linux")]
    #[tokio::test]
    async fn an_address_that_keeps_silent_gets_a_rival() {
        let silent = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
        silent.bind(&LOOPBACK.parse::<SocketAddr>().unwrap().into()).unwrap();
        silent.listen(0).unwrap();
        let address = silent.local_addr().unwrap().as_socket().unwrap();
        let patience = Duration::from_millis(100);
        let connect_std = || std::net::TcpStream::connect_timeout(&address, patience);
        let queued: Vec<_> = std::iter::from_fn(|| connect_std().ok()).collect();
        assert!(!queued.is_empty());

        let mut phase = Phase::default();
        let dialling = dial("127.0.0.1", address.port(), &mut phase);
        assert!(tokio::time::timeout(patience, dialling).await.is_err());
        assert_eq!(phase, Phase::Connect);

        let healthy = TcpListener::bind(LOOPBACK).unwrap();
        let started = Instant::now();
        assert!(connect(vec![address, healthy.local_addr().unwrap()]).await.is_ok());
        assert!((HEAD_START..HEAD_START * 3).contains(&started.elapsed()));
    }

    #[test]
    fn a_refusal_says_more_than_a_missing_route() {
        let failure = |kind| Failure::new(kind, "");
        let told = |first, next| more_telling(Some(failure(first)), failure(next)).kind;
        assert_eq!(told(FailureKind::Unreachable, FailureKind::Refused), FailureKind::Refused);
        assert_eq!(told(FailureKind::Refused, FailureKind::Unreachable), FailureKind::Refused);
        assert_eq!(more_telling(None, failure(FailureKind::Reset)).kind, FailureKind::Reset);
    }

    #[tokio::test]
    async fn addresses_need_no_resolver() {
        for host in ["127.0.0.1", "::1", "[::1]"] {
            assert_eq!(resolve(host, 80).await.unwrap().len(), 1, "{host}");
        }
    }
}
