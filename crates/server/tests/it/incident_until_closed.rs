//! With `until_closed` an incident is checked each minute while its request is pending or its grant holds.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use breakglass_server::domain::check_incidents;
use breakglass_server::store::check::Part;
use breakglass_testing::copies::{copy, ended};
use breakglass_testing::receiver::Receiver;
use breakglass_testing::service::{START, Service};
use serde_json::json;

use crate::database_check::{checked, edit, texts};
use crate::incidents::{asked, checking, clean, events, kinds, pass, start, tracked, view};

const UNTIL_CLOSED: &str = "until_closed = true\n";

/// A system whose one incident is what the test says.
#[derive(Clone)]
struct Tracker {
    receiver: Receiver,
    now: Arc<AtomicUsize>,
}

const CASES: [&str; 5] = ["open", "closed", "500", "unknown", "other-person"];

impl Tracker {
    fn start() -> Tracker {
        let now = Arc::new(AtomicUsize::new(0));
        let own = Arc::clone(&now);
        let receiver =
            Receiver::answering(move |_, _| tracked(CASES[own.load(Ordering::SeqCst)], ""));
        Tracker { receiver, now }
    }

    fn is(&self, case: &str) {
        let index = CASES.iter().position(|one| *one == case).unwrap();
        self.now.store(index, Ordering::SeqCst);
    }

    fn calls(&self) -> usize {
        self.receiver.calls().len()
    }
}

async fn holding(more: &str) -> (Tracker, Service, String) {
    let tracker = Tracker::start();
    let service = start(&tracker.receiver, &format!("{UNTIL_CLOSED}{more}")).await;
    let id = asked(&service, "INC-1").await;
    service.act("carol", &id, "approve").await.ok();
    service.token(&id).await;
    (tracker, service, id)
}

async fn state(service: &Service, id: &str) -> String {
    view(service, id).await["state"].as_str().unwrap().to_owned()
}

async fn revoked(service: &Service) -> usize {
    service.feed("").await.ok()["revoked"].as_array().unwrap().len()
}

#[tokio::test]
async fn a_grant_ends_when_its_incident_has_been_closed_for_the_grace() {
    let (tracker, service, id) = holding("grace = \"2m 30s\"").await;
    for _ in 0..3 {
        assert_eq!(pass(&service, 60).await, 1);
    }
    assert_eq!((tracker.calls(), kinds(&service, &id).await.len()), (4, 3), "open, and no news");
    tracker.is("closed");
    pass(&service, 60).await;
    assert_eq!(
        kinds(&service, &id).await,
        ["submitted", "approved", "activated", "incident_checked"]
    );
    assert_eq!(view(&service, &id).await["incident_check"]["verdict"], "closed");
    for seconds in [60, 60, 29] {
        pass(&service, seconds).await;
        assert_eq!(state(&service, &id).await, "active", "the grace is not over");
    }
    pass(&service, 1).await;
    assert_eq!(state(&service, &id).await, "revoked");
    let events = events(&service, &id).await;
    let (kind, data) = events.last().unwrap();
    assert_eq!((kind.as_str(), &data["reason"]), ("revoked", &json!("incident_closed")));
    assert_eq!((events.len(), revoked(&service).await), (5, 1));
    let trail = service.trail().await;
    assert_eq!(trail.last().unwrap(), &("service".to_owned(), "revoke".to_owned()));
    assert_eq!(service.counter("breakglass_grants_revoked_total{how=\"incident_over\"}").await, 1);
    let calls = tracker.calls();
    for _ in 0..3 {
        pass(&service, 60).await;
    }
    assert_eq!((tracker.calls(), revoked(&service).await), (calls, 1), "it is over");
    clean(&service).await;
}

