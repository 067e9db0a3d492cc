//! `verify/health`: the service says through the ingress that it is well.

use prodtest_cli::Refusal;
use prodtest_config::{BaseUrl, Located};
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Place, Quantity, Rule};
use prodtest_http::Exchange;
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::needs;
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

/// One answer, and what stands in the field.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Answered {
    answer: Answer,
    /// None, where the field is not asked for.
    value: Option<Result<Value, String>>,
}

impl Inspection<Verify> for Health {
    const NAME: &'static str = "health";

    type Target = Where;
    type Limits = Limits;
    type Facts = Facts;

    fn target(asked: &Asked<'_, Verify>) -> Result<Target<Where>, Refusal> {
        let Section { path, field, equals, .. } = &asked.section.health;
        let Some(path) = path else {
            return Ok(Target::Nowhere("`verify.health.path` names nothing to ask for".to_owned()));
        };
        let Some(url) = &asked.site.url else {
            return Ok(Target::Nowhere("the environment has no `url`".to_owned()));
        };
        if !path.starts_with('/') {
            return Err(Refusal::usage(format!("`verify.health.path` is `{path}`, and a path begins with `/`")));
        }
        if field.is_some() != equals.is_some() {
            let hint = "write `field: data.status` and `equals: healthy`, or neither";
            return Err(Refusal::usage_with_hint("of `verify.health`, `field` and `equals` go together", hint));
        }
        let field = field.as_ref().map(|field| field.value.clone());
        Ok(Target::At(Where { url: url.clone(), path: path.value.clone(), field, place: path.place.clone() }))
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
            needs: needs(&["pods", "ingress-tls"]),
            limits: [status].into_iter().chain(equals).collect(),
            requirements: vec!["FR1.5".to_owned()],
            ..Check::new(id, "the service says through the ingress that it is well")
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
        if let (true, Some(equals), Some(field)) = (findings.is_empty(), &limits.equals, &at.field) {
            let wanted = shown(equals);
            let not_so = facts.answers.iter().filter_map(|answered| match answered.value.as_ref()? {
                Ok(value) if value == equals => None,
                Ok(value) => Some(format!("its field `{field}` says {}", shown(value))),
                Err(why) => Some(why.clone()),
            });
            let not_so: Vec<String> = not_so.collect();
            if let Some(first) = not_so.first() {
                let message = format!("`{url}`: {first}, {} of {} times", not_so.len(), answers.len());
                findings.push(Finding::new(id, "field", &at.path, message).expected(wanted, first));
            }
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

    fn judged(values: &[Value]) -> Judged {
        let place = Place { file: "prodtest.yaml".to_owned(), line: 1, column: 1 };
        let at = Where {
            url: "http://a".parse().unwrap(),
            path: "/health".to_owned(),
            field: Some("data.status".to_owned()),
            place,
        };
        let answer = Answer { status: Some(200), failure: None, answered: true };
        let answers = values.iter().map(|value| Answered { answer: answer.clone(), value: Some(Ok(value.clone())) });
        let facts =
            Facts { url: "http://a/health".to_owned(), answers: answers.collect(), slowest_ms: 1.0, pods: None };
        let limits = Limits { status: 200, equals: Some("healthy".into()) };
        Health::judge(&"verify/health".parse().unwrap(), &at, &limits, &facts)
    }

    #[test]
    fn what_it_says_must_be_what_is_asked_every_time() {
        assert_eq!(judged(&[json!("healthy"), json!("healthy")]).outcome, Outcome::Passed);
        let one = judged(&[json!("healthy"), json!("degraded")]);
        assert_eq!(one.findings[0].message, "`http://a/health`: its field `data.status` says `degraded`, 1 of 2 times");
        assert_eq!(judged(&[]).outcome, Outcome::Undetermined);
    }
}
