//! From an object of the cluster to the line of the chart or values file that made it so.
//!
//! A person mends a line, not a pod. [`trace`] is pure: it is given the texts ([`Sources`], read by [`Sources::read`])
//! and says the most likely place, a value before a template. It cannot run templates, so it goes by what is there: a
//! value that stands in the image's reference, a container's name, the name of a Secret. Where nothing is found it is the
//! `kind:` of the template, so that there is always a place in the right file.

mod read;
mod template;
mod values;

use prodtest_gate::Place;

pub use read::Unreadable;

use crate::helm::Document;
use template::Part;
use values::{Entry, Values};

/// A file that somebody wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// What it is called in places: relative to the working folder.
    pub label: String,
    /// What is written in it.
    pub text: String,
}

/// A chart: its files, by their path in it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChartFiles {
    /// What the chart is called, which is the first part of `# Source:`.
    pub name: String,
    /// Path in the chart, `templates/deployment.yaml` or `charts/redis/values.yaml`, and the file.
    pub files: Vec<(String, File)>,
}

/// A value that the gate set itself, over all values files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GateValue {
    /// Its key, `image.digest`.
    pub path: String,
    /// The value.
    pub value: String,
    /// What made the gate set it: a line of `prodtest.yaml`.
    pub place: Place,
}

/// What a release was made of.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sources {
    /// The chart.
    pub chart: ChartFiles,
    /// The values files, the later over the earlier.
    pub values: Vec<File>,
    /// What the gate set.
    pub set: Vec<GateValue>,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// An image cannot be had.
    Image {
        /// The container.
        container: String,
        /// The image's reference, as the pod has it.
        reference: String,
    },
    /// A container crashes, or its probe fails.
    Container {
        /// Its name.
        name: String,
    },
    /// A Secret or ConfigMap is missing, or a key of it.
    Reference {
        /// Its name.
        name: String,
        /// The key, if it is one.
        key: Option<String>,
    },
    /// What is asked for is more than there is.
    Resources {
        /// The container, if it is one.
        container: Option<String>,
    },
    /// No node is fit: a selector, an affinity, a taint that is not tolerated.
    Placement,
    /// A volume claim is not bound.
    Claim {
        /// Its name.
        name: String,
    },
    /// A hook failed.
    Hook,
    /// A quota is too small.
    Quota,
    /// The object itself.
    Object,
}

/// Where it can be mended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    /// The line.
    pub place: Place,
    /// What stands there.
    pub what: What,
}

/// What stands in a place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A value in a values file, by its key: `image.tag`.
    Value(String),
    /// A value that the gate set itself, by its key.
    Set(String),
    /// The version of what the chart deploys, in its `Chart.yaml`.
    AppVersion,
    /// A line of a template.
    Template,
    /// The chart: what made the object is not in its folder.
    Chart,
}

/// The most likely place. `object`: what came of the template, as Helm rendered it. None only where neither a value nor
/// a file of the chart is known.
#[must_use]
pub fn trace(sources: &Sources, object: Option<&Document>, subject: &Subject) -> Option<Traced> {
    let values = Values::of(sources);
    let part = object.and_then(|object| Part::of(&sources.chart, object));
    let search = Search { sources, values: &values, part: part.as_ref(), object };
    search.value(subject).or_else(|| search.line(subject)).or_else(|| search.chart())
}

/// Where a value was set last, by its key, `image.tag` or `list[0].name`; of one that was not, what it would be in.
#[must_use]
pub fn place_of_value(sources: &Sources, key: &str) -> Option<Place> {
    let values = Values::of(sources);
    let mut key = key;
    loop {
        if let Some(entry) = values.get(key) {
            return Some(entry.place.clone());
        }
        key = &key[..key.rfind(['.', '['])?];
    }
}

struct Search<'a> {
    sources: &'a Sources,
    values: &'a Values,
    part: Option<&'a Part<'a>>,
    object: Option<&'a Document>,
}

