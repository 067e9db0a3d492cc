//! Which Secrets the objects of a chart refer to, and which they make themselves. Pure.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::{Container, LocalObjectReference, PodSpec};
use prodtest_rollout::helm::{Document, Manifest};
use serde_json::Value;

/// What of a Secret is referred to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    pub(super) secret: String,
    /// None: all that there is in it.
    pub(super) key: Option<String>,
    /// Whether a file is made of it, whose last line may well end.
    pub(super) file: bool,
}

/// The pods of an object, whatever starts them; none, where it has none.
fn pods(document: &Document) -> Option<&Value> {
    let spec = &document.object["spec"];
    match document.kind.as_str() {
        "Pod" => Some(spec),
        "CronJob" => Some(&spec["jobTemplate"]["spec"]["template"]["spec"]),
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" => Some(&spec["template"]["spec"]),
        _ => None,
    }
}

/// What an object cannot do without.
///
/// # Errors
/// When its pods cannot be read.
pub(super) fn uses(document: &Document) -> Result<BTreeSet<Use>, String> {
    let unreadable = |error: serde_json::Error| format!("{} `{}`: {error}", document.kind, document.name);
    let mut uses = BTreeSet::new();
    if document.kind == "ServiceAccount" {
        let logins = document.object["imagePullSecrets"].clone();
        let logins: Option<Vec<LocalObjectReference>> = serde_json::from_value(logins).map_err(unreadable)?;
        uses.extend(logins.iter().flatten().map(login));
    }
    let Some(spec) = pods(document) else { return Ok(uses) };
    let spec: PodSpec = serde_json::from_value(spec.clone()).map_err(unreadable)?;
    uses.extend(spec.image_pull_secrets.iter().flatten().map(login));
    for container in spec.init_containers.iter().flatten().chain(&spec.containers) {
        of_container(container, &mut uses);
    }
    for volume in spec.volumes.iter().flatten() {
        if let Some(secret) = volume.secret.as_ref().filter(|secret| secret.optional != Some(true)) {
            let keys = secret.items.iter().flatten().map(|item| item.key.clone());
            files(secret.secret_name.clone().unwrap_or_default(), keys.collect(), &mut uses);
        }
        let projected = volume.projected.iter().flat_map(|projected| projected.sources.iter().flatten());
        let secrets = projected.filter_map(|source| source.secret.as_ref());
        for secret in secrets.filter(|secret| secret.optional != Some(true)) {
            let keys = secret.items.iter().flatten().map(|item| item.key.clone());
            files(secret.name.clone(), keys.collect(), &mut uses);
        }
    }
    Ok(uses)
}

fn login(reference: &LocalObjectReference) -> Use {
    Use { secret: reference.name.clone(), key: Some(super::LOGIN.to_owned()), file: true }
}

fn files(secret: String, keys: Vec<String>, uses: &mut BTreeSet<Use>) {
    if keys.is_empty() {
        uses.insert(Use { secret, key: None, file: true });
    } else {
        uses.extend(keys.into_iter().map(|key| Use { secret: secret.clone(), key: Some(key), file: true }));
    }
}

fn of_container(container: &Container, uses: &mut BTreeSet<Use>) {
    let variables = container.env.iter().flatten().filter_map(|variable| variable.value_from.as_ref());
    let keys = variables.filter_map(|from| from.secret_key_ref.as_ref()).filter(|it| it.optional != Some(true));
    uses.extend(keys.map(|it| Use { secret: it.name.clone(), key: Some(it.key.clone()), file: false }));
    let whole = container.env_from.iter().flatten().filter_map(|from| from.secret_ref.as_ref());
    let whole = whole.filter(|it| it.optional != Some(true));
    uses.extend(whole.map(|it| Use { secret: it.name.clone(), key: None, file: false }));
}

/// The Secrets that the chart makes, or has made.
pub(super) fn made(manifest: &Manifest) -> BTreeSet<String> {
    let made = manifest.documents.iter().filter_map(|document| match document.kind.as_str() {
        "Secret" | "SealedSecret" => Some(document.name.clone()),
        "ExternalSecret" => {
            Some(document.object["spec"]["target"]["name"].as_str().unwrap_or(&document.name).to_owned())
        }
        // cert-manager's: where a certificate goes.
        "Certificate" => document.object["spec"]["secretName"].as_str().map(str::to_owned),
        _ => None,
    });
    made.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_to_refer_to_a_secret_is_known() {
        let text = r"
apiVersion: apps/v1
kind: Deployment
metadata: { name: a }
spec:
  template:
    spec:
      imagePullSecrets: [{ name: login }]
      initContainers:
        - name: i
          env: [{ name: A, valueFrom: { secretKeyRef: { name: init, key: k } } }]
      containers:
        - name: c
          env:
            - { name: A, valueFrom: { secretKeyRef: { name: env, key: k } } }
            - { name: B, valueFrom: { secretKeyRef: { name: env, key: o, optional: true } } }
            - { name: C, valueFrom: { configMapKeyRef: { name: map, key: k } } }
          envFrom: [{ secretRef: { name: whole } }, { secretRef: { name: o, optional: true } }, { configMapRef: { name: m } }]
      volumes:
        - { name: v, secret: { secretName: volume } }
        - { name: w, secret: { secretName: items, items: [{ key: k, path: p }] } }
        - { name: o, secret: { secretName: o, optional: true } }
        - { name: p, projected: { sources: [{ secret: { name: projected, items: [{ key: k, path: p }] } }, { secret: { name: o, optional: true } }] } }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: b }
spec: { jobTemplate: { spec: { template: { spec: { containers: [{ name: c, envFrom: [{ secretRef: { name: cron } }] }] } } } } }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: s }
imagePullSecrets: [{ name: account }]
";
        let manifest = Manifest::parse(text).unwrap();
        let all: Vec<String> = manifest
            .documents
            .iter()
            .flat_map(|document| uses(document).unwrap())
            .map(|one| {
                format!("{} {}{}", one.secret, one.key.as_deref().unwrap_or("*"), if one.file { " file" } else { "" })
            })
            .collect();
        assert_eq!(
            all,
            [
                "env k",
                "init k",
                "items k file",
                "login .dockerconfigjson file",
                "projected k file",
                "volume * file",
                "whole *",
                "cron *",
                "account .dockerconfigjson file",
            ]
        );
    }

    #[test]
    fn what_the_chart_makes_need_not_be_there() {
        let text = "apiVersion: v1\nkind: Secret\nmetadata: { name: a }\n---\napiVersion: external-secrets.io/v1\nkind: ExternalSecret\nmetadata: { name: b }\nspec: { target: { name: c } }\n";
        assert_eq!(made(&Manifest::parse(text).unwrap()).into_iter().collect::<Vec<_>>(), ["a", "c"]);
    }
}
