//! `precheck/permissions`: whoever runs the later gates may do all that they will do.

mod grant;

use std::collections::BTreeMap;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::api::{
    authentication::v1::SelfSubjectReview,
    authorization::v1::{ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec},
};
use prodtest_cli::Refusal;
use prodtest_config::{ConfigError, Located, SecretRef, listed, nearest};
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Listing, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Plan, Seeing, Target, Unseen};
use prodtest_kube::{
    Call, Cluster,
    kube::{Api, api::PostParams, core::GroupVersionKind, discovery::pinned_kind},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{gate::Precheck, shared, site::Site};

/// What each gate asks for, as `cargo xtask generate` had it from the gates, for the namespace and release of these names.
const OF_GATES: &str = include_str!("permissions/gates.json");
const NAMESPACE: &str = "prodtest-namespace";
const RELEASE: &str = "prodtest-release";
/// What deploys a chart does with the objects in it.
const TO_DEPLOY: [&str; 5] = ["get", "create", "patch", "update", "delete"];
/// How many questions are asked at once.
const AT_ONCE: usize = 16;

/// What the later gates must be allowed to do.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// The gates that run later with the same credentials; all when left out.
    pub(crate) gates: Option<Vec<Located<String>>>,
}

/// The check.
pub(crate) struct Permissions;

/// Where it looks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Asks {
    /// What the gates will do, each with its gate.
    rules: Vec<(String, Rule)>,
    /// Whether the objects of the chart will be deployed.
    deploys: bool,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// Who asks.
    who: String,
    /// How many rights were asked for.
    asked: u32,
    /// What is not allowed, each with its gate: one kind and the verbs that are missing.
    missing: Vec<(String, Rule)>,
    /// Why the objects of the chart are not known, where they are not.
    unrendered: Option<String>,
}

impl Inspection<Precheck> for Permissions {
    const NAME: &'static str = "permissions";

    type Target = Asks;
    type Limits = ();
    type Facts = Facts;

    fn target(asked: &Asked<'_, Precheck>) -> Result<Target<Asks>, Refusal> {
        let known: BTreeMap<String, Vec<Rule>> = serde_json::from_str(OF_GATES).unwrap_or_default();
        let gates = match &asked.section.permissions.gates {
            Some(gates) => {
                if let Some(unknown) = gates.iter().find(|gate| !known.contains_key(&gate.value)) {
                    return Err(asked.input.config.explain(no_such_gate(unknown, &known)).into());
                }
                gates.iter().map(|gate| gate.value.clone()).collect()
            }
            None => known.keys().cloned().collect::<Vec<_>>(),
        };
        let site = asked.site;
        let named = |text: &str| text.replace(NAMESPACE, site.namespace()).replace(RELEASE, &site.release);
        let mut rules: Vec<(String, Rule)> = Vec::new();
        for gate in &gates {
            for rule in &known[gate] {
                let names = rule.resource_names.iter().map(|name| named(name)).collect::<Vec<_>>();
                let rule = Rule { namespace: named(&rule.namespace), ..rule.clone() };
                rules.push((gate.clone(), rule.named(names)));
            }
        }
        let environment = &asked.input.config.environment;
        let identities = environment.identity_names().filter_map(|name| environment.identity(name));
        for identity in identities {
            if let SecretRef::Kubernetes(at) = identity.secret.value.clone().within(Some(site.namespace())) {
                let namespace = at.namespace.clone().unwrap_or_default();
                rules.push(("smoke".to_owned(), Rule::get_secrets(&namespace, [at.secret])));
            }
        }
        let deploys = (site.chart.is_some() || !site.manifests.is_empty()) && gates.iter().any(|gate| gate == "deploy");
        Ok(Target::At(Asks { rules, deploys }))
    }

    fn limits(_asked: &Asked<'_, Precheck>) -> Result<(), Refusal> {
        Ok(())
    }

    fn declare(id: CheckId, (): &()) -> Check {
        Check {
            why: Some(
                "A right that is missing is found half way, when the release is changed and the way back is not."
                    .to_owned(),
            ),
            help: Some("Apply the roles in the report, with `kubectl apply -f -`, as somebody who may.".to_owned()),
            ..Check::new(id, "whoever runs the later gates may do all that they will do")
        }
    }

