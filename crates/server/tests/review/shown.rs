//! What a reviewer is shown, and what of it the digest covers.

use breakglass_testing::service::Service;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::common::{RULE, digest, of_request, owed, service, shown, used_by};

#[tokio::test]
async fn all_that_was_granted_is_shown() {
    let service = service(RULE).await;
    let id = owed(&service).await;
    let seen = shown(&service, "frank", &id).await;
    let granted = &seen["granted"];
    for (member, value) in [
        ("requester", json!("alice")),
        ("scopes", json!(["orders:read"])),
        ("reason", json!("orders are stuck")),
        ("incident", json!("INC-1")),
        ("emergency", json!(false)),
        ("duration", json!("30m")),
        ("state", json!("revoked")),
    ] {
        assert_eq!(granted[member], value, "{member}");
    }
    assert_eq!(granted["grant"]["id"], seen["review"]["grant"]);
    assert_eq!(granted["review"], json!({ "id": id, "state": "owed" }));
    let by = json!([{ "by": "carol", "at": "2026-11-22T02:13:00Z", "groups": ["commanders"] }]);
    assert_eq!(seen["approvals"], by);
    assert_eq!(seen["mutual_approvals"], json!([]));
    assert_eq!(
        (&seen["signable_by"], &seen["signers"]),
        (&json!("people"), &json!(["bob", "frank"]))
    );
    assert_eq!(seen["alerts"], json!([]));
    assert_eq!(seen.get("used"), None, "it is not known");
    // The request shows it too, and lists do not.
    assert_eq!(of_request(&service, granted["id"].as_str().unwrap()).await["state"], "owed");
    let listed = service.get("alice", "/v1/requests").await.ok();
    assert_eq!(listed["requests"][0].get("review"), None);
}

