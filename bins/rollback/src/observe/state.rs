//! What a release has in the cluster: its objects as they are, what they refer to, and the digests that run.
//!
//! It is in memory alone, for there are Secrets in it. What is kept is how many fields were compared, and which differ.

use std::collections::{BTreeMap, BTreeSet};

use prodtest_rollout::{
    apply::{Applier, Manner, Reference},
    backup::{clean, collect, compare},
    engine::{Hold, Session, Step, facts::Trouble, runs::selector},
    helm::{Document, Release},
    identity::{ImageId, list_pods, running},
    quoted,
};
use serde_json::{Value, json};

/// Kinds that run once: another run of theirs is another object.
const RUN_ONCE: [&str; 2] = ["Job", "Pod"];
/// Where a workload says how many pods it wants.
const REPLICAS: &str = "/spec/replicas";

/// The state of a release.
pub(super) struct State {
    objects: BTreeMap<String, Value>,
    /// By workload and container.
    digests: BTreeMap<String, BTreeSet<String>>,
    values: Option<Value>,
    manifest: Option<String>,
}

impl State {
    /// Reads it. `release`: Helm's record of it, where Helm has one.
    pub(super) async fn read(
        session: &Session<'_>,
        hold: &Hold,
        documents: &[Document],
        release: Option<&Release>,
    ) -> Step<Result<Self, Trouble>> {
        let plan = session.plan;
        let lasting = documents.iter().filter(|document| !RUN_ONCE.contains(&document.kind.as_str()));
        let mut wanted: Vec<Value> = lasting.map(|document| document.object.clone()).collect();
        wanted.extend(referred(documents));
        let reading = collect(&hold.cluster, plan.namespace(), &plan.release, &wanted, &[]);
        let backup = match session.run.unless_stopped(reading).await? {
            Ok(backup) => backup,
            Err(error) => return Ok(Err(Trouble::unmeasured(error.to_string(), error.hint()))),
        };
        let mut digests = BTreeMap::new();
        for document in documents.iter().filter(|document| !document.hook) {
            let Some(selector) = selector(document) else { continue };
            let listing = list_pods(&hold.cluster, plan.namespace(), &selector);
            let pods = match session.run.unless_stopped(listing).await? {
                Ok(pods) => pods,
                Err(error) => return Ok(Err(Trouble::unmeasured(error.to_string(), error.hint()))),
            };
            for one in running(&pods) {
                let of = format!("{}/{}, container {}", document.kind.to_lowercase(), document.name, one.container);
                let all: &mut BTreeSet<String> = digests.entry(of).or_default();
                all.insert(match ImageId::parse(&one.image_id) {
                    ImageId::Manifest(digest) | ImageId::Bare(digest) => digest,
                    ImageId::Unknown => "unknown".to_owned(),
                });
            }
        }
        let scaled = scaled_by_any(&backup.objects);
        let named = |object: &Value| Some((Reference::of(object).ok()?.to_string(), object.clone()));
        let mut objects: BTreeMap<String, Value> = backup.objects.iter().filter_map(named).collect();
        for object in objects.values_mut() {
            without_scaled(object, &scaled);
        }
        Ok(Ok(Self {
            objects,
            digests,
            values: release.map(|release| release.config.clone()),
            manifest: release.map(|release| release.manifest.clone()),
        }))
    }

    /// How many objects, and how many fields of them.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.objects.len(), self.objects.values().map(fields).sum())
    }

    /// What runs, for people.
    pub(super) fn digests(&self) -> Vec<String> {
        self.digests.iter().flat_map(|(of, all)| all.iter().map(move |digest| format!("{of}: {digest}"))).collect()
    }

    /// Every field that is not as it was. Values of Secrets, and of Helm's values, are not quoted.
    pub(super) fn differences(&self, now: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        for (name, object) in &self.objects {
            match now.objects.get(name) {
                None => differences.push(format!("{name}: it is not there any more")),
                Some(other) => differences.extend(both_ways(object, other)),
            }
        }
        for name in now.objects.keys().filter(|name| !self.objects.contains_key(*name)) {
            differences.push(format!("{name}: it was not there before"));
        }
        for (of, was) in &self.digests {
            let is = now.digests.get(of).cloned().unwrap_or_default();
            if *was != is {
                let list = |all: &BTreeSet<String>| all.iter().cloned().collect::<Vec<_>>().join(", ");
                differences.push(format!("{of}: it ran {}, and runs {}", list(was), list(&is)));
            }
        }
        if let (Some(was), Some(is)) = (&self.values, &now.values) {
            let mut paths = BTreeSet::new();
            unequal("", was, is, &mut paths);
            differences.extend(paths.into_iter().map(|path| format!("values: `{path}` is not as it was")));
        }
        if let (Some(was), Some(is)) = (&self.manifest, &now.manifest)
            && was != is
        {
            differences.push("manifest: what Helm has recorded is not what it was".to_owned());
        }
        differences
    }
}

