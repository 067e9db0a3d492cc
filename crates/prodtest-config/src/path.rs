//! Paths that are relative to the file that has them.

use std::{
    borrow::Cow,
    fmt,
    path::{Path, PathBuf},
};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// A path to a file, or a pattern of such. Read from a [`crate::Node`], it is joined to the folder of the file that
/// has it; read from anything else, as from a run record's plan, it stays what it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
// The name tells `read` to join it; it must be that of `read::FILE_PATH`.
#[serde(rename = "__prodtest_file_path")]
pub struct FilePath(pub PathBuf);

impl AsRef<Path> for FilePath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl fmt::Display for FilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.display().fmt(f)
    }
}

impl JsonSchema for FilePath {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "FilePath".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "A path, relative to the file that has it.",
        })
    }
}

/// A path as [`FilePath`] is one, or a URL of `http` or `https`, which stays what it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
// The name tells `read` to join what is a path; it must be that of `read::FILE_OR_URL`.
#[serde(rename = "__prodtest_file_or_url")]
pub struct FileOrUrl(pub String);

impl FileOrUrl {
    /// Whether it is a URL.
    #[must_use]
    pub fn is_url(&self) -> bool {
        is_url(&self.0)
    }
}

/// Whether a text is meant as a URL of `http` or `https`.
#[must_use]
pub fn is_url(text: &str) -> bool {
    text.starts_with("https://") || text.starts_with("http://")
}

impl fmt::Display for FileOrUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl JsonSchema for FileOrUrl {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "FileOrUrl".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "minLength": 1,
            "description": "A path, relative to the file that has it, or a URL of `http` or `https`.",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Node;

    #[test]
    fn a_path_is_relative_to_the_file_that_has_it() {
        let node = Node::parse("examples/godel/prodtest.yaml", "[./ca.pem, /etc/ca.pem, scenarios/*.yaml]").unwrap();
        let paths: Vec<FilePath> = node.read().unwrap();
        let expected = ["examples/godel/ca.pem", "/etc/ca.pem", "examples/godel/scenarios/*.yaml"];
        assert_eq!(paths.iter().map(ToString::to_string).collect::<Vec<_>>(), expected);
        // From a plan it is read as it stands.
        let again: Vec<FilePath> = serde_json::from_value(serde_json::to_value(&paths).unwrap()).unwrap();
        assert_eq!(again, paths);
    }

    #[test]
    fn a_url_stays_what_it_is() {
        let node = Node::parse("examples/godel/prodtest.yaml", "[a.md, 'https://a.example/a.md']").unwrap();
        let either: Vec<FileOrUrl> = node.read().unwrap();
        let texts: Vec<_> = either.iter().map(|one| (one.0.as_str(), one.is_url())).collect();
        assert_eq!(texts, [("examples/godel/a.md", false), ("https://a.example/a.md", true)]);
        let again: Vec<FileOrUrl> = serde_json::from_value(serde_json::to_value(&either).unwrap()).unwrap();
        assert_eq!(again, either);
    }

    #[test]
    fn an_empty_path_is_none() {
        let node = Node::parse("a.yaml", "[' ']").unwrap();
        let error = node.read::<Vec<FilePath>>().unwrap_err();
        assert_eq!(error.to_string(), "a.yaml:1:2: expected a path, seen an empty text");
    }
}
