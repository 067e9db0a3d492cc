//! Godel on the lab: what an installer does before Helm, Helm, and the wait for the first answer from outside.

use std::{
    ffi::OsString,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

use super::{
    files, forward,
    kubectl::{self, kubectl},
    pki::{base64, unbase64},
    place::Lab,
    services, wait,
};
use crate::{env, image::Image, random, repo, sh, tools};

/// The chart.
pub const CHART: &str = "examples/godel/chart";
/// Its name as a release.
pub const RELEASE: &str = "godel";
/// The Deployment that the chart makes.
pub const WORKLOAD: &str = "deployment/godel-api";

const PATIENCE: Duration = Duration::from_secs(90);

/// Which Helm.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Helm {
    /// Version 3.
    Three,
    /// Version 4.
    Four,
}

impl Helm {
    const fn tool(self) -> &'static str {
        match self {
            Self::Three => "helm3",
            Self::Four => "helm4",
        }
    }

    /// Its program, installed first if need be.
    ///
    /// # Errors
    /// When it cannot be had.
    pub fn program(self) -> Result<PathBuf> {
        tools::need(self.tool())
    }
}

/// Godel in a namespace of its own, with a database and a Redis of its own.
#[derive(Clone, Debug)]
pub struct Godel<'a> {
    lab: &'a Lab,
    /// The namespace; also the first part of the host name, and the name of the database.
    pub namespace: String,
    /// The image, as the registry has it: with its digest.
    pub image: Pushed,
    /// The keys that it was given.
    pub keys: Keys,
}

/// An image that a lab's registry has.
#[derive(Clone, Debug)]
pub struct Pushed {
    /// Registry and name.
    pub repository: String,
    /// The digest of its manifest.
    pub digest: String,
}

/// The service's keys.
#[derive(Clone, Debug)]
pub struct Keys {
    /// Of the first tenant.
    pub own: String,
    /// Of the second tenant.
    pub other: String,
    /// Of the administrator.
    pub admin: String,
}

/// The Secret that holds them.
const KEYS: &str = "godel-api-key";

impl Keys {
    /// Those that a namespace has.
    fn of(lab: &Lab, namespace: &str) -> Result<Option<Self>> {
        let name = ["--namespace", namespace, "secret", KEYS, "--ignore-not-found"];
        let said = sh::quietly(kubectl(lab)?.arg("get").args(name).args(["--output", "json"]))?;
        if said.trim().is_empty() {
            return Ok(None);
        }
        let secret: Value = serde_json::from_str(&said).context("`kubectl` said something that is no JSON")?;
        let key = |name: &str| {
            let value = secret["data"][name].as_str().with_context(|| format!("`{KEYS}` has no `{name}`"))?;
            unbase64(value)
        };
        Ok(Some(Self { own: key("key")?, other: key("other-key")?, admin: key("admin-key")? }))
    }
}

/// Pushes an image of Godel to the lab's registry.
///
/// # Errors
/// When the registry does not take it, or has it under another digest.
pub fn push(lab: &Lab, image: &Image) -> Result<Pushed> {
    let digest = services::push(lab, &image.archive, &image.reference)?;
    ensure!(digest == image.digest, "pushed as {digest}, built as {}", image.digest);
    let (name, _) = image.reference.split_once(':').context("an image without a tag")?;
    Ok(Pushed { repository: format!("{}/{name}", services::REGISTRY), digest })
}

