//! `precheck/vault`: Vault is unsealed, lets the service in, and lets it read its paths.
//!
//! Of all that the gates ask, Vault alone is stood in for in the tests: nobody packages it for the lab. A small server speaks
//! the part of its API that is used here, as <https://developer.hashicorp.com/vault/api-docs> has it.

mod api;
#[cfg(test)]
mod tests;

use prodtest_cli::Refusal;
use prodtest_config::{BaseUrl, ConfigError, HostPort, Located, SecretRef};
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::api::{Health, Vault as Api};
use super::database::authority;
use crate::{
    gate::Precheck,
    site::Site,
    store::{Denied, denied, within},
};

/// What findings call it.
const SUBJECT: &str = "Vault";

/// The Vault of the service. The check is skipped where this is left out.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Section {
    /// Where it is, `https://vault.example.com:8200`.
    pub(crate) url: Located<BaseUrl>,
    /// Connect there instead of to the host and port of the address.
    #[serde(default)]
    pub(crate) connect: Option<Located<HostPort>>,
    /// The authorities to trust, in PEM, in a file or in a Secret; those of the system when left out.
    #[serde(default)]
    pub(crate) ca: Option<Located<SecretRef>>,
    /// The namespace of Vault Enterprise; none when left out.
    #[serde(default)]
    pub(crate) namespace: Option<String>,
    /// How the service logs in: one of these.
    pub(crate) auth: Located<Auth>,
    /// What the service reads, as it stands after `/v1/`: `secret/data/godel` of a key-value store of version 2.
    #[serde(default)]
    pub(crate) paths: Vec<String>,
}

/// How the service logs in: one of these.
#[derive(Clone, Debug, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Auth {
    /// With a token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<Located<SecretRef>>,
    /// As a service account of the cluster: a token of it is asked for, which lasts ten minutes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) kubernetes: Option<KubernetesAuth>,
    /// With the id of a role and a secret.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) approle: Option<ApproleAuth>,
}

/// As a service account of the cluster.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct KubernetesAuth {
    /// The role in Vault.
    pub(crate) role: String,
    /// The service account, in the namespace of the environment.
    pub(crate) service_account: String,
    /// Where the method is mounted; `kubernetes` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mount: Option<String>,
}

/// With the id of a role and a secret.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct ApproleAuth {
    /// The id of the role.
    pub(crate) role_id: Located<SecretRef>,
    /// Its secret.
    pub(crate) secret_id: Located<SecretRef>,
    /// Where the method is mounted; `approle` when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) mount: Option<String>,
}

/// The check.
pub(crate) struct Vault;

/// Where it looks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct At {
    url: BaseUrl,
    connect: Option<HostPort>,
    ca: Option<SecretRef>,
    namespace: Option<String>,
    auth: Auth,
    paths: Vec<String>,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// How it is, or why it did not answer.
    state: Result<State, Denied>,
}

/// How it is. No value of a secret is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct State {
    health: Health,
    /// What came of the login; none, where Vault could let nobody in.
    login: Option<Result<(), Denied>>,
    /// What came of each path.
    paths: Vec<(String, Result<(), Denied>)>,
}

impl Inspection<Precheck> for Vault {
    const NAME: &'static str = "vault";

    type Target = At;
    type Limits = ();
    type Facts = Facts;

    fn target(asked: &Asked<'_, Precheck>) -> Result<Target<At>, Refusal> {
        let Some(section) = &asked.section.vault else {
            return Ok(Target::Nowhere("no Vault is named: `precheck.vault.url`".to_owned()));
        };
        let auth = placed(section.auth.value.clone(), asked.site.namespace());
        let ways = [auth.token.is_some(), auth.kubernetes.is_some(), auth.approle.is_some()];
        if ways.into_iter().filter(|way| *way).count() != 1 {
            let error = ConfigError::new("the service logs in one way").at(section.auth.place.clone());
            let error = error.with_hint("write one of `token`, `kubernetes` and `approle`");
            return Err(asked.input.config.explain(error).into());
        }
        Ok(Target::At(At {
            url: section.url.value.clone(),
            connect: section.connect.as_ref().map(|connect| connect.value.clone()),
            ca: section.ca.as_ref().map(|ca| authority(asked, ca)).transpose()?,
            namespace: section.namespace.clone(),
            auth,
            paths: section.paths.clone(),
        }))
    }

