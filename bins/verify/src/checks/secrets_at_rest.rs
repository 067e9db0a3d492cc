//! `verify/secrets-at-rest`: Secrets are stored encrypted.
//!
//! That cannot be seen from inside a cluster whose control plane is somebody else's: then its provider's API is asked, by
//! a command of the user's.

use k8s_openapi::api::core::v1::Pod;
use prodtest_cli::Refusal;
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Place, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use prodtest_kube::{
    Call,
    kube::{Api, api::ListParams},
};
use prodtest_process::{program, run};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{gate::Verify, outside::PATIENCE, site::Site};

/// What the API server puts before what it encrypts:
/// <https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/#verifying-that-data-is-encrypted>
const ENCRYPTED: &str = "k8s:enc:";
/// What it puts before what it does not.
const PLAIN: &str = "k8s\0";
/// Where a control plane that runs as pods has them.
const NAMESPACE: &str = "kube-system";
/// The label of its API servers.
const SELECTOR: &str = "component=kube-apiserver";

/// Who is asked whether Secrets are stored encrypted.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// A command that asks: of the provider, `[aws, eks, describe-cluster, --name, NAME]`,
    /// `[gcloud, container, clusters, describe, NAME, --format=json]`, `[az, aks, show, …]`; or of etcd itself, for what is
    /// stored of a Secret, `[etcdctl, get, --print-value-only, "/registry/secrets/{namespace}/NAME"]`. `{namespace}` is the
    /// namespace. Without it, the API server's own flags are looked at, where it runs as a pod.
    pub(crate) command: Vec<String>,
    /// Where in the JSON that the command prints it says so, `cluster.encryptionConfig`, `databaseEncryption.state`,
    /// `securityProfile.azureKeyVaultKms.enabled`. When left out, the command prints what is stored of a Secret.
    pub(crate) field: Option<String>,
    /// What must stand there, `ENCRYPTED`; anything that is not empty, when left out.
    pub(crate) equals: Option<Value>,
}

/// The check.
pub(crate) struct SecretsAtRest;

/// Where it looks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Where {
    command: Vec<String>,
    field: Option<String>,
    place: Option<Place>,
}

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    equals: Option<Value>,
}

/// What it saw. Of what is stored, nothing but what it is.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "seen", rename_all = "kebab-case")]
pub(crate) enum Facts {
    /// What is stored of a Secret.
    Stored { is: Stored },
    /// What the provider says.
    Said { field: String, value: Value },
    /// How many API servers run as pods, and how many of them are told how to encrypt.
    Servers { all: u32, told: u32 },
}

/// What is stored of a Secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub(crate) enum Stored {
    /// By this provider: `aescbc`, `kms`.
    Encrypted {
        by: String,
    },
    Plain,
    /// Neither can be told from it.
    Unknown,
}

impl Inspection<Verify> for SecretsAtRest {
    const NAME: &'static str = "secrets-at-rest";

    type Target = Where;
    type Limits = Limits;
    type Facts = Facts;

    fn target(asked: &Asked<'_, Verify>) -> Result<Target<Where>, Refusal> {
        let (Section { command, field, equals }, flag) =
            (asked.section.secrets_at_rest.clone(), &asked.input.flags.at_rest_command);
        let command = if flag.is_empty() { command } else { flag.clone() };
        if command.is_empty() && field.is_some() || field.is_none() && equals.is_some() {
            let message = "`verify.secrets-at-rest` says what must stand somewhere, and not where";
            return Err(Refusal::usage_with_hint(message, "`equals` goes with `field`, and `field` with `command`"));
        }
        Ok(Target::At(Where { command, field, place: asked.site.place.clone() }))
    }

    fn limits(asked: &Asked<'_, Verify>) -> Result<Limits, Refusal> {
        Ok(Limits { equals: asked.section.secrets_at_rest.equals.clone() })
    }

    fn declare(id: CheckId, _: &Limits) -> Check {
        Check {
            why: Some(
                "Whoever has a disk or a backup of the control plane has every password in it, unless they are encrypted \
                 there."
                    .to_owned(),
            ),
            help: Some(
                "Give the API server an EncryptionConfiguration, or the provider a key of its KMS; then write every Secret \
                 anew: `kubectl get secrets --all-namespaces -o json | kubectl replace -f -`."
                    .to_owned(),
            ),
            requirements: vec!["NFR3.5".to_owned()],
            ..Check::new(id, "Secrets are stored encrypted")
        }
    }

