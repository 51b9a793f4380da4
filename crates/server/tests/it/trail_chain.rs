//! The chain of events, and what of it counts before a token is minted. The database's owner edits it: the triggers are
//! dropped, as the owner can.

use breakglass_server::config::Config;
use breakglass_server::store::check::{Finding, check};
use breakglass_testing::before;
use breakglass_testing::service::{Service, config};
use breakglass_testing::store::trail_keys;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

/// Edits the database as its owner: no trigger refuses it.
async fn edit(service: &Service, sql: &'static str) {
    let database = service.database().await;
    let triggers: Vec<String> = sqlx::query_scalar(
        "SELECT 'DROP TRIGGER ' || name FROM sqlite_schema WHERE type = 'trigger'",
    )
    .fetch_all(&database)
    .await
    .unwrap();
    for drop in triggers {
        sqlx::raw_sql(sqlx::AssertSqlSafe(drop)).execute(&database).await.unwrap();
    }
    sqlx::raw_sql(sql).execute(&database).await.unwrap();
}

async fn events(service: &Service) -> Vec<Value> {
    let page = service.get("grace", "/v1/audit/events").await.ok();
    page["events"].as_array().unwrap().clone()
}

/// The hash of an event as docs/approval-service.md says, from what an auditor reads.
fn hash(prev: &str, event: &Value) -> String {
    let mut form = event.clone();
    let members = form.as_object_mut().unwrap();
    members.remove("link");
    members.remove("time");
    let text = format!("{prev}\n{form}");
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn is_chained(events: &[Value], first: &str) {
    let mut head = first.to_owned();
    for event in events {
        assert_eq!(event["link"]["prev"], head, "{event}");
        head = hash(&head, event);
        assert_eq!(event["link"]["hash"], head, "{event}");
    }
}

#[tokio::test]
async fn every_event_is_a_link_also_those_of_many_revocations_at_once() {
    let service = Service::start().await;
    for _ in 0..3 {
        let (id, _) = service.approved().await;
        service.token(&id).await;
    }
    let pending = service.pending().await;
    service.act("carol", &pending, "deny").await.ok();
    service.kill("carol", json!({ "subject": "alice" })).await.ok();
    let events = events(&service).await;
    assert_eq!(events.len(), 3 * 3 + 2 + 3);
    let begin: String =
        Sha256::digest("breakglass-trail-begin-1\n").iter().map(|b| format!("{b:02x}")).collect();
    is_chained(&events, &begin);
    let kid = trail_keys(&service.directory.path().join("approvals.db")).kid().to_owned();
    assert!(events.iter().all(|event| event["link"]["kid"] == kid), "{events:?}");
}

#[tokio::test]
async fn the_first_link_covers_the_events_of_before() {
    let directory = tempfile::tempdir().unwrap();
    before::restore(&directory.path().join("approvals.db"), before::GRANTS).await;
    let text = config(&directory);
    let service = Service::start_with(directory, &text, 1_795_780_997 + 60).await;
    service.pending().await;
    let all = events(&service).await;
    let (before, links): (Vec<Value>, Vec<Value>) =
        all.into_iter().partition(|event| event.get("link").is_none());
    assert!(before.len() > 10 && !links.is_empty(), "{before:?}");
    let mut hash = Sha256::new().chain_update("breakglass-trail-begin-1\n");
    for event in &before {
        let mut form = event.clone();
        let members = form.as_object_mut().unwrap();
        members.remove("time");
        hash.update(format!("{form}\n"));
    }
    let begin: String = hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
    is_chained(&links, &begin);
}

#[tokio::test]
async fn no_token_is_minted_for_an_approval_that_the_trail_does_not_have() {
    for sql in [
        // The approval's event is gone, or says another thing.
        "DELETE FROM events WHERE type = 'breakglass.request.approved'",
        "UPDATE events SET actor = 'dave' WHERE type = 'breakglass.request.approved'",
        "UPDATE events SET actor = 'dave' WHERE type = 'breakglass.request.approved';
         UPDATE approvals SET approver = 'dave'",
        "UPDATE events SET data = json_set(data, '$.duration_s', 9000) WHERE type = 'breakglass.request.approved'",
        "UPDATE events SET signature = 'AAAA' WHERE type = 'breakglass.request.approved'",
        "UPDATE events SET kid = 'other' WHERE type = 'breakglass.request.approved'",
        // As if it were of before the chain.
        "UPDATE events SET prev = NULL, hash = NULL, kid = NULL, signature = NULL
         WHERE type = 'breakglass.request.approved'",
        // The grant is not what was approved.
        "UPDATE approvals SET approver = 'dave'",
        "UPDATE approvals SET digest = printf('%064x', 1)",
        "UPDATE requests SET reason = 'another'",
        "UPDATE requests SET scopes = '[\"orders:write\"]', granted_scopes = '[\"orders:write\"]'",
        "UPDATE requests SET granted_scopes = '[\"orders:write\"]'",
        "UPDATE requests SET duration_s = duration_s + 600, expires_at = expires_at + 600",
        "UPDATE requests SET approved_at = approved_at - 60, expires_at = expires_at - 60",
        "UPDATE requests SET jti = 'grant_other'",
    ] {
        let service = Service::start().await;
        let (id, _) = service.approved().await;
        edit(&service, sql).await;
        let refused = service.act("alice", &id, "token").await;
        assert_eq!(refused.refusal(), (409, "approval_unproven"), "{sql}");
    }
}

/// What ended a grant is on the trail, so the database cannot take it back.
#[tokio::test]
async fn no_token_is_minted_for_a_grant_that_has_ended_by_the_trail() {
    let revived = "DELETE FROM revocations; UPDATE requests SET lapsed_at = NULL";
    let service = Service::start().await;
    let (id, jti) = service.approved().await;
    service.revoke("carol", &jti).await.ok();
    edit(&service, revived).await;
    let shown = service.get("alice", &format!("/v1/requests/{id}")).await.ok();
    assert_eq!(shown["state"], "approved", "the database has no end of it: {shown}");
    assert_eq!(service.act("alice", &id, "token").await.refusal(), (409, "approval_unproven"));
}

/// A key that cannot be used ends no service: what it approved opens nothing more, and everything can be ended.
#[tokio::test]
async fn without_the_key_of_the_trail_nothing_of_before_opens_and_everything_ends() {
    let service = Service::start().await;
    let (id, jti) = service.approved().await;
    let keys = service.directory.path().join("keys");
    let files = std::fs::read_dir(&keys).unwrap().map(|file| file.unwrap().path());
    let is_trail = |path: &std::path::PathBuf| path.to_string_lossy().contains("/trail-");
    for file in files.filter(is_trail) {
        std::fs::write(file, "no key").unwrap();
    }
    let service = service.restart(1).await;
    let refused = service.act("alice", &id, "token").await;
    assert_eq!(refused.refusal(), (409, "approval_unproven"));
    service.revoke("carol", &jti).await.ok();
    let events = events(&service).await;
    let kids: std::collections::BTreeSet<&str> =
        events.iter().filter_map(|event| event["link"]["kid"].as_str()).collect();
    assert_eq!(kids.len(), 2, "{events:?}");
    // What is approved from now on is.
    let (id, _) = service.approved().await;
    service.token(&id).await;
}

#[tokio::test]
async fn a_grant_that_the_owner_of_the_database_makes_gets_no_token() {
    let service = Service::start().await;
    let id = service.pending().await;
    edit(
        &service,
        "INSERT INTO approvals (request_id, position, approver, approved_at_ms)
         SELECT id, 1, 'carol', submitted_at * 1000 FROM requests;
         UPDATE requests SET approved_at = submitted_at, jti = 'g', granted_scopes = scopes,
             expires_at = submitted_at + duration_s;
         UPDATE positions SET event = event + 1;
         INSERT INTO events (seq, id, time_ms, type, version, actor, request_id, request_seq, audience, subject, jti,
             drill, data)
         SELECT event, 'evt_1', submitted_at * 1000, 'breakglass.request.approved', 1, 'carol', requests.id, 2, audience,
             requester, 'g', 0, '{}' FROM positions, requests",
    )
    .await;
    let refused = service.act("alice", &id, "token").await;
    assert_eq!(refused.refusal(), (409, "approval_unproven"));
}

/// Who takes all links away makes the service begin another chain, which would cover everything as being of before.
#[tokio::test]
async fn a_chain_that_was_taken_away_proves_nothing_by_beginning_again() {
    let strip = "UPDATE events SET prev = NULL, hash = NULL, kid = NULL, signature = NULL;
         UPDATE positions SET head = NULL;
         UPDATE events SET actor = 'bob' WHERE type = 'breakglass.request.approved';
         UPDATE approvals SET approver = 'bob'";
    for (since, expected) in [
        ("2026-11-20T00:00:00Z", Some((409, "approval_unproven"))),
        ("no instant", Some((409, "approval_unproven"))),
        // As after an upgrade: what was approved by the version before goes on.
        ("2026-11-30T00:00:00Z", None),
    ] {
        let service = Service::start().await;
        let (id, _) = service.approved().await;
        let file = service.directory.path().join("keys/trail-since");
        assert!(std::fs::read_to_string(&file).unwrap().starts_with("20"));
        std::fs::write(&file, since).unwrap();
        edit(&service, strip).await;
        let service = service.restart(1).await;
        let answer = service.act("alice", &id, "token").await;
        match expected {
            Some(refusal) => assert_eq!(answer.refusal(), refusal, "{since}"),
            None => drop(answer.ok()),
        }
        assert_eq!(std::fs::read_to_string(&file).unwrap(), since, "it is written once");
        let config = Config::parse(&config(&service.directory)).unwrap();
        let report = check(&config).await.unwrap();
        let taken = |finding: &Finding| finding.what.contains("links were taken away");
        assert_eq!(report.findings.iter().any(taken), expected.is_some(), "{report:#?}");
    }
}

#[tokio::test]
async fn a_key_of_the_trail_signs_no_token_and_is_not_published() {
    let service = Service::start().await;
    let keys = std::fs::read_dir(service.directory.path().join("keys")).unwrap();
    let names: Vec<String> =
        keys.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let trail: Vec<&String> = names.iter().filter(|name| name.starts_with("trail-1-")).collect();
    assert_eq!((names.len(), trail.len()), (3, 1), "{names:?}");
    let jwks = service.get("alice", "/.well-known/jwks.json").await.ok();
    assert_eq!(jwks["keys"].as_array().unwrap().len(), 1, "{jwks}");
    assert_eq!(jwks["keys"][0]["alg"], "ES256");
}
