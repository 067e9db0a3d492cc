//! The manifest of a release: its documents, and the template that each came from.

use std::{fmt, fs, io, path::PathBuf};

use serde_json::Value;

use super::Release;

/// No level of a chart's output is as deep.
const MAX_DEPTH: usize = 64;
/// A Secret of Helm's holds a megabyte, compressed; CRDs are long.
const MAX_NODES: usize = 2_000_000;
/// What Helm writes before the name of the template.
const SOURCE: &str = "# Source: ";

/// What a chart was rendered to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Manifest {
    /// In the order of the text; the hooks last.
    pub documents: Vec<Document>,
}

/// One object. [`fmt::Debug`] leaves out what is in it: it may be a Secret.
#[derive(Clone, PartialEq)]
pub struct Document {
    /// The template that it came from, as Helm calls it: `godel/templates/deployment.yaml`.
    pub source: Option<String>,
    /// Its `apiVersion`.
    pub api_version: String,
    /// Its kind.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its namespace, where it says one; else it is the release's.
    pub namespace: Option<String>,
    /// Whether it is a hook.
    pub hook: bool,
    /// The whole object.
    pub object: Value,
}

impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document").field("kind", &self.kind).field("name", &self.name).finish_non_exhaustive()
    }
}

/// A document that is no object. It says nothing of what is in it: it may be a Secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line} of the manifest, from the template `{}`: {why}", source_name.as_deref().unwrap_or("unknown"))]
pub struct BadDocument {
    /// The template that it came from.
    pub source_name: Option<String>,
    /// The line of the text that it begins at, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: String,
}

/// Why files gave no manifest.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// One could not be read.
    #[error("`{}` could not be read: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// A document is no object.
    #[error("`{}`: {error}", path.display())]
    Document {
        /// Of which.
        path: PathBuf,
        /// What is wrong with it.
        error: BadDocument,
    },
}

impl Manifest {
    /// Reads files of manifests, in their order.
    ///
    /// # Errors
    /// When one cannot be read, or a document in it is no object.
    pub fn read(files: &[PathBuf]) -> Result<Self, Unread> {
        let mut manifest = Self::default();
        for path in files {
            let text = fs::read_to_string(path).map_err(|error| Unread::File { path: path.clone(), error })?;
            let read = Self::parse(&text).map_err(|error| Unread::Document { path: path.clone(), error })?;
            manifest.documents.extend(read.documents);
        }
        Ok(manifest)
    }

    /// Reads the manifest of a release, its hooks too.
    ///
    /// # Errors
    /// When a document is no object.
    pub fn of(release: &Release) -> Result<Self, BadDocument> {
        let mut manifest = Self::parse(&release.manifest)?;
        for hook in &release.hooks {
            let rest = parse(&hook.manifest, Some(&hook.path), 1)?;
            manifest.documents.extend(rest.into_iter().map(|document| Document { hook: true, ..document }));
        }
        Ok(manifest)
    }

    /// Reads a text of several documents, as `helm template` prints it. A `List` is what is in it.
    ///
    /// # Errors
    /// When a document is no object.
    pub fn parse(text: &str) -> Result<Self, BadDocument> {
        let mut documents = Vec::new();
        let mut from: Option<&str> = None;
        for (line, part) in parts(text) {
            let named = part.lines().find_map(|line| line.strip_prefix(SOURCE));
            // What one template has after a `---` of its own has no comment of its own in old versions of Helm.
            from = named.map(str::trim_end).or(from);
            documents.extend(parse(part, from, line)?);
        }
        Ok(Self { documents })
    }

    /// Kind and name of what runs pods: Deployments, StatefulSets, DaemonSets and Jobs. Hooks are told by
    /// [`Document::hook`].
    pub fn workloads(&self) -> impl Iterator<Item = &Document> {
        const KINDS: [&str; 4] = ["Deployment", "StatefulSet", "DaemonSet", "Job"];
        self.documents.iter().filter(|document| KINDS.contains(&document.kind.as_str()))
    }

    /// The object of that kind and name.
    #[must_use]
    pub fn find(&self, kind: &str, name: &str) -> Option<&Document> {
        self.documents.iter().find(|document| document.kind == kind && document.name == name)
    }
}

/// The documents, each with the line that it begins at.
fn parts(text: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let (mut start, mut first, mut at) = (0, 1, 0);
    for (index, line) in text.split_inclusive('\n').enumerate() {
        let next = at + line.len();
        // `---` in the first column ends a document wherever it stands, in a block of text too.
        if line.trim_end() == "---" || line.starts_with("--- ") {
            parts.push((first, &text[start..at]));
            (start, first) = (next, index + 2);
        }
        at = next;
    }
    parts.push((first, &text[start..]));
    parts
}

