//! `precheck/namespace`: the namespace is there, and its quotas and limit ranges leave room for the rollout.

mod quota;
mod range;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use k8s_openapi::{
    NamespaceResourceScope,
    api::core::v1::{LimitRange, LimitRangeItem, LimitRangeSpec, Pod, ResourceQuota, ResourceQuotaSpec},
};
use prodtest_cli::Refusal;
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Place, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use prodtest_kube::{
    Amount, Call,
    kube::{Api, Resource, api::ListParams},
};
use prodtest_rollout::{helm::Document, trace::Subject};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use self::{
    quota::{Quota, Scope, Short, counted, named},
    range::{Item, Range, given, refused},
};
use crate::{
    gate::Precheck,
    room::{self, Added, Amounts, Shape, amounts},
    shared,
    site::Site,
};

/// The check.
pub(crate) struct Namespace;

/// What it looks at.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Where {
    namespace: String,
    /// Where the configuration names it.
    place: Option<Place>,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// `Active` or `Terminating`; none, where it is not there.
    phase: Option<String>,
    /// What is allowed in it, and what would be added, or why that is not known; none, where it is not there.
    room: Option<Result<Room, Unseen>>,
}

/// What is allowed in it, and what would be added.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Room {
    quotas: Vec<Quota>,
    ranges: Vec<Range>,
    added: Vec<Added>,
}

impl Inspection<Precheck> for Namespace {
    const NAME: &'static str = "namespace";

    type Target = Where;
    type Limits = ();
    type Facts = Facts;

    fn target(asked: &Asked<'_, Precheck>) -> Result<Target<Where>, Refusal> {
        let site = asked.site;
        Ok(Target::At(Where { namespace: site.namespace().to_owned(), place: site.place.clone() }))
    }

    fn limits(_asked: &Asked<'_, Precheck>) -> Result<(), Refusal> {
        Ok(())
    }

    fn declare(id: CheckId, (): &()) -> Check {
        // It does not lean on `precheck/chart`, though it wants to know what that renders: a namespace that is not there is
        // why the chart cannot be tried.
        Check {
            why: Some(
                "A rollout has more pods than the release; a quota that is one pod too small stops it half way."
                    .to_owned(),
            ),
            help: Some("Make the namespace, raise its quota or its limit range, or ask for less.".to_owned()),
            ..Check::new(id, "the namespace is there, and leaves room for the rollout")
        }
    }

    fn rules(site: &Site, _target: &Where) -> Vec<Rule> {
        let namespace = site.namespace();
        let mut rules = vec![
            shared::namespace_rule(site),
            Rule::new(namespace, "", &["resourcequotas", "limitranges", "pods"], &["list"]),
        ];
        rules.extend(room::rules(site));
        rules
    }

    async fn observe(seeing: &Seeing<'_, Precheck>, _target: &Where) -> Result<Facts, Unseen> {
        let Some(phase) = shared::phase(seeing).await? else {
            return Ok(Facts { phase: None, room: None });
        };
        Ok(Facts { phase: Some(phase), room: Some(room_of(seeing).await) })
    }

    fn judge(id: &CheckId, target: &Where, (): &(), facts: &Facts) -> Judged {
        let name = &target.namespace;
        let shown = format!("the namespace `{name}`");
        match facts.phase.as_deref() {
            None => {
                let message = format!("{shown} is not there");
                let finding = Finding::new(id, "missing", "namespace", message).expected("a namespace", "none");
                let finding = finding.at(target.place.clone()).help(format!("`kubectl create namespace {name}`"));
                return Judged::by_findings(id.clone(), vec![finding]);
            }
            Some("Active") => {}
            Some(phase) => {
                let message = format!("{shown} is on its way out: it is {phase}");
                let finding = Finding::new(id, "terminating", "namespace", message).expected("Active", phase);
                let help =
                    "wait until it is gone and make it again; `kubectl get namespace -o yaml` says what holds it up";
                return Judged::by_findings(id.clone(), vec![finding.at(target.place.clone()).help(help)]);
            }
        }
        match &facts.room {
            Some(Ok(room)) => held(id, room),
            Some(Err(unseen)) => Judged::undetermined(id.clone(), unseen.to_string()),
            None => Judged::undetermined(id.clone(), "its quotas were not asked for"),
        }
    }
}

