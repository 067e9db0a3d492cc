//! Starts the real binary, and talks to it over real HTTP: one connection a request, no retries, no pool.

use std::net::SocketAddr;
use std::process::{Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode, request};
use http_body_util::BodyExt as _;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWrite, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

pub(crate) const KEY: &str = "own-key-5d1f";
pub(crate) const OTHER_KEY: &str = "other-key-77a0";
pub(crate) const ADMIN_KEY: &str = "admin-key-c3e9";
/// Longer than anything here takes.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The program with all keys, and nothing else of this process's environment.
pub(crate) fn command(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_godel"));
    command
        .args(args)
        .env_clear()
        .env("GODEL_API_KEY", KEY)
        .env("GODEL_API_KEY_OTHER", OTHER_KEY)
        .env("GODEL_ADMIN_KEY", ADMIN_KEY)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// What the program does with these arguments and variables: exit code, stdout, stderr.
pub(crate) async fn output(args: &[&str], set: &[(&str, &str)]) -> (Option<i32>, String, String) {
    let mut command = command(args);
    command.envs(set.iter().copied());
    let Output { status, stdout, stderr } = timeout(PATIENCE, command.output()).await.unwrap().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// A running service; it ends with this value.
pub(crate) struct Godel {
    pub(crate) process: Child,
    pub(crate) url: String,
    pub(crate) addr: SocketAddr,
    log: Arc<Mutex<Vec<u8>>>,
}

impl Godel {
    pub(crate) async fn start(args: &[&str]) -> Self {
        Self::launch(command(args)).await
    }

    /// Waits for the line that says where it listens.
    pub(crate) async fn launch(mut command: Command) -> Self {
        let mut process = command.args(["--listen", "127.0.0.1:0"]).spawn().unwrap();
        let log = Arc::new(Mutex::new(Vec::new()));
        let mut stderr = process.stderr.take().unwrap();
        let kept = Arc::clone(&log);
        tokio::spawn(async move {
            let mut chunk = [0; 4096];
            while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
                kept.lock().unwrap().extend_from_slice(&chunk[..read]);
            }
        });

        let mut line = String::new();
        let mut stdout = BufReader::new(process.stdout.take().unwrap());
        timeout(PATIENCE, stdout.read_line(&mut line)).await.unwrap().unwrap();
        let Some(url) = line.trim_end().strip_prefix("listening on ").map(str::to_owned) else {
            let status = timeout(PATIENCE, process.wait()).await;
            let log = String::from_utf8_lossy(&log.lock().unwrap()).into_owned();
            panic!("it did not start: {status:?}\n{log}");
        };
        let addr = url.split("//").last().unwrap().parse().unwrap();
        Self { process, url, addr, log }
    }

    /// What it has logged by now.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&self.log.lock().unwrap()).into_owned()
    }

    /// Prepares a request: `"GET /path"`.
    pub(crate) fn ask(&self, what: &str) -> Ask {
        let (method, path) = what.split_once(' ').unwrap();
        let host = self.url.split("//").last().unwrap();
        let parts = Request::builder().method(method).uri(path).header("host", host);
        Ask { addr: self.addr, parts, body: Body::empty() }
    }
}

/// A request that is being prepared.
pub(crate) struct Ask {
    addr: SocketAddr,
    parts: request::Builder,
    body: Body,
}

impl Ask {
    pub(crate) fn key(self, key: &str) -> Self {
        self.header("x-api-key", key)
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.parts = self.parts.header(name, value);
        self
    }

    pub(crate) fn body(mut self, body: impl Into<Body>) -> Self {
        self.body = body.into();
        self
    }

    pub(crate) async fn send(self) -> Reply {
        self.try_send().await.unwrap()
    }

    /// Sends it; an answer that breaks off is no answer.
    pub(crate) async fn try_send(self) -> Result<Reply, String> {
        let stream = TcpStream::connect(self.addr).await.map_err(|error| error.to_string())?;
        exchange(stream, self.parts.body(self.body).unwrap()).await
    }
}

/// One request, one answer.
pub(crate) async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Body>,
) -> Result<Reply, String> {
    let talk = async {
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Reply { status: parts.status, headers: parts.headers, body })
    };
    let told = |error: hyper::Error| format!("{error}: {:?}", std::error::Error::source(&error));
    timeout(PATIENCE, talk).await.map_err(|_| "no answer in time".to_owned())?.map_err(told)
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// The body as JSON; null if it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }
}
