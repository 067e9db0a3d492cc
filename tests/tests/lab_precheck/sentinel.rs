//! A Sentinel of our own, beside the lab, that watches the lab's Redis.

use std::{
    fs,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::ensure;
use prodtest_testkit::{Done, GateCommand, Specimen};
use prodtest_tests::Release;
use tempfile::TempDir;
use xtask::lab;

use super::{configured::Configured, stores};

struct Sentinel {
    process: Child,
    port: u16,
    /// It keeps its configuration there.
    #[expect(dead_code, reason = "it is gone when dropped")]
    folder: TempDir,
}

impl Drop for Sentinel {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Sentinel {
    fn start(release: &Release<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|it| it.local_addr()).expect("a free port").port();
        let watched = lab::port(release.lab(), "redis").expect("a way to Redis");
        let password = stores::redis_password(release);
        let text = format!(
            "port {port}\nbind 127.0.0.1\nsentinel monitor main 127.0.0.1 {watched} 1\nsentinel auth-pass main {password}\n"
        );
        let file = folder.path().join("sentinel.conf");
        fs::write(&file, text).expect("a file");
        let process = Command::new("redis-server")
            .arg(&file)
            .arg("--sentinel")
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server");
        let sentinel = Self { process, port, folder };
        lab::until("the Sentinel to know its master", Duration::from_secs(10), || {
            let said = sentinel.told(&["SENTINEL", "CKQUORUM", "main"]);
            ensure!(said.starts_with("OK"), "it says {said}");
            Ok(())
        })
        .expect("a Sentinel");
        sentinel
    }

    fn told(&self, words: &[&str]) -> String {
        let output =
            Command::new("redis-cli").args(["-p", &self.port.to_string()]).args(words).output().expect("redis-cli");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }
}

/// One that is enough; and then it takes two, as after the loss of others.
pub(crate) fn without_quorum(release: &Release<'_>, specimen: &Specimen) -> Done {
    let sentinel = Sentinel::start(release);
    let section = format!(
        "  redis:\n    url: {{ kubernetes: {{ secret: godel-redis-credentials, key: url }} }}\n    \
         sentinels: {{ master: main, at: ['127.0.0.1:{}'] }}\n",
        sentinel.port
    );
    let configured = Configured::new(&section, &[]);
    let values = specimen.values.clone().into();
    let run = |gate: GateCommand| gate.args(&specimen.arguments).run();
    let before = run(configured.precheck(release, &values));
    assert_eq!(before.code(), Some(0), "{}", before.said());
    assert_eq!(sentinel.told(&["SENTINEL", "SET", "main", "quorum", "2"]), "OK");
    run(configured.precheck(release, &values))
}
