//! The smoke gate: its plan, its steps and its command line.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use prodtest_cli::{ClusterFlags, ClusterTarget, CommandLine, Input, Refusal};
use prodtest_config::{BaseUrl, ConfigError, HostPort, Located, SecretRef, Secrets};
use prodtest_gate::{Check, Control, Figure, Gate, Judged, Quantity, Rule, Run};
use prodtest_http::{Client, ClientOptions};
use serde::Deserialize;

use crate::{
    control,
    facts::Facts,
    judge, load,
    observe::{self, Means},
    plan::{self, Asker, Plan, Planned},
    scenario::Scenario,
    secrets::FromCluster,
    section::Section,
    suite,
};

/// How long the gate may take when nobody says.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The smoke gate.
pub(crate) struct Smoke;

/// Its own flags.
#[derive(Args, Clone, Debug)]
pub(crate) struct Flags {
    /// Where the service is, instead of the environment's `url`
    #[arg(long, value_name = "URL", help_heading = "Target")]
    url: Option<BaseUrl>,
    /// Connect there, whatever the address says, as curl's `--connect-to`; instead of the environment's `connect`
    #[arg(long, value_name = "HOST:PORT", help_heading = "Target")]
    connect: Option<HostPort>,
    /// The certificate authority to trust (PEM), instead of the environment's `tls.ca`
    #[arg(long, value_name = "FILE", help_heading = "Target")]
    ca: Option<PathBuf>,
    #[command(flatten)]
    cluster: ClusterFlags,
    /// A further file of scenarios; repeat for more
    #[arg(long, value_name = "FILE", help_heading = "Checks")]
    scenario: Vec<PathBuf>,
}

impl Gate for Smoke {
    const NAME: &'static str = "smoke";
    const QUESTION: &'static str = "Does it do its job for a user?";

    type Plan = Plan;
    type Facts = Facts;
    type Means = Means;

    fn checks(plan: &Plan, facts: Option<&Facts>) -> Vec<Check> {
        plan.checks(facts)
    }

    async fn observe(plan: &Plan, means: &Means, run: &Run) -> Facts {
        observe::observe(plan, means, run).await
    }

    fn judge(plan: &Plan, facts: &Facts) -> Vec<Judged> {
        let answered = facts.answered();
        let included = plan.scenarios.iter().filter(|planned| planned.left_out.is_none());
        let scenarios = included.map(|planned| judge::scenario(plan, &planned.part.value, facts, answered));
        let suites = plan.suites.iter().filter(|planned| planned.left_out.is_none());
        scenarios.chain(suites.flat_map(|planned| suite::judge(&planned.part, facts))).collect()
    }

    fn misconfigured(plan: &Plan, facts: &Facts) -> Option<String> {
        suite::collision(plan, facts)
    }

    fn controls(_plan: &Plan, facts: &Facts) -> Vec<Control> {
        control::judge(facts)
    }

    fn figures(_plan: &Plan, facts: &Facts) -> Vec<Figure> {
        let exchanges = facts.scenarios.iter().flat_map(|scenario| &scenario.steps).flat_map(|step| {
            let bursts = step.burst.iter().flatten().map(|sample| sample.duration_ms);
            step.attempts.iter().map(|attempt| attempt.exchange.duration_ms).chain(bursts)
        });
        let slowest = exchanges.fold(0.0, f64::max);
        vec![Figure { name: "slowest".to_owned(), value: Quantity::milliseconds(slowest) }]
    }
}

impl CommandLine for Smoke {
    const ABOUT: &'static str = "\
Runs scenarios against the service as a user would (requests, what must come of them, and cleaning up), and takes in \
the JUnit reports of your own test suites. Each scenario and each case is one check. The scenarios are YAML; their \
schema, and Godel's as a worked example, come with prodtest.";
    const EXAMPLES: &'static str = "\
  # judge the environment `staging` of ./prodtest.yaml
  prodtest-smoke --env staging --expect-version 1.4.2

  # one check, against another address
  prodtest-smoke --env staging --url http://127.0.0.1:8080 --only health

  # why was that run red? judge it again, offline
  prodtest-smoke --replay prodtest-results/smoke.run.json";
    const OUTPUTS: &'static [(&'static str, &'static str)] =
        &[("slowest", "The time of the slowest request, in milliseconds.")];

    type Flags = Flags;
    type Section = Section;

