//! The deploy gate: its plan, its steps and its command line.

use std::time::Duration;

use prodtest_cli::{CommandLine, Input, Refusal};
use prodtest_config::{ConfigError, SecretRef, Secrets};
use prodtest_gate::{Check, Control, Figure, Gate, Judged, Listing, Quantity, Rule, Run};
use prodtest_http::ClientOptions;
use prodtest_image::{Login, Registry, RegistryOptions};
use prodtest_kube::{Access, Server};
use prodtest_rollout::{apply, backup, helm, identity, journal, watch};
use secrecy::ExposeSecret;

use crate::{
    checks, controls,
    facts::Facts,
    flags::Flags,
    observe::{self, Means},
    plan::{ImagePlan, Plan, What},
    resolve,
    section::Section,
};

/// How long one question to the registry may take, its retries and all.
const REGISTRY: Duration = Duration::from_secs(10);

/// The deploy gate.
pub(crate) struct Deploy;

impl Gate for Deploy {
    const NAME: &'static str = "deploy";
    const QUESTION: &'static str = "Did this version land, and did no user notice?";

    type Plan = Plan;
    type Facts = Facts;
    type Means = Means;

    fn checks(plan: &Plan, facts: Option<&Facts>) -> Vec<Check> {
        checks::declared(plan, facts)
    }

    async fn observe(plan: &Plan, means: &Means, run: &Run) -> Facts {
        observe::observe(plan, means, run).await
    }

    fn judge(plan: &Plan, facts: &Facts) -> Vec<Judged> {
        checks::judge(plan, facts)
    }

    fn controls(plan: &Plan, facts: &Facts) -> Vec<Control> {
        controls::controls(plan, facts)
    }

    fn digest(_plan: &Plan, facts: &Facts) -> Option<String> {
        let resolved = facts.image.as_ref()?.registry.as_ref()?.resolved.as_ref()?;
        Some(resolved.digest.to_string())
    }

    fn remarks(_plan: &Plan, facts: &Facts) -> Vec<String> {
        let nothing = facts.diff.iter().filter(|diff| diff.is_empty()).map(|_| "nothing would be changed".to_owned());
        nothing.chain(facts.remarks.iter().cloned()).collect()
    }

    fn listings(_plan: &Plan, facts: &Facts) -> Vec<Listing> {
        let title = || "what would be changed".to_owned();
        let diff = facts.diff.iter().filter(|diff| !diff.is_empty());
        diff.map(|diff| Listing { title: title(), text: diff.clone() }).collect()
    }

    fn figures(plan: &Plan, facts: &Facts) -> Vec<Figure> {
        let mut figures = Vec::new();
        let mut figure = |name: &str, value| figures.push(Figure { name: name.to_owned(), value });
        if let Some(revision) = facts.upgrade.as_ref().and_then(|upgrade| upgrade.revision) {
            figure("revision", Quantity::count(revision));
        }
        if facts.rollout.is_some() {
            figure("rollout", Quantity::milliseconds(checks::rollout::judge(plan, facts).duration_ms));
        }
        if let Some(probe) = &facts.probe {
            let failed = u32::try_from(probe.after.failed).unwrap_or(u32::MAX);
            figure("failed-requests", Quantity::count(failed));
        }
        figures
    }
}

impl CommandLine for Deploy {
    const ABOUT: &'static str = "\
Deploys a Helm chart, or plain manifests by server-side apply, with the digest that the registry has for a tag, and \
watches the rollout as the cluster and as users see it: what is doomed is called at the first evidence that leaves no \
doubt, with the reason and the line that it comes from; what was served is probed throughout. A release that did not \
land goes back to the revision that was good; one of manifests, to what the backup has. What is no longer in the \
manifests stays in the cluster: it is not pruned. Killed half way, the next run, or `--recover`, puts things in order.";
    const EXAMPLES: &'static str = "\
  # deploy version 1.4.2 to `staging` of ./prodtest.yaml
  prodtest-deploy --env staging --tag 1.4.2

  # what would be changed?
  prodtest-deploy --env staging --tag 1.4.2 --dry-run

  # production is protected
  prodtest-deploy --env production --tag 1.4.2 --confirm 1.4.2

  # in a step that always runs: put back what a killed job has left half way
  prodtest-deploy --env staging --recover

  # put the objects of the newest backup back
  prodtest-deploy restore --env staging";
    const OUTPUTS: &'static [(&'static str, &'static str)] = &[
        ("revision", "The revision of the release that was made."),
        ("rollout", "The time from the start of Helm to the verdict on the rollout, in milliseconds."),
        ("failed-requests", "The requests of the probe that failed during the rollout."),
    ];

    type Flags = Flags;
    type Section = Section;

    fn plan(input: &Input<'_, Flags>) -> Result<Plan, Refusal> {
        resolve::plan(input)
    }

    fn means(plan: &Plan, input: &Input<'_, Flags>) -> Result<Means, Refusal> {
        let variable = input.variable.clone();
        let mut secrets = Secrets::new(move |name| variable(name));
        let registry = plan.image.as_ref().filter(|image| image.pin);
        let registry = registry.map(|image| registry_of(image, &mut secrets, input)).transpose()?;
        let service = plan.probe.as_ref().map(|probe| {
            Ok::<_, Refusal>(ClientOptions {
                connect: probe.connect.clone(),
                ca: probe.ca.as_ref().map(read).transpose()?,
                user_agent: format!("prodtest-deploy/{}", env!("CARGO_PKG_VERSION")),
            })
        });
        let service = service.transpose()?;
        let access = Access { kubeconfig: plan.cluster.kubeconfig.clone(), context: plan.cluster.context.clone() };
        let server = Server::find(&access)
            .map_err(|error| error.explained(input.config, input.flags.cluster.context.is_some()))?;
        let seen_at = ["CI_JOB_URL", "GITHUB_RUN_ID"].into_iter().find_map(|name| (input.variable)(name));
        Ok(Means { server, registry, service, secrets, seen_at })
    }

    fn rbac(plan: &Plan) -> Vec<Rule> {
        let (namespace, release) = (plan.namespace(), plan.release.as_str());
        let mut rules = watch::rules(namespace);
        rules.extend(helm::rules(namespace));
        rules.extend(journal::rules(namespace, release));
        rules.extend(apply::rules(namespace, matches!(plan.what, Some(What::Manifests(_)))));
        rules.extend(backup::rules(namespace));
        rules.extend(identity::rules(namespace));
        rules.push(Rule::new("", "", &["nodes"], &["list"]));
        rules
    }

    fn secrets(means: &Means) -> Vec<&str> {
        means.secrets.values().collect()
    }

    fn timeout(input: &Input<'_, Flags>) -> Result<Duration, Refusal> {
        Ok(resolve::plan(input)?.whole())
    }
}

fn read(path: &std::path::PathBuf) -> Result<Vec<u8>, Refusal> {
    std::fs::read(path).map_err(|error| Refusal::usage(format!("`{}` could not be read: {error}", path.display())))
}

fn registry_of(image: &ImagePlan, secrets: &mut Secrets, input: &Input<'_, Flags>) -> Result<Registry, Refusal> {
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
