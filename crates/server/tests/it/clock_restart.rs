//! The clock is wrong when the service starts: on the same boot of the machine, and on another one.

use breakglass_server::timekeeper::Timekeeper;
use serde_json::json;

use crate::clock::{HOUR, YEAR, listed, make_wrong, nothing_is_opened};
use breakglass_testing::service::{START, Service, TestClock, config};

#[tokio::test]
async fn a_restart_does_not_believe_a_clock_that_was_set_meanwhile() {
    for wrong in [2 * HOUR, -2 * HOUR, YEAR, -YEAR, 6, -6] {
        let service = Service::start().await;
        let (approved, jti) = service.approved().await;
        let pending = service.pending().await;
        service.step(wrong);
        let service = service.restart(30).await;
        nothing_is_opened(&service, Some(wrong), &pending, &approved).await;
        let answer = service.kill("carol", json!({ "all": true })).await.ok();
        assert_eq!((&answer["revoked"], &answer["grants"]), (&json!(1), &json!([jti])));
        assert_eq!(listed(&service.feed("").await.ok()), [&json!(jti)]);
        // Not by a second restart either, and not by one that finds it right.
        let service = service.restart(30).await;
        nothing_is_opened(&service, Some(wrong), &pending, &approved).await;
        service.step(-wrong);
        let service = service.restart(30).await;
        service.act("carol", &pending, "approve").await.ok();
    }
}

#[tokio::test]
async fn an_operator_accepts_the_new_time() {
    for wrong in [2 * HOUR, -2 * HOUR, YEAR] {
        let service = Service::start().await;
        let (_, jti) = service.approved().await;
        let feed = service.feed("").await.ok()["feed"].clone();
        service.step(wrong);
        let service = service.restart(30).await;
        assert!(service.app.trusted_now().is_err());
        let service = service.restart_accepting().await.unwrap();
        let id = service.pending().await;
        service.act("carol", &id, "approve").await.ok();
        service.token(&id).await;
        assert_ne!(service.feed("").await.ok()["feed"], feed);
        let acts = service.get("grace", "/v1/audit/service").await.ok()["acts"].clone();
        let act = &acts.as_array().unwrap()[0];
        assert_eq!((&act["actor"], &act["action"]), (&json!("service"), &json!("accept_clock")));
        assert_eq!(act["detail"]["difference_s"], wrong);
        assert_eq!(act["detail"]["old"], "2026-11-22T02:13:30Z");
        // It is believed from now on, and where nothing differs there is nothing to accept.
        let service = service.restart(30).await.restart_accepting().await.unwrap();
        service.app.trusted_now().unwrap();
        let acts = service.get("grace", "/v1/audit/service").await.ok()["acts"].clone();
        assert_eq!(acts.as_array().unwrap().len(), 1);
        // Whatever was accepted, what may be live is revoked.
        let answer = service.kill("carol", json!({ "all": true })).await.ok();
        assert_eq!(answer["revoked"], 2, "{jti}");
        // After the next boot the rows of the time before say nothing.
        let service = service.reboot(60, 0).await;
        service.app.trusted_now().unwrap();
    }
}

#[tokio::test]
async fn what_cannot_be_the_time_is_not_accepted() {
    for wrong in [Some(-START), None] {
        let service = Service::start().await;
        make_wrong(&service, wrong);
        let error = service.restart_accepting().await.err().unwrap().to_string();
        assert!(error.contains("set it first"), "{error}");
    }
}

/// After another boot, the latest time in the database is all that is known.
#[tokio::test]
async fn after_another_boot_a_clock_before_the_latest_row_is_not_believed() {
    for wrong in [-2 * HOUR, -START - 300] {
        let service = Service::start().await;
        let (approved, jti) = service.approved().await;
        let pending = service.pending().await;
        let feed = service.feed("").await.ok()["feed"].clone();
        let service = service.reboot(300, wrong).await;
        nothing_is_opened(&service, Some(wrong), &pending, &approved).await;
        assert_ne!(service.feed("").await.ok()["feed"], feed, "time went back");
        let answer = service.kill("carol", json!({ "all": true })).await.ok();
        assert_eq!((&answer["revoked"], &answer["grants"]), (&json!(1), &json!([jti])));
        assert_eq!(listed(&service.feed("").await.ok()), [&json!(jti)]);
        service.set_clock(START + 310);
        service.act("carol", &pending, "approve").await.ok();
    }
}

