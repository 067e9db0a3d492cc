//! Images as the kubelet will pull them: with the pull secrets of the pods, or of their ServiceAccount.

use std::collections::BTreeMap;

use futures_util::future::{join_all, try_join_all};
use k8s_openapi::api::core::v1::{LocalObjectReference, PodTemplateSpec, Secret, ServiceAccount};
use prodtest_config::Period;
use prodtest_gate::{CheckId, Control, Evidence, Finding, Quantity, Rule};
use prodtest_image::{Class, ImageFacts, Login, Platform, Reference, Registry, RegistryOptions, Standing};
use prodtest_inspect::{Seeing, Unseen};
use prodtest_kube::{Call, kube::Api};
use prodtest_rollout::helm::Manifest;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use crate::{
    gate::Precheck,
    shared::{self, Workload},
};

/// Of a check's time, what one question to a registry may take with all that is tried again: the chart is rendered before it.
const SHARE: f64 = 0.7;
/// The kubelet takes Secrets of this type alone, and of its predecessor's.
/// <https://kubernetes.io/docs/concepts/configuration/secret/#docker-config-secrets>
const TYPE: (&str, &str) = ("kubernetes.io/dockerconfigjson", ".dockerconfigjson");
const OLD_TYPE: (&str, &str) = ("kubernetes.io/dockercfg", ".dockercfg");

/// The pull secrets that were read, by name.
#[derive(Default)]
pub(crate) struct Kept(Mutex<BTreeMap<String, Result<PullSecret, Unseen>>>);

/// What the kubelet makes of a pull secret.
#[derive(Clone)]
enum PullSecret {
    /// Docker's configuration.
    Config(SecretString),
    /// It passes over it, for this reason.
    PassedOver(String),
}

/// An image, as pods name it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Named {
    /// As it is written.
    pub(crate) image: String,
    /// The pull secrets of the pods.
    pub(crate) secrets: Vec<String>,
}

/// What came of asking for one image.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Pulled {
    /// As it is written.
    named: String,
    /// What the registry has; or why it is no name of an image.
    seen: Result<ImageFacts, String>,
    /// The pull secret that it was asked with; none, where nobody was logged in.
    secret: Option<String>,
    /// What is amiss with pull secrets, which the kubelet passes over.
    passed_over: Vec<String>,
    /// Whether the registry says of a tag that cannot be there that it is not; or what it says. Where it was tried.
    control: Option<Result<(), String>>,
}

/// What an image comes to.
pub(crate) enum Verdict {
    /// All is well.
    Good,
    /// This is wrong.
    Bad(Box<Finding>),
    /// It could not be told.
    Unknown(String),
}

/// What one must be allowed to do: which Secrets and ServiceAccounts, only the rendered chart says.
pub(crate) fn rules(namespace: &str) -> Vec<Rule> {
    vec![Rule::get_secrets(namespace, []), accounts_rule(namespace)]
}

fn accounts_rule(namespace: &str) -> Rule {
    Rule::new(namespace, "", &["serviceaccounts"], &["get"])
}

/// How long one question to a registry may take.
pub(crate) fn patience(deadline: Period) -> Period {
    Period(deadline.0.mul_f64(SHARE))
}

/// The images of these workloads, each once for each set of pull secrets.
pub(crate) async fn images(
    seeing: &Seeing<'_, Precheck>,
    manifest: &Manifest,
    workloads: &[Workload],
) -> Result<Vec<Named>, Unseen> {
    let mut images = Vec::new();
    for workload in workloads {
        let secrets = secrets_of(seeing, manifest, &workload.template).await?;
        let spec = workload.template.spec.iter();
        let containers = spec.flat_map(|spec| spec.init_containers.iter().flatten().chain(&spec.containers));
        for image in containers.filter_map(|container| container.image.clone()) {
            let named = Named { image, secrets: secrets.clone() };
            if !images.contains(&named) {
                images.push(named);
            }
        }
    }
    Ok(images)
}

/// The pull secrets of a pod: its own, or where it names none those of its ServiceAccount, as the API server adds them.
/// <https://kubernetes.io/docs/concepts/containers/images/#referring-to-an-imagepullsecrets-on-a-pod>
async fn secrets_of(
    seeing: &Seeing<'_, Precheck>,
    manifest: &Manifest,
    template: &PodTemplateSpec,
) -> Result<Vec<String>, Unseen> {
    let names = |references: &[LocalObjectReference]| -> Vec<String> {
        references.iter().map(|reference| reference.name.clone()).filter(|name| !name.is_empty()).collect()
    };
    let spec = template.spec.clone().unwrap_or_default();
    let own = names(&spec.image_pull_secrets.unwrap_or_default());
    if !own.is_empty() {
        return Ok(own);
    }
    let account = spec.service_account_name.as_deref().unwrap_or("default");
    let rendered = manifest.find("ServiceAccount", account);
    let rendered = rendered.and_then(|document| serde_json::from_value::<ServiceAccount>(document.object.clone()).ok());
    let rendered = names(&rendered.and_then(|account| account.image_pull_secrets).unwrap_or_default());
    if !rendered.is_empty() {
        return Ok(rendered);
    }
    let (cluster, namespace) = (seeing.means.cluster()?, seeing.site.namespace());
    let asked = format!("get the serviceaccount `{account}` in the namespace `{namespace}`");
    let call = Call { asked, rule: accounts_rule(namespace) };
    let api: Api<ServiceAccount> = Api::namespaced(cluster.client(), namespace);
    let there = cluster.ask(&call, api.get_opt(account)).await?;
    Ok(names(&there.and_then(|account| account.image_pull_secrets).unwrap_or_default()))
}

