//! Who gets a letter about the review of a used grant.

use std::collections::BTreeSet;

use breakglass_testing::service::{START, Service};
use breakglass_testing::smtp::MailServer;
use serde_json::{Value, json};

use super::deliveries::{list, until, with_sinks};
use super::people::{mails, start, to_people};

/// A rule that asks commanders, and for a review.
const RULE: &str = "[[approval_rules]]\nname = \"orders\"\nscopes = [\"orders:read\"]\n\
     need = [{ from = [\"commanders\"] }]\nreview = { within = \"1h\" }\n";

/// One for whose review all took part: there are two of `dbas`.
const BOTH: &str = "[[approval_rules]]\nname = \"both\"\nscopes = [\"db:admin\"]\n\
     need = [{ from = [\"dbas\"], count = 2 }]\nreview = { within = \"1h\" }\n";

async fn service(server: &MailServer) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = mails(&with_sinks(&directory, &format!("{}{RULE}{BOTH}", to_people(server.port))));
    let text = text.replace("administrators = [\"dbas\"]", "administrators = [\"commanders\"]");
    start(directory, &text, START).await
}

/// A used grant of alice's for this scope, approved by these people, that she gave back: the id of its review.
async fn owed(service: &Service, scope: &str, approvers: &[&str]) -> String {
    let body = json!({ "scopes": [scope], "reason": "r", "duration": "30m" });
    let view = service.post("alice", "/v1/requests", body).await.ok();
    let id = view["id"].as_str().unwrap().to_owned();
    let mut view = Value::Null;
    for approver in approvers {
        view = service.act(approver, &id, "approve").await.ok();
    }
    service.token(&id).await;
    service.revoke("alice", view["grant"]["id"].as_str().unwrap()).await.ok();
    service.tick().await;
    let view = service.get("alice", &format!("/v1/requests/{id}")).await.ok();
    view["review"]["id"].as_str().unwrap().to_owned()
}

/// To whom this event goes, once there is such a delivery.
async fn told(service: &Service, kind: &str) -> BTreeSet<String> {
    let of_kind = async || {
        let listed = list(service, "").await;
        let deliveries = listed["deliveries"].as_array().unwrap().iter();
        let of = deliveries.filter(|one| one["type"] == format!("breakglass.review.{kind}"));
        of.map(|one| one["recipient"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>()
    };
    until(async || !of_kind().await.is_empty()).await;
    of_kind().await
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

async fn decide(service: &Service, who: &str, id: &str, verb: &str) {
    let path = format!("/v1/reviews/{id}");
    let shown = service.get(who, &path).await.ok();
    let body = json!({ "digest": shown["digest"], "note": "n" });
    service.post(who, &format!("{path}/{verb}"), body).await.ok();
}

#[tokio::test(flavor = "multi_thread")]
async fn those_who_may_sign_are_told_and_afterwards_the_requester() {
    let server = MailServer::plain();
    let service = service(&server).await;
    let id = owed(&service, "orders:read", &["carol"]).await;
    assert_eq!(told(&service, "owed").await, names(&["bob", "frank"]));
    service.advance(3600);
    service.tick().await;
    assert_eq!(told(&service, "overdue").await, names(&["bob", "frank"]));
    decide(&service, "frank", &id, "sign").await;
    assert_eq!(told(&service, "signed").await, names(&["alice"]));
    service.advance(1);
    let id = owed(&service, "orders:read", &["carol"]).await;
    decide(&service, "bob", &id, "dispute").await;
    assert_eq!(told(&service, "disputed").await, names(&["alice", "carol"]));
}

/// Where all who could sign took part, the administrators are told: here the members of `commanders`.
#[tokio::test(flavor = "multi_thread")]
async fn administrators_are_told_where_no_person_may_sign() {
    let server = MailServer::plain();
    let service = service(&server).await;
    let id = owed(&service, "db:admin", &["dave", "frank"]).await;
    let seen = service.get("grace", &format!("/v1/reviews/{id}")).await.ok();
    assert_eq!(seen["signable_by"], "no_one");
    let expected = names(&["bob", "carol", "frank"]);
    assert_eq!(told(&service, "owed").await, expected);
    service.advance(3600);
    service.tick().await;
    assert_eq!(told(&service, "overdue").await, expected);
}