fn parse(text: &str, source: Option<&str>, line: usize) -> Result<Vec<Document>, BadDocument> {
    let bad = |why: String| BadDocument { source_name: source.map(str::to_owned), line, why };
    if text.lines().all(|line| line.trim().is_empty() || line.trim_start().starts_with('#')) {
        return Ok(Vec::new());
    }
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! { max_depth: MAX_DEPTH, max_nodes: MAX_NODES },
        // A name such as `n` or `on` is a text, and `0644` a number, as Kubernetes reads them.
        strict_booleans: true,
        legacy_octal_numbers: true,
        with_snippet: false,
    };
    let object: Value = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        bad(match error.location() {
            Some(at) => format!("it is not YAML, at its line {}, column {}", at.line(), at.column()),
            None => "it is not YAML".to_owned(),
        })
    })?;
    let objects = match object {
        Value::Null => Vec::new(),
        Value::Object(mut list) if list.get("kind").is_some_and(|kind| kind == "List") => match list.remove("items") {
            Some(Value::Array(items)) => items,
            _ => Vec::new(),
        },
        object => vec![object],
    };
    objects.into_iter().map(|object| document(object, source).map_err(bad)).collect()
}

fn document(object: Value, source: Option<&str>) -> Result<Document, String> {
    let text = |value: &Value, what: &str| match value.as_str() {
        Some(text) if !text.is_empty() => Ok(text.to_owned()),
        _ => Err(format!("it has no `{what}`")),
    };
    let metadata = &object["metadata"];
    Ok(Document {
        source: source.map(str::to_owned),
        api_version: text(&object["apiVersion"], "apiVersion")?,
        kind: text(&object["kind"], "kind")?,
        name: text(&metadata["name"], "metadata.name")
            .or_else(|why| text(&metadata["generateName"], "").map_err(|_| why))?,
        namespace: metadata["namespace"].as_str().map(str::to_owned),
        hook: metadata["annotations"]["helm.sh/hook"].is_string(),
        object,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_document_knows_its_template() {
        let text = "---\n# Source: a/templates/one.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: one }\ndata:\n  x: |\n    ---\n    y\n\
                    ---\r\n# Source: a/charts/b/templates/two.yaml\r\napiVersion: apps/v1\r\nkind: Deployment\r\nmetadata: { name: two, namespace: n }\r\n\
                    ---\napiVersion: batch/v1\nkind: Job\nmetadata: { name: three, annotations: { helm.sh/hook: test } }\n---\n# nothing\n---\n";
        let manifest = Manifest::parse(text).unwrap();
        let all: Vec<_> =
            manifest.documents.iter().map(|one| (one.kind.as_str(), one.source.as_deref().unwrap())).collect();
        assert_eq!(
            all,
            [
                ("ConfigMap", "a/templates/one.yaml"),
                ("Deployment", "a/charts/b/templates/two.yaml"),
                ("Job", "a/charts/b/templates/two.yaml"),
            ]
        );
        assert_eq!(manifest.documents[0].object["data"]["x"], "---\ny\n");
        let workloads: Vec<_> = manifest.workloads().map(|one| (one.name.as_str(), one.hook)).collect();
        assert_eq!(workloads, [("two", false), ("three", true)]);
        assert_eq!(manifest.find("Deployment", "two").unwrap().namespace.as_deref(), Some("n"));
    }

    #[test]
    fn a_list_is_what_is_in_it() {
        let list = "apiVersion: v1\nkind: List\nitems:\n- { apiVersion: v1, kind: Pod, metadata: { name: a } }\n- { apiVersion: v1, kind: Pod, metadata: { generateName: b- } }\n";
        let names: Vec<_> = Manifest::parse(list).unwrap().documents.into_iter().map(|one| one.name).collect();
        assert_eq!(names, ["a", "b-"]);
    }

    #[test]
    fn what_is_no_object_is_told_without_what_is_in_it() {
        for (text, why) in [
            ("hunter22: [", "it is not YAML, at its line "),
            ("- hunter22", "it has no `apiVersion`"),
            ("apiVersion: v1\nx: hunter22", "it has no `kind`"),
            ("apiVersion: v1\nkind: Secret\nmetadata: { name: 7 }", "it has no `metadata.name`"),
        ] {
            let error = Manifest::parse(&format!("a: &a 1\n---\n# Source: c/templates/x.yaml\n{text}\n")).unwrap_err();
            assert!(error.to_string().starts_with("line 1 of the manifest, from the template `unknown`"), "{error}");
            let error = Manifest::parse(&format!("---\n# Source: c/templates/x.yaml\n{text}\n")).unwrap_err();
            assert!(
                error.to_string().starts_with("line 2 of the manifest, from the template `c/templates/x.yaml`: "),
                "{error}"
            );
            assert!(error.why.starts_with(why) && !error.to_string().contains("hunter22"), "{error}");
        }
    }
}
