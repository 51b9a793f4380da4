//! `GET /v1/events`: what happens, as it happens, for those who may see it.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use breakglass_api::watch::WatchedEvent;
use breakglass_server::config::Config;
use breakglass_server::limits::MAX_WAITS_PER_PERSON;
use breakglass_server::routes::router;
use breakglass_testing::service::{Service, config, token_of};
use http_body_util::BodyExt as _;
use serde_json::{Value, json};
use tokio::runtime::Handle;
use tokio::time::timeout;

/// A stream that is read.
pub(crate) struct Reader {
    body: Body,
    text: String,
}

/// An event: its place, its type and its data.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sent {
    id: String,
    kind: String,
    pub(crate) data: Value,
}

impl Reader {
    pub(crate) async fn open(
        service: &Service,
        who: &str,
        query: &str,
        after: Option<&str>,
    ) -> Reader {
        let mut request = Request::get(format!("/v1/events{query}"))
            .header("authorization", format!("Bearer {}", token_of(who)));
        if let Some(after) = after {
            request = request.header("last-event-id", after);
        }
        let request = request.body(Body::empty()).unwrap();
        let router = router(service.app.clone(), &Handle::current());
        let response = tower::ServiceExt::oneshot(router, request).await.unwrap();
        assert_eq!(response.status(), 200, "{who}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut reader = Reader { body: response.into_body(), text: String::new() };
        // The first part says where it begins: what happens from now on is news.
        assert!(reader.part().await.unwrap().starts_with("retry: "));
        reader
    }

    /// What comes next; nothing where the stream has ended.
    async fn part(&mut self) -> Option<String> {
        let frame = timeout(Duration::from_secs(20), self.body.frame()).await.unwrap()?;
        Some(String::from_utf8(frame.unwrap().into_data().unwrap().to_vec()).unwrap())
    }

    /// The next event.
    pub(crate) async fn next(&mut self) -> Option<Sent> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let (event, rest) = (event.to_owned(), rest.to_owned());
                self.text = rest;
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(&format!("{name}: ")))
                };
                let Some(data) = field("data") else { continue };
                let data = serde_json::from_str(data).unwrap();
                let (id, kind) = (field("id").unwrap(), field("event").unwrap());
                return Some(Sent { id: id.to_owned(), kind: kind.to_owned(), data });
            }
            let part = self.part().await?;
            self.text.push_str(&part);
        }
    }

    /// The next so many events, without what all types have in common.
    async fn kinds(&mut self, count: usize) -> Vec<String> {
        let mut kinds = Vec::new();
        for _ in 0..count {
            let kind = self.next().await.unwrap().kind;
            kinds.push(kind.strip_prefix("breakglass.").unwrap().to_owned());
        }
        kinds
    }
}

/// The requester, an approver of the scope and an auditor hear of a request; others hear of another one that is theirs.
#[tokio::test]
async fn each_person_hears_of_the_requests_that_they_may_see() {
    let service = Service::start().await;
    let mut readers = Vec::new();
    for who in ["alice", "carol", "grace", "dave", "bob"] {
        readers.push((who, Reader::open(&service, who, "", None).await));
    }
    let (id, jti) = service.approved().await;
    let other = service.pending_for(&["db:admin"]).await;
    for (who, reader) in &mut readers {
        let expected: &[(&str, &str)] = match *who {
            "alice" | "grace" => &[
                ("request.submitted", &id),
                ("request.approved", &id),
                ("request.submitted", &other),
            ],
            "dave" => &[("request.submitted", &other)],
            _ => &[("request.submitted", &id), ("request.approved", &id)],
        };
        for (kind, request) in expected {
            let sent = reader.next().await.unwrap();
            assert_eq!(sent.kind, format!("breakglass.{kind}"), "{who}");
            assert_eq!(sent.data["type"], sent.kind);
            assert_eq!(sent.data["request"]["id"], **request, "{who}");
            // What the trail has of it is for auditors.
            assert_eq!(sent.data.get("data").is_some(), *who == "grace", "{who}: {sent:?}");
            serde_json::from_value::<WatchedEvent>(sent.data.clone()).unwrap();
            if *kind == "request.approved" {
                assert_eq!(
                    (&sent.data["grant"], &sent.data["actor"]),
                    (&json!(jti), &json!("carol"))
                );
                let request = json!({
                    "id": id, "requester": "alice", "audience": "prod", "scopes": ["orders:read"],
                    "reason": "orders are stuck", "duration": "30m", "emergency": false,
                });
                assert_eq!(sent.data["request"], request);
            }
        }
    }
}

