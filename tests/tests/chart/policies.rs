//! The network policies: nothing in and nothing out, but for what the values say.

use serde_json::{Value, json};

use crate::helm::{Helm, Manifests};

fn policy<'a>(of: &'a Manifests, name: &str) -> &'a Value {
    let found = of.of("NetworkPolicy").into_iter().find(|policy| policy["metadata"]["name"] == name);
    &found.unwrap_or_else(|| panic!("no policy `{name}`"))["spec"]
}

#[test]
fn what_no_rule_allows_is_denied_both_ways() {
    let Some(helm) = Helm::find("helm4") else { return };
    let deny = json!({
        "podSelector": { "matchExpressions": [{ "key": "app", "operator": "In", "values": ["godel", "godel-test"] }] },
        "policyTypes": ["Ingress", "Egress"],
    });
    for values in ["values-staging", "values-production", "values-lab"] {
        assert_eq!(policy(&helm.render(values, &[]), "godel-api-deny"), &deny);
    }
}

#[test]
fn in_come_the_ingress_controller_the_monitoring_and_the_test() {
    let Some(helm) = Helm::find("helm4") else { return };
    let namespace = |name| json!({ "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": name } } });
    let test = json!({ "podSelector": { "matchLabels": { "app": "godel-test" } } });
    let rendered = helm.render("values-production", &[]);
    let rule = json!({
        "from": [namespace("ingress-nginx"), namespace("monitoring"), test],
        "ports": [{ "protocol": "TCP", "port": "http" }],
    });
    assert_eq!(policy(&rendered, "godel-api")["ingress"], json!([rule]));
}

#[test]
fn out_go_questions_to_dns_the_database_and_redis() {
    let Some(helm) = Helm::find("helm4") else { return };
    let rendered = helm.render("values-production", &["networkPolicy.egress.redis.port=6380"]);
    let egress = &policy(&rendered, "godel-api")["egress"];
    assert_eq!(egress.as_array().map(Vec::len), Some(3), "{egress:#}");
    let dns = json!({
        "namespaceSelector": { "matchLabels": { "kubernetes.io/metadata.name": "kube-system" } },
        "podSelector": { "matchLabels": { "k8s-app": "kube-dns" } },
    });
    let ports = json!([{ "protocol": "UDP", "port": 53 }, { "protocol": "TCP", "port": 53 }]);
    assert_eq!(egress[0], json!({ "to": [dns], "ports": ports }));
    assert_eq!(policy(&rendered, "godel-api-test")["egress"][0], egress[0]);
    for (rule, cidr, port) in [(&egress[1], "10.20.0.0/24", 5432), (&egress[2], "10.20.1.0/24", 6380)] {
        let expected =
            json!({ "to": [{ "ipBlock": { "cidr": cidr } }], "ports": [{ "protocol": "TCP", "port": port }] });
        assert_eq!(rule, &expected);
    }
}

/// To Kubernetes, a rule with an empty list of peers lets everybody through.
#[test]
fn an_empty_list_is_nobody() {
    for helm in Helm::all() {
        let lists = ["ingressController", "monitoring", "dns", "egress.database.cidrs", "egress.redis.cidrs"];
        let empty = lists.map(|list| format!("networkPolicy.{list}=[]"));
        let absent =
            ["ingressController", "monitoring", "dns", "egress"].map(|key| format!("networkPolicy.{key}=null"));
        for set in [&empty[..], &absent] {
            let set: Vec<&str> = set.iter().map(String::as_str).collect();
            let rendered = helm.render("values", &set);
            assert_eq!(rendered.of("NetworkPolicy").len(), 3);
            for policy in rendered.of("NetworkPolicy") {
                for (rules, peers) in [("ingress", "from"), ("egress", "to")] {
                    for rule in policy["spec"][rules].as_array().unwrap_or(&Vec::new()) {
                        assert!(rule[peers].as_array().is_some_and(|list| !list.is_empty()), "{policy:#}");
                    }
                }
            }
        }
    }
}

#[test]
fn the_test_reaches_the_service_and_is_never_served_as_it() {
    let Some(helm) = Helm::find("helm4") else { return };
    let rendered = helm.render("values-production", &[]);
    let test = rendered.one("Pod");
    assert_eq!(test["metadata"]["labels"]["app"], "godel-test", "the Service would select it");
    assert_eq!(test["metadata"]["annotations"]["helm.sh/hook"], "test");
    let arguments = &test["spec"]["containers"][0]["args"];
    assert_eq!(arguments, &json!(["--check", "http://godel-api:80/api/health/ready"]));
    let egress = &policy(&rendered, "godel-api-test")["egress"];
    let service = json!({ "podSelector": { "matchLabels": { "app": "godel" } } });
    assert_eq!(egress[1], json!({ "to": [service], "ports": [{ "protocol": "TCP", "port": 7373 }] }));
}
