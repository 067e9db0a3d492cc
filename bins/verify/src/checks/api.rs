//! `verify/api`: the API answers through the ingress to whoever may, and refuses whoever may not.

use prodtest_cli::Refusal;
use prodtest_config::{BaseUrl, DEFAULT_IDENTITY, Located, SecretRef};
use prodtest_gate::{Check, CheckId, Evidence, Finding, Judged, Limit, Place, Quantity, Rule};
use prodtest_inspect::{Asked, Inspection, Seeing, Target, Unseen};
use schemars::JsonSchema;
use secrecy::ExposeSecret as _;
use serde::{Deserialize, Serialize};

use crate::{
    gate::Verify,
    outside::{self, Answer, PodsSeen},
    site::Site,
};

/// What a request of the API is held against.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub(crate) struct Section {
    /// What is asked for by `GET`, `/api/agents`: something that changes nothing. Without it nothing is asked.
    pub(crate) path: Option<Located<String>>,
    /// Who asks: a name of `identities`; the environment's `auth` when left out.
    pub(crate) identity: Option<Located<String>>,
    /// The status that is right; 200 when left out.
    pub(crate) status: Option<u16>,
    /// Whether anybody may ask, so that no identity is needed; when left out, who has none must be refused, with a 401 or
    /// a 403.
    pub(crate) public: bool,
}

/// The check.
pub(crate) struct Api;

/// Where it looks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Where {
    url: BaseUrl,
    path: String,
    /// Who asks; none, where anybody may.
    asker: Option<Asker>,
    place: Place,
}

/// Who asks.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Asker {
    name: String,
    header: String,
    secret: Located<SecretRef>,
}

/// What it holds things against.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Limits {
    status: u16,
    public: bool,
}

/// What it saw.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Facts {
    url: String,
    answers: Vec<Answer>,
    /// The same, without credentials; empty, where anybody may ask.
    strangers: Vec<Answer>,
    slowest_ms: f64,
    pods: Option<PodsSeen>,
}

impl Inspection<Verify> for Api {
    const NAME: &'static str = "api";

    type Target = Where;
    type Limits = Limits;
    type Facts = Facts;

    fn target(asked: &Asked<'_, Verify>) -> Result<Target<Where>, Refusal> {
        let Section { path, identity, public, .. } = &asked.section.api;
        let Some(path) = path else {
            return Ok(Target::Nowhere("`verify.api.path` names nothing to ask for".to_owned()));
        };
        let Some(url) = &asked.site.url else {
            return Ok(Target::Nowhere("the environment has no `url`".to_owned()));
        };
        if !path.starts_with('/') {
            return Err(Refusal::usage(format!("`verify.api.path` is `{path}`, and a path begins with `/`")));
        }
        let asker = match (public, identity) {
            (true, Some(_)) => {
                return Err(Refusal::usage("of `verify.api`, `public` and `identity` exclude each other"));
            }
            (true, None) => None,
            (false, identity) => {
                let name = identity.as_ref().map_or(DEFAULT_IDENTITY, |identity| identity.value.as_str());
                Some(asker(asked, name)?)
            }
        };
        Ok(Target::At(Where { url: url.clone(), path: path.value.clone(), asker, place: path.place.clone() }))
    }

    fn limits(asked: &Asked<'_, Verify>) -> Result<Limits, Refusal> {
        let section = &asked.section.api;
        Ok(Limits { status: section.status.unwrap_or(200), public: section.public })
    }

    fn declare(id: CheckId, limits: &Limits) -> Check {
        let mut all = vec![Limit { name: "status".to_owned(), value: limits.status.to_string() }];
        if !limits.public {
            all.push(Limit { name: "status without credentials".to_owned(), value: "401 or 403".to_owned() });
        }
        Check {
            why: Some(
                "A page that says `healthy` says nothing of the API behind it; one that answers everybody shows everybody's \
                 data."
                    .to_owned(),
            ),
            help: Some(
                "Ask by hand, with `curl --connect-to` and without the key, and compare with a pod itself by \
                 `kubectl port-forward`."
                    .to_owned(),
            ),
            needs: super::ids(["pods", "ingress-tls", "health"]),
            limits: all,
            requirements: vec!["FR1.5".to_owned()],
            ..Check::new(id, "the API answers through the ingress to whoever may ask, and to nobody else")
        }
    }

    fn secrets(at: &Where) -> Vec<Located<SecretRef>> {
        at.asker.iter().map(|asker| asker.secret.clone()).collect()
    }

    fn rules(site: &Site, at: &Where) -> Vec<Rule> {
        let mut rules = outside::pods_rules(site);
        if let Some(SecretRef::Kubernetes(place)) = at.asker.as_ref().map(|asker| &asker.secret.value) {
            let namespace = place.namespace.as_deref().unwrap_or_default();
            rules.push(Rule::get_secrets(namespace, [place.secret.clone()]));
        }
        rules
    }

