//! One answer of another version is enough.

use prodtest_http::ClientOptions;
use proptest::prelude::*;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};

use super::*;

fn facts(answers: Vec<Answer>) -> VersionFacts {
    VersionFacts { url: "http://a/".to_owned(), field: "version".to_owned(), answers }
}

fn version(version: &str) -> Answer {
    Answer::Version { version: version.to_owned() }
}

#[test]
fn one_replica_left_behind_is_noticed() {
    let answers = [vec![version("2"); 9], vec![version("1")]].concat();
    let other = VersionMismatch::Other { version: "1".to_owned(), count: 1, of: 10 };
    assert_eq!(judge_version("2", &facts(answers)), [other]);
}

#[test]
fn a_version_is_found_by_the_way_to_it() {
    let body = serde_json::json!({ "version": "1", "build": { "version": "2" } });
    for (field, found) in [("version", "1"), ("$.version", "1"), ("build.version", "2"), ("$.build.version", "2")] {
        assert_eq!(at(&body, field).unwrap(), found, "{field}");
    }
    assert_eq!(at(&body, "build.commit"), None);
}

proptest! {
    #[test]
    fn it_is_in_order_only_if_every_answer_is_of_the_version(kinds in proptest::collection::vec(0_u8..4, 0..12)) {
        let why = || "a reason".to_owned();
        let answers: Vec<Answer> = kinds.iter().map(|kind| match kind {
            0 => version("1"),
            1 => Answer::Without { why: why() },
            2 => Answer::None { why: why() },
            _ => version("2"),
        }).collect();
        let good = !kinds.is_empty() && kinds.iter().all(|kind| *kind == 3);
        prop_assert_eq!(judge_version("2", &facts(answers)).is_empty(), good);
    }
}

#[tokio::test]
async fn every_request_has_a_connection_of_its_own() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Url::parse(&format!("http://{}/health", listener.local_addr().unwrap())).unwrap();
    // Each connection answers with its own number, as often as it is asked.
    let serving = tokio::spawn(async move {
        for number in 1_u32.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let mut buffer = [0; 1024];
                while stream.read(&mut buffer).await.is_ok_and(|read| read > 0) {
                    let body = format!("{{\"version\":{number}}}");
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                    stream.write_all(format!("{head}{body}").as_bytes()).await.unwrap();
                }
            });
        }
    });
    let client = Client::new(ClientOptions::default()).unwrap();
    let asked = Ask { url, field: "version".to_owned(), times: 3, timeout: Duration::from_secs(5) };
    let answers = ask(&client, &asked).await.answers;
    serving.abort();
    assert_eq!(answers, [version("1"), version("2"), version("3")]);
}
