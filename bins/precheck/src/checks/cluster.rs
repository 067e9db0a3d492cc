//! `precheck/cluster`: the cluster answers, its parts are of versions that go together, and nobody's certificate runs out.

use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::Node;
use prodtest_cli::Refusal;
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Quantity, Rule, Unit};
use prodtest_http::{Certificate, ClientOptions, inspect_certificate};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use prodtest_kube::Call;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{gate::Precheck, shared, site::Site};

/// How many minor versions a kubelet may be behind the API server.
/// <https://kubernetes.io/releases/version-skew-policy/#kubelet>
const OLDEST_KUBELET: u32 = 3;
/// How many days a certificate must last when nobody says.
const MIN_DAYS: u32 = 7;
/// How long the server's certificate is waited for.
const HANDSHAKE: Duration = Duration::from_secs(4);

/// The cluster itself.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// How many days the certificates of the cluster's API and of whoever asks it must still last; 7 when left out. With 0,
    /// the API's need not be seen, as where a proxy stands before it.
    pub(crate) min_days: Option<u32>,
}

/// The check.
pub(crate) struct Cluster;

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    min_days: u32,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    now: Timestamp,
    /// The API server's version, or why it said none.
    version: Result<String, Unseen>,
    /// The kubelets' versions with one node each, or why they are not known.
    kubelets: Result<Vec<(String, String)>, Unseen>,
    /// When the certificate of the API ends, or why that could not be seen; none, where it speaks plain HTTP.
    server_until: Result<Option<Timestamp>, String>,
    /// When the certificate of whoever asks ends; none, where a token says who that is.
    client_until: Result<Option<Timestamp>, String>,
}

impl Inspection<Precheck> for Cluster {
    const NAME: &'static str = "cluster";
    const WITHOUT_CLUSTER: bool = true;

    type Target = ();
    type Limits = Limits;
    type Facts = Facts;

    fn target(_asked: &Asked<'_, Precheck>) -> Result<Target<()>, Refusal> {
        Ok(Target::At(()))
    }

    fn limits(asked: &Asked<'_, Precheck>) -> Result<Limits, Refusal> {
        Ok(Limits { min_days: asked.section.cluster.min_days.unwrap_or(MIN_DAYS) })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        Check {
            why: Some(
                "A certificate that ends tonight locks everybody out; parts of versions that do not go together fail in \
                 ways nobody tested."
                    .to_owned(),
            ),
            help: Some("Renew the certificate, or upgrade the part that is behind.".to_owned()),
            limits: vec![
                Limit { name: "certificates last".to_owned(), value: format!("{} days", limits.min_days) },
                Limit { name: "kubelets behind".to_owned(), value: format!("{OLDEST_KUBELET} minor versions") },
            ],
            ..Check::new(id, "the cluster answers, its versions go together, and its certificates last")
        }
    }

    fn rules(_site: &Site, (): &()) -> Vec<Rule> {
        vec![shared::nodes_rule()]
    }

    async fn observe(seeing: &Seeing<'_, Precheck>, (): &()) -> Result<Facts, Unseen> {
        let (version, kubelets, server_until) = tokio::join!(version(seeing), kubelets(seeing), server_until(seeing));
        let client_until = seeing.means.server().client_certificate().and_then(|pem| match pem {
            Some(pem) => Ok(Certificate::of_pem(&pem)?.first().map(|certificate| certificate.not_after)),
            None => Ok(None),
        });
        Ok(Facts { now: Timestamp::now(), version, kubelets, server_until, client_until })
    }

