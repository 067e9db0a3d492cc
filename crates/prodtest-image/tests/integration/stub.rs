//! A registry that answers as a test tells it to, and remembers what it was asked.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use prodtest_image::{Class, Digest, Login, Reference, Registry, RegistryError, RegistryOptions, Resolved};
use serde_json::{Value, json};

pub(crate) const INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// `GET /v2/a/manifests/b`
    pub(crate) line: String,
    /// The whole of it, names of headers in lower case as this suite's client sends them.
    pub(crate) text: String,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// A listener on loopback. Its threads end with the process.
pub(crate) struct Stub {
    pub(crate) address: SocketAddr,
    asked: Arc<Mutex<Vec<Asked>>>,
}

impl Stub {
    /// Answers each request with what `answer` makes of it, and closes.
    pub(crate) fn start(answer: impl Fn(&Asked) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::with(move |asked, stream| {
            let _ = stream.write_all(&answer(asked));
        })
    }

    /// Lets `script` write whatever it likes to each connection.
    pub(crate) fn with(script: impl Fn(&Asked, &mut TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (script, memory) = (Arc::new(script), Arc::clone(&asked));
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (script, memory, mut stream) = (Arc::clone(&script), Arc::clone(&memory), stream.unwrap());
                thread::spawn(move || {
                    let Some(request) = read_request(&mut stream) else { return };
                    memory.lock().unwrap().push(request.clone());
                    script(&request, &mut stream);
                });
            }
        });
        Self { address, asked }
    }

    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub(crate) fn reference(&self, rest: &str) -> Reference {
        format!("{}/team/app{rest}", self.address).parse().unwrap()
    }

    pub(crate) async fn resolve(&self, login: Option<Login>) -> Result<Resolved, RegistryError> {
        registry(login).resolve(&self.reference(":v1")).await
    }

    /// The class of what went wrong, which something must.
    pub(crate) async fn class(&self, login: Option<Login>) -> Class {
        self.resolve(login).await.expect_err("an error").problem.class()
    }
}

pub(crate) fn options(login: Option<Login>) -> RegistryOptions {
    RegistryOptions { plain_http: true, login, patience: Duration::from_secs(2), ..RegistryOptions::default() }
}

pub(crate) fn registry(login: Option<Login>) -> Registry {
    Registry::new(options(login)).unwrap()
}

pub(crate) fn password() -> Option<Login> {
    Some(Login::Password { user: "lab".to_owned(), password: "a-test-word".into() })
}

fn read_request(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => bytes.push(byte[0]),
            _ => return None,
        }
    }
    let head = String::from_utf8(bytes).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let line = head.lines().next().unwrap().trim_end_matches(" HTTP/1.1").to_owned();
    Some(Asked { line, text: head + &String::from_utf8(body).unwrap() })
}

/// A whole answer.
pub(crate) fn answer(status: u16, headers: &[(&str, &str)], body: &str) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\nconnection: close\r\n", body.len());
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    (head + "\r\n" + body).into_bytes()
}

/// A refusal in a registry's words.
pub(crate) fn refusal(status: u16, code: &str) -> Vec<u8> {
    answer(status, &[], &json!({ "errors": [{ "code": code, "message": "said the stub" }] }).to_string())
}

/// A configuration for one platform, and the manifest of the image that has it.
pub(crate) fn image() -> (String, String) {
    let labels = json!({ "org.opencontainers.image.version": "1.2.3", "org.opencontainers.image.revision": "abc" });
    let config = json!({ "os": "linux", "architecture": "arm64", "variant": "v8", "config": { "Labels": labels } });
    let config = config.to_string();
    let layer = json!({ "mediaType": "x", "digest": Digest::of(b"layer"), "size": 1000 });
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": { "mediaType": CONFIG, "digest": Digest::of(config.as_bytes()), "size": 24 },
        "layers": [layer],
    });
    (config, manifest.to_string())
}

/// An index for two platforms, with an attestation.
pub(crate) fn index() -> Value {
    let one = |os: &str, architecture: &str| {
        let digest = Digest::of(architecture.as_bytes());
        let platform = json!({ "os": os, "architecture": architecture });
        json!({ "mediaType": MANIFEST, "digest": digest, "size": 1, "platform": platform })
    };
    let manifests = [one("linux", "amd64"), one("linux", "arm64"), one("unknown", "unknown")];
    json!({ "schemaVersion": 2, "mediaType": INDEX, "manifests": manifests })
}

/// What a healthy registry with that image says.
pub(crate) fn healthy(asked: &Asked) -> Vec<u8> {
    let (config, manifest) = image();
    if asked.line.contains("/blobs/") {
        return answer(200, &[], &config);
    }
    if asked.line.ends_with("/manifests/v1") {
        let digest = Digest::of(manifest.as_bytes());
        return answer(200, &[("content-type", MANIFEST), ("docker-content-digest", digest.as_str())], &manifest);
    }
    refusal(404, "MANIFEST_UNKNOWN")
}
