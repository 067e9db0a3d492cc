//! Holding a release: taking its Lease, renewing it, giving it back. The input and output.

use std::time::Duration;

use jiff::Timestamp;
use k8s_openapi::api::coordination::v1::Lease;
use prodtest_kube::{Cluster, ClusterError, Problem};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::{Instant, sleep, sleep_until, timeout, timeout_at},
};

use super::{
    Holder,
    lease::{self, Life, Seen, Watched},
    site::{Site, identity, is_conflict},
};
use crate::apply::patiently;

/// How long a Lease is good for without being renewed, where nobody says otherwise.
pub const LEASE: Duration = Duration::from_secs(15);

/// Why a release could not be taken.
#[derive(Debug, thiserror::Error)]
pub enum AcquireError {
    /// Somebody else holds it, and lives.
    #[error("{holder} holds the release since {since}, and is alive")]
    Busy {
        /// Who.
        holder: Holder,
        /// Since when, by its own clock.
        since: String,
    },
    /// The cluster did not do it.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
}

impl AcquireError {
    /// What to do.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Busy { .. } => {
                Some("wait for it to end, or end it: a holder that died gives way by itself".to_owned())
            }
            Self::Cluster(error) => error.hint(),
        }
    }
}

/// Whether the release is still ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is.
    Ours,
    /// The Lease could not be renewed in time, so that somebody else may take it at any moment: nothing may be changed.
    /// It becomes ours again when the cluster answers and nobody took it.
    Unsure,
    /// It is not, and does not become ours again.
    Lost {
        /// Who took it; nobody, if the Lease is gone or was cleared.
        to: Option<Holder>,
    },
}

/// A release that is ours until [`Self::release`]. Dropped without it, the Lease is left to run out, as after a crash.
#[derive(Debug)]
pub struct Held {
    /// Who we are.
    pub holder: Holder,
    /// Who held it before, and died.
    pub taken_over: Option<Holder>,
    standing: watch::Receiver<Standing>,
    stop: Option<oneshot::Sender<()>>,
    renewing: Option<JoinHandle<Lease>>,
    site: Site,
}

impl Held {
    /// Whether it is still ours. A gate asks this, or [`Self::sure`], before each change that it makes.
    #[must_use]
    pub fn standing(&self) -> Standing {
        self.standing.borrow().clone()
    }

    /// Waits until it is surely ours: a cluster that is away for a while unsettles it, and no more.
    ///
    /// # Errors
    /// With the standing, when it is lost, or still unsure when the patience is over.
    pub async fn sure(&self, patience: Duration) -> Result<(), Standing> {
        let mut watch = self.watch();
        // Told by its end at the latest: who loses it, says so before it stops.
        let _ = timeout(patience, watch.wait_for(|standing| *standing != Standing::Unsure)).await;
        match self.standing() {
            Standing::Ours => Ok(()),
            other => Err(other),
        }
    }

