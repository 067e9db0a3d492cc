//! A server that follows a script, request by request, and the probe of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use prodtest_http::{Client, ClientOptions};
use prodtest_rollout::probe::{Options, Probe, ProbeFacts, Target};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::watch,
    task::JoinHandle,
    time::{Instant, timeout},
};
use url::Url;

/// What the server does with a request, or instead of answering it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Deed {
    Answer(u16),
    /// Ends the connection before the answer.
    Close,
    /// Resets the connection in the middle of the body.
    ResetInBody,
    /// Answers 200 after a while.
    Stall(Duration),
}

/// A listener on loopback; ends when it is dropped.
pub(crate) struct Server {
    url: Url,
    requests: Arc<AtomicU64>,
    closing: watch::Sender<()>,
    task: JoinHandle<()>,
}

impl Server {
    /// Does for each request, by its number from 0, what the script says.
    pub(crate) async fn start(script: impl Fn(u64) -> Deed + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap()).parse().unwrap();
        let requests = Arc::new(AtomicU64::new(0));
        let (script, counter) = (Arc::new(script), Arc::clone(&requests));
        let closing = watch::Sender::new(());
        let closes = closing.clone();
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (script, counter) = (Arc::clone(&script), Arc::clone(&counter));
                let closes = closes.subscribe();
                connections.spawn(async move { converse(stream, &*script, &counter, closes).await });
            }
        });
        Self { url, requests, closing, task }
    }

    /// How many whole requests came.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Ordering::SeqCst)
    }

    /// Ends the connections that have had an answer and wait for another request.
    pub(crate) fn close_idle(&self) {
        self.closing.send_replace(());
    }

    pub(crate) fn probe(&self, options: Options) -> Probe {
        let client = Client::new(ClientOptions::default()).unwrap();
        Probe::start(client, Target::new(&self.url, "/"), options, Instant::now())
    }

    /// Probes it for so many requests, all of them after the change.
    pub(crate) async fn probed(&self, options: Options, requests: u64) -> ProbeFacts {
        let probe = self.probe(options);
        probe.mark_change();
        settled(&probe, requests).await;
        probe.stop().await
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Waits until so many requests have ended.
pub(crate) async fn settled(probe: &Probe, requests: u64) {
    let mut settled = probe.settled();
    let enough = settled.wait_for(|ended| *ended >= requests);
    let waited = timeout(Duration::from_secs(30), enough).await;
    assert!(waited.is_ok(), "no {requests} requests ended within 30 s: {:?}", probe.snapshot());
}

async fn converse(
    mut stream: TcpStream,
    script: &(dyn Fn(u64) -> Deed + Send + Sync),
    counter: &AtomicU64,
    mut closes: watch::Receiver<()>,
) {
    let mut head = Vec::new();
    let mut is_kept = false;
    loop {
        tokio::select! {
            read = stream.read_buf(&mut head) => if !matches!(read, Ok(1..)) { return },
            _ = closes.changed(), if is_kept => return,
        }
        if !head.ends_with(b"\r\n\r\n") {
            continue;
        }
        head.clear();
        let deed = script(counter.fetch_add(1, Ordering::SeqCst));
        let answer = |status: u16| format!("HTTP/1.1 {status} X\r\ncontent-length: 2\r\n\r\nok");
        let (bytes, goes_on) = match deed {
            Deed::Answer(status) => (answer(status), true),
            Deed::Close => return,
            Deed::ResetInBody => ("HTTP/1.1 200 X\r\ncontent-length: 99\r\n\r\nok".to_owned(), false),
            Deed::Stall(pause) => {
                tokio::time::sleep(pause).await;
                (answer(200), true)
            }
        };
        if stream.write_all(bytes.as_bytes()).await.is_err() || !goes_on {
            if deed == Deed::ResetInBody {
                let _ = stream.set_zero_linger();
            }
            return;
        }
        is_kept = true;
    }
}
