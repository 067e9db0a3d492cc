//! From configuration and flags to how a release is changed, and with what.

use std::{path::PathBuf, time::Duration};

use prodtest_cli::{ClusterTarget, Input, Refusal, ReleaseFlags};
use prodtest_config::{ConfigError, Environment, Image, Located, Period, SecretRef, Secrets, files};
use prodtest_gate::Rule;
use prodtest_http::ClientOptions;
use prodtest_image::{Login, Registry, RegistryOptions, Version, tag_of, version_of};
use prodtest_kube::{Access, Server};
use secrecy::ExposeSecret as _;

use super::{
    Means,
    plan::{ImagePlan, Places, Plan, ProbePlan, VersionAt, What},
    section::Section,
};
use crate::{apply, backup, helm, identity, journal, watch};

const ROLLOUT: Duration = Duration::from_secs(600);
const WAY_BACK: Duration = Duration::from_secs(300);
/// Helm's own default.
const HOOK: Duration = Duration::from_secs(300);
const RATE: u32 = 20;
const ANSWER: Duration = Duration::from_secs(2);
/// How long one question to the registry may take, its retries and all.
const REGISTRY: Duration = Duration::from_secs(10);

/// Which image is deployed, as flags say.
#[derive(Clone, Debug, Default)]
pub struct Deployed {
    /// The tag, instead of the configuration's and of what `git describe` says.
    pub tag: Option<String>,
    /// The digest.
    pub digest: Option<String>,
    /// Whether it is built and pushed first.
    pub build: bool,
    /// Whether the tag is left to the kubelet.
    pub no_pin: bool,
}

/// Lays today's limits over a plan.
#[must_use]
pub fn limited(plan: Plan, section: &Section) -> Plan {
    let or = |given: Option<Period>, otherwise: Duration| given.unwrap_or(Period(otherwise));
    Plan {
        timeout: or(section.timeout, ROLLOUT),
        rollback_timeout: or(section.rollback_timeout, WAY_BACK),
        hook_timeout: or(section.hook_timeout, HOOK),
        patience: section.patience.clone(),
        probe: plan.probe.map(|probe| ProbePlan {
            max_failed: section.probe.max_failed.unwrap_or(0),
            max_gap: section.probe.max_gap,
            ..probe
        }),
        ..plan
    }
}

/// How the release of this environment is changed. `deployed`: the image, where a new version is put in; then there must
/// be a chart or manifests.
///
/// # Errors
/// When a name that is needed is missing, or flags and configuration do not go together.
pub fn plan<F>(
    input: &Input<'_, F>,
    flags: &ReleaseFlags,
    section: &Section,
    deployed: Option<&Deployed>,
) -> Result<Plan, Refusal> {
    let environment = &input.config.environment;
    let cluster = ClusterTarget::new(&flags.cluster, None, environment);
    let release = cluster.release(flags.release.as_ref(), input.config)?;
    let what = match deployed {
        Some(_) => Some(what(input, flags)?),
        // Whatever the files are by now, the way that they went tells the way back.
        None => what(input, flags).ok(),
    };
    let image = deployed.map(|deployed| image(input, flags, deployed)).transpose()?.flatten();
    let version = input
        .common
        .expect_version
        .clone()
        // Who names a tag deploys that one, whatever the configuration says is there.
        .or_else(|| deployed.and_then(|deployed| deployed.tag.clone()))
        .or_else(|| environment.version.as_ref().map(|version| version.value.clone()))
        .or_else(|| image.as_ref().and_then(|image| image.tag.clone()));
    if let Some(folder) = &flags.backup_dir {
        refuse_uploaded(folder, &input.common.out)?;
    }
    Ok(Plan {
        cluster,
        release,
        what,
        image,
        version,
        on_failure: section.on_failure.unwrap_or_default(),
        backup_dir: flags.backup_dir.clone(),
        helm: flags.helm.clone().or_else(|| section.helm.as_ref().map(|helm| helm.value.0.clone())),
        values_mode: section.values_mode.unwrap_or_default(),
        migrations: section.migrations.as_ref().map(|folder| folder.value.0.clone()),
        timeout: Period::default(),
        rollback_timeout: Period::default(),
        hook_timeout: Period::default(),
        patience: section.patience.clone(),
        probe: probe(input, flags, section)?,
        version_at: section
            .identity
            .as_ref()
            .map(|identity| VersionAt { path: identity.path.clone(), field: identity.field.clone() }),
        places: places(environment),
    })
}