#[tokio::test]
async fn a_reader_goes_on_where_it_was_and_misses_nothing() {
    let service = Service::start().await;
    service.pending().await;
    // What was before is not told, and a reader that has heard nothing yet knows where it is.
    let mut first = Reader::open(&service, "carol", "", None).await;
    let (id, jti) = service.approved().await;
    assert_eq!(first.kinds(1).await, ["request.submitted"]);
    let approved = first.next().await.unwrap();
    assert_eq!(approved.kind, "breakglass.request.approved");
    drop(first);
    service.token(&id).await;
    service.revoke("carol", &jti).await.ok();
    let expected = ["grant.activated", "grant.revoked"];
    let mut again = Reader::open(&service, "carol", "", Some(&approved.id)).await;
    assert_eq!(again.kinds(2).await, expected);
    let mut by_query =
        Reader::open(&service, "carol", &format!("?after={}", approved.id), None).await;
    assert_eq!(by_query.kinds(2).await, expected);
    let (_, event) = approved.id.split_once('.').unwrap();
    for (after, refusal) in [
        (format!("1.{event}"), (409, "event_unknown")),
        ("\u{ff}".to_owned(), (400, "invalid_request")),
    ] {
        let request = Request::get("/v1/events")
            .header("authorization", format!("Bearer {}", token_of("carol")))
            .header("last-event-id", after.as_bytes());
        let answer = service.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.refusal(), refusal, "{after}");
    }
}

#[tokio::test]
async fn a_reader_hears_what_it_asks_for() {
    let service = Service::start().await;
    let id = service.pending().await;
    let mut grants = Reader::open(&service, "grace", "?type=breakglass.grant.*", None).await;
    let types = "?type=breakglass.request.denied,breakglass.grant.revoked";
    let mut ends = Reader::open(&service, "grace", types, None).await;
    let mut scope = Reader::open(&service, "grace", "?scope=db:admin", None).await;
    let mut one = Reader::open(&service, "grace", &format!("?request={id}"), None).await;
    let other = service.pending_for(&["db:admin"]).await;
    service.act("carol", &id, "approve").await.ok();
    service.act("dave", &other, "deny").await.ok();
    service.token(&id).await;
    service.token(&id).await;
    assert_eq!(grants.kinds(2).await, ["grant.activated", "grant.token_issued"]);
    assert_eq!(ends.kinds(1).await, ["request.denied"]);
    assert_eq!(scope.kinds(2).await, ["request.submitted", "request.denied"]);
    assert_eq!(one.kinds(2).await, ["request.approved", "grant.activated"]);
    for types in ["a%0Ab", "Breakglass.*", "a*b", &"a,".repeat(51)] {
        let answer = service.get("grace", &format!("/v1/events?type={types}")).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{types}");
        assert_eq!(answer.body["errors"][0]["field"], "type", "{answer:?}");
    }
}

/// Text of a client stays inside of the event that it came with.
#[tokio::test]
async fn no_text_of_a_client_makes_an_event() {
    let service = Service::start().await;
    let mut reader = Reader::open(&service, "carol", "", None).await;
    let reason = "x\n\nid: 9.evt\nevent: breakglass.request.approved\ndata: {}\n\n\r\u{2028}:";
    let body = json!({ "scopes": ["orders:read"], "reason": reason, "duration": "30m" });
    let answer = service.post("alice", "/v1/requests", body).await;
    if answer.status.is_success() {
        let sent = reader.next().await.unwrap();
        assert_eq!(sent.data["request"]["reason"], reason);
    }
    service.pending().await;
    let sent = reader.next().await.unwrap();
    assert_eq!(sent.kind, "breakglass.request.submitted");
    assert_eq!(sent.data["request"]["reason"], "orders are stuck");
}

