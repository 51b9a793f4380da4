//! `GET /v1/scopes`, and what is near a name that is none.

use serde_json::{Value, json};

use breakglass_testing::service::{START, Service, config};

async fn named(service: &Service, who: &str) -> Vec<String> {
    let scopes = service.get(who, "/v1/scopes").await.ok();
    scopes["scopes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn tells_what_one_may_ask_for_and_approve() {
    let directory = tempfile::tempdir().unwrap();
    let text = config(&directory).replacen(
        "name = \"orders:read\"\n",
        "name = \"orders:read\"\nsummary = \"look at orders\"\n",
        1,
    );
    let service = Service::start_with(directory, &text, START).await;
    let answer = service.get("bob", "/v1/scopes").await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let one = |name: &str,
               summary: Value,
               audience: &str,
               longest: &str,
               approves: bool,
               who: &[&str]| {
        json!({
            "name": name, "summary": summary, "audience": audience, "max_duration": longest,
            "may_request": true, "may_approve": approves, "approvers": who,
        })
    };
    assert_eq!(
        answer.ok(),
        json!({ "scopes": [
            one("orders:read", json!("look at orders"), "prod", "1h", true, &["carol", "frank"]),
            one("orders:write", Value::Null, "prod", "30m", true, &["carol", "frank"]),
            one("db:admin", Value::Null, "prod", "1h", false, &["dave", "frank"]),
            one("staging:read", Value::Null, "staging", "1h", true, &["carol", "frank"]),
        ] })
    );
    let carol = service.get("carol", "/v1/scopes").await.ok();
    let first = &carol["scopes"][0];
    assert_eq!((&first["may_request"], &first["may_approve"]), (&json!(false), &json!(true)));
    assert_eq!(named(&service, "dave").await, ["db:admin"]);
    assert_eq!(named(&service, "erin").await, [""; 0], "what is not theirs they do not see");
    assert_eq!(named(&service, "grace").await.len(), 5, "an auditor sees all");
    // Nobody but alice could approve it for alice.
    let alice = service.get("alice", "/v1/scopes").await.ok();
    let lonely = alice["scopes"].as_array().unwrap().last().unwrap().clone();
    assert_eq!((&lonely["name"], &lonely["approvers"]), (&json!("lonely"), &json!([])));
    for (who, refusal) in [("envoy", (403, "people_only")), ("nobody", (401, "credential_unknown"))]
    {
        assert_eq!(service.get(who, "/v1/scopes").await.refusal(), refusal);
    }
}

async fn refused(service: &Service, who: &str, scope: &str) -> (String, String) {
    let body = json!({ "scopes": [scope], "reason": "r", "duration": "30m" });
    let answer = service.post(who, "/v1/requests", body).await;
    let text = |name: &str| answer.body[name].as_str().unwrap().to_owned();
    (text("reason"), text("detail"))
}

#[tokio::test]
async fn a_scope_that_is_none_is_refused_with_those_near_it() {
    let service = Service::start().await;
    for (wanted, near) in [
        ("orders:raed", "`orders:read`"),
        ("Orders:Write", "`orders:write`"),
        ("\u{43e}rders:read", "`orders:read`"),
        ("orders", "`orders:read`, `orders:write`"),
        ("db-admin", "`db:admin`"),
    ] {
        let (reason, detail) = refused(&service, "alice", wanted).await;
        assert_eq!(reason, "scope_unknown");
        assert!(
            detail.ends_with(&format!("near it, and yours to ask for: {near}")),
            "{wanted}: {detail}"
        );
    }
    let (_, detail) = refused(&service, "alice", "payments:refund").await;
    assert!(detail.ends_with("`breakglass scopes` lists what you may ask for"), "{detail}");
}

#[tokio::test]
async fn what_one_may_not_ask_for_is_not_told() {
    let service = Service::start().await;
    // dave may ask for nothing; bob not for `lonely`.
    for (who, wanted) in [("dave", "orders:raed"), ("erin", "db:admim"), ("bob", "lonley")] {
        let (reason, detail) = refused(&service, who, wanted).await;
        assert_eq!(reason, "scope_unknown");
        assert!(!detail.contains("near it"), "{who}: {detail}");
    }
    let directory = tempfile::tempdir().unwrap();
    let text = config(&directory)
        + "[[scopes]]\nname = \"orders:reads\"\naudience = \"prod\"\nrequesters = [\"dbas\"]\n\
           approvers = [\"commanders\"]\nmax_duration = \"1h\"\n";
    let service = Service::start_with(directory, &text, START).await;
    let (reason, detail) = refused(&service, "alice", "orders:reads").await;
    assert_eq!(reason, "not_a_requester");
    assert!(
        detail.ends_with("the groups dbas; near it, and yours to ask for: `orders:read`"),
        "{detail}"
    );
}

#[tokio::test]
async fn no_more_than_three_are_near() {
    let directory = tempfile::tempdir().unwrap();
    let more: String = (1..=9)
        .map(|index| format!(
            "[[scopes]]\nname = \"queue:{index}\"\naudience = \"prod\"\nrequesters = [\"oncall\"]\n\
             approvers = [\"commanders\"]\nmax_duration = \"1h\"\n"
        ))
        .collect();
    let text = config(&directory) + &more;
    let service = Service::start_with(directory, &text, START).await;
    let (_, detail) = refused(&service, "alice", "queue:x").await;
    assert!(detail.ends_with("`queue:1`, `queue:2`, `queue:3`"), "{detail}");
}
