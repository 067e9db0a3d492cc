//! From configuration and flags to a plan.

use std::{path::PathBuf, time::Duration};

use prodtest_cli::{ClusterTarget, Input, Refusal};
use prodtest_config::{Environment, Image, Located, Period, files};
use prodtest_image::{Version, tag_of, version_of};
use serde::Deserialize;

use crate::{
    checks,
    flags::{Flags, Verb},
    plan::{Action, ImagePlan, Places, Plan, ProbePlan, VersionAt, What},
    section::Section,
};

const ROLLOUT: Duration = Duration::from_secs(600);
const WAY_BACK: Duration = Duration::from_secs(300);
/// Helm's own default.
const HOOK: Duration = Duration::from_secs(300);
const RATE: u32 = 20;
const ANSWER: Duration = Duration::from_secs(2);

/// The plan, as flags and configuration have it; of a recorded run, as it was, under today's limits.
pub(crate) fn plan(input: &Input<'_, Flags>) -> Result<Plan, Refusal> {
    let section: Section = input.config.section.read()?;
    let fresh = match input.recorded {
        Some(recorded) => Plan::deserialize(recorded)
            .map_err(|error| Refusal::usage(format!("the record's plan cannot be read by this version: {error}")))?,
        None => fresh(input, &section)?,
    };
    Ok(limited(fresh, input, &section))
}

/// Lays today's limits over a plan.
fn limited(plan: Plan, input: &Input<'_, Flags>, section: &Section) -> Plan {
    let or = |given: Option<Period>, otherwise: Duration| given.unwrap_or(Period(otherwise));
    let mut left_out = plan.left_out;
    for name in checks::NAMES {
        let id = checks::id(name);
        if let (false, Some(why)) =
            (left_out.iter().any(|(known, _)| known == name), input.selection.left_out(&id, &[]))
        {
            left_out.push((name.to_owned(), why));
        }
    }
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
        left_out,
        ..plan
    }
}