    async fn observe(seeing: &Seeing<'_, Precheck>, target: &Asks) -> Result<Facts, Unseen> {
        let cluster = seeing.means.cluster()?;
        let mut rules = target.rules.clone();
        let mut unrendered = None;
        if target.deploys {
            match of_chart(seeing, cluster).await {
                Ok(of_chart) => rules.extend(of_chart.into_iter().map(|rule| ("deploy".to_owned(), rule))),
                Err(unseen) => unrendered = Some(unseen.to_string()),
            }
        }
        let who = who(cluster).await?;
        // Gates do the same things: each is asked once, for the first that does it.
        let mut single: Vec<(String, Rule)> = rules.iter().flat_map(|(gate, rule)| single(gate, rule)).collect();
        let mut known: Vec<Rule> = Vec::new();
        single.retain(|(_, rule)| {
            let new = !known.contains(rule);
            if new {
                known.push(rule.clone());
            }
            new
        });
        let asked = u32::try_from(single.len()).unwrap_or(u32::MAX);
        let answers = stream::iter(single.into_iter().map(|(gate, rule)| async move {
            let allowed = may(cluster, &rule).await?;
            Ok::<_, Unseen>((!allowed).then_some((gate, rule)))
        }));
        let answers: Vec<_> = answers.buffered(AT_ONCE).try_collect().await?;
        Ok(Facts { who, asked, missing: grant::gathered(answers.into_iter().flatten()), unrendered })
    }

    fn judge(id: &CheckId, _target: &Asks, (): &(), facts: &Facts) -> Judged {
        let findings = facts.missing.iter().map(|(gate, rule)| {
            let what = grant::in_words(rule);
            let message = format!("`{}` may not {what}, which `prodtest-{gate}` does", facts.who);
            let roles = grant::roles(&facts.who, std::slice::from_ref(rule));
            let help = format!("apply this, as somebody who may: {}", roles.join("; "));
            Finding::new(id, "forbidden", what.clone(), message).expected(format!("may {what}"), "forbidden").help(help)
        });
        let findings: Vec<Finding> = findings.collect();
        let mut judged = match &facts.unrendered {
            Some(why) if findings.is_empty() => Judged::undetermined(id.clone(), why.clone()),
            _ => Judged::by_findings(id.clone(), findings),
        };
        judged.evidence = vec![
            Evidence::new("who asks", Quantity::Text(facts.who.clone())),
            Evidence::new("rights asked for", Quantity::count(facts.asked)),
        ];
        judged
    }
}

fn no_such_gate(unknown: &Located<String>, known: &BTreeMap<String, Vec<Rule>>) -> ConfigError {
    let names: Vec<String> = known.keys().cloned().collect();
    let error = ConfigError::new(format!("`{}` is no gate that asks a cluster", unknown.value));
    let error = error.at(unknown.place.clone());
    match nearest(&unknown.value, names.iter().map(String::as_str)) {
        Some(near) => error.with_hint(format!("did you mean `{near}`?")),
        None => error.with_hint(format!("there are {}", listed(&names))),
    }
}

/// All that is missing, ready to be applied.
pub(crate) fn listing(plan: &Plan<Site>, facts: &prodtest_inspect::Facts) -> Option<Listing> {
    plan.checks.get(Permissions::NAME)?;
    let facts = facts.seen.get(Permissions::NAME)?.facts.clone()?;
    let facts: Facts = serde_json::from_value(facts).ok()?;
    let rules: Vec<Rule> = facts.missing.into_iter().map(|(_, rule)| rule).collect();
    let roles = grant::roles(&facts.who, &rules);
    (!roles.is_empty()).then(|| Listing {
        title: "the rights that are missing, for `kubectl apply -f -`".to_owned(),
        text: roles.join("\n---\n"),
    })
}

