//! The client against an API server without a socket.

use http::{Request, Response};
use kube::client::Body;
use secrecy::ExposeSecret;
use serde_json::json;

use super::*;

type ApiServer = tower_test::mock::Handle<Request<Body>, Response<Body>>;

/// How long a test waits for its API server.
const SOON: Duration = Duration::from_secs(5);

fn cluster() -> (Cluster, ApiServer) {
    let (service, server) = tower_test::mock::pair::<Request<Body>, Response<Body>>();
    (Cluster::of(Client::new(service, "default"), "https://cluster.example"), server)
}

/// Asks for `key` of `godel-api-key` in `godel`, and gives that answer.
async fn answered(status: u16, body: impl Into<Vec<u8>>) -> Result<String, ClusterError> {
    let (cluster, mut server) = cluster();
    let serving = async {
        let (request, send) = server.next_request().await.expect("a request");
        assert_eq!(request.method(), http::Method::GET);
        assert_eq!(request.uri().path(), "/api/v1/namespaces/godel/secrets/godel-api-key");
        send.send_response(Response::builder().status(status).body(Body::from(body.into())).unwrap());
    };
    let (value, ()) =
        timeout(SOON, async { tokio::join!(cluster.secret("godel", "godel-api-key", "key"), serving) }).await.unwrap();
    value.map(|value| value.expose_secret().to_owned())
}

/// What the API says when it does not do what it is asked to.
fn status(code: u16, reason: &str, message: &str) -> Vec<u8> {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": message });
    status.to_string().into_bytes()
}

fn secret(data: &serde_json::Value) -> Vec<u8> {
    let secret = json!({ "kind": "Secret", "apiVersion": "v1", "metadata": { "name": "godel-api-key" }, "data": data });
    secret.to_string().into_bytes()
}

#[tokio::test]
async fn the_value_of_a_key_is_read() {
    let value = answered(200, secret(&json!({ "key": "b3BlbnNlc2FtZQ==", "other": "eA==" }))).await;
    assert_eq!(value.unwrap(), "opensesame");
}

#[tokio::test]
async fn what_is_not_set_is_told_from_what_is_not_given() {
    let missing = answered(404, status(404, "NotFound", "secrets \"godel-api-key\" not found")).await.unwrap_err();
    assert!(missing.is_unset() && missing.problem == Problem::NotFound, "{missing}");
    let no_key = answered(200, secret(&json!({ "kez": "eA==", "user": "eA==" }))).await.unwrap_err();
    assert!(no_key.is_unset(), "{no_key}");
    assert!(no_key.to_string().ends_with("it has no key `key`"), "{no_key}");
    assert_eq!(no_key.hint().unwrap(), "did you mean `kez`? it has `kez` and `user`");
    let empty = answered(200, secret(&json!(null))).await.unwrap_err();
    assert_eq!(empty.hint().unwrap(), "it has no key at all");
    // A proxy that knows nothing of the API was asked, not the API.
    let page = answered(404, "<html>not here</html>").await.unwrap_err();
    assert!(!page.is_configuration(), "{page}");
    assert_eq!(page.problem, Problem::Refused { code: 404, message: "<html>not here</html>".into() });
}

#[tokio::test]
async fn who_may_not_is_told_which_role_to_apply() {
    let error = answered(403, status(403, "Forbidden", "secrets is forbidden: User \"gate\" cannot get it")).await;
    let error = error.unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not get the secret `godel-api-key` in the namespace `godel`, at the cluster \
         `https://cluster.example`: forbidden: secrets is forbidden: User \"gate\" cannot get it"
    );
    assert!(!error.is_configuration());
    assert_eq!(
        error.hint().unwrap(),
        "apply this Role, and bind it to whoever the gate runs as: {\"apiVersion\":\"rbac.authorization.k8s.io/v1\",\
         \"kind\":\"Role\",\"metadata\":{\"name\":\"prodtest\",\"namespace\":\"godel\"},\"rules\":[{\"apiGroups\":[\"\"],\
         \"resources\":[\"secrets\"],\"resourceNames\":[\"godel-api-key\"],\"verbs\":[\"get\"]}]}"
    );
}

