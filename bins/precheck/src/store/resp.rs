//! Redis, asked as the service.

use prodtest_inspect::{Seeing, Unseen};
use redis::{
    AsyncConnectionConfig, Cmd, ErrorKind, FromRedisValue, RedisConnectionInfo, RedisError, ServerErrorKind,
    aio::MultiplexedConnection, cmd,
};
use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    task::JoinHandle,
};
use tokio_rustls::TlsConnector;

use super::{
    Denied, Store, Trouble,
    trust::{self, Trust},
};
use crate::gate::Precheck;

/// The words that an address begins with; the second with TLS.
const SCHEMES: [&str; 2] = ["redis", "rediss"];

/// Somebody who is logged in. The connection ends with this.
pub(crate) struct Session {
    connection: MultiplexedConnection,
    driver: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.driver.abort();
    }
}

impl Session {
    /// Logs in, with the service's own credentials.
    pub(crate) async fn open(seeing: &Seeing<'_, Precheck>, store: &Store) -> Result<Self, Trouble> {
        let address = store.address(seeing, &SCHEMES)?;
        let database = address.path();
        if database.as_ref().is_some_and(|number| number.parse::<u32>().is_err()) {
            return Err(Denied::new("url", "its address names a database that is no number").into());
        }
        let tls = match address.scheme() {
            "rediss" => Some(trust::config(Trust::Name, store.authorities(seeing).await?.as_deref())?),
            _ => None,
        };
        let stream = store.dial(&address, 6379).await?;
        let session = match tls {
            None => Self::over(stream).await?,
            Some(config) => {
                let name = ServerName::try_from(address.host().to_owned())
                    .map_err(|_| Denied::new("url", "its address names a host that no certificate could be for"))?;
                let connected = TlsConnector::from(std::sync::Arc::new(config)).connect(name, stream).await;
                Self::over(connected.map_err(|error| Denied::new("tls", error.to_string()))?).await?
            }
        };
        if let Some(password) = address.password() {
            let mut log_in = cmd("AUTH");
            if let Some(user) = address.user() {
                log_in.arg(user);
            }
            session.told(log_in.arg(password)).await?;
        }
        if let Some(number) = database.filter(|number| number != "0") {
            session.told(cmd("SELECT").arg(number)).await?;
        }
        Ok(session)
    }

    /// Over a connection, without a login.
    pub(crate) async fn over<S>(stream: S) -> Result<Self, Trouble>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        // Every wait is bounded by who asks.
        let config = AsyncConnectionConfig::new().set_connection_timeout(None).set_response_timeout(None);
        let made = MultiplexedConnection::new_with_config(&RedisConnectionInfo::default(), stream, config).await;
        let (connection, driver) = made.map_err(|error| refused(&error))?;
        Ok(Self { connection, driver: tokio::spawn(driver) })
    }

    /// What it answers; an error that it says is one.
    pub(crate) async fn ask<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        command.query_async(&mut self.connection.clone()).await
    }

    /// The same, where a no means that the service would not get on either.
    pub(crate) async fn told(&self, command: &Cmd) -> Result<(), Denied> {
        self.ask::<redis::Value>(command).await.map(|_| ()).map_err(|error| refused(&error))
    }
}

/// Whether it says that it is still loading its data.
pub(crate) fn is_loading(error: &RedisError) -> bool {
    error.kind() == ErrorKind::Server(ServerErrorKind::BusyLoading)
}

/// Why a command was refused.
pub(crate) fn refused(error: &RedisError) -> Denied {
    let login = ["NOAUTH", "WRONGPASS", "NOPERM"];
    match error.code() {
        Some(code) if login.contains(&code) || error.kind() == ErrorKind::AuthenticationFailed => {
            Denied::new("login", format!("it refused the login: {error}"))
        }
        Some(_) => Denied::new("refused", format!("it refused what the service asks first: {error}")),
        None => Denied::new("connect", format!("it ended the connection: {error}")),
    }
}

/// Why what only this gate asks was not answered.
pub(crate) fn unanswered(what: &str, error: &RedisError) -> Trouble {
    match error.code() {
        Some(_) => Unseen::new(format!("it refused `{what}`: {error}"))
            .hint(format!("let the service's user ask for it: `ACL SETUSER … +{}`", what.to_lowercase()))
            .into(),
        None => refused(error).into(),
    }
}
