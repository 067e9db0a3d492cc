//! Problems of the worked example, and of charts that are nasty.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::*;
use crate::helm::Manifest;

/// Where the worked example is, and the file's lines.
fn godel(values: &[&str]) -> Sources {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let chart = root.join("examples/godel/chart");
    let values: Vec<PathBuf> = values.iter().map(|name| chart.join(name)).collect();
    let sources = Sources::read(&chart, &values, &root).unwrap();
    assert_eq!(sources.chart.name, "godel");
    sources
}

fn deployment() -> Document {
    let containers = json!([{ "name": "godel" }]);
    object("godel/templates/deployment.yaml", "Deployment", "godel-api", &containers)
}

fn object(source: &str, kind: &str, name: &str, containers: &serde_json::Value) -> Document {
    Document {
        source: Some(source.to_owned()),
        api_version: "apps/v1".to_owned(),
        kind: kind.to_owned(),
        name: name.to_owned(),
        namespace: None,
        hook: false,
        object: json!({ "spec": { "template": { "spec": { "containers": containers } } } }),
    }
}

fn image(container: &str, reference: &str) -> Subject {
    Subject::Image { container: container.to_owned(), reference: reference.to_owned() }
}

fn container(name: &str) -> Subject {
    Subject::Container { name: name.to_owned() }
}

fn missing(name: &str) -> Subject {
    Subject::Reference { name: name.to_owned(), key: None }
}

/// The end of the file's name, the text of the line from the column on, and what it is.
fn found(sources: &Sources, object: &Document, subject: &Subject) -> (String, String, What) {
    let Traced { place, what } = trace(sources, Some(object), subject).expect("a place");
    let all = sources.chart.files.iter().map(|(_, file)| file).chain(&sources.values);
    let mut all = all.filter(|file| file.label == place.file);
    let text = all.next().map_or_else(String::new, |file| {
        let line = file.text.trim_start_matches('\u{feff}').lines().nth(place.line as usize - 1).expect("a line");
        line.chars().skip(place.column as usize - 1).collect()
    });
    (place.file.rsplit('/').next().unwrap_or_default().to_owned(), text.trim_end().to_owned(), what)
}

fn value(path: &str) -> What {
    What::Value(path.to_owned())
}

#[test]
fn problems_of_the_worked_example_are_on_the_lines_that_mend_them() {
    let sources = godel(&["values-lab.yaml"]);
    let cases = [
        (container("godel"), "deployment.yaml", "- name: godel", What::Template),
        (missing("godel-api-key"), "values.yaml", "godel-api-key }", value("apiKey.secret")),
        (missing("godel-redis-credentials"), "values.yaml", "godel-redis-credentials }", value("redis.secret")),
        (
            Subject::Resources { container: Some("godel".into()) },
            "values-lab.yaml",
            "requests: { cpu: 10m, memory: 32Mi }",
            value("resources.requests"),
        ),
        (Subject::Placement, "values.yaml", "topologySpread:", value("topologySpread")),
        (Subject::Object, "deployment.yaml", "kind: Deployment", What::Template),
        (Subject::Hook, "deployment.yaml", "kind: Deployment", What::Template),
    ];
    for (subject, file, line, what) in cases {
        let expected = (file.to_owned(), line.to_owned(), what);
        assert_eq!(found(&sources, &deployment(), &subject), expected, "{subject:?}");
    }
    let test = object("godel/templates/tests/ready.yaml", "Pod", "x", &json!([]));
    assert!(found(&sources, &test, &Subject::Hook).1.starts_with("helm.sh/hook: "), "a hook");
    let label = trace(&sources, Some(&deployment()), &container("godel")).unwrap().place.file;
    assert!(label.ends_with("examples/godel/chart/templates/deployment.yaml"), "{label}");
}

#[test]
fn a_bad_tag_is_on_the_line_that_sets_it_last() {
    let mut sources = godel(&["values-lab.yaml"]);
    let subject = image("godel", "registry.example.com/godel:nowhere");
    // Nobody sets that tag, so it is the line of the image that is left.
    assert_eq!(found(&sources, &deployment(), &subject).2, value("image.repository"));
    let file = |label: &str, text: &str| File { label: label.to_owned(), text: text.to_owned() };
    sources.values.push(file("first.yaml", "image:\n  tag: nowhere\n"));
    sources.values.push(file("last.yaml", "# the release\nimage: { pullPolicy: Always,\n  tag: nowhere }\n"));
    let expected = ("last.yaml".to_owned(), "nowhere }".to_owned(), value("image.tag"));
    assert_eq!(found(&sources, &deployment(), &subject), expected);
    // Of what is not set the chart's own version is the tag.
    let subject = image("godel", "registry.example.com/godel:0.1.0");
    sources.values.clear();
    let (file, line, what) = found(&sources, &deployment(), &subject);
    assert_eq!((file.as_str(), what), ("Chart.yaml", What::AppVersion), "{line}");
    // What the gate sets wins over all.
    let place = Place { file: "prodtest.yaml".to_owned(), line: 7, column: 3 };
    let digest = "sha256:0123".to_owned();
    sources.set.push(GateValue { path: "image.digest".into(), value: digest, place: place.clone() });
    let traced =
        trace(&sources, Some(&deployment()), &image("godel", "registry.example.com/godel@sha256:0123")).unwrap();
    assert_eq!(traced, Traced { place, what: What::Set("image.digest".into()) });
}