impl Search<'_> {
    /// The value that it comes from.
    fn value(&self, subject: &Subject) -> Option<Traced> {
        match subject {
            Subject::Image { container, reference } => self.image(container, reference),
            Subject::Reference { name, .. } | Subject::Claim { name } => {
                let named = self.values.entries().filter(|(_, entry)| entry.is(name));
                // What the template does not use happens to be the same.
                let best = named.filter(|(path, _)| self.uses(path)).min_by_key(|(path, _)| path.len());
                best.map(|(path, entry)| entry.traced(path))
            }
            Subject::Resources { container } => {
                self.ending(&["resources.requests", "requests", "resources"], container.as_deref())
            }
            Subject::Placement => {
                let keys = ["nodeSelector", "affinity", "tolerations", "topologySpread", "topologySpreadConstraints"];
                self.ending(&keys, None)
            }
            Subject::Quota => self.ending(&["resourceQuota.hard", "quota.hard", "resourceQuota", "quota"], None),
            Subject::Container { .. } | Subject::Hook | Subject::Object => None,
        }
    }

    /// The value that ends up in an image's reference. Its tag or digest comes before its repository: that is what
    /// changes from one release to the next.
    fn image(&self, container: &str, reference: &str) -> Option<Traced> {
        let image = Reference::read(reference);
        let score = |path: &str, entry: &Entry| {
            let rank = image.rank(entry)?;
            let (parent, key) = path.rsplit_once('.').unwrap_or(("", path));
            let words = path.to_ascii_lowercase();
            let is_image = ["image", "tag", "digest"].iter().any(|word| words.contains(word)) || key == "version";
            let in_image = self.part.is_some_and(|part| part.uses_in(path, "image:"));
            if !is_image && !in_image {
                return None;
            }
            // Two images with one tag are told apart by what stands beside it.
            let beside = ["repository", "name", "image"].iter().any(|key| {
                let path = if parent.is_empty() { (*key).to_owned() } else { format!("{parent}.{key}") };
                self.values.get(&path).is_some_and(|entry| image.is_repository(entry))
            });
            let named = path.split('.').any(|part| part.eq_ignore_ascii_case(container));
            Some((rank, beside, in_image || self.uses(path), named, std::cmp::Reverse(path.len())))
        };
        let scored = self.values.entries().filter_map(|(path, entry)| Some((score(path, entry)?, path, entry)));
        let best = scored.max_by_key(|(score, ..)| *score);
        match best {
            Some(((WHOLE, ..), path, entry)) => Some(entry.traced(path)),
            best => {
                let app_version = self.values.app_version().filter(|entry| image.rank(entry) == Some(WHOLE));
                let app_version =
                    app_version.map(|entry| Traced { place: entry.place.clone(), what: What::AppVersion });
                // The registry or the repository may well be wrong, but what the template says comes before it.
                app_version.or_else(|| best.map(|(_, path, entry)| entry.traced(path)))
            }
        }
    }

    /// The value whose key ends so, and that the template uses; the first of the keys that there is.
    fn ending(&self, keys: &[&str], container: Option<&str>) -> Option<Traced> {
        keys.iter().find_map(|key| {
            let ends = |path: &str| path == *key || path.strip_suffix(key).is_some_and(|rest| rest.ends_with('.'));
            let found =
                self.values.entries().filter(|(path, entry)| ends(path) && !entry.is_empty() && self.uses(path));
            let named = |path: &str| container.is_some_and(|name| path.split('.').any(|part| part == name));
            let best = found.min_by_key(|(path, _)| (!named(path), path.len()))?;
            Some(best.1.traced(best.0))
        })
    }

    fn uses(&self, path: &str) -> bool {
        self.part.is_none_or(|part| part.uses(path))
    }

    /// The line of the template.
    fn line(&self, subject: &Subject) -> Option<Traced> {
        let (part, object) = (self.part?, self.object?);
        let in_container = |name: &str, key: &str| part.in_container(object, name, &[key]);
        let line = match subject {
            Subject::Image { container, .. } => in_container(container, "image:"),
            Subject::Container { name } => part.container(object, name),
            Subject::Reference { name, key } => part.mentions(name).or_else(|| {
                let key = key.as_ref()?;
                part.mentions(key)
            }),
            Subject::Resources { container: Some(name) } => {
                part.in_container(object, name, &["requests:", "resources:"])
            }
            Subject::Resources { container: None } | Subject::Quota => part.first(&["requests:", "resources:"]),
            Subject::Placement => {
                part.first(&["nodeSelector:", "affinity:", "topologySpreadConstraints:", "tolerations:"])
            }
            Subject::Claim { name } => {
                part.mentions(name).or_else(|| part.first(&["claimName:", "volumeClaimTemplates:"]))
            }
            Subject::Hook => part.first(&["helm.sh/hook:", "\"helm.sh/hook\":", "'helm.sh/hook':"]),
            Subject::Object => None,
        };
        let place = line.unwrap_or_else(|| part.kind(object));
        Some(Traced { place, what: What::Template })
    }

    fn chart(&self) -> Option<Traced> {
        let file = self.sources.chart.file("Chart.yaml")?;
        Some(Traced { place: Place { file: file.label.clone(), line: 1, column: 1 }, what: What::Chart })
    }
}

impl ChartFiles {
    fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|(known, _)| known == path).map(|(_, file)| file)
    }
}

/// The parts of an image's reference.
struct Reference<'a> {
    whole: &'a str,
    repository: &'a str,
    tag: Option<&'a str>,
    digest: Option<&'a str>,
}

/// A value that is the tag, the digest, or all of a reference.
const WHOLE: u8 = 3;

impl<'a> Reference<'a> {
    fn read(whole: &'a str) -> Self {
        let (named, digest) = match whole.split_once('@') {
            Some((named, digest)) => (named, Some(digest)),
            None => (whole, None),
        };
        // A colon before the last slash is a port's.
        let (repository, tag) = match named.rsplit_once(':') {
            Some((repository, tag)) if !tag.contains('/') => (repository, Some(tag)),
            _ => (named, None),
        };
        Self { whole, repository, tag, digest }
    }

    fn rank(&self, entry: &Entry) -> Option<u8> {
        let is = |text: Option<&str>| text.is_some_and(|text| entry.is(text));
        let bare = |digest: &'a str| digest.split_once(':').map(|(_, hash)| hash);
        let chooses = match self.digest {
            Some(digest) => is(Some(digest)) || is(bare(digest)),
            None => is(self.tag),
        };
        if is(Some(self.whole)) || chooses || (self.tag.is_some() && self.ends_with(self.whole, entry)) {
            Some(WHOLE)
        } else if self.is_repository(entry) {
            Some(2)
        } else {
            is(self.repository.split_once('/').map(|(registry, _)| registry)).then_some(1)
        }
    }

    /// Whether it is the repository, or the end of it.
    fn is_repository(&self, entry: &Entry) -> bool {
        entry.is(self.repository) || self.ends_with(self.repository, entry)
    }

    fn ends_with(&self, text: &str, entry: &Entry) -> bool {
        let end = entry.text.as_deref().and_then(|end| text.strip_suffix(end).filter(|_| !end.is_empty()));
        end.is_some_and(|before| before.ends_with('/'))
    }
}

#[cfg(test)]
mod tests;
