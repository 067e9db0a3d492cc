//! The Lease and the journal of a release, against the API itself.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use prodtest_kube::Cluster;
use prodtest_rollout::journal::{
    AcquireError, Decision, Held, Holder, Journal, JournalError, OnFailure, Phase, Standing, Store, Verdict,
    acquire_for,
};
use prodtest_tests::shared;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::watch,
    task::{JoinHandle, JoinSet},
    time::timeout,
};

use crate::site::{Namespace, block_on, cluster};

const RELEASE: &str = "shop";
/// How long the Leases of these tests are good for.
const SHORT: Duration = Duration::from_secs(3);

fn holder() -> Holder {
    Holder::new("deploy", Some("https://ci.example/runs/7".to_owned())).expect("a random number")
}

async fn take(cluster: &Cluster, namespace: &str, patience: Duration) -> Result<Held, AcquireError> {
    acquire_for(cluster, namespace, RELEASE, &holder(), patience, SHORT).await
}

/// Waits for a standing like that.
async fn standing(watch: &mut watch::Receiver<Standing>, like: impl Fn(&Standing) -> bool) -> Standing {
    let found = timeout(Duration::from_secs(30), watch.wait_for(|standing| like(standing))).await;
    found.expect("the standing changes within 30 s").expect("it is told").clone()
}

#[test]
fn lab_cluster_of_two_who_take_a_release_at_once_one_gets_it() {
    let Some(lab) = shared() else { return };
    let namespace = Namespace::new(&lab, "lease-race");
    block_on(async {
        let (one, two) = (cluster(&lab.kubeconfig()).await, cluster(&lab.kubeconfig()).await);
        for round in 0..5 {
            let both =
                tokio::join!(take(&one, namespace.name, Duration::ZERO), take(&two, namespace.name, Duration::ZERO));
            let (held, busy) = match both {
                (Ok(held), Err(busy)) | (Err(busy), Ok(held)) => (held, busy),
                other => panic!("round {round}: {other:?}"),
            };
            let AcquireError::Busy { holder, .. } = busy else { panic!("round {round}: {busy}") };
            assert_eq!(holder, held.holder);
            held.release().await.expect("it is given back");
        }
    });
}

#[test]
fn lab_cluster_a_holder_that_died_is_followed_after_the_duration_and_not_before() {
    let Some(lab) = shared() else { return };
    let namespace = Namespace::new(&lab, "lease-dead");
    block_on(async {
        let cluster = cluster(&lab.kubeconfig()).await;
        let dead = take(&cluster, namespace.name, Duration::ZERO).await.expect("it is free");
        let who = dead.holder.clone();
        drop(dead);
        let begun = Instant::now();
        let heir = take(&cluster, namespace.name, Duration::ZERO).await.expect("it died");
        assert!(begun.elapsed() > SHORT, "taken after {:?}", begun.elapsed());
        assert!(begun.elapsed() < SHORT * 2, "taken only after {:?}", begun.elapsed());
        assert_eq!(heir.taken_over, Some(who));
        heir.release().await.expect("it is given back");
        let begun = Instant::now();
        let next = take(&cluster, namespace.name, Duration::ZERO).await.expect("it is free");
        assert!(begun.elapsed() < SHORT, "what was given back is free at once");
        assert_eq!(next.taken_over, None);
    });
    let transitions =
        namespace.kubectl(&["get", "lease", "prodtest-shop", "--output=jsonpath={.spec.leaseTransitions}"]);
    assert_eq!(transitions, "2");
}

#[test]
fn lab_cluster_a_holder_that_renews_is_never_followed() {
    let Some(lab) = shared() else { return };
    let namespace = Namespace::new(&lab, "lease-alive");
    block_on(async {
        let cluster = cluster(&lab.kubeconfig()).await;
        let held = take(&cluster, namespace.name, Duration::ZERO).await.expect("it is free");
        let begun = Instant::now();
        let busy = take(&cluster, namespace.name, SHORT * 3).await.expect_err("it lives");
        assert!(matches!(&busy, AcquireError::Busy { holder, .. } if *holder == held.holder), "{busy}");
        assert!(begun.elapsed() >= SHORT * 3, "not waited for");
        assert_eq!(held.standing(), Standing::Ours);
    });
}

#[test]
fn lab_cluster_a_release_that_somebody_took_is_lost_and_its_journal_not_written() {
    let Some(lab) = shared() else { return };
    let namespace = Namespace::new(&lab, "lease-lost");
    block_on(async {
        let cluster = cluster(&lab.kubeconfig()).await;
        let held = take(&cluster, namespace.name, Duration::ZERO).await.expect("it is free");
        namespace.kubectl(&["patch", "lease", "prodtest-shop", "--patch", r#"{"spec":{"holderIdentity":"alice"}}"#]);
        let lost = standing(&mut held.watch(), |standing| *standing != Standing::Ours).await;
        assert_eq!(lost, Standing::Lost { to: Some(Holder::parse("alice")) });
        let store = Store::new(&cluster, namespace.name, RELEASE);
        let error = store.write(&held, &journal(&held)).await.expect_err("it is not ours");
        assert!(matches!(error, JournalError::NotHeld(_)), "{error}");
        held.release().await.expect("there is nothing to give back");
    });
    let holder = namespace.kubectl(&["get", "lease", "prodtest-shop", "--output=jsonpath={.spec.holderIdentity}"]);
    assert_eq!(holder, "alice", "what is not ours was given back");
}

/// Carries connections to the API until it is dropped, which cuts them.
struct Carrier(JoinHandle<()>);

impl Carrier {
    async fn start(listen: &str, to: String) -> (Self, u16) {
        let listener = TcpListener::bind(listen).await.expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let carrying = tokio::spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let to = to.clone();
                connections.spawn(async move {
                    if let Ok(mut server) = TcpStream::connect(to).await {
                        let _ = tokio::io::copy_bidirectional(&mut stream, &mut server).await;
                    }
                });
            }
        });
        (Self(carrying), port)
    }
}