    fn plan(input: &Input<'_, Flags>) -> Result<Plan, Refusal> {
        let environment = &input.config.environment;
        let section: Section = input.config.section.read()?;
        let recorded = recorded(input)?;
        let recorded = recorded.as_ref();
        let url = match (&input.flags.url, recorded, &environment.url) {
            (Some(url), _, _) => url.clone(),
            (None, Some(plan), _) => plan.url.clone(),
            (None, None, Some(url)) => url.value.clone(),
            (None, None, None) => {
                let message = format!("the environment `{}` has no `url`", input.config.environment_name);
                return Err(Refusal::usage_with_hint(message, "add `url: https://…` to it, or pass `--url`"));
            }
        };
        let cluster = ClusterTarget::new(&input.flags.cluster, recorded.map(|plan| &plan.cluster), environment);
        let mut scenarios = load::scenarios(&section.scenarios, &input.flags.scenario, environment)?;
        load::place_secrets(&mut scenarios, cluster.namespace.as_deref())?;
        if scenarios.is_empty() && section.suites.is_empty() {
            let message = "there is nothing to check: no scenarios and no suites";
            let hint = "add `smoke: { scenarios: [scenarios/*.yaml] }`, or pass `--scenario FILE`";
            return Err(Refusal::usage_with_hint(message, hint));
        }
        load::suites(&section.suites, &scenarios).map_err(|error| input.config.explain(error))?;
        let mut plan = Plan {
            folder: input.config.folder.clone(),
            connect: match (&input.flags.connect, recorded) {
                (None, Some(plan)) => plan.connect.clone(),
                (flag, _) => flag
                    .as_ref()
                    .or_else(|| environment.connect.as_ref().map(|connect| &connect.value))
                    .map(|connect| (connect.host.clone(), connect.port)),
            },
            ca: input.flags.ca.clone().or_else(|| match recorded {
                Some(plan) => plan.ca.clone(),
                None => environment.tls.ca.as_ref().map(|ca| ca.value.0.clone()),
            }),
            min_days: environment.tls.min_days,
            // What was deployed is no limit: it is as it was.
            expected_version: input
                .common
                .expect_version
                .clone()
                .or_else(|| recorded.and_then(|plan| plan.expected_version.clone()))
                .or_else(|| environment.version.as_ref().map(|version| version.value.clone())),
            identities: askers(input, recorded, cluster.namespace.as_deref())?,
            cluster,
            scenarios: Vec::new(),
            suites: Vec::new(),
            url,
        };
        plan.scenarios = scenarios
            .into_iter()
            .map(|scenario| Planned { left_out: left_out(input, &plan, recorded, &scenario.value), part: scenario })
            .collect();
        plan.suites = section
            .suites
            .into_iter()
            .map(|part| {
                let name = &part.value.name.value;
                let by_selection = input.selection.left_out(&plan::id(name), &[]);
                Planned { left_out: by_selection.or_else(|| recorded?.left_out(name)), part }
            })
            .collect();
        Ok(plan)
    }

    fn means(plan: &Plan, input: &Input<'_, Flags>) -> Result<Means, Refusal> {
        let ca = match &plan.ca {
            None => None,
            Some(path) => Some(std::fs::read(path).map_err(|error| {
                Refusal::usage(format!("the certificate authority `{}` could not be read: {error}", path.display()))
            })?),
        };
        let options = ClientOptions {
            connect: plan.connect.clone(),
            ca,
            user_agent: format!("prodtest-smoke/{}", env!("CARGO_PKG_VERSION")),
        };
        let client = Client::new(options.clone()).map_err(|error| {
            let hint = "the file must hold at least one certificate in PEM (`-----BEGIN CERTIFICATE-----`)";
            Refusal::usage_with_hint(error.to_string(), hint)
        })?;
        let mut secrets = secrets_of(input);
        let mut cluster = FromCluster::default();
        for (reference, optional) in plan.included().flat_map(|scenario| plan.secrets_of(scenario)) {
            match &reference.value {
                SecretRef::Kubernetes(_) => cluster.want(&reference, optional),
                SecretRef::Env(_) | SecretRef::File(_) => {
                    secrets.resolve(&reference).map_err(|error| load::explain(input.config.explain(error)))?;
                }
            }
        }
        // A suite has this process's environment, and may print what no scenario needs. What is not set cannot leak.
        for asker in plan.identities.values() {
            let _ = secrets.resolve_if_set(&asker.secret);
        }
        let configured = input.config.environment.kubernetes.as_ref().filter(|_| input.flags.cluster.context.is_none());
        let context = configured.and_then(|cluster| Some(&cluster.context.as_ref()?.place));
        cluster.find(&plan.cluster, context).map_err(|error| load::explain(input.config.explain(error)))?;
        Ok(Means { client, options, secrets, cluster })
    }

