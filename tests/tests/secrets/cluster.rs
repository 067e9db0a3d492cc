//! A secret that is one key of a Secret of the cluster.
//!
//! The API server is a stand-in over plain HTTP that knows how to answer `get` as a real one does. What it stands in for
//! is what comes of each answer, not the answer itself.

use std::{fs, io::Read, net::TcpListener};

use prodtest_testkit::{Done, Flaw, Godel, KEY, Project, Stub, reply};
use serde_json::{Value, json};

use super::{FORMATS, base64, nothing_leaked};

const CONFIG: &str = "\
service: demo
environments:
  test:
    url: http://127.0.0.1:1
    kubernetes: { namespace: godel, kubeconfig: kube.yaml }
    auth: { header: X-API-Key, value: { kubernetes: { secret: demo, key: api.key } } }
    identities:
      guest: { header: X-Guest, value: { kubernetes: { secret: guest, key: key, namespace: guests } }, optional: true }
smoke: { scenarios: [scenarios.yaml] }
";

const SCENARIOS: &str = "\
scenarios:
  - { id: open, title: t, steps: [{ name: ask, request: GET /open }] }
  - { id: closed, title: t, steps: [{ name: ask, request: GET /closed, as: default }] }
  - { id: guest, title: t, steps: [{ name: ask, request: GET /guest, as: guest }] }
";

const SECRET: &str = "GET /api/v1/namespaces/godel/secrets/demo";
const GUEST: &str = "GET /api/v1/namespaces/guests/secrets/guest";

fn project(api: &str) -> Project {
    let project = Project::new(&[("prodtest.yaml", CONFIG), ("scenarios.yaml", SCENARIOS)]);
    project.write("kube.yaml", &kubeconfig(&format!("server: '{api}'")));
    project
}

fn kubeconfig(cluster: &str) -> String {
    format!(
        "current-context: staging
contexts: [{{ name: staging, context: {{ cluster: c, user: u }} }}]
clusters: [{{ name: c, cluster: {{ {cluster} }} }}]
users: [{{ name: u, user: {{ token: a-token-of-the-gate }} }}]
"
    )
}

/// An answer in JSON.
fn says(status: &str, body: &Value) -> String {
    reply(status, &[("Content-Type", "application/json")], &body.to_string())
}

fn secret(name: &str, data: &Value) -> String {
    says("200 OK", &json!({ "kind": "Secret", "apiVersion": "v1", "metadata": { "name": name }, "data": data }))
}

fn refusal(code: u16, reason: &str, message: &str) -> String {
    let body = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message });
    says(&format!("{code} X"), &body)
}

