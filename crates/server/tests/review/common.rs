//! The service with a rule that asks for a review.

use std::path::Path;

use breakglass_testing::service::{Answer, START, Service, config};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long after its end a filter whose clock is late may honour a token, in seconds.
pub(crate) const SKEW_S: i64 = 60;

/// Three days, in seconds.
pub(crate) const WITHIN_S: i64 = 3 * 86_400;

/// A rule that asks commanders, and for a review.
pub(crate) const RULE: &str = "[[approval_rules]]\nname = \"orders\"\nscopes = [\"orders:read\"]\n\
     need = [{ from = [\"commanders\"] }]\nreview = { within = \"3days\" }\n";

/// The configuration with this after it.
pub(crate) fn with(directory: &TempDir, more: &str) -> String {
    format!("administrators = [\"auditors\"]\n{}\n{more}", config(directory))
}

/// The service with these rules.
pub(crate) async fn service(rules: &str) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = with(&directory, rules);
    Service::start_with(directory, &text, START).await
}

/// The service with these rules on the files of this folder, which is not removed with it.
pub(crate) async fn beside(folder: &Path, rules: &str, now: i64) -> Service {
    let own = tempfile::tempdir().unwrap();
    let text = with(&own, rules);
    let text = text.replace(own.path().to_str().unwrap(), folder.to_str().unwrap());
    Service::start_with(own, &text, now).await
}

/// A grant of this person, approved by this one, whose first token was taken: the ids of the request and of the grant.
pub(crate) async fn used_by(
    service: &Service,
    (requester, approver): (&str, &str),
    scopes: &[&str],
) -> (String, String) {
    let body = json!({
        "scopes": scopes, "reason": "orders are stuck", "duration": "30m", "incident": "INC-1",
    });
    let view = service.post(requester, "/v1/requests", body).await.ok();
    let id = view["id"].as_str().unwrap().to_owned();
    let view = service.act(approver, &id, "approve").await.ok();
    service.act(requester, &id, "token").await.ok();
    (id, view["grant"]["id"].as_str().unwrap().to_owned())
}

/// One of alice's, approved by carol.
pub(crate) async fn used(service: &Service, scopes: &[&str]) -> (String, String) {
    used_by(service, ("alice", "carol"), scopes).await
}

/// A review that is owed of a grant of alice's that carol approved: its id.
pub(crate) async fn owed(service: &Service) -> String {
    let (request, jti) = used(service, &["orders:read"]).await;
    service.revoke("alice", &jti).await.ok();
    service.tick().await;
    of_request(service, &request).await["id"].as_str().unwrap().to_owned()
}

/// The review that a request shows.
pub(crate) async fn of_request(service: &Service, request: &str) -> Value {
    service.get("grace", &format!("/v1/requests/{request}")).await.ok()["review"].clone()
}

/// `GET /v1/reviews/{id}` by this person.
pub(crate) async fn shown(service: &Service, who: &str, id: &str) -> Value {
    service.get(who, &format!("/v1/reviews/{id}")).await.ok()
}

/// The digest of a review, as an auditor is shown it.
pub(crate) async fn digest(service: &Service, id: &str) -> String {
    shown(service, "grace", id).await["digest"].as_str().unwrap().to_owned()
}

/// `sign` or `dispute` by this person, of the review as it is now.
pub(crate) async fn decide(service: &Service, who: &str, id: &str, verb: &str) -> Answer {
    let body = json!({ "digest": digest(service, id).await, "note": "looked at it" });
    service.post(who, &format!("/v1/reviews/{id}/{verb}"), body).await
}

/// The types of the events of reviews, with who did it, in their order.
pub(crate) async fn events(service: &Service) -> Vec<(String, String)> {
    let page = service.get("grace", "/v1/audit/events").await.ok();
    let events = page["events"].as_array().unwrap().iter();
    let of_reviews = events.filter_map(|event| {
        let kind = event["type"].as_str()?.strip_prefix("breakglass.review.")?;
        Some((kind.to_owned(), event["actor"].as_str()?.to_owned()))
    });
    of_reviews.collect()
}

/// What `events` has, by the service.
pub(crate) fn by_service(kinds: &[&str]) -> Vec<(String, String)> {
    kinds.iter().map(|kind| ((*kind).to_owned(), "service".to_owned())).collect()
}
