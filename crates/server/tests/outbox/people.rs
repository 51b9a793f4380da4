//! People whom an event concerns get letters of their own, by a real mail server: each whom it concerns, and no other.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::http::Request;
use breakglass_server::config::Config;
use breakglass_server::outbox;
use breakglass_testing::service::{START, Service, token_of};
use breakglass_testing::sessions::{config_with_providers, said, session};
use breakglass_testing::smtp::MailServer;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::deliveries::{list, until, with_sinks};

/// Everybody's address but erin's and grace's.
pub(crate) const MAILS: &[&str] = &["alice", "bob", "carol", "dave", "frank"];

/// A sink that writes to people, by this mail server.
pub(crate) fn to_people(port: u16) -> String {
    format!(
        "[[sinks]]\nname = \"people\"\ntype = \"mail\"\nhost = \"localhost\"\nport = {port}\nencryption = \"none\"\n\
         from = \"Breakglass <breakglass@corp.example>\"\nto_people = true\n"
    )
}

/// This configuration, in which these people have addresses.
pub(crate) fn with_mails(text: &str, people: &[(&str, &str)]) -> String {
    people.iter().fold(text.to_owned(), |text, (name, mail)| {
        let entry = format!("name = \"{name}\"\n");
        text.replacen(&entry, &format!("{entry}mail = \"{mail}\"\n"), 1)
    })
}

/// Addresses of [`MAILS`].
pub(crate) fn mails(text: &str) -> String {
    let mails: Vec<(&str, String)> =
        MAILS.iter().map(|name| (*name, format!("{name}@corp.test"))).collect();
    let mails: Vec<(&str, &str)> =
        mails.iter().map(|(name, mail)| (*name, mail.as_str())).collect();
    with_mails(text, &mails)
}

/// The service with this configuration, which tells of what happens.
pub(crate) async fn start(directory: TempDir, text: &str, now: i64) -> Service {
    let service = Service::start_with(directory, text, now).await;
    tokio::spawn(outbox::keep(service.app.clone()));
    until(async || !service.app.outbox().states().is_empty()).await;
    service
}

/// The request as it is once what approvers are told of it was delivered or given up: that can take longer than the answer to
/// the submission waits, where the machine is busy.
pub(crate) async fn settled(service: &Service, who: &str, mut view: Value) -> Value {
    let path = format!("/v1/requests/{}", view["id"].as_str().unwrap());
    let is_settled = |told: &Value| {
        let channels = told["channels"].as_array().unwrap().iter();
        told["waiting"] == 0 && channels.into_iter().all(|one| one["state"] != "waiting")
    };
    until(async || {
        let settled = is_settled(&view["told"]);
        if !settled {
            view = service.get(who, &path).await.ok();
        }
        settled
    })
    .await;
    view
}

async fn service(server: &MailServer) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = mails(&with_sinks(&directory, &to_people(server.port)));
    start(directory, &text, START).await
}

async fn wants_mail(service: &Service, who: &str, mail: bool) {
    let request = Request::put("/v1/whoami/notify")
        .header("authorization", format!("Bearer {}", token_of(who)))
        .header("content-type", "application/json");
    let body = Body::from(json!({ "mail": mail }).to_string());
    service.send(request.body(body).unwrap()).await.ok();
}

fn header<'a>(letter: &'a Value, name: &str) -> &'a str {
    let headers = letter["headers"].as_array().unwrap();
    headers.iter().find(|one| one[0] == name).unwrap()[1].as_str().unwrap()
}

/// To whom the letters went, each with how many it was.
fn addressed(letters: &[Value]) -> BTreeMap<String, usize> {
    let mut addressed = BTreeMap::new();
    for letter in letters {
        let to = letter["to"].as_array().unwrap();
        assert_eq!(to.len(), 1, "a letter for each: {letter}");
        assert_eq!(header(letter, "To"), to[0], "{letter}");
        let count: &mut usize =
            addressed.entry(to[0].as_str().unwrap().replace("@corp.test", "")).or_default();
        *count = count.checked_add(1).unwrap();
    }
    addressed
}

fn once(names: &[&str]) -> BTreeMap<String, usize> {
    names.iter().map(|name| ((*name).to_owned(), 1)).collect()
}

