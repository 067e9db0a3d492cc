//! Tokens: where a registry sends for one, and what is brought there.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prodtest_http::Response;
use secrecy::ExposeSecret as _;
use serde::Deserialize;
use url::{Url, form_urlencoded};

use super::{
    Login, Problem,
    ask::{Session, said},
    challenge::Challenge,
};

/// What is said by whoever gives tokens: `token`, or OAuth's word for it.
#[derive(Deserialize)]
struct Token {
    token: Option<String>,
    access_token: Option<String>,
}

impl Session<'_> {
    /// What goes into `authorization` for this challenge. `words`: what the registry said with it.
    pub(super) async fn log_in(&mut self, challenge: Challenge, words: &str) -> Result<String, Problem> {
        match (challenge, &self.registry.options.login) {
            (Challenge::Basic, None) => Err(Problem::Unauthorized(words.to_owned())),
            (Challenge::Basic, Some(login)) => login.basic().ok_or_else(|| {
                Problem::Denied("it wants a user and a password, and the login is an identity token".to_owned())
            }),
            (Challenge::Bearer { realm, service, scope }, _) => {
                let scope = scope.unwrap_or_else(|| format!("repository:{}:pull", self.reference.path()));
                let token = self.token(realm, service, scope).await?;
                self.keep_secret(&token);
                Ok(format!("Bearer {token}"))
            }
        }
    }

    /// Fetches a token. The realm may be another host, is asked once, and is not followed anywhere.
    async fn token(&self, mut realm: Url, service: Option<String>, scope: String) -> Result<String, Problem> {
        self.must_be_safe(&realm)?;
        let mut wanted = vec![("scope", scope)];
        wanted.extend(service.map(|service| ("service", service)));
        let json = ("accept".to_owned(), "application/json".to_owned());
        let response = match &self.registry.options.login {
            Some(Login::IdentityToken(token)) => {
                wanted.push(("grant_type", "refresh_token".to_owned()));
                wanted.push(("client_id", "prodtest".to_owned()));
                wanted.push(("refresh_token", token.expose_secret().to_owned()));
                let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(wanted).finish();
                let kind = ("content-type".to_owned(), "application/x-www-form-urlencoded".to_owned());
                self.send(&realm, "POST", vec![json, kind], Some(form.into_bytes())).await?
            }
            login => {
                realm.query_pairs_mut().extend_pairs(wanted);
                let mut headers = vec![json];
                let basic = login.as_ref().and_then(Login::basic);
                headers.extend(basic.map(|basic| ("authorization".to_owned(), basic)));
                self.send(&realm, "GET", headers, None).await?
            }
        };
        self.token_in(&realm, &response)
    }

    fn token_in(&self, realm: &Url, response: &Response) -> Result<String, Problem> {
        let host = realm.host_str().unwrap_or_default();
        let words = format!("`{host}`, which gives the tokens, answered {}: {}", response.status, said(response));
        // A proxy's page is none of theirs.
        let is_json = serde_json::from_str::<serde::de::IgnoredAny>(&response.body.text).is_ok();
        match response.status {
            // What came may hold a token: it is not quoted.
            200 => serde_json::from_str::<Token>(&response.body.text)
                .ok()
                .and_then(|token| token.token.or(token.access_token))
                .filter(|token| !token.is_empty())
                .ok_or_else(|| Problem::Garbage(format!("`{host}`, which gives the tokens, gave none"))),
            401 => Err(self.refused(words)),
            400 | 403 if is_json => Err(self.refused(words)),
            429 => Err(Problem::RateLimited(words)),
            status @ 500.. => Err(Problem::Failing { status, said: words }),
            _ => Err(Problem::Garbage(words)),
        }
    }
}

impl Login {
    /// The login as `authorization` has it; none of an identity token.
    pub(super) fn basic(&self) -> Option<String> {
        match self {
            Self::Password { user, password } => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose_secret()))))
            }
            Self::IdentityToken(_) => None,
        }
    }

    /// Everything of it that must not be told.
    pub(super) fn secrets(&self) -> Vec<String> {
        match self {
            Self::Password { user, password } => {
                let password = password.expose_secret();
                vec![password.to_owned(), format!("{user}:{password}")]
            }
            Self::IdentityToken(token) => vec![token.expose_secret().to_owned()],
        }
    }
}