    /// Tells of every change of the standing.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    /// Gives it back. One that was lost is left to whoever has it.
    ///
    /// # Errors
    /// When the cluster did not take it; then it runs out.
    pub async fn release(mut self) -> Result<(), ClusterError> {
        let (Some(stop), Some(renewing)) = (self.stop.take(), self.renewing.take()) else { return Ok(()) };
        // The task may have ended by itself.
        let _ = stop.send(());
        let Ok(mut lease) = renewing.await else { return Ok(()) };
        loop {
            match self.site.replace(&lease::freed(&lease, Timestamp::now())).await {
                Ok(_) => return Ok(()),
                Err(error) if error.problem == Problem::NotFound => return Ok(()),
                Err(error) if is_conflict(&error) => match self.site.get().await? {
                    Some(now) if identity(&now) == Some(self.holder.identity().as_str()) => lease = now,
                    _ => return Ok(()),
                },
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(renewing) = &self.renewing {
            renewing.abort();
        }
    }
}

/// Takes a release of a namespace.
///
/// A holder that dies is told from one that lives by looking, which takes as long as its Lease is good for. So this
/// waits that long in any case, and up to `patience` for a holder that lives.
///
/// # Errors
/// When somebody else holds it and lives, or the cluster does not answer.
pub async fn acquire(
    cluster: &Cluster,
    namespace: &str,
    release: &str,
    who: &Holder,
    patience: Duration,
) -> Result<Held, AcquireError> {
    acquire_for(cluster, namespace, release, who, patience, LEASE).await
}

/// As [`acquire`], with a Lease that is good for `duration`, in whole seconds.
///
/// # Errors
/// As there.
pub async fn acquire_for(
    cluster: &Cluster,
    namespace: &str,
    release: &str,
    who: &Holder,
    patience: Duration,
    duration: Duration,
) -> Result<Held, AcquireError> {
    let site = Site::new(cluster, namespace, release);
    let me = who.identity();
    let begun = Instant::now();
    let mut watched = Watched::default();
    loop {
        let before = patiently(|| site.get()).await?;
        let life = before.as_ref().map_or(Life::Free, |lease| {
            if identity(lease) == Some(me.as_str()) {
                // Our own answer was lost on its way.
                return Life::Free;
            }
            watched.look(Seen::of(lease, duration), begun.elapsed())
        });
        if life == Life::Free || life == Life::Dead {
            let sent = Instant::now();
            let lease = lease::taken(before.as_ref(), &site.name, &me, duration, Timestamp::now());
            let stored = if before.is_some() { site.replace(&lease).await } else { site.create(&lease).await };
            match stored {
                Ok(lease) => {
                    let taken_over = match life {
                        Life::Dead => before.as_ref().and_then(identity).map(Holder::parse),
                        _ => None,
                    };
                    return Ok(renewing(site, who, taken_over, lease, duration, sent));
                }
                // Somebody else was quicker, or it was removed meanwhile.
                Err(error) if is_conflict(&error) || error.problem == Problem::NotFound => {}
                Err(error) => return Err(error.into()),
            }
        } else if life == Life::Alive && begun.elapsed() >= patience {
            let lease = before.unwrap_or_default();
            let holder = Holder::parse(identity(&lease).unwrap_or_default());
            let since = lease.spec.and_then(|spec| spec.acquire_time).map(|time| time.0.to_string());
            return Err(AcquireError::Busy { holder, since: since.unwrap_or_else(|| "an unknown time".to_owned()) });
        }
        sleep((duration / 20).clamp(Duration::from_millis(50), Duration::from_secs(1))).await;
    }
}

fn renewing(
    site: Site,
    who: &Holder,
    taken_over: Option<Holder>,
    lease: Lease,
    duration: Duration,
    sent: Instant,
) -> Held {
    let (tell, standing) = watch::channel(Standing::Ours);
    let (stop, stopped) = oneshot::channel();
    let renewer = Renewer { site: site.clone(), me: who.identity(), duration, tell, lease, renewed: sent };
    let renewing = Some(tokio::spawn(renewer.run(stopped)));
    Held { holder: who.clone(), taken_over, standing, stop: Some(stop), renewing, site }
}

/// Renews a Lease in the background.
struct Renewer {
    site: Site,
    me: String,
    duration: Duration,
    tell: watch::Sender<Standing>,
    lease: Lease,
    /// When the last renewal that was stored was sent: nobody else's clock can have begun earlier.
    renewed: Instant,
}

impl Renewer {
    async fn run(mut self, mut stopped: oneshot::Receiver<()>) -> Lease {
        let mut next = self.renewed + self.duration / 3;
        loop {
            let expires = self.renewed + self.duration;
            tokio::select! {
                _ = &mut stopped => return self.lease,
                () = sleep_until(next) => {}
            }
            let sent = Instant::now();
            // A call that hangs must not outlast the Lease unnoticed.
            let answered = timeout_at(expires.max(sent + self.duration / 3), self.renew()).await;
            next = match answered {
                Ok(Ok(())) => {
                    self.renewed = sent;
                    self.say(Standing::Ours);
                    sent + self.duration / 3
                }
                Ok(Err(Some(standing))) => {
                    self.say(standing);
                    return self.lease;
                }
                Ok(Err(None)) | Err(_) => Instant::now() + self.duration / 15,
            };
            if Instant::now() >= self.renewed + self.duration {
                self.say(Standing::Unsure);
            }
            next = next.min(self.renewed + self.duration).max(Instant::now() + self.duration / 15);
        }
    }

    /// `Err(Some)`: it is lost. `Err(None)`: not this time.
    async fn renew(&mut self) -> Result<(), Option<Standing>> {
        match self.site.replace(&lease::renewed(&self.lease, Timestamp::now())).await {
            Ok(lease) => {
                self.lease = lease;
                Ok(())
            }
            Err(error) if error.problem == Problem::NotFound => Err(Some(Standing::Lost { to: None })),
            Err(error) if is_conflict(&error) => match self.site.get().await {
                Ok(Some(now)) if identity(&now) == Some(self.me.as_str()) => {
                    self.lease = now;
                    Err(None)
                }
                Ok(now) => {
                    let to = now.as_ref().and_then(identity).map(Holder::parse);
                    Err(Some(Standing::Lost { to }))
                }
                Err(_) => Err(None),
            },
            Err(_) => Err(None),
        }
    }

    fn say(&self, standing: Standing) {
        self.tell.send_if_modified(|known| {
            let other = *known != standing;
            *known = standing;
            other
        });
    }
}