/// A chart of this template, with these values files.
fn small(template: &str, values: &[&str]) -> Sources {
    let file = |label: &str, text: &str| File { label: label.to_owned(), text: text.to_owned() };
    let files = vec![("templates/app.yaml".to_owned(), file("app.yaml", template))];
    let values = values.iter().zip(0..).map(|(text, number)| file(&format!("{number}.yaml"), text)).collect();
    Sources { chart: ChartFiles { name: "small".into(), files }, values, set: Vec::new() }
}

const TWO: &str = "\
kind: Deployment
spec:
  template:
    spec:
      containers:
      {{- if .Values.first }}
      - name: {{ .Chart.Name }}
        image: \"{{ .Values.image.repository }}:{{ .Values.image.tag }}\"
        env:
        - name: sidecar
          value: x
      {{- end }}
      - image: {{ .Values.proxy.image.repository }}:{{ .Values.proxy.image.tag }}
        name: sidecar
        resources:
          requests: { cpu: 1 }
      - name: {{ .Values.third }}
        image: third:{{ .Values.release }}
      volumes:
      - name: godel
        secret: { secretName: written-here }
";

fn two() -> Document {
    object(
        "small/templates/app.yaml",
        "Deployment",
        "app",
        &json!([{ "name": "app" }, { "name": "sidecar" }, { "name": "other" }]),
    )
}

#[test]
fn containers_are_found_by_name_and_rendered_ones_by_their_place() {
    let sources = small(TWO, &[]);
    for (subject, line) in [
        (container("app"), "- name: {{ .Chart.Name }}"),
        (container("sidecar"), "name: sidecar"),
        (container("other"), "- name: {{ .Values.third }}"),
        (container("nobody"), "kind: Deployment"),
        (image("sidecar", "x:1"), "- image: {{ .Values.proxy.image.repository }}:{{ .Values.proxy.image.tag }}"),
        (Subject::Resources { container: Some("sidecar".into()) }, "requests: { cpu: 1 }"),
        (Subject::Resources { container: Some("app".into()) }, "- name: {{ .Chart.Name }}"),
        (missing("written-here"), "secret: { secretName: written-here }"),
        (missing("written"), "kind: Deployment"),
        (missing("here"), "kind: Deployment"),
    ] {
        let found = found(&sources, &two(), &subject);
        assert_eq!(found, ("app.yaml".to_owned(), line.to_owned(), What::Template), "{subject:?}");
    }
}

#[test]
fn images_with_one_tag_are_told_apart() {
    let values = "replicas: 5\nimage: { repository: r/app, tag: 5 }\nproxy:\n  image: { repository: r/proxy, tag: '5' }\nrelease: 5\n";
    let sources = small(TWO, &[values]);
    let path = |container: &str, reference: &str| found(&sources, &two(), &image(container, reference)).2;
    assert_eq!(path("app", "r/app:5"), value("image.tag"));
    assert_eq!(path("sidecar", "r/proxy:5"), value("proxy.image.tag"));
    // `release` is used in the line of the image; `replicas` is five by chance.
    assert_eq!(small_only("replicas: 5\nrelease: 5\n"), value("release"));
    assert_eq!(small_only("replicas: 5\n"), What::Template);
}

fn small_only(values: &str) -> What {
    found(&small(TWO, &[values]), &two(), &image("other", "third:5")).2
}

#[test]
fn values_files_of_every_kind_are_read() {
    let subject = image("app", "r/app:bad");
    for (values, line) in [
        ("x: &tag bad\nimage:\n  repository: r/app\n  tag: *tag\n", "bad"),
        ("# one\r\n---\r\nimage:\r\n  # two\r\n  tag: bad\r\n", "bad"),
        ("image: { tag: bad }\n---\nimage: { tag: other }\n", "bad }"),
        ("base: &base { tag: bad }\nimage:\n  <<: *base\n  repository: r/app\n", "bad }"),
        ("image:\n  tag: >-\n    bad\n", "bad"),
        ("\u{feff}image: {tag: \"bad\"}\n", "\"bad\"}"),
        // What is no YAML to us, and is to Helm.
        ("image:\n  tag: old\n  tag: bad # now\n", "tag: bad # now"),
        ("image:\n  tag: !!custom bad\n", "tag: !!custom bad"),
    ] {
        let (file, seen, what) = found(&small(TWO, &[values]), &two(), &subject);
        assert_eq!((file.as_str(), what), ("0.yaml", value("image.tag")), "{values:?}: {seen}");
        assert_eq!(seen, line, "{values:?}");
    }
    // Helm makes a number of it.
    let sources = small(TWO, &["image: { tag: 1.10 }\n"]);
    assert_eq!(found(&sources, &two(), &image("app", "r/app:1.1")).2, value("image.tag"));
    let sources = small(TWO, &["image: { tag: 20261124 }\n"]);
    assert_eq!(found(&sources, &two(), &image("app", "r/app:2.0261124e+07")).2, value("image.tag"));
}

