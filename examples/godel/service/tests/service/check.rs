//! `--check`: what an image without a shell can find out.

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use crate::support::{Godel, output};

/// Neither a key nor anything else is needed to ask.
const NO_KEY: &[(&str, &str)] = &[("GODEL_API_KEY", "")];

async fn check(url: &str) -> (Option<i32>, String, String) {
    output(&["--check", url], NO_KEY).await
}

#[tokio::test]
async fn a_service_that_is_well_is_said_to_be() {
    let godel = Godel::start(&[]).await;
    let url = format!("{}/api/health/ready", godel.url);
    assert_eq!(check(&url).await, (Some(0), format!("{url} answers 200 OK\n"), String::new()));
}

#[tokio::test]
async fn an_answer_that_is_not_good_is_shown() {
    let godel = Godel::start(&[]).await;
    let (code, stdout, stderr) = check(&format!("{}/api/agents", godel.url)).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    let said = format!("error: `{}/api/agents` answers 401 Unauthorized: {{", godel.url);
    assert!(stderr.starts_with(&said) && stderr.contains("\n  hint: "), "{stderr}");
}

#[tokio::test]
async fn nobody_there_is_not_well() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let (code, _, stderr) = check(&url).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("is not reached"), "{stderr}");
}

#[tokio::test]
async fn what_is_no_http_is_not_well() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(b"SSH-2.0-nothing\r\n").await.unwrap();
    });
    let (code, _, stderr) = check(&url).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("does not answer: "), "{stderr}");
}

#[tokio::test]
async fn who_never_answers_is_not_waited_for() {
    // Connections wait in the backlog, and nobody reads.
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (code, _, stderr) = check(&format!("http://{}/", listener.local_addr().unwrap())).await;
    assert_eq!(code, Some(1));
    assert!(stderr.contains("does not answer within 5 s"), "{stderr}");
}

#[tokio::test]
async fn what_cannot_be_asked_is_refused() {
    for url in ["https://localhost/", "localhost:7373", "/api/health", "http://", "http://a b/"] {
        let (code, stdout, stderr) = check(url).await;
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{url}");
        assert!(stderr.contains("--check"), "{stderr}");
    }
    let (code, ..) = output(&["--check", "http://localhost/", "--listen", "127.0.0.1:0"], NO_KEY).await;
    assert_eq!(code, Some(2), "it either asks or serves");
}