/// The live means, with secrets resolved. `gate`: who asks the service. Nothing is connected yet.
///
/// # Errors
/// When a secret is missing, or a file cannot be read.
pub fn means<F>(plan: &Plan, input: &Input<'_, F>, flags: &ReleaseFlags, gate: &str) -> Result<Means, Refusal> {
    let variable = input.variable.clone();
    let mut secrets = Secrets::new(move |name| variable(name));
    let registry = plan.image.as_ref().filter(|image| image.pin);
    let registry = registry.map(|image| self::registry(image, &mut secrets, input)).transpose()?;
    let service = plan.probe.as_ref().map(|probe| {
        Ok::<_, Refusal>(ClientOptions {
            connect: probe.connect.clone(),
            ca: probe.ca.as_ref().map(read).transpose()?,
            user_agent: format!("prodtest-{gate}/{}", env!("CARGO_PKG_VERSION")),
        })
    });
    let service = service.transpose()?;
    let access = Access { kubeconfig: plan.cluster.kubeconfig.clone(), context: plan.cluster.context.clone() };
    let server =
        Server::find(&access).map_err(|error| error.explained(input.config, flags.cluster.context.is_some()))?;
    let seen_at = ["CI_JOB_URL", "GITHUB_RUN_ID"].into_iter().find_map(|name| (input.variable)(name));
    Ok(Means { server, registry, service, secrets, seen_at })
}

/// What one must be allowed to do to change a release so.
#[must_use]
pub fn rules(plan: &Plan) -> Vec<Rule> {
    let (namespace, release) = (plan.namespace(), plan.release.as_str());
    let mut rules = watch::rules(namespace);
    rules.extend(helm::change_rules(namespace));
    rules.extend(journal::rules(namespace, release));
    rules.extend(apply::rules(namespace, matches!(plan.what, Some(What::Manifests(_)))));
    rules.extend(backup::rules(namespace));
    rules.extend(identity::rules(namespace));
    rules.push(Rule::new("", "", &["nodes"], &["list"]));
    rules
}

fn read(path: &PathBuf) -> Result<Vec<u8>, Refusal> {
    std::fs::read(path).map_err(|error| Refusal::usage(format!("`{}` could not be read: {error}", path.display())))
}

/// Backups hold Secrets, and reports are uploaded.
fn refuse_uploaded(folder: &std::path::Path, out: &std::path::Path) -> Result<(), Refusal> {
    let whole = |path: &std::path::Path| std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    if whole(folder).starts_with(whole(out)) {
        let message =
            format!("`--backup-dir {}` is in the folder of the reports, which gets uploaded", folder.display());
        return Err(Refusal::usage_with_hint(message, "a backup holds Secrets: name a folder outside of it"));
    }
    Ok(())
}

fn what<F>(input: &Input<'_, F>, flags: &ReleaseFlags) -> Result<What, Refusal> {
    let environment = &input.config.environment;
    let of = |files: &[Located<prodtest_config::FilePath>]| -> Vec<PathBuf> {
        files.iter().map(|file| file.value.0.clone()).collect()
    };
    match (&environment.chart, environment.manifests.as_slice()) {
        (Some(chart), []) => {
            let values = of(&chart.values).into_iter().chain(flags.values.iter().cloned()).collect();
            Ok(What::Chart { path: chart.path.value.0.clone(), values })
        }
        (None, manifests @ [_, ..]) if flags.values.is_empty() => {
            files(manifests).map(What::Manifests).map_err(|error| input.config.explain(error).into())
        }
        (None, [_, ..]) => {
            Err(Refusal::usage_with_hint("`--values` goes with a chart, and not with manifests", "leave it out"))
        }
        (Some(_), [_, ..]) => {
            let message = format!("the environment `{}` has both a chart and manifests", input.config.environment_name);
            Err(Refusal::usage_with_hint(message, "leave one of them out"))
        }
        (None, []) => {
            let message = format!("the environment `{}` has nothing to deploy", input.config.environment_name);
            Err(Refusal::usage_with_hint(message, "add `chart: { path: …, values: […] }` or `manifests: […]` to it"))
        }
    }
}