fn fresh(input: &Input<'_, Flags>, section: &Section) -> Result<Plan, Refusal> {
    let (environment, flags) = (&input.config.environment, input.flags);
    let cluster = ClusterTarget::new(&flags.cluster, None, environment);
    let name = &input.config.environment_name;
    let release = cluster.release(flags.release.as_ref(), input.config)?;
    let change = &flags.change;
    let action = match flags.action {
        Some(Verb::Restore) if change.recover || change.dry_run => {
            return Err(Refusal::usage("`restore` goes with neither `--recover` nor `--dry-run`"));
        }
        Some(Verb::Restore) => Action::Restore(flags.backup.clone()),
        None if change.recover && change.dry_run => {
            return Err(Refusal::usage("`--recover` does not go with `--dry-run`"));
        }
        None if change.recover => Action::Recover,
        None if change.dry_run => Action::DryRun,
        None => Action::Deploy,
    };
    let deploys = matches!(action, Action::Deploy | Action::DryRun);
    let what = match action {
        Action::Deploy | Action::DryRun => Some(what(input)?),
        // Whatever the files are by now, the way that they went tells the way back.
        Action::Recover => what(input).ok(),
        Action::Restore(_) => None,
    };
    let image = if deploys { image(input)? } else { None };
    let tag = image.as_ref().and_then(|image| image.tag.clone());
    let version = input
        .common
        .expect_version
        .clone()
        // Who names a tag deploys that one, whatever the configuration says is there.
        .or_else(|| flags.tag.clone())
        .or_else(|| environment.version.as_ref().map(|version| version.value.clone()))
        .or_else(|| tag.clone());
    if !matches!(action, Action::Recover) {
        let digest = image.as_ref().and_then(|image| image.digest.clone());
        let confirmed = version.clone().or(digest).unwrap_or_else(|| release.to_string());
        change.refuse_unconfirmed(name, environment, &confirmed)?;
    }
    if let Some(folder) = &flags.backup_dir {
        refuse_uploaded(folder, &input.common.out)?;
    }
    Ok(Plan {
        action,
        cluster,
        release,
        what,
        image,
        version,
        on_failure: flags.on_failure.or(section.on_failure).unwrap_or_default(),
        backup_dir: flags.backup_dir.clone(),
        helm: flags.helm.clone().or_else(|| section.helm.as_ref().map(|helm| helm.value.0.clone())),
        values_mode: section.values_mode.unwrap_or_default(),
        timeout: Period::default(),
        rollback_timeout: Period::default(),
        hook_timeout: Period::default(),
        patience: section.patience.clone(),
        probe: probe(input, section)?,
        version_at: section
            .identity
            .as_ref()
            .map(|identity| VersionAt { path: identity.path.clone(), field: identity.field.clone() }),
        left_out: Vec::new(),
        places: places(environment),
    })
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

fn what(input: &Input<'_, Flags>) -> Result<What, Refusal> {
    let environment = &input.config.environment;
    let of = |files: &[Located<prodtest_config::FilePath>]| -> Vec<PathBuf> {
        files.iter().map(|file| file.value.0.clone()).collect()
    };
    match (&environment.chart, environment.manifests.as_slice()) {
        (Some(chart), []) => {
            let values = of(&chart.values).into_iter().chain(input.flags.values.iter().cloned()).collect();
            Ok(What::Chart { path: chart.path.value.0.clone(), values })
        }
        (None, manifests @ [_, ..]) if input.flags.values.is_empty() => {
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

fn image(input: &Input<'_, Flags>) -> Result<Option<ImagePlan>, Refusal> {
    let flags = input.flags;
    let Some(image) = &input.config.environment.image else {
        if flags.tag.is_some() || flags.digest.is_some() || flags.build || flags.no_pin || flags.repository.is_some() {
            let hint = "add `image: { repository: …, values-key: image.digest }`";
            return Err(Refusal::usage_with_hint("the configuration names no image", hint));
        }
        return Ok(None);
    };
    let key = |key: &Option<Located<prodtest_config::ValuesKey>>| key.as_ref().map(|key| key.value.to_string());
    let (digest_key, tag_key) = (key(&image.values_key), key(&image.tag_key));
    let is_chart = input.config.environment.chart.is_some();
    if is_chart && !flags.no_pin && digest_key.is_none() {
        let hint = "add `values-key: image.digest` to `image`, or pass `--no-pin`";
        return Err(Refusal::usage_with_hint("nothing says which value of the chart takes the digest", hint));
    }
    let mut dirty = false;
    let tag = match (&flags.tag, &image.tag, &flags.digest) {
        (Some(tag), _, _) => Some(tag.clone()),
        (None, _, Some(_)) => None,
        (None, Some(tag), None) => Some(tag.value.clone()),
        // What the chart and its values say is left alone.
        (None, None, None) if flags.no_pin => None,
        (None, None, None) => {
            let version = described(input)?;
            dirty = version.dirty;
            Some(tag_of(&version.described).map_err(|error| Refusal::usage(error.to_string()))?)
        }
    };
    if is_chart && flags.no_pin && flags.tag.is_some() && tag_key.is_none() {
        let hint = "add `tag-key: image.tag` to `image`";
        return Err(Refusal::usage_with_hint("nothing says which value of the chart takes the tag", hint));
    }
    Ok(Some(ImagePlan {
        repository: flags.repository.clone().unwrap_or_else(|| image.repository.value.clone()),
        tag,
        digest: flags.digest.clone(),
        pin: !flags.no_pin,
        dirty,
        build: build(input, image)?,
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
fn docker_config(input: &Input<'_, Flags>) -> Option<PathBuf> {
    let folder = (input.variable)("DOCKER_CONFIG").map(PathBuf::from);
    let file = folder.or_else(|| Some(PathBuf::from((input.variable)("HOME")?).join(".docker")))?.join("config.json");
    file.exists().then_some(file)
}

fn described(input: &Input<'_, Flags>) -> Result<Version, Refusal> {
    let folder = if input.config.folder.as_os_str().is_empty() { ".".into() } else { input.config.folder.clone() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Refusal::usage(format!("this machine cannot run `git`: {error}")))?;
    runtime.block_on(version_of(&folder)).map_err(|error| {
        let hint = format!("{}; or name the version by `--tag`", error.hint());
        Refusal::usage_with_hint(error.to_string(), hint)
    })
}

fn build(input: &Input<'_, Flags>, image: &Image) -> Result<Option<(PathBuf, Option<PathBuf>)>, Refusal> {
    if !input.flags.build {
        return Ok(None);
    }
    let Some(folder) = &image.build else {
        let hint = "add `build: .` to `image`";
        return Err(Refusal::usage_with_hint("`--build`, and nothing says what the image is built from", hint));
    };
    Ok(Some((folder.value.0.clone(), image.dockerfile.as_ref().map(|file| file.value.0.clone()))))
}

fn probe(input: &Input<'_, Flags>, section: &Section) -> Result<Option<ProbePlan>, Refusal> {
    let (environment, flags, probe) = (&input.config.environment, input.flags, &section.probe);
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
