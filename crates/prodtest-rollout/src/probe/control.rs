//! The proof that a probe can fail: for a moment it watches loopback servers that turn bad in a known way.
//!
//! The same schedule, client, record and judge as for the service; only how fast this machine is does not count, for
//! that is judged of the real run.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use prodtest_config::Period;
use prodtest_gate::{CheckId, Control};
use prodtest_http::{Client, ClientOptions};
use serde::{Deserialize, Serialize};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::{Instant, timeout},
};
use url::Url;

use super::{Limits, Options, Probe, ProbeFacts, ProbeVerdict, Target};

/// Requests that must have ended before the server turns bad, and again after it.
const EACH: u64 = 4;
/// More than are ever under way when the server turns.
const UNDER_WAY: u64 = 20;
const PATIENCE: Duration = Duration::from_secs(5);

/// How a control's server behaves once it has turned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Turn {
    StaysGood,
    Closes,
    Answers500,
}

const TURNS: [Turn; 3] = [Turn::StaysGood, Turn::Closes, Turn::Answers500];

impl Turn {
    const fn name(self) -> &'static str {
        match self {
            Self::StaysGood => "a server that goes on answering 200",
            Self::Closes => "a server that begins to close each connection at once",
            Self::Answers500 => "a server that begins to answer 500",
        }
    }

    /// Every kind of failure that it may show; it must show one.
    const fn shows(self) -> &'static [&'static str] {
        match self {
            Self::StaysGood => &[],
            Self::Closes => &["connection closed without an answer", "connection reset"],
            Self::Answers500 => &["status 500"],
        }
    }
}

/// What the probe saw of one of these servers. A part of the run record.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ControlRun {
    turn: Turn,
    facts: ProbeFacts,
}

/// Probes each of the servers, all at the same time; takes a third of a second. What could not be tried is left out.
pub async fn run_controls() -> Vec<ControlRun> {
    let [good, closes, answers] = TURNS;
    let (good, closes, answers) = tokio::join!(probed(good), probed(closes), probed(answers));
    [good, closes, answers].into_iter().flatten().collect()
}

async fn probed(turn: Turn) -> Option<ControlRun> {
    let listener = TcpListener::bind("127.0.0.1:0").await.ok()?;
    let url: Url = format!("http://{}/", listener.local_addr().ok()?).parse().ok()?;
    let client = Client::new(ClientOptions::default()).ok()?;
    let turned = Arc::new(AtomicBool::new(false));
    let watching = async {
        let options = Options { rate: 100, timeout: Duration::from_secs(1), ..Options::default() };
        let probe = Probe::start(client, Target::new(&url, "/"), options, Instant::now());
        let mut settled = probe.settled();
        timeout(PATIENCE, settled.wait_for(|ended| *ended >= EACH)).await.ok()?.ok()?;
        probe.mark_change();
        turned.store(true, Ordering::SeqCst);
        // On a busy machine many requests fall due at once: those that ended by now, or are under way, show nothing of
        // the turn.
        let enough = *settled.borrow() + UNDER_WAY + EACH;
        timeout(PATIENCE, settled.wait_for(|ended| *ended >= enough)).await.ok()?.ok()?;
        Some(ControlRun { turn, facts: probe.stop().await })
    };
    tokio::select! {
        run = watching => run,
        () = serve(&listener, turn, &turned) => None,
    }
}

async fn serve(listener: &TcpListener, turn: Turn, turned: &Arc<AtomicBool>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        // A connection that breaks is the probe's to notice.
        connections.spawn(converse(stream, turn, Arc::clone(turned)));
        while connections.try_join_next().is_some() {}
    }
}

async fn converse(mut stream: TcpStream, turn: Turn, turned: Arc<AtomicBool>) -> std::io::Result<()> {
    let mut head = Vec::new();
    loop {
        let has_turned = || turned.load(Ordering::SeqCst);
        if turn == Turn::Closes && has_turned() {
            return Ok(());
        }
        head.clear();
        while !head.ends_with(b"\r\n\r\n") {
            if head.len() > 4096 || stream.read_buf(&mut head).await? == 0 {
                return Ok(());
            }
        }
        let status = match turn {
            Turn::Closes if has_turned() => return Ok(()),
            Turn::Answers500 if has_turned() => "500 Internal Server Error",
            _ => "200 OK",
        };
        stream.write_all(format!("HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok").as_bytes()).await?;
    }
}

/// Judges what the controls showed: each fault noticed for what it is, and the good server found good. They prove the
/// checks named; none means all of the gate's.
#[must_use]
pub fn controls(runs: &[ControlRun], proves: &[CheckId]) -> Vec<Control> {
    let limits = Limits { min_pace: 0.0, max_lag: Period(Duration::from_secs(3600)), ..Limits::default() };
    let control = |turn: Turn| {
        let run = runs.iter().find(|run| run.turn == turn);
        let verdict = run.map(|run| run.facts.judge(&limits));
        let shown = run.map(|run| run.facts.after.by_kind.keys().map(String::as_str).collect::<Vec<_>>());
        let is_as_shown = shown.is_some_and(|kinds| kinds.iter().all(|kind| turn.shows().contains(kind)));
        let tripped = match &verdict {
            Some(ProbeVerdict::Served) => turn == Turn::StaysGood,
            Some(ProbeVerdict::Broken(_)) => turn != Turn::StaysGood && is_as_shown,
            Some(ProbeVerdict::Unknown(_)) | None => false,
        };
        let detail = match verdict {
            Some(ProbeVerdict::Served) => "found good".to_owned(),
            Some(ProbeVerdict::Broken(problems)) => {
                problems.into_iter().map(|problem| problem.message).collect::<Vec<_>>().join("; ")
            }
            Some(ProbeVerdict::Unknown(why)) => why,
            None => "the server could not be started or probed".to_owned(),
        };
        Control { name: turn.name().to_owned(), tripped, detail, proves: proves.to_vec() }
    };
    TURNS.into_iter().map(control).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tripped(runs: &[ControlRun]) -> Vec<bool> {
        controls(runs, &[]).into_iter().map(|control| control.tripped).collect()
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_sound_probe_trips_every_control() {
        let runs = run_controls().await;
        assert_eq!(tripped(&runs), [true; 3], "{:#?}", controls(&runs, &[]));
    }

    /// Each server in turn is taken for another one.
    #[tokio::test(flavor = "current_thread")]
    async fn a_control_that_does_not_trip_is_noticed() {
        let runs = run_controls().await;
        for i in 0..TURNS.len() {
            let mut wrong = runs.clone();
            wrong[i].facts = runs[(i + 1) % TURNS.len()].facts.clone();
            assert_eq!(tripped(&wrong).iter().filter(|tripped| !**tripped).count(), 1, "{wrong:#?}");
            wrong.remove(i);
            assert!(!tripped(&wrong)[i], "one that was not made proves nothing");
        }
    }
}
