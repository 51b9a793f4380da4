//! The guards of the database layer by themselves, without the checks that come before them: what
//! holds when somebody else was first.

use std::os::unix::fs::PermissionsExt;

use breakglass_server::clock::Moment;
use breakglass_server::store::{Approval, Store, StoreError};

use breakglass_testing::service::{START, Service};

fn nothing_changed<T: std::fmt::Debug>(result: Result<T, StoreError>) {
    assert!(matches!(result, Err(StoreError::RowsAffected(0))), "{result:?}");
}

async fn decisions(store: &Store, now: Moment, id: &str) {
    let approval = Approval { id, approver: "carol", jti: "j", digest: "" };
    nothing_changed(store.approve(now, &approval).await);
    nothing_changed(store.deny(now, id, "carol", "r").await);
    nothing_changed(store.cancel(now, id, "alice").await);
}

#[tokio::test]
async fn what_has_lapsed_is_decided_or_unknown_is_not_decided() {
    let service = Service::start().await;
    let store = service.app.store();
    let now = Moment::from_seconds(START);
    let id = service.pending().await;
    decisions(store, Moment::from_seconds(START + 600), &id).await;
    decisions(store, now, "req_unknown").await;
    nothing_changed(store.cancel(now, &id, "bob").await);
    for verb in ["approve", "deny", "cancel"] {
        let id = service.pending().await;
        let who = if verb == "cancel" { "alice" } else { "carol" };
        service.act(who, &id, verb).await.ok();
        decisions(store, now, &id).await;
    }
    assert_eq!(service.trail().await.len(), 7, "four requests and three decisions");
}

#[tokio::test]
async fn no_token_is_issued_for_a_grant_that_does_not_hold() {
    let service = Service::start().await;
    let store = service.app.store();
    let now = Moment::from_seconds(START);
    let over = Moment::from_seconds(START + 1800);
    let waiting = service.pending().await;
    let waiting = store.request(now, &waiting).await.unwrap().unwrap();
    nothing_changed(store.issue_token(now, &waiting, "kid").await);
    let (id, jti) = service.approved().await;
    let approved = store.request(now, &id).await.unwrap().unwrap();
    nothing_changed(store.issue_token(over, &approved, "kid").await);
    store.issue_token(now, &approved, "kid").await.unwrap();
    service.revoke("carol", &jti).await.ok();
    nothing_changed(store.issue_token(now, &approved, "kid").await);
}

#[tokio::test]
async fn a_file_is_opened_again_with_all_that_is_in_it() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    let now = Moment::from_seconds(START);
    let again = Store::open(&service.directory.path().join("approvals.db")).await.unwrap();
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
