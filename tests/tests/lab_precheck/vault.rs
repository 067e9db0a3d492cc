//! Vault, stood in for: nobody packages it for the lab. A server on loopback that speaks the part of its API that the gate uses,
//! as <https://developer.hashicorp.com/vault/api-docs> has it.

use std::{
    io::{self, Read as _, Write as _},
    net::{Ipv4Addr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use prodtest_testkit::{Done, GateCommand, Specimen};
use prodtest_tests::Release;

use super::configured::Configured;

/// What is wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    None,
    Sealed,
    Uninitialised,
    /// No role of that name is bound to the service account.
    LoginRefused,
    /// The policy of the role does not have the path.
    PathDenied,
    /// Nobody has written anything there.
    PathEmpty,
    /// It takes the connection, and says nothing.
    Silent,
}

/// The token that a login gives, and the value that no report may hold.
const TOKEN: &str = "hvs.stand-in-token";
const VALUE: &str = "stand-in-value";

/// Runs the gate while Vault has that flaw, `vault-…`, having seen it pass without one; none, where nobody knows it.
pub(crate) fn while_flawed(release: &Release<'_>, name: &str, specimen: &Specimen) -> Option<Done> {
    let flaw = match name {
        "vault-sealed" => Some(Flaw::Sealed),
        "vault-uninitialised" => Some(Flaw::Uninitialised),
        "vault-login-refused" => Some(Flaw::LoginRefused),
        "vault-path-denied" => Some(Flaw::PathDenied),
        "vault-path-empty" => Some(Flaw::PathEmpty),
        "vault-silent" => Some(Flaw::Silent),
        "vault-stopped" => None,
        _ => return None,
    };
    let vault = StandIn::start();
    let section = format!(
        "  vault:\n    url: http://127.0.0.1:{}\n    \
         auth: {{ kubernetes: {{ role: godel, service-account: default }} }}\n    paths: [secret/data/godel]\n",
        vault.port
    );
    let configured = Configured::new(&section, &[]);
    let values = specimen.values.clone().into();
    let run = |gate: GateCommand| {
        let done = gate.args(&specimen.arguments).run();
        for (file, content) in done.files() {
            let content = String::from_utf8_lossy(&content);
            assert!(!content.contains(TOKEN) && !content.contains(VALUE), "a secret of Vault is in {file}");
        }
        done
    };
    let before = run(configured.precheck(release, &values));
    assert_eq!(before.code(), Some(0), "{}", before.said());
    let _running = match flaw {
        Some(flaw) => {
            vault.flawed(flaw);
            Some(vault)
        }
        None => {
            drop(vault);
            None
        }
    };
    Some(run(configured.precheck(release, &values)))
}

/// It takes nothing more once it is dropped.
struct StandIn {
    port: u16,
    flaw: Arc<Mutex<Flaw>>,
    ended: Arc<AtomicBool>,
    listens: Option<thread::JoinHandle<()>>,
}

impl StandIn {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let (flaw, ended) = (Arc::new(Mutex::new(Flaw::None)), Arc::new(AtomicBool::new(false)));
        let (now, over) = (Arc::clone(&flaw), Arc::clone(&ended));
        let listens = thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if over.load(Ordering::SeqCst) {
                    return;
                }
                let flaw = *now.lock().unwrap_or_else(PoisonError::into_inner);
                // Who hangs up early is not this one's to judge.
                thread::spawn(move || serve(stream, flaw));
            }
        });
        Self { port, flaw, ended, listens: Some(listens) }
    }

    fn flawed(&self, flaw: Flaw) {
        *self.flaw.lock().unwrap_or_else(PoisonError::into_inner) = flaw;
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::SeqCst);
        // It waits for the next one.
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
        let _ = self.listens.take().map(thread::JoinHandle::join);
    }
}

fn serve(mut client: TcpStream, flaw: Flaw) -> io::Result<()> {
    client.set_read_timeout(Some(Duration::from_secs(10)))?;
    if flaw == Flaw::Silent {
        // Until whoever asks gives up.
        let mut all = Vec::new();
        return client.read_to_end(&mut all).map(|_| ());
    }
    let mut read = Vec::new();
    let (head, body) = loop {
        let mut part = [0; 4096];
        match client.read(&mut part)? {
            0 => return Ok(()),
            length => read.extend(&part[..length]),
        }
        let text = String::from_utf8_lossy(&read).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head.to_ascii_lowercase();
        let length = length.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok());
        if body.len() >= length.unwrap_or(0) {
            break (head.to_owned(), body.to_owned());
        }
    };
    let (status, answer) = answer(&head, &body, flaw);
    let length = answer.len();
    let head = format!("HTTP/1.1 {status} Vault\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n");
    client.write_all(format!("{head}connection: close\r\n\r\n{answer}").as_bytes())
}

fn answer(head: &str, body: &str, flaw: Flaw) -> (u16, String) {
    let asked = head.split(" HTTP/").next().unwrap_or_default();
    let health = |status, initialized: bool, sealed: bool| {
        let version = "1.20.0";
        let told =
            format!(r#"{{"initialized":{initialized},"sealed":{sealed},"standby":false,"version":"{version}"}}"#);
        (status, told)
    };
    let errors = |status, words: &str| (status, format!(r#"{{"errors":["{words}"]}}"#));
    match (asked, flaw) {
        ("GET /v1/sys/health", Flaw::Sealed) => health(503, true, true),
        ("GET /v1/sys/health", Flaw::Uninitialised) => health(501, false, true),
        ("GET /v1/sys/health", _) => health(200, true, false),
        ("POST /v1/auth/kubernetes/login", Flaw::LoginRefused) => errors(403, "service account name not authorized"),
        ("POST /v1/auth/kubernetes/login", _) => {
            // A token of the cluster is three parts in base 64, of which the first begins so.
            let is_token = body.contains(r#""role":"godel""#) && body.contains(r#""jwt":"ey"#);
            if is_token {
                (200, format!(r#"{{"auth":{{"client_token":"{TOKEN}","lease_duration":600}}}}"#))
            } else {
                errors(400, "missing jwt")
            }
        }
        _ if !head.contains(TOKEN) => errors(403, "permission denied"),
        ("GET /v1/secret/data/godel", Flaw::PathDenied) => errors(403, "1 error occurred: permission denied"),
        ("GET /v1/secret/data/godel", Flaw::PathEmpty) => (404, r#"{"errors":[]}"#.to_owned()),
        ("GET /v1/secret/data/godel", _) => (200, format!(r#"{{"data":{{"data":{{"key":"{VALUE}"}}}}}}"#)),
        _ => (404, r#"{"errors":[]}"#.to_owned()),
    }
}
