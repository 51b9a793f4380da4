//! Alerts that proxies report: what is taken, whose word it is, and who reads them.

use serde_json::{Value, json};

use breakglass_testing::before;
use breakglass_testing::credentials::proxy;
use breakglass_testing::service::{START, Service, config, token_of};

/// What an attacker puts into a text: terminal escapes, line breaks, HTML, marks of chats, and characters that turn a text
/// or cannot be seen.
pub(crate) const HOSTILE: &str =
    "\u{1b}[2J\u{9b}31m\r\n<script>alert(1)</script> <!channel> \u{202e}\u{2066}\u{200b}\u{0}\"'\\";

/// The members of an alert that are texts.
const TEXTS: [&str; 15] = [
    "grant",
    "issuer",
    "subject",
    "audience",
    "incident",
    "scope",
    "rule",
    "reason",
    "method",
    "host",
    "path",
    "route",
    "source_ip",
    "request_id",
    "detail",
];

/// A service with proxies of several audiences beside `envoy`, which has `prod` and `staging`.
pub(crate) async fn service() -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = with_proxies(&config(&directory));
    Service::start_with(directory, &text, START).await
}

pub(crate) fn with_proxies(text: &str) -> String {
    let staging = proxy("edge", &token_of("edge"));
    let prod = proxy("shop", &token_of("shop"));
    format!("{text}{staging}audiences = [\"staging\"]\n{prod}audiences = [\"prod\"]\n")
}

pub(crate) fn alert(kind: &str) -> Value {
    let at = "2026-11-22T02:12:59.123Z";
    json!({ "kind": kind, "first": at, "last": at, "count": 1 })
}

/// An alert of this kind about this grant.
pub(crate) fn of_grant(kind: &str, grant: &str) -> Value {
    let mut alert = alert(kind);
    alert["grant"] = json!(grant);
    alert
}

/// Reports these alerts, and returns how many were accepted and how many dropped.
pub(crate) async fn report(service: &Service, who: &str, alerts: &[Value]) -> (u64, u64) {
    let body = json!({ "node": "n1", "process": "1".repeat(32), "alerts": alerts });
    let answer = service.post(who, "/v1/alerts", body).await.ok();
    (answer["accepted"].as_u64().unwrap(), answer["dropped"].as_u64().unwrap())
}

/// All that are listed.
pub(crate) async fn listed(service: &Service, filter: &str) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), json!(0));
    loop {
        let path = format!("/v1/audit/alerts?after={after}{filter}");
        let page = service.get("grace", &path).await.ok();
        all.extend(page["alerts"].as_array().unwrap().iter().cloned());
        after = page["next"].clone();
        if after.is_null() {
            return all;
        }
    }
}

/// Kind, count, and whether it is for a human.
pub(crate) fn short(alerts: &[Value]) -> Vec<(String, i64, bool)> {
    let one = |alert: &Value| {
        let kind = alert["type"].as_str().unwrap().strip_prefix("breakglass.alert.").unwrap();
        (kind.to_owned(), alert["count"].as_i64().unwrap(), alert["page"].as_bool().unwrap())
    };
    alerts.iter().map(one).collect()
}

