//! The clock of the machine is wrong: what opens access waits, and a revocation never does.

use serde_json::{Value, json};

use breakglass_testing::service::{START, Service};

pub(crate) const HOUR: i64 = 3600;
pub(crate) const YEAR: i64 = 365 * 24 * HOUR;

/// How a wall clock is wrong: seconds that it is set by, or nothing where it says nothing that is a time.
const WRONG: [Option<i64>; 8] = [
    Some(2 * HOUR),
    Some(-2 * HOUR),
    Some(YEAR),
    Some(-YEAR),
    // 1970.
    Some(-START),
    Some(6),
    Some(-6),
    None,
];

pub(crate) fn make_wrong(service: &Service, wrong: Option<i64>) {
    match wrong {
        Some(seconds) => service.step(seconds),
        None => service.lose_the_clock(),
    }
}

/// What opens access is refused, with a reason and what to do.
pub(crate) async fn nothing_is_opened(
    service: &Service,
    wrong: Option<i64>,
    pending: &str,
    approved: &str,
) {
    let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
    let reason = if wrong.is_some() { "clock_stepped" } else { "clock_unknown" };
    for answer in [
        service.act("carol", pending, "approve").await,
        service.act("alice", approved, "token").await,
        service.post("alice", "/v1/requests", body).await,
    ] {
        assert_eq!(answer.refusal(), (503, reason), "{wrong:?}");
        assert_eq!(answer.headers["retry-after"], "30");
        let detail = answer.body["detail"].as_str().unwrap();
        assert!(detail.contains("revocations go on"), "{detail}");
        assert_eq!(detail.contains("--accept-clock"), wrong.is_some(), "{detail}");
    }
}

pub(crate) fn listed(feed: &Value) -> Vec<&Value> {
    feed["revoked"].as_array().unwrap().iter().map(|entry| &entry["jti"]).collect()
}

async fn detail(service: &Service) -> Value {
    service.get("grace", "/healthz?detail=1").await.ok()
}

#[tokio::test]
async fn a_revocation_is_done_whatever_the_clock_says_and_nothing_is_opened() {
    for wrong in WRONG {
        let service = Service::start().await;
        let (approved, one) = service.approved().await;
        let (id, two) = service.approved().await;
        let (_, three) = service.approved().await;
        let token = service.token(&id).await;
        let by_token = service.token(&approved).await;
        let pending = service.pending().await;
        make_wrong(&service, wrong);
        nothing_is_opened(&service, wrong, &pending, &approved).await;

        let answer = service.kill("carol", json!({ "grant": three })).await.ok();
        assert_eq!(answer["revoked"], 1, "{wrong:?}");
        let ended = wrong.is_some_and(|wrong| wrong >= 1800);
        assert_eq!(answer.get("had_ended"), ended.then_some(&json!(1)), "{wrong:?}");
        let form = format!("token={by_token}");
        assert_eq!(service.form("alice", "/oauth2/revoke", &form).await.status, 200);
        let answer = service.kill("carol", json!({ "all": true })).await.ok();
        assert_eq!(
            (&answer["revoked"], &answer["grants"]),
            (&json!(1), &json!([two])),
            "{wrong:?}"
        );
        let feed = service.feed("").await.ok();
        assert_eq!(listed(&feed), [&json!(three), &json!(one), &json!(two)], "{wrong:?}");
        service.get("nobody", "/readyz").await.ok();
        assert_eq!(
            service.get("alice", &format!("/v1/requests/{id}")).await.ok()["state"],
            "revoked"
        );
        service.act("carol", &pending, "deny").await.ok();
        if wrong.is_some() {
            assert_eq!(service.introspect(&token).await, json!({ "active": false }));
        }
        // The rows are dated by the time that is believed.
        let database = service.database().await;
        let dated: Vec<i64> =
            sqlx::query_scalar("SELECT DISTINCT revoked_at_ms / 1000 FROM revocations")
                .fetch_all(&database)
                .await
                .unwrap();
        assert_eq!(dated, [START], "{wrong:?}");
    }
}

#[tokio::test]
async fn one_grant_is_revoked_by_its_id_whatever_the_clock_says() {
    for wrong in WRONG {
        let service = Service::start().await;
        let (_, jti) = service.approved().await;
        make_wrong(&service, wrong);
        let answer = service.revoke("carol", &jti).await.ok();
        let ended = wrong.is_some_and(|wrong| wrong >= 1800);
        assert_eq!(answer.get("had_ended"), ended.then_some(&json!(true)), "{wrong:?}");
        assert_eq!(listed(&service.feed("").await.ok()), [&json!(jti)], "{wrong:?}");
    }
}

