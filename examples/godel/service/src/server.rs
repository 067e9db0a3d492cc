//! The accept loop, and how it ends.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::middleware::from_fn_with_state;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use hyper_util::service::TowerToHyperService;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use crate::app::{App, Shared};
use crate::database::Mismatch;
use crate::settings::Settings;
use crate::tls::Tls;
use crate::{access, api, limit};

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long a connection may be silent before its next request is read: longer than the usual minute of a load
/// balancer, so that it is never the service that hangs up on a request under way.
const SILENCE: Duration = Duration::from_secs(75);
/// The pause after a failed accept: what lacks (files, mostly) is not back at once.
const BREATH: Duration = Duration::from_millis(100);

/// How the service takes its leave.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// How long it goes on accepting, though no longer ready: load balancers need a moment to notice.
    pub drain: Duration,
    /// How long requests in flight may then take.
    pub grace: Duration,
}

/// The service, bound to its address.
pub struct Server {
    listener: TcpListener,
    app: Shared,
    tls: Option<Tls>,
    #[cfg(feature = "faults")]
    faults: Vec<crate::faults::Fault>,
}

impl Server {
    /// Takes the address, so that whoever connects from now on is served.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub async fn bind(listen: SocketAddr, settings: Settings, tls: Option<Tls>) -> io::Result<Self> {
        Ok(Self {
            listener: TcpListener::bind(listen).await?,
            app: Arc::new(App::new(settings)),
            tls,
            #[cfg(feature = "faults")]
            faults: Vec::new(),
        })
    }

    /// Breaks the service.
    #[cfg(feature = "faults")]
    #[must_use]
    pub fn with_faults(mut self, faults: Vec<crate::faults::Fault>) -> Self {
        self.faults = faults;
        self
    }

    /// Where it is reached.
    ///
    /// # Errors
    /// When the system does not know the socket's address.
    pub fn url(&self) -> io::Result<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        Ok(format!("{scheme}://{}", self.listener.local_addr()?))
    }

    /// Serves until `shutdown`, then stops: not ready at once, no new connections after `patience.drain`, and what is
    /// in flight is answered within `patience.grace`.
    ///
    /// # Errors
    /// When the database turns out to have been migrated by something else.
    pub async fn run(self, shutdown: impl Future<Output = ()>, patience: Patience) -> Result<(), Mismatch> {
        let router = self.router();
        let graceful = GracefulShutdown::new();
        tracing::info!(
            version = self.app.version,
            instance = self.app.instance,
            tls = self.tls.is_some(),
            database = self.app.database.is_some(),
            redis = self.app.redis.is_some(),
            "started"
        );

        // Meanwhile it is reached, and says that it is not ready: a database may come later than its clients.
        let app = Arc::clone(&self.app);
        let (refuse, refused) = oneshot::channel();
        let preparing = tokio::spawn(async move {
            if let Err(mismatch) = app.prepare().await {
                // Nobody listens any more when the service is stopping.
                let _ = refuse.send(mismatch);
            }
        });
        let end = async {
            tokio::select! {
                () = shutdown => Ok(()),
                Ok(mismatch) = refused => Err(mismatch),
            }
        };
        self.accept_until(end, &router, &graceful).await?;
        preparing.abort();
        self.app.stop();
        tracing::info!("stopping");
        self.accept_until(sleep(patience.drain), &router, &graceful).await;
        drop(self.listener);

        let answered = timeout(patience.grace, graceful.shutdown()).await;
        self.app.close();
        match answered {
            Ok(()) => tracing::info!("stopped"),
            Err(_) => tracing::warn!("stopped, with requests unanswered"),
        }
        Ok(())
    }

    fn router(&self) -> Router {
        let router = api::routes();
        #[cfg(feature = "faults")]
        let router = crate::faults::inject(router, &self.app, &self.faults);
        router
            .layer(from_fn_with_state(Arc::clone(&self.app), limit::around))
            .layer(from_fn_with_state(Arc::clone(&self.app), access::record))
            .with_state(Arc::clone(&self.app))
    }

    async fn accept_until<T>(&self, end: impl Future<Output = T>, router: &Router, graceful: &GracefulShutdown) -> T {
        let mut end = std::pin::pin!(end);
        loop {
            let accepted = tokio::select! {
                biased;
                ended = &mut end => return ended,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    // Watched from here on, so that a shutdown waits for handshakes too.
                    let serving = serve(stream, self.tls.clone(), router.clone(), graceful.watcher());
                    tokio::spawn(serving);
                }
                Err(error) => {
                    tracing::warn!(%error, "cannot accept");
                    sleep(BREATH).await;
                }
            }
        }
    }
}

async fn serve(stream: TcpStream, tls: Option<Tls>, router: Router, watcher: Watcher) {
    // Answers are small and written whole: waiting for more to send would only delay them.
    let _ = stream.set_nodelay(true);
    #[cfg(feature = "faults")]
    let router = crate::faults::on_line(router, &stream);

    let Some(tls) = tls else {
        return converse(stream, router, watcher).await;
    };
    match timeout(HANDSHAKE, tls.acceptor().accept(stream)).await {
        Ok(Ok(stream)) => converse(stream, router, watcher).await,
        Ok(Err(error)) => tracing::debug!(%error, "no TLS handshake"),
        Err(_) => tracing::debug!("no TLS handshake in time"),
    }
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static, router: Router, watcher: Watcher) {
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENCE)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(router));
    // Clients hang up as they please.
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(%error, "connection broke");
    }
}
