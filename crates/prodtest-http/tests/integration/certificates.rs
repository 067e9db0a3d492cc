//! What is seen of certificates, good and bad.

use std::{
    io::Write,
    net::TcpListener,
    time::{Duration, SystemTime},
};

use prodtest_http::{
    CertificateFacts, CertificateProblemKind as Kind, ClientOptions, FailureKind, inspect_certificate,
};

use crate::{
    authority::{Authority, Identity, NAME, params, self_signed, serve, serve_versions, url},
    server::{HEALTHY, Server},
};

async fn look(options: &ClientOptions, now: SystemTime) -> CertificateFacts {
    inspect_certificate(&url(), options, Duration::from_secs(10), now).await
}

/// Looks at a server with that identity, trusting the authority.
async fn inspect(authority: &Authority, identity: Identity) -> CertificateFacts {
    look(&authority.options(&serve(identity)), SystemTime::now()).await
}

fn kinds(facts: &CertificateFacts) -> Vec<Kind> {
    assert!(facts.reached, "{facts:?}");
    assert!(facts.wrong_name_refused, "the control did not trip: {facts:?}");
    facts.problems.iter().map(|problem| problem.kind).collect()
}

#[tokio::test]
async fn a_good_certificate() {
    let authority = Authority::new("root");
    let facts = inspect(&authority, authority.sign(&params(&[NAME, "*.b.example", "192.0.2.1"], 2020, 2090))).await;
    assert_eq!(kinds(&facts), []);
    assert_eq!((facts.failure.as_ref(), facts.protocol.as_deref()), (None, Some("TLS 1.3")));
    let [certificate] = facts.chain.as_slice() else { panic!("{facts:?}") };
    assert_eq!((certificate.subject.as_str(), certificate.issuer.as_str()), ("CN=a service", "CN=root"));
    assert_eq!(certificate.names, [NAME, "*.b.example", "192.0.2.1"]);
    assert_eq!(certificate.not_before.to_string(), "2020-01-01T00:00:00Z");
    assert_eq!(certificate.not_after.to_string(), "2090-01-01T00:00:00Z");
    assert_eq!(certificate.fingerprint.len(), 64);
    let json = serde_json::to_value(&facts).unwrap();
    assert_eq!(json["chain"][0]["not-after"], "2090-01-01T00:00:00Z");
    assert_eq!(serde_json::from_value::<CertificateFacts>(json).unwrap(), facts);
}

#[tokio::test]
async fn an_older_version_of_tls_is_told() {
    let authority = Authority::new("root");
    let server = serve_versions(authority.sign(&params(&[NAME], 2020, 2090)), &[&rustls::version::TLS12]);
    let facts = look(&authority.options(&server), SystemTime::now()).await;
    assert_eq!((kinds(&facts), facts.protocol.as_deref()), (vec![], Some("TLS 1.2")));
}

#[tokio::test]
async fn each_problem_alone() {
    let authority = Authority::new("root");
    let facts = inspect(&authority, authority.sign(&params(&["a.example", "b.example"], 2020, 2090))).await;
    assert_eq!(kinds(&facts), [Kind::WrongName]);
    let words = "the certificate is for `a.example`, `b.example`, not for `service.example`";
    assert_eq!(facts.problems[0].message, words);

    let facts = inspect(&authority, authority.sign(&params(&[NAME], 2010, 2020))).await;
    assert_eq!(kinds(&facts), [Kind::Expired]);

    let facts = inspect(&authority, authority.sign(&params(&[NAME], 2090, 2091))).await;
    assert_eq!(kinds(&facts), [Kind::NotYetValid]);

    let facts = inspect(&authority, self_signed(&params(&[NAME], 2020, 2090))).await;
    assert_eq!(kinds(&facts), [Kind::UnknownIssuer]);
    assert!(facts.problems[0].message.contains("signed by itself (`CN=a service`)"), "{facts:?}");
}

#[tokio::test]
async fn problems_together() {
    let authority = Authority::new("root");
    let facts = inspect(&authority, authority.sign(&params(&["a.example"], 2010, 2020))).await;
    assert_eq!(kinds(&facts), [Kind::Expired, Kind::WrongName]);
    let facts = inspect(&authority, self_signed(&params(&["a.example"], 2010, 2020))).await;
    assert_eq!(kinds(&facts), [Kind::Expired, Kind::UnknownIssuer, Kind::WrongName]);
}

#[tokio::test]
async fn the_day_is_the_callers() {
    let authority = Authority::new("root");
    let server = serve(authority.sign(&params(&[NAME], 2010, 2020)));
    let in_2015 = SystemTime::UNIX_EPOCH + Duration::from_secs(1_420_070_400);
    assert_eq!(kinds(&look(&authority.options(&server), in_2015).await), []);
}

#[tokio::test]
async fn an_intermediate_that_is_sent_and_one_that_is_not() {
    let authority = Authority::new("root");
    let intermediate = authority.intermediate("between");
    let lone = intermediate.sign(&params(&[NAME], 2020, 2090));
    let mut whole = intermediate.sign(&params(&[NAME], 2020, 2090));
    whole.chain.push(intermediate.der());

    let facts = inspect(&authority, whole).await;
    assert_eq!((kinds(&facts), facts.chain.len()), (vec![], 2));
    let facts = inspect(&authority, lone).await;
    assert_eq!(kinds(&facts), [Kind::UnknownIssuer]);
    let message = &facts.problems[0].message;
    assert!(message.contains("`CN=between`") && message.contains("sent no certificate of it"), "{message}");
}

#[tokio::test]
async fn an_authority_used_as_a_server() {
    let mut own = params(&[NAME], 2020, 2090);
    own.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    let authority = Authority::new("root");
    let facts = inspect(&authority, authority.sign(&own)).await;
    assert_eq!(kinds(&facts), [Kind::Other]);
    assert!(facts.problems[0].message.contains("an authority's own"), "{facts:?}");
}

#[tokio::test]
async fn no_handshake_at_all() {
    let server = Server::start(|_, mut stream| {
        let _ = stream.write_all(HEALTHY);
        let _ = std::io::Read::read(&mut stream, &mut [0; 4096]);
    });
    let authority = Authority::new("root");
    let facts = look(&authority.options(&server), SystemTime::now()).await;
    assert_eq!((facts.reached, facts.failure.unwrap().kind), (false, FailureKind::Tls));
    assert!(!facts.wrong_name_refused && facts.chain.is_empty());

    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let options = ClientOptions { connect: Some(("127.0.0.1".to_owned(), port)), ..authority.options(&server) };
    let facts = look(&options, SystemTime::now()).await;
    assert_eq!(facts.failure.unwrap().kind, FailureKind::Refused);
    let facts = look(&ClientOptions { ca: Some(Vec::new()), ..options }, SystemTime::now()).await;
    assert_eq!(facts.failure.unwrap().kind, FailureKind::NoAuthorities);
}
