//! The alerts of Prometheus' rule files and of `PrometheusRule`s, and the runbook that each names.

use std::path::Path;

use prodtest_config::{is_url, label};
use prodtest_gate::{Place, Rule};
use prodtest_inspect::Unseen;
use prodtest_kube::{
    Call, Cluster, Problem,
    kube::{
        Api,
        api::ListParams,
        core::{ApiResource, DynamicObject, GroupVersionKind},
    },
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::Url;

use super::pages;

const GROUP: &str = "monitoring.coreos.com";
const KINDS: &str = "prometheusrules";

/// An alert.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) struct Alert {
    /// Its name.
    pub(super) name: String,
    /// Where it is, in words.
    pub(super) of: String,
    /// Its line, where it is in a file.
    pub(super) place: Option<Place>,
    /// Its `runbook_url`.
    pub(super) runbook: Option<String>,
}

/// What one must be allowed to do to read those of the cluster.
pub(super) fn rule(namespace: &str) -> Rule {
    Rule::new(namespace, GROUP, &[KINDS], &["list"])
}

/// Whether it can be asked for as it stands.
pub(super) fn is_plain(text: &str) -> bool {
    is_url(text) && !text.contains("{{") && Url::parse(text).is_ok()
}

/// The alerts in a file: of Prometheus' own kind, or with manifests.
pub(super) fn of_file(file: &Path) -> Result<Vec<Alert>, Unseen> {
    let shown = file.display();
    let text = std::fs::read_to_string(file);
    let text = text.map_err(|error| Unseen::new(format!("`{shown}` could not be read: {error}")))?;
    of_text(&label(file, Path::new("")), &text)
}

pub(super) fn of_text(file: &str, text: &str) -> Result<Vec<Alert>, Unseen> {
    let documents: Vec<Value> = serde_saphyr::from_multiple(text)
        .map_err(|error| Unseen::new(format!("`{file}` is not YAML: {}", one_line(&error.to_string()))))?;
    let mut alerts = Vec::new();
    let mut has_groups = false;
    for document in &documents {
        let groups = if document["kind"] == "PrometheusRule" { &document["spec"] } else { document };
        has_groups |= groups["groups"].is_array();
        alerts.extend(alerts_of(groups, &format!("`{file}`")));
    }
    if !has_groups {
        let hint = "it must have `groups`, as Prometheus reads them, or be a manifest of the kind `PrometheusRule`";
        return Err(Unseen::new(format!("`{file}` has no rules of Prometheus")).hint(hint));
    }
    for alert in &mut alerts {
        alert.place = line_of(text, &alert.name).map(|(line, column)| Place { file: file.to_owned(), line, column });
    }
    Ok(alerts)
}

/// The alerts of the namespace.
pub(super) async fn of_cluster(cluster: &Cluster, namespace: &str) -> Result<Vec<Alert>, Unseen> {
    let asked = format!("list the {KINDS} of `{GROUP}` in the namespace `{namespace}`");
    let call = Call { asked, rule: rule(namespace) };
    let kind = GroupVersionKind::gvk(GROUP, "v1", "PrometheusRule");
    let api: Api<DynamicObject> =
        Api::namespaced_with(cluster.client(), namespace, &ApiResource::from_gvk_with_plural(&kind, KINDS));
    let list = cluster.ask(&call, api.list(&ListParams::default())).await.map_err(|error| match error.problem {
        Problem::NotFound => Unseen::new(error.to_string())
            .hint(format!("the cluster knows no `{GROUP}/v1`: is its operator installed?")),
        _ => error.into(),
    })?;
    let alerts = list.items.iter().flat_map(|object| {
        let name = object.metadata.name.as_deref().unwrap_or_default();
        alerts_of(&object.data["spec"], &format!("the prometheusrule `{name}`"))
    });
    Ok(alerts.collect())
}

/// Rules that only record have no runbook.
fn alerts_of(spec: &Value, of: &str) -> Vec<Alert> {
    let rules = spec["groups"].as_array().into_iter().flatten().filter_map(|group| group["rules"].as_array());
    let alerts = rules.flatten().filter_map(|rule| {
        let runbook = rule["annotations"]["runbook_url"].as_str().map(str::trim).filter(|text| !text.is_empty());
        Some(Alert {
            name: rule["alert"].as_str()?.to_owned(),
            of: of.to_owned(),
            place: None,
            runbook: runbook.map(without_login),
        })
    });
    alerts.collect()
}

/// A URL without the login in it, whoever wrote one there; every other text as it is.
fn without_login(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) if !url.username().is_empty() || url.password().is_some() => pages::without_login(url).into(),
        _ => text.to_owned(),
    }
}

/// The line that begins an alert, and its column.
fn line_of(text: &str, name: &str) -> Option<(u32, u32)> {
    let (line, column) = text.lines().enumerate().find_map(|(index, line)| {
        let bare = line.trim_start_matches([' ', '-', '{']);
        let value = bare.strip_prefix("alert:")?.trim_start().trim_start_matches(['"', '\'']);
        let rest = value.strip_prefix(name)?;
        let ends = rest.is_empty() || rest.starts_with(['"', '\'', ' ', ',', '}']);
        ends.then(|| (index + 1, line.chars().count() - bare.chars().count() + 1))
    })?;
    Some((u32::try_from(line).ok()?, u32::try_from(column).ok()?))
}

fn one_line(text: &str) -> String {
    text.lines().next().unwrap_or_default().to_owned()
}
