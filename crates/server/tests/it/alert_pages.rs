//! How many alerts go to people: a bounded number an hour of each proxy and class, and then one that says how many more
//! there were; whatever restarts, whatever the clock does, and however many a stolen credential sends.

use axum::body::Body;
use axum::http::Request;
use breakglass_server::config::Config;
use proptest::prelude::*;
use serde_json::{Value, json};

use breakglass_testing::service::{START, Service, config, token_of};

use crate::alerts::{alert, listed, of_grant, report, service, short, with_proxies};

const HOUR: i64 = 3600;

/// Reports so many alerts of this kind, each about another grant.
async fn many(service: &Service, who: &str, kind: &str, count: usize) {
    let alerts: Vec<Value> = (0..count)
        .map(|number| of_grant(kind, &format!("{number}-{}", service.app.now().millis())))
        .collect();
    for alerts in alerts.chunks(64) {
        assert_eq!(report(service, who, alerts).await, (alerts.len() as u64, 0));
    }
}

/// How many listed alerts are for a human.
async fn pages(service: &Service, filter: &str) -> usize {
    short(&listed(service, filter).await).iter().filter(|alert| alert.2).count()
}

/// Says what is due, as the service does every two seconds.
async fn say(service: &Service) {
    let app = &service.app;
    app.evidence().say_unpaged_alerts(app.now(), app.randomness()).await.unwrap();
}

async fn summaries(service: &Service) -> Vec<Value> {
    listed(service, "&kind=alerts_suppressed").await
}

#[tokio::test]
async fn a_class_has_its_pages_of_an_hour_and_then_one_alert_says_how_many_more() {
    let service = service().await;
    many(&service, "envoy", "out_of_scope", 15).await;
    service.advance(HOUR / 2);
    many(&service, "envoy", "out_of_scope", 15).await;
    many(&service, "envoy", "ceiling", 2).await;
    assert_eq!(pages(&service, "").await, 20);
    // The other classes and the other proxies have theirs.
    many(&service, "envoy", "void_token", 3).await;
    many(&service, "envoy", "emergency_used", 3).await;
    many(&service, "shop", "out_of_scope", 3).await;
    assert_eq!(pages(&service, "").await, 29);
    service.advance(HOUR / 2 - 1);
    many(&service, "envoy", "out_of_scope", 1).await;
    say(&service).await;
    assert_eq!(pages(&service, "").await, 29);
    assert_eq!(summaries(&service).await, Vec::<Value>::new());
    // The hour of the first page is over: of twenty places fifteen are free, and the summary has one of them.
    service.advance(1);
    say(&service).await;
    say(&service).await;
    let said = summaries(&service).await;
    assert_eq!(short(&said), [("alerts_suppressed".to_owned(), 13, true)]);
    assert_eq!(
        said[0]["data"],
        json!({
            "reported_by": "service", "proxy": "envoy", "class": "holders",
            "suppressed": {
                "since": "2026-11-22T02:13:00Z", "alerts": 13, "not_kept": 0,
                "kinds": { "ceiling": 2, "out_of_scope": 11 },
            },
        })
    );
    many(&service, "envoy", "out_of_scope", 20).await;
    assert_eq!(pages(&service, "&proxy=envoy&kind=out_of_scope").await, 20 + 14);
    // The next hour began with the five of the second half of the first one: its end is said by what comes then.
    service.advance(HOUR / 2);
    many(&service, "envoy", "out_of_scope", 1).await;
    let said = summaries(&service).await;
    assert_eq!((said.len(), &said[1]["count"]), (2, &json!(6)));
    let counter = |outcome: &str| {
        format!("breakglass_alert_pages_total{{class=\"holders\",outcome=\"{outcome}\"}}")
    };
    assert_eq!(service.counter(&counter("told")).await, 20 + 3 + 14 + 1);
    assert_eq!(service.counter(&counter("suppressed")).await, 13 + 6);
}

