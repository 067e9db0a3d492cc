//! `precheck/chart`: the chart lints and renders with its values, and the cluster would take what comes of it.

mod api;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use futures_util::{StreamExt as _, stream};
use prodtest_cli::Refusal;
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Place, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use prodtest_rollout::{
    apply,
    helm::{Document, HelmProblem, Manifest},
    trace::{Subject, place_of_value},
};
use serde::{Deserialize, Serialize};

use self::api::{Outcome, Served, deprecates};
use crate::{
    gate::Precheck,
    shared::{self, Unrendered},
    site::Site,
};

/// How many objects are tried at once.
const AT_ONCE: usize = 8;
/// What there is instead of a version that went.
const GUIDE: &str = "https://kubernetes.io/docs/reference/using-api/deprecation-guide/";

/// The check.
pub(crate) struct Chart;

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// What `helm lint` has against the chart, or why it did not say.
    linted: Result<Vec<String>, Unseen>,
    /// What came of the chart.
    rendered: Rendered,
}

/// What came of the chart.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Rendered {
    /// Nothing: it is the chart's fault, or that of its values.
    Refused { values: bool, why: String, place: Option<Place> },
    /// Nobody knows.
    Untried(Unseen),
    /// These.
    Objects(Vec<Tried>),
}

/// An object that was tried.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Tried {
    api_version: String,
    kind: String,
    name: String,
    /// The template that it came from.
    place: Option<Place>,
    outcome: Outcome,
}

impl Inspection<Precheck> for Chart {
    const NAME: &'static str = "chart";

    type Target = ();
    type Limits = ();
    type Facts = Facts;

    fn target(asked: &Asked<'_, Precheck>) -> Result<Target<()>, Refusal> {
        Ok(match asked.site.chart.is_some() || !asked.site.manifests.is_empty() {
            true => Target::At(()),
            false => Target::Nowhere("neither a chart nor manifests are deployed here".to_owned()),
        })
    }

    fn limits(_asked: &Asked<'_, Precheck>) -> Result<(), Refusal> {
        Ok(())
    }

    fn declare(id: CheckId, (): &()) -> Check {
        Check {
            why: Some(
                "What the cluster refuses half way leaves a release that is neither the old nor the new.".to_owned(),
            ),
            help: Some("Mend the chart or its values; `helm template` shows what comes of them.".to_owned()),
            ..Check::new(id, "the chart renders with its values, and the cluster would take what comes of it")
        }
    }

    fn rules(site: &Site, (): &()) -> Vec<Rule> {
        let verbs = || vec!["create".to_owned(), "patch".to_owned()];
        apply::rules(site.namespace(), false).into_iter().map(|rule| Rule { verbs: verbs(), ..rule }).collect()
    }

    async fn observe(seeing: &Seeing<'_, Precheck>, (): &()) -> Result<Facts, Unseen> {
        let rendered = async {
            match shared::rendered(seeing).await {
                Ok(manifest) => match tried(seeing, manifest).await {
                    Ok(tried) => Rendered::Objects(tried),
                    Err(unseen) => Rendered::Untried(unseen),
                },
                Err(Unrendered::Untried(unseen)) => Rendered::Untried(unseen),
                Err(Unrendered::Refused { why, problem }) => {
                    let values = matches!(problem, Some(HelmProblem::Values(_)));
                    let place = problem.as_ref().and_then(|problem| mended(seeing, problem));
                    let configured = seeing.site.chart.as_ref().map(|chart| chart.place.clone());
                    Rendered::Refused { values, why, place: place.or(configured) }
                }
            }
        };
        let (linted, rendered) = tokio::join!(shared::linted(seeing), rendered);
        Ok(Facts { linted, rendered })
    }

    fn judge(id: &CheckId, (): &(), (): &(), facts: &Facts) -> Judged {
        let (mut findings, mut unknown) = (Vec::new(), None);
        let mut evidence = Vec::new();
        match &facts.rendered {
            Rendered::Refused { values, why, place } => {
                let rule = if *values { "values" } else { "template" };
                let expected = if *values { "values that the chart's schema allows" } else { "a chart that renders" };
                let finding = Finding::new(id, rule, "chart", why.clone()).expected(expected, "refused");
                findings.push(finding.at(place.clone()));
            }
            Rendered::Untried(unseen) => unknown = Some(unseen.to_string()),
            Rendered::Objects(objects) => {
                let number = u32::try_from(objects.len()).unwrap_or(u32::MAX);
                evidence.push(Evidence::new("objects that were tried", Quantity::count(number)));
                for object in objects {
                    findings.extend(of_object(id, object, &mut evidence));
                    if let Outcome::Unknown(unseen) = &object.outcome {
                        unknown.get_or_insert_with(|| unseen.to_string());
                    }
                }
            }
        }
        match &facts.linted {
            // Of what does not render the linter says the same again.
            Ok(errors) if !matches!(facts.rendered, Rendered::Refused { .. }) => {
                let of_error = |error: &String| {
                    let subject = error.split(": ").next().unwrap_or_default();
                    Finding::new(id, "lint", subject, format!("`helm lint`: {error}")).expected("no error", "an error")
                };
                findings.extend(errors.iter().map(of_error));
            }
            Ok(_) => {}
            Err(unseen) => {
                unknown.get_or_insert_with(|| unseen.to_string());
            }
        }
        let judged = match unknown {
            Some(why) if findings.is_empty() => Judged::undetermined(id.clone(), why),
            _ => Judged::by_findings(id.clone(), findings),
        };
        Judged { evidence, ..judged }
    }
}