#[tokio::test]
async fn what_a_proxy_reports_is_listed_as_its_word() {
    let service = service().await;
    let mut news = service.app.evidence().alert_news();
    assert_eq!(*news.borrow_and_update(), 0);
    let mut full = alert("out_of_scope");
    for member in TEXTS {
        full[member] = json!(format!("{member} {HOSTILE}"));
    }
    full["audience"] = json!("prod");
    full["emergency"] = json!(true);
    full["over"] = json!(false);
    full["unverified"] = json!({ "kid": HOSTILE, "issuer": HOSTILE });
    full["of_a_newer_filter"] = json!([1]);
    let solar = alert("solar_flare");
    assert_eq!(report(&service, "envoy", &[full.clone(), solar.clone()]).await, (2, 0));
    assert_eq!(report(&service, "shop", &[solar]).await, (1, 0));

    let all = listed(&service, "").await;
    let one = |kind: &str| (kind.to_owned(), 1, true);
    let kinds = [one("out_of_scope"), one("solar_flare"), one("solar_flare")];
    assert_eq!(short(&all), kinds);
    full.as_object_mut().unwrap().remove("of_a_newer_filter");
    let data = json!({
        "reported_by": "envoy", "proxy": "envoy", "node": "n1", "process": "1".repeat(32), "class": "holders",
        "alert": full,
    });
    // Another issuer's grant is none that this service could know.
    assert_eq!(all[0]["data"], data);
    assert_eq!(all[0]["at"], "2026-11-22T02:13:00Z");
    let id = all[0]["id"].as_str().unwrap();
    assert!(id.starts_with("alert_") && id.len() == 32, "{id}");
    assert_eq!(
        (&all[1]["data"]["class"], &all[2]["data"]["class"]),
        (&json!("filter"), &json!("filter"))
    );

    let grant = format!("grant {HOSTILE}");
    let grant = breakglass_types::percent::query_value(&grant);
    for (filter, places) in [
        ("&kind=solar_flare".to_owned(), vec![1, 2]),
        ("&proxy=shop".to_owned(), vec![2]),
        ("&proxy=envoy&kind=solar_flare".to_owned(), vec![1]),
        (format!("&grant={grant}"), vec![0]),
        (format!("&grant={grant}&kind=out_of_scope&proxy=envoy"), vec![0]),
        (format!("&grant={grant}&proxy=shop"), vec![]),
        ("&kind=cut".to_owned(), vec![]),
    ] {
        let expected: Vec<Value> = places.iter().map(|place: &usize| all[*place].clone()).collect();
        assert_eq!(listed(&service, &filter).await, expected, "{filter}");
    }
    // What delivers them reads the same, and is woken.
    assert!(news.has_changed().unwrap());
    let first = service.app.evidence().alerts_after(0, 1).await.unwrap().remove(0);
    assert_eq!((first.event_type().as_str(), first.page), ("breakglass.alert.out_of_scope", true));
    assert_eq!(serde_json::to_value(&first.body).unwrap(), data);
    let rest = service.app.evidence().alerts_after(first.place, 10).await.unwrap();
    assert_eq!(rest.last().map(|alert| alert.place), Some(*news.borrow()));
    assert_eq!(rest.len(), 2);
}

#[tokio::test]
async fn only_auditors_read_them_and_each_reading_is_a_row() {
    let service = service().await;
    report(&service, "envoy", &[alert("cut")]).await;
    let path = "/v1/audit/alerts";
    assert_eq!(service.get("alice", path).await.refusal(), (403, "not_an_auditor"));
    assert_eq!(service.get("envoy", path).await.refusal(), (403, "people_only"));
    assert_eq!(
        service.post("grace", "/v1/alerts", json!({})).await.refusal(),
        (403, "proxies_only")
    );
    let answer = service.get("grace", "/v1/audit/alerts?kind=cut").await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    let rows = crate::attempts::until(&service, |rows| {
        rows.iter().any(|row| row["endpoint"] == path && row["outcome"] == "read")
    });
    let rows = rows.await;
    let read = rows.iter().find(|row| row["outcome"] == "read").unwrap();
    assert_eq!((&read["caller"], &read["query"]), (&json!("grace"), &json!("kind=cut")));
    assert!(!rows.iter().any(|row| row["endpoint"] == "/v1/alerts" && row["caller"] == "envoy"));
    let unknown = service.post("nobody", "/v1/alerts", json!({})).await;
    assert_eq!(unknown.refusal(), (401, "credential_unknown"));
    let counter = "breakglass_unknown_proxies_refused_total{endpoint=\"/v1/alerts\"}";
    assert_eq!(service.counter(counter).await, 1);
}

