//! `precheck/rollback-plan`: there is a revision to go back to, and what it runs can still be pulled.

use prodtest_cli::Refusal;
use prodtest_config::Period;
use prodtest_gate::{Check, CheckId, Control, Evidence, Finding, Judged, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use prodtest_rollout::{
    helm::{History, Manifest},
    journal,
    way_back::{BeforeNext, before_next},
};
use serde::{Deserialize, Serialize};

use crate::{
    gate::{self, Precheck},
    pull::{self, Pulled, Verdict},
    shared,
    site::Site,
};

/// The check.
pub(crate) struct RollbackPlan;

/// Where it looks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Asks {
    /// How long one question to a registry may take.
    patience: Period,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// The newest revision; none before a first install.
    newest: Option<u32>,
    /// The revision to go back to, and why that one; or why there is none.
    good: Result<(u32, String), String>,
    /// Its images, as their registries have them.
    images: Vec<Pulled>,
}

impl Inspection<Precheck> for RollbackPlan {
    const NAME: &'static str = "rollback-plan";

    type Target = Asks;
    type Limits = ();
    type Facts = Facts;

    fn target(asked: &Asked<'_, Precheck>) -> Result<Target<Asks>, Refusal> {
        Ok(match asked.site.chart {
            Some(_) => Target::At(Asks { patience: pull::patience(gate::deadline(asked.section)) }),
            None => Target::Nowhere("no chart is deployed here, and only Helm keeps revisions".to_owned()),
        })
    }

    fn limits(_asked: &Asked<'_, Precheck>) -> Result<(), Refusal> {
        Ok(())
    }

    fn declare(id: CheckId, (): &()) -> Check {
        Check {
            why: Some(
                "A way back that leads to a bad revision, or to an image that somebody cleaned away, is found out while \
                 users wait."
                    .to_owned(),
            ),
            help: Some(
                "Push the earlier image again, and keep the registry from cleaning away what a revision in `helm history` \
                 runs; where no revision is good, deploy one that is before the next change."
                    .to_owned(),
            ),
            needs: super::ids(["registry"]),
            requirements: vec!["FR5.4".to_owned()],
            ..Check::new(id, "there is a good revision to go back to, and its images can be pulled")
        }
    }

    fn rules(site: &Site, _asks: &Asks) -> Vec<Rule> {
        let namespace = site.namespace();
        let mut rules = prodtest_rollout::helm::rules(namespace);
        rules.push(Rule::new(namespace, "", &["configmaps"], &["get"]).named([journal::name(&site.release)]));
        rules.extend(pull::rules(namespace));
        rules
    }

    async fn observe(seeing: &Seeing<'_, Precheck>, asks: &Asks) -> Result<Facts, Unseen> {
        let (cluster, site) = (seeing.means.cluster()?, seeing.site);
        let store = journal::Store::new(cluster, site.namespace(), &site.release);
        let (history, kept) = tokio::join!(shared::history(seeing), store.read());
        let history = history?;
        let kept = kept.map_err(|error| Unseen { message: error.to_string(), hint: error.hint() })?;
        let BeforeNext { newest, good, .. } = before_next(history, &kept);
        let images = match &good {
            Ok(choice) => images(seeing, history, choice.revision, asks.patience).await?,
            Err(_) => Vec::new(),
        };
        let good = good.map(|choice| (choice.revision, choice.why.to_string())).map_err(|none| none.to_string());
        Ok(Facts { newest, good, images })
    }