impl Drop for Carrier {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[test]
fn lab_cluster_a_release_is_unsure_while_the_cluster_is_away_and_ours_again_after() {
    let Some(lab) = shared() else { return };
    let namespace = Namespace::new(&lab, "lease-unsure");
    block_on(async {
        let text = std::fs::read_to_string(lab.kubeconfig()).expect("a kubeconfig");
        let server = text.split_once("https://").expect("a server").1;
        let server = server.split(|letter: char| letter.is_whitespace() || letter == '"').next().expect("an address");
        let (carrier, port) = Carrier::start("127.0.0.1:0", server.to_owned()).await;
        let folder = tempfile::tempdir().expect("a folder");
        let kubeconfig = folder.path().join("kubeconfig");
        std::fs::write(&kubeconfig, text.replace(server, &format!("127.0.0.1:{port}"))).expect("a kubeconfig");

        let held = take(&cluster(&kubeconfig).await, namespace.name, Duration::ZERO).await.expect("it is free");
        let mut watch = held.watch();
        let begun = Instant::now();
        drop(carrier);
        assert_eq!(standing(&mut watch, |standing| *standing != Standing::Ours).await, Standing::Unsure);
        assert!(begun.elapsed() < SHORT * 3 / 2, "told only after {:?}", begun.elapsed());
        let (_carrier, _) = Carrier::start(&format!("127.0.0.1:{port}"), server.to_owned()).await;
        assert_eq!(standing(&mut watch, |standing| *standing != Standing::Unsure).await, Standing::Ours);
        held.release().await.expect("it is given back");
    });
}

fn journal(held: &Held) -> Journal {
    let mut journal = Journal::new(&held.holder, "2026-01-01T00:00:00Z".parse().expect("a time"), OnFailure::Rollback);
    (journal.from, journal.phase) = (Some(3), Phase::Upgrading);
    journal
}

#[test]
fn lab_cluster_a_journal_is_kept_beside_what_others_keep_and_garbage_is_not_overwritten() {
    let Some(lab) = shared() else { return };
    let namespace = Namespace::new(&lab, "journal");
    let verdict = Verdict {
        verdict: Decision::Failed,
        version: Some("1.2.3".to_owned()),
        digest: None,
        migration: None,
        at: "2026-01-01T00:00:00Z".parse().expect("a time"),
        gate: "deploy".to_owned(),
        why: "the image is not there".to_owned(),
    };
    let data = || -> BTreeMap<String, String> {
        let map = namespace.kubectl(&["get", "configmap", "prodtest-shop", "--output=jsonpath={.data}"]);
        serde_json::from_str(&map).expect("a map")
    };
    let patch = |data: &str| {
        namespace.kubectl(&["patch", "configmap", "prodtest-shop", "--patch", &format!("{{\"data\":{data}}}")]);
    };
    block_on(async {
        let cluster = cluster(&lab.kubeconfig()).await;
        let store = Store::new(&cluster, namespace.name, RELEASE);
        assert_eq!(store.read().await.expect("nothing is no error").journal, None);
        let held = take(&cluster, namespace.name, Duration::ZERO).await.expect("it is free");
        let written = journal(&held);
        store.write(&held, &written).await.expect("it is taken");
        patch(r#"{"notes":"ours"}"#);
        // Both change one ConfigMap at once, and neither loses what the other wrote.
        let history = [3, 4];
        let both = tokio::join!(store.decide(&held, 3, &verdict, &history), store.decide(&held, 4, &verdict, &history));
        both.0.and(both.1).expect("both are taken");
        let kept = store.read().await.expect("it is read");
        assert_eq!((kept.journal, kept.verdicts.len()), (Some(written.clone()), 2));
        assert_eq!(data()["notes"], "ours");

        patch(r#"{"journal":"{garbage"}"#);
        let error = store.write(&held, &written).await.expect_err("garbage is left alone");
        assert!(error.hint().expect("a hint").contains("kubectl --namespace journal delete configmap prodtest-shop"));
        assert_eq!(data()["journal"], "{garbage");
        store.set_aside(&held).await.expect("it is put aside");
        store.write(&held, &written).await.expect("there is room for a new one");
        assert!(data()["journal-unreadable"].contains("{garbage"), "{:?}", data());
    });
}
