//! What is done between users and the pods: to the Ingress, its certificate, and the way to it.

use std::{ffi::OsString, process::Command, time::Duration};

use anyhow::ensure;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use prodtest_testkit::{Done, GateCommand, Specimen, repository};
use prodtest_tests::{Release, certificates};
use serde_json::{Value, json};
use tempfile::NamedTempFile;
use xtask::{
    lab::{self, until},
    pki::Certificate,
    sh,
};

const PATIENCE: Duration = Duration::from_secs(20);
/// A Service that sends requests nowhere.
const NOWHERE: &str = "nowhere";
/// A name that no certificate of the lab is for.
const ELSEWHERE: &str = "elsewhere.example";

/// Runs the gate while that is upset; none, where it is nothing of this kind.
pub(crate) fn while_upset(release: &Release<'_>, specimen: &Specimen, name: &str) -> Option<Done> {
    let run = || release.verify().args(&specimen.arguments).run();
    Some(match name {
        "health-behind-ingress" => {
            misroute(release, "/api/health", "Exact");
            run()
        }
        "api-behind-ingress" => {
            misroute(release, "/api/agents", "Prefix");
            run()
        }
        "all-behind-ingress" => {
            misroute(release, "/", "Prefix");
            run()
        }
        "nobody-answers" => aimed(release, "--connect", "127.0.0.1:1").run(),
        "certificate-ends" => {
            present(release, &certificates::lasting(release.lab(), &release.host(), 5));
            run()
        }
        "certificate-of-nobody" => {
            present(release, &certificates::of_nobody(&release.host()));
            run()
        }
        "certificate-of-another" => {
            let host = format!("{}.{ELSEWHERE}", release.namespace);
            let patch = json!({ "spec": {
                "rules": [{ "host": host, "http": release.object("ingress/godel-api")["spec"]["rules"][0]["http"] }],
                "tls": [{ "hosts": [host], "secretName": "godel-tls" }],
            } });
            patch_ingress(release, &patch);
            until("the ingress to know the name", PATIENCE, || {
                ensure!(status(release, &host, "/api/health")? == "200", "it does not");
                Ok(())
            })
            .expect("a new name");
            aimed(release, "--url", &format!("https://{host}")).run()
        }
        "policies-gone" => {
            sh::quietly(kubectl(release).args(["delete", "networkpolicies", "--all"])).expect("no policies");
            run()
        }
        "allowed-way-closed" => {
            sh::quietly(kubectl(release).args(["delete", "networkpolicy/godel-api-test"])).expect("a policy less");
            run()
        }
        "database-without-tls" => {
            let ended = database(release).replace("sslmode=verify-full", "sslmode=disable");
            move_database(release, &ended);
            run()
        }
        "database-inside" => {
            let metadata = json!({ "name": "postgres", "namespace": release.namespace });
            let spec = json!({ "selector": { "app": "postgres" }, "ports": [{ "port": 5432 }] });
            let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec });
            lab::apply(release.lab(), &[service]).expect("a Service");
            move_database(release, &database(release).replace("@postgres.lab:", "@postgres:"));
            run()
        }
        // What listens there is no PostgreSQL, and speaks no TLS.
        "database-is-none" => {
            let port = lab::port(release.lab(), "http").expect("an ingress");
            aimed(release, "--database-connect", &format!("127.0.0.1:{port}")).run()
        }
        "redis-without-tls" => {
            let config = config_with_redis();
            let config = config.path().to_string_lossy().into_owned();
            aimed(release, "--config", &config).run()
        }
        "secret-in-the-clear" => {
            // As it lies there that was written before encryption was on.
            let secret = release.object("secret/godel-api-key").to_string();
            let key = format!("/registry/secrets/{}/godel-api-key", release.namespace);
            lab::etcd::store(release.lab(), &key, secret.as_bytes()).expect("a Secret");
            run()
        }
        "probe-without-image" => aimed(release, "--probe-image", "registry.lab:5000/prodtest-probe:none").run(),
        _ => return None,
    })
}

/// The gate, with one word of its target replaced.
fn aimed(release: &Release<'_>, flag: &str, value: &str) -> GateCommand {
    let mut words: Vec<OsString> = release.verify_words(&release.lab().kubeconfig());
    let at = words.iter().position(|word| word == flag).expect("the flag");
    words[at + 1] = value.into();
    GateCommand::new("verify").args(words)
}