    fn judge(id: &CheckId, (): &(), limits: &Limits, facts: &Facts) -> Judged {
        let (mut findings, mut evidence, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
        let mut any_ended = false;
        let mut certificate = |whose: &str, until: &Result<Option<Timestamp>, String>, help: &str| {
            let until = match until {
                Ok(Some(until)) => *until,
                Ok(None) => return,
                Err(_) if limits.min_days == 0 => return,
                Err(why) => return unknown.push(format!("the certificate of {whose} could not be seen: {why}")),
            };
            let days = whole_days(until.duration_since(facts.now));
            let least = Quantity::Number { number: f64::from(limits.min_days), unit: Unit::Days };
            let left = Quantity::Number { number: days as f64, unit: Unit::Days };
            evidence.push(Evidence::new(format!("certificate of {whose} lasts"), left.clone()).limited(least.clone()));
            if days < i64::from(limits.min_days) {
                any_ended |= days < 0;
                let message = match days {
                    ..0 => format!("the certificate of {whose} ended on {}", date(until)),
                    _ => format!("the certificate of {whose} ends on {}, in {left}", date(until)),
                };
                let finding = Finding::new(id, "certificate", whose, message);
                findings.push(finding.expected(format!("at least {least} left"), date(until)).help(help));
            }
        };
        let renew = "renew the credentials in the kubeconfig, as `kubeadm certs renew` does";
        certificate("whoever asks", &facts.client_until, renew);
        certificate("the cluster's API", &facts.server_until, "renew it, as `kubeadm certs renew apiserver` does");
        match (&facts.version, &facts.kubelets) {
            // A certificate that ended is why it did not answer; nothing else that was found is.
            (Err(_), _) if any_ended => {}
            (Err(unseen), _) => return Judged::undetermined(id.clone(), unseen.to_string()),
            (Ok(_), Err(unseen)) => unknown.push(unseen.to_string()),
            (Ok(version), Ok(kubelets)) => {
                evidence.push(Evidence::new("API server", Quantity::Text(version.clone())));
                match skew(id, version, kubelets) {
                    Ok(skewed) => findings.extend(skewed),
                    Err(why) => unknown.push(why),
                }
            }
        }
        match unknown.into_iter().next() {
            Some(why) if findings.is_empty() => Judged { evidence, ..Judged::undetermined(id.clone(), why) },
            _ => Judged { evidence, ..Judged::by_findings(id.clone(), findings) },
        }
    }
}

async fn version(seeing: &Seeing<'_, Precheck>) -> Result<String, Unseen> {
    let cluster = seeing.means.cluster()?;
    let call = Call { asked: "ask for the version".to_owned(), rule: Rule::new("", "", &[], &["get"]) };
    let client = cluster.client();
    Ok(cluster.ask(&call, client.apiserver_version()).await?.git_version)
}

/// Each version once, with the first node that has it.
async fn kubelets(seeing: &Seeing<'_, Precheck>) -> Result<Vec<(String, String)>, Unseen> {
    let mut seen: Vec<(String, String)> = Vec::new();
    for node in shared::nodes(seeing).await? {
        let Some(version) = kubelet(node) else { continue };
        if !seen.iter().any(|(known, _)| known == version) {
            seen.push((version.to_owned(), node.metadata.name.clone().unwrap_or_default()));
        }
    }
    Ok(seen)
}

fn kubelet(node: &Node) -> Option<&str> {
    Some(&node.status.as_ref()?.node_info.as_ref()?.kubelet_version)
}

async fn server_until(seeing: &Seeing<'_, Precheck>) -> Result<Option<Timestamp>, String> {
    let url = seeing.means.server().url();
    if url.starts_with("http://") {
        return Ok(None);
    }
    let url = url.parse().map_err(|_| format!("`{url}` is no address"))?;
    let options = ClientOptions { connect: None, ca: None, user_agent: String::new() };
    let facts = inspect_certificate(&url, &options, HANDSHAKE, SystemTime::now()).await;
    let why = || facts.failure.as_ref().map_or_else(|| "none was presented".to_owned(), ToString::to_string);
    facts.chain.first().map(|certificate| Some(certificate.not_after)).ok_or_else(why)
}

/// The first kubelet that does not go with the API server.
///
/// # Errors
/// When a version is none that could be compared, or no node says one.
fn skew(id: &CheckId, server: &str, kubelets: &[(String, String)]) -> Result<Option<Finding>, String> {
    let minor = |version: &str| minor(version).ok_or_else(|| format!("`{version}` is no version of Kubernetes"));
    let of_server = minor(server)?;
    if kubelets.is_empty() {
        return Err("no node says of which version its kubelet is".to_owned());
    }
    for (version, node) in kubelets {
        let what = match i64::from(of_server) - i64::from(minor(version)?) {
            ..0 => "is newer than the API server",
            behind if behind > i64::from(OLDEST_KUBELET) => "is too far behind the API server",
            _ => continue,
        };
        let message = format!("the kubelet of `{node}` {what}: {version}, and {server}");
        let expected = format!("at most {OLDEST_KUBELET} minor versions behind {server}");
        return Ok(Some(Finding::new(id, "skew", "kubelet", message).expected(expected, version.clone())));
    }
    Ok(None)
}

/// The minor version of `v1.35.4`.
fn minor(version: &str) -> Option<u32> {
    version.trim_start_matches('v').split('.').nth(1)?.parse().ok()
}

/// Whole days, towards the past: what ends today has none left.
fn whole_days(left: SignedDuration) -> i64 {
    left.as_hours().div_euclid(24)
}

fn date(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}

#[cfg(test)]
mod tests {
    use prodtest_gate::Outcome;

