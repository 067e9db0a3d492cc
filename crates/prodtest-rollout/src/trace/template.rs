//! The text of a template, which is no YAML until it is rendered: it is read by its lines.

use prodtest_gate::Place;
use serde_json::Value;

use super::{ChartFiles, File, values::prefix};
use crate::helm::Document;

/// What of a template one object came from, and what helps to render it.
#[derive(Debug)]
pub(super) struct Part<'a> {
    file: &'a File,
    /// Number, from 1, and text.
    lines: Vec<(u32, &'a str)>,
    /// The key that the chart's values are under, where it is a dependency: `redis.`.
    prefix: String,
    /// Keys that the template or the chart's helpers use, and the line.
    uses: Vec<(String, &'a str)>,
}

/// A container in a template.
struct Item {
    /// Positions in the part's lines, the end excluded.
    lines: std::ops::Range<usize>,
    /// The line of the name.
    at: usize,
    /// None, where it is rendered.
    name: Option<String>,
}

impl<'a> Part<'a> {
    /// The part that an object came from, if the template is in the chart's folder.
    pub(super) fn of(chart: &'a ChartFiles, object: &Document) -> Option<Self> {
        let source = object.source.as_deref()?;
        let path = source.strip_prefix(&chart.name).and_then(|rest| rest.strip_prefix('/'));
        let path = path.or_else(|| source.split_once('/').map(|(_, path)| path))?;
        let file = chart.file(path)?;
        let folder = path.split("templates/").next().unwrap_or_default();
        let helpers = chart.files.iter().filter(|(path, _)| path.starts_with(folder) && path.ends_with(".tpl"));
        let texts = helpers.map(|(_, file)| file.text.as_str()).chain([file.text.as_str()]);
        Some(Self {
            file,
            lines: lines(&file.text, object),
            prefix: prefix(folder).unwrap_or_default(),
            uses: texts.flat_map(str::lines).flat_map(uses).collect(),
        })
    }

    /// Whether the template uses a value, or a map that it is in.
    pub(super) fn uses(&self, path: &str) -> bool {
        self.uses_in(path, "")
    }

    /// Whether it does so in a line with that word.
    pub(super) fn uses_in(&self, path: &str, word: &str) -> bool {
        let of_chart = path.strip_prefix(&self.prefix);
        // Values of the whole release.
        let own = of_chart.or_else(|| path.starts_with("global.").then_some(path));
        own.is_some_and(|own| {
            self.uses.iter().any(|(used, line)| {
                let within = |outer: &str, inner: &str| {
                    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
                };
                (within(used, own) || within(own, used)) && line.contains(word)
            })
        })
    }

    /// The line that says which kind of object it is; else the first.
    pub(super) fn kind(&self, object: &Document) -> Place {
        let is = |line: &str| line.strip_prefix("kind:").is_some_and(|kind| word(kind) == object.kind);
        match self.lines.iter().position(|(_, line)| is(line.trim_start())) {
            Some(at) => self.place(at),
            None => Place { file: self.file.label.clone(), line: 1, column: 1 },
        }
    }

    /// The first line that begins with the first of these words that there is.
    pub(super) fn first(&self, words: &[&str]) -> Option<Place> {
        self.first_in(0..self.lines.len(), words)
    }

    fn first_in(&self, range: std::ops::Range<usize>, words: &[&str]) -> Option<Place> {
        let begins = |at: usize, word: &str| {
            let line = self.lines[at].1.trim_start();
            line.strip_prefix("- ").unwrap_or(line).trim_start().starts_with(word)
        };
        words.iter().find_map(|word| range.clone().find(|at| begins(*at, word))).map(|at| self.place(at))
    }

    /// The first line with that name in it, not as a part of another name.
    pub(super) fn mentions(&self, name: &str) -> Option<Place> {
        let is_name = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.');
        let mentions = |line: &str| {
            line.match_indices(name)
                .any(|(at, _)| !line[..at].ends_with(is_name) && !line[at + name.len()..].starts_with(is_name))
        };
        let at = self.lines.iter().position(|(_, line)| !line.trim_start().starts_with('#') && mentions(line))?;
        Some(self.place(at))
    }

    /// The line of a container.
    pub(super) fn container(&self, object: &Document, name: &str) -> Option<Place> {
        Some(self.place(self.item(object, name)?.at))
    }

    /// The line in a container that begins with the first of these words that there is; else the container's.
    pub(super) fn in_container(&self, object: &Document, name: &str, words: &[&str]) -> Option<Place> {
        let item = self.item(object, name)?;
        self.first_in(item.lines, words).or_else(|| Some(self.place(item.at)))
    }

    /// By its name; where names are rendered, by its place among those that are.
    fn item(&self, object: &Document, name: &str) -> Option<Item> {
        let mut items = self.items();
        if let Some(at) = items.iter().position(|item| item.name.as_deref() == Some(name)) {
            return Some(items.swap_remove(at));
        }
        let written = |name: &String| items.iter().any(|item| item.name.as_ref() == Some(name));
        let rendered: Vec<String> = names(&object.object).into_iter().filter(|name| !written(name)).collect();
        let index = rendered.iter().position(|known| known == name)?;
        let unnamed = items.into_iter().filter(|item| item.name.is_none());
        // A loop makes several of one.
        let mut last = None;
        for (at, item) in unnamed.enumerate() {
            last = Some(item);
            if at == index {
                break;
            }
        }
        last
    }

    /// The containers, in the order of the text.
    fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        let mut at = 0;
        while at < self.lines.len() {
            let (indent, content) = split(self.lines[at].1);
            let rest = ["containers:", "initContainers:"].iter().find_map(|word| content.strip_prefix(word));
            at += 1;
            match rest.map(str::trim) {
                // In one line.
                Some(flow) if flow.starts_with('[') => {
                    let name = flow.split("name:").nth(1).map(word).filter(|name| !name.is_empty());
                    items.push(Item { lines: at - 1..at, at: at - 1, name });
                }
                Some(_) => at = self.list(at, indent, &mut items),
                None => {}
            }
        }
        items
    }

    /// The items of a list that begins here, under a key with that indentation. Where it ends.
    fn list(&self, start: usize, indent: usize, items: &mut Vec<Item>) -> usize {
        let mut dash: Option<usize> = None;
        let mut begun: Option<usize> = None;
        let mut end = start;
        while end < self.lines.len() {
            let (own, content) = split(self.lines[end].1);
            // What is not rendered has any indentation.
            if content.is_empty() || content.starts_with("{{") || content.starts_with('#') {
                end += 1;
                continue;
            }
            let is_item = content.starts_with("- ") && dash.is_none_or(|dash| own == dash) && own >= indent;
            if !is_item && own <= dash.unwrap_or(indent) {
                break;
            }
            if is_item {
                dash = Some(own);
                items.extend(begun.map(|begin| self.named(begin..end, own)));
                begun = Some(end);
            }
            end += 1;
        }
        items.extend(begun.map(|begin| self.named(begin..end, dash.unwrap_or(indent))));
        end
    }

    fn named(&self, lines: std::ops::Range<usize>, dash: usize) -> Item {
        let name_of = |at: usize| {
            let (indent, content) = split(self.lines[at].1);
            match content.strip_prefix("- ") {
                Some(rest) if at == lines.start => {
                    let rest = rest.trim_start();
                    rest.strip_prefix("name:").or_else(|| rest.strip_prefix('{')?.split("name:").nth(1))
                }
                // Its own keys stand under what follows the dash.
                _ if indent == dash + 2 => content.strip_prefix("name:"),
                _ => None,
            }
        };
        let found = lines.clone().find_map(|at| Some((at, name_of(at)?)));
        let at = found.map_or(lines.start, |(at, _)| at);
        let name = found.map(|(_, name)| word(name)).filter(|name| !name.is_empty());
        Item { lines, at, name }
    }

    /// The first character of a line that is none of its indentation.
    fn place(&self, at: usize) -> Place {
        let (line, text) = self.lines[at];
        let column = u32::try_from(text.chars().take_while(|c| c.is_whitespace()).count()).unwrap_or(0) + 1;
        Place { file: self.file.label.clone(), line, column }
    }
}