impl<'a> Godel<'a> {
    /// Makes the namespace and all that must be there before the chart: keys, a database, a Redis database, the login
    /// to the registry, a certificate. Nothing is deployed yet. A namespace that has its keys is taken as it is.
    ///
    /// # Errors
    /// When the cluster or a store does not take it.
    pub fn prepare(lab: &'a Lab, namespace: &str, image: &Pushed) -> Result<Self> {
        lab.running()?;
        if let Some(keys) = Keys::of(lab, namespace)? {
            return Ok(Self { lab, namespace: namespace.to_owned(), image: image.clone(), keys });
        }
        wait::until(&format!("the end of an earlier namespace `{namespace}`"), PATIENCE, || {
            let name = ["namespace", namespace, "--ignore-not-found", "--output", "name"];
            let there = sh::quietly(kubectl(lab)?.arg("get").args(name))?;
            ensure!(there.trim().is_empty(), "it is still there");
            Ok(())
        })?;
        let keys = Keys { own: random::hex()?, other: random::hex()?, admin: random::hex()? };
        let godel = Self { lab, namespace: namespace.to_owned(), image: image.clone(), keys };
        let labels = json!({
            "pod-security.kubernetes.io/enforce": "restricted",
            "pod-security.kubernetes.io/enforce-version": "latest",
        });
        let namespace = json!({
            "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": godel.namespace, "labels": labels },
        });
        let Keys { own, other, admin } = &godel.keys;
        let keys = godel.secret(KEYS, &json!({ "key": own, "other-key": other, "admin-key": admin }));
        kubectl::apply(
            lab,
            &[
                namespace,
                godel.secret("godel-db-credentials", &godel.database()?),
                godel.secret("godel-redis-credentials", &json!({ "url": godel.redis()? })),
                godel.login()?,
                godel.certificate()?,
                // The last: where it is, so is the rest.
                keys,
            ],
        )?;
        Ok(godel)
    }

    fn secret(&self, name: &str, values: &Value) -> Value {
        let metadata = json!({ "name": name, "namespace": self.namespace });
        json!({ "apiVersion": "v1", "kind": "Secret", "metadata": metadata, "stringData": values })
    }

    /// A user and a database of its own.
    fn database(&self) -> Result<Value> {
        let (name, password, host) = (self.namespace.replace('-', "_"), random::hex()?, "postgres.lab");
        self.remove_database()?;
        services::sql(self.lab, "postgres", &format!("CREATE ROLE {name} LOGIN PASSWORD '{password}'"))?;
        services::sql(self.lab, "postgres", &format!("CREATE DATABASE {name} OWNER {name}"))?;
        let ca = std::fs::read_to_string(self.lab.pki("ca.crt")).context("could not read the authority")?;
        let url = format!("postgres://{name}:{password}@{host}:5432/{name}?sslmode=verify-full");
        Ok(json!({ "username": name, "password": password, "host": host, "url": url, "ca.crt": ca }))
    }

    /// A number of Redis' databases that nobody else has.
    fn redis(&self) -> Result<String> {
        let number: u32 = services::redis(self.lab, &["INCR", "lab:databases"])?.parse().context("no number")?;
        ensure!(number < services::REDIS_DATABASES, "Redis has no database left: the lab was used too often");
        Ok(format!("redis://:{}@redis.lab:6379/{number}", self.lab.passwords()?.redis))
    }

    fn login(&self) -> Result<Value> {
        let config = self.docker_config()?;
        let mut secret = self.secret("registry-login", &json!({ ".dockerconfigjson": config.to_string() }));
        secret["type"] = "kubernetes.io/dockerconfigjson".into();
        Ok(secret)
    }

    /// The login to the registry, as Docker keeps it.
    fn docker_config(&self) -> Result<Value> {
        let auth = base64(format!("{}:{}", services::REGISTRY_USER, self.lab.passwords()?.registry).as_bytes());
        Ok(json!({ "auths": { (services::REGISTRY): { "auth": auth } } }))
    }

    fn certificate(&self) -> Result<Value> {
        let read = |file: &str| std::fs::read_to_string(self.lab.pki(file)).context("could not read the certificate");
        let pair = json!({ "tls.crt": read("ingress.crt")?, "tls.key": read("ingress.key")? });
        let mut secret = self.secret("godel-tls", &pair);
        secret["type"] = "kubernetes.io/tls".into();
        Ok(secret)
    }

    /// The values that the lab's values file leaves to each deployment.
    #[must_use]
    pub fn values(&self) -> Value {
        json!({
            "image": { "repository": self.image.repository, "digest": self.image.digest },
            "version": repo::VERSION,
            "imagePullSecrets": [{ "name": "registry-login" }],
            "database": { "ca": true },
            "ingress": { "host": self.host() },
        })
    }

    /// `helm`, told where the cluster and the namespace are.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn helm(&self, helm: Helm) -> Result<Command> {
        let mut command = sh::program(helm.program()?);
        // Its caches and settings are this lab's, not the user's.
        let home = self.lab.folder.join("helm");
        for folder in ["CACHE", "CONFIG", "DATA"] {
            command.env(format!("HELM_{folder}_HOME"), home.join(folder.to_lowercase()));
        }
        command.env("KUBECONFIG", self.lab.kubeconfig()).args(["--namespace", &self.namespace]);
        Ok(command)
    }

    /// `helm upgrade --install` with the lab's values, those of this deployment, and these over them. What Helm says is
    /// the caller's to judge.
    ///
    /// # Errors
    /// When Helm cannot be started.
    pub fn upgrade(&self, helm: Helm, values: &Value, arguments: &[&str]) -> Result<Output> {
        let mut command = self.helm(helm)?;
        let lab = Path::new(CHART).join("values-lab.yaml");
        command.args(["upgrade", "--install", RELEASE, CHART, "--values"]).arg(lab).args(["--values", "-"]);
        let mut own = self.values();
        merge(&mut own, values);
        sh::feed(command.args(arguments), &own.to_string())
    }

    /// Deploys it, or deploys it again, and waits until it answers outside the cluster.
    ///
    /// # Errors
    /// When Helm refuses, the pods do not get ready, or nobody answers.
    pub fn deploy(&self, values: &Value) -> Result<()> {
        let output = self.upgrade(Helm::Three, values, &[])?;
        ensure!(output.status.success(), "`helm upgrade`: {}", String::from_utf8_lossy(&output.stderr).trim());
        self.wait()
    }

    /// Waits until every pod is of the newest revision and ready, and the service answers through the ingress.
    ///
    /// # Errors
    /// When that does not come about; with what its pods say.
    pub fn wait(&self) -> Result<()> {
        // An autoscaler begins with one pod, and has its minimum a moment later.
        wait::until("the autoscaler to have its minimum", PATIENCE, || self.scaled())?;
        let patience = format!("--timeout={}s", PATIENCE.as_secs());
        let mut status = self.kubectl()?;
        sh::quietly(status.args(["rollout", "status", WORKLOAD, &patience])).with_context(|| self.pods())?;
        wait::until(&format!("`{}` to answer", self.url()), PATIENCE, || self.get("/api/health/ready"))?;
        Ok(())
    }

    fn scaled(&self) -> Result<()> {
        let of = |kind: &str| kubectl::get(self.lab, &["--namespace", &self.namespace, kind]);
        let scalers = of("horizontalpodautoscalers")?;
        let Some(least) = scalers["items"][0]["spec"]["minReplicas"].as_u64() else { return Ok(()) };
        let wanted = of(WORKLOAD)?["spec"]["replicas"].as_u64().unwrap_or_default();
        ensure!(wanted >= least, "{wanted} of at least {least} pods are wanted");
        Ok(())
    }

    /// What is to be seen of its pods, for an error.
    fn pods(&self) -> String {
        let say = |words: &[&str]| {
            let output = self.kubectl().and_then(|mut kubectl| Ok(kubectl.args(words).output()?));
            output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
        };
        let events =
            say(&["get", "events", "--field-selector=type=Warning", "--output=custom-columns=:.reason,:.message"]);
        format!("{}{events}{}", say(&["get", "pods"]), say(&["logs", WORKLOAD, "--tail=5"]))
    }

    /// `kubectl` in its namespace.
    ///
    /// # Errors
    /// When it cannot be built.
    pub fn kubectl(&self) -> Result<Command> {
        let mut command = kubectl(self.lab)?;
        command.args(["--namespace", &self.namespace]);
        Ok(command)
    }

    /// The name by which the ingress knows it.
    #[must_use]
    pub fn host(&self) -> String {
        format!("{}.lab.example", self.namespace)
    }

    /// Where users find it, if their names were the lab's.
    #[must_use]
    pub fn url(&self) -> String {
        format!("https://{}", self.host())
    }

    /// Where it is really reached, `127.0.0.1:PORT`.
    ///
    /// # Errors
    /// When the lab has no ingress.
    pub fn connect(&self) -> Result<String> {
        let port = forward::port(self.lab, "https").context("the lab has no ingress\n  hint: cargo xtask lab up")?;
        Ok(format!("127.0.0.1:{port}"))
    }

    /// What a gate has to be told to judge it: the address, the way to it, the cluster.
    ///
    /// # Errors
    /// When the lab has no ingress.
    pub fn target(&self) -> Result<Vec<OsString>> {
        self.target_as(&self.lab.kubeconfig())
    }

    /// The same, as whoever that kubeconfig says.
    ///
    /// # Errors
    /// When the lab has no ingress.
    pub fn target_as(&self, kubeconfig: &Path) -> Result<Vec<OsString>> {
        let mut words: Vec<OsString> = Vec::new();
        let mut add = |name: &str, value: OsString| words.extend([OsString::from(name), value]);
        add("--url", self.url().into());
        add("--connect", self.connect()?.into());
        add("--ca", self.lab.pki("ca.crt").into());
        add("--kubeconfig", kubeconfig.into());
        add("--namespace", self.namespace.clone().into());
        Ok(words)
    }

    /// What the verify gate has to be told beside [`Self::target`]: the ways to plain HTTP and to the stores, the image of the
    /// probe, and how this program, `xtask`, prints what etcd holds of a Secret.
    ///
    /// # Errors
    /// When the lab has no ingress or no stores.
    pub fn verify_target(&self, probe: &Pushed, xtask: &Path) -> Result<Vec<OsString>> {
        let ways = [("--http-connect", "http"), ("--database-connect", "postgres"), ("--redis-connect", "redis")];
        let mut words: Vec<OsString> = Vec::new();
        for (flag, service) in ways {
            let port = forward::port(self.lab, service)
                .with_context(|| format!("the lab has no {service}\n  hint: cargo xtask lab up"))?;
            words.extend([OsString::from(flag), format!("127.0.0.1:{port}").into()]);
        }
        words.extend(["--probe-image".into(), format!("{}@{}", probe.repository, probe.digest).into()]);
        // The gate hands its own environment on, which may not say where the cache is.
        let cache = format!("PRODTEST_CACHE={}", env::cache()?.display());
        let stored = format!("/registry/secrets/{{namespace}}/{KEYS}");
        let asked: [OsString; 8] = [
            "env".into(),
            cache.into(),
            xtask.into(),
            "lab".into(),
            "stored".into(),
            "--lab".into(),
            self.lab.name.clone().into(),
            stored.into(),
        ];
        words.extend(asked.into_iter().flat_map(|word| ["--at-rest-command".into(), word]));
        Ok(words)
    }

    /// Values with all that the verify gate asks for and the lab has off. An idle pod on a busy machine is not to scale.
    #[must_use]
    pub fn whole() -> Value {
        json!({
            "autoscaling": { "enabled": true, "minReplicas": 3, "maxReplicas": 5, "cpu": 2000, "memory": 300 },
            "resourceQuota": {
                "enabled": true,
                "hard": { "pods": 20, "requests.cpu": "2", "requests.memory": "2Gi", "limits.memory": "4Gi" },
            },
        })
    }

    /// What the deploy gate has to be told beside [`Self::target`]: the registry and the login to it, Helm, and the values
    /// that the gate does not set itself, with these over them.
    ///
    /// # Errors
    /// When Helm cannot be built, or the lab has no registry.
    pub fn deploy_target(&self, helm: Helm, values: &Value) -> Result<Vec<OsString>> {
        let folder = self.lab.folder.join("deploy").join(&self.namespace);
        let mut own = self.values();
        if let Some(own) = own.as_object_mut() {
            // The digest and the version are the gate's to set.
            own.retain(|key, _| key != "image" && key != "version");
        }
        merge(&mut own, values);
        let file = folder.join("values.yaml");
        files::write(&file, &serde_json::to_string_pretty(&own).context("could not write JSON")?, 0o600)?;
        let docker = folder.join("config.json");
        files::write_json(&docker, &self.docker_config()?)?;
        let port =
            forward::port(self.lab, "registry").context("the lab has no registry\n  hint: cargo xtask lab up")?;
        let mut words: Vec<OsString> = Vec::new();
        let mut add = |name: &str, value: OsString| words.extend([OsString::from(name), value]);
        add("--registry-connect", format!("127.0.0.1:{port}").into());
        add("--docker-config", docker.into());
        add("--helm", helm.program()?.into());
        add("--values", file.into());
        Ok(words)
    }

    /// What the precheck gate has to be told beside the kubeconfig: the namespace, the way to the registry and to the stores,
    /// Helm, and values as in [`Self::deploy_target`].
    ///
    /// # Errors
    /// When Helm cannot be built, or the lab has no registry or no stores.
    pub fn precheck_target(&self, helm: Helm, values: &Value) -> Result<Vec<OsString>> {
        let mut words = self.deploy_target(helm, values)?;
        // The pull secret of the namespace is the login that is asked about.
        let docker = words.iter().position(|word| word == "--docker-config").context("no login")?;
        words.drain(docker..docker + 2);
        let mut add = |name: &str, value: OsString| words.extend([OsString::from(name), value]);
        add("--namespace", self.namespace.clone().into());
        for (flag, service) in [("--database-connect", "postgres"), ("--redis-connect", "redis")] {
            let port = forward::port(self.lab, service).with_context(|| format!("the lab has no {service}"))?;
            add(flag, format!("127.0.0.1:{port}").into());
        }
        Ok(words)
    }

    /// Asks it through the ingress; the body of a success.
    ///
    /// # Errors
    /// For anything else.
    pub fn get(&self, path: &str) -> Result<String> {
        sh::quietly(&mut self.curl(path)?)
    }

    /// `curl` through the ingress, with the key of the first tenant.
    ///
    /// # Errors
    /// When the lab has no ingress.
    pub fn curl(&self, path: &str) -> Result<Command> {
        // In a file: arguments are everybody's to read, and are shown when it fails.
        let header = self.lab.folder.join("headers").join(&self.namespace);
        files::write(&header, &format!("X-API-Key: {}\n", self.keys.own), 0o600)?;
        let mut curl = sh::program("curl");
        curl.args(["--silent", "--show-error", "--fail-with-body", "--max-time", "5", "--cacert"])
            .arg(self.lab.pki("ca.crt"))
            .args(["--connect-to", &format!("::{}", self.connect()?)])
            .args(["--header", &format!("@{}", header.display())])
            .arg(format!("{}{path}", self.url()));
        Ok(curl)
    }

    /// Removes the namespace and the database. Does not wait for its pods.
    ///
    /// # Errors
    /// When the cluster or the database does not take it.
    pub fn remove(&self) -> Result<()> {
        sh::quietly(kubectl(self.lab)?.args(["delete", "namespace", &self.namespace, "--wait=false"]))?;
        self.remove_database()
    }

    fn remove_database(&self) -> Result<()> {
        let name = self.namespace.replace('-', "_");
        services::sql(self.lab, "postgres", &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"))?;
        services::sql(self.lab, "postgres", &format!("DROP ROLE IF EXISTS {name}"))?;
        Ok(())
    }
}

/// Lays values over others, as Helm does.
pub fn merge(under: &mut Value, over: &Value) {
    match (under, over) {
        (Value::Object(under), Value::Object(over)) => {
            for (key, value) in over {
                merge(under.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (under, over) => *under = over.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_laid_over_others_as_helm_does() {
        let mut under = json!({ "a": { "b": 1, "c": [1, 2] }, "d": 1 });
        merge(&mut under, &json!({ "a": { "c": [3], "e": {} }, "d": { "f": 1 } }));
        assert_eq!(under, json!({ "a": { "b": 1, "c": [3], "e": {} }, "d": { "f": 1 } }));
    }
}