/// A clock that is ahead cannot be told from a right one: what only ends access goes by the earliest time that
/// it could be.
#[tokio::test]
async fn after_another_boot_with_a_clock_ahead_live_grants_are_still_revoked() {
    for wrong in [2 * HOUR, YEAR] {
        let service = Service::start().await;
        let (id, first) = service.approved().await;
        let token = service.token(&id).await;
        let (_, second) = service.approved().await;
        let service = service.reboot(300, wrong).await;
        service.app.trusted_now().unwrap();
        assert_eq!(service.introspect(&token).await["active"], false);
        let form = format!("token={token}");
        assert_eq!(service.form("alice", "/oauth2/revoke", &form).await.status, 200);
        // Also after a restart.
        let service = service.restart(60).await;
        let answer = service.kill("carol", json!({ "all": true })).await.ok();
        assert_eq!(answer["grants"], json!([second]));
        assert_eq!(answer["had_ended"], 1);
        assert_eq!(listed(&service.feed("").await.ok()), [&json!(first), &json!(second)]);
        // And after another boot, with a clock that is still ahead.
        let service = service.reboot(60, 0).await;
        assert_eq!(listed(&service.feed("").await.ok()), [&json!(first), &json!(second)]);
        // No grant from before lasts for longer than a day.
        service.advance(24 * HOUR + 61);
        assert_eq!(service.feed("").await.ok()["revoked"], json!([]));
    }
}

/// The version before kept nothing of the clock: its latest row counts.
#[tokio::test]
async fn a_database_without_a_clock_row_is_judged_by_its_trail() {
    let service = Service::start().await;
    service.approved().await;
    sqlx::raw_sql("DROP TRIGGER clock_kept; DELETE FROM clock")
        .execute(&service.database().await)
        .await
        .unwrap();
    let directory = service.directory;
    let text = config(&directory);
    let service = Service::start_with(directory, &text, START - 6).await;
    assert!(service.app.trusted_now().is_err());
    service.step(1);
    service.app.trusted_now().unwrap();
}

/// What may be over must not keep an approver from what is live.
#[tokio::test]
async fn a_doubt_about_the_clock_refuses_no_revocation_of_everything() {
    let service = Service::start().await;
    let dbas = service.grant("dave", &["db:admin"]).await;
    let service = service.reboot(12 * HOUR, 0).await;
    let (_, live) = service.approved().await;
    let all = json!({ "all": true });
    assert_eq!(service.kill("erin", all.clone()).await.refusal(), (403, "not_an_approver"));
    let answer = service.kill("carol", all.clone()).await.ok();
    assert_eq!((&answer["grants"], &answer["not_yours"]), (&json!([live]), &json!(1)));
    let answer = service.kill("dave", all).await.ok();
    assert_eq!((&answer["grants"], &answer["had_ended"]), (&json!([dbas]), &json!(1)));
}

/// The process may be killed in the next moment.
#[tokio::test]
async fn what_is_believed_is_kept_before_anything_is_opened() {
    let directory = tempfile::tempdir().unwrap();
    let store =
        breakglass_testing::store::open(&directory.path().join("approvals.db")).await.unwrap();
    assert_eq!(store.clock().await.unwrap(), None);
    let open = |now| Timekeeper::open(Box::new(TestClock::new(now)), &store, false);
    open(START).await.unwrap();
    let row = store.clock().await.unwrap().unwrap();
    assert_eq!((row.newest_ms, row.ahead_ms), (START * 1000, 0));
    // Each of these clocks is right on a machine that was booted at the same moment.
    open(START + HOUR).await.unwrap().trusted_now().unwrap();
}
