//! The client: one exchange from start to end.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use http::HeaderValue;
use rustls::{ClientConfig, RootCertStore};

use crate::{
    Exchange, Failure, FailureKind, Request,
    collect::Progress,
    dial::dial,
    explain,
    phase::Phase,
    pool::Pool,
    request::{Origin, Prepared},
    tls,
    wire::Connection,
};

/// How a client reaches the service.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientOptions {
    /// Where every TCP connection goes instead of to the URL's host and port, as with curl's `--connect-to`. The `host`
    /// header and the name in TLS stay those of the URL.
    pub connect: Option<(String, u16)>,
    /// The certificate authorities to trust instead of the system's, as PEM.
    pub ca: Option<Vec<u8>>,
    /// What is sent as `user-agent`; nothing when it is empty.
    pub user_agent: String,
}

impl ClientOptions {
    /// The host and the port that are dialled for an origin.
    pub(crate) fn target(&self, origin: &Origin) -> (String, u16) {
        self.connect.clone().unwrap_or_else(|| (origin.host.to_string(), origin.port))
    }
}

/// Why options are none: a mistake in the configuration.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOptions {
    /// The authorities cannot be used.
    #[error("the certificate authorities cannot be read: {0}")]
    Ca(String),
    /// The name of the client cannot be sent.
    #[error("the user agent {0:?} cannot be sent as a header")]
    UserAgent(String),
}

/// An HTTP/1.1 client. A clone shares its connections.
#[derive(Clone)]
pub struct Client {
    shared: Arc<Shared>,
    keeps: bool,
}

struct Shared {
    options: ClientOptions,
    user_agent: Option<HeaderValue>,
    given: Option<RootCertStore>,
    /// Made for the first request that needs it: reading the system's authorities takes longer than a program may take
    /// to start.
    tls: OnceLock<Result<Arc<ClientConfig>, Failure>>,
    pool: Pool,
}

impl Client {
    /// A client with these options. Nothing is connected or read yet.
    ///
    /// # Errors
    /// When the authorities given hold no certificate, or the user agent cannot be sent.
    pub fn new(options: ClientOptions) -> Result<Self, InvalidOptions> {
        let given = options.ca.as_deref().map(tls::given_authorities).transpose()?;
        let user_agent = match options.user_agent.as_str() {
            "" => None,
            name => {
                Some(HeaderValue::from_str(name).map_err(|_| InvalidOptions::UserAgent(options.user_agent.clone()))?)
            }
        };
        let shared = Shared { options, user_agent, given, tls: OnceLock::new(), pool: Pool::default() };
        Ok(Self { shared: Arc::new(shared), keeps: true })
    }

    /// The same client, but each request gets a connection of its own, which is closed after it.
    #[must_use]
    pub fn unkept(&self) -> Self {
        Self { shared: Arc::clone(&self.shared), keeps: false }
    }

    /// Sends a request and takes down what comes of it. Dropping the future closes its connection.
    ///
    /// A kept connection may be closed by the server at the very moment a request is sent on it, which says nothing of
    /// the service. So only safe methods (`GET`, `HEAD`, `OPTIONS`, `TRACE`) go over kept connections, and if one ends
    /// there before the first byte of an answer, or with a 408, the request is sent once more on a new connection. All
    /// other methods get a new connection each, and nothing else is ever sent twice.
    pub async fn send(&self, request: Request) -> Exchange {
        let prepared = match Prepared::new(&request, self.shared.user_agent.as_ref()) {
            Ok(prepared) => prepared,
            Err(failure) => return Exchange::unsent(failure),
        };
        // Before the clock starts: reading authorities is no time of the service's.
        let tls = match prepared.origin.tls.then(|| self.tls()).transpose() {
            Ok(tls) => tls,
            Err(failure) => return Exchange::unsent(failure),
        };
        let mut progress = Progress::default();
        let (host, port) = self.shared.options.target(&prepared.origin);
        let peer = format!("{host}:{port}");
        let attempt = Attempt {
            client: &self.shared,
            keeps: self.keeps,
            prepared: &prepared,
            tls,
            peer: &peer,
            max_body: request.max_body,
        };

        let started = Instant::now();
        let ended = tokio::time::timeout(request.timeout, attempt.run(&mut progress)).await;
        let failure = match ended {
            Ok(result) => result.err(),
            Err(_) => Some(progress.phase.timed_out(&peer, request.timeout, progress.received())),
        };
        progress.into_exchange(started, failure)
    }

