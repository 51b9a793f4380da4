//! Reloads while the service is asked: none fails by them, and none is lost.

use std::fs;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use breakglass_server::tasks::reload::{Cause, reload};
use serde_json::{Value, json};

use breakglass_testing::credentials::without;
use breakglass_testing::service::{Service, config};

async fn reload_with(service: &Service, text: &str) -> bool {
    let path = service.directory.path().join("config.toml");
    fs::write(&path, text).unwrap();
    reload(&service.app, &path, Cause::FileChange).await.is_ok()
}

async fn acts(service: &Service, action: &str) -> Vec<Value> {
    let (mut found, mut after) = (Vec::new(), json!(0));
    while !after.is_null() {
        let page = service.get("grace", &format!("/v1/audit/service?after={after}")).await.ok();
        found.extend(
            page["acts"].as_array().unwrap().iter().filter(|act| act["action"] == action).cloned(),
        );
        after = page["next"].clone();
    }
    found
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_hundred_reloads_under_load_of_which_every_tenth_is_wrong() {
    let service = Service::start().await;
    let good = config(&service.directory);
    let without_erin = without(&good, "erin");
    let (id, _) = service.approved().await;
    let token = service.token(&id).await;
    let (done, asked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let going = || !done.load(Ordering::Relaxed);
    let people = async {
        while going() {
            service.get("alice", "/v1/requests").await.ok();
            let id = service.pending().await;
            service.act("carol", &id, "approve").await.ok();
            asked.fetch_add(1, Ordering::Relaxed);
        }
    };
    let introspection = async {
        while going() {
            assert_eq!(service.introspect(&token).await["active"], true);
            asked.fetch_add(1, Ordering::Relaxed);
        }
    };
    let polls = async {
        while going() {
            service.feed("?after=0").await.ok();
            service.get("carol", &format!("/v1/requests/{id}?wait=1s")).await.ok();
            asked.fetch_add(1, Ordering::Relaxed);
        }
    };
    let reloads = async {
        for round in 0..200 {
            let text = match round {
                round if round % 10 == 9 => "issuer = 1",
                round if round % 2 == 0 => &without_erin,
                _ => &good,
            };
            let before = service.app.reloads().view().digest;
            assert_eq!(
                reload_with(&service, &format!("{text}\n# {round}\n")).await,
                round % 10 != 9,
                "{round}"
            );
            let after = service.app.reloads().view().digest;
            assert_eq!(before == after, round % 10 == 9, "{round}");
            tokio::task::yield_now().await;
        }
        done.store(true, Ordering::Relaxed);
    };
    tokio::join!(people, introspection, polls, reloads);
    assert!(asked.load(Ordering::Relaxed) > 100, "the load was none: {asked:?}");
    let health = service.app.reloads().view();
    assert_eq!(health.reloads, 180);
    assert!(
        health
            .last_failure
            .unwrap()
            .errors
            .iter()
            .any(|one| one.field.as_deref() == Some("issuer"))
    );
    let reloads = acts(&service, "reload").await;
    assert_eq!(reloads.len(), 180, "each is on the trail");
    // Erin comes back in every second one that was taken.
    let widened = acts(&service, "configuration_widened").await;
    assert_eq!(
        widened.len(),
        reloads.iter().filter(|act| act["detail"]["difference"]["grants"] != 0).count()
    );
    assert!(widened.len() > 50 && widened.len() < 110, "{}", widened.len());
}

#[tokio::test]
async fn a_reload_says_what_it_grants_on_the_trail_and_as_an_event() {
    let service = Service::start().await;
    let good = config(&service.directory);
    assert!(reload_with(&service, &without(&good, "erin")).await);
    assert_eq!(acts(&service, "configuration_widened").await, [] as [Value; 0]);
    let wider =
        good.replacen("approvers = [\"commanders\"]", "approvers = [\"commanders\", \"dbas\"]", 1);
    assert!(reload_with(&service, &wider).await);
    let entries = json!([
        { "effect": "grants", "subject": "dave", "words": "dave may approve orders:read" },
        { "effect": "grants", "subject": "erin", "words": "erin is a new person" },
    ]);
    let reload = acts(&service, "reload").await.pop().unwrap();
    let difference =
        json!({ "grants": 2, "takes_away": 0, "neutral": 0, "left_out": 0, "entries": entries });
    assert_eq!(reload["detail"]["difference"], difference);
    assert_eq!(reload["detail"]["cause"], "file_change");
    let digest = &reload["detail"]["digest"];
    let widened = json!({ "grants": 2, "left_out": 0, "entries": entries, "digest": digest });
    let events = service.get("grace", "/v1/audit/events").await.ok();
    let events: Vec<(&Value, &Value)> = events["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|event| (&event["type"], &event["data"]))
        .collect();
    let [.., read, grown] = events.as_slice() else { panic!("{events:?}") };
    assert_eq!(*read, (&json!("breakglass.service.configuration_read"), &reload["detail"]));
    assert_eq!(*grown, (&json!("breakglass.service.configuration_widened"), &widened));
}

/// The event is written with the reload, or neither is.
#[tokio::test]
async fn what_grants_more_and_cannot_be_told_is_not_taken() {
    let service = Service::start().await;
    let good = config(&service.directory);
    assert!(reload_with(&service, &without(&good, "erin")).await);
    let full = "CREATE TRIGGER full BEFORE INSERT ON events WHEN NEW.type LIKE '%widened'
                BEGIN SELECT RAISE(ABORT, 'disk full'); END";
    sqlx::raw_sql(full).execute(&service.database().await).await.unwrap();
    assert!(!reload_with(&service, &good).await);
    assert_eq!(acts(&service, "reload").await.len(), 1);
    assert_eq!(service.get("erin", "/v1/requests").await.refusal().0, 401);
}

/// Whichever it is by which an approver may approve.
#[tokio::test]
async fn a_grant_says_under_which_configuration_it_was_made() {
    let service = Service::start().await;
    let (first, _) = service.approved().await;
    let id = service.pending().await;
    let good = config(&service.directory);
    assert!(reload_with(&service, &without(&good, "erin")).await);
    let digest = service.app.reloads().view().digest.unwrap();
    let approved = service.act("carol", &id, "approve").await.ok();
    assert_eq!(approved["grant"]["configuration"], json!(digest));
    let before = service.get("alice", &format!("/v1/requests/{first}")).await.ok();
    assert!(
        before["grant"]["configuration"]
            .as_str()
            .is_some_and(|other| other.len() == 64 && other != digest)
    );
    // It stays so, and is on the trail and the event.
    assert!(reload_with(&service, &good).await);
    let shown = service.get("alice", &format!("/v1/requests/{id}")).await.ok();
    assert_eq!(shown["grant"]["configuration"], json!(digest));
    let events = service.get("grace", "/v1/audit/events").await.ok();
    let of_approval = |event: &&Value| {
        event["type"] == "breakglass.request.approved" && event["request"] == json!(id)
    };
    let approval = events["events"].as_array().unwrap().iter().find(of_approval).unwrap();
    assert_eq!(approval["data"]["configuration"], json!(digest));
}

/// Within a second: measured 40 ms, and twice as long as is promised on a machine that does something else as well.
#[tokio::test]
async fn a_person_who_is_removed_loses_the_grant() {
    let service = Service::start().await;
    let (id, _) = service.approved().await;
    let token = service.token(&id).await;
    assert!(reload_with(&service, &without(&config(&service.directory), "alice")).await);
    let start = tokio::time::Instant::now();
    while start.elapsed() < std::time::Duration::from_secs(2) {
        // The act is written after the last revocation.
        if service.introspect(&token).await["active"] == false
            && acts(&service, "holder_left").await.len() == 1
        {
            println!("after {:?}", start.elapsed());
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the grant holds, or the trail does not say that its holder has left");
}
