//! The values of the Secrets that the release uses: what its pods print may quote them, and the reports must not.

use std::collections::BTreeSet;

use crate::{backup::secret_texts, quoted};
use prodtest_gate::Rule;
use prodtest_kube::{
    Call, Problem,
    kube::{
        Api,
        core::{ApiResource, DynamicObject, GroupVersionKind},
    },
};
use serde_json::Value;

use super::{Hold, Session, Step, upgrade::Rendered};

/// Reads those that the rendered objects name or are. One that is not there has nothing to hide; one that may not be
/// read is told of.
pub(super) async fn read(session: &mut Session<'_>, hold: &Hold, rendered: &Rendered) -> Step {
    let mut names = BTreeSet::new();
    for document in &rendered.documents {
        if document.kind == "Secret" {
            names.insert(document.name.clone());
        }
        quoted::named(&document.object, &mut names);
    }
    let namespace = session.plan.namespace();
    let kind = ApiResource::from_gvk(&GroupVersionKind::gvk("", "v1", "Secret"));
    let api: Api<DynamicObject> = Api::namespaced_with(hold.cluster.client(), namespace, &kind);
    for name in names {
        let call = Call {
            asked: format!("get the secret `{name}` in the namespace `{namespace}`"),
            rule: Rule::get_secrets(namespace, [name.clone()]),
        };
        match session.run.unless_stopped(hold.cluster.ask(&call, api.get(&name))).await? {
            Ok(secret) => keep(session, &secret.data),
            Err(error) if error.problem == Problem::NotFound => {}
            Err(error) => session.facts.remarks.push(format!("{error}; what pods print of it is not kept out of here")),
        }
    }
    Ok(())
}

/// Keeps the values of a Secret out of what is reported.
pub(super) fn keep(session: &mut Session<'_>, secret: &Value) {
    let plan = serde_json::to_string(session.plan).unwrap_or_default();
    let texts = secret_texts(secret);
    // What the configuration says in the open is none.
    session.kept_out.extend(texts.iter().flat_map(|text| quoted::forms(text)).filter(|form| !plan.contains(form)));
}
