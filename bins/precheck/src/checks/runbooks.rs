//! `precheck/runbooks`: every alert names a runbook, and each of these and of the listed documents can be read.

mod pages;
mod rules;

use std::path::PathBuf;

use prodtest_cli::Refusal;
use prodtest_config::{ConfigError, FileOrUrl, FilePath, HostPort, Located, Period, files};
use prodtest_gate::{Check, CheckId, Control, Evidence, Finding, Judged, Limit, Place, Quantity, Rule};
use prodtest_http::ClientOptions;
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use self::{
    pages::{Page, Verdict},
    rules::Alert,
};
use crate::{
    gate::{self, Precheck},
    site::Site,
};

/// Of the check's time, what one page may take with all that it sends on to: its control is asked after it.
const SHARE: f64 = 0.45;

/// The documents that somebody reads when it burns.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// Files that must be there, and pages that must answer.
    pub(crate) documents: Vec<Located<FileOrUrl>>,
    /// Files with Prometheus rules, or with manifests of `PrometheusRule`, by name or glob: what each alert names as
    /// `runbook_url` must answer.
    pub(crate) rules: Vec<Located<FilePath>>,
    /// Whether the `PrometheusRule`s of the namespace are looked at too; `false` when left out.
    pub(crate) from_cluster: bool,
    /// Connect there for every page, whatever its address says, as `curl --connect-to` does.
    pub(crate) connect: Option<Located<HostPort>>,
    /// The authorities to trust instead of those of the system, in PEM.
    pub(crate) ca: Option<Located<FilePath>>,
}

/// The check.
pub(crate) struct Runbooks;

/// Where it looks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Asks {
    documents: Vec<Located<FileOrUrl>>,
    rules: Vec<PathBuf>,
    from_cluster: bool,
    connect: Option<HostPort>,
    ca: Option<PathBuf>,
    /// How long one page may take.
    within: Period,
}

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    within: Period,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    /// The alerts.
    alerts: Vec<Alert>,
    /// Each listed file: how many bytes that are no white space it has, or why that is not known.
    files: Vec<(String, File)>,
    /// Each page that an alert or the list names, once.
    pages: Vec<Page>,
    /// For each folder of these, a page that cannot be there.
    controls: Vec<Page>,
}

/// A listed file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum File {
    /// It is there.
    There,
    /// It has nothing in it.
    Empty,
    /// It is not there, or no file.
    Missing,
    /// It could not be read.
    Unreadable(String),
}

impl Inspection<Precheck> for Runbooks {
    const NAME: &'static str = "runbooks";

    type Target = Asks;
    type Limits = Limits;
    type Facts = Facts;

    fn target(asked: &Asked<'_, Precheck>) -> Result<Target<Asks>, Refusal> {
        let section = &asked.section.runbooks;
        if section.documents.is_empty() && section.rules.is_empty() && !section.from_cluster {
            let why = "nothing says where runbooks are: `precheck: { runbooks: { documents: […] } }`";
            return Ok(Target::Nowhere(why.to_owned()));
        }
        for document in &section.documents {
            let url = document.value.is_url().then(|| Url::parse(&document.value.0));
            let wrong = match url {
                Some(Err(error)) => format!("this is no URL: {error}"),
                Some(Ok(url)) if !url.username().is_empty() || url.password().is_some() => {
                    "the URL of a document holds a user or a password".to_owned()
                }
                _ => continue,
            };
            let error = ConfigError::new(wrong).at(document.place.clone());
            return Err(asked.input.config.explain(error.with_hint("name a page that answers without a login")).into());
        }
        Ok(Target::At(Asks {
            documents: section.documents.clone(),
            rules: files(&section.rules).map_err(|error| asked.input.config.explain(error))?,
            from_cluster: section.from_cluster,
            connect: section.connect.as_ref().map(|connect| connect.value.clone()),
            ca: section.ca.as_ref().map(|ca| ca.value.0.clone()),
            within: within(asked.section),
        }))
    }

    fn limits(asked: &Asked<'_, Precheck>) -> Result<Limits, Refusal> {
        Ok(Limits { within: within(asked.section) })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        Check {
            why: Some(
                "Whoever is woken at night opens the link in the alert; a page that moved away costs the first minutes of \
                 every outage."
                    .to_owned(),
            ),
            help: Some(
                "Write the runbook, or mend the link. A page that only answers to who is logged in cannot be checked from \
                 here: name one that can, or a file."
                    .to_owned(),
            ),
            limits: vec![Limit { name: "each page within".to_owned(), value: limits.within.to_string() }],
            ..Check::new(id, "every alert names a runbook, and every runbook and document can be read")
        }
    }

    fn rules(site: &Site, asks: &Asks) -> Vec<Rule> {
        if asks.from_cluster { vec![rules::rule(site.namespace())] } else { Vec::new() }
    }