    async fn fetch(means: &mut Means, run: &Run) -> Result<(), Refusal> {
        means.cluster.fetch(&mut means.secrets, run).await
    }

    fn rbac(plan: &Plan) -> Vec<Rule> {
        plan.rbac()
    }

    fn secrets(means: &Means) -> Vec<&str> {
        means.secrets.values().collect()
    }

    fn timeout(input: &Input<'_, Flags>) -> Result<Duration, Refusal> {
        let section: Section = input.config.section.read()?;
        Ok(section.timeout.map_or(TIMEOUT, |timeout| timeout.0))
    }

    #[cfg(debug_assertions)]
    fn schemas() -> Vec<(&'static str, serde_json::Value)> {
        let schema = schemars::SchemaGenerator::default().into_root_schema_for::<crate::scenario::ScenarioFile>();
        vec![("scenarios", serde_json::json!(schema))]
    }

    #[cfg(not(debug_assertions))]
    fn schemas() -> Vec<(&'static str, serde_json::Value)> {
        let published = include_str!("../../../schemas/scenarios.schema.json");
        vec![("scenarios", serde_json::from_str(published).unwrap_or_default())]
    }
}

fn secrets_of(input: &Input<'_, Flags>) -> Secrets {
    let variable = input.variable.clone();
    Secrets::new(move |name| variable(name))
}

/// The plan of the recorded run that is judged again, if one is.
fn recorded(input: &Input<'_, Flags>) -> Result<Option<Plan>, Refusal> {
    let plan = input.recorded.map(Plan::deserialize).transpose();
    plan.map_err(|error| Refusal::usage(format!("the record's plan cannot be read by this version: {error}")))
}

/// Everyone the environment knows. An optional one whose secret is not set is known too, with the reason; nobody asks
/// in a recorded run, so its secrets need not be set.
fn askers(
    input: &Input<'_, Flags>,
    recorded: Option<&Plan>,
    namespace: Option<&str>,
) -> Result<std::collections::BTreeMap<String, Asker>, Refusal> {
    let environment = &input.config.environment;
    environment
        .identity_names()
        .filter_map(|name| Some((name, environment.identity(name)?)))
        .map(|(name, identity)| {
            let explain = |error: ConfigError| input.config.explain(error);
            let secret = load::placed(identity.value.secret.clone(), namespace).map_err(explain)?;
            let mut unset = recorded.and_then(|plan| plan.identities.get(name)?.unset.clone());
            // Whether the cluster has it is seen when the run has begun.
            let is_known = !matches!(secret.value, SecretRef::Kubernetes(_));
            if identity.value.optional && recorded.is_none() && is_known {
                let set = secrets_of(input).resolve_if_set(&secret).map_err(explain)?;
                unset = set.is_none().then(|| plan::no_secret(name, &secret.value));
            }
            let header = identity.value.header.to_string();
            Ok((name.to_owned(), Asker { header, secret, optional: identity.value.optional, unset }))
        })
        .collect()
}

/// Why a scenario does not apply in this run, if it does not. What a recorded run left out was not seen; all the rest
/// was, whatever is set here today.
fn left_out(input: &Input<'_, Flags>, plan: &Plan, recorded: Option<&Plan>, scenario: &Scenario) -> Option<String> {
    let by_selection = input.selection.left_out(&plan::id(&scenario.id.value), &scenario.tags);
    if let Some(recorded) = recorded {
        return by_selection.or_else(|| recorded.left_out(&scenario.id.value));
    }
    let by_identity = || {
        let steps = scenario.steps.iter().chain(&scenario.always);
        let names = steps.filter_map(|step| step.value.identity.as_ref());
        names
            .filter_map(|name: &Located<String>| plan.identities.get(&name.value))
            .find_map(|asker| asker.unset.clone())
    };
    let by_scheme = || {
        let asks = scenario.steps.iter().any(|step| step.value.certificate.is_some());
        (asks && plan.url.scheme() == "http").then(|| "the target is plain HTTP: there is no certificate".to_owned())
    };
    by_selection.or_else(by_identity).or_else(by_scheme)
}
