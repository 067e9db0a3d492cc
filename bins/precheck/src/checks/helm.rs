//! `precheck/helm`: Helm is there, in a version that can be used, and nobody is half way with the release.

use jiff::Timestamp;
use prodtest_cli::Refusal;
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use prodtest_rollout::journal;
use serde::{Deserialize, Serialize};

use crate::{gate::Precheck, shared, site::Site};

/// The check.
pub(crate) struct Helm;

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    now: Timestamp,
    /// Its version, or why there is none that can be used.
    version: Result<String, Unseen>,
    /// The newest revision of the release, if there is one.
    newest: Option<Revision>,
    /// Who was half way with it, as the journal of the gates has it.
    holder: Option<String>,
}

/// A revision of the release.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Revision {
    number: u32,
    /// Its status, in Helm's words; none, where the record cannot be read.
    status: Option<String>,
    pending: bool,
    since: Option<Timestamp>,
}

impl Inspection<Precheck> for Helm {
    const NAME: &'static str = "helm";

    type Target = ();
    type Limits = ();
    type Facts = Facts;

    fn target(asked: &Asked<'_, Precheck>) -> Result<Target<()>, Refusal> {
        Ok(match asked.site.chart {
            Some(_) => Target::At(()),
            None => Target::Nowhere("no chart is deployed here".to_owned()),
        })
    }

    fn limits(_asked: &Asked<'_, Precheck>) -> Result<(), Refusal> {
        Ok(())
    }

    fn declare(id: CheckId, (): &()) -> Check {
        Check {
            why: Some("Helm refuses a release that somebody is half way with, for ever when that somebody is dead.".to_owned()),
            help: Some(
                "Wait for whoever holds the release; when nobody does any more, `prodtest-deploy --recover` puts it in order."
                    .to_owned(),
            ),
            ..Check::new(id, "Helm is there, and nobody is half way with the release")
        }
    }

    fn rules(site: &Site, (): &()) -> Vec<Rule> {
        let mut rules = prodtest_rollout::helm::rules(site.namespace());
        rules.push(Rule::new(site.namespace(), "", &["configmaps"], &["get"]).named([journal::name(&site.release)]));
        rules
    }

    async fn observe(seeing: &Seeing<'_, Precheck>, (): &()) -> Result<Facts, Unseen> {
        let (cluster, site) = (seeing.means.cluster()?, seeing.site);
        let (helm, history) = tokio::join!(shared::helm(seeing), shared::history(seeing));
        let newest = history?.newest().map(|revision| {
            let release = revision.release.as_ref().ok();
            Revision {
                number: revision.number,
                status: release.map(|release| release.status.to_string()),
                pending: release.is_some_and(|release| release.status.is_pending()),
                since: release.and_then(|release| release.last_deployed),
            }
        });
        // Asked for only where it matters, for not everybody may.
        let pending = newest.as_ref().is_some_and(|newest| newest.pending);
        let kept = journal::Store::new(cluster, site.namespace(), &site.release);
        let kept = if pending { kept.read().await.ok() } else { None };
        let holder = kept.and_then(|kept| Some(kept.journal?.holder().identity()));
        Ok(Facts { now: Timestamp::now(), version: helm.map(|helm| helm.version().to_string()), newest, holder })
    }

    fn judge(id: &CheckId, (): &(), (): &(), facts: &Facts) -> Judged {
        let mut findings = Vec::new();
        let mut evidence = Vec::new();
        if let Some(newest) = &facts.newest {
            let status = newest.status.as_deref().unwrap_or("unreadable");
            evidence.push(Evidence::new("newest revision", Quantity::Text(format!("{}, {status}", newest.number))));
            if newest.pending {
                let since = newest.since.map(|since| {
                    let minutes = facts.now.duration_since(since).as_mins().max(0);
                    format!(" since {minutes} minutes")
                });
                let since = since.unwrap_or_default();
                let holder = match &facts.holder {
                    Some(holder) => format!("by {holder}"),
                    None => "no gate wrote down that it was at it".to_owned(),
                };
                let message = format!("revision {} of the release is {status}{since}; {holder}", newest.number);
                findings.push(
                    Finding::new(id, "pending", "release", message).expected("no revision that is pending", status),
                );
            }
        }
        match &facts.version {
            Ok(version) => evidence.push(Evidence::new("Helm", Quantity::Text(version.clone()))),
            Err(unseen) if findings.is_empty() => return Judged::undetermined(id.clone(), unseen.to_string()),
            Err(_) => {}
        }
        Judged { evidence, ..Judged::by_findings(id.clone(), findings) }
    }
}
