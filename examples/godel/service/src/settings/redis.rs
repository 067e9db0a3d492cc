//! `GODEL_REDIS_URL`: where Redis is.

use redis::{Client, ConnectionAddr, IntoConnectionInfo as _, RedisConnectionInfo};
use url::Url;

use super::SettingsError;
use super::database::decoded;
use super::secret::Secret;

pub(super) const URL: &str = "GODEL_REDIS_URL";

/// Everything a connection needs.
pub(crate) struct RedisSettings {
    pub(crate) client: Client,
    pub(crate) password: Secret,
}

impl RedisSettings {
    pub(super) fn read(url: &str) -> Result<Self, SettingsError> {
        // As with the database's, no message quotes the URL.
        let unusable = |why: &str| SettingsError::Url(URL, why.to_owned());
        let url = Url::parse(url).map_err(|error| unusable(&format!("is no URL: {error}")))?;
        match url.scheme() {
            "redis" => {}
            "rediss" => return Err(unusable("asks for TLS, which this service does not speak to Redis")),
            _ => return Err(unusable("does not begin with `redis://`")),
        }
        let host = url.host_str().filter(|host| !host.is_empty()).ok_or_else(|| unusable("names no host"))?;
        let db = match url.path().trim_start_matches('/') {
            "" => 0,
            number => number.parse().map_err(|_| unusable("names a database that is no number"))?,
        };
        if url.query().is_some() || url.fragment().is_some() {
            return Err(unusable("has parameters, which it knows none of"));
        }
        let password = url.password().map(|password| decoded(password).ok_or(()));
        let password = password.transpose().map_err(|()| unusable("holds a password that is no UTF-8 once decoded"))?;

        let mut log_in = RedisConnectionInfo::default().set_db(db);
        if let Some(user) = decoded(url.username()).filter(|user| !user.is_empty()) {
            log_in = log_in.set_username(user);
        }
        if let Some(password) = &password {
            log_in = log_in.set_password(password);
        }
        let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
        let address = ConnectionAddr::Tcp(host, url.port().unwrap_or(6379));
        let info = address.into_connection_info().map(|info| info.set_redis_settings(log_in));
        let client = info.and_then(Client::open).map_err(|error| unusable(error.category()))?;
        Ok(Self { client, password: Secret::new(password) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_says_everything() {
        let client = RedisSettings::read("redis://:p%40ss@cache.test:7000/3").ok().unwrap().client;
        let info = client.get_connection_info();
        assert_eq!(info.addr(), &ConnectionAddr::Tcp("cache.test".to_owned(), 7000));
        let log_in = info.redis_settings();
        assert_eq!((log_in.username(), log_in.password(), log_in.db()), (None, Some("p@ss"), 3));
    }

    #[test]
    fn what_is_wrong_is_said_without_the_url() {
        for (url, said) in [
            ("s3cret", "is no URL"),
            ("postgres://:s3cret@h", "does not begin with"),
            ("rediss://:s3cret@h", "asks for TLS"),
            ("redis://:s3cret@h/first", "no number"),
            ("redis://h?s3cret", "parameters"),
            ("redis://:s3cret#x@h", "is no URL"),
        ] {
            let error = RedisSettings::read(url).err().unwrap().to_string();
            assert!(error.contains(said) && !error.contains("s3cret"), "{url}: {error}");
        }
    }
}