/// Asks for all of them.
pub(crate) async fn ask_all(
    seeing: &Seeing<'_, Precheck>,
    images: &[Named],
    patience: Period,
) -> Result<Vec<Pulled>, Unseen> {
    let logins = images.iter().map(|named| logins(seeing, named));
    let logins = try_join_all(logins).await?;
    let asking = images.iter().zip(logins).map(|(named, logins)| ask(seeing, named, logins, patience));
    join_all(asking).await.into_iter().collect()
}

/// The logins for an image, each with its pull secret, and what was passed over.
struct Logins {
    all: Vec<(String, Login)>,
    passed_over: Vec<String>,
}

async fn logins(seeing: &Seeing<'_, Precheck>, named: &Named) -> Result<Logins, Unseen> {
    let mut logins = Logins { all: Vec::new(), passed_over: Vec::new() };
    let Ok(reference) = named.image.parse::<Reference>() else { return Ok(logins) };
    for name in &named.secrets {
        let passed_over = match pull_secret(seeing, name).await? {
            PullSecret::PassedOver(why) => why,
            PullSecret::Config(text) => match Login::of_docker_config(text.expose_secret(), &reference) {
                Ok(Some(login)) => {
                    logins.all.push((name.clone(), login));
                    continue;
                }
                Ok(None) => format!("the pull secret `{name}` has no login for `{}`", reference.registry()),
                Err(error) => format!("the pull secret `{name}` holds no login: {error}"),
            },
        };
        logins.passed_over.push(passed_over);
    }
    Ok(logins)
}

/// Each is read once.
async fn pull_secret(seeing: &Seeing<'_, Precheck>, name: &str) -> Result<PullSecret, Unseen> {
    let mut kept = seeing.means.own.pull.0.lock().await;
    if let Some(known) = kept.get(name) {
        return known.clone();
    }
    let read = read(seeing, name).await;
    kept.insert(name.to_owned(), read.clone());
    read
}

async fn read(seeing: &Seeing<'_, Precheck>, name: &str) -> Result<PullSecret, Unseen> {
    let (cluster, namespace) = (seeing.means.cluster()?, seeing.site.namespace());
    let asked = format!("get the secret `{name}` in the namespace `{namespace}`");
    let call = Call { asked, rule: Rule::get_secrets(namespace, [name.to_owned()]) };
    let api: Api<Secret> = Api::namespaced(cluster.client(), namespace);
    let Some(secret) = cluster.ask(&call, api.get_opt(name)).await? else {
        return Ok(PullSecret::PassedOver(format!("the pull secret `{name}` is not in the namespace `{namespace}`")));
    };
    let kind = secret.type_.unwrap_or_default();
    let data = secret.data.unwrap_or_default();
    let text = |key: &str| data.get(key).map(|value| String::from_utf8_lossy(&value.0).into_owned());
    let config = match kind.as_str() {
        kind if kind == TYPE.0 => text(TYPE.1),
        kind if kind == OLD_TYPE.0 => text(OLD_TYPE.1).map(|auths| format!("{{\"auths\":{auths}}}")),
        _ => {
            let why = format!("the pull secret `{name}` is of the type `{kind}`, not `{}`", TYPE.0);
            return Ok(PullSecret::PassedOver(why));
        }
    };
    Ok(config.map_or_else(
        || PullSecret::PassedOver(format!("the pull secret `{name}` has no key `{}`", TYPE.1)),
        |text| PullSecret::Config(text.into()),
    ))
}

/// Asks with one login after the other, as the kubelet does, and without any where there is none.
async fn ask(seeing: &Seeing<'_, Precheck>, named: &Named, logins: Logins, patience: Period) -> Result<Pulled, Unseen> {
    let Logins { all, passed_over } = logins;
    let reference = match named.image.parse::<Reference>() {
        Ok(reference) => reference,
        Err(error) => {
            let seen = Err(error.to_string());
            return Ok(Pulled { named: named.image.clone(), seen, secret: None, passed_over, control: None });
        }
    };
    let mut tries: Vec<_> = all.into_iter().map(|(name, login)| (Some(name), Some(login))).collect();
    if tries.is_empty() {
        tries.push((None, None));
    }
    let last = tries.len() - 1;
    for (index, (secret, login)) in tries.into_iter().enumerate() {
        let registry = registry(seeing, &reference, login, patience)?;
        let seen = ImageFacts::of(&reference, registry.resolve(&reference).await);
        let class = seen.failure.as_ref().map(|failure| failure.class);
        if index < last && matches!(class, Some(Class::Denied | Class::Unauthorized)) {
            continue;
        }
        // Where the registry lets nobody in, there is nothing to hold against it.
        let control = match class {
            None | Some(Class::NotFound) => Some(registry.control(&reference).await.map_err(|error| error.to_string())),
            Some(_) => None,
        };
        return Ok(Pulled { named: named.image.clone(), seen: Ok(seen), secret, passed_over, control });
    }
    Err(Unseen::new("no login was tried"))
}

