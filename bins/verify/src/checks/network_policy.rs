//! `verify/network-policy`: what must get through gets through, and what must not does not; each is tried, from inside.

mod job;
mod probe;

use std::collections::{BTreeMap, BTreeSet};

use futures_util::future::try_join_all;
use k8s_openapi::api::core::v1::Pod;
use prodtest_cli::Refusal;
use prodtest_config::{HostPort, Namespace};
use prodtest_gate::{Check, CheckId, Control, Evidence, Finding, Judged, Limit, Place, Quantity, Rule, Run};
use prodtest_inspect::{Asked, Facts as Seen, Inspection, Means, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::job::Made;
use self::probe::{Line, Said};
use crate::{
    gate::Verify,
    live::{self, Shared},
    site::Site,
};

/// How many pods of the release are tried: each is under the same policies.
const PODS: usize = 3;

/// What network policies must let through, and what not.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// The image that tries: `prodtest-probe`, where the cluster finds it, or one that takes the same arguments and says
    /// the same lines. Without it nothing is tried.
    pub(crate) image: Option<String>,
    /// The pull secrets of that image, which are in the namespace of whoever tries.
    pub(crate) pull_secrets: Vec<String>,
    /// What must get through; at least one, for where nothing does, nothing is proven.
    pub(crate) allowed: Vec<PathSection>,
    /// What must not; when left out, a pod of the namespace without any label must not reach the pods of the release.
    pub(crate) forbidden: Vec<PathSection>,
}

/// From where to where.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct PathSection {
    /// Who tries.
    pub(crate) from: FromSection,
    /// An address, as the pod knows it. A Service of the release's namespace goes by its bare name.
    pub(crate) to: Option<HostPort>,
    /// The pods of the release, at this port; instead of `to`.
    pub(crate) to_pods: Option<u16>,
}

/// A pod that tries.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct FromSection {
    /// Its labels; none when left out. Not those of a workload of the release: its Service and its disruption budget would
    /// take the pod for one of its own.
    pub(crate) labels: BTreeMap<String, String>,
    /// Its namespace; that of the release when left out.
    pub(crate) namespace: Option<String>,
}

/// The check.
pub(crate) struct NetworkPolicy;

/// Where it looks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Where {
    image: String,
    pull_secrets: Vec<String>,
    allowed: Vec<PathSection>,
    forbidden: Vec<PathSection>,
    place: Option<Place>,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    tries: Vec<Try>,
    /// What the probes could do at all.
    itself: Vec<probe::Itself>,
    /// What was made and could not be taken away again.
    #[serde(default)]
    left: Vec<String>,
}

/// One way that was tried, to one address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Try {
    /// From where to where, in words that are the same in every run.
    path: String,
    must_open: bool,
    is: Said,
    why: String,
}

impl Inspection<Verify> for NetworkPolicy {
    const NAME: &'static str = "network-policy";

    type Target = Where;
    type Limits = ();
    type Facts = Facts;

    fn target(asked: &Asked<'_, Verify>) -> Result<Target<Where>, Refusal> {
        let Section { image, pull_secrets, allowed, forbidden } = asked.section.network_policy.clone();
        let Some(image) = asked.input.flags.probe_image.clone().or(image) else {
            let why = "`verify.network-policy.image` names no image that could try from inside the cluster";
            return Ok(Target::Nowhere(why.to_owned()));
        };
        if allowed.is_empty() {
            let message = "`verify.network-policy.allowed` names no way that must be open";
            let hint = "name one: where nothing gets through, that nothing forbidden does proves no policy";
            return Err(Refusal::usage_with_hint(message, hint));
        }
        for PathSection { from, to, to_pods } in allowed.iter().chain(&forbidden) {
            if to.is_some() == to_pods.is_some() {
                let message = "a way of `verify.network-policy` leads to no place, or to two";
                return Err(Refusal::usage_with_hint(message, "write `to: HOST:PORT` or `to-pods: PORT`"));
            }
            if let Some(namespace) = &from.namespace {
                namespace.parse::<Namespace>().map_err(|error| Refusal::usage(error.to_string()))?;
            }
        }
        Ok(Target::At(Where { image, pull_secrets, allowed, forbidden, place: asked.site.place.clone() }))
    }