/// Letters are written in the order in which they came, and what is still to come was not queued.
async fn nothing_waits(service: &Service) {
    until(async || list(service, "?state=waiting").await["deliveries"] == json!([])).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_approver_gets_a_letter_and_afterwards_the_requester() {
    let server = MailServer::plain();
    let service = service(&server).await;
    wants_mail(&service, "frank", false).await;
    let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
    let view = service.post("alice", "/v1/requests", body).await.ok();
    let view = settled(&service, "alice", view).await;
    let told =
        json!({ "members": "complete", "known": 3, "reached": 2, "waiting": 0, "channels": [] });
    assert_eq!(view["told"], told);
    let letters = server.letters();
    assert_eq!(addressed(&letters), once(&["bob", "carol"]));
    let ids: BTreeSet<&str> = letters.iter().map(|one| header(one, "Message-ID")).collect();
    let events: BTreeSet<&str> =
        letters.iter().map(|one| header(one, "X-Breakglass-Event")).collect();
    assert_eq!((ids.len(), events.len()), (2, 1), "{letters:?}");
    let id = view["id"].as_str().unwrap();
    let listed = list(&service, "").await;
    let recipients: BTreeSet<&str> = listed["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["recipient"].as_str().unwrap())
        .collect();
    assert_eq!(recipients, BTreeSet::from(["bob", "carol"]));

    let ask = json!({ "text": "why?" });
    service.post("carol", &format!("/v1/requests/{id}/question"), ask).await.ok();
    service.post("alice", &format!("/v1/requests/{id}/answer"), json!({ "text": "so" })).await.ok();
    service.act("carol", id, "approve").await.ok();
    // What alice does herself is no news for her.
    service.act("alice", id, "token").await.ok();
    server.until(6).await;
    nothing_waits(&service).await;
    let letters = server.letters();
    let expected = [("alice", 2), ("bob", 2), ("carol", 2)];
    assert_eq!(addressed(&letters), expected.map(|(name, count)| (name.to_owned(), count)).into());
    let told = service.get("alice", &format!("/v1/requests/{id}")).await.ok();
    assert_eq!(told.get("told"), None, "it was decided");

    // To one person again, under the same id.
    let event = listed["deliveries"][0]["event"].as_str().unwrap();
    let path = format!("/v1/deliveries/{event}/replay");
    service.post("dave", &path, json!({ "recipient": "erin" })).await.refusal();
    service.post("dave", &path, json!({ "recipient": "carol" })).await.ok();
    let again = &server.until(7).await[6];
    assert_eq!(again["to"], json!(["carol@corp.test"]));
    assert!(ids_of(&letters).contains(header(again, "Message-ID")));
}

/// A rule with an order.
const IN_ORDER: &str = r#"
[[approval_rules]]
name = "database"
scopes = ["db:admin"]
need = [{ from = ["dbas"] }, { from = ["commanders"] }]
in_order = true
"#;

/// Of a rule with an order the first stage hears at once, and the next one when that is met.
#[tokio::test(flavor = "multi_thread")]
async fn those_whom_a_rule_asks_later_hear_when_it_is_their_turn() {
    let server = MailServer::plain();
    let directory = tempfile::tempdir().unwrap();
    let text = mails(&with_sinks(&directory, &to_people(server.port))) + IN_ORDER;
    let service = start(directory, &text, START).await;
    let body = json!({ "scopes": ["db:admin"], "reason": "r", "duration": "30m" });
    let view = service.post("alice", "/v1/requests", body).await.ok();
    let view = settled(&service, "alice", view).await;
    assert_eq!((&view["told"]["known"], &view["told"]["reached"]), (&json!(2), &json!(2)));
    assert_eq!(addressed(&server.letters()), once(&["dave", "frank"]));
    let id = view["id"].as_str().unwrap();
    service.act("dave", id, "approve").await.ok();
    server.until(5).await;
    nothing_waits(&service).await;
    // Frank, who is in both groups, has heard of it; alice hears how far it is.
    assert_eq!(addressed(&server.letters()[2..]), once(&["alice", "bob", "carol"]));
    service.act("carol", id, "approve").await.ok();
    server.until(6).await;
    nothing_waits(&service).await;
    assert_eq!(addressed(&server.letters()[5..]), once(&["alice"]));
}

fn ids_of(letters: &[Value]) -> BTreeSet<&str> {
    letters.iter().map(|one| header(one, "Message-ID")).collect()
}

/// An emergency goes to every member of each group that its rules name, also to those whose turn it is not yet.
#[tokio::test(flavor = "multi_thread")]
async fn an_emergency_is_told_to_all_members_of_all_groups() {
    let server = MailServer::plain();
    let service = service(&server).await;
    let text = mails(&with_sinks(&service.directory, &to_people(server.port))) + IN_ORDER;
    service.app.reconfigure(Config::parse(&text).unwrap());
    let body = json!({ "scopes": ["db:admin"], "reason": "r", "duration": "30m" });
    let view = service.post("bob", "/v1/requests", body.clone()).await.ok();
    let view = settled(&service, "bob", view).await;
    let told = |view: &Value| (view["told"]["known"].clone(), view["told"]["reached"].clone());
    assert_eq!(told(&view), (json!(2), json!(2)));
    assert_eq!(addressed(&server.letters()), once(&["dave", "frank"]));
    let mut emergency = body;
    emergency["emergency"] = json!(true);
    let view = service.post("bob", "/v1/requests", emergency).await.ok();
    let view = settled(&service, "bob", view).await;
    assert_eq!(told(&view), (json!(2), json!(2)));
    server.until(5).await;
    nothing_waits(&service).await;
    // Bob is a commander too, and asks himself.
    assert_eq!(addressed(&server.letters()[2..]), once(&["carol", "dave", "frank"]));
}

/// Who may not hear it any more when the letter is sent, does not.
#[tokio::test(flavor = "multi_thread")]
async fn a_letter_is_sent_by_what_holds_when_it_is_sent() {
    let server = MailServer::plain_answering(&["451 later", "451 later", "451 later"]);
    let service = service(&server).await;
    let view = service
        .post(
            "alice",
            "/v1/requests",
            json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" }),
        )
        .await
        .ok();
    assert_eq!((&view["told"]["reached"], &view["told"]["waiting"]), (&json!(0), &json!(3)));
    // Carol leaves the group, and bob asks for no mail; frank has another address.
    let text = mails(&with_sinks(&service.directory, &to_people(server.port)))
        .replace("groups = [\"commanders\"]", "groups = [\"others\"]")
        .replace("frank@corp.test", "f@corp.test");
    service.app.reconfigure(Config::parse(&text).unwrap());
    wants_mail(&service, "bob", false).await;
    until(async || {
        service.advance(1);
        list(&service, "?state=waiting").await["deliveries"] == json!([])
    })
    .await;
    assert_eq!(addressed(&server.letters()), once(&["f"]));
    let dead = list(&service, "?state=dead").await;
    let outcomes: BTreeMap<&str, &str> = dead["deliveries"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["recipient"].as_str().unwrap(), one["outcome"].as_str().unwrap()))
        .collect();
    let expected = [
        ("bob", "this person asked for no mail"),
        ("carol", "the event does not concern this person any more"),
    ];
    assert_eq!(outcomes, expected.into());
    assert_eq!(dead["sinks"][0]["circuit"], "closed");
}

/// A process that ends between two attempts: each person has one letter, under the id of the first attempt.
#[tokio::test(flavor = "multi_thread")]
async fn a_restart_repeats_no_letter_and_loses_none() {
    // Two of three are taken before the end.
    let server = MailServer::plain_answering(&["451 later"]);
    let directory = tempfile::tempdir().unwrap();
    let text = mails(&with_sinks(&directory, &to_people(server.port)));
    let before = Service::start_with(directory, &text, START).await;
    let telling = tokio::spawn(outbox::keep(before.app.clone()));
    until(async || !before.app.outbox().states().is_empty()).await;
    before.pending().await;
    server.until(2).await;
    // That it was taken is written down.
    until(async || {
        let delivered = list(&before, "?state=delivered").await;
        delivered["deliveries"].as_array().unwrap().len() == 2
    })
    .await;
    telling.abort();
    before.app.outbox().close().await;
    before.app.store().close().await;
    let Service { directory, .. } = before;
    let after = start(directory, &text, START + 20).await;
    until(async || {
        after.advance(1);
        server.letters().len() == 3
    })
    .await;
    nothing_waits(&after).await;
    let letters = server.letters();
    assert_eq!(addressed(&letters), once(&["bob", "carol", "frank"]));
    assert_eq!(ids_of(&letters).len(), 3);
}

/// What a provider says of an address is a claim: unverified, hostile and absurd ones get nothing, and break nothing.
#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_a_provider_has_not_verified_or_that_is_none_gets_nothing() {
    let server = MailServer::plain();
    let directory = tempfile::tempdir().unwrap();
    let text = format!("{}{}", config_with_providers(&directory, ""), to_people(server.port));
    let service = start(directory, &text, START).await;
    for (subject, mail, verified) in [
        ("good", "good@corp.test", true),
        ("unverified", "unverified@corp.test", false),
        ("hostile", "a@b\r\nBcc: eve@evil.test", true),
        ("list", "a@corp.test,eve@evil.test", true),
        ("absurd", &"@".repeat(5000), true),
    ] {
        let mut who = said("corp", subject, &["commanders"]);
        (who.mail, who.mail_verified) = (Some(mail.to_owned()), verified);
        session(&service, &who).await;
    }
    let view = service
        .post(
            "alice",
            "/v1/requests",
            json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" }),
        )
        .await
        .ok();
    let view = settled(&service, "alice", view).await;
    // Carol may approve by her API token, and has no address.
    let told = json!({ "members": "seen", "known": 6, "reached": 1, "waiting": 0, "channels": [] });
    assert_eq!(view["told"], told);
    assert_eq!(addressed(&server.letters()), once(&["good"]));
}