    fn limits(_asked: &Asked<'_, Precheck>) -> Result<(), Refusal> {
        Ok(())
    }

    fn declare(id: CheckId, (): &()) -> Check {
        Check {
            why: Some("A service that cannot read its secrets does not start, or starts without them.".to_owned()),
            help: Some(
                "Try the same with `vault status`, `vault login` and `vault read`; a Vault that was restarted waits to be \
                 unsealed."
                    .to_owned(),
            ),
            needs: super::ids(["secrets"]),
            limits: vec![Limit { name: "paths".to_owned(), value: "each readable".to_owned() }],
            ..Check::new(id, "Vault is unsealed, lets the service in, and lets it read its paths")
        }
    }

    fn secrets(target: &At) -> Vec<Located<SecretRef>> {
        let approle = target.auth.approle.iter().flat_map(|it| [it.role_id.clone(), it.secret_id.clone()]);
        target.auth.token.clone().into_iter().chain(approle).collect()
    }

    fn rules(site: &Site, target: &At) -> Vec<Rule> {
        let secrets = Self::secrets(target).into_iter().map(|secret| secret.value).chain(target.ca.clone());
        let mut rules: Vec<Rule> = Vec::new();
        for secret in secrets {
            if let SecretRef::Kubernetes(at) = secret {
                let rule = Rule::get_secrets(at.namespace.as_deref().unwrap_or_default(), [at.secret]);
                if !rules.contains(&rule) {
                    rules.push(rule);
                }
            }
        }
        rules.extend(
            target.auth.kubernetes.as_ref().map(|auth| api::token_rule(site.namespace(), &auth.service_account)),
        );
        rules
    }

    async fn observe(seeing: &Seeing<'_, Precheck>, target: &At) -> Result<Facts, Unseen> {
        let ask = async {
            let vault = Api::new(seeing, target).await?;
            let health = vault.health().await?;
            if health.why_not().is_some() {
                return Ok(State { health, login: None, paths: Vec::new() });
            }
            let token = match vault.log_in(seeing, &target.auth).await? {
                Ok(token) => token,
                Err(why) => return Ok(State { health, login: Some(Err(why)), paths: Vec::new() }),
            };
            let mut paths = Vec::new();
            for path in &target.paths {
                paths.push((path.clone(), vault.read(path, &token).await?));
            }
            Ok(State { health, login: Some(Ok(())), paths })
        };
        Ok(Facts { state: within(SUBJECT, ask).await? })
    }

    fn judge(id: &CheckId, _target: &At, (): &(), facts: &Facts) -> Judged {
        let state = match &facts.state {
            Ok(state) => state,
            Err(why) => return denied(id, SUBJECT, "an answer of Vault", why),
        };
        let mut findings = Vec::new();
        if let Some((rule, why)) = state.health.why_not() {
            let finding = Finding::new(id, rule, SUBJECT, format!("Vault {why}"));
            findings.push(finding.expected("one that is initialised, unsealed and serves", why));
        }
        if let Some(Err(why)) = &state.login {
            let finding = Finding::new(id, &why.rule, "login", format!("Vault refused the login: {}", why.why));
            findings.push(finding.expected("a login with the service's own role", why.why.clone()));
        }
        for (path, read) in &state.paths {
            if let Err(why) = read {
                let finding = Finding::new(id, &why.rule, path, format!("`{path}` cannot be read: {}", why.why));
                findings.push(finding.expected("a path that the service may read", why.why.clone()));
            }
        }
        let readable = state.paths.iter().filter(|(_, read)| read.is_ok()).count();
        let evidence = vec![
            Evidence::new(SUBJECT, Quantity::Text(state.health.version.clone())),
            Evidence::new("paths readable", Quantity::count(u32::try_from(readable).unwrap_or(u32::MAX))),
        ];
        Judged { evidence, ..Judged::by_findings(id.clone(), findings) }
    }
}

/// References to Secrets whose namespace is not written are to this one.
fn placed(auth: Auth, namespace: &str) -> Auth {
    let within = |reference: Located<SecretRef>| reference.map(|reference| reference.within(Some(namespace)));
    Auth {
        token: auth.token.map(within),
        kubernetes: auth.kubernetes,
        approle: auth.approle.map(|approle| ApproleAuth {
            role_id: within(approle.role_id),
            secret_id: within(approle.secret_id),
            ..approle
        }),
    }
}