    fn limits(_asked: &Asked<'_, Verify>) -> Result<(), Refusal> {
        Ok(())
    }

    fn declare(id: CheckId, (): &()) -> Check {
        Check {
            why: Some(
                "A NetworkPolicy that selects nothing, or that nothing enforces, looks like one that works; whoever gets \
                 into one pod then gets everywhere."
                    .to_owned(),
            ),
            help: Some(
                "Look at `kubectl describe networkpolicy`: whom it selects, and whether the cluster's network plugin \
                 enforces policies at all."
                    .to_owned(),
            ),
            needs: super::ids(["pods"]),
            limits: vec![Limit { name: "ways that are open".to_owned(), value: "those that are allowed, alone".to_owned() }],
            requirements: vec!["NFR3.4".to_owned()],
            ..Check::new(id, "what must get through to the pods and out of them does, and what must not does not")
        }
    }

    fn rules(site: &Site, at: &Where) -> Vec<Rule> {
        let mut rules = live::workload_rules(site);
        rules.extend([live::list_rule(site, "", "pods"), live::list_rule(site, "", "services")]);
        let ways = at.allowed.iter().chain(&at.forbidden);
        let mut namespaces: BTreeSet<&str> = ways.map(|way| way.from.namespace(site)).collect();
        namespaces.insert(site.namespace());
        rules.extend(namespaces.into_iter().flat_map(job::rules));
        rules
    }

    async fn observe(seeing: &Seeing<'_, Verify>, at: &Where) -> Result<Facts, Unseen> {
        let (workloads, pods, services) =
            tokio::try_join!(live::workloads(seeing), live::pods(seeing), live::services(seeing))?;
        let own: Vec<&Pod> = pods
            .iter()
            .filter(|pod| live::is_ready(pod) && workloads.iter().any(|workload| workload.selects(pod)))
            .collect();
        let mut forbidden = at.forbidden.clone();
        if forbidden.is_empty() {
            forbidden.push(PathSection { to_pods: Some(first_port(&own)?), ..PathSection::default() });
        }
        let ways = at.allowed.iter().map(|way| (way, true)).chain(forbidden.iter().map(|way| (way, false)));
        // One pod for all that tries from the same place.
        let mut by_from: Vec<(&FromSection, Vec<Wanted>)> = Vec::new();
        for (way, must_open) in ways {
            if let Some(workload) = workloads.iter().find(|workload| workload.selects(&way.from.as_pod(seeing.site))) {
                let message = format!("the labels of {} are those of {}", way.from.shown(), workload.shown());
                return Err(Unseen::new(message).hint(
                    "its Service and its disruption budget would take the probe for one of its pods: give it labels that a \
                     policy selects, and no workload",
                ));
            }
            let wanted = wanted(way, must_open, &own, services)?;
            match by_from.iter_mut().find(|(from, _)| **from == way.from) {
                Some((_, all)) => all.extend(wanted),
                None => by_from.push((&way.from, wanted)),
            }
        }
        let namespaces: BTreeSet<&str> = by_from.iter().map(|(from, _)| from.namespace(seeing.site)).collect();
        try_join_all(namespaces.into_iter().map(|namespace| job::sweep(seeing, namespace))).await?;
        let trying = by_from.iter().map(|(from, wanted)| async move {
            let arguments = wanted.iter().map(Wanted::argument).collect();
            let lines = job::run(seeing, at, from, arguments).await?;
            told(&lines, wanted, from)
        });
        let mut facts = Facts { tries: Vec::new(), itself: Vec::new(), left: Vec::new() };
        for (itself, tries) in try_join_all(trying).await? {
            facts.itself.push(itself);
            facts.tries.extend(tries);
        }
        Ok(facts)
    }

