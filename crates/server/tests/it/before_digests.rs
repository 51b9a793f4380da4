//! A database of the version before requests froze the digests of what their scopes open.

use serde_json::json;

use breakglass_testing::before;
use breakglass_testing::service::{Service, config};

/// When the requests in the dump were submitted, in seconds; they wait, and are for, a day.
const MADE: i64 = 1_795_764_194;

const PENDING: &str = "req_01M8DY62YCHFCEGA9KHKMPV3NP";
const APPROVED: &str = "req_01M8DY62YVNQYYK8CWY5GV7TA8";

async fn service() -> Service {
    let directory = tempfile::tempdir().unwrap();
    before::restore(&directory.path().join("approvals.db"), before::DIGESTS).await;
    let text = config(&directory)
        .replace("max_duration = \"1h\"", "max_duration = \"1day\"")
        .replace("max_duration = \"30m\"", "max_duration = \"1day\"");
    Service::start_with(directory, &text, MADE + 60).await
}

#[tokio::test]
async fn its_pending_request_is_shown_and_approved_by_the_digest_of_what_it_has() {
    let service = service().await;
    let shown = service.get("carol", &format!("/v1/requests/{PENDING}")).await.ok();
    assert_eq!(
        shown["rules"],
        json!([{ "scope": "orders:read" }, { "scope": "orders:write" }]),
        "nobody knew what they open"
    );
    // By sha256sum over the form that docs/approval-service.md describes.
    let digest = "441bdd8f446b15799d275c59464fe8f8bbd37d44fd4ff71bed63e732433ee5d6";
    assert_eq!(shown["digest"], digest);
    let path = format!("/v1/requests/{PENDING}/approve");
    let approved = service.post("carol", &path, json!({ "digest": digest })).await.ok();
    assert_eq!(approved["digest"], digest, "what is approved keeps its digest");
    service.token(PENDING).await;
}

#[tokio::test]
async fn its_grant_is_collected_as_before_and_its_token_names_no_digest() {
    let service = service().await;
    let token = service.token(APPROVED).await;
    let claims = crate::token::claims_of(&token);
    assert_eq!(claims["breakglass"].get("scopes"), None);
    assert_eq!(claims["breakglass"]["approvals"], 1);
}
