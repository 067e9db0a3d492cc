//! The values of a release: which file each came from, by Helm's precedence.

use std::collections::BTreeMap;

use prodtest_config::Node;
use prodtest_gate::Place;

use super::{File, Sources, Traced, What};

/// Every value by its key, `image.tag`, `list[0].name`; maps and lists too.
#[derive(Debug, Default)]
pub(super) struct Values {
    entries: BTreeMap<String, Entry>,
    app_version: Option<Entry>,
}

/// One of them, and what set it last.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Of a text, a number or a truth; as it was written.
    pub(super) text: Option<String>,
    pub(super) place: Place,
    empty: bool,
    set: bool,
}

impl Entry {
    /// Whether it is that text. Helm makes a number of `1.10` that is not in quotes, and writes `1.1`.
    pub(super) fn is(&self, text: &str) -> bool {
        let number = |text: &str| text.parse::<f64>().ok();
        self.text.as_deref().is_some_and(|own| {
            !own.is_empty() && (own == text || number(own).is_some_and(|own| number(text) == Some(own)))
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.empty
    }

    pub(super) fn traced(&self, path: &str) -> Traced {
        let what = if self.set { What::Set } else { What::Value };
        Traced { place: self.place.clone(), what: what(path.to_owned()) }
    }
}

impl Values {
    pub(super) fn of(sources: &Sources) -> Self {
        let mut values = Self::default();
        // The deeper a chart lies, the less its own values count.
        let mut own: Vec<_> = sources.chart.files.iter().filter(|(path, _)| path.ends_with("values.yaml")).collect();
        own.sort_by_key(|(path, _)| std::cmp::Reverse(path.matches('/').count()));
        for (path, file) in own {
            if let Some(prefix) = prefix(path.strip_suffix("values.yaml").unwrap_or_default()) {
                values.lay_file(&prefix, file);
            }
        }
        for file in &sources.values {
            values.lay_file("", file);
        }
        for set in &sources.set {
            let text = Some(set.value.clone());
            values.lay(&set.path, Entry { text, place: set.place.clone(), empty: false, set: true });
        }
        let chart = sources.chart.file("Chart.yaml").map(leaves);
        values.app_version = chart
            .and_then(|leaves| leaves.into_iter().find(|(path, _)| path == "appVersion"))
            .and_then(|(_, entry)| entry);
        values
    }

    pub(super) fn entries(&self) -> impl Iterator<Item = (&String, &Entry)> {
        self.entries.iter()
    }

    pub(super) fn get(&self, path: &str) -> Option<&Entry> {
        self.entries.get(path)
    }

    pub(super) fn app_version(&self) -> Option<&Entry> {
        self.app_version.as_ref()
    }

    fn lay_file(&mut self, prefix: &str, file: &File) {
        for (path, entry) in leaves(file) {
            let path = format!("{prefix}{path}");
            match entry {
                Some(entry) => self.lay(&path, entry),
                // `key:` without a value takes away what was inherited.
                None => self.remove(&path),
            }
        }
    }

    fn lay(&mut self, path: &str, entry: Entry) {
        let is_map = entry.text.is_none() && !path.ends_with(']') && !entry.empty;
        if !is_map {
            self.remove(path);
        }
        self.entries.insert(path.to_owned(), entry);
    }

    fn remove(&mut self, path: &str) {
        let below =
            |known: &str| known.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']));
        self.entries.retain(|known, _| !below(known));
    }
}

/// The key that the values of a chart in that folder are under: `redis.` for `charts/redis/`.
pub(super) fn prefix(folder: &str) -> Option<String> {
    let mut prefix = String::new();
    let mut parts = folder.split('/').filter(|part| !part.is_empty());
    while let Some(part) = parts.next() {
        if part != "charts" {
            return None;
        }
        prefix.push_str(parts.next()?);
        prefix.push('.');
    }
    Some(prefix)
}

/// Every key of a file, in its order; without an entry, where nothing was written.
fn leaves(file: &File) -> Vec<(String, Option<Entry>)> {
    let text = first_document(&file.text);
    let mut all = Vec::new();
    match Node::parse(&file.label, text) {
        Ok(node) => walk("", &node, &mut all),
        // Helm takes some that is refused here: keys written twice, tags. Then the lines must do.
        Err(_) => by_line(&file.label, text, &mut all),
    }
    all
}

/// Helm reads no more of a file than its first document.
fn first_document(text: &str) -> &str {
    let mut at = 0;
    let mut begun = false;
    for line in text.split_inclusive('\n') {
        let words = line.trim_end();
        let marks = words == "---" || words.starts_with("--- ") || words == "...";
        if marks && begun {
            return &text[..at];
        }
        begun |= !words.is_empty() && !words.trim_start().starts_with(['#', '%']) && !marks;
        at += line.len();
    }
    text
}

fn walk(path: &str, node: &Node, all: &mut Vec<(String, Option<Entry>)>) {
    for (key, value) in node.entries() {
        let key_text = key.as_text().unwrap_or_default();
        let path = if path.is_empty() { key_text.to_owned() } else { format!("{path}.{key_text}") };
        // Of what is in many lines it is the key that one looks for.
        let text = value.scalar();
        let place = if text.is_some() { value.place() } else { key.place() };
        let empty = text.as_deref().map_or_else(|| value.entries().count() + value.items().count() == 0, str::is_empty);
        let is_list = value.items().next().is_some();
        if is_list {
            // A list is replaced whole.
            all.push((path.clone(), None));
        }
        all.push((path.clone(), (!value.is_null()).then_some(Entry { text, place, empty, set: false })));
        walk(&path, value, all);
    }
    for (index, item) in node.items().enumerate() {
        let path = format!("{path}[{index}]");
        if let Some(text) = item.scalar() {
            let empty = text.is_empty();
            all.push((path.clone(), Some(Entry { text: Some(text), place: item.place(), empty, set: false })));
        }
        walk(&path, item, all);
    }
}

/// `key: value` by indentation. What is in a list or in braces is left out.
fn by_line(label: &str, text: &str, all: &mut Vec<(String, Option<Entry>)>) {
    let mut above: Vec<(usize, &str)> = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        let content = line.trim_start();
        let indent = line.len() - content.len();
        let Some((key, value)) = content.split_once(':') else { continue };
        let is_key = !key.is_empty() && !key.starts_with(['#', '-', '{', '[']) && !key.contains(char::is_whitespace);
        if !is_key || !(value.is_empty() || value.starts_with(char::is_whitespace)) {
            continue;
        }
        above.retain(|(other, _)| *other < indent);
        above.push((indent, key.trim_matches(['"', '\''])));
        let path = above.iter().map(|(_, key)| *key).collect::<Vec<_>>().join(".");
        let value = value.split(" #").next().unwrap_or_default().trim();
        // A tag is not part of the value.
        let value = value.strip_prefix('!').map_or(value, |rest| rest.split_once(' ').map_or("", |(_, value)| value));
        let column = u32::try_from(line.chars().count() - content.chars().count() + 1).unwrap_or(1);
        let text = (!value.is_empty()).then(|| value.trim_matches(['"', '\'']).to_owned());
        let place = Place { file: label.to_owned(), line: number, column };
        all.push((path, Some(Entry { text, place, empty: false, set: false })));
    }
}