    fn judge(id: &CheckId, _asks: &Asks, (): &(), facts: &Facts) -> Judged {
        if facts.newest.is_none() {
            return Judged::skipped(id.clone(), "nothing is deployed yet");
        }
        let (revision, why) = match &facts.good {
            Ok(good) => good,
            Err(why) => {
                let finding = Finding::new(id, "no-good-revision", "release", why.clone());
                return Judged::by_findings(id.clone(), vec![finding.expected("a revision to go back to", "none")]);
            }
        };
        if facts.images.is_empty() {
            return Judged::undetermined(id.clone(), format!("nothing that revision {revision} runs names an image"));
        }
        let (mut findings, mut unknown): (Vec<Finding>, Vec<String>) = (Vec::new(), Vec::new());
        for image in &facts.images {
            match image.verdict(id, &[]) {
                Verdict::Good => {}
                Verdict::Bad(mut finding) => {
                    finding.message = format!(
                        "revision {revision} is the way back, and its image cannot be pulled: {}",
                        finding.message
                    );
                    findings.push(*finding);
                }
                Verdict::Unknown(why) => unknown.push(why),
            }
        }
        let judged = match unknown.first() {
            Some(why) if findings.is_empty() => Judged::undetermined(id.clone(), why.clone()),
            _ => Judged::by_findings(id.clone(), findings),
        };
        let mut evidence = vec![Evidence::new("way back", Quantity::Text(format!("revision {revision}, {why}")))];
        evidence.extend(facts.images.iter().flat_map(Pulled::evidence));
        Judged { evidence, ..judged }
    }

    fn control(id: &CheckId, _asks: &Asks, facts: &Facts) -> Option<Control> {
        pull::control(id, &facts.images)
    }
}

/// What the revision runs, as it was deployed, hooks aside.
async fn images(
    seeing: &Seeing<'_, Precheck>,
    history: &History,
    revision: u32,
    patience: Period,
) -> Result<Vec<Pulled>, Unseen> {
    let of = |why: String| Unseen::new(format!("the manifest of revision {revision} cannot be read: {why}"));
    let release = history.release(revision).ok_or_else(|| of("Helm's record is unreadable".to_owned()))?;
    let manifest = Manifest::parse(&release.manifest).map_err(|error| of(error.to_string()))?;
    let workloads = shared::workloads(&manifest)?;
    let named = pull::images(seeing, &manifest, &workloads).await?;
    pull::ask_all(seeing, &named, patience).await
}

#[cfg(test)]
mod tests {
    use prodtest_gate::Outcome;
    use serde_json::{Value, json};

    use super::*;

    fn judged(facts: Value) -> Judged {
        let facts: Facts = serde_json::from_value(facts).unwrap();
        let id = CheckId::new("precheck", "rollback-plan").unwrap();
        RollbackPlan::judge(&id, &Asks { patience: Period::default() }, &(), &facts)
    }

    fn image(failure: Option<&str>) -> Value {
        let reference = "registry.lab:5000/godel:1";
        let mut facts = json!({ "reference": reference });
        match failure {
            Some(class) => facts["failure"] = json!({ "class": class, "message": "could not", "hint": "look" }),
            None => {
                let digest = format!("sha256:{}", "0".repeat(64));
                facts["resolved"] = json!({ "digest": digest, "media-type": "x", "images": [] });
            }
        }
        json!({ "named": reference, "seen": { "Ok": facts }, "secret": null, "passed-over": [], "control": null })
    }

    #[test]
    fn before_a_first_install_there_is_nothing_to_go_back_to() {
        let judged = judged(json!({ "newest": null, "good": { "Err": "none" }, "images": [] }));
        assert_eq!((judged.outcome, judged.reason.as_deref()), (Outcome::Skipped, Some("nothing is deployed yet")));
    }

    #[test]
    fn a_history_without_a_good_revision_fails() {
        let judged = judged(json!({ "newest": 1, "good": { "Err": "every revision failed" }, "images": [] }));
        assert_eq!((judged.outcome, judged.findings[0].rule.as_str()), (Outcome::Failed, "no-good-revision"));
    }

    #[test]
    fn a_revision_is_as_good_as_its_images() {
        for (failure, outcome) in [
            (None, Outcome::Passed),
            (Some("not-found"), Outcome::Failed),
            (Some("denied"), Outcome::Failed),
            (Some("no-answer"), Outcome::Undetermined),
        ] {
            let judged =
                judged(json!({ "newest": 2, "good": { "Ok": [1, "it is good"] }, "images": [image(failure)] }));
            assert_eq!(judged.outcome, outcome, "{failure:?}");
        }
    }
}
