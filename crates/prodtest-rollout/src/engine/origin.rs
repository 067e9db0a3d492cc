//! Where a doom comes from: the line of the chart or of a values file that a person would mend.

use std::path::Path;

use crate::{
    helm::Document,
    trace::{GateValue, Sources, Subject, What as Stands, trace},
    watch::{DoomKind, Evidence, Kind},
};
use prodtest_gate::Place;
use serde_json::Value;

use super::{
    plan::{Plan, What},
    upgrade::Rendered,
};

/// The line, and what is on it where that is a value.
pub(super) fn of(plan: &Plan, rendered: &Rendered, evidence: &Evidence) -> Option<(Place, Option<String>)> {
    let mut sources = match plan.what.as_ref()? {
        What::Chart { path, values } => Sources::read(path, values, Path::new(".")).ok()?,
        What::Manifests(_) => Sources { chart: rendered.written.clone(), ..Sources::default() },
    };
    if let Some(place) = &plan.places.image {
        given("", &rendered.own, place, &mut sources.set);
    }
    let document = rendered.documents.iter().find(|document| {
        Kind::named(&document.kind) == Some(evidence.subject.kind) && document.name == evidence.subject.name
    });
    let traced = trace(&sources, document, &subject(evidence, document))?;
    let set_by = match traced.what {
        Stands::Value(key) | Stands::Set(key) => Some(key),
        Stands::AppVersion => Some("appVersion".to_owned()),
        Stands::Template | Stands::Chart => None,
    };
    Some((traced.place, set_by))
}

/// Every value that the gate gave, by its key.
fn given(path: &str, value: &Value, place: &Place, set: &mut Vec<GateValue>) {
    match value {
        Value::Object(map) => {
            for (name, value) in map {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                given(&path, value, place, set);
            }
        }
        Value::String(text) if !text.is_empty() => {
            set.push(GateValue { path: path.to_owned(), value: text.clone(), place: place.clone() });
        }
        _ => {}
    }
}

/// What is wrong, as far as it can be said of one line.
fn subject(evidence: &Evidence, document: Option<&Document>) -> Subject {
    let container = evidence.container.clone();
    let named = |word: &str| after(&evidence.message, word);
    match evidence.kind {
        DoomKind::ImageNotFound | DoomKind::ImageRefused | DoomKind::ImageName | DoomKind::ImagePull => {
            let container = container.unwrap_or_default();
            let reference = document.and_then(|document| image(document, &container)).unwrap_or_default();
            Subject::Image { container, reference }
        }
        DoomKind::MissingConfig | DoomKind::Mount => {
            let name = named("secret \"").or_else(|| named("configmap \""));
            // `couldn't find key url in Secret shop/database`
            let key = evidence.message.split_once("find key ").and_then(|(_, rest)| rest.split_once(" in "));
            match (name, key) {
                (_, Some((key, rest))) => {
                    let name = rest.split_once('/').map_or(rest, |(_, name)| name);
                    Subject::Reference { name: word(name), key: Some(word(key)) }
                }
                (Some(name), None) => Subject::Reference { name, key: None },
                (None, None) => Subject::Object,
            }
        }
        DoomKind::Start | DoomKind::Crash | DoomKind::InitCrash | DoomKind::Probe => match container {
            Some(name) => Subject::Container { name },
            None => Subject::Object,
        },
        DoomKind::Unschedulable if evidence.message.contains("Insufficient") => Subject::Resources { container: None },
        DoomKind::Unschedulable => Subject::Placement,
        DoomKind::UnboundVolume => match named("persistentvolumeclaim \"") {
            Some(name) => Subject::Claim { name },
            None => Subject::Object,
        },
        DoomKind::Quota => Subject::Quota,
        DoomKind::JobFailed if document.is_some_and(|document| document.hook) => Subject::Hook,
        DoomKind::ProgressDeadline
        | DoomKind::Stalled
        | DoomKind::Admission
        | DoomKind::JobFailed
        | DoomKind::NodeGone
        | DoomKind::Paused => Subject::Object,
    }
}

/// The image of a container, as it was rendered.
fn image(document: &Document, container: &str) -> Option<String> {
    let spec = match document.kind.as_str() {
        "Pod" => &document.object["spec"],
        _ => &document.object["spec"]["template"]["spec"],
    };
    let all = ["containers", "initContainers"].into_iter().flat_map(|key| spec[key].as_array().into_iter().flatten());
    let found = all.into_iter().find(|one| one["name"].as_str() == Some(container))?;
    found["image"].as_str().map(str::to_owned)
}

/// What stands in quotes after a word.
fn after(message: &str, word: &str) -> Option<String> {
    let (_, rest) = message.split_once(word)?;
    let (name, _) = rest.split_once('"')?;
    Some(name.to_owned())
}

/// The beginning of a text, as far as a name goes.
fn word(text: &str) -> String {
    let is_name = |c: &char| c.is_ascii_alphanumeric() || "-._".contains(*c);
    text.chars().take_while(is_name).collect()
}

#[cfg(test)]
mod tests {
    use crate::watch::Subject as Whose;
    use serde_json::json;

    use super::*;

    fn evidence(kind: DoomKind, message: &str) -> Evidence {
        Evidence {
            kind,
            subject: Whose::new(Kind::Deployment, "a"),
            pod: None,
            container: Some("app".to_owned()),
            message: message.to_owned(),
            reason: None,
            exit_code: None,
            count: 1,
            since_ms: 0,
            last_seen_ms: 0,
            counted_ms: Vec::new(),
            stands: true,
        }
    }

    #[test]
    fn what_is_missing_is_named_by_what_the_kubelet_says() {
        let of = |message: &str| subject(&evidence(DoomKind::MissingConfig, message), None);
        let reference =
            |name: &str, key: Option<&str>| Subject::Reference { name: name.to_owned(), key: key.map(str::to_owned) };
        assert_eq!(of("secret \"database\" not found"), reference("database", None));
        assert_eq!(of("configmap \"settings\" not found"), reference("settings", None));
        assert_eq!(of("couldn't find key url in Secret shop/database"), reference("database", Some("url")));
        assert_eq!(of("something else"), Subject::Object);
    }

    #[test]
    fn every_value_of_the_gate_is_known_by_its_key() {
        let place = Place { file: "prodtest.yaml".to_owned(), line: 3, column: 5 };
        let mut set = Vec::new();
        given("", &json!({ "image": { "tag": "1", "digest": "" }, "version": "1" }), &place, &mut set);
        assert_eq!(set.iter().map(|value| value.path.as_str()).collect::<Vec<_>>(), ["image.tag", "version"]);
    }
}
