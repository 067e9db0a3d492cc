//! `verify/health`: the service says through the ingress that it is well.

use prodtest_cli::Refusal;
use prodtest_config::{BaseUrl, Located};
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Place, Quantity, Rule};
use prodtest_http::Exchange;
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    gate::Verify,
    outside::{self, Answer, PodsSeen},
    site::Site,
};

/// The longest value that is kept.
const LONGEST: usize = 128;

/// Where the service says that it is well.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// What is asked for, `/api/health`; without it nothing is asked.
    pub(crate) path: Option<Located<String>>,
    /// The status that is right; 200 when left out.
    pub(crate) status: Option<u16>,
    /// Where in the JSON of the answer it says how it is, `status` or `data.status`; not looked at when left out.
    pub(crate) field: Option<Located<String>>,
    /// What must stand there.
    pub(crate) equals: Option<Value>,
    /// Where in it the version stands, `version` or `data.version`; not looked at when left out, and then `--expect-version` is
    /// refused. It is held against that flag, or the environment's `version`.
    pub(crate) version_field: Option<Located<String>>,
}

/// The check.
pub(crate) struct Health;

/// Where it looks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Where {
    url: BaseUrl,
    path: String,
    field: Option<String>,
    /// The version that must answer, and the field that it stands in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<(String, String)>,
    place: Place,
}

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    status: u16,
    equals: Option<Value>,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    url: String,
    answers: Vec<Answered>,
    slowest_ms: f64,
    pods: Option<PodsSeen>,
}

/// One answer, and what stands in the fields.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Answered {
    answer: Answer,
    /// None, where the field is not asked for.
    value: Option<Result<Value, String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<Result<Value, String>>,
}

impl Inspection<Verify> for Health {
    const NAME: &'static str = "health";

    type Target = Where;
    type Limits = Limits;
    type Facts = Facts;

    fn target(asked: &Asked<'_, Verify>) -> Result<Target<Where>, Refusal> {
        let Section { path, field, equals, version_field, .. } = &asked.section.health;
        let (config, expected) = (asked.input.config, &asked.input.common.expect_version);
        let (Some(path), Some(url)) = (path, &asked.site.url) else {
            unexpected(expected.is_some())?;
            let why = match path {
                None => "`verify.health.path` names nothing to ask for",
                Some(_) => "the environment has no `url`",
            };
            return Ok(Target::Nowhere(why.to_owned()));
        };
        unexpected(expected.is_some() && version_field.is_none())?;
        let configured = config.environment.version.as_ref().map(|version| version.value.clone());
        let version = expected.clone().or(configured);
        let version = version.zip(version_field.as_ref().map(|field| field.value.clone()));
        if !path.starts_with('/') {
            return Err(Refusal::usage(format!("`verify.health.path` is `{path}`, and a path begins with `/`")));
        }
        if field.is_some() != equals.is_some() {
            let hint = "write `field: data.status` and `equals: healthy`, or neither";
            return Err(Refusal::usage_with_hint("of `verify.health`, `field` and `equals` go together", hint));
        }
        let field = field.as_ref().map(|field| field.value.clone());
        Ok(Target::At(Where { url: url.clone(), path: path.value.clone(), field, version, place: path.place.clone() }))
    }

    fn limits(asked: &Asked<'_, Verify>) -> Result<Limits, Refusal> {
        let section = &asked.section.health;
        Ok(Limits { status: section.status.unwrap_or(200), equals: section.equals.clone() })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        let status = Limit { name: "status".to_owned(), value: limits.status.to_string() };
        let equals = limits.equals.iter().map(|value| Limit { name: "says".to_owned(), value: shown(value) });
        Check {
            why: Some(
                "Pods that are ready serve nobody when what stands before them sends requests elsewhere.".to_owned(),
            ),
            help: Some(
                "Compare with a pod itself: `kubectl port-forward`. What works there and not here is the Ingress, its \
                 backend, the Service, or a NetworkPolicy."
                    .to_owned(),
            ),
            needs: super::ids(["pods", "ingress-tls"]),
            limits: [status].into_iter().chain(equals).collect(),
            requirements: vec!["FR1.5".to_owned()],
            ..Check::new(id, "the service says through the ingress that it is well, and of the right version")
        }
    }

    fn rules(site: &Site, _: &Where) -> Vec<Rule> {
        outside::pods_rules(site)
    }

    async fn observe(seeing: &Seeing<'_, Verify>, at: &Where) -> Result<Facts, Unseen> {
        let url = outside::join(&at.url, &at.path);
        let asking = outside::ask(seeing.site, &url, &[], outside::TIMES);
        let (exchanges, pods) = tokio::join!(asking, outside::pods(seeing));
        let exchanges = exchanges?;
        let answered = |exchange: &Exchange| Answered {
            answer: Answer::from(exchange),
            value: at.field.as_ref().map(|field| value(exchange, field)),
            version: at.version.as_ref().map(|(_, field)| value(exchange, field)),
        };
        Ok(Facts {
            url: url.to_string(),
            answers: exchanges.iter().map(answered).collect(),
            slowest_ms: exchanges.iter().map(|exchange| exchange.duration_ms).fold(0.0, f64::max),
            pods,
        })
    }

