//! An API server of a few lines that answers as a test tells it to.

use std::{
    collections::{BTreeMap, VecDeque},
    io::Write as _,
    sync::{Arc, Mutex},
};

use prodtest_kube::{Access, Cluster, Server};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::Notify,
    task::JoinSet,
};

/// What is answered to one request.
#[derive(Clone, Debug)]
pub(super) enum Answer {
    /// A status and a body.
    Whole(u16, String),
    /// The beginning of a body, and the end of the connection.
    Cut(String),
    /// Lines of a watch, and then its end.
    Lines(Vec<Value>),
    /// Lines of a watch that goes on.
    Open(Vec<Value>),
}

/// The answers for one kind, in order; all else is empty and quiet.
#[derive(Clone, Debug)]
pub(super) struct Script {
    /// The kind.
    pub(super) of: &'static str,
    pub(super) lists: VecDeque<Answer>,
    pub(super) watches: VecDeque<Answer>,
    /// The paths that answer 403.
    pub(super) forbidden: Vec<&'static str>,
}

impl Default for Script {
    fn default() -> Self {
        Self { of: "pods", lists: VecDeque::new(), watches: VecDeque::new(), forbidden: Vec::new() }
    }
}

#[derive(Debug)]
pub(super) struct Api {
    pub(super) cluster: Cluster,
    /// Requests for that kind so far: `list` or `watch FROM`.
    pub(super) asked: Arc<Mutex<Vec<String>>>,
    /// Told at each.
    pub(super) was_asked: Arc<Notify>,
    _config: tempfile::NamedTempFile,
    _tasks: JoinSet<()>,
}

/// A list of these objects, as of a version.
pub(super) fn list(version: u32, items: &[Value]) -> Answer {
    let list = json!({ "kind": "List", "apiVersion": "v1", "metadata": { "resourceVersion": version.to_string() }, "items": items });
    Answer::Whole(200, list.to_string())
}

/// What the API says when it does not do what it is asked to.
pub(super) fn status(code: u16, reason: &str) -> Answer {
    let status = json!({ "kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "reason": reason, "message": reason });
    Answer::Whole(code, status.to_string())
}

/// An event of a watch.
pub(super) fn event(kind: &str, object: &Value) -> Value {
    json!({ "type": kind, "object": object })
}

/// A pod.
pub(super) fn pod(name: &str, version: u32, phase: &str) -> Value {
    json!({
        "kind": "Pod", "apiVersion": "v1",
        "metadata": { "name": name, "uid": name, "resourceVersion": version.to_string() },
        "status": { "phase": phase },
    })
}

impl Api {
    pub(super) async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut config = tempfile::NamedTempFile::new().unwrap();
        write!(
            config,
            "apiVersion: v1\nkind: Config\ncurrent-context: a\nclusters: [{{name: a, cluster: {{server: 'http://{address}'}}}}]\n\
             users: [{{name: a, user: {{}}}}]\ncontexts: [{{name: a, context: {{cluster: a, user: a}}}}]\n"
        )
        .unwrap();
        let access = Access { kubeconfig: Some(config.path().to_owned()), context: None };
        let cluster = Cluster::connect(&Server::find(&access).unwrap()).await.unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let was_asked = Arc::new(Notify::new());
        let script = Arc::new(Mutex::new(script));
        let mut tasks = JoinSet::new();
        let (seen, tell) = (Arc::clone(&asked), Arc::clone(&was_asked));
        tasks.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((connection, _)) = listener.accept().await {
                connections.spawn(serve(connection, Arc::clone(&script), Arc::clone(&seen), Arc::clone(&tell)));
            }
        });
        Self { cluster, asked, was_asked, _config: config, _tasks: tasks }
    }
}

async fn serve(mut stream: TcpStream, script: Arc<Mutex<Script>>, seen: Arc<Mutex<Vec<String>>>, tell: Arc<Notify>) {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte).await {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let target = head.split(' ').nth(1).unwrap();
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    let query: BTreeMap<_, _> = url::form_urlencoded::parse(query.as_bytes()).collect();
    let is_watch = query.contains_key("watch");
    let is_of_script = path.rsplit('/').next() == Some(script.lock().unwrap().of);
    let answer = {
        let mut script = script.lock().unwrap();
        if script.forbidden.iter().any(|forbidden| path.ends_with(forbidden)) {
            status(403, "Forbidden")
        } else if is_of_script {
            let what = if is_watch { format!("watch {}", query["resourceVersion"]) } else { "list".to_owned() };
            seen.lock().unwrap().push(what);
            let next = if is_watch { script.watches.pop_front() } else { script.lists.pop_front() };
            next.unwrap_or_else(|| if is_watch { Answer::Open(Vec::new()) } else { status(500, "NoMore") })
        } else if is_watch {
            Answer::Open(Vec::new())
        } else {
            list(1, &[])
        }
    };
    if is_of_script {
        tell.notify_one();
    }
    let head = "Content-Type: application/json\r\nConnection: close\r\n";
    let lines = |lines: Vec<Value>| lines.iter().map(|line| format!("{line}\n")).collect::<String>();
    let (text, stays) = match answer {
        Answer::Whole(code, body) => {
            (format!("HTTP/1.1 {code} X\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len()), false)
        }
        Answer::Cut(body) => {
            (format!("HTTP/1.1 200 X\r\n{head}Content-Length: {}\r\n\r\n{body}", body.len() + 99), false)
        }
        Answer::Lines(all) => (format!("HTTP/1.1 200 X\r\n{head}\r\n{}", lines(all)), false),
        Answer::Open(all) => (format!("HTTP/1.1 200 X\r\n{head}\r\n{}", lines(all)), true),
    };
    // The client may be gone.
    let _ = stream.write_all(text.as_bytes()).await;
    if stays {
        let _ = stream.read(&mut byte).await;
    }
}
