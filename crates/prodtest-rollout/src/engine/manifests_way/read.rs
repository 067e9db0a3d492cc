//! The manifests, read from their files, with the image of this run. Pure but for the files.

use std::{fs, path::Path};

use crate::{
    apply::rank,
    helm::{Document, Manifest},
    trace::{ChartFiles, File},
    watch::{Aim, Kind, Subject},
};
use prodtest_config::label;
use prodtest_gate::Place;
use prodtest_image::{Digest, Reference};
use serde_json::Value;

use crate::engine::{
    facts::Trouble,
    plan::{Plan, What},
    upgrade::Rendered,
    way::Failure,
};

/// What stands before the names of files, as a chart's name does in Helm's.
const NAME: &str = "manifests";

/// Reads all files of the plan. `digest`: that of the image.
pub(super) fn read(plan: &Plan, digest: Option<&str>) -> Result<Rendered, Failure> {
    let Some(What::Manifests(files)) = &plan.what else {
        return Err(Failure::new(Trouble::unmeasured("the plan has no manifests", None)));
    };
    let files = files.iter().map(|path| file(path)).collect::<Result<Vec<_>, _>>()?;
    let mut documents = Vec::new();
    for file in &files {
        documents.extend(parse(file)?);
    }
    let written =
        ChartFiles { name: NAME.to_owned(), files: files.into_iter().map(|file| (file.label.clone(), file)).collect() };
    check(plan, &documents).map_err(|(trouble, at)| {
        let place = documents.get(at).and_then(|document| super::place(&written, document));
        Failure { trouble, place }
    })?;
    set_image(plan, digest, &mut documents)?;
    documents.sort_by_key(|document| rank(&document.kind));
    let workloads = documents.iter().filter_map(|one| Some(Subject::new(Kind::named(&one.kind)?, &one.name)));
    let aim = Aim { workloads: workloads.collect(), hooks: Vec::new() };
    Ok(Rendered { documents, aim, revision: None, own: Value::Null, written })
}

fn file(path: &Path) -> Result<File, Failure> {
    let name = label(path, Path::new("."));
    match fs::read_to_string(path) {
        Ok(text) => Ok(File { label: name, text }),
        Err(error) => {
            let trouble = Trouble::measured("manifest", format!("`{name}` cannot be read: {error}"), None);
            Err(Failure { trouble, place: None })
        }
    }
}

fn parse(file: &File) -> Result<Vec<Document>, Failure> {
    let manifest = Manifest::parse(&file.text).map_err(|error| {
        let line = u32::try_from(error.line).unwrap_or(1);
        let message = format!("`{}`: the object that begins at line {line}: {}", file.label, error.why);
        let place = Place { file: file.label.clone(), line, column: 1 };
        Failure { trouble: Trouble::measured("manifest", message, None), place: Some(place) }
    })?;
    let source = Some(format!("{NAME}/{}", file.label));
    Ok(manifest.documents.into_iter().map(|document| Document { source: source.clone(), ..document }).collect())
}

/// What this way cannot do right is refused, and not left out. With the number of the document.
fn check(plan: &Plan, documents: &[Document]) -> Result<(), (Trouble, usize)> {
    let namespace = plan.namespace();
    for (at, document) in documents.iter().enumerate() {
        let name = format!("{}/{}", document.kind.to_lowercase(), document.name);
        let refuse = |why: &str, hint: &str| {
            Err((Trouble::measured("manifest", format!("{name} {why}"), Some(hint.to_owned())), at))
        };
        if document.hook {
            return refuse("is a hook of Helm, which nobody runs here", "render it with `helm template --no-hooks`");
        }
        let elsewhere = document.namespace.as_deref().filter(|of| *of != namespace);
        if let (Some(of), Some(_)) = (elsewhere, Kind::named(&document.kind)) {
            let why = format!("is of the namespace `{of}`, and what is watched is `{namespace}`");
            return refuse(&why, "deploy it in an environment of its own");
        }
        let is_same = |other: &Document| {
            (&other.kind, &other.name, &other.api_version) == (&document.kind, &document.name, &document.api_version)
                && other.namespace.as_deref().unwrap_or(namespace) == document.namespace.as_deref().unwrap_or(namespace)
        };
        if documents[..at].iter().any(is_same) {
            return refuse("is there twice", "leave one of them out");
        }
    }
    Ok(())
}

/// Gives every container whose image is of the repository the digest, or with `--no-pin` the tag.
fn set_image(plan: &Plan, digest: Option<&str>, documents: &mut [Document]) -> Result<(), Failure> {
    let Some(image) = &plan.image else { return Ok(()) };
    let at_fault = |message: String, hint: Option<String>| Failure {
        trouble: Trouble::measured("image", message, hint),
        place: plan.places.image.clone(),
    };
    let repository: Reference =
        image.repository.parse().map_err(|error| at_fault(format!("`{}`: {error}", image.repository), None))?;
    let wanted = match (image.pin, digest, &image.tag) {
        (true, Some(digest), _) => digest.parse::<Digest>().map(|digest| repository.pinned(&digest)).ok(),
        (false, _, Some(tag)) => Some(repository.with_tag(tag).map_err(|error| at_fault(error.to_string(), None))?),
        // What the manifests say is left alone.
        _ => None,
    };
    let Some(wanted) = wanted else { return Ok(()) };
    let set: usize = documents
        .iter_mut()
        .map(|document| set_in(&mut document.object, &repository.repository(), &wanted.to_string()))
        .sum();
    if set == 0 {
        let message =
            format!("no container of the manifests is of `{}`, so it would not be deployed", image.repository);
        return Err(at_fault(message, Some("name the repository as the manifests do".to_owned())));
    }
    Ok(())
}

/// Sets it wherever an object has containers, at whatever depth: a CronJob has them deeper than a Deployment, and an
/// object of somebody's own where they like. Returns how many were set.
fn set_in(object: &mut Value, repository: &str, image: &str) -> usize {
    let mut set = 0;
    match object {
        Value::Object(fields) => {
            for (name, value) in fields {
                if ["containers", "initContainers"].contains(&name.as_str()) {
                    for container in value.as_array_mut().into_iter().flatten() {
                        if let Some(of) = container.get_mut("image").filter(|of| is_of(of, repository)) {
                            *of = image.into();
                            set += 1;
                        }
                    }
                } else {
                    set += set_in(value, repository, image);
                }
            }
        }
        Value::Array(items) => set += items.iter_mut().map(|item| set_in(item, repository, image)).sum::<usize>(),
        _ => {}
    }
    set
}

fn is_of(image: &Value, repository: &str) -> bool {
    let reference = image.as_str().and_then(|text| text.parse::<Reference>().ok());
    reference.is_some_and(|reference| reference.repository() == repository)
}

#[cfg(test)]
mod tests;