/// What deploying the chart takes: each kind of its objects.
async fn of_chart(seeing: &Seeing<'_, Precheck>, cluster: &Cluster) -> Result<Vec<Rule>, Unseen> {
    let manifest = shared::rendered(seeing).await?;
    let mut kinds: Vec<(&str, &str)> =
        manifest.documents.iter().map(|it| (it.api_version.as_str(), it.kind.as_str())).collect();
    kinds.sort_unstable();
    kinds.dedup();
    let asking = kinds.into_iter().map(|(api_version, kind)| async move {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let gvk = GroupVersionKind::gvk(group, version, kind);
        let client = cluster.client();
        let call =
            Call { asked: format!("ask what `{api_version}` {kind} is"), rule: Rule::new("", "", &[], &["get"]) };
        // One that there is not is told by `precheck/chart`.
        let (resource, capabilities) = cluster.ask(&call, pinned_kind(&client, &gvk)).await.ok()?;
        let namespaced = capabilities.scope == prodtest_kube::kube::discovery::Scope::Namespaced;
        let namespace = if namespaced { seeing.site.namespace() } else { "" };
        Some(Rule::new(namespace, group, &[resource.plural.as_str()], &TO_DEPLOY))
    });
    let rules: Vec<Option<Rule>> = stream::iter(asking).buffered(AT_ONCE).collect().await;
    Ok(rules.into_iter().flatten().collect())
}

/// Who asks, as the cluster sees it.
async fn who(cluster: &Cluster) -> Result<String, Unseen> {
    let rule = Rule::new("", "authentication.k8s.io", &["selfsubjectreviews"], &["create"]);
    let call = Call { asked: "ask who asks".to_owned(), rule };
    let api: Api<SelfSubjectReview> = Api::all(cluster.client());
    let answer = cluster.ask(&call, api.create(&PostParams::default(), &SelfSubjectReview::default())).await?;
    let user = answer.status.and_then(|status| status.user_info).and_then(|user| user.username);
    user.ok_or_else(|| Unseen::new("the cluster does not say who asks"))
}

/// One question for each kind, name and verb.
fn single(gate: &str, rule: &Rule) -> Vec<(String, Rule)> {
    let names: Vec<Option<&String>> = match rule.resource_names.as_slice() {
        [] => vec![None],
        names => names.iter().map(Some).collect(),
    };
    let group = rule.api_groups.first().map(String::as_str).unwrap_or_default();
    let mut all = Vec::new();
    for resource in &rule.resources {
        for name in &names {
            for verb in &rule.verbs {
                let one = Rule::new(&rule.namespace, group, &[resource.as_str()], &[verb.as_str()]);
                all.push((gate.to_owned(), one.named(name.iter().map(|name| (*name).clone()))));
            }
        }
    }
    all
}

/// Whether whoever asks may do this one thing.
async fn may(cluster: &Cluster, rule: &Rule) -> Result<bool, Unseen> {
    let first = |words: &[String]| words.first().cloned();
    let resource = first(&rule.resources).unwrap_or_default();
    let (resource, subresource) = match resource.split_once('/') {
        Some((resource, sub)) => (resource.to_owned(), Some(sub.to_owned())),
        None => (resource, None),
    };
    let attributes = ResourceAttributes {
        namespace: Some(rule.namespace.clone()).filter(|namespace| !namespace.is_empty()),
        group: first(&rule.api_groups),
        resource: Some(resource),
        subresource,
        name: first(&rule.resource_names),
        verb: first(&rule.verbs),
        ..ResourceAttributes::default()
    };
    let review = SelfSubjectAccessReview {
        spec: SelfSubjectAccessReviewSpec { resource_attributes: Some(attributes), ..Default::default() },
        ..Default::default()
    };
    let rule = Rule::new("", "authorization.k8s.io", &["selfsubjectaccessreviews"], &["create"]);
    let call = Call { asked: "ask what is allowed".to_owned(), rule };
    let api: Api<SelfSubjectAccessReview> = Api::all(cluster.client());
    let answer = cluster.ask(&call, api.create(&PostParams::default(), &review)).await?;
    let status = answer.status.ok_or_else(|| Unseen::new("the cluster does not say what is allowed"))?;
    match status.evaluation_error {
        Some(error) if !status.allowed => Err(Unseen::new(format!("the cluster cannot say what is allowed: {error}"))),
        _ => Ok(status.allowed),
    }
}