#[test]
fn a_later_file_takes_away_and_replaces() {
    let subject = image("app", "r/app:bad");
    let what = |values: &[&str]| found(&small(TWO, values), &two(), &subject);
    assert_eq!(what(&["image: { tag: bad }", "image: { tag: }"]).2, What::Template);
    assert_eq!(what(&["image: { tag: bad }", "image:"]).2, What::Template);
    assert_eq!(what(&["image: { tag: bad }", "image: { tag: good }"]).2, What::Template);
    assert_eq!(what(&["image: { tag: bad }", "image: { pullPolicy: Always }"]).0, "0.yaml");
    let template = TWO.replace("secretName: written-here", "secretName: {{ (index .Values.list 0).name }}");
    let sources = small(&template, &["list: [{ name: a }, { name: gone }]", "list: [{ name: b }]"]);
    assert_eq!(found(&sources, &two(), &missing("gone")).2, What::Template);
    assert_eq!(found(&sources, &two(), &missing("b")), ("1.yaml".into(), "b }]".into(), value("list[0].name")));
}

#[test]
fn a_dependency_has_its_values_under_its_name() {
    let file = |label: &str, text: &str| File { label: label.to_owned(), text: text.to_owned() };
    let values = "redis:\n  image:\n    tag: bad\nimage: { tag: bad }\nthird: gone\n";
    let mut sources = small("kind: Service\n", &[values]);
    sources.chart.files.push(("charts/redis/templates/app.yaml".into(), file("redis.yaml", TWO)));
    sources.chart.files.push(("charts/redis/values.yaml".into(), file("own.yaml", "image: { repository: r/redis }\n")));
    let object = object("small/charts/redis/templates/app.yaml", "Deployment", "app", &json!([{ "name": "app" }]));
    let subject = image("app", "r/redis:bad");
    let expected = ("0.yaml".to_owned(), "bad".to_owned(), value("redis.image.tag"));
    assert_eq!(found(&sources, &object, &subject), expected);
    assert_eq!(found(&sources, &object, &image("app", "r/redis:x")).2, value("redis.image.repository"));
    // The parent's own values lie over those of the dependency, whatever the order of the files.
    sources
        .chart
        .files
        .push(("values.yaml".into(), file("parent.yaml", "redis: { image: { repository: r/moved } }\n")));
    assert_eq!(found(&sources, &object, &image("app", "r/moved:x")).0, "parent.yaml");
    sources.chart.files.reverse();
    assert_eq!(found(&sources, &object, &image("app", "r/moved:x")).0, "parent.yaml");
    // `third` is the parent's.
    assert_eq!(found(&sources, &object, &missing("gone")).2, What::Template);
}

#[test]
fn of_several_documents_it_is_the_one_of_the_object() {
    let template =
        format!("kind: Job\nmetadata: {{ name: first }}\n---\nkind: Job\nmetadata:\n  name: second\n---\n{TWO}");
    let sources = small(&template, &[]);
    let line = |kind: &str, name: &str| {
        let object = object("small/templates/app.yaml", kind, name, &json!([]));
        trace(&sources, Some(&object), &Subject::Object).unwrap().place.line
    };
    assert_eq!((line("Job", "first"), line("Job", "second"), line("Deployment", "x")), (1, 4, 8));
    assert_eq!(line("StatefulSet", "made-by-a-helper"), 1);
    let flow = small("kind: Job\nspec: {}\ncontainers: [{ name: migrate, image: x }]\n", &[]);
    let job = object("small/templates/app.yaml", "Job", "first", &json!([]));
    assert_eq!(trace(&flow, Some(&job), &container("migrate")).unwrap().place.line, 3);
}

#[test]
fn what_is_not_there_is_the_chart_or_nothing() {
    let mut sources = small(TWO, &[]);
    let elsewhere = object("small/charts/packed/templates/app.yaml", "Deployment", "app", &json!([]));
    assert_eq!(trace(&sources, Some(&elsewhere), &container("app")), None);
    let chart = File { label: "Chart.yaml".into(), text: "name: small\n".into() };
    sources.chart.files.push(("Chart.yaml".into(), chart));
    assert_eq!(trace(&sources, Some(&elsewhere), &container("app")).unwrap().what, What::Chart);
}

#[test]
fn a_manifest_says_which_template_it_was() {
    let text = "---\n# Source: small/templates/app.yaml\napiVersion: apps/v1\nkind: Deployment\nmetadata: { name: app }\n\
                spec: { template: { spec: { containers: [{ name: app }, { name: sidecar }, { name: other }] } } }\n";
    let manifest = Manifest::parse(text).unwrap();
    let object = manifest.find("Deployment", "app").unwrap();
    assert_eq!(found(&small(TWO, &[]), object, &container("other")).1, "- name: {{ .Values.third }}");
}