#[tokio::test]
async fn no_grace_ends_it_at_once_and_an_incident_that_is_gone_counts_as_closed() {
    let (tracker, service, id) = holding("grace = \"0s\"").await;
    tracker.is("unknown");
    pass(&service, 60).await;
    let shown = view(&service, &id).await;
    assert_eq!(shown["grant"]["revoked"]["reason"], "incident_closed");
    assert_eq!(
        kinds(&service, &id).await,
        ["submitted", "approved", "activated", "incident_checked", "revoked"]
    );
}

#[tokio::test]
async fn an_incident_that_is_open_again_before_the_grace_is_over_ends_nothing() {
    let (tracker, service, id) = holding("grace = \"2m\"").await;
    tracker.is("closed");
    pass(&service, 60).await;
    tracker.is("open");
    pass(&service, 60).await;
    tracker.is("closed");
    pass(&service, 60).await;
    pass(&service, 60).await;
    assert_eq!(state(&service, &id).await, "active", "the grace began anew");
    // It is asked once more when the grace is over.
    tracker.is("open");
    pass(&service, 60).await;
    assert_eq!((state(&service, &id).await.as_str(), revoked(&service).await), ("active", 0));
    let words: Vec<_> = events(&service, &id)
        .await
        .into_iter()
        .filter(|(kind, _)| kind == "incident_checked")
        .collect();
    let words: Vec<&str> =
        words.iter().map(|(_, data)| data["verdict"].as_str().unwrap()).collect();
    assert_eq!(words, ["closed", "open", "closed", "open"]);
}

#[tokio::test]
async fn silence_ends_no_grant_and_takes_no_answer_back() {
    let (tracker, service, id) = holding("grace = \"3m\"").await;
    tracker.is("500");
    for _ in 0..10 {
        pass(&service, 60).await;
    }
    assert_eq!((state(&service, &id).await.as_str(), revoked(&service).await), ("active", 0));
    assert_eq!(view(&service, &id).await["incident_check"]["verdict"], "open");
    // Another's by now: it is still being worked on.
    tracker.is("other-person");
    for _ in 0..4 {
        pass(&service, 60).await;
    }
    assert_eq!(state(&service, &id).await, "active");
    // What was answered before the silence counts.
    tracker.is("closed");
    pass(&service, 60).await;
    tracker.is("500");
    for (seconds, expected) in [(60, "active"), (60, "active"), (60, "revoked")] {
        pass(&service, seconds).await;
        assert_eq!(state(&service, &id).await, expected);
    }
}

#[tokio::test]
async fn a_pending_request_cannot_be_approved_while_its_incident_is_closed() {
    let tracker = Tracker::start();
    let service = start(&tracker.receiver, &format!("{UNTIL_CLOSED}grace = \"0s\"")).await;
    let id = asked(&service, "INC-1").await;
    tracker.is("closed");
    pass(&service, 60).await;
    let refused = service.act("carol", &id, "approve").await;
    assert_eq!(refused.refusal(), (403, "incident_closed"));
    assert_eq!(state(&service, &id).await, "pending");
    tracker.is("open");
    pass(&service, 60).await;
    assert_eq!(service.act("carol", &id, "approve").await.ok()["state"], "approved");
}

#[tokio::test]
async fn requests_that_name_one_incident_ask_once_a_minute_and_what_is_over_asks_no_more() {
    let (tracker, service, id) = holding("").await;
    let second = asked(&service, "INC-1").await;
    let calls = tracker.calls();
    assert_eq!((pass(&service, 60).await, tracker.calls()), (2, calls + 1));
    service.act("carol", &second, "deny").await.ok();
    assert_eq!((pass(&service, 60).await, tracker.calls()), (2, calls + 2));
    assert_eq!(
        (pass(&service, 60).await, tracker.calls()),
        (1, calls + 3),
        "the denied one is over"
    );
    service.advance(1800);
    assert_eq!((pass(&service, 0).await, state(&service, &id).await.as_str()), (1, "expired"));
    assert_eq!((pass(&service, 60).await, tracker.calls()), (0, calls + 3));
    clean(&service).await;
}