#[tokio::test]
async fn by_person_incident_and_scope_too() {
    for what in [
        json!({ "subject": "alice" }),
        json!({ "incident": "INC-7" }),
        json!({ "scope": "orders:read" }),
    ] {
        for wrong in [Some(2 * HOUR), Some(YEAR), Some(-2 * HOUR), None] {
            let service = Service::start().await;
            let body = json!({
                "scopes": ["orders:read"], "reason": "r", "duration": "30m", "incident": "INC-7",
            });
            let view = service.post("alice", "/v1/requests", body).await.ok();
            service.act("carol", view["id"].as_str().unwrap(), "approve").await.ok();
            make_wrong(&service, wrong);
            let answer = service.kill("carol", what.clone()).await.ok();
            assert_eq!(answer["revoked"], 1, "{what} {wrong:?}");
        }
    }
}

#[tokio::test]
async fn when_the_clock_is_right_again_all_goes_on() {
    for wrong in WRONG {
        let service = Service::start().await;
        let (approved, jti) = service.approved().await;
        let token = service.token(&approved).await;
        let pending = service.pending().await;
        let feed = service.feed("").await.ok()["feed"].clone();
        make_wrong(&service, wrong);
        service.tick().await;
        nothing_is_opened(&service, wrong, &pending, &approved).await;
        let state = if wrong.is_some() { "stepped" } else { "unknown" };
        let clock = detail(&service).await["clock"].clone();
        assert_eq!((&clock["state"], &clock["steps"]), (&json!(state), &json!(1)), "{clock}");
        assert_eq!(clock["ahead_s"], wrong.map_or(Value::Null, |wrong| json!(wrong)));
        assert_eq!(clock["believed"], "2026-11-22T02:13:00Z");
        assert_eq!(service.counter("breakglass_clock_believed").await, 0);
        assert_eq!(service.counter("breakglass_clock_ahead_seconds").await, wrong.unwrap_or(0));
        // A minute later it is set right.
        service.advance(60);
        service.set_clock(START + 60);
        service.tick().await;
        service.act("carol", &pending, "approve").await.ok();
        service.act("alice", &approved, "token").await.ok();
        assert_eq!(service.introspect(&token).await["active"], true, "{jti}");
        let clock = detail(&service).await["clock"].clone();
        assert_eq!((&clock["state"], &clock["since"]), (&json!("believed"), &Value::Null));
        assert_eq!(service.counter("breakglass_clock_believed").await, 1);
        assert_eq!(service.counter("breakglass_clock_steps_total").await, 1);
        // It went back once, either then or before: what proxies read meanwhile is read again.
        let renewed = service.feed("").await.ok()["feed"] != feed;
        assert_eq!(renewed, wrong.is_some(), "{wrong:?}");
    }
}

/// Proxies that were given the feed while the clock was ahead read all of it again.
#[tokio::test]
async fn after_the_clock_went_back_every_proxy_reads_the_feed_again() {
    let service = Service::start().await;
    let (_, jti) = service.approved().await;
    service.revoke("carol", &jti).await.ok();
    let before = service.feed("").await.ok();
    let query = format!("?after=1&feed={}", before["feed"].as_str().unwrap());
    service.step(2 * HOUR);
    service.tick().await;
    assert_eq!(service.feed(&query).await.ok()["reset"], false, "ahead, nothing is lost");
    service.step(-2 * HOUR);
    service.tick().await;
    let after = service.feed(&query).await.ok();
    assert_eq!((&after["reset"], listed(&after)), (&json!(true), vec![&json!(jti)]));
    assert_ne!(after["feed"], before["feed"]);
    service.tick().await;
    assert_eq!(service.feed("").await.ok()["feed"], after["feed"], "once");
}

