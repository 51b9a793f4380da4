//! Lists of requests: what is on which page, whatever became of it, and however many there are.

use serde_json::{Value, json};

use breakglass_testing::before;
use breakglass_testing::service::{Service, config};

/// The ids and states on a page, and `next`.
fn page(answer: &Value) -> (Vec<(String, String)>, Option<String>) {
    let requests = answer["requests"].as_array().unwrap().iter();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let rows = requests.map(|request| (text(&request["id"]), text(&request["state"]))).collect();
    (rows, answer["next"].as_str().map(str::to_owned))
}

/// All pages of a list.
async fn pages(service: &Service, who: &str, query: &str, limit: usize) -> Vec<(String, String)> {
    let mut rows = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!("/v1/requests?limit={limit}{query}{after}");
        let (page, next) = page(&service.get(who, &path).await.ok());
        assert!(page.len() <= limit);
        rows.extend(page);
        let Some(next) = next else { return rows };
        assert_eq!(rows.len() % limit, 0, "a page that is not the last is full");
        after = format!("&after={next}");
    }
}

/// Requests of alice's and bob's in every state, for several scopes, each at a second of its own.
async fn every_state(service: &Service) {
    for round in 0..3 {
        for (who, scopes) in [
            ("alice", json!(["orders:read"])),
            ("bob", json!(["orders:read", "orders:write"])),
            ("alice", json!(["db:admin"])),
            ("alice", json!(["orders:write", "db:admin"])),
        ] {
            let ends = ["", "deny", "cancel", "approve", "token", "revoke"];
            for (number, end) in ends.into_iter().enumerate() {
                let duration = if (round + number) % 2 == 0 { "5m" } else { "30m" };
                let body = json!({ "scopes": scopes, "reason": "r", "duration": duration });
                let view = service.post(who, "/v1/requests", body).await.ok();
                let id = view["id"].as_str().unwrap();
                // frank is of both groups of approvers.
                match end {
                    "" => {}
                    "cancel" => drop(service.act(who, id, end).await.ok()),
                    "token" => {
                        service.act("frank", id, "approve").await.ok();
                        service.act(who, id, end).await.ok();
                    }
                    "revoke" => {
                        let view = service.act("frank", id, "approve").await.ok();
                        let jti = view["grant"]["id"].as_str().unwrap();
                        service.revoke("frank", jti).await.ok();
                    }
                    _ => drop(service.act("frank", id, end).await.ok()),
                }
                service.advance(1);
            }
        }
        service.advance(250);
    }
}

/// What a list has to be, by looking at every request.
async fn expected(service: &Service, who: &str, mine: bool, state: &str) -> Vec<(String, String)> {
    let approves = match who {
        "bob" | "carol" => vec!["orders:read", "orders:write", "staging:read"],
        "dave" => vec!["db:admin"],
        "frank" => vec!["orders:read", "orders:write", "staging:read", "db:admin"],
        _ => vec![],
    };
    let ids: Vec<(String, String, String)> =
        sqlx::query_as("SELECT id, requester, scopes FROM requests ORDER BY submitted_at DESC")
            .fetch_all(&service.database().await)
            .await
            .unwrap();
    let mut rows = Vec::new();
    for (id, requester, scopes) in ids {
        let named: Vec<String> = serde_json::from_str(&scopes).unwrap();
        let approver = named.iter().any(|scope| approves.contains(&scope.as_str()));
        if requester != who && (mine || !(approver || who == "grace")) {
            continue;
        }
        let view = service.get("grace", &format!("/v1/requests/{id}")).await.ok();
        let is = view["state"].as_str().unwrap().to_owned();
        // Whose grant holds is on the list of those that are approved, with or without a token.
        if state.is_empty() || is == state || (state, is.as_str()) == ("approved", "active") {
            rows.push((id, is));
        }
    }
    rows
}

#[tokio::test]
async fn every_page_has_what_the_caller_may_see_in_that_state() {
    let service = Service::start().await;
    every_state(&service).await;
    let states = [
        "",
        "active",
        "approved",
        "cancelled",
        "denied",
        "expired",
        "lapsed",
        "pending",
        "revoked",
    ];
    for who in ["alice", "bob", "carol", "dave", "erin", "frank", "grace"] {
        for state in states {
            for mine in [false, true] {
                let rows = expected(&service, who, mine, state).await;
                if who == "frank" && !mine {
                    assert!(!rows.is_empty(), "{state}: the test has none");
                }
                let query =
                    if state.is_empty() { String::new() } else { format!("&state={state}") };
                let query = format!("{query}&mine={mine}");
                for limit in [7, 200] {
                    let listed = pages(&service, who, &query, limit).await;
                    assert_eq!(listed, rows, "{who} {query} {limit}");
                }
            }
        }
    }
}

