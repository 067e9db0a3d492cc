//! PostgreSQL, asked as the service.

use std::error::Error as _;

use prodtest_inspect::{Seeing, Unseen};
use tokio::{net::TcpStream, task::JoinHandle};
use tokio_postgres::{
    Client, Config, Error, SimpleQueryMessage, SimpleQueryRow, config::SslMode, error::SqlState, tls::MakeTlsConnect,
};
use tokio_postgres_rustls::MakeRustlsConnect;

use super::{
    Address, Denied, Store, Trouble,
    trust::{self, Trust},
};
use crate::gate::Precheck;

/// What connections of this gate call themselves.
pub(crate) const OWN_NAME: &str = "prodtest-precheck";

/// The words that an address begins with.
const SCHEMES: [&str; 2] = ["postgres", "postgresql"];

/// Somebody who is logged in. The connection ends with this.
pub(crate) struct Session {
    client: Client,
    driver: JoinHandle<()>,
    /// The schema that the address asks for, as Prisma's does.
    pub(crate) schema: Option<String>,
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
        let authorities = store.authorities(seeing).await?;
        let (mode, trust) = mode(&address, authorities.is_some())?;
        let tls = trust::config(trust, authorities.as_deref())?;
        let stream = store.dial(&address, 5432).await?;
        let mut maker = MakeRustlsConnect::new(tls);
        let connect = MakeTlsConnect::<TcpStream>::make_tls_connect(&mut maker, address.host());
        let connect = connect.map_err(|error| Unseen::new(format!("TLS cannot be had: {error}")))?;
        let (client, connection) =
            login(&address, mode).connect_raw(stream, connect).await.map_err(|it| refused(&it))?;
        let driver = tokio::spawn(async move {
            // Whoever asks is told how it ended.
            let _ = connection.await;
        });
        Ok(Self { client, driver, schema: address.parameter("schema") })
    }

    /// The rows of one statement, as text: what stands between (a pooler) need not know of prepared ones.
    pub(crate) async fn rows(&self, sql: &str) -> Result<Vec<SimpleQueryRow>, Trouble> {
        let messages = self.client.simple_query(sql).await.map_err(|error| unanswered(&error))?;
        let rows = messages.into_iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row),
            _ => None,
        });
        Ok(rows.collect())
    }
}

/// A column of a row, in the type that it has; none for `NULL`.
pub(crate) fn column<T: std::str::FromStr>(row: &SimpleQueryRow, name: &str) -> Option<T> {
    row.try_get(name).ok().flatten()?.parse().ok()
}

/// A text of SQL.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A name of SQL.
pub(crate) fn name(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\"\""))
}

fn login(address: &Address, mode: SslMode) -> Config {
    let mut config = Config::new();
    config.application_name(OWN_NAME).ssl_mode(mode);
    if let Some(user) = address.user() {
        config.user(user);
    }
    if let Some(password) = address.password() {
        config.password(password);
    }
    if let Some(name) = address.path() {
        config.dbname(name);
    }
    config
}

/// What `sslmode` asks for; `prefer` where it does not stand there. With an authority, `require` is `verify-ca`.
/// <https://www.postgresql.org/docs/current/libpq-ssl.html#LIBPQ-SSL-SSLMODE-STATEMENTS>
fn mode(address: &Address, authority: bool) -> Result<(SslMode, Trust), Denied> {
    Ok(match address.parameter("sslmode").as_deref() {
        Some("disable") => (SslMode::Disable, Trust::Anyone),
        None | Some("prefer" | "allow") => (SslMode::Prefer, Trust::Anyone),
        Some("require" | "no-verify") if !authority => (SslMode::Require, Trust::Anyone),
        Some("require" | "no-verify" | "verify-ca") => (SslMode::Require, Trust::Authority),
        Some("verify-full") => (SslMode::Require, Trust::Name),
        Some(_) => return Err(Denied::new("url", "its `sslmode` is none that PostgreSQL knows")),
    })
}

/// Why nobody is let in.
fn refused(error: &Error) -> Denied {
    let Some(said) = error.as_db_error() else {
        let told = chain(error);
        let rule = if told.contains("TLS") {
            "tls"
        } else if told.contains("password") || told.contains("authenticat") {
            "login"
        } else {
            return Denied::new("connect", format!("it ended the connection before anybody was logged in: {told}"));
        };
        return Denied::new(rule, told);
    };
    let code = said.code();
    let rule = match code {
        code if *code == SqlState::TOO_MANY_CONNECTIONS => "connections",
        code if *code == SqlState::CANNOT_CONNECT_NOW => "connect",
        _ => "login",
    };
    Denied::new(rule, format!("it refused the login: {}, SQLSTATE {}", said.message(), code.code()))
}

/// Why a statement has no rows.
fn unanswered(error: &Error) -> Trouble {
    match error.as_db_error() {
        // Shut down, or thrown out.
        Some(said) if said.code().code().starts_with("57P") => {
            Denied::new("connect", format!("it ended the session: {}", said.message())).into()
        }
        Some(said) => {
            let (message, code) = (said.message(), said.code().code());
            Unseen::new(format!("it refused what this gate asks: {message}, SQLSTATE {code}")).into()
        }
        None => Denied::new("connect", format!("it ended the session: {}", chain(error))).into(),
    }
}

/// An error with its causes, each once.
fn chain(error: &Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !told.contains(&text) {
            told = format!("{told}: {text}");
        }
        cause = error.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_one_believes_is_said_by_the_address() {
        let of = |query: &str, authority| {
            let address = Address::read(&format!("postgres://u@h/d{query}"), &SCHEMES).ok().unwrap();
            mode(&address, authority).ok()
        };
        assert_eq!(of("", false), Some((SslMode::Prefer, Trust::Anyone)));
        assert_eq!(of("?sslmode=disable", true), Some((SslMode::Disable, Trust::Anyone)));
        assert_eq!(of("?sslmode=require", false), Some((SslMode::Require, Trust::Anyone)));
        assert_eq!(of("?sslmode=require", true), Some((SslMode::Require, Trust::Authority)));
        assert_eq!(of("?pool=5&sslmode=verify-full", false), Some((SslMode::Require, Trust::Name)));
        assert_eq!(of("?sslmode=verify", false), None);
    }

    #[test]
    fn what_is_quoted_stays_one_word() {
        assert_eq!((quoted("a'b"), name("a\"b")), ("'a''b'".to_owned(), "\"a\"\"b\"".to_owned()));
    }
}
