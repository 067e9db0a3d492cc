//! What only an administrator may see.

use serde_json::json;

use crate::support::{ADMIN_KEY, Godel, KEY, OTHER_KEY};

#[tokio::test]
async fn only_an_administrators_key_opens_it() {
    let godel = Godel::start(&[]).await;
    for path in ["/api/admin", "/api/admin/agents"] {
        let ask = || godel.ask(&format!("GET {path}"));
        assert_eq!(ask().send().await.status, 401);
        assert_eq!(ask().key("wrong").send().await.status, 401);
        for key in [KEY, OTHER_KEY] {
            let reply = ask().key(key).send().await;
            assert_eq!(reply.status, 403);
            assert_eq!(reply.json()["error"]["code"], "forbidden");
        }
        assert_eq!(ask().key(ADMIN_KEY).send().await.status, 200);
    }
}

#[tokio::test]
async fn it_shows_every_tenant() {
    let godel = Godel::start(&[]).await;
    for key in [KEY, KEY, OTHER_KEY] {
        let body = r#"{"type":"test","task":"a"}"#;
        godel.ask("POST /api/agents").key(key).body(body).send().await;
    }
    let overview = godel.ask("GET /api/admin").key(ADMIN_KEY).send().await.json();
    let agents = &overview["data"]["agents"];
    assert_eq!(agents["total"], 3);
    assert_eq!(agents["byTenant"], json!({ "default": 2, "other": 1 }));
    let by_status = agents["byStatus"].as_object().unwrap();
    assert_eq!(by_status.values().filter_map(serde_json::Value::as_u64).sum::<u64>(), 3);

    let all = godel.ask("GET /api/admin/agents").key(ADMIN_KEY).send().await.json();
    let mut tenants: Vec<_> = all["data"].as_array().unwrap().iter().map(|agent| agent["tenant"].clone()).collect();
    tenants.sort_by_key(ToString::to_string);
    assert_eq!(tenants, ["default", "default", "other"]);
}
