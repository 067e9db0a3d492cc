//! Stores that are reached by another way than the lab's: through something slow, or beside the lab.

use std::{
    io::{Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use anyhow::ensure;
use prodtest_testkit::{Done, Specimen};
use prodtest_tests::Release;
use serde_json::json;
use tempfile::TempDir;
use xtask::lab;

use super::{configured::Configured, stores};

const DATABASE: &str = "  database:\n    url: { kubernetes: { secret: godel-db-credentials, key: url } }\n    \
                        ca: { kubernetes: { secret: godel-db-credentials, key: ca.crt } }\n";
const REDIS: &str = "  redis:\n    url: { kubernetes: { secret: godel-redis-credentials, key: url } }\n";

/// Every answer of PostgreSQL takes so much longer than it may.
pub(crate) fn slow_database(release: &Release<'_>, specimen: &Specimen) -> Done {
    let slow =
        Slow::start(lab::port(release.lab(), "postgres").expect("a way to PostgreSQL"), Duration::from_millis(120));
    let configured = Configured::new(DATABASE, &[]);
    let values = specimen.values.clone().into();
    configured.precheck_by(release, &values, ("--database-connect", slow.port)).run()
}

/// A Redis of our own is a cluster, of which then one slot is nobody's.
pub(crate) fn broken_cluster(release: &Release<'_>, specimen: &Specimen) -> Done {
    let node = Node::start();
    // It has no password, and a cluster has no further databases.
    stores::give(release, "godel-redis-credentials", &json!({ "url": "redis://redis.lab:6379" }));
    let configured = Configured::new(REDIS, &[]);
    let values = specimen.values.clone().into();
    let run = || configured.precheck_by(release, &values, ("--redis-connect", node.port)).run();
    node.told(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]);
    node.until_it_is("cluster_state:ok");
    let before = run();
    assert_eq!(before.code(), Some(0), "{}", before.said());
    node.told(&["CLUSTER", "DELSLOTSRANGE", "5", "5"]);
    node.until_it_is("cluster_state:fail");
    run()
}

/// A node of a cluster of Redis.
struct Node {
    process: Child,
    port: u16,
    /// It writes down there whom it knows.
    #[expect(dead_code, reason = "it is gone when dropped")]
    folder: TempDir,
}

impl Node {
    fn start() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let free = || TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        let (port, bus) = (free(), free());
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--cluster-enabled", "yes"])
            .args(["--cluster-port", &bus.to_string()])
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server");
        let node = Self { process, port, folder };
        node.until_it_is("cluster_state");
        node
    }

    fn told(&self, words: &[&str]) -> String {
        let output =
            Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(words).output().expect("redis-cli");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }

    fn until_it_is(&self, expected: &str) {
        let told = lab::until("a cluster of Redis", Duration::from_secs(10), || {
            let info = self.told(&["CLUSTER", "INFO"]);
            ensure!(info.contains(expected), "it says {info}");
            Ok(())
        });
        told.expect("a cluster");
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Passes on what comes from a port of loopback, each piece later. It takes nobody more once it is dropped.
struct Slow {
    port: u16,
    ended: Arc<AtomicBool>,
}

impl Slow {
    fn start(to: u16, later: Duration) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let ended = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&ended);
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let Ok(server) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)) else { continue };
                let (Ok(from), Ok(into)) = (client.try_clone(), server.try_clone()) else { continue };
                thread::spawn(move || pass(from, into, Duration::ZERO));
                thread::spawn(move || pass(server, client, later));
            }
        });
        Self { port, ended }
    }
}

impl Drop for Slow {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // It waits for the next one.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// Who hangs up is not this one's to judge.
fn pass(mut from: TcpStream, mut into: TcpStream, later: Duration) {
    let mut piece = [0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut piece) {
        // The fault itself.
        thread::sleep(later);
        if into.write_all(&piece[..length]).is_err() {
            return;
        }
    }
    let _ = into.shutdown(std::net::Shutdown::Write);
}