#[tokio::test]
async fn a_feed_that_could_not_get_its_new_id_gets_it_later() {
    let service = Service::start().await;
    let before = service.feed("").await.ok()["feed"].clone();
    let database = service.database().await;
    let full = "CREATE TRIGGER full BEFORE UPDATE OF id ON feed WHEN NEW.id <> OLD.id
                BEGIN SELECT RAISE(ABORT, 'disk full'); END";
    sqlx::query(full).execute(&database).await.unwrap();
    service.step(-2 * HOUR);
    service.tick().await;
    assert_eq!(service.feed("").await.ok()["feed"], before);
    sqlx::query("DROP TRIGGER full").execute(&database).await.unwrap();
    service.tick().await;
    assert_ne!(service.feed("").await.ok()["feed"], before);
}

#[tokio::test]
async fn five_seconds_are_no_step_and_small_steps_are_one() {
    let service = Service::start().await;
    let id = service.pending().await;
    service.step(5);
    service.app.trusted_now().unwrap();
    service.step_ms(1);
    assert_eq!(service.act("carol", &id, "approve").await.refusal(), (503, "clock_stepped"));
    service.step(-5);
    service.app.trusted_now().unwrap();
    // A second each, a minute apart.
    let refused = |service: &Service| service.app.trusted_now().is_err();
    let service = Service::start().await;
    let mut steps = 0;
    while !refused(&service) {
        service.advance(60);
        service.step(1);
        steps += 1;
        assert!(steps < 10);
    }
    assert_eq!(steps, 6, "what NTP may slew in a minute is 60 ms");
    // A true slew: half a millisecond a second, for a day.
    let service = Service::start().await;
    for _ in 0..24 * 60 {
        service.advance(60);
        service.step_ms(30);
        assert!(!refused(&service));
    }
    let reading = service.app.timekeeper().reading();
    assert_eq!(reading.wall.unwrap(), reading.believed);
    assert_eq!(reading.wall.unwrap().millis(), (START + 24 * HOUR) * 1000 + 43_200);
}

/// A step is not forgotten by waiting.
#[tokio::test]
async fn a_step_does_not_become_the_truth_by_itself() {
    for wrong in [6, -6] {
        let service = Service::start().await;
        service.step(wrong);
        for _ in 0..100 {
            service.advance(HOUR);
            assert!(service.app.trusted_now().is_err());
        }
        // Nor in two steps, or because the clock could not be read for long.
        service.step(-wrong / 3);
        service.app.trusted_now().unwrap();
        service.step(wrong / 3);
        assert!(service.app.trusted_now().is_err());
        service.lose_the_clock();
        service.app.trusted_now().unwrap_err();
        service.advance(100 * HOUR);
        service.app.trusted_now().unwrap_err();
        service.set_clock(START + 200 * HOUR + wrong * 2 / 3);
        service.app.trusted_now().unwrap();
        service.step(wrong / 3);
        assert!(service.app.trusted_now().is_err());
    }
}

#[tokio::test]
async fn strangers_and_people_learn_the_status_alone() {
    let service = Service::start().await;
    for who in ["nobody", "alice", "envoy"] {
        let answer = service.get(who, "/healthz?detail=1").await.ok();
        assert_eq!(answer, json!({ "status": "ok" }), "{who}");
    }
    for path in ["/healthz", "/healthz?detail=0", "/healthz?other&x=detail=1"] {
        assert_eq!(service.get("grace", path).await.ok(), json!({ "status": "ok" }), "{path}");
    }
    let clock = detail(&service).await["clock"].clone();
    assert_eq!(
        clock,
        json!({
            "state": "believed", "wall": "2026-11-22T02:13:00Z", "believed": "2026-11-22T02:13:00Z",
            "floor": "2026-11-22T02:13:00Z", "ahead_s": 0, "since": null, "steps": 0,
        })
    );
}

/// One of the two times is wrong, and nobody knows which.
#[tokio::test]
async fn a_grant_is_active_only_by_both_times() {
    // After how long it is looked at, what the wall clock is off then, and whether the grant holds.
    for (passed, off, active) in [
        (60, 0, true),
        (60, 5, true),
        (60, 6, true),
        (600, -600, true),
        (600, -606, false),
        (1799, -10, true),
        (1800, -10, false),
        (1790, 9, true),
        (1790, 10, false),
        (2400, -1200, false),
    ] {
        let service = Service::start().await;
        let (id, _) = service.approved().await;
        let token = service.token(&id).await;
        service.advance(passed);
        service.step(off);
        let answer = service.introspect(&token).await["active"].clone();
        assert_eq!(answer, active, "after {passed} s, {off} s off");
    }
}
