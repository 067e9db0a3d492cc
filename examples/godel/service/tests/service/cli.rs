//! The command line: what it teaches, and what it refuses.

use crate::support::{Godel, KEY, output};

#[tokio::test]
async fn it_says_where_it_listens() {
    let godel = Godel::start(&[]).await;
    assert_eq!(godel.url, format!("http://{}", godel.addr));
    assert_ne!(godel.addr.port(), 0);
}

#[tokio::test]
async fn without_a_key_it_does_not_start() {
    let (code, stdout, stderr) = output(&[], &[("GODEL_API_KEY", "")]).await;
    assert_eq!((code, stdout.as_str()), (Some(2), ""));
    assert!(stderr.starts_with("error: `GODEL_API_KEY` is not set\n  hint: "), "{stderr}");
}

#[tokio::test]
async fn a_setting_that_cannot_work_is_named() {
    for (set, said) in [
        (("GODEL_ADMIN_KEY", KEY), "hold the same key"),
        (("GODEL_API_KEY", "a\n"), "HTTP header cannot carry"),
        (("GODEL_LOG", "loud"), "`GODEL_LOG` is `loud`"),
        (("GODEL_RATE_LIMIT", "many"), "`GODEL_RATE_LIMIT` is no whole number"),
        (("GODEL_INSTANCE", "a b"), "`GODEL_INSTANCE` is not"),
        (("GODEL_DATABASE_URL", "postgres://own-key-5d1f@/d"), "`GODEL_DATABASE_URL` is no URL"),
        (("GODEL_DATABASE_URL", "postgres://u:own-key-5d1f@h/d?sslmode=verify-full"), "`GODEL_DATABASE_CA` is not set"),
        (("GODEL_REDIS_URL", "rediss://:own-key-5d1f@h"), "`GODEL_REDIS_URL` asks for TLS"),
    ] {
        let (code, _, stderr) = output(&["--listen", "127.0.0.1:0"], &[set]).await;
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains(said) && stderr.contains("\n  hint: "), "{stderr}");
        assert!(!stderr.contains(KEY), "{stderr}");
    }
}

#[tokio::test]
async fn an_address_in_use_is_told() {
    let godel = Godel::start(&[]).await;
    let (code, stdout, stderr) = output(&["--listen", &godel.addr.to_string()], &[]).await;
    assert_eq!((code, stdout.as_str()), (Some(1), ""));
    assert!(stderr.contains("cannot listen on") && stderr.contains("hint: "), "{stderr}");
}

#[tokio::test]
async fn help_names_every_variable_and_flag() {
    let (code, stdout, _) = output(&["--help"], &[]).await;
    assert_eq!(code, Some(0));
    for word in [
        "--listen",
        "--tls-cert",
        "--tls-key",
        "--grace",
        "--drain",
        "--check",
        "GODEL_API_KEY",
        "GODEL_API_KEY_OTHER",
        "GODEL_ADMIN_KEY",
        "GODEL_VERSION",
        "GODEL_INSTANCE",
        "GODEL_RATE_LIMIT",
        "GODEL_LOG",
        "GODEL_DATABASE_URL",
        "GODEL_DATABASE_CA",
        "GODEL_REDIS_URL",
    ] {
        assert!(stdout.contains(word), "{word}\n{stdout}");
    }
    assert_eq!(stdout.contains("--fault"), cfg!(feature = "faults"), "{stdout}");
}

#[tokio::test]
async fn usage_errors_exit_2() {
    for args in [
        vec!["--listen", "nowhere"],
        vec!["--grace", "soon"],
        vec!["--grace=-1s"],
        vec!["--tls-cert", "a.pem"],
        vec!["--nonsense"],
    ] {
        let (code, stdout, stderr) = output(&args, &[]).await;
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}");
        assert!(stderr.starts_with("error: "), "{stderr}");
    }
}

#[cfg(not(feature = "faults"))]
#[tokio::test]
async fn a_build_for_production_cannot_be_broken() {
    for args in [["--fault", "stall"], ["--list-faults", "--json"]] {
        let (code, _, stderr) = output(&args, &[]).await;
        assert_eq!(code, Some(2), "{stderr}");
        assert!(stderr.contains("unexpected argument"), "{stderr}");
    }
}