#[tokio::test]
async fn an_api_that_does_not_do_its_part_is_no_configuration_error() {
    for (code, body, expected) in [
        (401, status(401, "Unauthorized", "Unauthorized"), "the credentials are not accepted: Unauthorized"),
        (500, status(500, "InternalError", "etcd is\ngone"), "it answered 500: etcd is gone"),
        (502, vec![b'x'; 9000], "it answered 502: xxx"),
        (200, b"<html>".to_vec(), "what came back is something else: no JSON, at line 1, column 1"),
        (200, b"{}".to_vec(), "what came back is something else: it is not that Secret"),
        (200, b"\xff".to_vec(), "what came back is something else: no text"),
        (500, b"".to_vec(), "it answered 500: without a word"),
        (404, b"{\"error\":\"no such path\"}".to_vec(), "something else: an error that is none of Kubernetes' own"),
    ] {
        let error = answered(code, body).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.is_configuration() && error.to_string().len() < 500, "{error}");
    }
}

#[tokio::test]
async fn no_value_is_in_an_error() {
    let body = json!({ "kind": "Secret", "apiVersion": "v1", "metadata": { "name": "godel-api-key" }, "data": { "key": "!hunter22" } });
    for body in [body.to_string(), r#"{"kind": "Secret", "data": "hunter22"}"#.to_owned(), "hunter22".to_owned()] {
        let error = answered(200, body).await.unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter22"), "{error:?}");
    }
    let error = answered(200, secret(&json!({ "key": "//79/A==" }))).await.unwrap_err();
    assert!(matches!(error.problem, Problem::NoText { .. }), "{error}");
}

#[tokio::test]
async fn a_call_has_an_end() {
    let (mut cluster, mut server) = cluster();
    cluster.patience = Duration::from_millis(50);
    let serving = async { server.next_request().await.expect("a request") };
    let (value, _held) = timeout(SOON, async { tokio::join!(cluster.secret("a", "b", "c"), serving) }).await.unwrap();
    let error = value.unwrap_err();
    assert!(error.to_string().ends_with("no answer within 0.05 s"), "{error}");
    assert!(!error.is_configuration());
}

/// A kubeconfig of a cluster at that address, with these credentials.
fn server(address: &str, user: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("config");
    let text = format!(
        "current-context: a\ncontexts: [{{ name: a, context: {{ cluster: a, user: a }} }}]\n\
         clusters: [{{ name: a, cluster: {{ server: '{address}' }} }}]\nusers: [{{ name: a, user: {user} }}]\n"
    );
    std::fs::write(&path, text).unwrap();
    Server::find(&crate::Access { kubeconfig: Some(path), context: None }).unwrap()
}

#[tokio::test]
async fn a_cluster_that_is_not_there_is_unreachable() {
    let address = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let cluster = Cluster::connect(&server(&address, "{ token: hunter22 }")).await.unwrap();
    let error = cluster.secret("a", "b", "c").await.unwrap_err();
    assert_eq!(error.problem, Problem::Unreachable("connection refused".into()));
    assert!(!format!("{error} {error:?} {cluster:?}").contains("hunter22"));
}

#[tokio::test]
async fn a_plugin_that_fails_is_told_with_its_last_words() {
    let plugin = |script: &str| {
        format!("{{ exec: {{ command: sh, args: [-c, '{script}'], env: [{{ name: A, value: hunter22 }}] }} }}")
    };
    for (script, says) in [
        ("echo no >&2; echo session expired >&2; exit 7", "exit status: 7: session expired"),
        ("echo hunter22: [", "what the plugin printed is no credential"),
        ("echo {}", "exec-plugin response did not contain a status"),
    ] {
        let error = Cluster::connect(&server("https://127.0.0.1:1", &plugin(script))).await.unwrap_err();
        assert!(
            error.to_string().starts_with("could not get credentials by the plugin `sh`, at the cluster"),
            "{error}"
        );
        assert!(error.to_string().ends_with(says), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter22"), "{error:?}");
        assert!(!error.is_configuration());
    }
}

#[tokio::test]
async fn a_kubeconfig_whose_key_is_none_is_a_configuration_error() {
    let user = "{ client-certificate-data: aHVudGVyMjI=, client-key-data: aHVudGVyMjI= }";
    let error = Cluster::connect(&server("https://127.0.0.1:1", user)).await.unwrap_err();
    assert!(error.is_configuration(), "{error}");
    assert!(!error.to_string().contains("hunter22"), "{error}");
}
