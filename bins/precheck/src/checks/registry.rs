//! `precheck/registry`: the image is in its registry, the kubelet's login opens it, and it is for the platform of the nodes.

use prodtest_cli::Refusal;
use prodtest_config::Period;
use prodtest_gate::{Check, CheckId, Control, Finding, Judged, Limit, Rule};
use prodtest_image::{Platform, Reference};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use serde::{Deserialize, Serialize};

use crate::{
    gate::{self, Precheck},
    pull::{self, Named, Pulled, Verdict},
    shared,
    site::Site,
};

/// The check.
pub(crate) struct Registry;

/// Where it looks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Asks {
    /// The platforms that the image must be for; those of the nodes, where it is empty.
    platforms: Vec<Platform>,
    /// How long one question may take.
    patience: Period,
}

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    /// The image that is to be deployed, where its tag is known.
    image: Option<String>,
    /// Where in the configuration it is.
    place: Option<prodtest_gate::Place>,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    images: Vec<Pulled>,
    /// The platforms that they must be for, or why these are not known.
    platforms: Result<Vec<Platform>, Unseen>,
}

impl Inspection<Precheck> for Registry {
    const NAME: &'static str = "registry";

    type Target = Asks;
    type Limits = Limits;
    type Facts = Facts;

    fn target(asked: &Asked<'_, Precheck>) -> Result<Target<Asks>, Refusal> {
        let site = asked.site;
        if site.chart.is_none() && site.manifests.is_empty() {
            let why = "neither a chart nor manifests say which images are pulled, and with which login";
            return Ok(Target::Nowhere(why.to_owned()));
        }
        let platforms = site.image.iter().flat_map(|image| &image.platforms);
        let platforms = platforms.map(|text| text.parse::<Platform>()).collect::<Result<_, _>>();
        let platforms = platforms.map_err(|error| Refusal::usage(error.to_string()))?;
        Ok(Target::At(Asks { platforms, patience: pull::patience(gate::deadline(asked.section)) }))
    }

    fn limits(asked: &Asked<'_, Precheck>) -> Result<Limits, Refusal> {
        let image = asked.site.image.as_ref();
        Ok(Limits { image: image.and_then(site_image), place: image.map(|image| image.place.clone()) })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        let limits = limits.image.iter().map(|image| Limit { name: "image".to_owned(), value: image.clone() });
        Check {
            why: Some(
                "A login that does not open the registry, a tag that is not there, or an image for another processor is \
                 found by the kubelet half way through a rollout, when half of the pods are gone."
                    .to_owned(),
            ),
            help: Some(
                "Push the image, or make the pull secret anew: `kubectl create secret docker-registry`. It is asked with the \
                 `imagePullSecrets` of the pods that would be deployed, or of their ServiceAccount, and with nothing else."
                    .to_owned(),
            ),
            // The pull secret is in it.
            needs: super::ids(["namespace"]),
            limits: limits.collect(),
            ..Check::new(id, "the image is in its registry, for the pods' login and the platform of the nodes")
        }
    }

    fn rules(site: &Site, asks: &Asks) -> Vec<Rule> {
        let mut rules = pull::rules(site.namespace());
        if asks.platforms.is_empty() {
            rules.push(shared::nodes_rule());
        }
        rules
    }

    async fn observe(seeing: &Seeing<'_, Precheck>, asks: &Asks) -> Result<Facts, Unseen> {
        let platforms = async {
            if asks.platforms.is_empty() { pull::platforms(seeing).await } else { Ok(asks.platforms.clone()) }
        };
        let images = async {
            let manifest = shared::rendered(seeing).await?;
            let rendered = pull::images(seeing, manifest, &shared::workloads(manifest)?).await?;
            let deployed = match seeing.site.image.as_ref().and_then(site_image) {
                Some(image) => of_site(&image, &rendered),
                None => rendered,
            };
            pull::ask_all(seeing, &deployed, asks.patience).await
        };
        let (images, platforms) = tokio::join!(images, platforms);
        Ok(Facts { images: images?, platforms })
    }

    fn judge(id: &CheckId, _asks: &Asks, limits: &Limits, facts: &Facts) -> Judged {
        if facts.images.is_empty() {
            return Judged::undetermined(id.clone(), "nothing that would be deployed names an image");
        }
        let nodes = facts.platforms.as_deref().unwrap_or_default();
        let (mut findings, mut unknown): (Vec<Finding>, Vec<String>) = (Vec::new(), Vec::new());
        for image in &facts.images {
            match image.verdict(id, nodes) {
                Verdict::Good => {}
                Verdict::Bad(finding) => findings.push(finding.at(limits.place.clone())),
                Verdict::Unknown(why) => unknown.push(why),
            }
        }
        unknown.extend(facts.platforms.as_ref().err().map(ToString::to_string));
        let judged = match unknown.first() {
            Some(why) if findings.is_empty() => Judged::undetermined(id.clone(), why.clone()),
            _ => Judged::by_findings(id.clone(), findings),
        };
        Judged { evidence: facts.images.iter().flat_map(Pulled::evidence).collect(), ..judged }
    }

    fn control(id: &CheckId, _asks: &Asks, facts: &Facts) -> Option<Control> {
        pull::control(id, &facts.images)
    }
}

/// The image that is to be deployed, where its tag is known.
fn site_image(image: &crate::site::ImageSite) -> Option<String> {
    Some(format!("{}:{}", image.repository, image.tag.as_ref()?))
}

/// The image with the pull secrets of the pods that run it; where none does by that name, with those of all pods.
fn of_site(image: &str, rendered: &[Named]) -> Vec<Named> {
    let repository = |image: &str| image.parse::<Reference>().ok().map(|reference| reference.repository());
    let wanted = repository(image);
    let users: Vec<&Named> = rendered.iter().filter(|named| repository(&named.image) == wanted).collect();
    let mut all: Vec<Named> = Vec::new();
    let mut add = |secrets: Vec<String>| {
        let named = Named { image: image.to_owned(), secrets };
        if !all.contains(&named) {
            all.push(named);
        }
    };
    if users.is_empty() {
        let mut every: Vec<String> = rendered.iter().flat_map(|named| named.secrets.clone()).collect();
        every.sort_unstable();
        every.dedup();
        add(every);
    }
    for user in users {
        add(user.secrets.clone());
    }
    all
}

#[cfg(test)]
mod tests;