    fn rules(_: &Site, at: &Where) -> Vec<Rule> {
        if at.command.is_empty() { vec![servers_rule()] } else { Vec::new() }
    }

    async fn observe(seeing: &Seeing<'_, Verify>, at: &Where) -> Result<Facts, Unseen> {
        let Some((name, arguments)) = at.command.split_first() else { return servers(seeing).await };
        let own = |word: &String| word.replace("{namespace}", seeing.site.namespace());
        let hint = "run it by hand: `verify.secrets-at-rest.command`";
        let done = run(program(&own(name), arguments.iter().map(own)), PATIENCE).await;
        // What it printed may be a Secret, and is never quoted.
        let done = done.map_err(|error| match error {
            prodtest_process::Undone::GivenUp { name, why, .. } => Unseen::new(format!("`{name}` was given up: {why}")),
            error => Unseen::new(error.to_string()),
        });
        let done = done.map_err(|unseen| unseen.hint(hint))?;
        if !done.status.success() {
            let why: String = done.err.lines().last().unwrap_or_default().chars().take(300).collect();
            return Err(Unseen::new(format!("`{name}`: {}: {why}", done.status)).hint(hint));
        }
        let Some(field) = &at.field else { return Ok(Facts::Stored { is: stored(&done.out) }) };
        let said: Value = serde_json::from_str(&done.out)
            .map_err(|_| Unseen::new(format!("`{name}` printed something that is no JSON")).hint(hint))?;
        let names = field.split('.').filter(|name| !name.is_empty());
        let value = names.into_iter().try_fold(&said, |value, name| value.get(name)).cloned();
        Ok(Facts::Said { field: field.clone(), value: value.unwrap_or_default() })
    }

    fn judge(id: &CheckId, at: &Where, limits: &Limits, facts: &Facts) -> Judged {
        let finding = |rule: &str, message: String, expected: &str| {
            let finding = Finding::new(id, rule, "secrets", message.clone()).expected(expected, message);
            Judged::by_findings(id.clone(), vec![finding.at(at.place.clone())])
        };
        let passed = |how: String| {
            let evidence = vec![Evidence::new("encrypted", Quantity::Text(how))];
            Judged { evidence, ..Judged::by_findings(id.clone(), Vec::new()) }
        };
        match facts {
            Facts::Stored { is: Stored::Encrypted { by } } => passed(format!("by `{by}`")),
            Facts::Stored { is: Stored::Plain } => {
                finding("plain", "what is stored of a Secret is in the clear".to_owned(), "`k8s:enc:…`")
            }
            Facts::Stored { is: Stored::Unknown } => {
                let why = "what the command printed is no Secret as the API server stores it\nhint: it must print the \
                           stored value alone, or say `field` where it prints JSON";
                Judged::undetermined(id.clone(), why)
            }
            Facts::Said { field, value } => match &limits.equals {
                Some(wanted) if wanted != value => {
                    finding("provider", format!("the provider says `{field}: {value}`"), &format!("`{wanted}`"))
                }
                None if is_empty(value) => {
                    finding("provider", format!("the provider says nothing in `{field}`"), "an encryption that is set")
                }
                _ => passed(format!("`{field}` is set")),
            },
            Facts::Servers { all: 0, .. } => Judged::skipped(
                id.clone(),
                "the control plane cannot be seen from inside, as with managed clusters; \
                 `verify.secrets-at-rest.command` could ask its provider",
            ),
            Facts::Servers { all, told } if told < all => finding(
                "flag",
                format!("{} of {all} API servers are not told to encrypt anything", all - told),
                "`--encryption-provider-config`",
            ),
            Facts::Servers { .. } => Judged::undetermined(
                id.clone(),
                "the API server has an encryption configuration; whether Secrets are encrypted by it cannot be seen from \
                 inside\nhint: let `verify.secrets-at-rest.command` print what etcd holds of one",
            ),
        }
    }
}