/// An API server with these answers, and `404` for everything else.
fn api(answers: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Stub {
    Stub::saying(move |asked| answers(&asked.line).unwrap_or_else(|| refusal(404, "NotFound", "not found")))
}

fn with_key() -> Stub {
    let key = base64(KEY);
    let guest = base64("a-guest-of-the-house");
    api(move |line| match line {
        SECRET => Some(secret("demo", &json!({ "api.key": key }))),
        GUEST => Some(secret("guest", &json!({ "key": guest }))),
        _ => None,
    })
}

fn service() -> Stub {
    Stub::saying(|_| reply("200 OK", &[], ""))
}

/// The outcome of each check, with the words that it begins with.
fn outcomes(done: &Done) -> [String; 3] {
    let outcomes = done.outcomes("smoke").into_iter().map(|(_, outcome)| outcome);
    outcomes.collect::<Vec<_>>().try_into().expect("three checks")
}

#[test]
fn it_is_asked_for_and_used_and_kept_nowhere() {
    let service = Stub::saying(|asked| reply("500 Oops", &[("X-Key", &asked.headers.replace("\r\n", " "))], KEY));
    for format in FORMATS {
        let api = with_key();
        let done = project(&api.url).gate_against(&service).args(["--format", format]).run().expect_code(1);
        nothing_leaked(&done, &[]);
        assert!(!done.report("smoke", "run.json").contains("a-token-of-the-gate"));
        assert!(done.report("smoke", "run.json").contains("[redacted]"));
        let masks = done.stdout().lines().filter(|line| line.starts_with("::add-mask::")).count();
        assert_eq!(masks, if format == "github" { 2 } else { 0 }, "{}", done.stdout());
        let mut asked: Vec<String> = api.asked().into_iter().map(|asked| asked.line).collect();
        asked.sort();
        assert_eq!(asked, [SECRET, GUEST]);
        assert_eq!(api.asked()[0].header("authorization"), Some("Bearer a-token-of-the-gate"));
    }
    let closed = service.asked().into_iter().find(|asked| asked.line == "GET /closed").expect("it was asked");
    assert_eq!(closed.header("x-api-key"), Some(KEY));
}

#[test]
fn an_optional_one_that_is_not_there_skips_what_needs_it() {
    let key = base64(KEY);
    let (api, service) =
        (api(move |line| (line == SECRET).then(|| secret("demo", &json!({ "api.key": key })))), service());
    let project = project(&api.url);
    let done = project.gate_against(&service).run().expect_code(0).expect_said(&[
        "the optional identity `guest` has no secret: the key `key` of the secret `guest` in the namespace `guests` is \
         not set",
    ]);
    assert_eq!(outcomes(&done), ["passed", "passed", "skipped"]);
    let record = done.out.join("smoke.run.json");
    for more in [&[][..], &["--config", "prodtest.yaml"]] {
        let again = project.gate().arg("--replay").arg(&record).args(more).run().expect_code(0);
        assert_eq!(again.report("smoke", "run.json"), done.report("smoke", "run.json"));
    }
}

#[test]
fn one_that_is_not_given_makes_what_needs_it_undetermined() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        format!("http://{}", listener.local_addr().expect("its address"))
    };
    let forbidden = api(|_| Some(refusal(403, "Forbidden", "secrets is forbidden: User \"gate\" cannot get it")));
    let unknown = api(|_| Some(refusal(401, "Unauthorized", "Unauthorized")));
    let broken = api(|_| Some(refusal(500, "InternalError", "etcd is gone")));
    let garbage = api(|_| Some(reply("200 OK", &[], "<html>")));
    for (url, words) in [
        (
            &forbidden.url,
            &[
                "forbidden: secrets is forbidden: User \"gate\" cannot get it",
                "\"kind\":\"Role\"",
                "\"resourceNames\":[\"demo\"],\"verbs\":[\"get\"]",
            ][..],
        ),
        (&unknown.url, &["the credentials are not accepted: Unauthorized", "log in again"]),
        (&broken.url, &["it answered 500: etcd is gone"]),
        (&garbage.url, &["what came back is something else: no JSON"]),
        (&closed, &["it cannot be reached: connection refused", "kubectl get --raw /readyz"]),
    ] {
        let (project, service) = (project(url), service());
        let done = project.gate_against(&service).run().expect_code(3);
        assert_eq!(outcomes(&done), ["passed", "undetermined", "undetermined"]);
        let report = done.report("smoke", "md") + &done.said();
        let report = report.split_whitespace().collect::<Vec<_>>().join(" ");
        for word in words {
            assert!(report.contains(word), "`{word}` is not in\n{report}");
        }
        let lines: Vec<String> = service.asked().into_iter().map(|asked| asked.line).collect();
        assert_eq!(lines, ["GET /open"], "without its key nothing is asked");
    }
}

#[test]
fn a_replay_asks_no_cluster() {
    let (api, service) = (api(|_| Some(refusal(403, "Forbidden", "no"))), service());
    let project = project(&api.url);
    let done = project.gate_against(&service).run().expect_code(3);
    let before = api.connections();
    let record = done.out.join("smoke.run.json");
    for more in [&[][..], &["--config", "prodtest.yaml"]] {
        let again = project.gate().arg("--replay").arg(&record).args(more).run().expect_code(3);
        assert_eq!(again.files(), done.files());
    }
    assert_eq!(api.connections(), before);
}

#[test]
fn one_that_must_be_set_and_is_not_is_a_configuration_error() {
    for (data, words) in [
        (None, &["it is not there", "kubectl get secrets"][..]),
        (Some(json!({ "api-key": "eA==" })), &["it has no key `api.key`", "did you mean `api-key`?"]),
        (Some(json!({ "api.key": "" })), &["it is empty"]),
    ] {
        let api = api(move |line| data.as_ref().filter(|_| line == SECRET).map(|data| secret("demo", data)));
        let service = service();
        let done = project(&api.url).gate_against(&service).run().expect_code(2).expect_said(words);
        let not_set = "the key `api.key` of the secret `demo` in the namespace `godel` is not set";
        let done = done.expect_said(&[not_set, "prodtest.yaml:6:39"]);
        assert_eq!(service.connections(), 0);
        // Earlier reports were replaced when the run began; these say why there are no better ones.
        assert!(done.report("smoke", "run.json").contains(not_set));
        assert_eq!(outcomes(&done), ["undetermined"; 3]);
    }
}

