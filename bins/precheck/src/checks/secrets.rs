//! `precheck/secrets`: every Secret that the chart or the configuration refers to is there, with its keys, and with values
//! that can be meant.

mod flaw;
mod source;
#[cfg(test)]
mod tests;
mod wanted;

use std::collections::{BTreeMap, BTreeSet};

use k8s_openapi::api::core::v1::Secret;
use prodtest_cli::Refusal;
use prodtest_config::Located;
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Place, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use prodtest_kube::{
    Call,
    kube::{Api, api::ListParams},
};
use prodtest_rollout::trace::Subject;
use serde::{Deserialize, Serialize};

use self::{
    flaw::{Flaw, flaws},
    source::Source,
};
use crate::{gate::Precheck, shared, site::Site};

/// The key of a login to a registry, and the one of old.
const LOGIN: &str = ".dockerconfigjson";
const OLD_LOGIN: &str = ".dockercfg";
/// Helm's own record is in Secrets too, and large.
const NOT_OF_HELM: &str = "type!=helm.sh/release.v1";

/// Secrets with the keys that each must have.
pub(crate) type Section = BTreeMap<Located<String>, Vec<String>>;

/// The check.
pub(crate) struct Secrets;

/// What it saw. No value of a Secret is in here.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// What is referred to, or why what the chart refers to is not known.
    wanted: Result<Vec<Wanted>, Unseen>,
    /// The Secrets that are there of those: what is wrong with the value of each key.
    secrets: BTreeMap<String, BTreeMap<String, Vec<Flaw>>>,
    /// What Secrets are made of, of the whole namespace.
    sources: Vec<Source>,
}

/// Something that is referred to.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Wanted {
    secret: String,
    /// None: all that there is in it.
    key: Option<String>,
    /// Whether a file is made of it.
    file: bool,
    /// Who refers to it: `Deployment godel-api`.
    by: String,
    place: Option<Place>,
}

impl Inspection<Precheck> for Secrets {
    const NAME: &'static str = "secrets";

    type Target = Vec<Wanted>;
    type Limits = ();
    type Facts = Facts;

    fn target(asked: &Asked<'_, Precheck>) -> Result<Target<Vec<Wanted>>, Refusal> {
        let of_one = |(secret, keys): (&Located<String>, &Vec<String>)| {
            let one = |key: Option<&String>| Wanted {
                secret: secret.value.clone(),
                key: key.cloned(),
                file: false,
                by: "the configuration".to_owned(),
                place: Some(secret.place.clone()),
            };
            if keys.is_empty() { vec![one(None)] } else { keys.iter().map(|key| one(Some(key))).collect() }
        };
        Ok(Target::At(asked.section.secrets.iter().flat_map(of_one).collect()))
    }

    fn limits(_asked: &Asked<'_, Precheck>) -> Result<(), Refusal> {
        Ok(())
    }

    fn declare(id: CheckId, (): &()) -> Check {
        Check {
            why: Some(
                "A pod whose Secret or key is missing never starts; one whose password is a placeholder, or has an end of \
                 line, starts and is let in nowhere."
                    .to_owned(),
            ),
            help: Some("Make the Secret, or mend its value: `printf`, not `echo`, writes one without an end of line.".to_owned()),
            needs: super::ids(["chart"]),
            ..Check::new(id, "every secret is there, with its keys, and with values that can be meant")
        }
    }

    fn rules(site: &Site, _target: &Vec<Wanted>) -> Vec<Rule> {
        let mut rules = vec![Rule::new(site.namespace(), "", &["secrets"], &["list"]), shared::namespace_rule(site)];
        rules.extend(source::rules(site.namespace()));
        rules
    }

    async fn observe(seeing: &Seeing<'_, Precheck>, target: &Vec<Wanted>) -> Result<Facts, Unseen> {
        let (cluster, namespace) = (seeing.means.cluster()?, seeing.site.namespace());
        if shared::phase(seeing).await?.as_deref() != Some("Active") {
            return Err(Unseen::new("the namespace is not there, or on its way out: see `precheck/namespace`"));
        }
        let call = Call {
            asked: format!("list the secrets in the namespace `{namespace}`"),
            rule: Rule::new(namespace, "", &["secrets"], &["list"]),
        };
        let api: Api<Secret> = Api::namespaced(cluster.client(), namespace);
        let list = ListParams::default().fields(NOT_OF_HELM);
        let listing = async { Ok::<_, Unseen>(cluster.ask(&call, api.list(&list)).await?.items) };
        let (listed, sources) = tokio::try_join!(listing, source::all(cluster, namespace))?;
        // The chart's come first: of a Secret that both refer to, it is the pods that a person wants to know of.
        let wanted = of_chart(seeing).await.map(|mut wanted| {
            wanted.extend(target.iter().cloned());
            wanted
        });
        let names: BTreeSet<&str> =
            wanted.as_ref().unwrap_or(target).iter().map(|wanted| wanted.secret.as_str()).collect();
        let seen = listed.into_iter().filter_map(|secret| {
            let name = secret.metadata.name.filter(|name| names.contains(name.as_str()))?;
            let values = secret.data.unwrap_or_default();
            Some((name, values.iter().map(|(key, value)| (key.clone(), flaws(key, &value.0))).collect()))
        });
        let secrets = seen.collect();
        Ok(Facts { wanted, secrets, sources })
    }