#[tokio::test]
async fn a_report_that_is_wrong_is_refused_with_all_that_is_wrong() {
    let service = service().await;
    let mut wrong = json!({
        "kind": "Out of scope", "first": "yesterday", "last": "2026-11-22T02:13:00", "count": 0,
        "unverified": { "kid": "k".repeat(257), "issuer": "i".repeat(257) },
    });
    for member in TEXTS {
        wrong[member] = json!("é".repeat(if member == "path" { 513 } else { 129 }));
    }
    let own = [alert("alerts_suppressed"), alert("alerts_dropped")];
    let body = json!({ "node": "\u{1b}", "process": "x", "alerts": [wrong, alert("cut"), own[0], own[1]] });
    let refused = service.post("envoy", "/v1/alerts", body).await;
    assert_eq!(refused.refusal(), (400, "invalid_request"));
    let errors = refused.body["errors"].as_array().unwrap();
    let fields: Vec<&str> = errors.iter().map(|error| error["field"].as_str().unwrap()).collect();
    let mut expected = vec!["node".to_owned(), "process".to_owned()];
    let of_first = ["kind", "first", "last", "count"].into_iter().chain(TEXTS);
    let of_first = of_first.chain(["unverified.kid", "unverified.issuer"]);
    expected.extend(of_first.map(|member| format!("alerts[0].{member}")));
    expected.extend(["alerts[2].kind", "alerts[3].kind"].map(str::to_owned));
    assert_eq!(fields, expected);
    let path = errors.iter().find(|error| error["field"] == "alerts[0].path").unwrap();
    assert_eq!(path["detail"], "expected at most 1024 bytes, got 1026");

    // What is as long as it may be, and as many, is taken.
    let mut longest = alert(&"k".repeat(64));
    for member in TEXTS {
        longest[member] = json!("\u{1}".repeat(if member == "path" { 1024 } else { 256 }));
    }
    longest.as_object_mut().unwrap().remove("audience");
    assert_eq!(report(&service, "envoy", &[longest]).await, (1, 0));
    assert_eq!(report(&service, "envoy", &vec![alert("cut"); 64]).await, (64, 0));
    let many = json!({ "alerts": vec![alert("cut"); 65] });
    let many = service.post("envoy", "/v1/alerts", many).await;
    assert_eq!(many.body["errors"][0]["detail"], "expected at most 64 alerts, got 65");
    assert_eq!(
        service.post("envoy", "/v1/alerts", json!({ "alerts": [] })).await.ok()["accepted"],
        0
    );
    for (body, refusal) in [
        (json!({}), (400, "invalid_request")),
        (json!({ "alerts": {} }), (400, "invalid_request")),
        (json!({ "alerts": [1] }), (400, "invalid_request")),
        (json!({ "alerts": [{ "kind": "cut" }] }), (400, "invalid_request")),
        (json!({ "alerts": [], "dropped": -1 }), (400, "invalid_request")),
        (json!({ "alerts": [], "of_a_newer_filter": "x".repeat(65_536) }), (413, "body_too_large")),
    ] {
        let answer = service.post("envoy", "/v1/alerts", body).await;
        assert_eq!(answer.refusal(), refusal);
    }
    let counter = "breakglass_alert_reports_refused_total{reason=\"invalid_request\"}";
    assert_eq!(service.counter(counter).await, 7);
    assert_eq!(listed(&service, "").await.len(), 2, "nothing of a report that was refused is kept");
}

