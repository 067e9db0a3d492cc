//! A file that somebody wrote: its text, what it is called, and the folder that its paths are relative to.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use prodtest_gate::Place;

use crate::ConfigError;

/// A configuration larger than this is a mistake: the wrong file, or a generated one.
pub const MAX_FILE_BYTES: usize = 1024 * 1024;

/// A file that somebody wrote. Every node knows its own, so that an error can show the line.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    label: String,
    folder: PathBuf,
    text: String,
}

impl Source {
    /// A text with a name; paths in it are relative to the folder of that name.
    ///
    /// A byte order mark is dropped and every line ends with `\n`, as YAML itself reads them.
    ///
    /// # Errors
    /// When it holds a control character, which YAML forbids and which could hide something from a reader.
    pub fn new(label: impl Into<String>, text: &str) -> Result<Arc<Self>, ConfigError> {
        let label = label.into();
        let folder = Path::new(&label).parent().map(Path::to_owned).unwrap_or_default();
        Self::in_folder(label, folder, text)
    }

    /// Reads a file. Its label is [`label`] of `path` as given, without looking at the working folder; that of a link is
    /// the label of what it points to, for that file's paths are relative to itself, and its lines are what one mends.
    ///
    /// # Errors
    /// When it is not there, cannot be read, is larger than [`MAX_FILE_BYTES`], or is not text in UTF-8.
    pub fn read(path: &Path) -> Result<Arc<Self>, ConfigError> {
        let target = path.read_link().map(|target| path.parent().unwrap_or(Path::new("")).join(target));
        let path = target.as_deref().unwrap_or(path);
        let label = label(path, Path::new(""));
        let bytes = read_bytes(path).map_err(|error| unreadable(&label, &error))?;
        if bytes.len() > MAX_FILE_BYTES {
            return Err(ConfigError::new(format!("`{label}` is larger than 1 MiB"))
                .with_hint("is it the right file? a `prodtest.yaml` is a few kilobytes"));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let valid = error.utf8_error().valid_up_to();
            let before = String::from_utf8_lossy(&error.as_bytes()[..valid]).into_owned();
            ConfigError::new("not UTF-8").at(end_of(&label, &before)).with_hint("save the file as UTF-8")
        })?;
        Self::in_folder(label, path.parent().map(Path::to_owned).unwrap_or_default(), &text)
    }

    fn in_folder(label: String, folder: PathBuf, text: &str) -> Result<Arc<Self>, ConfigError> {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let text = if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n") } else { text.to_owned() };
        match text.char_indices().find(|(_, c)| c.is_control() && !matches!(c, '\n' | '\t')) {
            None => Ok(Arc::new(Self { label, folder, text })),
            Some((at, c)) => Err(ConfigError::new(format!("the control character U+{:04X}", u32::from(c)))
                .at(end_of(&label, &text[..at]))
                .with_hint("delete it; inside a text in double quotes it is written `\\u0007`")),
        }
    }

    /// What the file is called in places.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }

    /// The folder that paths in it are relative to.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What is written in it.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// A path that was written in this file, as seen from the working folder.
    #[must_use]
    pub fn join(&self, written: &str) -> PathBuf {
        plain(&self.folder.join(written))
    }
}

/// Without the text: every node holds its source, and would repeat it.
impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source").field("label", &self.label).finish_non_exhaustive()
    }
}

/// What a file is called in places: relative to `cwd` where it lies under it, with `/` between folders, without `./`.
#[must_use]
pub fn label(path: &Path, cwd: &Path) -> String {
    let plain = plain(path);
    let relative = plain.strip_prefix(cwd).ok().filter(|rest| !rest.as_os_str().is_empty()).unwrap_or(&plain);
    let label = relative.to_string_lossy();
    if std::path::MAIN_SEPARATOR == '/' { label.into_owned() } else { label.replace(std::path::MAIN_SEPARATOR, "/") }
}

/// Without `.` components. `..` stays: beyond a symbolic link it does not lead back.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| !matches!(part, Component::CurDir)).collect()
}

