//! What ends a run early: signals and the deadline.

use std::{convert::Infallible, time::Duration};

use prodtest_gate::Stop;
use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
    time::Instant,
};

/// The signals that end a run. Listening begins when it is made.
pub(crate) struct Signals {
    interrupt: Signal,
    terminate: Signal,
}

impl Signals {
    /// Begins to listen.
    pub(crate) fn listen() -> std::io::Result<Self> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for what ends the run and says so to `stop`; never returns, for a second signal changes nothing: reports
    /// are being written.
    pub(crate) async fn watch(mut self, timeout: Duration, stop: watch::Sender<Option<(Stop, Instant)>>) -> Infallible {
        let reason = tokio::select! {
            // A job that is cancelled gets SIGINT first: when both are there already, that is the reason.
            biased;
            _ = self.interrupt.recv() => Stop::Interrupt,
            _ = self.terminate.recv() => Stop::Terminate,
            () = tokio::time::sleep(timeout) => Stop::Timeout(timeout),
        };
        stop.send_replace(Some((reason, Instant::now())));
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
            }
        }
    }
}