fn split(line: &str) -> (usize, &str) {
    let content = line.trim_start();
    (line.len() - content.len(), content.trim_end())
}

/// The first word of a value, without its quotes; empty, where it is rendered.
fn word(value: &str) -> String {
    let value = value.trim_start();
    if value.starts_with("{{") || value.starts_with("\"{{") || value.starts_with("'{{") {
        return String::new();
    }
    let end = value.find([' ', ',', '}', ']', '\t', '#']).unwrap_or(value.len());
    let word = value[..end].trim_matches(['"', '\'']);
    if word.contains("{{") { String::new() } else { word.to_owned() }
}

/// The names of an object's containers, in the order that templates write them.
fn names(object: &Value) -> Vec<String> {
    let spec = &object["spec"];
    let pod = [&spec["template"]["spec"], &spec["jobTemplate"]["spec"]["template"]["spec"], spec];
    let of = |list: &Value| {
        list.as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one["name"].as_str().map(str::to_owned))
            .collect::<Vec<_>>()
    };
    let found = pod.iter().find(|pod| pod["containers"].is_array());
    found.map_or_else(Vec::new, |pod| [of(&pod["initContainers"]), of(&pod["containers"])].concat())
}

/// The lines of the document of a template that an object came from: of its kind, and of several the one with its name.
fn lines<'a>(text: &'a str, object: &Document) -> Vec<(u32, &'a str)> {
    let mut parts: Vec<Vec<(u32, &str)>> = vec![Vec::new()];
    for (number, line) in (1..).zip(text.lines()) {
        let part = parts.len() - 1;
        parts[part].push((number, line));
        if line.trim_end() == "---" {
            parts.push(Vec::new());
        }
    }
    let is_kind = |line: &str| line.trim_start().strip_prefix("kind:").is_some_and(|kind| word(kind) == object.kind);
    let is_named = |line: &str| {
        let line = line.trim_start();
        line.split("name:").nth(1).is_some_and(|name| word(name) == object.name)
    };
    let has = |part: &[(u32, &str)], is: &dyn Fn(&str) -> bool| part.iter().any(|(_, line)| is(line));
    let (mut of_kind, rest): (Vec<_>, Vec<_>) = parts.into_iter().partition(|part| has(part, &is_kind));
    match of_kind.iter().position(|part| has(part, &is_named)) {
        Some(at) => of_kind.swap_remove(at),
        None if of_kind.is_empty() => rest.into_iter().flatten().collect(),
        None => of_kind.swap_remove(0),
    }
}

/// The keys after each `.Values.` of a line.
fn uses(line: &str) -> Vec<(String, &str)> {
    let keys = line.split(".Values.").skip(1);
    let is_key = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    keys.map(|rest| rest.split(|c| !is_key(c)).next().unwrap_or_default().trim_end_matches('.'))
        .filter(|key| !key.is_empty())
        .map(|key| (key.to_owned(), line))
        .collect()
}