fn read_bytes(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_FILE_BYTES as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn unreadable(label: &str, error: &io::Error) -> ConfigError {
    match error.kind() {
        io::ErrorKind::NotFound => ConfigError::new(format!("there is no file `{label}`"))
            .with_hint("`prodtest init` writes a first one; `--config FILE` names another"),
        io::ErrorKind::IsADirectory => ConfigError::new(format!("`{label}` is a folder"))
            .with_hint(format!("name the file in it: `--config {label}/prodtest.yaml`")),
        _ => ConfigError::new(format!("`{label}` cannot be read: {error}"))
            .with_hint(format!("`ls -l {label}` shows whose it is")),
    }
}

fn end_of(label: &str, text: &str) -> Place {
    let lines = text.matches('\n').count();
    let column = text.rsplit('\n').next().unwrap_or(text).chars().count();
    let count = |n: usize| u32::try_from(n).unwrap_or(u32::MAX).saturating_add(1);
    Place { file: label.to_owned(), line: count(lines), column: count(column) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_the_file_it_points_to() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("real")).unwrap();
        std::fs::write(folder.path().join("real/prodtest.yaml"), "a: 1").unwrap();
        let link = folder.path().join("prodtest.yaml");
        std::os::unix::fs::symlink("real/prodtest.yaml", &link).unwrap();
        let source = Source::read(&link).unwrap();
        assert_eq!(source.folder(), folder.path().join("real"));
        assert!(source.label().ends_with("/real/prodtest.yaml"), "{}", source.label());
    }

    #[test]
    fn a_label_is_short_and_the_same_everywhere() {
        let label = |path: &str, cwd: &str| label(Path::new(path), Path::new(cwd));
        assert_eq!(label("./prodtest.yaml", ""), "prodtest.yaml");
        assert_eq!(label("examples/./godel/prodtest.yaml", "/repo"), "examples/godel/prodtest.yaml");
        assert_eq!(label("/repo/a/prodtest.yaml", "/repo"), "a/prodtest.yaml");
        assert_eq!(label("/elsewhere/prodtest.yaml", "/repo"), "/elsewhere/prodtest.yaml");
        assert_eq!(label("../prodtest.yaml", "/repo"), "../prodtest.yaml");
    }

    #[test]
    fn lines_end_as_yaml_reads_them() {
        let source = Source::new("a.yaml", "\u{feff}a: 1\r\nb: 2\rc: 3\n").unwrap();
        assert_eq!(source.text(), "a: 1\nb: 2\nc: 3\n");
    }

    #[test]
    fn a_control_character_is_refused_where_it_stands() {
        for (text, expected) in [
            ("a: 1\nbé: \0", "x.yaml:2:5: the control character U+0000"),
            ("\u{1b}[31m", "x.yaml:1:1: the control character U+001B"),
            ("a: \u{85}", "x.yaml:1:4: the control character U+0085"),
        ] {
            assert_eq!(Source::new("x.yaml", text).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn files_that_cannot_be_a_configuration_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("prodtest.yaml");
        let read = || Source::read(&path).unwrap_err();
        assert!(read().to_string().starts_with("there is no file `"));
        assert!(read().hint().unwrap().contains("prodtest init"));
        std::fs::write(&path, b"a: b\nc: \xff\xfe").unwrap();
        assert!(read().to_string().ends_with("prodtest.yaml:2:4: not UTF-8"), "{}", read());
        std::fs::write(&path, vec![b'#'; MAX_FILE_BYTES + 1]).unwrap();
        assert!(read().to_string().ends_with("is larger than 1 MiB"));
        let error = Source::read(folder.path()).unwrap_err();
        assert!(error.to_string().ends_with("is a folder"), "{error}");
    }

    #[test]
    fn paths_are_relative_to_the_file_that_has_them() {
        let source = Source::new("examples/godel/prodtest.yaml", "").unwrap();
        assert_eq!(source.join("./ca.pem"), Path::new("examples/godel/ca.pem"));
        assert_eq!(source.join("../ca.pem"), Path::new("examples/godel/../ca.pem"));
        assert_eq!(source.join("/etc/ca.pem"), Path::new("/etc/ca.pem"));
        assert_eq!(Source::new("prodtest.yaml", "").unwrap().join("ca.pem"), Path::new("ca.pem"));
    }
}
