//! People who lose a group at their provider: the grants that need it end, unless many lose it at once.

use breakglass_server::domain::sessions::Tokens;
use breakglass_testing::provider::TestProvider;
use breakglass_testing::service::{START, Service};
use breakglass_testing::sessions::{refreshed, said, session};
use serde_json::{Value, json};

use crate::judged::{acts, asked, configuration, says, signed_in, with, with_session};

/// A grant of this person for this scope, whose first token was taken; the request's id.
async fn granted(service: &Service, person: &Tokens, scope: &str, approver: &str) -> String {
    let mut body = asked();
    body["scopes"] = json!([scope]);
    let id = service.post(&person.access, "/v1/requests", body).await.ok()["id"].clone();
    let id = id.as_str().unwrap().to_owned();
    service.act(approver, &id, "approve").await.ok();
    service.act(&person.access, &id, "token").await.ok();
    id
}

async fn state(service: &Service, id: &str) -> String {
    let request = service.app.store().request(service.app.now(), id).await.unwrap().unwrap();
    request.state.word().to_owned()
}

#[tokio::test]
async fn grants_that_need_a_lost_group_end_and_no_others() {
    let provider = TestProvider::start();
    let top = "";
    let directory = tempfile::tempdir().unwrap();
    // Two scopes of two groups.
    let text = configuration(&directory, &provider, top).replacen(
        "name = \"orders:write\"\naudience = \"prod\"\nrequesters = [\"oncall\"]",
        "name = \"orders:write\"\naudience = \"prod\"\nrequesters = [\"writers\"]",
        1,
    );
    let service = Service::start_with(directory, &text, START).await;
    let alice = signed_in(&service, &provider, "al-1", &["oncall", "writers"]).await;
    let bob = signed_in(&service, &provider, "bo-2", &["oncall"]).await;
    let read = granted(&service, &alice, "orders:read", "carol").await;
    let write = granted(&service, &alice, "orders:write", "carol").await;
    let other = granted(&service, &bob, "orders:read", "carol").await;
    service.advance(601);
    let alice = refreshed(&service, &alice.refresh).await.unwrap();
    says(&service, &provider, "al-1", &["oncall"]);
    service.get(&alice.access, "/v1/requests").await.ok();
    let states = [state(&service, &read).await, state(&service, &write).await];
    assert_eq!(states, ["active", "revoked"]);
    assert_eq!(state(&service, &other).await, "active");
    let request = service.get("carol", &format!("/v1/requests/{write}")).await.ok();
    let revoked = &request["grant"]["revoked"];
    assert_eq!((&revoked["by"], &revoked["reason"]), (&json!("service"), &json!("holder_left")));
    let left = acts(&service, "holder_left").await;
    assert_eq!(
        (&left[0]["people"], &left[0]["groups"]),
        (&json!(["corp:al-1"]), &json!(["writers"]))
    );
    // The feed has it: a proxy is told.
    let feed = service.feed("").await.ok();
    assert_eq!(feed["revoked"].as_array().map(Vec::len), Some(1), "{feed}");
    // A sign-in is an answer too.
    session(&service, &with_session(&provider, "al-1", &[])).await;
    assert_eq!(state(&service, &read).await, "revoked");
    let chain = service.app.store().events_after(0, 1000).await.unwrap();
    assert!(chain.iter().any(|event| event.kind == "breakglass.service.holder_left"));
}

#[tokio::test]
async fn a_configuration_that_asks_for_other_groups_ends_nothing() {
    let provider = TestProvider::start();
    let service = with(&provider, "").await;
    let alice = signed_in(&service, &provider, "al-1", &["oncall"]).await;
    let id = granted(&service, &alice, "orders:read", "carol").await;
    let text = configuration(&service.directory, &provider, "").replacen(
        "requesters = [\"oncall\"]",
        "requesters = [\"others\"]",
        1,
    );
    service.app.reconfigure(breakglass_server::config::Config::parse(&text).unwrap());
    service.advance(601);
    let alice = refreshed(&service, &alice.refresh).await.unwrap();
    says(&service, &provider, "al-1", &["oncall"]);
    service.get(&alice.access, "/v1/requests").await.ok();
    assert_eq!(state(&service, &id).await, "active");
}

#[tokio::test]
async fn people_who_may_keep_their_grants_keep_them() {
    let provider = TestProvider::start();
    let service = with(&provider, "keep_grants_of_leavers = true").await;
    let alice = signed_in(&service, &provider, "al-1", &["oncall"]).await;
    let id = granted(&service, &alice, "orders:read", "carol").await;
    session(&service, &with_session(&provider, "al-1", &[])).await;
    assert_eq!(state(&service, &id).await, "active");
}

/// Forty people of one group who have a grant each; then the provider says of them that they have no group.
struct Forty {
    provider: TestProvider,
    service: Service,
    requests: Vec<String>,
}

fn name(index: usize) -> String {
    format!("p-{index:02}")
}

async fn forty() -> Forty {
    let provider = TestProvider::start();
    let service = with(&provider, "").await;
    let mut requests = Vec::new();
    for index in 0..40 {
        let mut said = said("corp", &name(index), &["oncall"]);
        said.issuer.clone_from(&provider.issuer);
        let person = session(&service, &said).await;
        requests.push(granted(&service, &person, "orders:read", "carol").await);
    }
    let mut forty = Forty { provider, service, requests };
    forty.lose(0..40).await;
    forty
}