#[tokio::test]
async fn what_is_of_another_audience_is_dropped_and_counted() {
    let service = service().await;
    let (_, prod) = service.approved().await;
    let staging = service.grant("carol", &["staging:read"]).await;
    let mut claims_prod = of_grant("cut", &staging);
    claims_prod["audience"] = json!("prod");
    let mut lies = of_grant("ceiling", &staging);
    lies["audience"] = json!("staging");
    lies["subject"] = json!("mallory");
    lies["incident"] = json!("INC-666");
    // Another issuer's token can have the id of one of ours.
    let mut foreign = of_grant("first_use", &prod);
    foreign["issuer"] = json!("https://other.test");
    let mut ours = of_grant("step_up_missing", &prod);
    ours["issuer"] = json!("https://approvals.test");
    let alerts = [
        of_grant("out_of_scope", &prod),
        claims_prod,
        ours,
        lies.clone(),
        of_grant("void_token", "grant_lost"),
        foreign,
        alert("feed_trouble"),
    ];
    assert_eq!(report(&service, "edge", &alerts).await, (4, 3));
    let kept = listed(&service, "").await;
    let one = |kind: &str| (kind.to_owned(), 1, true);
    assert_eq!(short(&kept), ["ceiling", "void_token", "first_use", "feed_trouble"].map(one));
    let known: Vec<Option<bool>> =
        kept.iter().map(|alert| alert["data"]["grant_known"].as_bool()).collect();
    assert_eq!(known, [Some(true), Some(false), None, None]);
    // Of a grant that is known the service says whose it is.
    let said = &kept[0]["data"]["alert"];
    assert_eq!((&said["subject"], &said["audience"]), (&json!("alice"), &json!("staging")));
    assert_eq!(said.get("incident"), None);
    for (kind, class) in
        [("out_of_scope", "holders"), ("cut", "filter"), ("step_up_missing", "holders")]
    {
        let labels = format!("class=\"{class}\",kind=\"{kind}\",outcome=\"dropped\"");
        let counter = format!("breakglass_alerts_total{{{labels}}}");
        assert_eq!(service.counter(&counter).await, 1, "{counter}");
    }
    // The same of proxies that have the audience, and of one that has all.
    assert_eq!(
        report(&service, "shop", &[of_grant("out_of_scope", &prod), lies.clone()]).await,
        (1, 1)
    );
    assert_eq!(report(&service, "envoy", &[of_grant("out_of_scope", &prod), lies]).await, (2, 0));
}

#[tokio::test]
async fn the_same_from_several_workers_within_a_minute_is_one_alert() {
    let service = service().await;
    let alerts = [
        of_grant("cut", "g"),
        of_grant("cut", "g"),
        of_grant("first_use", "g"),
        of_grant("cut", "h"),
    ];
    for _ in 0..3 {
        assert_eq!(report(&service, "envoy", &alerts).await, (4, 0));
        service.advance(10);
    }
    let rows = [("cut", 6, true), ("first_use", 3, true), ("cut", 3, true)];
    let rows = rows.map(|(kind, count, page)| (kind.to_owned(), count, page));
    let first = listed(&service, "").await;
    assert_eq!(short(&first), rows);
    assert_eq!(first[0]["seen_at"], "2026-11-22T02:13:20Z");
    // No other credential's are counted with them: a stolen one would hide what others see.
    assert_eq!(report(&service, "shop", &alerts[..1]).await, (1, 0));
    assert_eq!(short(&listed(&service, "&proxy=shop").await), [("cut".to_owned(), 1, true)]);
    // A minute after the first one it is another one; a first use is one for a day.
    service.advance(30);
    assert_eq!(report(&service, "envoy", &alerts).await, (4, 0));
    let rows: Vec<i64> =
        short(&listed(&service, "&proxy=envoy").await).iter().map(|row| row.1).collect();
    assert_eq!(rows, [6, 4, 3, 2, 1]);
    service.advance(86_400);
    assert_eq!(report(&service, "envoy", &alerts[2..3]).await, (1, 0));
    assert_eq!(listed(&service, "&kind=first_use").await.len(), 2);
    let counter = "breakglass_alerts_total{class=\"filter\",kind=\"cut\",outcome=\"suppressed\"}";
    assert_eq!(service.counter(counter).await, 1 + 3 + 3 + 1);

    // Without a grant, a begin and an end are two, and so are two nodes.
    let over = |over: bool| {
        let mut alert = alert("feed_trouble");
        alert["over"] = json!(over);
        alert
    };
    for node in ["n1", "n2"] {
        for _ in 0..2 {
            let body = json!({ "node": node, "alerts": [over(false), over(true)] });
            service.post("envoy", "/v1/alerts", body).await.ok();
        }
    }
    let rows = short(&listed(&service, "&kind=feed_trouble").await);
    assert_eq!(rows, vec![("feed_trouble".to_owned(), 2, true); 4]);
}