    fn tls(&self) -> Result<Arc<ClientConfig>, Failure> {
        let make = || self.shared.given.clone().map_or_else(tls::system_authorities, Ok).and_then(tls::verifying);
        self.shared.tls.get_or_init(make).clone()
    }
}

/// What one exchange works with.
struct Attempt<'a> {
    client: &'a Shared,
    keeps: bool,
    prepared: &'a Prepared,
    tls: Option<Arc<ClientConfig>>,
    peer: &'a str,
    max_body: u64,
}

impl Attempt<'_> {
    async fn run(&self, progress: &mut Progress) -> Result<(), Failure> {
        if self.keeps
            && self.prepared.is_safe()
            && let Some(kept) = self.client.pool.take(&self.prepared.origin, &mut progress.found_closed).await
        {
            progress.reused = true;
            let result = self.exchange(kept, progress).await;
            if !was_stale(progress, result.as_ref().err()) {
                return result;
            }
            *progress = Progress { resent: true, found_closed: progress.found_closed, ..Progress::default() };
        }
        let connection = self.open(&mut progress.phase).await?;
        self.exchange(connection, progress).await
    }

    async fn open(&self, phase: &mut Phase) -> Result<Connection, Failure> {
        let (host, port) = self.client.options.target(&self.prepared.origin);
        let tcp = dial(&host, port, phase).await?;
        let connection = match &self.tls {
            None => Connection::over(tcp).await,
            Some(config) => {
                *phase = Phase::Tls;
                let name = tls::server_name(&self.prepared.origin.host)?;
                Connection::over(tls::handshake(Arc::clone(config), name, tcp, self.peer).await?).await
            }
        };
        connection.map_err(|error| Failure::new(FailureKind::Instrument, error.to_string()))
    }

    async fn exchange(&self, mut connection: Connection, progress: &mut Progress) -> Result<(), Failure> {
        progress.phase = Phase::Head;
        connection.traffic().restart();
        progress.traffic = Some(connection.traffic().clone());
        let response = match connection.head(self.prepared.message.clone()).await {
            Ok(response) => response,
            Err(error) => {
                progress.unsent = error.is_canceled();
                return Err(explain::of_head(&error, self.peer, connection.traffic()));
            }
        };
        let (head, mut body) = response.into_parts();
        progress.take_head(&head);
        while let Some(frame) = connection.frame(&mut body).await {
            let frame = frame.map_err(|error| explain::of_body(&error, progress.body.bytes()))?;
            // A frame that is no data holds trailers, which nobody asks for.
            if let Some(piece) = frame.data_ref() {
                progress.body.add(piece, self.max_body)?;
            }
        }
        drop(body);
        if self.keeps {
            self.client.pool.put(self.prepared.origin.clone(), connection).await;
        }
        Ok(())
    }
}

/// Whether a kept connection was already going when the request was sent on it.
fn was_stale(progress: &Progress, failure: Option<&Failure>) -> bool {
    let ended = failure.is_some_and(|failure| matches!(failure.kind, FailureKind::Closed | FailureKind::Reset));
    // Load balancers say goodbye to an idle connection with a 408, which then meets the next request.
    let goodbye = progress.head.as_ref().is_some_and(|(status, _)| *status == 408);
    goodbye || (ended && (progress.unsent || progress.received() == 0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_and_its_exchanges_go_between_threads() {
        fn assert_shared<T: Send + Sync>() {}
        fn assert_sent<T: Send>(_: &T) {}
        assert_shared::<Client>();
        let _ = |client: &'static Client, request: Request| assert_sent(&client.send(request));
    }
}
