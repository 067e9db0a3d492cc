//! The part of Vault's API that is asked.

use std::time::Duration;

use k8s_openapi::api::{
    authentication::v1::{TokenRequest, TokenRequestSpec},
    core::v1::ServiceAccount,
};
use prodtest_gate::Rule;
use prodtest_http::{Client, ClientOptions, FailureKind, Request, Response};
use prodtest_inspect::{Seeing, Unseen};
use prodtest_kube::{
    Call,
    kube::{Api, api::PostParams},
};
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{At, Auth};
use crate::{
    gate::Precheck,
    store::{Denied, Trouble, authorities},
};

/// How long one answer may take; all together have less than twice that.
const ANSWER: Duration = Duration::from_secs(4);
/// How much is read of an answer: what is larger is no secret.
const MAX_BODY: u64 = 1024 * 1024;
/// How long a token of a service account lasts, in seconds: less is not given.
const TOKEN_LASTS: i64 = 600;

/// What Vault says of itself.
/// <https://developer.hashicorp.com/vault/api-docs/system/health>
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Health {
    pub(super) version: String,
    pub(super) initialized: bool,
    pub(super) sealed: bool,
    /// Whether it waits for the end of another cluster, and answers nobody until then.
    pub(super) dr_secondary: bool,
}

impl Health {
    /// Why it can let nobody in, with the rule that breaks. A standby passes on what it is asked.
    pub(super) fn why_not(&self) -> Option<(&'static str, &'static str)> {
        if !self.initialized {
            Some(("initialised", "is not initialised"))
        } else if self.sealed {
            Some(("sealed", "is sealed"))
        } else if self.dr_secondary {
            Some(("secondary", "is a secondary for disaster recovery, and serves nobody"))
        } else {
            None
        }
    }
}

/// Vault.
pub(super) struct Vault {
    client: Client,
    base: String,
    namespace: Option<String>,
}

impl Vault {
    pub(super) async fn new(seeing: &Seeing<'_, Precheck>, at: &At) -> Result<Self, Unseen> {
        let options = ClientOptions {
            connect: at.connect.as_ref().map(|connect| (connect.host.clone(), connect.port)),
            ca: authorities(seeing, at.ca.as_ref()).await?.map(String::into_bytes),
            user_agent: format!("prodtest-precheck/{}", env!("CARGO_PKG_VERSION")),
        };
        let client = Client::new(options).map_err(|error| Unseen::new(error.to_string()))?;
        let base = at.url.to_string().trim_end_matches('/').to_owned();
        Ok(Self { client, base, namespace: at.namespace.clone() })
    }

    pub(super) async fn health(&self) -> Result<Health, Trouble> {
        let response = self.ask("GET", "sys/health", None, None).await?;
        let told = serde_json::from_str::<Value>(&response.body.text).ok().filter(|it| it["initialized"].is_boolean());
        let Some(told) = told else {
            let status = response.status;
            return Err(Denied::new("health", format!("its health is no answer of Vault, status {status}")).into());
        };
        Ok(Health {
            version: told["version"].as_str().unwrap_or("unknown").to_owned(),
            initialized: told["initialized"] == true,
            sealed: told["sealed"] != false,
            dr_secondary: response.status == 472,
        })
    }

    /// A token for what follows, or why the service gets none.
    pub(super) async fn log_in(
        &self,
        seeing: &Seeing<'_, Precheck>,
        auth: &Auth,
    ) -> Result<Result<SecretString, Denied>, Trouble> {
        let secret = |reference| seeing.means.secret(reference).map(|it: &SecretString| it.expose_secret().to_owned());
        if let Some(token) = &auth.token {
            let token = secret(&token.value)?;
            let answer = self.ask("GET", "auth/token/lookup-self", Some(&token), None).await?;
            return Ok(good("login", &answer, &[&token]).map(|()| token.into()));
        }
        let (mount, body, hidden) = match (&auth.kubernetes, &auth.approle) {
            (Some(auth), _) => {
                let jwt = token(seeing, &auth.service_account).await?;
                (auth.mount.as_deref().unwrap_or("kubernetes"), json!({ "role": auth.role, "jwt": jwt }), vec![jwt])
            }
            (None, Some(auth)) => {
                let (role, secret) = (secret(&auth.role_id.value)?, secret(&auth.secret_id.value)?);
                let body = json!({ "role_id": role, "secret_id": secret });
                (auth.mount.as_deref().unwrap_or("approle"), body, vec![role, secret])
            }
            (None, None) => return Err(Unseen::new("nothing says how the service logs in").into()),
        };
        let path = format!("auth/{}/login", mount.trim_matches('/'));
        let answer = self.ask("POST", &path, None, Some(&body)).await?;
        let hidden: Vec<&str> = hidden.iter().map(String::as_str).collect();
        if let Err(why) = good("login", &answer, &hidden) {
            return Ok(Err(why));
        }
        let told: Value = serde_json::from_str(&answer.body.text).unwrap_or_default();
        let token = told["auth"]["client_token"].as_str().filter(|token| !token.is_empty());
        Ok(token.map(|token| token.to_owned().into()).ok_or_else(|| Denied::new("login", "it gave no token")))
    }

