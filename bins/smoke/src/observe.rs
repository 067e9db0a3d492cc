//! Does what the scenarios say and writes down what came of it. All the input and output of the gate, but for suites.

use std::{cell::RefCell, time::Duration};

use futures_util::{StreamExt, stream};
use jiff::Timestamp;
use prodtest_config::{BaseUrl, SecretRef, Secrets};
use prodtest_gate::{Progress, Redactor, Run};
use prodtest_http::{Client, ClientOptions, Exchange, Request, inspect_certificate};
use secrecy::ExposeSecret;
use tokio::time::Instant;
use url::Url;

use crate::{
    assert, control,
    facts::{Attempt, Facts, Sample, ScenarioFacts, StepFacts},
    judge,
    plan::{self, Plan},
    scenario::{HeaderValue, Scenario, Step, Target, Until},
    secrets::FromCluster,
    suite,
    template::{Missing, Vars, render, render_json},
};

/// How much of a body is kept: enough for any answer that a scenario looks into.
const MAX_BODY: u64 = 1024 * 1024;
/// How much is kept of the bodies of tries that were not the last.
const SHORT_BODY: usize = 2 * 1024;

/// The live means of observing.
pub(crate) struct Means {
    /// The client.
    pub(crate) client: Client,
    /// What the client was made with, for looking at certificates.
    pub(crate) options: ClientOptions,
    /// The values of the secrets.
    pub(crate) secrets: Secrets,
    /// The secrets that the cluster is asked for, and those that it did not give.
    pub(crate) cluster: FromCluster,
}

struct Observer<'a> {
    plan: &'a Plan,
    means: &'a Means,
    run: &'a Run,
    label: &'a str,
    now: Timestamp,
    /// Secrets that came to be during the run: captured tokens.
    captured: RefCell<Vec<String>>,
    redactor: RefCell<Redactor>,
}

/// Observes everything in the plan, until it is done or the run ends.
pub(crate) async fn observe(plan: &Plan, means: &Means, run: &Run) -> Facts {
    let secrets = means.cluster.withheld.clone();
    let mut facts = Facts { label: label(), now: Timestamp::now(), secrets, ..Facts::default() };
    facts.controls = control::observe().await;
    {
        let observer = Observer {
            plan,
            means,
            run,
            label: &facts.label,
            now: facts.now,
            captured: RefCell::default(),
            redactor: RefCell::new(Redactor::new(means.secrets.values())),
        };
        for planned in plan.scenarios.iter().filter(|planned| planned.left_out.is_none()) {
            if run.stopped().is_some() {
                break;
            }
            let scenario = &planned.part.value;
            let id = plan::id(&scenario.id.value);
            run.report(Progress::Started(id.clone()));
            if facts.withheld(plan, scenario).is_some() {
                let judged = judge::scenario(plan, scenario, &facts, false);
                run.report(Progress::Finished(id, judged.outcome));
                continue;
            }
            let seen = observer.scenario(scenario).await;
            facts.scenarios.push(seen);
        }
        // Suites come last: a broken service is told by the scenarios, in seconds.
        for planned in plan.suites.iter().filter(|planned| planned.left_out.is_none()) {
            if run.stopped().is_some() {
                break;
            }
            let redactor = observer.redactor.borrow().clone();
            facts.suites.push(suite::observe(&planned.part.value, plan, &redactor, run).await);
        }
    }
    facts.stopped = run.stopped().map(|reason| reason.to_string());
    facts
}

/// A label that no other run has, safe in a URL and in a Kubernetes label.
fn label() -> String {
    let mut bytes = [0_u8; 8];
    // Without a random number the process and the time must do.
    if getrandom::fill(&mut bytes).is_err() {
        let now = Timestamp::now().as_nanosecond() ^ i128::from(std::process::id());
        bytes.copy_from_slice(&now.to_le_bytes()[..8]);
    }
    format!("prodtest-{}", bytes.map(|byte| format!("{byte:02x}")).concat())
}