/// What is said of the image's registry in the configuration holds for that registry alone.
fn registry(
    seeing: &Seeing<'_, Precheck>,
    reference: &Reference,
    login: Option<Login>,
    patience: Period,
) -> Result<Registry, Unseen> {
    let known = seeing.site.image.as_ref().filter(|image| {
        image.repository.parse::<Reference>().is_ok_and(|known| known.registry() == reference.registry())
    });
    let ca = known.and_then(|image| image.ca.as_ref());
    let ca = ca.map(|file| {
        std::fs::read(file).map_err(|error| Unseen::new(format!("`{}` could not be read: {error}", file.display())))
    });
    let options = RegistryOptions {
        plain_http: known.is_some_and(|image| image.plain_http),
        connect: known.and_then(|image| image.connect.clone()),
        ca: ca.transpose()?,
        login,
        patience: patience.0,
    };
    Registry::new(options).map_err(|error| Unseen::new(error.to_string()))
}

/// Kind and processor of the nodes, each once.
pub(crate) async fn platforms(seeing: &Seeing<'_, Precheck>) -> Result<Vec<Platform>, Unseen> {
    let hint = "say `platforms: [linux/amd64]` in `image`";
    let nodes = shared::nodes(seeing).await.map_err(|unseen| match &unseen.hint {
        Some(first) => Unseen { hint: Some(format!("{first}; or {hint}")), ..unseen },
        None => unseen.hint(hint),
    })?;
    let info = nodes.iter().filter_map(|node| node.status.as_ref()?.node_info.as_ref());
    let mut platforms: Vec<_> =
        info.map(|info| Platform::new(info.operating_system.as_str(), info.architecture.as_str())).collect();
    platforms.sort_unstable();
    platforms.dedup();
    if platforms.is_empty() {
        Err(Unseen::new("no node says of which platform it is").hint(hint))
    } else {
        Ok(platforms)
    }
}

impl Pulled {
    /// What it comes to on these nodes; of a registry that precheck asks, refusing the connection is an answer.
    pub(crate) fn verdict(&self, id: &CheckId, nodes: &[Platform]) -> Verdict {
        let facts = match &self.seen {
            Ok(facts) => facts,
            Err(why) => {
                let finding = Finding::new(id, "name", self.named.clone(), why.clone());
                return Verdict::Bad(Box::new(finding.expected("the name of an image", self.named.clone())));
            }
        };
        let subject = facts.reference.repository();
        let (rule, message, help) = match (facts.standing(nodes), &facts.failure) {
            (Standing::Good, _) => return Verdict::Good,
            (Standing::Bad { rule, message, help }, _) => (rule, message, help),
            (Standing::Unknown { .. }, Some(failure)) if failure.class == Class::Refused => {
                ("registry", failure.message.clone(), failure.hint.clone())
            }
            (Standing::Unknown { why }, _) => return Verdict::Unknown(why),
        };
        let mut finding = Finding::new(id, rule, subject, message).help(help);
        if rule == "registry" {
            finding.because = Some(self.asked_with());
        }
        Verdict::Bad(Box::new(finding))
    }

    /// Who asked, for a person.
    fn asked_with(&self) -> String {
        let asked = match &self.secret {
            Some(name) => format!("it was asked with the pull secret `{name}`, as the kubelet will"),
            None => {
                "it was asked without a login: no pull secret of the pods or of their ServiceAccount has one".to_owned()
            }
        };
        let passed_over = self.passed_over.iter().map(|why| format!("; {why}"));
        std::iter::once(asked).chain(passed_over).collect()
    }

    /// What the registry has, and who asked.
    pub(crate) fn evidence(&self) -> Vec<Evidence> {
        let mut evidence = self.seen.as_ref().map(ImageFacts::evidence).unwrap_or_default();
        let login = self.secret.clone().unwrap_or_else(|| "none".to_owned());
        evidence.push(Evidence::new("pull secret", Quantity::Text(login)));
        evidence
    }
}

/// What the registries said of a tag that none can have; none, where that was tried with none.
pub(crate) fn control(id: &CheckId, pulled: &[Pulled]) -> Option<Control> {
    let tried: Vec<_> = pulled.iter().filter_map(|pulled| pulled.control.as_ref()).collect();
    let wrong = tried.iter().find_map(|control| control.as_ref().err());
    (!tried.is_empty()).then(|| Control {
        name: "a tag that cannot be there".to_owned(),
        tripped: wrong.is_none(),
        detail: wrong.cloned().unwrap_or_else(|| "the registry says that it is not there".to_owned()),
        proves: vec![id.clone()],
    })
}