    use super::*;

    fn id() -> CheckId {
        super::super::ids(["cluster"]).remove(0)
    }

    #[test]
    fn a_kubelet_is_not_newer_and_not_far_behind() {
        let of = |kubelet: &str| skew(&id(), "v1.35.4", &[(kubelet.to_owned(), "node-1".to_owned())]);
        let is_off = |kubelet: &str| of(kubelet).unwrap().is_some();
        assert_eq!(["v1.35.9", "v1.32.0", "v1.31.9", "v1.36.0"].map(is_off), [false, false, true, true]);
        assert!(of("unknown").is_err() && skew(&id(), "v1.35.4", &[]).is_err());
    }

    #[test]
    fn what_ended_an_hour_ago_has_less_than_no_days() {
        let days = |hours| whole_days(SignedDuration::from_hours(hours));
        assert_eq!([-1, 0, 23, 24, -25].map(days), [-1, 0, 0, 1, -2]);
    }

    /// A cluster where all is well for a year, changed.
    fn judged(min_days: u32, change: impl FnOnce(&mut Facts)) -> Judged {
        let now = Timestamp::from_second(1_800_000_000).unwrap();
        let until = now + SignedDuration::from_hours(24 * 365);
        let mut facts = Facts {
            now,
            version: Ok("v1.35.4".to_owned()),
            kubelets: Ok(vec![("v1.35.4".to_owned(), "node-1".to_owned())]),
            server_until: Ok(Some(until)),
            client_until: Ok(None),
        };
        change(&mut facts);
        Cluster::judge(&id(), &(), &Limits { min_days }, &facts)
    }

    #[test]
    fn what_could_not_be_seen_did_not_pass() {
        let outcome = |change: fn(&mut Facts)| judged(7, change).outcome;
        assert_eq!(outcome(|_| {}), Outcome::Passed);
        assert_eq!(outcome(|facts| facts.server_until = Err("refused".to_owned())), Outcome::Undetermined);
        assert_eq!(outcome(|facts| facts.client_until = Err("no PEM".to_owned())), Outcome::Undetermined);
        assert_eq!(outcome(|facts| facts.kubelets = Err(Unseen::new("forbidden"))), Outcome::Undetermined);
        assert_eq!(outcome(|facts| facts.version = Ok("garbage".to_owned())), Outcome::Undetermined);
        let behind_a_proxy = judged(0, |facts| facts.server_until = Err("refused".to_owned()));
        assert_eq!(behind_a_proxy.outcome, Outcome::Passed);
    }

    #[test]
    fn only_a_certificate_that_ended_is_why_nobody_answers() {
        let silent = |hours: i64| {
            judged(7, |facts| {
                facts.version = Err(Unseen::new("no answer"));
                facts.client_until = Ok(Some(facts.now + SignedDuration::from_hours(hours)));
            })
        };
        assert_eq!(silent(-48).outcome, Outcome::Failed);
        let soon = silent(48);
        assert_eq!((soon.outcome, soon.reason.as_deref()), (Outcome::Undetermined, Some("no answer")));
    }
}