/// What the quotas and ranges say of what would be added.
fn held(id: &CheckId, room: &Room) -> Judged {
    let (mut findings, mut evidence, mut unknown) = (Vec::new(), Vec::new(), None);
    let shaped = |one: &Added| Added { shape: given(&one.shape, &room.ranges), ..one.clone() };
    let added: Vec<Added> = room.added.iter().map(shaped).collect();
    let pods = added.iter().fold(0_u32, |sum, one| sum.saturating_add(one.pods));
    evidence.push(Evidence::new("pods that the rollout adds", Quantity::count(pods)));
    for range in &room.ranges {
        for one in &added {
            findings.extend(refused(range, &one.shape).iter().map(|refused| of_range(id, range, one, refused)));
        }
    }
    for quota in &room.quotas {
        for (resource, hard) in &quota.hard {
            let used = quota.used.get(resource).copied().unwrap_or_default();
            let name = format!("{resource} under the quota `{}`", quota.name);
            let limit = Quantity::Text(hard.of(resource));
            evidence.push(Evidence::new(name, Quantity::Text(used.of(resource))).limited(limit));
        }
        match quota.short(&added) {
            Ok(short) => findings.extend(short.iter().map(|short| of_quota(id, quota, &added, short))),
            Err(why) => unknown = Some(why),
        }
    }
    let judged = match unknown {
        Some(why) if findings.is_empty() => Judged::undetermined(id.clone(), why),
        _ => Judged::by_findings(id.clone(), findings),
    };
    Judged { evidence, ..judged }
}

fn of_range(id: &CheckId, range: &Range, one: &Added, refused: &range::Refused) -> Finding {
    let (name, resource, rule) = (&range.name, &refused.resource, refused.rule);
    let whose = match &refused.container {
        Some(container) => format!("the container `{container}` of {}", one.workload),
        None => format!("a pod of {}", one.workload),
    };
    let bound = refused.bound.of(resource);
    let seen = refused.seen.map(|seen| seen.of(resource));
    let message = match &seen {
        Some(seen) => {
            format!("{whose} has a {resource} {} of {seen}; the limit range `{name}` has {rule} {bound}", rule.of())
        }
        None => format!("{whose} has no {resource} {}; the limit range `{name}` has {rule} {bound}", rule.of()),
    };
    let subject =
        format!("{name} {resource} {rule} {} {}", one.workload, refused.container.as_deref().unwrap_or("pod"));
    Finding::new(id, "limit-range", subject, message)
        .expected(format!("{rule} {bound}"), seen.unwrap_or_else(|| "none".to_owned()))
        .at(range.place.clone().or_else(|| one.place(refused.container.as_deref())))
}

fn of_quota(id: &CheckId, quota: &Quota, added: &[Added], short: &Short) -> Finding {
    let name = &quota.name;
    let of_added = |workload: Option<&str>, container: Option<&str>| {
        let one = added.iter().find(|one| workload.is_none_or(|workload| one.workload == workload));
        one.and_then(|one| one.place(container))
    };
    match short {
        Short::Left { resource, needed, left } => {
            let (needed, left) = (needed.of(resource), left.of(resource));
            let (used, hard) = (quota.used.get(resource).copied().unwrap_or_default(), quota.hard[resource]);
            let message = format!(
                "the rollout needs {needed} more of {resource}; the quota `{name}` has {left} left: {} of {} are used",
                used.of(resource),
                hard.of(resource)
            );
            Finding::new(id, "quota", format!("{name} {resource}"), message)
                .expected(format!("at least {needed} left"), format!("{left} left"))
                .at(quota.place.clone().or_else(|| of_added(None, None)))
        }
        Short::Unsaid { resource, workload, container } => {
            let message = format!(
                "the container `{container}` of {workload} does not say its {resource}, which the quota `{name}` demands"
            );
            Finding::new(id, "quota-unsaid", format!("{name} {resource} {workload} {container}"), message)
                .expected(resource.clone(), "none")
                .at(of_added(Some(workload), Some(container)))
        }
    }
}