    fn judge(id: &CheckId, at: &Where, (): &(), facts: &Facts) -> Judged {
        let paths: BTreeSet<(bool, &str)> = facts.tries.iter().map(|one| (one.must_open, one.path.as_str())).collect();
        let (mut findings, mut unsure) = (Vec::new(), None);
        for (must_open, path) in &paths {
            let tries = || facts.tries.iter().filter(|one| one.must_open == *must_open && one.path == *path);
            if *must_open {
                let Some(shut) = tries().find(|one| one.is != Said::Connected) else { continue };
                let seen = format!("{}: {}", shut.is.word(), shut.why);
                let message = format!("what is allowed does not get through: {path}: {seen}");
                findings.push(Finding::new(id, "closed", *path, message).expected("a connection", seen));
            } else if tries().any(|one| one.is == Said::Connected) {
                let message = format!("what is forbidden gets through: {path}");
                findings.push(Finding::new(id, "open", *path, message).expected("no connection", "a connection"));
            } else if let Some(unknown) = tries().find(|one| !one.is.is_closed()) {
                let why = format!("whether {path} is closed could not be told: {}: {}", unknown.is.word(), unknown.why);
                unsure = Some(format!("{why}\nhint: name an address, not a name that this pod may not look up"));
            }
        }
        if !facts.left.is_empty() {
            let message = format!("could not be taken away again: {}", facts.left.join(", "));
            findings.push(Finding::new(id, prodtest_gate::RULE_CLEANUP, "job", message).help(
                "`kubectl delete jobs --selector app.kubernetes.io/managed-by=prodtest`; each ends by itself too",
            ));
        }
        let findings: Vec<Finding> = findings.into_iter().map(|finding| finding.at(at.place.clone())).collect();
        let mut judged = match unsure {
            _ if facts.tries.is_empty() => Judged::undetermined(id.clone(), "nothing was tried"),
            Some(why) if findings.is_empty() => Judged::undetermined(id.clone(), why),
            _ => Judged::by_findings(id.clone(), findings),
        };
        let count = |must: bool| {
            Quantity::count(u32::try_from(paths.iter().filter(|(open, _)| *open == must).count()).unwrap_or(u32::MAX))
        };
        judged.evidence =
            vec![Evidence::new("allowed ways", count(true)), Evidence::new("forbidden ways", count(false))];
        judged
    }

    fn control(id: &CheckId, _: &Where, facts: &Facts) -> Option<Control> {
        let bad = facts.itself.iter().find(|one| one.open != Said::Connected || one.closed != Said::Refused);
        if facts.itself.is_empty() {
            return None;
        }
        Some(Control {
            name: "the probe, connecting to itself, and to where nothing listens".to_owned(),
            tripped: bad.is_none(),
            detail: match bad {
                None => "it is connected, and refused".to_owned(),
                Some(bad) => format!("{}, and {}", bad.open.word(), bad.closed.word()),
            },
            proves: vec![id.clone()],
        })
    }
}

/// Takes away what was made; what could not be is told with what was seen. For the end of the run, however that came about.
pub(crate) async fn clean(means: &Means<Shared>, run: &Run, facts: &mut Seen) {
    let left = job::clean(means, run).await;
    if left.is_empty() {
        return;
    }
    let name = <NetworkPolicy as Inspection<Verify>>::NAME;
    let Some(seen) = facts.seen.get_mut(name) else { return };
    match (&mut seen.facts, &mut seen.unseen) {
        (Some(facts), _) => facts["left"] = serde_json::json!(left),
        (None, Some(unseen)) => {
            unseen.message = format!("{}; could not be taken away again: {}", unseen.message, left.join(", "));
        }
        (None, None) => {}
    }
}

impl FromSection {
    fn namespace<'a>(&'a self, site: &'a Site) -> &'a str {
        self.namespace.as_deref().unwrap_or(site.namespace())
    }