#[tokio::test]
async fn a_cursor_that_is_no_id_is_a_place_like_any_other() {
    let service = Service::start().await;
    let id = service.pending().await;
    for (after, count) in [("0", 0), ("%F4%8F%BF%BF", 1), ("zzz", 1), ("%00", 0)] {
        let answer = service.get("alice", &format!("/v1/requests?after={after}")).await.ok();
        assert_eq!(answer["requests"].as_array().unwrap().len(), count, "{after}");
    }
    let answer = service.get("alice", &format!("/v1/requests?after={id}")).await.ok();
    assert_eq!(answer, json!({ "requests": [], "next": null }));
}

/// What is decided, revoked or over while somebody reads page after page is on one page or another.
#[tokio::test]
async fn a_request_that_changes_between_two_pages_is_not_lost() {
    let service = Service::start().await;
    let mut ids = Vec::new();
    for _ in 0..6 {
        ids.push(service.pending().await);
        service.advance(1);
    }
    let (first, next) = page(&service.get("carol", "/v1/requests?limit=2").await.ok());
    for id in &ids {
        service.act("carol", id, "approve").await.ok();
    }
    let path = format!("/v1/requests?limit=200&after={}", next.unwrap());
    let (rest, next) = page(&service.get("carol", &path).await.ok());
    let mut listed: Vec<String> = first.into_iter().chain(rest).map(|(id, _)| id).collect();
    listed.reverse();
    assert_eq!((listed, next), (ids, None));
}

#[tokio::test]
async fn lists_only_follow_their_requests() {
    let service = Service::start().await;
    let (_, jti) = service.approved().await;
    let database = service.database().await;
    for sql in [
        "DELETE FROM request_lists",
        "UPDATE request_lists SET list = 'scope x'",
        "UPDATE request_lists SET request_id = 'x'",
        "UPDATE request_lists SET phase = 'undecided'",
        "UPDATE request_lists SET phase = 'denied'",
    ] {
        let error = sqlx::query(sql).execute(&database).await.unwrap_err().to_string();
        assert!(error.contains("a request stays on its lists"), "{sql}: {error}");
    }
    service.revoke("carol", &jti).await.ok();
    let sql = "UPDATE request_lists SET phase = 'approved'";
    assert!(sqlx::query(sql).execute(&database).await.is_err());
}

/// The dump was made at this second.
const MADE: i64 = 1_795_694_551;

#[tokio::test]
async fn the_requests_of_the_version_before_are_on_their_lists() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals.db");
    before::make(&path, before::LISTS).await;
    let text = config(&directory);
    let service = Service::start_with(directory, &text, MADE + 60).await;
    let state = async |who: &str, query: &str| -> Vec<String> {
        pages(&service, who, query, 2).await.into_iter().map(|(_, state)| state).collect()
    };
    let all = ["approved", "revoked", "cancelled", "denied", "approved", "pending"];
    assert_eq!(state("grace", "").await, all);
    assert_eq!(state("alice", "").await, ["revoked", "denied", "approved", "pending"]);
    assert_eq!(state("carol", "").await, ["approved", "revoked", "denied", "approved", "pending"]);
    assert_eq!(state("dave", "").await, ["cancelled"]);
    for (word, count) in [("approved", 2), ("revoked", 1), ("denied", 1), ("pending", 1)] {
        assert_eq!(state("carol", &format!("&state={word}")).await, vec![word; count]);
    }
    // They go on as those that are made now.
    let pending = pages(&service, "alice", "&state=pending", 2).await;
    service.act("carol", &pending[0].0, "approve").await.ok();
    assert_eq!(state("alice", "&state=pending").await, [""; 0]);
    assert_eq!(service.kill("bob", json!({ "scope": "orders:read" })).await.ok()["revoked"], 3);
    assert_eq!(state("alice", "&state=revoked&mine=true").await, vec!["revoked"; 3]);
}
