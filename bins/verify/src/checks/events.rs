//! `verify/events`: the cluster has warned of nothing about the release since its rollout that did not pass.

use jiff::Timestamp;
use k8s_openapi::api::core::v1::{Event, Pod};
use prodtest_cli::Refusal;
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{gate::Verify, live, pattern::Pattern, site::Site};

/// What a probe that fails is called.
const UNHEALTHY: &str = "Unhealthy";
/// Fewer failures of a probe in a row do nothing to a pod: Kubernetes' own `failureThreshold`.
const FAILURES: u32 = 3;
/// What is longer is cut: a message may quote what a pod answered.
const LONGEST: usize = 300;

/// Warnings of the cluster.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// Warnings that are of no account; none when left out.
    pub(crate) ignore: Vec<Ignored>,
}

/// A warning that is of no account.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) struct Ignored {
    /// Its reason, as Kubernetes calls it: `FailedMount`.
    reason: String,
    /// What its message has; anything, when left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    r#match: Option<Pattern>,
    /// Why it is of no account.
    #[schemars(length(min = 1))]
    because: String,
}

/// The check.
pub(crate) struct Events;

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    ignore: Vec<Ignored>,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// When the release was rolled out; none where nobody knows, and then all warnings that are kept are of it.
    since: Option<Timestamp>,
    warnings: Vec<Warning>,
}

/// A warning about an object of the release.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Warning {
    /// `Deployment godel-api`.
    workload: String,
    /// What it is about: `Pod godel-api-5d4f-x2x`.
    about: String,
    state: State,
    reason: String,
    message: String,
    count: u32,
    first: Option<Timestamp>,
    last: Option<Timestamp>,
}

/// How what a warning is about fares now.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// It is well, since then.
    Well(Timestamp),
    /// It is not.
    Unwell,
    /// It is on its way out, or gone.
    Gone,
}

impl Inspection<Verify> for Events {
    const NAME: &'static str = "events";

    type Target = ();
    type Limits = Limits;
    type Facts = Facts;

    fn target(_asked: &Asked<'_, Verify>) -> Result<Target<()>, Refusal> {
        Ok(Target::At(()))
    }

    fn limits(asked: &Asked<'_, Verify>) -> Result<Limits, Refusal> {
        Ok(Limits { ignore: asked.section.events.ignore.clone() })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        let ignored = limits
            .ignore
            .iter()
            .map(|it| Limit { name: "ignored".to_owned(), value: format!("{}, because {}", it.reason, it.because) });
        Check {
            why: Some(
                "What the cluster could not do for a pod, a volume, a probe, a node, it says once, in an event that is gone \
                 in an hour."
                    .to_owned(),
            ),
            help: Some(
                "Look at `kubectl get events --field-selector type=Warning`. What passed while pods started does not count; \
                 what is of no account goes to `events.ignore`, with the reason."
                    .to_owned(),
            ),
            limits: ignored.collect(),
            requirements: vec!["FR1.4".to_owned()],
            ..Check::new(id, "no warning about the release since its rollout that did not pass")
        }
    }

    fn rules(site: &Site, (): &()) -> Vec<Rule> {
        let mut rules = live::workload_rules(site);
        rules.extend(["pods", "events"].map(|plural| live::list_rule(site, "", plural)));
        rules.push(live::list_rule(site, "apps", "replicasets"));
        rules
    }

    async fn observe(seeing: &Seeing<'_, Verify>, (): &()) -> Result<Facts, Unseen> {
        let (workloads, pods, sets, since, events) = tokio::try_join!(
            live::workloads(seeing),
            live::pods(seeing),
            live::replica_sets(seeing),
            live::rolled_out(seeing),
            live::list::<Event>(seeing, "", "events"),
        )?;
        let mut warnings = Vec::new();
        for event in events.iter().filter(|event| event.type_.as_deref() == Some("Warning")) {
            let about = &event.involved_object;
            let (kind, name) = (about.kind.as_deref().unwrap_or_default(), about.name.as_deref().unwrap_or_default());
            let owner = workloads.iter().find(|workload| match kind {
                "Pod" => match pods.iter().find(|pod| pod.metadata.name.as_deref() == Some(name)) {
                    Some(pod) => workload.selects(pod),
                    // One that is gone is known by the name of what made it.
                    None => makers(workload, sets).any(|maker| is_made_by(name, &maker)),
                },
                "ReplicaSet" => makers(workload, sets).any(|maker| maker == name),
                _ => workload.kind == kind && workload.name == name,
            });
            let Some(workload) = owner else { continue };
            let own = || pods.iter().filter(|pod| workload.selects(pod));
            let state = if kind == "Pod" {
                own().find(|pod| pod.metadata.name.as_deref() == Some(name)).map_or(State::Gone, pod_state)
            } else {
                workload_state(workload, own())
            };
            warnings.push(warning(event, workload, kind, name, state));
        }
        Ok(Facts { since, warnings })
    }

