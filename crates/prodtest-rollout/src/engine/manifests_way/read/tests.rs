use serde_json::json;

use super::*;

const DIGEST: &str = "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

fn parsed(text: &str) -> Vec<Document> {
    parse(&File { label: "all.yaml".to_owned(), text: text.to_owned() }).unwrap()
}

#[test]
fn the_image_is_set_wherever_it_runs_and_nowhere_else() {
    let pod = json!({
        "initContainers": [{ "name": "migrate", "image": "registry.lab:5000/shop@sha256:00" }],
        "containers": [
            { "name": "shop", "image": "registry.lab:5000/shop:1" },
            { "name": "proxy", "image": "registry.lab:5000/shop-proxy:1" },
        ],
    });
    let mut job = json!({ "spec": { "jobTemplate": { "spec": { "template": { "spec": pod } } } } });
    // Not whole: no reference, and so of no repository.
    assert_eq!(set_in(&mut job, "registry.lab:5000/shop", "new"), 1);
    let pod = &job["spec"]["jobTemplate"]["spec"]["template"]["spec"];
    let images: Vec<&str> =
        pod["containers"].as_array().unwrap().iter().map(|one| one["image"].as_str().unwrap()).collect();
    assert_eq!(images, ["new", "registry.lab:5000/shop-proxy:1"]);
    let mut pinned = json!({ "containers": [{ "image": format!("registry.lab:5000/shop@{DIGEST}") }, { "image": "registry.lab:5000/shop" }] });
    assert_eq!(set_in(&mut pinned, "registry.lab:5000/shop", "new"), 2);
}

#[test]
fn a_short_name_is_the_same_image() {
    let mut pod = json!({ "containers": [{ "image": "nginx:1" }, { "image": "docker.io/library/nginx" }] });
    assert_eq!(set_in(&mut pod, "docker.io/library/nginx", "new"), 2);
}

#[test]
fn what_is_no_object_has_its_line() {
    let text = "apiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n---\nkind: Pod\n";
    let Err(failure) = parse(&File { label: "all.yaml".to_owned(), text: text.to_owned() }) else {
        panic!("it is one")
    };
    let place = failure.place.unwrap();
    assert_eq!((place.file.as_str(), place.line), ("all.yaml", 5));
    assert!(failure.trouble.measured && failure.trouble.message.contains("`apiVersion`"), "{:?}", failure.trouble);
}

#[test]
fn an_object_knows_its_file_and_its_line() {
    let text = "# Source: chart/templates/a.yaml\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: a }\n---\napiVersion: v1\nkind: Secret\nmetadata: { name: b }\n";
    let documents = parsed(text);
    let file = File { label: "all.yaml".to_owned(), text: text.to_owned() };
    let written = ChartFiles { name: NAME.to_owned(), files: vec![("all.yaml".to_owned(), file)] };
    let place = super::super::place(&written, &documents[1]).unwrap();
    assert_eq!((place.file.as_str(), place.line), ("all.yaml", 7));
}