fn of_object(id: &CheckId, object: &Tried, evidence: &mut Vec<Evidence>) -> Vec<Finding> {
    let Tried { api_version, kind, name, place, outcome } = object;
    let shown = format!("{kind} `{name}`");
    let subject = format!("{kind} {name}");
    match outcome {
        Outcome::Taken(warnings) => {
            let mut findings = Vec::new();
            for warning in warnings {
                if deprecates(warning, api_version, kind) {
                    let message = format!("{shown} is of a version that will go: {warning}");
                    let finding = Finding::new(id, "deprecated", &subject, message);
                    let finding = finding.expected("a version that stays", format!("`{api_version}`"));
                    findings.push(finding.at(place.clone()).help(format!("see {GUIDE}")));
                } else {
                    evidence
                        .push(Evidence::new(format!("the cluster warns of {shown}"), Quantity::Text(warning.clone())));
                }
            }
            findings
        }
        Outcome::NotServed(others) => {
            let message = format!("{shown} is of `{api_version}` {kind}, which the cluster does not serve");
            let serves = if others.is_empty() {
                "nothing of that group".to_owned()
            } else {
                format!("`{}`", others.join("`, `"))
            };
            let finding = Finding::new(id, "removed", &subject, message);
            let finding = finding.expected("a version that the cluster serves", format!("it serves {serves}"));
            vec![finding.at(place.clone()).help(format!("see {GUIDE}; or install what defines the kind"))]
        }
        Outcome::Refused(why) => {
            let message = format!("the cluster refuses {shown}: {why}");
            vec![
                Finding::new(id, "refused", &subject, message)
                    .expected("an object that it takes", "refused")
                    .at(place.clone()),
            ]
        }
        Outcome::Unknown(_) => Vec::new(),
    }
}

/// Has the cluster say what it would make of each object.
async fn tried(seeing: &Seeing<'_, Precheck>, manifest: &Manifest) -> Result<Vec<Tried>, Unseen> {
    let cluster = seeing.means.cluster()?;
    let brought = brought(seeing, manifest);
    let is_brought =
        |document: &Document| brought.contains(&(group(&document.api_version).to_owned(), document.kind.clone()));
    let documents: Vec<&Document> =
        manifest.documents.iter().filter(|document| !shared::is_test(document) && !is_brought(document)).collect();
    let versions: BTreeSet<&str> = documents.iter().map(|document| document.api_version.as_str()).collect();
    let served = Served::ask(cluster, versions).await?;
    let served = &served;
    let trying = stream::iter(documents.into_iter().map(|document| async move {
        Tried {
            api_version: document.api_version.clone(),
            kind: document.kind.clone(),
            name: document.name.clone(),
            place: shared::place(seeing, Some(document), &Subject::Object),
            outcome: served.try_one(cluster, seeing.site.namespace(), document).await,
        }
    }));
    Ok(trying.buffered(AT_ONCE).collect().await)
}

fn group(api_version: &str) -> &str {
    api_version.split_once('/').map_or("", |(group, _)| group)
}

/// Group and kind of what the chart defines itself: the cluster need not know them yet.
fn brought(seeing: &Seeing<'_, Precheck>, manifest: &Manifest) -> BTreeSet<(String, String)> {
    // Helm does not render what is in `crds`.
    let files = shared::sources(seeing).into_iter().flat_map(|sources| &sources.chart.files);
    let texts = files.filter(|(path, _)| path.starts_with("crds/"));
    let beside: Vec<Document> =
        texts.filter_map(|(_, file)| Some(Manifest::parse(&file.text).ok()?.documents)).flatten().collect();
    let all = manifest.documents.iter().chain(&beside).filter(|document| document.kind == "CustomResourceDefinition");
    let named = all.filter_map(|document| {
        let spec = &document.object["spec"];
        Some((spec["group"].as_str()?.to_owned(), spec["names"]["kind"].as_str()?.to_owned()))
    });
    named.collect()
}

/// Where what Helm refuses can be mended: a value, or a line of a template.
fn mended(seeing: &Seeing<'_, Precheck>, problem: &HelmProblem) -> Option<Place> {
    let sources = shared::sources(seeing)?;
    match problem {
        HelmProblem::Values(why) => place_of_value(sources, &key(why)?),
        HelmProblem::Template { template: Some(template), line, .. } => {
            // Helm writes the name of the chart before it.
            let (_, path) = template.split_once('/')?;
            let (_, file) = sources.chart.files.iter().find(|(known, _)| known == path)?;
            Some(Place { file: file.label.clone(), line: line.unwrap_or(1), column: 1 })
        }
        _ => None,
    }
}

/// The value that a schema refuses, `list[0].name`, from `- at '/list/0/name': got string, want integer`, or as older
/// versions of Helm have it, `- list.0.name: Invalid type`. Of one that must not be there, the same with its name.
fn key(why: &str) -> Option<String> {
    let path: Vec<&str> = match why.split_once("- at '") {
        Some((_, rest)) => rest.split_once('\'')?.0.split('/').collect(),
        None => why.rsplit_once(": - ")?.1.split_once(": ")?.0.split('.').collect(),
    };
    let mut key = String::new();
    let unknown = why
        .split_once("dditional propert")
        .and_then(|(_, rest)| rest.split(['\'', ' ']).filter(|word| !word.is_empty()).nth(1));
    for part in path.into_iter().filter(|part| !part.is_empty() && *part != "(root)").chain(unknown) {
        match part.parse::<u32>() {
            Ok(index) => key.push_str(&format!("[{index}]")),
            Err(_) if key.is_empty() => key.push_str(part),
            Err(_) => key.push_str(&format!(".{part}")),
        }
    }
    (!key.is_empty()).then_some(key)
}
