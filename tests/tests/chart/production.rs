//! What the SPEC and the PRD ask of a production, in the manifests of staging and production.

use serde_json::{Value, json};

use crate::helm::{Helm, Manifests};

/// The environments that users see; nothing, loudly, where there is no Helm.
fn environments() -> Vec<Manifests> {
    let helm = Helm::find("helm4");
    let render = |values| helm.as_ref().map(|helm| helm.render(values, &[]));
    ["values-staging", "values-production"].into_iter().filter_map(render).collect()
}

#[test]
fn a_rollout_leaves_no_gap() {
    for environment in environments() {
        let spec = &environment.one("Deployment")["spec"];
        let rolling = json!({ "type": "RollingUpdate", "rollingUpdate": { "maxSurge": 1, "maxUnavailable": 0 } });
        assert_eq!(spec["strategy"], rolling);
        assert!(spec["minReadySeconds"].as_u64() > Some(0) && spec["progressDeadlineSeconds"].as_u64() > Some(0));

        // Whoever still sends is served; and no part of the end is cut short.
        let pod = &environment.pod()["spec"];
        let seconds = |flag: &str| {
            let arguments = environment.container()["args"].as_array().expect("arguments");
            let value = arguments.iter().find_map(|word| word.as_str()?.strip_prefix(flag)?.strip_suffix('s'));
            value.and_then(|value| value.parse::<u64>().ok()).unwrap_or_else(|| panic!("no {flag}: {arguments:?}"))
        };
        let asleep = environment.container()["lifecycle"]["preStop"]["sleep"]["seconds"].as_u64().expect("a sleep");
        let end = pod["terminationGracePeriodSeconds"].as_u64().expect("seconds");
        assert!(asleep > 0 && end > asleep + seconds("--drain=") + seconds("--grace="), "{end} s");
    }
}

#[test]
fn probes_are_the_spec_s() {
    for environment in environments() {
        let container = environment.container();
        for (probe, path, delay, period) in
            [("livenessProbe", "/api/health", 30, 10), ("readinessProbe", "/api/health/ready", 10, 5)]
        {
            let probe = &container[probe];
            assert_eq!(probe["httpGet"], json!({ "path": path, "port": "http" }));
            assert_eq!((&probe["initialDelaySeconds"], &probe["periodSeconds"]), (&json!(delay), &json!(period)));
        }
        assert_eq!(container["ports"], json!([{ "name": "http", "containerPort": 7373 }]));
        assert_eq!(container["args"][0], "--listen=0.0.0.0:7373");
        let annotations = &environment.pod()["metadata"]["annotations"];
        assert_eq!(annotations["prometheus.io/scrape"], "true");
        assert_eq!(annotations["prometheus.io/port"], "7373");
        assert_eq!(annotations["prometheus.io/path"], "/metrics");
    }
}

#[test]
fn pods_are_restricted_and_have_no_token() {
    for environment in environments() {
        assert_eq!(environment.one("ServiceAccount")["automountServiceAccountToken"], false);
        let specs = environment.pod_specs();
        assert_eq!(specs.len(), 2, "the service and its test");
        for spec in specs {
            assert_eq!(spec["automountServiceAccountToken"], false);
            let pod = &spec["securityContext"];
            assert_eq!((&pod["runAsNonRoot"], &pod["runAsUser"]), (&json!(true), &json!(65532)));
            assert_eq!(pod["seccompProfile"], json!({ "type": "RuntimeDefault" }));
            for container in spec["containers"].as_array().expect("containers") {
                let expected = json!({
                    "allowPrivilegeEscalation": false,
                    "readOnlyRootFilesystem": true,
                    "capabilities": { "drop": ["ALL"] },
                });
                assert_eq!(container["securityContext"], expected);
            }
            let forbidden = ["hostNetwork", "hostPID", "hostIPC", "initContainers"];
            assert!(forbidden.iter().all(|key| spec.get(key).is_none()), "{spec:#}");
        }
    }
}

#[test]
fn three_replicas_are_the_least_and_do_not_share_a_node() {
    for environment in environments() {
        let hpa = &environment.one("HorizontalPodAutoscaler")["spec"];
        assert_eq!(hpa["minReplicas"], 3);
        let measured: Vec<&Value> =
            hpa["metrics"].as_array().expect("metrics").iter().map(|metric| &metric["resource"]["name"]).collect();
        assert_eq!(measured, ["cpu", "memory"]);

        let budget = &environment.one("PodDisruptionBudget")["spec"];
        assert_eq!(budget["maxUnavailable"], 1);
        assert_eq!(budget["selector"]["matchLabels"], json!({ "app": "godel" }));

        let spread = &environment.pod()["spec"]["topologySpreadConstraints"][0];
        assert_eq!((&spread["topologyKey"], &spread["maxSkew"]), (&json!("kubernetes.io/hostname"), &json!(1)));
        assert_eq!(spread["labelSelector"]["matchLabels"], json!({ "app": "godel" }));
        for toleration in environment.pod()["spec"]["tolerations"].as_array().expect("tolerations") {
            assert!(toleration["tolerationSeconds"].as_u64() < Some(300), "a lost node costs the whole RTO");
        }
    }
}