#[test]
fn which_cluster_it_is_must_be_known() {
    let (api, service) = (with_key(), service());
    let project = project(&api.url);
    let refused = |done: Done, words: &[&str]| {
        let done = done.expect_code(2).expect_said(words);
        assert!(!done.out.exists(), "{:?} was written", done.files().keys());
    };
    let context = project.gate_against(&service).args(["--context", "stagin"]).run();
    refused(context, &["the kubeconfig has no context `stagin`", "did you mean `staging`?"]);
    let config = CONFIG.replace("kubeconfig: kube.yaml", "kubeconfig: kube.yaml, context: prod");
    project.write("prodtest.yaml", &config);
    refused(project.gate_against(&service).run(), &["no context `prod`", "prodtest.yaml:5:69"]);
    project.write("prodtest.yaml", &CONFIG.replace(", kubeconfig: kube.yaml", ""));
    refused(project.gate_against(&service).run(), &["there is no kubeconfig", "--kubeconfig FILE"]);
    project
        .write("prodtest.yaml", &CONFIG.replace("    kubernetes: { namespace: godel, kubeconfig: kube.yaml }\n", ""));
    refused(project.gate_against(&service).run(), &["nothing says in which namespace", "prodtest.yaml:5:39"]);
    assert_eq!((api.connections(), service.connections()), (0, 0));
}

#[test]
fn a_kubeconfig_is_found_where_kubectl_finds_it() {
    let (api, service) = (with_key(), service());
    let project = project(&api.url);
    project.write("prodtest.yaml", &CONFIG.replace(", kubeconfig: kube.yaml", ""));
    fs::create_dir(project.path(".kube")).expect("a folder");
    fs::copy(project.path("kube.yaml"), project.path(".kube/config")).expect("a copy");
    let gate = || project.gate_against(&service);
    let _ = gate().env("HOME", project.path("")).run().expect_code(0);
    let _ = gate().env("KUBECONFIG", project.path("kube.yaml")).run().expect_code(0);
    let _ = gate().env("PRODTEST_KUBECONFIG", "kube.yaml").run().expect_code(0);
    let missing = gate().env("HOME", project.path("")).env("KUBECONFIG", project.path("nowhere.yaml")).run();
    let _ = missing.expect_code(2).expect_said(&["nowhere.yaml`: No such file"]);
    // A flag before the variable; and what is named must be there.
    let wrong = gate().env("KUBECONFIG", project.path("kube.yaml")).args(["--kubeconfig", "nowhere.yaml"]).run();
    let _ = wrong.expect_code(2).expect_said(&["`nowhere.yaml`: No such file"]);
}

#[test]
fn what_only_prints_asks_no_cluster() {
    let api = with_key();
    let project = project(&api.url);
    let _ = project.gate().arg("--list").run().expect_code(0);
    let described = project.gate().args(["--describe", "--namespace", "elsewhere"]).run().expect_code(0);
    let described: Value = serde_json::from_str(&described.stdout()).expect("JSON");
    let rule = |namespace: &str, name: &str| json!({ "namespace": namespace, "apiGroups": [""], "resources": ["secrets"], "resourceNames": [name], "verbs": ["get"] });
    assert_eq!(described["rbac"], json!([rule("elsewhere", "demo"), rule("guests", "guest")]));
    assert_eq!(api.connections(), 0);
}

#[test]
fn a_cluster_that_says_nothing_is_not_waited_for_beyond_the_deadline() {
    // It keeps the connection until the gate has gone.
    let silent = Stub::start(|_, stream| stream.read(&mut [0]).map(|_| ()));
    let service = service();
    let done = project(&silent.url).gate_against(&service).args(["--timeout", "500ms"]).run().expect_code(3);
    let _ = done.expect_said(&["`--timeout` of 0.5 s passed"]);
    assert_eq!(service.connections(), 0);
}

#[test]
fn the_certificate_of_the_cluster_must_be_of_the_authority_that_the_kubeconfig_names() {
    let godel = Godel::start(&[], Some(Flaw::None));
    let service = service();
    let ask = |cluster: String| {
        let project = project("");
        project.write("kube.yaml", &kubeconfig(&cluster));
        project.gate_against(&service).run().expect_code(3)
    };
    let stranger = ask(format!("server: '{}'", godel.url));
    let _ = stranger.expect_said(&["its certificate is not accepted", "certificate-authority-data"]);
    let ca = godel.ca.as_ref().expect("it has one").display();
    let known = ask(format!("server: '{}', certificate-authority: '{ca}'", godel.url));
    // It answers, though it is no cluster.
    let _ = known.expect_said(&["what came back is something else"]);
}