/// What the objects of a revision have otherwise than they are now, with how many objects and fields were compared. The
/// server is asked what each would be if it were put in, and says so in its own way: quantities, defaults, what is left out.
pub(super) async fn against(
    session: &Session<'_>,
    hold: &Hold,
    documents: &[Document],
) -> Step<Result<(usize, usize, Vec<String>), Trouble>> {
    let unknown = |message: String, hint| Ok(Err(Trouble::unmeasured(message, hint)));
    let applier = Applier::new(&hold.cluster, session.plan.namespace());
    let dry = Manner { dry_run: true, force: true };
    let (mut lives, mut would_be) = (Vec::new(), Vec::new());
    let mut differences = Vec::new();
    let lasting = documents.iter().filter(|one| !one.hook && !RUN_ONCE.contains(&one.kind.as_str()));
    for object in lasting.map(|document| &document.object) {
        let reference = match Reference::of(object) {
            Ok(reference) => reference,
            Err(error) => return unknown(error.to_string(), None),
        };
        match session.run.unless_stopped(applier.get(&reference)).await? {
            Ok(Some(live)) => lives.push(clean(&live)),
            Ok(None) => {
                differences.push(format!("{reference}: it is not there"));
                continue;
            }
            Err(error) => return unknown(error.to_string(), error.hint()),
        }
        match session.run.unless_stopped(applier.apply(object, dry)).await? {
            (_, Some(after)) => would_be.push(clean(&after)),
            (outcome, None) => return unknown(format!("{reference} cannot be compared: {outcome}"), None),
        }
    }
    let scaled = scaled_by_any(&lives);
    for object in lives.iter_mut().chain(&mut would_be) {
        without_scaled(object, &scaled);
    }
    for (live, after) in lives.iter().zip(&would_be) {
        differences.extend(compare(after, live).iter().map(ToString::to_string));
    }
    Ok(Ok((lives.len(), would_be.iter().map(fields).sum(), differences)))
}

/// The ConfigMaps and Secrets that the objects refer to and are not: configuration that the release does not own.
fn referred(documents: &[Document]) -> Vec<Value> {
    let (mut secrets, mut maps) = (BTreeSet::new(), BTreeSet::new());
    for document in documents {
        quoted::named(&document.object, &mut secrets);
        config_maps(&document.object, &mut maps);
    }
    let own =
        |kind: &str, name: &String| documents.iter().any(|document| document.kind == kind && document.name == *name);
    let stub = |kind: &str, name: String| json!({ "apiVersion": "v1", "kind": kind, "metadata": { "name": name } });
    let secrets = secrets.into_iter().filter(|name| !own("Secret", name)).map(|name| stub("Secret", name));
    let maps = maps.into_iter().filter(|name| !own("ConfigMap", name)).map(|name| stub("ConfigMap", name));
    secrets.chain(maps).collect()
}

fn config_maps(object: &Value, into: &mut BTreeSet<String>) {
    match object {
        Value::Array(items) => items.iter().for_each(|item| config_maps(item, into)),
        Value::Object(map) => {
            for (key, value) in map {
                if ["configMap", "configMapRef", "configMapKeyRef"].contains(&key.as_str()) {
                    into.extend(value["name"].as_str().map(str::to_owned));
                }
                config_maps(value, into);
            }
        }
        _ => {}
    }
}

