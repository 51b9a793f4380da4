//! A database of the version before requests knew their credential and their names in every spelling.

use breakglass_server::domain::{Ended, end_holders};
use serde_json::json;

use breakglass_testing::before;
use breakglass_testing::credentials::replace_credential;
use breakglass_testing::service::{Service, config};

/// When the requests in the dump were submitted, in seconds; they are for a day.
const MADE: i64 = 1_795_694_855;

const PENDING: &str = "req_01M8BW212BFN65JH1Z3EJZ9BVG";
const APPROVED: &str = "req_01M8BW212H56YGSPK151ZDAG6N";
const LEFT: &str = "req_01M8BW212ZV6XT2452V29Y5GY5";
const LEFT_PENDING: &str = "req_01M8BW21330PRBZJA1P6J52DV5";

async fn service() -> Service {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals.db");
    before::make(&path, before::PEOPLE).await;
    // What was asked for is for a day.
    let text = config(&directory).replacen("max_duration = \"1h\"", "max_duration = \"1day\"", 1);
    Service::start_with(directory, &text, MADE + 60).await
}

#[tokio::test]
async fn its_requests_are_decided_and_collected_as_before() {
    let service = service().await;
    service.act("carol", PENDING, "approve").await.ok();
    service.token(PENDING).await;
    // Nobody knows which credential asked: any of that name collects, for the rest of the grant's day.
    replace_credential(&service, "alice", "alice-2");
    service.act("alice-2", APPROVED, "token").await.ok();
}

#[tokio::test]
async fn its_names_are_found_in_every_spelling() {
    let service = service().await;
    for (query, count, others) in [
        ("incident=inc-7", 4, vec!["INC-7", "INC\u{2010}7\u{a0}"]),
        ("subject=alice", 5, vec!["ALICE \u{200b}"]),
        ("subject=zoe", 2, vec![]),
    ] {
        let found = service.get("grace", &format!("/v1/audit/requests?{query}")).await.ok();
        assert_eq!(found["requests"].as_array().unwrap().len(), count, "{query}");
        let others: Vec<_> = others.iter().map(|name| json!({ "name": name })).collect();
        assert_eq!(found["look_alikes"], json!(others), "{query}");
    }
}

#[tokio::test]
async fn its_holders_who_are_gone_lose_what_they_hold() {
    let service = service().await;
    let ended = end_holders(&service.app).await.unwrap();
    let people = vec!["ALICE \u{200b}".to_owned(), "zoe".to_owned()];
    assert_eq!(ended, Ended { people, revoked: 1, cancelled: 2 });
    for (id, state) in [(LEFT, "revoked"), (LEFT_PENDING, "cancelled"), (PENDING, "pending")] {
        let view = service.get("carol", &format!("/v1/requests/{id}")).await.ok();
        assert_eq!(view["state"], state, "{id}");
    }
}
