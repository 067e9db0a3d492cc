//! The end: no request that was taken is lost.

use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::process::Command;
use tokio::time::{sleep, timeout};

use crate::support::{Godel, KEY, PATIENCE};

const BODY: &str = r#"{"type":"test","task":"in flight"}"#;

impl Godel {
    async fn signal(&self, name: &str) {
        let pid = self.process.id().unwrap();
        let kill = Command::new("sh").args(["-c", &format!("kill -{name} {pid}")]).status().await;
        assert!(kill.unwrap().success());
    }

    async fn exit_code(&mut self) -> Option<i32> {
        timeout(PATIENCE, self.process.wait()).await.unwrap().unwrap().code()
    }

    /// Sends a request but for the last bytes of its body, so that it is in flight until they follow.
    async fn begin(&self) -> (TcpStream, &'static [u8]) {
        let mut stream = TcpStream::connect(self.addr).await.unwrap();
        let (first, rest) = BODY.as_bytes().split_at(10);
        let length = BODY.len();
        let head =
            format!("POST /api/agents HTTP/1.1\r\nhost: a\r\nx-api-key: {KEY}\r\ncontent-length: {length}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(first).await.unwrap();
        // There is no sign of it outside; a moment is enough for the service to have read it.
        sleep(Duration::from_millis(200)).await;
        (stream, rest)
    }

    async fn is_refused(&self) -> bool {
        for _ in 0..100 {
            if TcpStream::connect(self.addr).await.is_err() {
                return true;
            }
            sleep(Duration::from_millis(20)).await;
        }
        false
    }
}

#[tokio::test]
async fn a_signal_ends_an_idle_service_at_once() {
    for name in ["TERM", "INT"] {
        let mut godel = Godel::start(&[]).await;
        // A client that keeps its connection is not waited for.
        let idle = TcpStream::connect(godel.addr).await.unwrap();
        let begun = Instant::now();
        godel.signal(name).await;
        assert_eq!(godel.exit_code().await, Some(0), "{name}");
        assert!(begun.elapsed() < Duration::from_secs(5));
        drop(idle);
    }
}

#[tokio::test]
async fn what_is_in_flight_is_answered() {
    let mut godel = Godel::start(&[]).await;
    let (mut stream, rest) = godel.begin().await;
    godel.signal("TERM").await;
    assert!(godel.is_refused().await, "it still accepts");
    assert!(godel.process.try_wait().unwrap().is_none(), "it did not wait");

    stream.write_all(rest).await.unwrap();
    let mut answer = String::new();
    timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert!(answer.starts_with("HTTP/1.1 201 Created"), "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    assert_eq!(godel.exit_code().await, Some(0));
}

#[tokio::test]
async fn who_never_ends_is_not_waited_for_beyond_the_grace() {
    let mut godel = Godel::start(&["--grace", "500ms"]).await;
    let (stream, _) = godel.begin().await;
    let begun = Instant::now();
    godel.signal("TERM").await;
    assert_eq!(godel.exit_code().await, Some(0));
    let took = begun.elapsed();
    assert!((Duration::from_millis(500)..Duration::from_secs(5)).contains(&took), "{took:?}");
    drop(stream);
}

#[tokio::test]
async fn while_it_drains_it_serves_but_is_not_ready() {
    let mut godel = Godel::start(&["--drain", "2s"]).await;
    godel.signal("TERM").await;
    let mut ready = godel.ask("GET /api/health/ready").send().await;
    for _ in 0..50 {
        if ready.status != 200 {
            break;
        }
        sleep(Duration::from_millis(10)).await;
        ready = godel.ask("GET /api/health/ready").send().await;
    }
    assert_eq!((ready.status.as_u16(), &ready.json()["error"]["code"]), (503, &"stopping".into()));
    assert_eq!(godel.ask("GET /api/health").send().await.status, 200);
    let spawned = godel.ask("POST /api/agents").key(KEY).body(BODY).send().await;
    assert_eq!(spawned.status, 201);
    assert_eq!(godel.exit_code().await, Some(0));
}