    fn judge(id: &CheckId, at: &Where, limits: &Limits, facts: &Facts) -> Judged {
        let (url, pods) = (&facts.url, facts.pods.as_ref());
        let answers: Vec<Answer> = facts.answers.iter().map(|answered| answered.answer.clone()).collect();
        if let Some(why) = outside::unmeasured(url, &answers, pods) {
            return Judged::undetermined(id.clone(), why);
        }
        let mut findings: Vec<Finding> =
            outside::wrong(id, &at.path, url, &answers, limits.status, pods).into_iter().collect();
        if findings.is_empty() {
            let says = limits.equals.iter().zip(&at.field).map(|(equals, field)| {
                other(id, "field", at, facts, field, equals, |answered| answered.value.as_ref())
            });
            let version = at.version.iter().map(|(version, field)| {
                other(id, "version", at, facts, field, &version.as_str().into(), |answered| answered.version.as_ref())
            });
            findings = says.chain(version).flatten().collect();
        }
        let findings = findings.into_iter().map(|finding| finding.at(Some(at.place.clone()))).collect();
        let asked = u32::try_from(answers.len()).unwrap_or(u32::MAX);
        let evidence = vec![
            Evidence::new("answers", Quantity::count(asked)),
            Evidence::new("slowest answer", Quantity::milliseconds(facts.slowest_ms)),
        ];
        Judged { evidence, ..Judged::by_findings(id.clone(), findings) }
    }
}

/// Refuses a version that nothing could be held against.
fn unexpected(is: bool) -> Result<(), Refusal> {
    if is {
        let hint = "set `verify.health.path` and `version-field`, as in `{ path: /health, version-field: version }`";
        return Err(Refusal::usage_with_hint(
            "nothing says where the service says its version, `--expect-version`",
            hint,
        ));
    }
    Ok(())
}

/// The answers in which something else stands in a field, if there are any: one finding for all.
fn other<'a>(
    id: &CheckId,
    rule: &str,
    at: &Where,
    facts: &'a Facts,
    field: &str,
    wanted: &Value,
    of: impl Fn(&'a Answered) -> Option<&'a Result<Value, String>>,
) -> Option<Finding> {
    let not_so = facts.answers.iter().filter_map(|answered| match of(answered)? {
        // A version may be written as a number.
        Ok(value) if value == wanted || shown(value) == shown(wanted) => None,
        Ok(value) => Some(format!("its field `{field}` says {}", shown(value))),
        Err(why) => Some(why.clone()),
    });
    let not_so: Vec<String> = not_so.collect();
    let first = not_so.first()?;
    let message = format!("`{}`: {first}, {} of {} times", facts.url, not_so.len(), facts.answers.len());
    Some(Finding::new(id, rule, &at.path, message).expected(shown(wanted), first))
}

/// What stands in the field, without what is too long to be a state.
fn value(exchange: &Exchange, field: &str) -> Result<Value, String> {
    let Some(response) = &exchange.response else { return Err("it gave no answer".to_owned()) };
    let body: Value =
        serde_json::from_str(&response.body.text).map_err(|_| "it answered something that is no JSON".to_owned())?;
    let names = field.split('.').filter(|name| !name.is_empty());
    let found = names.into_iter().try_fold(&body, |value, name| value.get(name));
    match found {
        Some(Value::String(text)) => Ok(Value::String(text.chars().take(LONGEST).collect())),
        Some(value @ (Value::Bool(_) | Value::Number(_) | Value::Null)) => Ok(value.clone()),
        Some(_) => Err(format!("its field `{field}` is no plain value")),
        None => Err(format!("it has no field `{field}`")),
    }
}

fn shown(value: &Value) -> String {
    value.as_str().map_or_else(|| format!("`{value}`"), |text| format!("`{text}`"))
}

#[cfg(test)]
mod tests {
    use prodtest_gate::Outcome;
    use serde_json::json;

    use super::*;

    fn judged(values: &[[Value; 2]]) -> Judged {
        let place = Place { file: "prodtest.yaml".to_owned(), line: 1, column: 1 };
        let at = Where {
            url: "http://a".parse().unwrap(),
            path: "/health".to_owned(),
            field: Some("data.status".to_owned()),
            version: Some(("1.2".to_owned(), "data.version".to_owned())),
            place,
        };
        let answer = Answer { status: Some(200), failure: None, answered: true };
        let answers = values.iter().map(|[value, version]| Answered {
            answer: answer.clone(),
            value: Some(Ok(value.clone())),
            version: Some(Ok(version.clone())),
        });
        let facts =
            Facts { url: "http://a/health".to_owned(), answers: answers.collect(), slowest_ms: 1.0, pods: None };
        let limits = Limits { status: 200, equals: Some("healthy".into()) };
        Health::judge(&"verify/health".parse().unwrap(), &at, &limits, &facts)
    }

    #[test]
    fn what_it_says_must_be_what_is_asked_every_time() {
        let good = || [json!("healthy"), json!("1.2")];
        assert_eq!(judged(&[good(), [json!("healthy"), json!(1.2)]]).outcome, Outcome::Passed);
        let one = judged(&[good(), [json!("degraded"), json!("1.2")]]);
        assert_eq!(one.findings[0].message, "`http://a/health`: its field `data.status` says `degraded`, 1 of 2 times");
        let one = judged(&[[json!("healthy"), json!("1.1")], good()]);
        assert_eq!(one.findings[0].message, "`http://a/health`: its field `data.version` says `1.1`, 1 of 2 times");
        assert_eq!(judged(&[]).outcome, Outcome::Undetermined);
    }
}