/// The image that is deployed, or whose registry is asked; none where the configuration names none.
///
/// # Errors
/// When flags and configuration do not go together.
pub fn image<F>(input: &Input<'_, F>, flags: &ReleaseFlags, deployed: &Deployed) -> Result<Option<ImagePlan>, Refusal> {
    let Some(image) = &input.config.environment.image else {
        let Deployed { tag, digest, build, no_pin } = deployed;
        if tag.is_some() || digest.is_some() || *build || *no_pin || flags.repository.is_some() {
            let hint = "add `image: { repository: …, values-key: image.digest }`";
            return Err(Refusal::usage_with_hint("the configuration names no image", hint));
        }
        return Ok(None);
    };
    let key = |key: &Option<Located<prodtest_config::ValuesKey>>| key.as_ref().map(|key| key.value.to_string());
    let (digest_key, tag_key) = (key(&image.values_key), key(&image.tag_key));
    let is_chart = input.config.environment.chart.is_some();
    if is_chart && !deployed.no_pin && digest_key.is_none() {
        let hint = "add `values-key: image.digest` to `image`, or pass `--no-pin`";
        return Err(Refusal::usage_with_hint("nothing says which value of the chart takes the digest", hint));
    }
    let mut dirty = false;
    let tag = match (&deployed.tag, &image.tag, &deployed.digest) {
        (Some(tag), _, _) => Some(tag.clone()),
        (None, _, Some(_)) => None,
        (None, Some(tag), None) => Some(tag.value.clone()),
        // What the chart and its values say is left alone.
        (None, None, None) if deployed.no_pin => None,
        (None, None, None) => {
            let version = described(input)?;
            dirty = version.dirty;
            Some(tag_of(&version.described).map_err(|error| Refusal::usage(error.to_string()))?)
        }
    };
    if is_chart && deployed.no_pin && deployed.tag.is_some() && tag_key.is_none() {
        let hint = "add `tag-key: image.tag` to `image`";
        return Err(Refusal::usage_with_hint("nothing says which value of the chart takes the tag", hint));
    }
    Ok(Some(ImagePlan {
        repository: flags.repository.clone().unwrap_or_else(|| image.repository.value.clone()),
        tag,
        digest: deployed.digest.clone(),
        pin: !deployed.no_pin,
        dirty,
        build: if deployed.build { Some(build(image)?) } else { None },
        repository_key: key(&image.repository_key),
        digest_key,
        tag_key,
        version_key: key(&image.version_key),
        connect: flags
            .registry_connect
            .as_ref()
            .or(image.connect.as_ref().map(|connect| &connect.value))
            .map(|connect| (connect.host.clone(), connect.port)),
        ca: image.ca.as_ref().map(|ca| ca.value.0.clone()),
        plain_http: image.plain_http,
        platforms: image.platforms.clone(),
        login: image.login.as_ref().map(|login| (login.user.clone(), login.password.clone())),
        docker_config: flags
            .docker_config
            .clone()
            .or_else(|| image.docker_config.as_ref().map(|file| file.value.0.clone()))
            .or_else(|| docker_config(input)),
    }))
}

/// Where Docker keeps its logins, if there is such a file.
fn docker_config<F>(input: &Input<'_, F>) -> Option<PathBuf> {
    let folder = (input.variable)("DOCKER_CONFIG").map(PathBuf::from);
    let file = folder.or_else(|| Some(PathBuf::from((input.variable)("HOME")?).join(".docker")))?.join("config.json");
    file.exists().then_some(file)
}

