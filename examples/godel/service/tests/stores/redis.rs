//! A Redis of the test's own, with a password.

use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::server::{Server, find, free_port};
use crate::support::PATIENCE;

pub(crate) const PASSWORD: &str = "c@che-word";
const ENCODED: &str = "c%40che-word";

/// A running Redis; it ends with this value.
pub(crate) struct Redis {
    // Before its files.
    server: Option<Server>,
    folder: TempDir,
    program: PathBuf,
    port: u16,
}

impl Redis {
    /// None where the machine has none.
    pub(crate) async fn start() -> Option<Self> {
        let folders = ["/usr/bin", "/usr/sbin", "/usr/local/bin"].map(PathBuf::from);
        let program = find("redis-server", folders, "redis-server")?;
        let mut redis = Self { server: None, folder: TempDir::new().unwrap(), program, port: free_port() };
        redis.run().await;
        Some(redis)
    }

    /// Starts it, again if it was killed, and waits until it answers.
    pub(crate) async fn run(&mut self) {
        let dir = self.folder.path().display().to_string();
        let args = ["--bind 127.0.0.1", "--port", &self.port.to_string(), "--requirepass", PASSWORD, "--dir", &dir];
        let args = args.iter().flat_map(|arg| arg.split(' ')).chain(["--save", "", "--appendonly", "no"]);
        let args: Vec<_> = args.map(str::to_owned).collect();
        self.server = Some(Server::spawn(&self.program, &args, None, &self.folder.path().join("log")));
        let deadline = Instant::now() + PATIENCE;
        while self.ask("PING").await != "PONG" {
            assert!(Instant::now() < deadline, "Redis does not come up");
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// Kills it, as a lost machine would; it keeps nothing.
    pub(crate) async fn kill(&mut self) {
        self.server.as_mut().unwrap().kill().await;
    }

    /// Stalls it: connections stay, and nothing answers.
    pub(crate) fn stall(&self) {
        self.server.as_ref().unwrap().signal("STOP");
    }

    pub(crate) fn resume(&self) {
        self.server.as_ref().unwrap().signal("CONT");
    }

    /// Where it is, for the service.
    pub(crate) fn env(&self) -> (&'static str, String) {
        self.env_with(ENCODED)
    }

    pub(crate) fn env_with(&self, password: &str) -> (&'static str, String) {
        ("GODEL_REDIS_URL", format!("redis://:{password}@127.0.0.1:{}/0", self.port))
    }

    /// Asks it directly; why not, if it does not answer.
    pub(crate) async fn ask(&self, command: &str) -> String {
        let url = format!("redis://:{ENCODED}@127.0.0.1:{}/0", self.port);
        let ask = async {
            let mut connection = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
            let mut words = command.split(' ');
            redis::cmd(words.next().unwrap_or_default())
                .arg(words.collect::<Vec<_>>())
                .query_async(&mut connection)
                .await
        };
        ask.await.unwrap_or_else(|error: redis::RedisError| error.to_string())
    }
}