async fn servers(seeing: &Seeing<'_, Verify>) -> Result<Facts, Unseen> {
    let cluster = seeing.means.cluster()?;
    let call = Call { asked: format!("list the pods in the namespace `{NAMESPACE}`"), rule: servers_rule() };
    let api: Api<Pod> = Api::namespaced(cluster.client(), NAMESPACE);
    let params = ListParams::default().labels(SELECTOR);
    let pods = cluster.ask(&call, api.list(&params)).await?.items;
    let is_told = |pod: &&Pod| {
        let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
        let mut words = containers.flat_map(|container| container.command.iter().chain(&container.args).flatten());
        words.any(|word| word.starts_with("--encryption-provider-config="))
    };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Facts::Servers { all: count(pods.len()), told: count(pods.iter().filter(is_told).count()) })
}

fn servers_rule() -> Rule {
    Rule::new(NAMESPACE, "", &["pods"], &["list"])
}

/// What is stored, by how it begins. `etcdctl` puts the key before it where nobody tells it not to.
fn stored(printed: &str) -> Stored {
    let value = match printed.split_once('\n') {
        Some((key, rest)) if key.starts_with("/registry/secrets/") => rest,
        _ => printed,
    };
    if let Some(rest) = value.strip_prefix(ENCRYPTED) {
        let by = rest.split(':').next().unwrap_or_default();
        let is_word = !by.is_empty() && by.len() <= 32 && by.bytes().all(|byte| byte.is_ascii_alphanumeric());
        return if is_word { Stored::Encrypted { by: by.to_owned() } } else { Stored::Unknown };
    }
    let json = || serde_json::from_str::<Value>(value).is_ok_and(|value| value["kind"] == "Secret");
    if value.starts_with(PLAIN) || json() { Stored::Plain } else { Stored::Unknown }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.is_empty(),
        Value::Array(list) => list.is_empty(),
        Value::Object(map) => map.is_empty(),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

#[cfg(test)]
mod tests {
    use prodtest_gate::Outcome;
    use serde_json::json;

    use super::*;

    fn judged(facts: &Facts, equals: Option<Value>) -> Outcome {
        let at = Where { command: Vec::new(), field: None, place: None };
        SecretsAtRest::judge(&"verify/secrets-at-rest".parse().unwrap(), &at, &Limits { equals }, facts).outcome
    }

    #[test]
    fn what_is_stored_is_told_by_how_it_begins() {
        let encrypted = |by: &str| Stored::Encrypted { by: by.to_owned() };
        for (printed, is) in [
            ("k8s:enc:aescbc:v1:key1:\u{fffd}\u{fffd}", encrypted("aescbc")),
            ("/registry/secrets/a/b\nk8s:enc:kms:v2:name:xx", encrypted("kms")),
            ("k8s\0\n\u{c}\n\u{2}v1\u{12}\u{6}Secret", Stored::Plain),
            ("{\"kind\":\"Secret\",\"data\":{\"a\":\"k8s:enc:\"}}", Stored::Plain),
            ("", Stored::Unknown),
            ("Error: k8s:enc:aescbc", Stored::Unknown),
            ("k8s:enc:", Stored::Unknown),
        ] {
            assert_eq!(stored(printed), is, "{printed:?}");
        }
    }

    #[test]
    fn a_provider_must_say_that_it_encrypts() {
        let said = |value: Value| Facts::Said { field: "a.b".to_owned(), value };
        for empty in [json!(null), json!([]), json!(""), json!(false), json!({})] {
            assert_eq!(judged(&said(empty), None), Outcome::Failed);
        }
        assert_eq!(judged(&said(json!([{ "resources": ["secrets"] }])), None), Outcome::Passed);
        assert_eq!(judged(&said(json!("ENCRYPTED")), Some("ENCRYPTED".into())), Outcome::Passed);
        assert_eq!(judged(&said(json!("DECRYPTED")), Some("ENCRYPTED".into())), Outcome::Failed);
    }

    #[test]
    fn flags_alone_prove_only_that_nothing_is_encrypted() {
        assert_eq!(judged(&Facts::Servers { all: 0, told: 0 }, None), Outcome::Skipped);
        assert_eq!(judged(&Facts::Servers { all: 3, told: 2 }, None), Outcome::Failed);
        assert_eq!(judged(&Facts::Servers { all: 3, told: 3 }, None), Outcome::Undetermined);
        assert_eq!(judged(&Facts::Stored { is: Stored::Unknown }, None), Outcome::Undetermined);
    }
}