    fn judge(id: &CheckId, (): &(), limits: &Limits, facts: &Facts) -> Judged {
        let (mut findings, mut ignored, mut passed): (Vec<Finding>, u32, u32) = (Vec::new(), 0, 0);
        let mut counted = 0_u32;
        let is_of_rollout = |it: &&Warning| facts.since.is_none_or(|since| it.last.is_none_or(|last| last >= since));
        for warning in facts.warnings.iter().filter(is_of_rollout) {
            if limits.ignore.iter().any(|it| it.is(warning)) {
                ignored += 1;
            } else if warning.has_passed() {
                passed += 1;
            } else {
                counted += 1;
                let Warning { workload, about, reason, message, count, last, .. } = warning;
                let subject = format!("{workload} {reason}");
                // One finding a workload and reason: pods have other names the next time.
                if !findings.iter().any(|it| it.subject == subject) {
                    let when = last.map(|last| format!(", the last time at {last}")).unwrap_or_default();
                    let said = format!("{about}: {reason}: {message}");
                    let seen = format!("{count} times{when}");
                    findings.push(Finding::new(id, "warning", subject, said).expected("no warning", seen));
                }
            }
        }
        let mut judged = Judged::by_findings(id.clone(), findings);
        judged.evidence = vec![
            Evidence::new("warnings", Quantity::count(counted)).limited(Quantity::count(0)),
            Evidence::new("warnings that passed", Quantity::count(passed)),
            Evidence::new("warnings ignored", Quantity::count(ignored)),
        ];
        judged
    }
}

impl Ignored {
    fn is(&self, warning: &Warning) -> bool {
        self.reason == warning.reason && self.r#match.as_ref().is_none_or(|it| it.is_in(&warning.message))
    }
}

impl Warning {
    /// Whether it is of the past: what it is about got well later, or ended.
    fn has_passed(&self) -> bool {
        match self.state {
            // A probe of a pod that ends fails.
            State::Gone => self.reason == UNHEALTHY,
            State::Unwell => false,
            State::Well(since) => {
                let Some(last) = self.last else { return false };
                if last <= since {
                    return true;
                }
                // How many of them came later is not known of one that began before.
                let later = if self.first.is_some_and(|first| first > since) { self.count } else { 1 };
                self.reason == UNHEALTHY && later < FAILURES
            }
        }
    }
}

/// The names of what makes the pods of a workload.
fn makers<'a>(
    workload: &'a live::Workload,
    sets: &'a [k8s_openapi::api::apps::v1::ReplicaSet],
) -> impl Iterator<Item = String> + 'a {
    let uid = workload.object.metadata.uid.as_ref();
    let own = sets.iter().filter(move |set| {
        let mut owners = set.metadata.owner_references.iter().flatten();
        owners.any(|owner| Some(&owner.uid) == uid)
    });
    // Of a Deployment that was told to have no pod of an earlier revision, that is the newest one.
    let wanted = own.filter(|set| set.spec.replicas != Some(0));
    let itself = (workload.kind != "Deployment").then(|| workload.name.clone());
    wanted.filter_map(|set| set.metadata.name.clone()).chain(itself)
}

/// Whether a pod of that name is one that this made: `godel-api-5d4f` makes `godel-api-5d4f-x2x`.
fn is_made_by(pod: &str, maker: &str) -> bool {
    pod.rsplit_once('-').is_some_and(|(before, _)| before == maker)
}

fn ready_since(pod: &Pod) -> Option<Timestamp> {
    let mut conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let ready = conditions.find(|it| it.type_ == "Ready" && it.status == "True")?;
    Some(ready.last_transition_time.as_ref()?.0)
}

fn pod_state(pod: &Pod) -> State {
    if pod.metadata.deletion_timestamp.is_some() {
        return State::Gone;
    }
    ready_since(pod).map_or(State::Unwell, State::Well)
}

