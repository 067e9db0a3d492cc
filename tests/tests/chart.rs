//! The chart of the reference service, under both Helms: what it refuses, and what it renders.

#[path = "chart/helm.rs"]
mod helm;
#[path = "chart/policies.rs"]
mod policies;
#[path = "chart/production.rs"]
mod production;

#[path = "../platforms/common.rs"]
#[expect(dead_code, reason = "shared with the tests of platforms; each uses a part")]
mod common;

use common::said;
use helm::{Helm, NAMESPACE, VALUES};
use serde_json::{Value, json};

#[test]
fn lint_has_nothing_to_say_of_any_environment() {
    for helm in Helm::all() {
        for values in VALUES {
            let output = helm.run(&["lint", "--strict"], values, &[]);
            assert!(output.status.success(), "{values}: {}", said(&output));
        }
        let broken = helm.run(&["lint", "--strict"], "values", &["resources.limits=nothing"]);
        assert!(!broken.status.success(), "it takes anything: {}", said(&broken));
    }
}

#[test]
fn both_helms_render_the_same() {
    let [Some(three), Some(four)] = helm::HELMS.map(Helm::find) else { return };
    for values in VALUES {
        assert_eq!(three.render(values, &[]), four.render(values, &[]), "{values}");
    }
}

#[test]
fn a_typo_is_refused_by_its_name() {
    for helm in Helm::all() {
        for typo in ["replicaCont=4", "image.tga=v1", "autoscaling.minReplica=2", "env.GODEL_LGO=info"] {
            let output = helm.run(&["template", "shop"], "values-production", &[typo]);
            let name = typo.split(['.', '=']).rev().nth(1).expect("a name");
            assert!(!output.status.success(), "{typo}: {}", said(&output));
            assert!(said(&output).contains(&format!("'{name}' not allowed")), "{typo}: {}", said(&output));
        }
    }
}

#[test]
fn what_cannot_work_is_refused_where_it_stands() {
    for helm in Helm::all() {
        for (set, place) in [
            ("image.digest=sha256:12", "image.digest"),
            ("image.repository=Godel:v1", "image.repository"),
            ("image.pullPolicy=Sometimes", "image.pullPolicy"),
            ("env.GODEL_LOG=loud", "env.GODEL_LOG"),
            ("ingress.host=", "ingress.host"),
            ("apiKey.secret=", "apiKey.secret"),
            ("autoscaling.minReplicas=few", "autoscaling.minReplicas"),
            ("resources.limits.memory=2GB", "resources.limits.memory"),
        ] {
            let output = helm.run(&["template", "shop"], "values-production", &[set]);
            assert!(!output.status.success(), "{set}: {}", said(&output));
            let pointer = format!("at '/{}': ", place.replace('.', "/"));
            assert!(said(&output).contains(&pointer), "{set}: {}", said(&output));
        }
    }
}

/// Every value of the key `image`, wherever it is.
fn images(of: &Value) -> Vec<&str> {
    match of {
        Value::Array(items) => items.iter().flat_map(images).collect(),
        Value::Object(map) => {
            let own = map.get("image").and_then(Value::as_str);
            own.into_iter().chain(map.values().flat_map(images)).collect()
        }
        _ => Vec::new(),
    }
}

#[test]
fn a_digest_wins_over_the_tag_in_every_container() {
    let Some(helm) = Helm::find("helm4") else { return };
    let digest = format!("sha256:{}", "0123456789abcdef".repeat(4));
    let by_digest = helm
        .render("values", &["image.repository=reg.example.com/g", "image.tag=v2", &format!("image.digest={digest}")]);
    let all = Value::Array(by_digest.0);
    assert_eq!(images(&all), [format!("reg.example.com/g@{digest}").as_str(); 2], "the service and its test");

    let by_tag = Value::Array(helm.render("values", &["image.repository=reg.example.com/g", "image.tag=v2"]).0);
    assert_eq!(images(&by_tag), ["reg.example.com/g:v2"; 2]);
}

#[test]
fn with_autoscaling_nobody_else_says_how_many() {
    let Some(helm) = Helm::find("helm4") else { return };
    let with = helm.render("values", &["autoscaling.enabled=true"]);
    assert_eq!(with.one("Deployment")["spec"].get("replicas"), None);
    assert_eq!(with.one("HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]["name"], "godel-api");

    let without = helm.render("values", &["autoscaling.enabled=false"]);
    assert_eq!(without.one("Deployment")["spec"]["replicas"], 3);
    assert!(without.of("HorizontalPodAutoscaler").is_empty());
}

#[test]
fn settings_start_new_pods_and_nothing_else_does() {
    let Some(helm) = Helm::find("helm4") else { return };
    let pod = |set: &[&str]| helm.render("values", set).pod().clone();
    let before = pod(&[]);
    assert_ne!(before, pod(&["env.GODEL_LOG=debug"]));
    assert_eq!(before, pod(&["autoscaling.maxReplicas=20", "podDisruptionBudget.maxUnavailable=2"]));

    // A large number is still written as one.
    let config = helm.render("values", &[r#"env={"GODEL_RATE_LIMIT":10000000}"#]);
    assert_eq!(config.one("ConfigMap")["data"], json!({ "GODEL_LOG": "info", "GODEL_RATE_LIMIT": "10000000" }));
}

#[test]
fn names_are_the_spec_s_or_the_release_s_and_no_namespace_is_fixed() {
    let Some(helm) = Helm::find("helm4") else { return };
    for (set, name) in [(vec![], "godel-api"), (vec!["fullnameOverride="], "shop-godel")] {
        let rendered = helm.render("values-production", &set);
        for manifest in &rendered.0 {
            let metadata = &manifest["metadata"];
            assert_eq!(metadata["namespace"], NAMESPACE, "{manifest:#}");
            assert!(metadata["name"].as_str().is_some_and(|found| found.starts_with(name)), "{manifest:#}");
        }
        let deployment = rendered.one("Deployment");
        assert_eq!(deployment["metadata"]["name"], name);
        assert_eq!(deployment["spec"]["selector"]["matchLabels"], json!({ "app": "godel" }));
        assert_eq!(rendered.pod()["metadata"]["labels"]["app"], "godel");
    }
}

#[test]
fn the_version_is_the_image_s_and_faults_are_asked_for() {
    let Some(helm) = Helm::find("helm4") else { return };
    let plain = helm.render("values", &[]);
    assert_eq!(plain.variable("GODEL_VERSION")["value"], env!("CARGO_PKG_VERSION"), "the chart's appVersion");
    assert_eq!(plain.variable("GODEL_FAULT"), &Value::Null);

    let broken = helm.render("values", &["version=1.2.3+build.4", "faults={stall,reset}"]);
    assert_eq!(broken.variable("GODEL_VERSION")["value"], "1.2.3+build.4");
    assert_eq!(broken.pod()["metadata"]["labels"]["app.kubernetes.io/version"], "1.2.3_build.4");
    assert_eq!(broken.variable("GODEL_FAULT")["value"], "stall,reset");
}
