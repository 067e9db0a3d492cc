//! The files of a chart, and the values files.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use prodtest_config::{Node, label};

use super::{ChartFiles, File, Sources};

/// A template is a few kilobytes; what is larger is no template, and nothing is traced to it.
const MAX_FILE_BYTES: u64 = 1024 * 1024;
/// A chart has some tens.
const MAX_FILES: usize = 2000;
/// `charts/a/charts/b/templates/tests` is six.
const MAX_DEPTH: usize = 12;

/// A file that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{file}` cannot be read: {why}")]
pub struct Unreadable {
    /// Which.
    pub file: String,
    /// Why.
    pub why: io::Error,
}

impl Sources {
    /// Reads the chart's folder and the values files. Of a chart that is an archive or an address there are no files.
    /// Labels are relative to `cwd`, where files lie under it.
    ///
    /// # Errors
    /// When a values file, or a folder of the chart, cannot be read. What is no text in the chart is left out.
    pub fn read(chart: &Path, values: &[PathBuf], cwd: &Path) -> Result<Self, Unreadable> {
        let mut files = Vec::new();
        if chart.is_dir() {
            collect(chart, "", cwd, 0, &mut files)?;
        }
        files.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut chart = ChartFiles { name: String::new(), files };
        let name = chart.file("Chart.yaml").and_then(|file| Node::parse(&file.label, &file.text).ok());
        chart.name = name.and_then(|node| node.get("name")?.scalar()).unwrap_or_default();
        let read = |path: &PathBuf| {
            let text = fs::read_to_string(path).map_err(|why| unreadable(path, cwd, why))?;
            Ok(File { label: label(path, cwd), text })
        };
        Ok(Self { chart, values: values.iter().map(read).collect::<Result<_, _>>()?, set: Vec::new() })
    }
}

fn unreadable(path: &Path, cwd: &Path, why: io::Error) -> Unreadable {
    Unreadable { file: label(path, cwd), why }
}

fn collect(
    folder: &Path,
    within: &str,
    cwd: &Path,
    depth: usize,
    files: &mut Vec<(String, File)>,
) -> Result<(), Unreadable> {
    for entry in fs::read_dir(folder).map_err(|why| unreadable(folder, cwd, why))? {
        let entry = entry.map_err(|why| unreadable(folder, cwd, why))?;
        let path = entry.path();
        let name = format!("{within}{}", entry.file_name().to_string_lossy());
        // A link to a folder may lead round in a circle.
        let kind = entry.file_type().map_err(|why| unreadable(&path, cwd, why))?;
        let is_text = [".yaml", ".yml", ".tpl", ".txt"].iter().any(|end| name.ends_with(end));
        if kind.is_dir() && depth < MAX_DEPTH {
            collect(&path, &format!("{name}/"), cwd, depth + 1, files)?;
        } else if is_text
            && files.len() < MAX_FILES
            && fs::metadata(&path).is_ok_and(|file| file.len() <= MAX_FILE_BYTES)
            && let Ok(text) = fs::read_to_string(&path)
        {
            files.push((name, File { label: label(&path, cwd), text }));
        }
    }
    Ok(())
}
