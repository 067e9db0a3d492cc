//! The lab's API server with a fault before it, for the gate and its Helm alone. The server itself is shared, and no
//! object can make it refuse or cut off: so it is done on the way, behind a kubeconfig of the test's own.

use std::{
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Child, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};

use serde_json::json;
use tempfile::TempDir;
use xtask::lab::{self, Lab};

use super::relay::{Act, Relay};

/// What an API server says that has too much to do.
const REFUSAL: &str = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Type: application/json\r\n\
                       Content-Length: 140\r\nConnection: close\r\n\r\n\
                       {\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"too many requests, \
                       please try again\",\"reason\":\"TooManyRequests\",\"code\":429}";

/// It is gone when this is dropped.
pub(super) struct Api {
    proxy: Child,
    /// Until when it refuses.
    refusing: Arc<Mutex<Option<Instant>>>,
    /// How many requests were refused or cut off.
    hit: Arc<AtomicU32>,
    folder: TempDir,
    _relay: Relay,
}

impl Api {
    /// With the watches cut off so long after their start, if any are to be.
    pub(super) fn behind(lab: &Lab, cut: Option<Duration>) -> Self {
        // It has the administrator's certificate, and speaks plain HTTP to whoever comes.
        let mut proxy = lab::kubectl(lab).expect("kubectl");
        let mut proxy = proxy.args(["proxy", "--port=0"]).stdout(Stdio::piped()).spawn().expect("`kubectl` starts");
        let mut line = String::new();
        BufReader::new(proxy.stdout.take().expect("its output")).read_line(&mut line).expect("where it is");
        let port = line.trim().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
        let refusing = Arc::new(Mutex::new(None::<Instant>));
        let hit = Arc::new(AtomicU32::new(0));
        let (until, count) = (Arc::clone(&refusing), Arc::clone(&hit));
        let relay = Relay::start(port, move |head| {
            let until = *until.lock().unwrap_or_else(PoisonError::into_inner);
            let is_watch = head.lines().next().is_some_and(|line| line.contains("watch=true"));
            let act = match (until.is_some_and(|until| Instant::now() < until), cut.filter(|_| is_watch)) {
                (true, _) => Act::Answer(REFUSAL),
                (false, Some(after)) => Act::Cut(after),
                (false, None) => return Act::Pass(Vec::new()),
            };
            count.fetch_add(1, Ordering::SeqCst);
            act
        });
        let folder = tempfile::tempdir().expect("a folder");
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "lab",
            "clusters": [{ "name": "lab", "cluster": { "server": format!("http://127.0.0.1:{}", relay.port) } }],
            "users": [{ "name": "lab", "user": {} }],
            "contexts": [{ "name": "lab", "context": { "cluster": "lab", "user": "lab" } }],
        });
        std::fs::write(folder.path().join("kubeconfig"), kubeconfig.to_string()).expect("a file");
        Self { proxy, refusing, hit, folder, _relay: relay }
    }

    /// The way to it.
    pub(super) fn kubeconfig(&self) -> PathBuf {
        self.folder.path().join("kubeconfig")
    }

    /// Refuses everything for so long.
    pub(super) fn refuse(&self, time: Duration) {
        *self.refusing.lock().unwrap_or_else(PoisonError::into_inner) = Some(Instant::now() + time);
    }

    /// How many requests were refused or cut off.
    pub(super) fn hit(&self) -> u32 {
        self.hit.load(Ordering::SeqCst)
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        let _ = self.proxy.kill();
        let _ = self.proxy.wait();
    }
}
