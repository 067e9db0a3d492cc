//! The run a gate's checks happen in: its deadline, its signals, its progress.

use std::{fmt, time::Duration};

use tokio::{
    sync::{mpsc, watch},
    time::{Instant, sleep_until},
};

use crate::Progress;

/// How long the undoing steps of an interrupted run may take. A cancelled GitHub job gets SIGINT, 7.5 s later SIGTERM
/// and 2.5 s later SIGKILL, so this leaves time to write the reports before the second signal.
const UNDO_TIME: Duration = Duration::from_secs(5);

/// Why a run ends before its checks do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// SIGINT: somebody pressed Ctrl-C, or the job was cancelled.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// The gate's own `--timeout`.
    Timeout(Duration),
}

impl Stop {
    /// The exit code of an interrupted gate, `128 + signal`; none for a deadline, whose verdict stands.
    #[must_use]
    pub const fn exit_code(self) -> Option<u8> {
        match self {
            Self::Interrupt => Some(130),
            Self::Terminate => Some(143),
            Self::Timeout(_) => None,
        }
    }
}

impl fmt::Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Interrupt => f.write_str("interrupted (SIGINT)"),
            Self::Terminate => f.write_str("interrupted (SIGTERM)"),
            Self::Timeout(after) => write!(f, "the gate's `--timeout` of {} s passed", after.as_secs_f64()),
        }
    }
}

/// The run: tells a gate when to stop, and whoever watches how far it is.
#[derive(Clone, Debug)]
pub struct Run {
    stop: watch::Receiver<Option<(Stop, Instant)>>,
    progress: mpsc::UnboundedSender<Progress>,
}

impl Run {
    /// A run that ends when `stop` says so (why, and since when) and reports to `progress`.
    #[must_use]
    pub const fn new(
        stop: watch::Receiver<Option<(Stop, Instant)>>,
        progress: mpsc::UnboundedSender<Progress>,
    ) -> Self {
        Self { stop, progress }
    }

    /// A run that nothing stops and nobody watches, for tests.
    #[must_use]
    pub fn unwatched() -> Self {
        Self::new(watch::channel(None).1, mpsc::unbounded_channel().0)
    }

    /// Why the run is to end, once it is.
    #[must_use]
    pub fn stopped(&self) -> Option<Stop> {
        self.stop.borrow().map(|(reason, _)| reason)
    }

    /// Waits until the run is to end.
    pub async fn until_stopped(&self) -> Stop {
        self.stop_and_time().await.0
    }

    async fn stop_and_time(&self) -> (Stop, Instant) {
        let mut stop = self.stop.clone();
        match stop.wait_for(Option::is_some).await.map(|stop| *stop) {
            Ok(Some(stopped)) => stopped,
            // Whoever could stop the run is gone, so nothing ever will.
            _ => std::future::pending().await,
        }
    }

    /// Does `work` unless the run ends first.
    ///
    /// # Errors
    /// With the reason when it ended first; the work is dropped where it stands.
    pub async fn unless_stopped<T>(&self, work: impl Future<Output = T>) -> Result<T, Stop> {
        tokio::select! {
            biased;
            reason = self.until_stopped() => Err(reason),
            done = work => Ok(done),
        }
    }

    /// Does `work` whether the run ends or not, but no longer than the time for undoing after its end: for steps that
    /// clean up, and for those that must not be left half done.
    ///
    /// Returns none when the time was used up; the work is dropped where it stands.
    pub async fn unless_overdue<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            done = work => Some(done),
            () = async { sleep_until(self.stop_and_time().await.1 + UNDO_TIME).await } => None,
        }
    }

    /// Tells whoever watches.
    pub fn report(&self, progress: Progress) {
        // Nobody watching is no reason to stop.
        let _ = self.progress.send(progress);
    }
}