/// A workload is well once the last of the pods that it must have is ready.
fn workload_state<'a>(workload: &live::Workload, pods: impl Iterator<Item = &'a Pod>) -> State {
    let data = &workload.object.data;
    let wanted = data["spec"]["replicas"].as_u64().or_else(|| data["status"]["desiredNumberScheduled"].as_u64());
    let ready: Vec<Timestamp> = pods.filter(|pod| live::is_ready(pod)).filter_map(ready_since).collect();
    match ready.iter().max() {
        Some(last) if wanted.is_some_and(|wanted| ready.len() as u64 >= wanted) => State::Well(*last),
        _ => State::Unwell,
    }
}

fn warning(event: &Event, workload: &live::Workload, kind: &str, name: &str, state: State) -> Warning {
    let series = event.series.as_ref();
    let once = event.event_time.as_ref().map(|at| at.0);
    let first = event.first_timestamp.as_ref().map(|at| at.0).or(once);
    let last = series.and_then(|it| it.last_observed_time.as_ref().map(|at| at.0));
    let last = last.or(event.last_timestamp.as_ref().map(|at| at.0)).or(first);
    let count = series.and_then(|it| it.count).or(event.count).unwrap_or(1);
    let message = event.message.as_deref().unwrap_or_default();
    Warning {
        workload: workload.shown(),
        about: format!("{kind} `{name}`"),
        state,
        reason: event.reason.clone().unwrap_or_default(),
        message: live::shortened(message, LONGEST),
        count: u32::try_from(count).unwrap_or(1),
        first,
        last,
    }
}

#[cfg(test)]
mod tests {
    use prodtest_gate::Outcome;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// The rollout is at 100, and what it is about is well since 110.
    fn judged(change: impl FnOnce(&mut Warning), ignore: &[Ignored]) -> Outcome {
        let mut warning = Warning {
            workload: "Deployment api".to_owned(),
            about: "Pod `api-1-a`".to_owned(),
            state: State::Well(at(110)),
            reason: "FailedMount".to_owned(),
            message: "no such volume".to_owned(),
            count: 1,
            first: Some(at(120)),
            last: Some(at(120)),
        };
        change(&mut warning);
        let facts = Facts { since: Some(at(100)), warnings: vec![warning] };
        let limits = Limits { ignore: ignore.to_vec() };
        Events::judge(&CheckId::new("verify", "events").unwrap(), &(), &limits, &facts).outcome
    }

    #[test]
    fn what_came_after_or_never_passed_counts() {
        assert_eq!(judged(|_| {}, &[]), Outcome::Failed);
        assert_eq!(judged(|it| it.last = Some(at(110)), &[]), Outcome::Passed);
        assert_eq!(judged(|it| (it.last, it.state) = (Some(at(105)), State::Unwell), &[]), Outcome::Failed);
        // Of the release before.
        assert_eq!(judged(|it| (it.last, it.state) = (Some(at(99)), State::Unwell), &[]), Outcome::Passed);
        assert_eq!(judged(|it| it.state = State::Gone, &[]), Outcome::Failed);
    }

    #[test]
    fn a_probe_may_fail_now_and_then() {
        let probe = |count: u32, first: i64| {
            move |it: &mut Warning| {
                (it.reason, it.count, it.first) = (UNHEALTHY.to_owned(), count, Some(at(first)));
            }
        };
        assert_eq!(judged(probe(2, 115), &[]), Outcome::Passed);
        assert_eq!(judged(probe(3, 115), &[]), Outcome::Failed);
        assert_eq!(judged(probe(9, 105), &[]), Outcome::Passed);
        let ends = |it: &mut Warning| (it.reason, it.state) = (UNHEALTHY.to_owned(), State::Gone);
        assert_eq!(judged(ends, &[]), Outcome::Passed);
    }

    #[test]
    fn what_is_ignored_is_told_by_reason_and_words() {
        let ignored = |reason: &str, words: Option<&str>| {
            let (reason, because) = (reason.to_owned(), "it is known".to_owned());
            [Ignored { reason, r#match: words.and_then(Pattern::new), because }]
        };
        assert_eq!(judged(|_| {}, &ignored("FailedMount", None)), Outcome::Passed);
        assert_eq!(judged(|_| {}, &ignored("FailedMount", Some("^no such"))), Outcome::Passed);
        assert_eq!(judged(|_| {}, &ignored("FailedMount", Some("timeout"))), Outcome::Failed);
        assert_eq!(judged(|_| {}, &ignored("BackOff", None)), Outcome::Failed);
    }

    #[test]
    fn a_pod_that_is_gone_is_known_by_its_name() {
        assert!(is_made_by("api-5d4f-x2x", "api-5d4f"));
        assert!(is_made_by("store-0", "store"));
        assert!(!is_made_by("api-5d4f-x2x", "api"));
    }
}