impl Observer<'_> {
    async fn scenario(&self, scenario: &Scenario) -> ScenarioFacts {
        let id = plan::id(&scenario.id.value);
        let began = Instant::now();
        // What requests are made with, secrets and all; and what a reader of the record will have.
        let mut live = judge::first_vars(self.plan, self.label);
        let mut shown = live.clone();
        let mut facts = ScenarioFacts { id: scenario.id.value.clone(), ..ScenarioFacts::default() };
        for step in &scenario.steps {
            let mut done = self.step(&id, &step.value, &live, began, false).await;
            let captured: Vec<(String, String)> = step
                .value
                .capture
                .iter()
                .filter_map(|(name, capture)| {
                    let value = judge::capture(&capture.value, &done).ok()?;
                    if capture.value.secret {
                        self.keep_secret(&value);
                    }
                    Some((name.to_owned(), value))
                })
                .collect();
            // What was made must be cleaned up, however wrong the answer was.
            live.extend(captured);
            self.redact(&mut done);
            let judgement = judge::step(self.plan, &step.value, &done, self.now, &mut shown);
            facts.steps.push(done);
            if !judgement.is_ok_and(|judgement| judgement.unmet.is_empty()) {
                break;
            }
        }
        for step in &scenario.always {
            // Nothing was made that this step could take away.
            if step.value.variables().iter().any(|name| !live.contains_key(*name)) {
                continue;
            }
            let mut done = self.step(&id, &step.value, &live, began, true).await;
            self.redact(&mut done);
            facts.always.push(done);
        }
        facts.duration_ms = ms(began.elapsed());
        self.report(scenario, &facts);
        facts
    }

    /// Tells whoever watches how the scenario looks by itself.
    fn report(&self, scenario: &Scenario, seen: &ScenarioFacts) {
        let stopped = self.run.stopped().map(|reason| reason.to_string());
        let facts = Facts {
            label: self.label.to_owned(),
            now: self.now,
            stopped,
            scenarios: vec![seen.clone()],
            ..Facts::default()
        };
        let judged = judge::scenario(self.plan, scenario, &facts, facts.answered());
        self.run.report(Progress::Finished(judged.id, judged.outcome));
    }

    /// Does one step. A step that cleans up is done even when the run ends.
    async fn step(
        &self,
        id: &prodtest_gate::CheckId,
        step: &Step,
        vars: &Vars,
        began: Instant,
        cleaning: bool,
    ) -> StepFacts {
        let mut done = StepFacts { name: step.name.clone(), ..StepFacts::default() };
        let outcome = if step.certificate.is_some() {
            self.certificate(step, &mut done).await
        } else if let Some(burst) = &step.burst {
            self.burst(step, burst.value.requests, burst.value.at_once(), vars, &mut done).await
        } else {
            self.tries(id, step, vars, began, cleaning, &mut done).await
        };
        match outcome {
            Ok(finished) => done.unfinished = !finished,
            Err(Missing(name)) => done.missing = Some(name),
        }
        done
    }

    async fn certificate(&self, step: &Step, done: &mut StepFacts) -> Result<bool, Missing> {
        done.asked = format!("certificate of {}", self.plan.url);
        let look = inspect_certificate(&self.plan.url, &self.means.options, step.timeout(), self.now.into());
        done.certificate = self.run.unless_stopped(look).await.ok();
        Ok(done.certificate.is_some())
    }

    async fn burst(
        &self,
        step: &Step,
        requests: u32,
        at_once: usize,
        vars: &Vars,
        done: &mut StepFacts,
    ) -> Result<bool, Missing> {
        let mut prepared = Vec::new();
        for index in 0..requests {
            let mut vars = vars.clone();
            vars.insert("index".to_owned(), index.to_string());
            prepared.push(self.request(step, &vars)?);
        }
        done.asked = prepared.first().map(asked).unwrap_or_default();
        let samples = stream::iter(prepared.into_iter().enumerate())
            .map(|(index, request)| async move { (index, sample(self.means.client.send(request).await)) })
            .buffer_unordered(at_once.max(1))
            .collect::<Vec<_>>();
        let Ok(mut samples) = self.run.unless_stopped(samples).await else { return Ok(false) };
        samples.sort_unstable_by_key(|(index, _)| *index);
        done.burst = Some(samples.into_iter().map(|(_, sample)| sample).collect());
        Ok(true)
    }

    /// One request, or with `until` as many as it takes. Returns whether it came to its end.
    async fn tries(
        &self,
        id: &prodtest_gate::CheckId,
        step: &Step,
        vars: &Vars,
        began: Instant,
        cleaning: bool,
        done: &mut StepFacts,
    ) -> Result<bool, Missing> {
        let until = step.until.as_ref().map(|until| &until.value);
        let first = Instant::now();
        let time_left = |until: &Until| until.within.as_ref().map(|within| within.0.saturating_sub(first.elapsed()));
        loop {
            if !cleaning && self.run.stopped().is_some() {
                return Ok(false);
            }
            let mut request = self.request(step, vars)?;
            if let Some(left) = until.and_then(time_left) {
                // The last try still gets a moment of its own.
                request.timeout = request.timeout.min(left.max(Duration::from_millis(100)));
            }
            done.asked = asked(&request);
            let at_ms = ms(began.elapsed());
            // A request that changes something is seen to its end, or nobody knows what to clean up.
            let changes = !matches!(request.method.as_str(), "GET" | "HEAD" | "OPTIONS");
            let sending = self.means.client.send(request);
            let exchange = if cleaning || changes {
                self.run.unless_overdue(sending).await
            } else {
                self.run.unless_stopped(sending).await.ok()
            };
            let Some(exchange) = exchange else { return Ok(false) };
            if let Some(before) = done.attempts.last_mut() {
                // In this order: a secret that is cut in two is not found any more.
                redact_exchange(&self.redactor.borrow(), &mut before.exchange);
                shorten(&mut before.exchange);
            }
            let good = assert::unmet(&step.expect, &exchange, vars)?.is_empty();
            let ended = match until.and_then(|until| until.stop_when.as_ref()) {
                Some(end) => assert::unmet(end, &exchange, vars)?.is_empty(),
                None => false,
            };
            done.attempts.push(Attempt { at_ms, exchange });
            let Some(until) = until else { return Ok(true) };
            let tries = done.attempts.len();
            let out_of_tries = until.attempts.is_some_and(|limit| tries >= limit as usize);
            let out_of_time = time_left(until).is_some_and(|left| left <= until.every.0);
            if good || ended || out_of_tries || out_of_time {
                return Ok(true);
            }
            let limit = until.attempts.map(|limit| format!(" of {limit}")).unwrap_or_default();
            self.run.report(Progress::Note(id.clone(), format!("{}: try {tries}{limit}", step.name)));
            if self.run.unless_stopped(tokio::time::sleep(until.every.0)).await.is_err() {
                return Ok(false);
            }
        }
    }

    fn request(&self, step: &Step, vars: &Vars) -> Result<Request, Missing> {
        let target = step.request.as_ref().map(|target| &target.value);
        let (method, path) = target.map_or(("GET", "/"), |Target { method, path }| (method.as_str(), path.as_str()));
        let url = join(&self.plan.url, &render(path, vars)?);
        let mut headers = Vec::new();
        if let Some(identity) = step.identity.as_ref().and_then(|name| self.plan.identities.get(&name.value)) {
            headers.push((identity.header.clone(), self.secret(&identity.secret.value)));
        }
        for (name, value) in step.headers.iter() {
            let value = match &value.value {
                HeaderValue::Text(text) => render(text, vars)?,
                HeaderValue::Secret(secret) => self.secret(secret),
            };
            headers.push((name.to_owned(), value));
        }
        let body = match (&step.json, &step.text) {
            (Some(json), _) => {
                if !step.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("content-type")) {
                    headers.push(("Content-Type".to_owned(), "application/json".to_owned()));
                }
                Some(render_json(json, vars)?.to_string().into_bytes())
            }
            (None, Some(text)) => Some(render(text, vars)?.into_bytes()),
            (None, None) => None,
        };
        Ok(Request { method: method.to_owned(), url, headers, body, timeout: step.timeout(), max_body: MAX_BODY })
    }

    /// The value of a secret; every one that a plan needs was resolved before the run.
    fn secret(&self, reference: &SecretRef) -> String {
        self.means.secrets.get(reference).map(|secret| secret.expose_secret().to_owned()).unwrap_or_default()
    }

    fn keep_secret(&self, value: &str) {
        let mut captured = self.captured.borrow_mut();
        captured.push(value.to_owned());
        let all = self.means.secrets.values().chain(captured.iter().map(String::as_str));
        *self.redactor.borrow_mut() = Redactor::new(all);
    }

    fn redact(&self, done: &mut StepFacts) {
        let redactor = self.redactor.borrow();
        done.asked = redactor.text(&done.asked);
        for attempt in &mut done.attempts {
            redact_exchange(&redactor, &mut attempt.exchange);
        }
        for sample in done.burst.iter_mut().flatten() {
            if let Some(failure) = &mut sample.failure {
                failure.message = redactor.text(&failure.message);
            }
        }
    }
}