/// A copy of the files at any moment is what a process that is killed leaves.
#[tokio::test]
async fn a_restart_or_a_kill_between_the_close_and_the_end_of_the_grace_ends_it_once() {
    let more = format!("{UNTIL_CLOSED}grace = \"5m\"");
    for killed in [false, true] {
        let (tracker, service, id) = holding("grace = \"5m\"").await;
        tracker.is("closed");
        pass(&service, 60).await;
        let left = match killed {
            true => copy(service.directory.path()),
            false => ended(service).await,
        };
        // It does not run when the grace is over.
        let text = checking(&left, &tracker.receiver, &more);
        let service = Service::start_with(left, &text, START + 60 + 299).await;
        pass(&service, 0).await;
        assert_eq!(state(&service, &id).await, "active", "killed: {killed}");
        let again = if killed { copy(service.directory.path()) } else { ended(service).await };
        let text = checking(&again, &tracker.receiver, &more);
        let service = Service::start_with(again, &text, START + 60 + 400).await;
        pass(&service, 0).await;
        assert_eq!(state(&service, &id).await, "revoked");
        let left = if killed { copy(service.directory.path()) } else { ended(service).await };
        let text = checking(&left, &tracker.receiver, &more);
        let service = Service::start_with(left, &text, START + 60 + 500).await;
        pass(&service, 120).await;
        assert_eq!(revoked(&service).await, 1);
        assert_eq!(
            kinds(&service, &id).await,
            ["submitted", "approved", "activated", "incident_checked", "revoked"]
        );
        clean(&service).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_end_each_grant_once() {
    let more = format!("{UNTIL_CLOSED}grace = \"0s\"");
    let tracker = Tracker::start();
    let first = start(&tracker.receiver, &more).await;
    let text = checking(&first.directory, &tracker.receiver, &more);
    let second = Service::start_with(tempfile::tempdir().unwrap(), &text, START + 1).await;
    let mut ids = Vec::new();
    for number in 0..10 {
        let id = asked(&first, &format!("INC-{number}")).await;
        first.act("carol", &id, "approve").await.ok();
        first.token(&id).await;
        ids.push(id);
    }
    tracker.is("closed");
    first.advance(60);
    second.advance(60);
    let apps = [&first.app, &second.app, &first.app, &second.app];
    let steps = apps.map(|app| {
        let app = app.clone();
        tokio::spawn(async move { check_incidents(&app, app.now()).await.unwrap() })
    });
    let mut written = 0;
    for step in steps {
        written += step.await.unwrap();
    }
    // What each has of the feed in its memory, it reads anew when it is asked by proxies.
    let database = first.database().await;
    let count: i64 =
        sqlx::query_scalar("SELECT count(*) FROM revocations").fetch_one(&database).await.unwrap();
    assert_eq!((written, count), (10, 10));
    for id in &ids {
        assert_eq!(
            kinds(&first, id).await,
            ["submitted", "approved", "activated", "incident_checked", "revoked"]
        );
    }
    clean(&first).await;
}

#[tokio::test]
async fn an_answer_that_was_changed_in_the_file_is_found() {
    let (tracker, service, id) = holding("").await;
    tracker.is("closed");
    pass(&service, 60).await;
    clean(&service).await;
    for (sql, expected) in [
        (
            "UPDATE incident_checks SET verdict = 'open', closed_at_ms = NULL",
            "the check of its incident at place 4 of the trail differ in `verdict`",
        ),
        (
            "UPDATE incident_checks SET own_incident = 1",
            "place 4 of the trail differ in `own_incident`",
        ),
    ] {
        let left = copy(service.directory.path());
        edit(&left, sql).await;
        let report = checked(&left).await;
        let found = texts(&report, Part::Requests);
        assert!(
            found.iter().any(|text| text.contains(expected) && text.contains(&id)),
            "{found:?}"
        );
    }
}