/// The Ingress sends what is asked for below this path to a Service without pods.
fn misroute(release: &Release<'_>, path: &str, kind: &str) {
    let metadata = json!({ "name": NOWHERE, "namespace": release.namespace });
    let spec = json!({ "selector": { "app": NOWHERE }, "ports": [{ "port": 80 }] });
    let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": metadata, "spec": spec });
    lab::apply(release.lab(), &[service]).expect("a Service");
    let mut rule = release.object("ingress/godel-api")["spec"]["rules"][0].clone();
    let backend = json!({ "service": { "name": NOWHERE, "port": { "number": 80 } } });
    let paths = rule["http"]["paths"].as_array_mut().expect("paths");
    paths.retain(|known| known["path"] != path);
    paths.insert(0, json!({ "path": path, "pathType": kind, "backend": backend }));
    patch_ingress(release, &json!({ "spec": { "rules": [rule] } }));
    until("the ingress to follow", PATIENCE, || {
        let status = status(release, &release.host(), path)?;
        ensure!(status == "503", "`{path}` still gives {status}");
        Ok(())
    })
    .expect("a change of the ingress");
}

fn patch_ingress(release: &Release<'_>, patch: &Value) {
    let patch = patch.to_string();
    sh::quietly(kubectl(release).args(["patch", "ingress/godel-api", "--type=merge", "--patch", &patch]))
        .expect("a patch");
}

/// The URL by which the service finds its database.
fn database(release: &Release<'_>) -> String {
    let secret = release.object("secret/godel-db-credentials");
    let encoded = secret["data"]["url"].as_str().expect("a URL").to_owned();
    String::from_utf8(STANDARD.decode(encoded).expect("base 64")).expect("a text")
}

/// The service would find its database there when it starts again.
fn move_database(release: &Release<'_>, url: &str) {
    let patch = json!({ "stringData": { "url": url } }).to_string();
    let mut kubectl = kubectl(release);
    // By standard input: it holds a password.
    let words = ["patch", "secret/godel-db-credentials", "--type=merge", "--patch-file", "/dev/stdin"];
    sh::fed(kubectl.args(words), &patch).expect("a patch");
}

/// Godel's configuration, in which Redis must have TLS too.
fn config_with_redis() -> NamedTempFile {
    let folder = repository().join("examples/godel");
    let text = std::fs::read_to_string(folder.join("prodtest.yaml")).expect("a configuration");
    let with =
        "  managed-services:\n    redis: { kubernetes: { secret: godel-redis-credentials, key: url } }\n    database:";
    let changed = text
        .replace("  managed-services: { database:", with)
        .replace("key: url } } }\n  network", "key: url } }\n  network");
    assert_ne!(text, changed);
    let file = tempfile::Builder::new().suffix(".yaml").tempfile().expect("a file");
    std::fs::write(file.path(), changed).expect("a configuration");
    file
}

fn kubectl(release: &Release<'_>) -> Command {
    release.kubectl().expect("kubectl")
}

/// The ingress presents this certificate for the release.
fn present(release: &Release<'_>, certificate: &Certificate) {
    let secret = json!({
        "apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls",
        "metadata": { "name": "godel-tls", "namespace": release.namespace },
        "stringData": { "tls.crt": certificate.chain, "tls.key": certificate.key },
    });
    lab::apply(release.lab(), &[secret]).expect("a Secret");
    let bare = |pem: &str| pem.split_whitespace().collect::<String>();
    let wanted = bare(&certificate.chain);
    until("the ingress to present the certificate", PATIENCE, || {
        let presented = ask(release, &release.host(), "/", "%{certs}")?;
        ensure!(bare(&presented).contains(&wanted), "it presents another one");
        Ok(())
    })
    .expect("another certificate");
}

fn status(release: &Release<'_>, host: &str, path: &str) -> anyhow::Result<String> {
    ask(release, host, path, "%{http_code}")
}

/// What curl tells of a request for which it takes any certificate.
fn ask(release: &Release<'_>, host: &str, path: &str, write: &str) -> anyhow::Result<String> {
    let mut curl = sh::program("curl");
    curl.args(["--silent", "--insecure", "--max-time", "5", "--output", "/dev/null", "--write-out", write])
        .args(["--connect-to", &format!("::{}", release.connect()?)])
        .arg(format!("https://{host}{path}"));
    sh::quietly(&mut curl)
}