impl Forty {
    async fn lose(&mut self, people: std::ops::Range<usize>) {
        for index in people {
            self.sign_in(index, &[]).await;
        }
    }

    async fn sign_in(&self, index: usize, groups: &[&str]) -> Tokens {
        let mut said = said("corp", &name(index), groups);
        said.issuer.clone_from(&self.provider.issuer);
        session(&self.service, &said).await
    }

    async fn revoked(&self) -> Vec<usize> {
        let mut revoked = Vec::new();
        for (index, id) in self.requests.iter().enumerate() {
            if state(&self.service, id).await == "revoked" {
                revoked.push(index);
            }
        }
        revoked
    }

    async fn administrator(&self) -> Tokens {
        let mut said = said("corp", "admin", &["admins"]);
        said.issuer.clone_from(&self.provider.issuer);
        session(&self.service, &said).await
    }
}

#[tokio::test]
async fn where_many_lose_a_group_at_once_the_ends_are_held_until_an_administrator_confirms() {
    let forty = forty().await;
    let service = &forty.service;
    // 5 % of forty are two: from the third on the ends are held, and that is said once.
    assert_eq!(forty.revoked().await, [0, 1]);
    let mass = acts(service, "mass_loss").await;
    assert_eq!(
        mass,
        [json!({ "group": "oncall", "provider": "corp", "people": 3, "members": 40 })]
    );
    assert_eq!(service.counter("breakglass_directory_held_ends").await, 38);
    let health = service.get("grace", "/healthz?detail=1").await.ok();
    assert_eq!(health["held_ends"].as_array().map(Vec::len), Some(38), "{health}");
    let events = service.app.store().events_after(0, 5000).await.unwrap();
    assert!(events.iter().any(|event| event.kind == "breakglass.directory.mass_loss"));
    // The ends alone are held: nothing new is opened.
    let person = forty.sign_in(5, &[]).await;
    let refused = service.post(&person.access, "/v1/requests", asked()).await;
    assert_eq!(refused.refusal(), (403, "not_a_requester"));
    // And a grant is ended by hand as ever.
    let grant = service.get("carol", &format!("/v1/requests/{}", forty.requests[5])).await.ok();
    service.revoke("carol", grant["grant"]["id"].as_str().unwrap()).await.ok();
    // A person who has the group again is held no more, and keeps the grant.
    forty.sign_in(6, &["oncall"]).await;
    let path = "/v1/directory/held-ends";
    assert_eq!(service.get("carol", path).await.refusal(), (403, "not_an_administrator"));
    let admin = forty.administrator().await;
    let listed = service.get(&admin.access, path).await.ok();
    let people: Vec<&Value> =
        listed["held_ends"].as_array().unwrap().iter().map(|one| &one["person"]).collect();
    assert_eq!(people.len(), 37);
    assert!(!people.contains(&&json!("corp:p-06")), "{people:?}");
    let confirm = format!("{path}/confirm");
    let body = json!({ "group": "oncall" });
    let refused = service.post("carol", &confirm, body.clone()).await;
    assert_eq!(refused.refusal(), (403, "not_an_administrator"));
    let wrong = service.post(&admin.access, &confirm, json!({ "group": "dbas" })).await;
    assert_eq!(wrong.refusal(), (400, "invalid_request"));
    let done = service.post(&admin.access, &confirm, body.clone()).await.ok();
    assert_eq!(done, json!({ "people": 37, "revoked": 36, "left": 0 }));
    let left: Vec<usize> = (0..40).filter(|index| *index != 6).collect();
    assert_eq!(forty.revoked().await, left);
    let confirmed = acts(service, "held_ends_confirmed").await;
    assert_eq!((confirmed.len(), &confirmed[0]["group"]), (1, &json!("oncall")));
    assert_eq!(service.counter("breakglass_directory_held_ends").await, 0);
    assert_eq!(
        service.post(&admin.access, &confirm, body).await.refusal(),
        (400, "invalid_request")
    );
}

#[tokio::test]
async fn ends_that_are_held_stay_so_after_a_restart_and_go_with_the_grants() {
    let forty = forty().await;
    let Forty { provider, service, requests } = forty;
    let text = configuration(&service.directory, &provider, "");
    service.app.store().close().await;
    let service = Service::start_with(service.directory, &text, START + 700).await;
    assert_eq!(service.counter("breakglass_directory_held_ends").await, 38);
    let forty = Forty { provider, service, requests };
    // More than ten minutes later another one of them is held as well, because the others still are.
    forty.sign_in(7, &["oncall"]).await;
    forty.sign_in(7, &[]).await;
    assert_eq!(forty.revoked().await, [0, 1]);
    // When the grants are over, there is nothing to hold, and one person who leaves loses the grant.
    forty.service.advance(1800);
    let person = forty.sign_in(8, &["oncall"]).await;
    let id = granted(&forty.service, &person, "orders:read", "carol").await;
    forty.sign_in(8, &[]).await;
    assert_eq!(state(&forty.service, &id).await, "revoked");
    let admin = forty.administrator().await;
    let listed = forty.service.get(&admin.access, "/v1/directory/held-ends").await.ok();
    assert_eq!(listed, json!({ "held_ends": [] }));
}