async fn room_of(seeing: &Seeing<'_, Precheck>) -> Result<Room, Unseen> {
    let (quotas, ranges, added) = tokio::try_join!(
        list::<ResourceQuota>(seeing, "resourcequotas"),
        list::<LimitRange>(seeing, "limitranges"),
        room::added(seeing)
    )?;
    let manifest = shared::rendered(seeing).await?;
    let of_chart =
        |kind: &'static str| manifest.documents.iter().filter(move |document| document.kind == kind && !document.hook);
    let place = |document| shared::place(seeing, Some(document), &Subject::Quota);

    let mut ranges_seen = BTreeMap::new();
    for range in ranges {
        let name = range.metadata.name.unwrap_or_default();
        let items = items(range.spec.unwrap_or_default())?;
        ranges_seen.insert(name.clone(), Range { name, items, place: None });
    }
    for document in of_chart("LimitRange") {
        let name = document.name.clone();
        let place = shared::place(seeing, Some(document), &Subject::Object);
        ranges_seen.insert(name.clone(), Range { name, items: items(spec(document)?)?, place });
    }
    let ranges: Vec<Range> = ranges_seen.into_values().collect();

    let mut quotas_seen = BTreeMap::new();
    for quota in quotas {
        let name = quota.metadata.name.unwrap_or_default();
        let status = quota.status.unwrap_or_default();
        let spec = quota.spec.unwrap_or_default();
        let hard = read(status.hard.as_ref().or(spec.hard.as_ref()))?;
        let quota = Quota { hard, used: read(status.used.as_ref())?, scopes: scopes(&spec), place: None, name };
        quotas_seen.insert(quota.name.clone(), quota);
    }
    for document in of_chart("ResourceQuota") {
        let spec: ResourceQuotaSpec = spec(document)?;
        let (hard, scopes, name) = (read(spec.hard.as_ref())?, scopes(&spec), document.name.clone());
        let used = quotas_seen.remove(&name).map(|known| known.used).unwrap_or_default();
        quotas_seen.insert(name.clone(), Quota { hard, used, scopes, place: place(document), name });
    }
    let mut quotas: Vec<Quota> = quotas_seen.into_values().collect();
    for quota in &mut quotas {
        // One that is yet to be made, or that nobody has counted yet, counts the pods that there are.
        if !quota.hard.keys().all(|name| quota.used.contains_key(name)) {
            quota.used = used(seeing, quota).await?;
        }
    }
    Ok(Room { quotas, ranges, added: added.to_vec() })
}

/// What the pods of the namespace have of what a quota counts.
async fn used(seeing: &Seeing<'_, Precheck>, quota: &Quota) -> Result<Amounts, Unseen> {
    let pods = list::<Pod>(seeing, "pods").await?;
    let mut used = Amounts::new();
    for pod in pods {
        let phase = pod.status.as_ref().and_then(|status| status.phase.as_deref());
        let (Some(spec), false) = (&pod.spec, matches!(phase, Some("Succeeded" | "Failed"))) else { continue };
        let shape = Shape::of(spec).map_err(Unseen::new)?;
        if !quota.counts(&shape).map_err(Unseen::new)? {
            continue;
        }
        for name in quota.hard.keys() {
            let amount = counted(name, &shape).unwrap_or_default();
            let sum: &mut Amount = used.entry(name.clone()).or_default();
            *sum = sum.plus(amount);
        }
    }
    Ok(used)
}

fn read(
    amounts_of: Option<&BTreeMap<String, k8s_openapi::apimachinery::pkg::api::resource::Quantity>>,
) -> Result<Amounts, Unseen> {
    amounts(amounts_of).map(named).map_err(Unseen::new)
}

fn scopes(spec: &ResourceQuotaSpec) -> Vec<Scope> {
    let exists = |name: &String| Scope { name: name.clone(), operator: "Exists".to_owned(), values: Vec::new() };
    let selected = spec.scope_selector.iter().flat_map(|selector| selector.match_expressions.iter().flatten());
    let selected = selected.map(|it| Scope {
        name: it.scope_name.clone(),
        operator: it.operator.clone(),
        values: it.values.clone().unwrap_or_default(),
    });
    spec.scopes.iter().flatten().map(exists).chain(selected).collect()
}

fn items(spec: LimitRangeSpec) -> Result<Vec<Item>, Unseen> {
    let read = |amounts_of: &Option<_>| amounts(amounts_of.as_ref()).map_err(Unseen::new);
    let item = |item: &LimitRangeItem| {
        Ok(Item {
            of: item.type_.clone(),
            max: read(&item.max)?,
            min: read(&item.min)?,
            default: read(&item.default)?,
            default_request: read(&item.default_request)?,
            ratio: read(&item.max_limit_request_ratio)?,
        }
        .filled_in())
    };
    spec.limits.iter().map(item).collect()
}

fn spec<T: DeserializeOwned>(document: &Document) -> Result<T, Unseen> {
    serde_json::from_value(document.object["spec"].clone())
        .map_err(|error| Unseen::new(format!("{} `{}` cannot be read: {error}", document.kind, document.name)))
}

/// All objects of a kind in the namespace.
async fn list<K>(seeing: &Seeing<'_, Precheck>, plural: &str) -> Result<Vec<K>, Unseen>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + DeserializeOwned + std::fmt::Debug,
{
    let (cluster, namespace) = (seeing.means.cluster()?, seeing.site.namespace());
    let asked = format!("list the {plural} in the namespace `{namespace}`");
    let call = Call { asked, rule: Rule::new(namespace, "", &[plural], &["list"]) };
    let api: Api<K> = Api::namespaced(cluster.client(), namespace);
    Ok(cluster.ask(&call, api.list(&ListParams::default())).await?.items)
}