#[tokio::test]
async fn counts_do_not_overflow_and_what_a_proxy_dropped_is_said() {
    let service = service().await;
    let mut most = of_grant("cut", "g");
    most["count"] = json!(u64::MAX);
    for _ in 0..2 {
        report(&service, "envoy", &[most.clone(), most.clone()]).await;
    }
    for dropped in [3, 4, u64::MAX] {
        let body = json!({ "node": "n1", "dropped": dropped, "alerts": [] });
        let answer = service.post("envoy", "/v1/alerts", body).await.ok();
        assert_eq!(answer, json!({ "accepted": 0, "dropped": 0 }));
        if dropped < u64::MAX {
            // 3, and 4 more.
            let lost = service.counter("breakglass_alerts_lost_total").await;
            assert_eq!(lost, if dropped == 3 { 3 } else { 7 });
        }
    }
    let rows = listed(&service, "").await;
    let rows_of = |kind: &str| (kind.to_owned(), i64::MAX, true);
    assert_eq!(short(&rows), [rows_of("cut"), rows_of("alerts_dropped")]);
    assert_eq!(rows[1]["data"]["dropped"], 3, "what came first");
    assert_eq!(rows[1]["data"]["reported_by"], "envoy");
}

#[tokio::test]
async fn alerts_are_append_only_until_retention_removes_them() {
    use breakglass_server::clock::Moment;
    let service = service().await;
    report(&service, "envoy", &[alert("cut"), of_grant("ceiling", "g")]).await;
    service.advance(3600);
    report(&service, "envoy", &[alert("cut")]).await;
    let database = service.evidence().await;
    for sql in [
        "UPDATE alerts SET page = 0",
        "UPDATE alerts SET body = '{}'",
        "UPDATE alerts SET count = 0",
        "UPDATE alerts SET proxy = 'shop'",
        "UPDATE alerts SET seen_ms = seen_ms - 1",
        "DELETE FROM alerts",
        "INSERT OR REPLACE INTO alerts SELECT * FROM alerts",
    ] {
        let error = sqlx::query(sql).execute(&database).await.unwrap_err();
        assert!(error.to_string().contains("append-only"), "{sql}: {error}");
    }
    let used = "SELECT bytes FROM proxy_usage WHERE proxy = 'envoy'";
    let before: i64 = sqlx::query_scalar(used).fetch_one(&database).await.unwrap();
    let evidence = service.app.evidence();
    let remove = Moment::from_seconds(START + 1800);
    evidence.advance_retention(Moment::from_seconds(0), remove).await.unwrap();
    while evidence.remove().await.unwrap() {}
    let page = service.get("grace", "/v1/audit/alerts").await.ok();
    assert_eq!(page["alerts"].as_array().unwrap().len(), 1);
    assert_eq!(page["removed_before"], "2026-11-22T02:43:00Z");
    let after: i64 = sqlx::query_scalar(used).fetch_one(&database).await.unwrap();
    assert!(0 < after && after < before - 2000, "{before} {after}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_evidence_database_a_report_is_to_be_repeated() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("approvals-evidence.db")).unwrap();
    let service = Service::start_in(directory).await;
    let answer = service.post("envoy", "/v1/alerts", json!({ "alerts": [alert("cut")] })).await;
    assert_eq!(answer.refusal(), (503, "evidence_unavailable"));
    assert!(answer.headers.contains_key("retry-after"));
}

#[tokio::test]
async fn an_evidence_database_of_an_earlier_version_takes_alerts() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("approvals-evidence.db");
    before::restore(&path, before::HEADS).await;
    let text = config(&directory);
    let service = Service::start_with(directory, &text, START + 1_000_000).await;
    assert_eq!(report(&service, "envoy", &[alert("cut")]).await, (1, 0));
    assert_eq!(listed(&service, "").await.len(), 1);
}