/// Where all who could sign took part, the review says so.
#[tokio::test]
async fn a_review_that_no_person_may_sign_says_so() {
    // Only dave and frank are in `dbas`.
    let rule = "[[approval_rules]]\nname = \"both\"\nscopes = [\"db:admin\"]\nneed = [{ from = [\"dbas\"], count = 2 }]\n\
         review = { within = \"1day\" }\n";
    let service = service(rule).await;
    let body = json!({ "scopes": ["db:admin"], "reason": "r", "duration": "30m" });
    let request = service.post("alice", "/v1/requests", body).await.ok();
    let request = request["id"].as_str().unwrap();
    service.act("dave", request, "approve").await.ok();
    let view = service.act("frank", request, "approve").await.ok();
    service.token(request).await;
    service.revoke("alice", view["grant"]["id"].as_str().unwrap()).await.ok();
    service.tick().await;
    let review = of_request(&service, request).await;
    let seen = shown(&service, "grace", review["id"].as_str().unwrap()).await;
    assert_eq!((&seen["signable_by"], &seen["signers"]), (&json!("no_one"), &json!([])));
    let page = service.get("grace", "/v1/audit/events").await.ok();
    let event = page["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(event["data"]["signable_by"], "no_one");
}

/// What proxies reported of the grant.
#[tokio::test]
async fn the_alerts_of_the_grant_are_shown_and_not_signed() {
    let service = service(RULE).await;
    let (request, jti) = used_by(&service, ("alice", "carol"), &["orders:read"]).await;
    service.revoke("alice", &jti).await.ok();
    service.tick().await;
    let review = of_request(&service, &request).await;
    let id = review["id"].as_str().unwrap();
    let before = digest(&service, id).await;
    for grant in [jti.as_str(), "grant_of_another"] {
        let report = json!({ "node": "n", "alerts": [{
            "kind": "out_of_scope", "count": 3, "first": "2026-11-22T02:13:00Z", "last": "2026-11-22T02:13:00Z",
            "grant": grant, "audience": "prod", "method": "DELETE", "path": "/v1/orders/1",
        }] });
        service.post("envoy", "/v1/alerts", report).await.ok();
    }
    let seen = shown(&service, "frank", id).await;
    let alerts = seen["alerts"].as_array().unwrap();
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert_eq!(
        (&alerts[0]["type"], &alerts[0]["count"]),
        (&json!("breakglass.alert.out_of_scope"), &json!(3))
    );
    assert_eq!(seen["digest"], json!(before));
}

/// The digest of docs/review.md, computed from what is shown.
fn computed(seen: &Value, (activated, approved, expires): (i64, i64, i64)) -> String {
    let approvals: Vec<Value> = seen["approvals"].as_array().unwrap().iter().map(|one| {
        json!({ "at_ms": approved.saturating_mul(1000), "by": one["by"], "groups": one["groups"], "note": one["note"] })
    }).collect();
    let end = &seen["ended"];
    let form = json!({
        "activated_at": activated,
        "approvals": approvals,
        "approved_at": approved,
        "basis": seen["granted"]["grant"]["basis"],
        "ended": { "at": end["at"], "by": end["by"], "how": end["how"], "reason": end["reason"] },
        "expires_at": expires,
        "grant": seen["review"]["grant"],
        "id": seen["review"]["id"],
        "mutual_approvals": [],
        "request": seen["granted"]["digest"],
        "rules": seen["review"]["rules"],
        "scopes": seen["review"]["scopes"],
        "v": 1,
    });
    // serde_json sorts the members of a `Value` by their names.
    Sha256::digest(form.to_string()).iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn the_digest_is_what_the_document_says() {
    use breakglass_testing::service::START;
    let service = service(RULE).await;
    let id = owed(&service).await;
    let seen = shown(&service, "frank", &id).await;
    assert_eq!(seen["digest"], computed(&seen, (START, START, START + 1800)));
}

/// What is fixed about a grant and is not as it was has another digest; what may still come in has not.
#[tokio::test]
async fn the_digest_covers_what_is_fixed() {
    let service = service(RULE).await;
    let id = owed(&service).await;
    let before = digest(&service, &id).await;
    service.advance(86_400 * 4);
    service.tick().await;
    assert_eq!(digest(&service, &id).await, before, "it is overdue");
    let others = changed_rows(&service, &id).await;
    assert!(!others.contains(&before));
    let mut each = others.clone();
    each.sort();
    each.dedup();
    assert_eq!(each.len(), others.len());
}

/// The digests after changes of the file that no rule of the database allows.
async fn changed_rows(service: &Service, id: &str) -> Vec<String> {
    let database = service.database().await;
    let triggers: Vec<String> = sqlx::query_scalar(
        "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name IN ('requests', 'approvals', 'reviews', 'revocations')",
    )
    .fetch_all(&database)
    .await
    .unwrap();
    for name in triggers {
        sqlx::query(sqlx::AssertSqlSafe(format!("DROP TRIGGER {name}")))
            .execute(&database)
            .await
            .unwrap();
    }
    let mut digests = Vec::new();
    for change in [
        "UPDATE requests SET reason = 'another'",
        "UPDATE requests SET activated_at = activated_at + 1",
        "UPDATE requests SET expires_at = expires_at - 1",
        "UPDATE requests SET granted_scopes = '[\"orders:write\"]'",
        "UPDATE requests SET approved_at = approved_at + 1",
        "UPDATE approvals SET approver = 'bob'",
        "UPDATE approvals SET note = 'fine'",
        "UPDATE approvals SET approver_groups = '[\"dbas\"]'",
        "UPDATE approvals SET approved_at_ms = approved_at_ms + 1",
        "UPDATE revocations SET revoked_by = 'carol'",
        "UPDATE revocations SET reason = 'another'",
        "UPDATE revocations SET revoked_at_ms = revoked_at_ms + 1000",
        "UPDATE reviews SET rules = '[\"another\"]'",
    ] {
        sqlx::query(change).execute(&database).await.unwrap();
        digests.push(digest(service, id).await);
    }
    digests
}