/// By the service itself, where nothing comes any more.
#[tokio::test]
async fn the_service_says_it_without_another_report() {
    let service = service().await;
    many(&service, "envoy", "out_of_scope", 25).await;
    let mut news = service.app.evidence().alert_news();
    news.borrow_and_update();
    service.advance(HOUR);
    tokio::time::timeout(std::time::Duration::from_secs(20), news.changed())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(short(&summaries(&service).await), [("alerts_suppressed".to_owned(), 5, true)]);
    let counter = "breakglass_alert_pages_total{class=\"holders\",outcome=\"summary\"}";
    assert_eq!(service.counter(counter).await, 1);
}

#[tokio::test]
async fn a_restart_gives_no_other_pages_and_forgets_no_count() {
    let service = Service::start().await;
    many(&service, "envoy", "out_of_scope", 21).await;
    let service = service.restart(60).await;
    many(&service, "envoy", "out_of_scope", 3).await;
    assert_eq!(pages(&service, "").await, 20);
    let service = service.restart(HOUR).await;
    many(&service, "envoy", "void_token", 1).await;
    assert_eq!(summaries(&service).await[0]["count"], 4);
}

/// Neither one that was ahead for long, nor one that is set back within the hour, keeps alerts from people.
#[tokio::test]
async fn a_clock_that_goes_back_keeps_nothing_from_people() {
    for ahead in [30 * 24 * HOUR, HOUR / 2] {
        let service = Service::start().await;
        service.step(ahead);
        let service = service.restart(1).await.restart_accepting().await.unwrap();
        assert_eq!(service.app.now().seconds(), START + 1 + ahead);
        many(&service, "envoy", "out_of_scope", 25).await;
        let mut once = of_grant("cut", "g");
        once["detail"] = json!("then");
        report(&service, "envoy", &[once.clone()]).await;
        service.step(-ahead);
        let service = service.restart(1).await.restart_accepting().await.unwrap();
        assert_eq!(service.app.now().seconds(), START + 2);
        many(&service, "envoy", "out_of_scope", 25).await;
        assert_eq!(report(&service, "envoy", &[once]).await, (1, 0));
        assert_eq!(pages(&service, "&kind=out_of_scope").await, 20 + 19, "{ahead}");
        assert_eq!(listed(&service, "&kind=cut").await.len(), 2, "{ahead}");
        assert_eq!(summaries(&service).await[0]["count"], 5, "{ahead}");
        // The budget of now is one of an hour of now.
        service.advance(HOUR);
        say(&service).await;
        assert_eq!(summaries(&service).await[1]["count"], 6, "{ahead}");
    }
}

#[tokio::test]
async fn the_number_is_of_the_configuration_and_follows_a_reload() {
    let service = Service::start().await;
    let text = config(&service.directory);
    let with = |pages: i64| Config::parse(&format!("max_alert_pages = {pages}\n{text}"));
    service.app.reconfigure(with(3).unwrap());
    many(&service, "envoy", "out_of_scope", 2).await;
    service.advance(10);
    many(&service, "envoy", "out_of_scope", 2).await;
    assert_eq!(pages(&service, "").await, 3);
    // Fewer: the hour begins with the page whose place is free first.
    service.app.reconfigure(with(1).unwrap());
    service.advance(HOUR - 10);
    many(&service, "envoy", "ceiling", 1).await;
    assert_eq!(pages(&service, "&kind=ceiling").await, 0);
    for wrong in [-1, 0, 101] {
        let error = with(wrong).unwrap_err().to_string();
        assert!(error.contains("max_alert_pages: expected"), "{error}");
    }
    assert_eq!(Config::parse(&text).unwrap().max_alert_pages, 20);
}