    async fn observe(seeing: &Seeing<'_, Precheck>, asks: &Asks) -> Result<Facts, Unseen> {
        let mut alerts = Vec::new();
        for file in &asks.rules {
            alerts.extend(rules::of_file(file)?);
        }
        if asks.from_cluster {
            alerts.extend(rules::of_cluster(seeing.means.cluster()?, seeing.site.namespace()).await?);
        }
        let mut urls: Vec<String> = Vec::new();
        let listed = asks.documents.iter().filter(|document| document.value.is_url());
        let named = alerts.iter().filter_map(|alert| alert.runbook.as_ref()).filter(|url| rules::is_plain(url));
        for url in listed.map(|document| &document.value.0).chain(named) {
            if !urls.contains(url) {
                urls.push(url.clone());
            }
        }
        let ca = asks.ca.as_ref().map(|file| {
            std::fs::read(file).map_err(|error| Unseen::new(format!("`{}` could not be read: {error}", file.display())))
        });
        let options = ClientOptions {
            connect: asks.connect.as_ref().map(|connect| (connect.host.clone(), connect.port)),
            ca: ca.transpose()?,
            user_agent: concat!("prodtest/", env!("CARGO_PKG_VERSION")).to_owned(),
        };
        let (pages, controls) = pages::ask(options, &urls, asks.within.0).await?;
        let files = asks.documents.iter().filter(|document| !document.value.is_url());
        let files = files.map(|document| (document.value.0.clone(), look(&document.value.0))).collect();
        Ok(Facts { alerts, files, pages, controls })
    }

    fn judge(id: &CheckId, asks: &Asks, _limits: &Limits, facts: &Facts) -> Judged {
        let (mut findings, mut unknown): (Vec<Finding>, Vec<String>) = (Vec::new(), Vec::new());
        for alert in &facts.alerts {
            judge_alert(id, alert, &mut findings, &mut unknown);
        }
        for (file, seen) in &facts.files {
            let (rule, message) = match seen {
                File::There => continue,
                File::Missing => ("missing", format!("there is no file `{file}`")),
                File::Empty => ("empty", format!("the file `{file}` is empty")),
                File::Unreadable(why) => {
                    unknown.push(format!("`{file}` could not be read: {why}"));
                    continue;
                }
            };
            findings.push(Finding::new(id, rule, file.clone(), message).at(listed_at(asks, file)));
        }
        for page in &facts.pages {
            let users = facts.alerts.iter().filter(|alert| alert.runbook.as_deref() == Some(page.url.as_str()));
            let users: Vec<&Alert> = users.collect();
            match page.verdict() {
                Verdict::Good => {}
                Verdict::Unknown(why) => unknown.push(why),
                Verdict::Bad { rule, message, seen } => {
                    let place = users.iter().find_map(|alert| alert.place.clone());
                    let mut finding = Finding::new(id, rule, page.url.clone(), message);
                    let names: Vec<String> = users.iter().map(|alert| format!("`{}`", alert.name)).collect();
                    finding.because = (!names.is_empty()).then(|| format!("it is the runbook of {}", names.join(", ")));
                    findings.push(
                        finding.expected("200 and a text", seen).at(place.or_else(|| listed_at(asks, &page.url))),
                    );
                }
            }
        }
        let judged = match unknown.first() {
            Some(why) if findings.is_empty() => Judged::undetermined(id.clone(), why.clone()),
            None if facts.alerts.is_empty() && facts.files.is_empty() && facts.pages.is_empty() => {
                Judged::undetermined(id.clone(), "there is no alert and no document")
            }
            _ => Judged::by_findings(id.clone(), findings),
        };
        let counted =
            |name: &str, count: usize| Evidence::new(name, Quantity::count(u32::try_from(count).unwrap_or(u32::MAX)));
        let evidence = vec![
            counted("alerts", facts.alerts.len()),
            counted("pages asked for", facts.pages.len()),
            counted("files looked at", facts.files.len()),
        ];
        Judged { evidence, ..judged }
    }

    fn control(id: &CheckId, _asks: &Asks, facts: &Facts) -> Option<Control> {
        let wrong = facts.controls.iter().find(|page| page.says_yes());
        let name = "a page that cannot be there".to_owned();
        let detail = match wrong {
            Some(page) => format!("`{}` answered 200: that host says so of any page, or shows its log-in", page.url),
            None => "it is not answered with 200".to_owned(),
        };
        let control = Control { name, tripped: wrong.is_none(), detail, proves: vec![id.clone()] };
        (!facts.controls.is_empty()).then_some(control)
    }
}

fn within(section: &crate::section::Section) -> Period {
    Period(gate::deadline(section).0.mul_f64(SHARE))
}

fn judge_alert(id: &CheckId, alert: &Alert, findings: &mut Vec<Finding>, unknown: &mut Vec<String>) {
    let name = &alert.name;
    let found = |rule: &str, message: String, seen: String| {
        let finding = Finding::new(id, rule, name.clone(), message).at(alert.place.clone());
        finding.expected("an annotation `runbook_url` with a URL", seen)
    };
    match &alert.runbook {
        None => {
            let message = format!("the alert `{name}` of {} names no runbook", alert.of);
            findings.push(found("no-runbook", message, "none".to_owned()));
        }
        Some(text) if text.contains("{{") => {
            unknown.push(format!(
                "the `runbook_url` of the alert `{name}` is a template, and cannot be asked for: `{text}`"
            ));
        }
        Some(text) if !rules::is_plain(text) => {
            let message = format!("the `runbook_url` of the alert `{name}` of {} is no URL", alert.of);
            findings.push(found("no-url", message, format!("`{text}`")));
        }
        Some(_) => {}
    }
}

/// Where in the configuration a document is listed.
fn listed_at(asks: &Asks, document: &str) -> Option<Place> {
    asks.documents.iter().find(|listed| listed.value.0 == document).map(|listed| listed.place.clone())
}

fn look(file: &str) -> File {
    match std::fs::read(file) {
        Ok(bytes) if bytes.iter().all(u8::is_ascii_whitespace) => File::Empty,
        Ok(_) => File::There,
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::IsADirectory) => {
            File::Missing
        }
        Err(error) => File::Unreadable(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
