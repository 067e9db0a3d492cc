//! The files that patterns name.

use std::path::PathBuf;

use crate::{ConfigError, FilePath, Located};

/// The files of all patterns, in their order; those of one by name.
///
/// # Errors
/// When one is no pattern, or names no file.
pub fn files(patterns: &[Located<FilePath>]) -> Result<Vec<PathBuf>, ConfigError> {
    let mut files: Vec<PathBuf> = Vec::new();
    for pattern in patterns {
        let text = pattern.value.to_string();
        let wrong = |message: String| ConfigError::new(message).at(pattern.place.clone());
        let named = glob::glob(&text).map_err(|error| wrong(format!("`{text}` is not a glob: {error}")))?;
        let named = named.collect::<Result<Vec<_>, _>>().map_err(|error| wrong(format!("`{text}`: {error}")))?;
        if named.is_empty() {
            let hint = "paths and globs are relative to the file that has them";
            return Err(wrong(format!("`{text}` names no file")).with_hint(hint));
        }
        // One that two patterns name is one.
        files.extend(named.into_iter().filter(|file| file.is_file() && !files.contains(file)).collect::<Vec<_>>());
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use prodtest_gate::Place;

    use super::*;

    #[test]
    fn a_file_is_read_once_and_a_pattern_without_one_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["b.yaml", "a.yaml", "c.json"] {
            std::fs::write(folder.path().join(name), "").unwrap();
        }
        let place = Place { file: "prodtest.yaml".to_owned(), line: 3, column: 5 };
        let of = |name: &str| Located::new(FilePath(folder.path().join(name)), place.clone());
        let named = files(&[of("b.yaml"), of("*.yaml")]).unwrap();
        let names: Vec<_> = named.iter().map(|path| path.file_name().unwrap().to_string_lossy()).collect();
        assert_eq!(names, ["b.yaml", "a.yaml"]);
        let error = files(&[of("*.yml")]).unwrap_err();
        assert_eq!(error.place().map(|place| place.line), Some(3));
    }
}