/// What autoscalers scale, `Deployment/godel-api`.
fn scaled_by_any(objects: &[Value]) -> Vec<String> {
    let autoscalers = objects.iter().filter(|object| object["kind"] == "HorizontalPodAutoscaler");
    let target = |autoscaler: &Value| {
        let target = &autoscaler["spec"]["scaleTargetRef"];
        format!("{}/{}", word(&target["kind"]), word(&target["name"]))
    };
    autoscalers.map(target).collect()
}

/// An autoscaler says how many there are, and it may say so meanwhile.
fn without_scaled(object: &mut Value, scaled: &[String]) {
    let name = format!("{}/{}", word(&object["kind"]), word(&object["metadata"]["name"]));
    if let Some(replicas) = object.pointer_mut(REPLICAS).filter(|_| scaled.contains(&name)) {
        *replicas = Value::Null;
    }
}

fn word(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Fields that are gone or other, and those that are new.
fn both_ways(was: &Value, is: &Value) -> Vec<String> {
    let gone = compare(was, is);
    let new = compare(is, was).into_iter().filter(|new| !gone.iter().any(|known| known.path == new.path));
    let new: Vec<String> = new.map(|new| format!("{}: {}: it was not there before", new.object, new.path)).collect();
    gone.iter().map(ToString::to_string).chain(new).collect()
}

/// How many fields it has.
pub(super) fn fields(object: &Value) -> usize {
    match object {
        Value::Object(map) => map.values().map(fields).sum(),
        Value::Array(items) => items.iter().map(fields).sum(),
        _ => 1,
    }
}

/// The paths at which two values differ.
fn unequal(path: &str, was: &Value, is: &Value, into: &mut BTreeSet<String>) {
    if was == is {
        return;
    }
    match (was, is) {
        (Value::Object(was), Value::Object(is)) => {
            for name in was.keys().chain(is.keys()) {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let of = |map: &serde_json::Map<String, Value>| map.get(name).cloned().unwrap_or_default();
                unequal(&path, &of(was), &of(is), into);
            }
        }
        _ => {
            into.insert(path.to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(object: Value, values: Value, digest: &str) -> State {
        State {
            objects: [("configmap/a".to_owned(), object)].into(),
            digests: [("deployment/a, container a".to_owned(), [digest.to_owned()].into())].into(),
            values: Some(values),
            manifest: Some(String::new()),
        }
    }

    fn map(data: Value) -> Value {
        json!({ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": "a" }, "data": data })
    }

    #[test]
    fn every_field_that_is_not_as_it_was_is_told() {
        let was = state(map(json!({ "a": "1", "b": "1" })), json!({ "image": { "tag": "1" } }), "sha256:1");
        assert!(was.differences(&was).is_empty());
        let is = state(map(json!({ "a": "2", "c": "1" })), json!({ "image": { "tag": "2" }, "x": 1 }), "sha256:2");
        let differences = was.differences(&is);
        let has = |words: &str| assert!(differences.iter().any(|one| one.contains(words)), "{words}: {differences:#?}");
        has("data.a");
        has("data.b");
        has("data.c: it was not there before");
        has("values: `image.tag`");
        has("values: `x`");
        has("it ran sha256:1, and runs sha256:2");
        assert_eq!(differences.len(), 6);
        let gone = State { objects: BTreeMap::new(), ..state(Value::Null, json!({}), "sha256:1") };
        assert!(was.differences(&gone)[0].contains("not there any more"));
    }

    #[test]
    fn configuration_that_the_release_does_not_own_is_found() {
        let document = |kind: &str, name: &str, object: Value| Document {
            source: None,
            api_version: "v1".to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            namespace: None,
            hook: false,
            object,
        };
        let pods = json!({ "spec": { "envFrom": [{ "configMapRef": { "name": "own" } }, { "secretRef": { "name": "keys" } }],
            "volumes": [{ "configMap": { "name": "beside" } }] } });
        let documents = [document("Deployment", "a", pods), document("ConfigMap", "own", json!({}))];
        let names: Vec<String> = referred(&documents).iter().map(|stub| word(&stub["metadata"]["name"])).collect();
        assert_eq!(names, ["keys", "beside"]);
    }
}
