//! The list of faults.

use serde_json::Value;

use crate::narrow::TESTED;
use crate::support::{Godel, KEY, command, output};

async fn stdout(args: &[&str]) -> String {
    // The list is about the program, and needs no settings.
    let output = command(args).env_clear().output().await.unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

#[tokio::test]
async fn every_fault_is_listed_and_tested() {
    let listed: Value = serde_json::from_str(&stdout(&["--list-faults", "--json"]).await).unwrap();
    let listed = listed.as_array().unwrap();
    let table = stdout(&["--list-faults"]).await;
    assert_eq!(table.lines().count(), listed.len() + 1);
    let mut names = Vec::new();
    for fault in listed {
        let text = |key: &str| fault[key].as_str().unwrap();
        let (name, what, check) = (text("name"), text("what"), text("check"));
        let line = table.lines().find(|line| line.split_whitespace().next() == Some(name)).unwrap();
        assert!(line.contains(check) && line.ends_with(what), "{line}");
        assert_eq!(fault.as_object().unwrap().len(), 3);
        match name {
            "slow-start" => assert_eq!(check, "none"),
            // No answer shows it: the pod does not live to give one.
            "memory-hog" => assert_eq!(check, "deploy/rollout"),
            _ => names.push(name),
        }
    }
    assert_eq!(names, TESTED);
}

#[tokio::test]
async fn what_takes_too_much_memory_does_not_live_to_serve() {
    let limited = |arguments: &str| {
        let godel = env!("CARGO_BIN_EXE_godel");
        let mut shell = tokio::process::Command::new("sh");
        // A gibibyte of addresses, where it takes two of memory.
        shell.args(["-c", &format!("ulimit -v 1048576; exec {godel} {arguments}")]);
        shell.env_clear().env("GODEL_API_KEY", KEY).kill_on_drop(true);
        tokio::time::timeout(std::time::Duration::from_secs(20), async move { shell.output().await.unwrap() })
    };
    let hungry = limited("--listen 127.0.0.1:0 --fault memory-hog").await.expect("it ends");
    let said = String::from_utf8_lossy(&hungry.stderr).into_owned();
    assert!(hungry.status.code().is_none() && said.contains("memory allocation"), "{}: {said}", hungry.status);
    let sober = limited("--list-faults").await.expect("it ends");
    assert!(sober.status.success(), "the limit is for the fault alone");
}

#[tokio::test]
async fn an_unknown_fault_is_refused_with_the_nearest() {
    let (code, _, stderr) = output(&["--fault", "any-keys"], &[]).await;
    assert_eq!(code, Some(2));
    assert!(stderr.contains("any-key"), "{stderr}");
}

#[tokio::test]
async fn a_deployment_can_set_faults_too() {
    let mut broken = command(&[]);
    broken.env("GODEL_FAULT", "degraded-health, spawn-200");
    let godel = Godel::launch(broken).await;
    let health = godel.ask("GET /api/health").send().await.json();
    assert_eq!(health["data"]["status"], "degraded");
    let body = r#"{"type":"test","task":"a"}"#;
    assert_eq!(godel.ask("POST /api/agents").key(KEY).body(body).send().await.status, 200);

    let (code, _, stderr) = output(&[], &[("GODEL_FAULT", "any-key,any-keys")]).await;
    assert_eq!(code, Some(2));
    assert!(stderr.contains("`GODEL_FAULT` names no fault: `any-keys`"), "{stderr}");
}