    /// Whether a path can be read. What is there is dropped.
    pub(super) async fn read(&self, path: &str, token: &SecretString) -> Result<Result<(), Denied>, Trouble> {
        let answer = self.ask("GET", path.trim_matches('/'), Some(token.expose_secret()), None).await?;
        Ok(match answer.status {
            404 => Err(Denied::new("path", "there is nothing, status 404")),
            _ => good("path", &answer, &[token.expose_secret()]),
        })
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: Option<&Value>,
    ) -> Result<Response, Trouble> {
        let url = format!("{}/v1/{path}", self.base);
        let url = url.parse().map_err(|error| Unseen::new(format!("`{url}` is no URL: {error}")))?;
        let mut headers = vec![("x-vault-request".to_owned(), "true".to_owned())];
        headers.extend(token.map(|token| ("x-vault-token".to_owned(), token.to_owned())));
        headers.extend(self.namespace.iter().map(|namespace| ("x-vault-namespace".to_owned(), namespace.clone())));
        let body = body.map(|body| body.to_string().into_bytes());
        let request = Request { method: method.to_owned(), url, headers, body, timeout: ANSWER, max_body: MAX_BODY };
        let exchange = self.client.send(request).await;
        match (exchange.response, exchange.failure) {
            (Some(response), None) => Ok(response),
            (_, Some(failure)) => Err(match failure.kind {
                FailureKind::Refused | FailureKind::Reset | FailureKind::Closed => {
                    Denied::new("connect", failure.to_string()).into()
                }
                FailureKind::Tls => Denied::new("tls", failure.to_string()).into(),
                kind if kind.answered() => Denied::new("answer", failure.to_string()).into(),
                _ => Unseen::new(failure.to_string())
                    .hint("say where Vault is reached from here: `precheck.vault.connect`")
                    .into(),
            }),
            (None, None) => Err(Unseen::new("Vault was not asked").into()),
        }
    }
}

/// Whether it said yes; if not, its words, without what it was sent.
fn good(rule: &str, answer: &Response, hidden: &[&str]) -> Result<(), Denied> {
    if (200..300).contains(&answer.status) {
        return Ok(());
    }
    let told: Value = serde_json::from_str(&answer.body.text).unwrap_or_default();
    let words =
        told["errors"].as_array().into_iter().flatten().filter_map(Value::as_str).collect::<Vec<_>>().join("; ");
    let words = hidden.iter().fold(words, |words, secret| words.replace(secret, "…"));
    let words: String = words.chars().filter(|c| !c.is_control()).take(200).collect();
    let status = answer.status;
    Err(Denied::new(
        rule,
        if words.is_empty() { format!("status {status}") } else { format!("{words}, status {status}") },
    ))
}

/// What one must be allowed to do to log in as a service account.
pub(super) fn token_rule(namespace: &str, service_account: &str) -> Rule {
    Rule::new(namespace, "", &["serviceaccounts/token"], &["create"]).named([service_account.to_owned()])
}

/// A token of a service account, as its pods have one.
async fn token(seeing: &Seeing<'_, Precheck>, name: &str) -> Result<String, Unseen> {
    let (cluster, namespace) = (seeing.means.cluster()?, seeing.site.namespace());
    let call = Call {
        asked: format!("get a token of the service account `{name}` in the namespace `{namespace}`"),
        rule: token_rule(namespace, name),
    };
    let api: Api<ServiceAccount> = Api::namespaced(cluster.client(), namespace);
    let spec = TokenRequestSpec { expiration_seconds: Some(TOKEN_LASTS), ..TokenRequestSpec::default() };
    let request = TokenRequest { spec: Some(spec), ..TokenRequest::default() };
    let params = PostParams::default();
    let given = cluster.ask(&call, api.create_token_request(name, &params, &request)).await?;
    given.status.and_then(|status| status.token).ok_or_else(|| Unseen::new("the cluster gave an empty token"))
}

#[cfg(test)]
mod tests {
    use prodtest_http::Body;

    use super::*;

    #[test]
    fn what_vault_says_is_kept_without_what_it_was_sent() {
        let body = |text: &str| Body { text: text.to_owned(), ..Body::default() };
        let answer = |status, text| Response { status, headers: Vec::new(), body: body(text) };
        assert_eq!(good("login", &answer(204, ""), &[]), Ok(()));
        let told = good("login", &answer(403, r#"{"errors":["s3cret is no token"]}"#), &["s3cret"]).unwrap_err();
        assert_eq!(told.why, "… is no token, status 403");
        assert_eq!(good("path", &answer(502, "<html>"), &[]).unwrap_err().why, "status 502");
    }
}