fn described<F>(input: &Input<'_, F>) -> Result<Version, Refusal> {
    let folder = if input.config.folder.as_os_str().is_empty() { ".".into() } else { input.config.folder.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Refusal::usage(format!("this machine cannot run `git`: {error}")))?;
    runtime.block_on(version_of(&folder)).map_err(|error| {
        let hint = format!("{}; or name the version by `--tag`", error.hint());
        Refusal::usage_with_hint(error.to_string(), hint)
    })
}

fn build(image: &Image) -> Result<(PathBuf, Option<PathBuf>), Refusal> {
    let Some(folder) = &image.build else {
        let hint = "add `build: .` to `image`";
        return Err(Refusal::usage_with_hint("`--build`, and nothing says what the image is built from", hint));
    };
    Ok((folder.value.0.clone(), image.dockerfile.as_ref().map(|file| file.value.0.clone())))
}

fn probe<F>(input: &Input<'_, F>, flags: &ReleaseFlags, section: &Section) -> Result<Option<ProbePlan>, Refusal> {
    let (environment, probe) = (&input.config.environment, &section.probe);
    let Some(url) = flags.url.clone().or_else(|| environment.url.as_ref().map(|url| url.value.clone())) else {
        return Ok(None);
    };
    let rate = probe.rate.unwrap_or(RATE);
    if rate == 0 {
        return Err(Refusal::usage("`deploy.probe.rate` is 0: a probe that sends nothing sees nothing"));
    }
    let connect = flags.connect.as_ref().or(environment.connect.as_ref().map(|connect| &connect.value));
    Ok(Some(ProbePlan {
        url,
        path: probe.path.clone().unwrap_or_else(|| "/".to_owned()),
        connect: connect.map(|connect| (connect.host.clone(), connect.port)),
        ca: flags.ca.clone().or_else(|| environment.tls.ca.as_ref().map(|ca| ca.value.0.clone())),
        rate,
        status: probe.status.unwrap_or(200),
        timeout: probe.timeout.unwrap_or(Period(ANSWER)),
        max_failed: 0,
        max_gap: None,
    }))
}

fn places(environment: &Environment) -> Places {
    Places {
        image: environment.image.as_ref().map(|image| image.repository.place.clone()),
        chart: environment
            .chart
            .as_ref()
            .map(|chart| chart.path.place.clone())
            .or_else(|| environment.manifests.first().map(|manifest| manifest.place.clone())),
        namespace: environment.kubernetes.as_ref().map(|cluster| cluster.namespace.place.clone()),
        url: environment.url.as_ref().map(|url| url.place.clone()),
    }
}

/// A client of the registry that has this image.
///
/// # Errors
/// When a secret is missing, or a file cannot be read.
pub fn registry<F>(image: &ImagePlan, secrets: &mut Secrets, input: &Input<'_, F>) -> Result<Registry, Refusal> {
    let login = match (&image.login, &image.docker_config) {
        (Some((user, password)), _) => {
            for reference in [user, password] {
                if matches!(reference.value, SecretRef::Kubernetes(_)) {
                    let error = ConfigError::new("the registry's login cannot be in the cluster")
                        .at(reference.place.clone())
                        .with_hint("give it by `env` or `file`, or by Docker's configuration");
                    return Err(input.config.explain(error).into());
                }
            }
            let mut get = |reference| secrets.resolve(reference).map_err(|error| input.config.explain(error));
            let user = get(user)?.expose_secret().to_owned();
            Some(Login::Password { user, password: get(password)? })
        }
        (None, Some(path)) => {
            let text = String::from_utf8_lossy(&read(path)?).into_owned();
            let reference = image.repository.parse().map_err(|error| Refusal::usage(format!("{error}")))?;
            Login::of_docker_config(&text, &reference)
                .map_err(|error| Refusal::usage_with_hint(format!("`{}`: {error}", path.display()), error.hint()))?
        }
        (None, None) => None,
    };
    let options = RegistryOptions {
        plain_http: image.plain_http,
        connect: image.connect.clone(),
        ca: image.ca.as_ref().map(read).transpose()?,
        login,
        patience: REGISTRY,
    };
    Registry::new(options).map_err(|error| Refusal::usage(error.to_string()))
}