/// The service's address with a path behind it. The path begins with a slash, so nothing in it can name another host.
fn join(base: &BaseUrl, path: &str) -> Url {
    let mut url = Url::clone(base);
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    url.set_path(&format!("{}{path}", base.path().trim_end_matches('/')));
    url.set_query(query);
    url
}

fn redact_exchange(redactor: &Redactor, exchange: &mut Exchange) {
    if let Some(response) = &mut exchange.response {
        response.body.text = redactor.text(&response.body.text);
        for (name, value) in &mut response.headers {
            *name = redactor.text(name);
            *value = redactor.text(value);
        }
    }
    if let Some(failure) = &mut exchange.failure {
        failure.message = redactor.text(&failure.message);
        // Nothing looks into the body of an answer that is not whole, and where it was cut, half a secret may stand.
        shorten(exchange);
    }
}

fn asked(request: &Request) -> String {
    format!("{} {}", request.method, request.url)
}

fn sample(exchange: Exchange) -> Sample {
    Sample {
        status: exchange.response.map(|response| response.status),
        failure: exchange.failure,
        duration_ms: exchange.duration_ms,
    }
}

fn shorten(exchange: &mut Exchange) {
    if let Some(response) = &mut exchange.response
        && response.body.text.len() > SHORT_BODY
    {
        let end = (0..=SHORT_BODY).rev().find(|end| response.body.text.is_char_boundary(*end)).unwrap_or(0);
        response.body.text.truncate(end);
    }
}

fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}