/// A person who may see less hears less from then on, and one who is none any more nothing.
#[tokio::test]
async fn a_right_that_is_taken_away_ends_what_is_told() {
    let service = Service::start().await;
    let mut auditor = Reader::open(&service, "grace", "", None).await;
    let mut gone = Reader::open(&service, "carol", "", None).await;
    let text = config(&service.directory)
        .replace(r#"groups = ["auditors"]"#, "")
        .replace(r#"name = "carol""#, r#"name = "caroline""#);
    service.app.reconfigure(Config::parse(&text).unwrap());
    service.pending().await;
    assert_eq!(gone.next().await, None);
    let marks = timeout(Duration::from_millis(1500), auditor.next()).await;
    assert!(marks.is_err(), "{marks:?}");
}

#[tokio::test]
async fn a_person_reads_in_so_many_places_and_leaves_them() {
    let service = Service::start().await;
    let mut readers = Vec::new();
    for _ in 0..MAX_WAITS_PER_PERSON {
        readers.push(Reader::open(&service, "carol", "", None).await);
    }
    let refused = service.get("carol", "/v1/events").await;
    assert_eq!(refused.refusal(), (429, "too_many_waits"));
    // A service that stops lets go of the rest.
    let mut last = readers.pop().unwrap();
    drop(readers);
    service.app.stop();
    assert_eq!(last.next().await, None);
    drop(last);
    while service.app.waits().waiting() > 0 {
        tokio::task::yield_now().await;
    }
}

/// What a proxy says of a grant is for those who may see its request, and the rest for auditors; and none of it is told twice.
#[tokio::test]
async fn alerts_come_with_whose_word_they_are() {
    let service = crate::alerts::service().await;
    let (id, jti) = service.approved().await;
    let mut alice = Reader::open(&service, "alice", "?type=breakglass.alert.*", None).await;
    let mut dave = Reader::open(&service, "dave", "", None).await;
    let mut auditor = Reader::open(&service, "grace", "?type=breakglass.alert.*", None).await;
    let first = crate::alerts::of_grant("out_of_scope", &jti);
    let stranger = crate::alerts::alert("signature_failures");
    let lost = crate::alerts::of_grant("first_use", "grant_not_known");
    assert_eq!(crate::alerts::report(&service, "envoy", &[first, stranger, lost]).await, (3, 0));
    let told = alice.next().await.unwrap();
    assert_eq!(told.kind, "breakglass.alert.out_of_scope");
    assert_eq!(told.data["request"]["id"], json!(id));
    assert_eq!((&told.data["actor"], &told.data["grant"]), (&json!("envoy"), &json!(jti)));
    assert_eq!(told.data["alert"]["data"]["reported_by"], "envoy");
    serde_json::from_value::<WatchedEvent>(told.data.clone()).unwrap();
    let kinds = ["alert.out_of_scope", "alert.signature_failures", "alert.first_use"];
    assert_eq!(auditor.kinds(3).await, kinds);
    // Its own request comes, and no alert before it.
    service.pending_for(&["db:admin"]).await;
    assert_eq!(dave.kinds(1).await, ["request.submitted"]);

    drop(alice);
    let again = crate::alerts::of_grant("ceiling", &jti);
    crate::alerts::report(&service, "envoy", &[again]).await;
    let mut alice = Reader::open(&service, "alice", "", Some(&told.id)).await;
    let mut kinds = alice.kinds(2).await;
    kinds.sort();
    assert_eq!(kinds, ["alert.ceiling", "request.submitted"]);
}
