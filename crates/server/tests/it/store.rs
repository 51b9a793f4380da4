//! The guards of the database layer by themselves, without the checks that come before them: what
//! holds when somebody else was first.

use std::os::unix::fs::PermissionsExt;

use breakglass_api::events::EventType;
use breakglass_api::evidence::Action;
use breakglass_server::clock::Moment;
use breakglass_server::store::{NewApproval, NewGrant, Request, Store, StoreError};

use breakglass_testing::service::{START, Service};
use serde_json::json;

fn nothing_changed<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::RowsAffected(0))), "{result:?}");
}

/// What changes a request on which it was decided, or that has lapsed, changes nothing.
async fn decisions(store: &Store, now: Moment, request: &Request) {
    let change = || async { store.change().await.unwrap() };
    let (scopes, expires_at) = (&request.scopes, now.seconds() + 60);
    let grant = NewGrant { jti: "j", scopes, expires_at, activate_by: expires_at };
    let digest = request.digest();
    let approval = NewApproval {
        approver: "carol",
        digest: &digest,
        note: None,
        scopes: None,
        duration_s: None,
        groups: &[],
    };
    nothing_changed(change().await.deny(now, request, "carol", "r").await);
    nothing_changed(change().await.cancel(now, request).await);
    nothing_changed(change().await.cancel_one(now, request).await);
    // The rules of the database refuse most of these approvals before the count of rows does.
    assert!(change().await.approve(now, request, &approval, &grant).await.is_err());
}

#[tokio::test]
async fn what_has_lapsed_is_decided_or_unknown_is_not_decided() {
    let service = Service::start().await;
    let store = service.app.store();
    let now = Moment::from_seconds(START);
    let id = service.pending().await;
    let request = store.request(now, &id).await.unwrap().unwrap();
    decisions(store, Moment::from_seconds(START + 600), &request).await;
    decisions(store, now, &Request { id: "req_unknown".into(), ..request }).await;
    for verb in ["approve", "deny", "cancel"] {
        let id = service.pending().await;
        let who = if verb == "cancel" { "alice" } else { "carol" };
        service.act(who, &id, verb).await.ok();
        let request = store.request(now, &id).await.unwrap().unwrap();
        decisions(store, now, &request).await;
    }
    assert_eq!(service.trail().await.len(), 7, "four requests and three decisions");
}

#[tokio::test]
async fn a_grant_is_activated_once() {
    let service = Service::start().await;
    let store = service.app.store();
    let now = Moment::from_seconds(START);
    let waiting = service.pending().await;
    let waiting = store.request(now, &waiting).await.unwrap().unwrap();
    let (id, _) = service.approved().await;
    let approved = store.request(now, &id).await.unwrap().unwrap();
    nothing_changed(store.change().await.unwrap().activate(now, &waiting).await);
    let activated = store.change().await.unwrap().activate(now, &approved).await.unwrap();
    let words = (Action::IssueToken, EventType::Activated);
    activated.commit(now, "alice", words, json!({})).await.unwrap();
    nothing_changed(store.change().await.unwrap().activate(now, &approved).await);
    nothing_changed(store.change().await.unwrap().lapse(now, &approved).await);
}

#[tokio::test]
async fn a_file_is_opened_again_with_all_that_is_in_it() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    let now = Moment::from_seconds(START);
    let again = breakglass_testing::store::open(&service.directory.path().join("approvals.db"))
        .await
        .unwrap();
    let before = service.app.store().request(now, &id).await.unwrap();
    assert!(before.is_some());
    assert_eq!(again.request(now, &id).await.unwrap(), before);
}

#[tokio::test]
async fn the_files_are_for_their_owner_alone() {
    let service = Service::start().await;
    service.pending().await;
    for name in ["approvals.db", "approvals.db-wal", "approvals.db-shm"] {
        let metadata = std::fs::metadata(service.directory.path().join(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{name}");
    }
}