    /// In words that are the same in every run.
    fn shown(&self) -> String {
        let labels: Vec<String> = self.labels.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let pod =
            if labels.is_empty() { "a pod without labels".to_owned() } else { format!("a pod `{}`", labels.join(",")) };
        match &self.namespace {
            Some(namespace) => format!("{pod} in `{namespace}`"),
            None => pod,
        }
    }

    /// A pod with these labels; in another namespace no workload's selector holds.
    fn as_pod(&self, site: &Site) -> Pod {
        let mut pod = Pod::default();
        let is_here = self.namespace(site) == site.namespace();
        pod.metadata.labels = is_here.then(|| self.labels.clone());
        pod
    }
}

/// An address that is to be tried.
#[derive(Debug)]
struct Wanted {
    path: String,
    must_open: bool,
    address: String,
}

impl Wanted {
    fn argument(&self) -> String {
        format!("{}={}", if self.must_open { "open" } else { "closed" }, self.address)
    }
}

/// The addresses that a way leads to.
fn wanted(
    way: &PathSection,
    must_open: bool,
    own: &[&Pod],
    services: &[k8s_openapi::api::core::v1::Service],
) -> Result<Vec<Wanted>, Unseen> {
    let from = way.from.shown();
    if let Some(to) = &way.to {
        let service = services.iter().find(|service| service.metadata.name.as_deref() == Some(&to.host));
        // A pod that may not ask for names is not to be judged by that.
        let address = service.and_then(|service| service.spec.as_ref()?.cluster_ip.clone());
        let host = address.filter(|address| address != "None").unwrap_or_else(|| to.host.clone());
        let address = HostPort { host, port: to.port }.to_string();
        return Ok(vec![Wanted { path: format!("from {from} to `{to}`"), must_open, address }]);
    }
    let port = way.to_pods.unwrap_or_default();
    let addresses = own.iter().filter_map(|pod| pod.status.as_ref()?.pod_ip.clone()).take(PODS);
    let path = format!("from {from} to the pods of the release at port {port}");
    let wanted: Vec<Wanted> = addresses
        .map(|host| Wanted { path: path.clone(), must_open, address: HostPort { host, port }.to_string() })
        .collect();
    if wanted.is_empty() {
        return Err(Unseen::new("the release has no ready pod that could be tried"));
    }
    Ok(wanted)
}

/// The first port that the pods say they listen on.
fn first_port(own: &[&Pod]) -> Result<u16, Unseen> {
    let containers = own.iter().filter_map(|pod| pod.spec.as_ref()).flat_map(|spec| &spec.containers);
    let port = containers.flat_map(|container| container.ports.iter().flatten()).next();
    port.and_then(|port| u16::try_from(port.container_port).ok()).ok_or_else(|| {
        Unseen::new("no ready pod of the release says which port it listens on")
            .hint("name it: `forbidden: [{ to-pods: PORT }]`")
    })
}

/// What the probe said of each address.
fn told(lines: &[Line], wanted: &[Wanted], from: &FromSection) -> Result<(probe::Itself, Vec<Try>), Unseen> {
    let silent = |what: &str| Unseen::new(format!("the probe of {} said nothing of {what}", from.shown()));
    let itself = lines.iter().find_map(|line| match line {
        Line::Itself { itself } => Some(itself.clone()),
        Line::Target { .. } => None,
    });
    let tries = wanted.iter().map(|wanted| {
        let argument = wanted.argument();
        let said = lines.iter().find_map(|line| match line {
            Line::Target { target, is, why } if *target == argument => Some((*is, why.clone())),
            _ => None,
        });
        let (is, why) = said.ok_or_else(|| silent(&argument))?;
        Ok(Try { path: wanted.path.clone(), must_open: wanted.must_open, is, why })
    });
    Ok((itself.ok_or_else(|| silent("itself"))?, tries.collect::<Result<_, Unseen>>()?))
}

#[cfg(test)]
mod tests;
