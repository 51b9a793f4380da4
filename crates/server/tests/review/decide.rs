//! What reviewers say, and what is kept of it.

use breakglass_server::store::check::{Part, check};
use breakglass_testing::service::Service;
use serde_json::{Value, json};

use crate::common::{RULE, decide, digest, events, owed, service, shown, used, used_by};

/// `POST /v1/reviews/{id}/..` with this body.
async fn post(service: &Service, who: &str, id: &str, verb: &str, body: Value) -> (u16, String) {
    let answer = service.post(who, &format!("/v1/reviews/{id}/{verb}"), body).await;
    if answer.status.is_success() {
        return (200, answer.body["state"].as_str().unwrap().to_owned());
    }
    let (status, reason) = answer.refusal();
    (status, reason.to_owned())
}

fn said(status: u16, word: &str) -> (u16, String) {
    (status, word.to_owned())
}

#[tokio::test]
async fn a_signature_names_what_was_seen_and_is_kept_with_what_was_said() {
    let service = service(RULE).await;
    let id = owed(&service).await;
    let digest = digest(&service, &id).await;
    let log = json!({ "sha256": "a".repeat(64), "verdict": "ok", "checked": 12, "findings": { "open_end": 1 } });
    let body = json!({ "digest": digest, "note": "as the incident says", "log": log });
    let signed = service.post("frank", &format!("/v1/reviews/{id}/sign"), body).await.ok();
    assert_eq!((&signed["id"], &signed["state"]), (&json!(id), &json!("signed")));
    let decision = json!({
        "by": "frank", "at": "2026-11-22T02:13:00Z", "digest": digest, "note": "as the incident says", "log": log,
    });
    assert_eq!(signed["decision"], decision);
    assert_eq!(shown(&service, "alice", &id).await["review"], signed);
    let (actor, action) = service.trail().await.pop().unwrap();
    assert_eq!((actor.as_str(), action.as_str()), ("frank", "review_signed"));
    let page = service.get("grace", "/v1/audit/events").await.ok();
    let event = page["events"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(
        (&event["type"], &event["actor"]),
        (&json!("breakglass.review.signed"), &json!("frank"))
    );
    for (member, value) in [
        ("review", &json!(id)),
        ("digest", &json!(digest)),
        ("note", &json!("as the incident says")),
        ("log", &log),
    ] {
        assert_eq!(event["data"][member], *value, "{member}");
    }
    let found = check(&service.app.config()).await.unwrap().findings.into_iter();
    let found: Vec<String> =
        found.filter(|one| one.part == Part::Requests).map(|one| one.what).collect();
    assert_eq!(found, Vec::<String>::new());
}

#[tokio::test]
async fn it_is_closed_for_good_and_the_same_once_more_has_the_same_answer() {
    for (verb, other, state) in [("sign", "dispute", "signed"), ("dispute", "sign", "disputed")] {
        let service = service(RULE).await;
        let id = owed(&service).await;
        let first = decide(&service, "frank", &id, verb).await.ok();
        let again = decide(&service, "frank", &id, verb).await.ok();
        assert_eq!(first, again, "{verb}");
        for (who, verb) in [("frank", other), ("bob", verb), ("bob", other)] {
            let refused = decide(&service, who, &id, verb).await;
            assert_eq!(refused.refusal(), (409, "already_reviewed"), "{who} {verb}");
            let detail = refused.body["detail"].as_str().unwrap();
            let expected = format!("`frank` {state} this review at 2026-11-22T02:13:00Z");
            assert!(detail.starts_with(&expected), "{detail}");
        }
        // Of something else than was signed.
        let body = json!({ "digest": "0".repeat(64), "note": "n" });
        let refused = post(&service, "frank", &id, verb, body).await;
        assert_eq!(refused, said(409, "already_reviewed"));
        // Who may not, learns nothing of it.
        assert_eq!(decide(&service, "alice", &id, verb).await.refusal(), (403, "took_part"));
        assert_eq!(events(&service).await.len(), 2);
    }
}

#[tokio::test]
async fn what_is_not_as_it_has_to_be_is_refused() {
    let service = service(RULE).await;
    let (request, _) = used(&service, &["orders:read"]).await;
    let waiting = crate::common::of_request(&service, &request).await;
    let waiting = waiting["id"].as_str().unwrap();
    assert_eq!(
        decide(&service, "frank", waiting, "sign").await.refusal(),
        (409, "review_not_owed"),
        "the grant holds"
    );
    service.advance(1);
    let id = owed(&service).await;
    let digest = digest(&service, &id).await;
    let unknown = post(&service, "frank", "rev_1", "sign", json!({ "digest": digest })).await;
    assert_eq!(unknown, said(404, "review_unknown"));
    let changed = post(&service, "frank", &id, "sign", json!({ "digest": "0".repeat(64) })).await;
    assert_eq!(changed, said(409, "review_changed"));
    let log = |member: &str, value: Value| {
        let mut log =
            json!({ "sha256": "a".repeat(64), "verdict": "ok", "checked": 1, "findings": {} });
        log[member] = value;
        json!({ "digest": digest, "note": "n", "log": log })
    };
    let long: serde_json::Map<String, Value> =
        (0..200).map(|number| (format!("kind_of_finding_{number}"), json!(1))).collect();
    for (verb, body, field) in [
        ("sign", json!({}), "digest"),
        ("sign", json!({ "digest": "A".repeat(64) }), "digest"),
        ("sign", json!({ "digest": digest, "note": "" }), "note"),
        ("sign", json!({ "digest": digest, "note": "a\nb" }), "note"),
        ("dispute", json!({ "digest": digest }), "note"),
        ("dispute", json!({ "digest": digest, "note": "" }), "note"),
        ("dispute", json!({ "note": "n" }), "digest"),
        ("sign", log("sha256", json!("a")), "log.sha256"),
        ("sign", log("verdict", json!("fine")), "log.verdict"),
        ("dispute", log("findings", json!({ "A b": 1 })), "log.findings"),
        ("sign", log("findings", Value::Object(long)), "log"),
    ] {
        let refused =
            service.post("frank", &format!("/v1/reviews/{id}/{verb}"), body.clone()).await;
        assert_eq!(refused.refusal(), (400, "invalid_request"), "{body}");
        assert_eq!(refused.body["errors"][0]["field"], field, "{body}");
    }
    for body in [
        json!({ "digest": digest, "more": 1 }),
        log("more", json!(1)),
        log("checked", json!(-1)),
        log("checked", json!("1")),
    ] {
        let refused = post(&service, "frank", &id, "sign", body.clone()).await;
        assert_eq!(refused, said(400, "invalid_request"), "{body}");
    }
    assert_eq!(shown(&service, "grace", &id).await["review"]["state"], "owed");
    assert_eq!(events(&service).await.len(), 1);
}

/// What comes to light between the look and the signature is not signed unseen.
#[tokio::test]
async fn an_approval_that_was_given_in_return_meanwhile_is_not_signed_unseen() {
    // bob approves for alice; alice may approve staging for bob.
    let returns = "[[approval_rules]]\nname = \"staging\"\nscopes = [\"staging:read\"]\n\
         need = [{ from = [\"loners\"] }]\n";
    let service = service(&format!("{RULE}{returns}")).await;
    let (request, jti) = used_by(&service, ("alice", "bob"), &["orders:read"]).await;
    service.revoke("alice", &jti).await.ok();
    service.tick().await;
    let review = crate::common::of_request(&service, &request).await;
    let id = review["id"].as_str().unwrap();
    let before = digest(&service, id).await;
    assert_eq!(shown(&service, "grace", id).await["mutual_approvals"], json!([]));
    // It needs both: alice's answer is one of them.
    let asked = json!({ "scopes": ["staging:read"], "reason": "r", "duration": "30m" });
    let asked = service.post("bob", "/v1/requests", asked).await.ok();
    let asked = asked["id"].as_str().unwrap();
    service.advance(5);
    service.act("alice", asked, "approve").await.ok();
    let refused = post(&service, "carol", id, "sign", json!({ "digest": before })).await;
    assert_eq!(refused, said(409, "review_changed"));
    let seen = shown(&service, "carol", id).await;
    let mutual = json!([{ "request": asked, "approver": "bob", "at": "2026-11-22T02:13:05Z" }]);
    assert_eq!(seen["mutual_approvals"], mutual);
    let signed = post(&service, "carol", id, "sign", json!({ "digest": seen["digest"] })).await;
    assert_eq!(signed, said(200, "signed"));
}