/// `500m`, `2Gi` and 4 as numbers.
fn quantity(of: &Value) -> f64 {
    let text = of.as_str().map_or_else(|| of.to_string(), str::to_owned);
    let (number, unit) = text.split_at(text.find(char::is_alphabetic).unwrap_or(text.len()));
    let factor = match unit {
        "" => 1.0,
        "m" => 1e-3,
        "Mi" => f64::from(1 << 20),
        "Gi" => f64::from(1 << 30),
        other => panic!("a unit `{other}`"),
    };
    number.parse::<f64>().expect("a number") * factor
}

#[test]
fn the_quota_has_room_for_a_rollout_at_full_load_and_a_test() {
    for environment in environments() {
        let resources = &environment.container()["resources"];
        assert_eq!(resources["limits"], json!({ "cpu": "1000m", "memory": "2Gi" }));
        assert_eq!(resources["requests"], json!({ "cpu": "500m", "memory": "1Gi" }));

        let most = quantity(&environment.one("HorizontalPodAutoscaler")["spec"]["maxReplicas"]);
        let pods = most + 2.0;
        let hard = &environment.one("ResourceQuota")["spec"]["hard"];
        assert!(quantity(&hard["pods"]) >= pods);
        for kind in ["requests", "limits"] {
            for resource in ["cpu", "memory"] {
                let needed = pods * quantity(&resources[kind][resource]);
                assert!(quantity(&hard[format!("{kind}.{resource}")]) >= needed, "{kind}.{resource}: {hard}");
            }
        }
        let range = &environment.one("LimitRange")["spec"]["limits"][0];
        for resource in ["cpu", "memory"] {
            assert!(quantity(&range["max"][resource]) >= quantity(&resources["limits"][resource]), "{range:#}");
            assert!(range["default"].get(resource).is_some() && range["defaultRequest"].get(resource).is_some());
        }
    }
}

#[test]
fn users_come_in_by_tls() {
    let hosts = ["godel-staging.example.com", "godel.example.com"];
    for (environment, host) in environments().iter().zip(hosts) {
        let ingress = &environment.one("Ingress")["spec"];
        assert_eq!(ingress["tls"], json!([{ "hosts": [host], "secretName": "godel-tls" }]));
        assert_eq!(ingress["rules"][0]["host"], host);
        let backend = &ingress["rules"][0]["http"]["paths"][0]["backend"]["service"];
        assert_eq!(backend, &json!({ "name": "godel-api", "port": { "name": "http" } }));
        let service = &environment.one("Service")["spec"];
        assert_eq!(service["ports"], json!([{ "name": "http", "port": 80, "targetPort": "http" }]));
        assert_eq!((&service["type"], &service["selector"]), (&json!("ClusterIP"), &json!({ "app": "godel" })));
    }
}

#[test]
fn secrets_are_references() {
    for environment in environments() {
        assert!(environment.of("Secret").is_empty());
        for (variable, secret, key, optional) in [
            ("GODEL_API_KEY", "godel-api-key", "key", false),
            ("GODEL_API_KEY_OTHER", "godel-api-key", "other-key", true),
            ("GODEL_ADMIN_KEY", "godel-api-key", "admin-key", true),
            ("GODEL_DATABASE_URL", "godel-db-credentials", "url", false),
            ("GODEL_REDIS_URL", "godel-redis-credentials", "url", false),
        ] {
            let variable = environment.variable(variable);
            assert_eq!(variable.get("value"), None);
            let reference = &variable["valueFrom"]["secretKeyRef"];
            assert_eq!((&reference["name"], &reference["key"]), (&json!(secret), &json!(key)));
            assert_eq!(reference["optional"].as_bool().unwrap_or_default(), optional, "{variable:#}");
        }
        let plain = environment.one("ConfigMap")["data"].as_object().expect("settings");
        assert_eq!(plain.keys().collect::<Vec<_>>(), ["GODEL_LOG", "GODEL_RATE_LIMIT"]);
        assert_eq!(environment.variable("GODEL_INSTANCE")["valueFrom"]["fieldRef"]["fieldPath"], "metadata.name");
    }
}

#[test]
fn the_authority_of_the_database_is_mounted_when_there_is_one() {
    let Some(helm) = Helm::find("helm4") else { return };
    let without = helm.render("values-production", &[]);
    assert_eq!(without.variable("GODEL_DATABASE_CA"), &Value::Null);
    assert_eq!(without.pod()["spec"].get("volumes"), None);

    let with = helm.render("values-production", &["database.ca=true"]);
    let mount = &with.container()["volumeMounts"][0];
    let path = format!("{}/ca.crt", mount["mountPath"].as_str().expect("a path"));
    assert_eq!(with.variable("GODEL_DATABASE_CA")["value"], path);
    assert_eq!(mount["readOnly"], true);
    let secret = json!({ "secretName": "godel-db-credentials", "items": [{ "key": "ca.crt", "path": "ca.crt" }] });
    assert_eq!(with.pod()["spec"]["volumes"], json!([{ "name": mount["name"], "secret": secret }]));
}
