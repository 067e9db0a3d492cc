//! Passwords and certificates: what is wrong is said, and no password with it.

use std::time::Duration;

use serde_json::Value;

use crate::certificates;
use crate::common::{godel, ready, spawn, until};
use crate::postgres::{ENCODED, PASSWORD, Postgres};
use crate::support::{Godel, KEY};

/// Waits until readiness says `words`; the password of the test appears nowhere.
async fn said(godel: &Godel, words: &str, secrets: &[&str]) {
    let mut error = String::new();
    for _ in 0..200 {
        let reply = until(godel, 503, Duration::from_secs(3)).await;
        let check = &reply["data"]["checks"]["database"];
        assert_eq!(check["ok"], Value::Bool(false), "{reply}");
        check["error"].as_str().unwrap().clone_into(&mut error);
        if error.contains(words) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(error.contains(words), "{error}");
    for secret in secrets {
        assert!(!error.contains(secret) && !godel.log().contains(secret), "{error}\n{}", godel.log());
    }
}

#[tokio::test]
async fn every_mode_works_and_encrypts_where_it_says_so() {
    let Some(postgres) = Postgres::start().await else { return };
    for (mode, encrypted) in [("disable", "f"), ("prefer", "t"), ("require", "t"), ("verify-full", "t")] {
        let mut env = vec![("GODEL_DATABASE_URL", postgres.url(mode))];
        if mode == "verify-full" {
            env.push(("GODEL_DATABASE_CA", postgres.ca()));
        }
        let godel = ready(&env).await;
        assert_eq!(spawn(&godel, KEY).await.status, 201, "{mode}");
        let sql =
            "SELECT DISTINCT ssl FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE application_name = 'godel'";
        assert_eq!(postgres.ask(sql).await, [encrypted], "{mode}");
    }
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_shown() {
    let Some(postgres) = Postgres::start().await else { return };
    let url = postgres.url("require").replace(ENCODED, "wr%40ng-word");
    let godel = godel(&[("GODEL_DATABASE_URL", url), ("GODEL_LOG", "trace".to_owned())]).await;
    said(&godel, "password authentication failed", &["wr@ng-word", "wr%40ng-word", PASSWORD]).await;
    assert_eq!(godel.ask("GET /api/health").send().await.status, 200);
    assert_eq!(spawn(&godel, KEY).await.status, 503);
}

#[tokio::test]
async fn verify_full_checks_the_chain_and_the_name() {
    let Some(postgres) = Postgres::start().await else { return };
    let other = tempfile::TempDir::new().unwrap();
    certificates::write(other.path(), "127.0.0.1");
    let ca = other.path().join("ca.pem").display().to_string();
    let service = godel(&[("GODEL_DATABASE_URL", postgres.url("verify-full")), ("GODEL_DATABASE_CA", ca)]).await;
    said(&service, "UnknownIssuer", &[PASSWORD, ENCODED]).await;

    // The certificate is for the address alone.
    let url = postgres.url("verify-full").replace("127.0.0.1", "localhost");
    let service = godel(&[("GODEL_DATABASE_URL", url), ("GODEL_DATABASE_CA", postgres.ca())]).await;
    said(&service, "not valid for", &[PASSWORD, ENCODED]).await;
}
