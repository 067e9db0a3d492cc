//! The gate's proof that its instrument can fail: answers from a loopback server that are wrong in a known way.
//!
//! Each is measured by the same client and held against expectations by the same code as the service's own answers.

use std::time::Duration;

use prodtest_config::{Located, Period};
use prodtest_gate::{Control, Place};
use prodtest_http::{Client, ClientOptions, Request};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
};

use crate::{
    assert,
    expect::{Expect, Matcher, Operations, Ordered, StatusPattern, StatusSet},
    facts::{ControlFacts, Facts},
    plan,
    template::Vars,
};

const SLOW: Duration = Duration::from_millis(60);
const LIMIT: Duration = Duration::from_millis(20);

/// One wrong answer.
struct Wrong {
    /// What it is called, and its path on the control server.
    name: &'static str,
    /// What is wrong with it.
    what: &'static str,
    /// The bytes of the answer.
    answer: &'static str,
    /// How long the server waits before it answers.
    delay: Duration,
    /// The rule that must be broken; none for the answer that is right.
    rule: Option<&'static str>,
}

const fn wrong(name: &'static str, what: &'static str, answer: &'static str, rule: &'static str) -> Wrong {
    Wrong { name, what, answer, delay: Duration::ZERO, rule: Some(rule) }
}

const RIGHT: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{\"good\":true}";

const WRONGS: [Wrong; 7] = [
    Wrong { name: "right", what: "a right answer", answer: RIGHT, delay: Duration::ZERO, rule: None },
    wrong(
        "status",
        "a status of 500 where 200 is asked for",
        "HTTP/1.1 500 X\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{\"good\":true}",
        "status",
    ),
    wrong(
        "json",
        "a JSON value that is not the one asked for",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 14\r\nconnection: close\r\n\r\n{\"good\":false}",
        "json",
    ),
    wrong(
        "html",
        "a web page where JSON is asked for",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 13\r\nconnection: close\r\n\r\n<html></html>",
        "json",
    ),
    wrong(
        "header",
        "a content type that is not the one asked for",
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: 13\r\nconnection: close\r\n\r\n{\"good\":true}",
        "header",
    ),
    wrong(
        "transport",
        "an answer that breaks off",
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 99\r\nconnection: close\r\n\r\n{\"good\":true}",
        "transport",
    ),
    Wrong {
        name: "within",
        what: "an answer after 60 ms where 20 ms are allowed",
        answer: RIGHT,
        delay: SLOW,
        rule: Some("within"),
    },
];

/// Asks the control server for every answer.
pub(crate) async fn observe() -> Vec<ControlFacts> {
    let Ok(listener) = TcpListener::bind("127.0.0.1:0").await else { return Vec::new() };
    let Ok(address) = listener.local_addr() else { return Vec::new() };
    let Ok(client) = Client::new(ClientOptions::default()) else { return Vec::new() };
    let asking = async {
        let mut facts = Vec::new();
        for wrong in &WRONGS {
            let Ok(url) = format!("http://{address}/{}", wrong.name).parse() else { continue };
            let request = Request {
                method: "GET".to_owned(),
                url,
                headers: Vec::new(),
                body: None,
                timeout: Duration::from_secs(5),
                max_body: 1024,
            };
            facts.push(ControlFacts { name: wrong.name.to_owned(), exchange: client.send(request).await });
        }
        facts
    };
    tokio::select! {
        facts = asking => facts,
        () = serve(&listener) => Vec::new(),
    }
}

/// Answers one connection after the other, for as long as it is asked to.
async fn serve(listener: &TcpListener) {
    while let Ok((stream, _)) = listener.accept().await {
        // A connection that breaks is the client's to notice.
        let _ = answer(stream).await;
    }
}

async fn answer(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < 4096 {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let path = String::from_utf8_lossy(&head);
    let name = path.split([' ', '/']).nth(2).unwrap_or_default();
    if let Some(wrong) = WRONGS.iter().find(|wrong| wrong.name == name) {
        tokio::time::sleep(wrong.delay).await;
        stream.write_all(wrong.answer.as_bytes()).await?;
    }
    stream.shutdown().await
}

/// What is asked of every one of them.
fn expectation() -> Expect {
    let located = |operations| Located { value: Matcher(operations), place: nowhere() };
    Expect {
        status: Some(Located { value: StatusSet(vec![StatusPattern::Exact(200)]), place: nowhere() }),
        within: Some(Located { value: Period(LIMIT), place: nowhere() }),
        headers: Ordered(vec![(
            "content-type".to_owned(),
            located(Operations { contains: Some("json".into()), ..Operations::default() }),
        )]),
        json: Ordered(vec![(
            "$.good".to_owned(),
            located(Operations { equals: Some(true.into()), ..Operations::default() }),
        )]),
        body: None,
    }
}

const fn nowhere() -> Place {
    Place { file: String::new(), line: 0, column: 0 }
}

/// Judges what the controls showed: every wrong answer noticed for what it is, and the right one accepted.
pub(crate) fn judge(facts: &Facts) -> Vec<Control> {
    let by_loopback = WRONGS.iter().map(|wrong| {
        let exchange =
            facts.controls.iter().find(|control| control.name == wrong.name).map(|control| &control.exchange);
        // How fast the machine is must not decide whether the right answer is accepted.
        let expect = Expect { within: expectation().within.filter(|_| wrong.rule == Some("within")), ..expectation() };
        let broken: Option<Vec<&str>> = exchange
            .and_then(|exchange| assert::unmet(&expect, exchange, &Vars::new()).ok())
            .map(|unmet| unmet.iter().map(|unmet| unmet.rule).collect());
        let tripped = match (&broken, wrong.rule) {
            (None, _) => false,
            (Some(broken), None) => broken.is_empty(),
            (Some(broken), Some(rule)) => broken == &[rule],
        };
        let detail = match broken {
            None => "the control server could not be asked".to_owned(),
            Some(broken) if broken.is_empty() => "accepted".to_owned(),
            Some(broken) => format!("refused by `{}`", broken.join("`, `")),
        };
        Control { name: wrong.what.to_owned(), tripped, detail, proves: Vec::new() }
    });
    let by_certificate = facts.scenarios.iter().flat_map(|scenario| {
        let looked = scenario.steps.iter().filter_map(|step| step.certificate.as_ref());
        looked.filter(|certificate| !certificate.chain.is_empty()).map(|certificate| Control {
            name: "the service's certificate for a host that it cannot name".to_owned(),
            tripped: certificate.wrong_name_refused,
            detail: if certificate.wrong_name_refused { "refused" } else { "accepted" }.to_owned(),
            proves: vec![plan::id(&scenario.id)],
        })
    });
    by_loopback.chain(by_certificate).collect()
}

#[cfg(test)]
mod tests;
