//! What etcd really holds, past the API server: by its gateway for JSON.
//! <https://etcd.io/docs/v3.6/dev-guide/api_grpc_gateway/>

use anyhow::{Context as _, Result, ensure};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{machine::Machine, place::Lab};
use crate::sh;

/// The bytes that are stored under a key, `/registry/secrets/NAMESPACE/NAME`.
///
/// # Errors
/// When there are none, or etcd does not answer.
pub fn stored(lab: &Lab, key: &str) -> Result<Vec<u8>> {
    let answer = ask(lab, "range", &json!({ "key": STANDARD.encode(key) }))?;
    let value = answer["kvs"][0]["value"].as_str().with_context(|| format!("nothing is stored under `{key}`"))?;
    STANDARD.decode(value).context("etcd's answer is not base 64")
}

/// Stores bytes under a key.
///
/// # Errors
/// When etcd does not take them.
pub fn store(lab: &Lab, key: &str, value: &[u8]) -> Result<()> {
    let answer = ask(lab, "put", &json!({ "key": STANDARD.encode(key), "value": STANDARD.encode(value) }))?;
    ensure!(answer["header"].is_object(), "etcd said {answer}");
    Ok(())
}

fn ask(lab: &Lab, what: &str, words: &Value) -> Result<Value> {
    let mut curl = Machine::control_plane(lab).enter("curl")?;
    curl.args(["--silent", "--show-error", "--fail-with-body", "--max-time", "10", "--data-binary", "@-"])
        .arg("--cacert")
        .arg(lab.pki("ca.crt"))
        .arg("--cert")
        .arg(lab.pki("etcd.crt"))
        .arg("--key")
        .arg(lab.pki("etcd.key"))
        .arg(format!("https://127.0.0.1:2379/v3/kv/{what}"));
    // By standard input: it may be a Secret.
    serde_json::from_str(&sh::fed(&mut curl, &words.to_string())?).context("etcd said something that is no JSON")
}
