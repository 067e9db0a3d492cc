//! `GODEL_DATABASE_URL`: where PostgreSQL is, and how far its certificate is to be checked.

use std::path::Path;
use std::time::Duration;

use percent_encoding::percent_decode_str;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::Config;
use tokio_postgres::config::SslMode;
use url::Url;

use super::SettingsError;
use super::secret::Secret;
use crate::database::trust;

pub(super) const URL: &str = "GODEL_DATABASE_URL";
pub(super) const CA: &str = "GODEL_DATABASE_CA";

/// How long the system may take to connect; TLS and log-in are bounded by whoever waits for them.
const CONNECT: Duration = Duration::from_secs(2);
/// How long what was sent may stay unacknowledged, before the connection counts as lost.
const UNACKNOWLEDGED: Duration = Duration::from_secs(10);

/// Everything a connection needs.
pub(crate) struct DatabaseSettings {
    pub(crate) config: Config,
    pub(crate) tls: ClientConfig,
    pub(crate) password: Secret,
}

/// What `sslmode` asks for. tokio-postgres has no word for the last.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Disable,
    Prefer,
    Require,
    VerifyFull,
}

impl Mode {
    fn by_name(name: &str) -> Option<Self> {
        match name {
            "disable" => Some(Self::Disable),
            "prefer" => Some(Self::Prefer),
            "require" => Some(Self::Require),
            "verify-full" => Some(Self::VerifyFull),
            _ => None,
        }
    }

    fn ssl(self) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            Self::Prefer => SslMode::Prefer,
            Self::Require | Self::VerifyFull => SslMode::Require,
        }
    }
}

impl DatabaseSettings {
    /// Reads the URL, and the authority's certificates, if there are any.
    pub(super) fn read(url: &str, ca: Option<String>) -> Result<Self, SettingsError> {
        let unusable = |why: &str| SettingsError::Url(URL, why.to_owned());
        // What is wrong is said without quoting the URL: any part of it may be a piece of the password.
        let url = Url::parse(url).map_err(|error| unusable(&format!("is no URL: {error}")))?;
        if !["postgres", "postgresql"].contains(&url.scheme()) {
            return Err(unusable("does not begin with `postgres://`"));
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| unusable("names no host"))?;
        let user = decoded(url.username()).filter(|user| !user.is_empty());
        let user = user.ok_or_else(|| unusable("names no user"))?;
        let name = decoded(url.path().trim_start_matches('/')).filter(|name| !name.is_empty());
        let name = name.ok_or_else(|| unusable("names no database"))?;
        let password = url.password().map(|password| decoded(password).ok_or(()));
        let password = password.transpose().map_err(|()| unusable("holds a password that is no UTF-8 once decoded"))?;
        let mode = mode(&url).map_err(unusable)?;

        let mut config = Config::new();
        config
            .application_name("godel")
            // The brackets of an IPv6 address belong to the URL.
            .host(host.trim_start_matches('[').trim_end_matches(']'))
            .port(url.port().unwrap_or(5432))
            .user(&user)
            .dbname(&name)
            .ssl_mode(mode.ssl())
            .connect_timeout(CONNECT)
            .tcp_user_timeout(UNACKNOWLEDGED)
            .keepalives_idle(UNACKNOWLEDGED);
        if let Some(password) = &password {
            config.password(password);
        }
        let tls = match (mode, ca) {
            (Mode::VerifyFull, Some(ca)) => trust::trusting(authorities(Path::new(&ca))?),
            (Mode::VerifyFull, None) => return Err(SettingsError::Missing(CA)),
            (_, Some(_)) => return Err(SettingsError::Unverified),
            (_, None) => trust::trusting_anyone(),
        };
        let tls = tls.map_err(|error| unusable(&format!("cannot be had by TLS: {error}")))?;
        Ok(Self { config, tls, password: Secret::new(password) })
    }
}

fn mode(url: &Url) -> Result<Mode, &'static str> {
    let mut mode = Mode::Prefer;
    for (name, value) in url.query_pairs() {
        if name != "sslmode" {
            return Err("has a parameter other than `sslmode`");
        }
        mode = Mode::by_name(&value).ok_or("has an `sslmode` other than disable, prefer, require and verify-full")?;
    }
    Ok(mode)
}

/// A part of a URL as it was meant.
pub(super) fn decoded(part: &str) -> Option<String> {
    Some(percent_decode_str(part).decode_utf8().ok()?.into_owned())
}

fn authorities(path: &Path) -> Result<RootCertStore, SettingsError> {
    let failed = |why: String| SettingsError::Authority { path: path.to_owned(), why };
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let mut roots = RootCertStore::empty();
    for certificate in certificates.map_err(|error| failed(error.to_string()))? {
        roots.add(certificate).map_err(|error| failed(error.to_string()))?;
    }
    if roots.is_empty() {
        return Err(failed("no certificate in it".to_owned()));
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use tokio_postgres::config::Host;

    use super::*;

    fn read(url: &str) -> Result<DatabaseSettings, String> {
        DatabaseSettings::read(url, None).map_err(|error| error.to_string())
    }

    #[test]
    fn a_url_says_everything() {
        let read = read("postgres://go%64el:p%40ss%2Fw%23rd@db.test:6432/agents?sslmode=require").unwrap().config;
        assert_eq!(read.get_hosts(), [Host::Tcp("db.test".to_owned())]);
        assert_eq!(read.get_ports(), [6432]);
        assert_eq!((read.get_user(), read.get_dbname()), (Some("godel"), Some("agents")));
        assert_eq!(read.get_password(), Some(&b"p@ss/w#rd"[..]));
        assert_eq!(read.get_ssl_mode(), SslMode::Require);
    }

    #[test]
    fn what_is_not_said_has_a_default() {
        let read = read("postgresql://me@[::1]/a").unwrap().config;
        assert_eq!(read.get_hosts(), [Host::Tcp("::1".to_owned())]);
        assert_eq!((read.get_ports(), read.get_password()), (&[5432][..], None));
        assert_eq!(read.get_ssl_mode(), SslMode::Prefer);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_url() {
        for (url, said) in [
            ("s3cret", "is no URL"),
            ("redis://u:s3cret@h/d", "does not begin with"),
            ("postgres:///s3cret", "names no host"),
            ("postgres://h/s3cret", "names no user"),
            ("postgres://u:s3cret@h", "names no database"),
            ("postgres://u:s3cret%FF@h/d", "no UTF-8"),
            ("postgres://u:s3cret@h/d?sslmode=s3cret", "other than disable"),
            // An unescaped `?` in the password.
            ("postgres://u:1?s3cret@h/d", "names no user"),
            ("postgres://u:1/d?s3cret@h/d", "names no user"),
            ("postgres://u@h/d?s3cret=1", "other than `sslmode`"),
            ("postgres://u:s3cret/x@h/d", "is no URL"),
        ] {
            let error = read(url).err().unwrap();
            assert!(error.contains(said) && !error.contains("s3cret"), "{url}: {error}");
        }
    }

    #[test]
    fn a_certificate_is_checked_against_an_authority_or_not_at_all() {
        let url = |mode| format!("postgres://u@h/d?sslmode={mode}");
        let error = |mode, ca: Option<&str>| {
            let read = DatabaseSettings::read(&url(mode), ca.map(str::to_owned));
            read.err().map(|error| error.to_string()).unwrap()
        };
        assert_eq!(error("verify-full", None), "`GODEL_DATABASE_CA` is not set");
        assert!(error("verify-full", Some("/none.pem")).contains("/none.pem"));
        assert!(error("require", Some("/none.pem")).contains("verify-full"));
    }
}