/// In any hour, whenever alerts come; and every alert is paged or counted.
#[test]
fn no_hour_has_more_pages_than_the_budget() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // At least a second between two: what comes at one time is of the same grants, and is counted together.
    let steps = proptest::collection::vec((1_i64..1500, 1_usize..6), 1..30);
    let cases = ProptestConfig { cases: 6, ..ProptestConfig::default() };
    proptest!(cases, |(steps in steps)| {
        runtime.block_on(async {
            let service = Service::start().await;
            let text = format!("max_alert_pages = 4\n{}", config(&service.directory));
            service.app.reconfigure(Config::parse(&text).unwrap());
            let mut came = 0;
            for (seconds, count) in steps {
                service.advance(seconds);
                many(&service, "envoy", "cut", count).await;
                came += count;
            }
            service.advance(HOUR);
            say(&service).await;
            let all = service.app.evidence().alerts_after(0, 10_000).await.unwrap();
            let is_cut = |kind: &str| kind == "cut";
            let paged: Vec<i64> =
                all.iter().filter(|alert| alert.page).map(|alert| alert.time_ms).collect();
            for (first, time) in paged.iter().enumerate() {
                let within = paged[first..].iter().filter(|other| *other - time < HOUR * 1000);
                assert!(within.count() <= 4, "{paged:?}");
            }
            let told = all.iter().filter(|alert| alert.page && is_cut(&alert.kind)).count();
            let summed: i64 =
                all.iter().filter(|alert| !is_cut(&alert.kind)).map(|alert| alert.count).sum();
            assert_eq!(told + usize::try_from(summed).unwrap(), came);
        });
    });
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stolen_credential_costs_a_bounded_number_of_rows_and_hides_no_other_proxy() {
    let directory = tempfile::tempdir().unwrap();
    let text = with_proxies(&config(&directory));
    let service = Service::start_with(directory, &text, START).await;
    let kinds = [
        "signature_failures",
        "out_of_scope",
        "emergency_used",
        "feed_trouble",
        "made_up",
        "made_up_too",
    ];
    // Each about another grant, until every kind has its rows; then the same report again and again, of which no alert is
    // one of the rows.
    let body = |first: usize| {
        let alerts = (first..first + 64).map(|number| {
            let mut alert = of_grant(kinds[number % 6], &format!("g{number}"));
            alert["path"] = json!("/");
            alert
        });
        json!({ "node": "n1", "alerts": alerts.collect::<Vec<_>>() }).to_string()
    };
    let (reports, distinct) = (100_000 / 64 + 1, 20);
    let repeated = body(distinct * 64);
    let send = async |body: String| loop {
        let request = Request::post("/v1/alerts")
            .header("authorization", format!("Bearer {}", token_of("edge")))
            .header("content-type", "application/json");
        let answer = service.send(request.body(Body::from(body.clone())).unwrap()).await;
        // Its reports wait for one another, for so long and no longer: it sends again, as a proxy does.
        if answer.body["reason"] == "storage_busy" {
            continue;
        }
        assert_eq!(answer.ok(), json!({ "accepted": 64, "dropped": 0 }));
        break;
    };
    let send = &send;
    for number in 0..distinct {
        send(body(number * 64)).await;
    }
    let flood = |from: usize| {
        let repeated = repeated.clone();
        async move {
            for _ in (distinct + from..reports).step_by(4) {
                send(repeated.clone()).await;
            }
        }
    };
    let others = async {
        for number in 0..10 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            let mut alert = alert("sender_mismatch");
            alert["grant"] = json!(format!("shop {number}"));
            assert_eq!(report(&service, "shop", &[alert]).await, (1, 0));
        }
    };
    let floods = futures_util::future::join_all((0..4).map(flood));
    tokio::join!(floods, others);
    let theirs = listed(&service, "&proxy=shop").await;
    assert_eq!(short(&theirs), vec![("sender_mismatch".to_owned(), 1, true); 10]);
    // A hundred of each kind that is known, and a hundred of all that are not.
    let flooded = listed(&service, "&proxy=edge").await;
    assert_eq!(flooded.len(), 500);
    assert_eq!(flooded.iter().filter(|alert| alert["page"] == true).count(), 3 * 20);
    let database = service.evidence().await;
    let bytes = "SELECT bytes FROM proxy_usage WHERE proxy = 'edge'";
    let bytes: i64 = sqlx::query_scalar(bytes).fetch_one(&database).await.unwrap();
    assert!(bytes < 1_000_000, "{bytes}");
    let file = std::fs::metadata(service.app.evidence().path()).unwrap().len();
    assert!(file < 4_000_000, "{file}");
    service.advance(HOUR);
    say(&service).await;
    let sent = i64::try_from(reports).unwrap() * 64;
    let said = summaries(&service).await;
    let of = |member: &str| -> i64 {
        said.iter().map(|one| one["data"]["suppressed"][member].as_i64().unwrap()).sum()
    };
    assert_eq!((said.len(), of("alerts"), of("not_kept")), (3, sent - 60, sent - 500));
}