    async fn observe(seeing: &Seeing<'_, Verify>, at: &Where) -> Result<Facts, Unseen> {
        let url = outside::join(&at.url, &at.path);
        let mut headers = Vec::new();
        if let Some(asker) = &at.asker {
            let value = seeing.means.secret(&asker.secret.value)?.expose_secret().to_owned();
            headers.push((asker.header.clone(), value));
        }
        let strangers = if at.asker.is_some() { outside::TIMES } else { 0 };
        let (answers, strangers, pods) = tokio::join!(
            outside::ask(seeing.site, &url, &headers, outside::TIMES),
            outside::ask(seeing.site, &url, &[], strangers),
            outside::pods(seeing),
        );
        let (answers, strangers) = (answers?, strangers?);
        Ok(Facts {
            url: url.to_string(),
            slowest_ms: answers.iter().map(|exchange| exchange.duration_ms).fold(0.0, f64::max),
            answers: answers.iter().map(Answer::from).collect(),
            strangers: strangers.iter().map(Answer::from).collect(),
            pods,
        })
    }

    fn judge(id: &CheckId, at: &Where, limits: &Limits, facts: &Facts) -> Judged {
        let (url, pods) = (&facts.url, facts.pods.as_ref());
        if let Some(why) = outside::unmeasured(url, facts.answers.iter().chain(&facts.strangers), pods) {
            return Judged::undetermined(id.clone(), why);
        }
        let mut findings: Vec<Finding> =
            outside::wrong(id, &at.path, url, &facts.answers, limits.status, pods).into_iter().collect();
        let stranger = stranger(id, &at.path, url, &facts.strangers);
        // An API that answers nobody as it should refuses nobody as it should: one finding is enough.
        findings.extend(stranger.filter(|stranger| stranger.rule == "open" || findings.is_empty()));
        let findings = findings.into_iter().map(|finding| finding.at(Some(at.place.clone()))).collect();
        let number = |answers: &[Answer]| Quantity::count(u32::try_from(answers.len()).unwrap_or(u32::MAX));
        let mut evidence = vec![
            Evidence::new("answers", number(&facts.answers)),
            Evidence::new("slowest answer", Quantity::milliseconds(facts.slowest_ms)),
        ];
        if !facts.strangers.is_empty() {
            evidence.push(Evidence::new("answers without credentials", number(&facts.strangers)));
        }
        Judged { evidence, ..Judged::by_findings(id.clone(), findings) }
    }
}

/// Whoever has this name.
fn asker(asked: &Asked<'_, Verify>, name: &str) -> Result<Asker, Refusal> {
    let environment = &asked.input.config.environment;
    let Some(identity) = environment.identity(name) else {
        let known = environment.identity_names().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has {known}") };
        let message = format!(
            "`verify.api` is asked as `{name}`, whom the environment `{}` does not know: {known}",
            asked.input.config.environment_name
        );
        let hint = "add `auth: { header: …, value: { env: … } }` to it, name another `identity`, or say `public: true`";
        return Err(Refusal::usage_with_hint(message, hint));
    };
    let namespace = Some(asked.site.namespace());
    let secret = identity.value.secret.clone().map(|reference| reference.within(namespace));
    Ok(Asker { name: name.to_owned(), header: identity.value.header.to_string(), secret })
}

/// What is wrong with the answers that somebody got who has no credentials.
fn stranger(id: &CheckId, subject: &str, url: &str, answers: &[Answer]) -> Option<Finding> {
    let refused = |answer: &&Answer| answer.failure.is_none() && matches!(answer.status, Some(401 | 403));
    let admitted = |answer: &&Answer| answer.status.is_some_and(|status| (200..300).contains(&status));
    let wrong = || answers.iter().filter(|answer| !refused(answer));
    let first = wrong().find(admitted).or_else(|| wrong().next())?;
    let number = wrong().count();
    let seen = match (&first.failure, first.status) {
        (None, Some(status)) => format!("status {status}"),
        (Some(failure), _) => failure.to_string(),
        (None, None) => "nothing".to_owned(),
    };
    let (rule, what) = if admitted(&first) { ("open", "answers") } else { ("refusal", "does not refuse") };
    let message = format!("`{url}` {what} whoever has no credentials: {seen}, {number} of {} times", answers.len());
    Some(Finding::new(id, rule, subject, message).expected("status 401 or 403", seen))
}

#[cfg(test)]
mod tests {
    use prodtest_gate::Outcome;

    use super::*;

    fn judged(own: &[u16], strangers: &[u16]) -> Judged {
        let place = Place { file: "prodtest.yaml".to_owned(), line: 1, column: 1 };
        let at = Where { url: "http://a".parse().unwrap(), path: "/agents".to_owned(), asker: None, place };
        let answers = |all: &[u16]| {
            let answer = |status: &u16| Answer { status: Some(*status), failure: None, answered: true };
            all.iter().map(answer).collect()
        };
        let facts = Facts {
            url: "http://a/agents".to_owned(),
            answers: answers(own),
            strangers: answers(strangers),
            slowest_ms: 1.0,
            pods: None,
        };
        Api::judge(&"verify/api".parse().unwrap(), &at, &Limits { status: 200, public: false }, &facts)
    }

    #[test]
    fn whoever_may_is_answered_and_a_stranger_refused() {
        assert_eq!(judged(&[200, 200], &[401, 403]).outcome, Outcome::Passed);
        let rules = |own: &[u16], strangers: &[u16]| {
            judged(own, strangers).findings.into_iter().map(|finding| finding.rule).collect::<Vec<_>>()
        };
        assert_eq!(rules(&[200], &[401, 200]), ["open"]);
        assert_eq!(rules(&[200], &[404]), ["refusal"]);
        // What is broken for everybody is told once; what is open is told always.
        assert_eq!(rules(&[503], &[503]), ["status"]);
        assert_eq!(rules(&[401], &[200]), ["status", "open"]);
    }
}