    fn judge(id: &CheckId, target: &Vec<Wanted>, (): &(), facts: &Facts) -> Judged {
        let mut findings: Vec<Finding> = Vec::new();
        let wanted = facts.wanted.as_ref().unwrap_or(target);
        for finding in wanted.iter().flat_map(|wanted| of_wanted(id, wanted, &facts.secrets)) {
            if !findings.iter().any(|known| known.fingerprint == finding.fingerprint) {
                findings.push(finding);
            }
        }
        for Source { kind, name, condition, not } in &facts.sources {
            if let Some(why) = not {
                let message = format!("{kind} `{name}` is not {}: {why}", condition.to_lowercase());
                let finding = Finding::new(id, "unsynced", format!("{kind} {name}"), message);
                findings.push(finding.expected(condition.clone(), "not").help("look at its controller's log"));
            }
        }
        let count = |number: usize| Quantity::count(u32::try_from(number).unwrap_or(u32::MAX));
        let names: BTreeSet<&str> = wanted.iter().map(|wanted| wanted.secret.as_str()).collect();
        let mut evidence = vec![Evidence::new("secrets that are referred to", count(names.len()))];
        if !facts.sources.is_empty() {
            evidence.push(Evidence::new("sealed and external secrets", count(facts.sources.len())));
        }
        let judged = match &facts.wanted {
            Err(unseen) if findings.is_empty() => Judged::undetermined(id.clone(), unseen.to_string()),
            _ => Judged::by_findings(id.clone(), findings),
        };
        Judged { evidence, ..judged }
    }
}

fn of_wanted(id: &CheckId, wanted: &Wanted, secrets: &BTreeMap<String, BTreeMap<String, Vec<Flaw>>>) -> Vec<Finding> {
    let Wanted { secret, by, place, .. } = wanted;
    let finding =
        |rule: &str, subject: &str, message: String| Finding::new(id, rule, subject, message).at(place.clone());
    let Some(keys) = secrets.get(secret) else {
        let message = format!("there is no secret `{secret}`, to which {by} refers");
        return vec![finding("missing", secret, message).expected(format!("a secret `{secret}`"), "none")];
    };
    let meant = |key: &&String| match wanted.key.as_deref() {
        None => true,
        Some(LOGIN) => *key == LOGIN || *key == OLD_LOGIN,
        Some(wanted) => *key == wanted,
    };
    let found: Vec<&String> = keys.keys().filter(meant).collect();
    if found.is_empty() {
        let has: Vec<&str> = keys.keys().map(String::as_str).collect();
        let has = if has.is_empty() { "no key".to_owned() } else { format!("`{}`", has.join("`, `")) };
        let (subject, message) = match &wanted.key {
            Some(key) => (
                format!("{secret}/{key}"),
                format!("the secret `{secret}` has no key `{key}`, to which {by} refers; it has {has}"),
            ),
            None => (secret.clone(), format!("there is nothing in the secret `{secret}`, to which {by} refers")),
        };
        return vec![finding("key-missing", &subject, message).expected("the key", has)];
    }
    let flawed = found.into_iter().flat_map(|key| keys[key].iter().map(move |flaw| (key, *flaw)));
    // The last line of a file may well end.
    let matters = flawed.filter(|(_, flaw)| !(wanted.file && *flaw == Flaw::Newline));
    let told = matters.map(|(key, flaw)| {
        let message = format!("the key `{key}` of the secret `{secret}`, to which {by} refers, {flaw}");
        finding(flaw.rule(), &format!("{secret}/{key}"), message).expected("a value that can be meant", flaw.rule())
    });
    told.collect()
}

/// What the chart refers to and does not make itself.
async fn of_chart(seeing: &Seeing<'_, Precheck>) -> Result<Vec<Wanted>, Unseen> {
    let manifest = shared::rendered(seeing).await?;
    let made = wanted::made(manifest);
    let mut all = Vec::new();
    for document in manifest.documents.iter().filter(|document| !shared::is_test(document)) {
        for wanted::Use { secret, key, file } in wanted::uses(document).map_err(Unseen::new)? {
            if made.contains(&secret) {
                continue;
            }
            let subject = Subject::Reference { name: secret.clone(), key: key.clone() };
            let place = shared::place(seeing, Some(document), &subject);
            all.push(Wanted { secret, key, file, by: format!("{} {}", document.kind, document.name), place });
        }
    }
    Ok(all)
}
