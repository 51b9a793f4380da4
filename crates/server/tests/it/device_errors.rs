//! What is wrong at the page of device codes, or with a device's questions: other sites, other browsers, guesses, floods.

use axum::body::Body;
use axum::http::Request;
use breakglass_testing::provider::TestProvider;
use breakglass_testing::sessions::CLIENT;
use futures_util::future::join;
use serde_json::json;

use crate::device_routes::{
    BROWSER, Client, DEVICE, GRANT_TYPE, claims, codes, form, poll, sign_in, with, word,
};
use crate::session_routes::text;

#[tokio::test]
async fn the_page_is_sent_by_the_browser_that_opened_it_alone() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)], "").await;
    let codes = codes(&service, &[]).await;
    let code = text(&codes, "user_code");
    let mut browser = Client::new(&service, BROWSER);
    let page = browser.get("/device").await;
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
    assert!(policy.contains("form-action 'self'") && policy.contains("frame-ancestors 'none'"));
    let cookie = page.headers["set-cookie"].to_str().unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
    // The page of another browser, none at all, and one that was changed.
    let mut attacker = Client::new(&service, "203.0.113.1");
    let theirs = form(&attacker.get("/device").await);
    let mut changed = form(&page);
    let last = changed.pop().unwrap();
    changed.push(if last == 'A' { 'B' } else { 'A' });
    for wrong in [theirs.as_str(), "", "x", &changed] {
        let answer = browser.post("/device", &[("form", wrong), ("code", &code)]).await;
        assert_eq!(answer.status, 400, "{wrong}");
        assert!(!answer.body.as_str().unwrap().contains(DEVICE), "{answer:?}");
    }
    let no_cookie = Client::new(&service, BROWSER).post("/device", &[("form", &form(&page))]).await;
    assert_eq!(no_cookie.status, 400);
    // A form to type a code in does not confirm one, whatever comes with it.
    let skips = [("form", form(&page)), ("code", "".to_owned()), ("provider", "corp".to_owned())];
    let skips: Vec<(&str, &str)> =
        skips.iter().map(|(name, value)| (*name, value.as_str())).collect();
    assert_eq!(browser.post("/device", &skips).await.status, 400);
    // Nor does a link type it.
    let linked = browser.get(&format!("/device?user_code={code}")).await;
    assert!(!linked.body.as_str().unwrap().contains(&code), "{linked:?}");
    service.advance(600);
    let late = browser.post("/device", &[("form", &form(&page)), ("code", &code)]).await;
    assert_eq!(late.status, 400);
}

#[tokio::test]
async fn of_two_browsers_the_first_decides() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)], "").await;
    let codes = codes(&service, &[]).await;
    let code = text(&codes, "user_code");
    let mut browsers = (Client::new(&service, BROWSER), Client::new(&service, "203.0.113.1"));
    let pages = (browsers.0.type_code(&code).await, browsers.1.type_code(&code).await);
    let forms = (form(&pages.0), form(&pages.1));
    let fields = (
        [("form", forms.0.as_str()), ("provider", "corp")],
        [("form", forms.1.as_str()), ("provider", "corp")],
    );
    let answers =
        join(browsers.0.post("/device", &fields.0), browsers.1.post("/device", &fields.1)).await;
    let mut statuses = [answers.0.status.as_u16(), answers.1.status.as_u16()];
    let first_is_in = statuses[0] == 200;
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    // The other one cannot say no either.
    let loser = if first_is_in { (&mut browsers.1, &forms.1) } else { (&mut browsers.0, &forms.0) };
    let no = loser.0.post("/device", &[("form", loser.1), ("answer", "no")]).await;
    assert_eq!(no.status, 409);
    assert_eq!(loser.0.type_code(&code).await.status, 400);
    // The first one can begin again, and says no.
    let winner = if first_is_in { &mut browsers.0 } else { &mut browsers.1 };
    let again = winner.type_code(&code).await;
    let no = winner.post("/device", &[("form", &form(&again)), ("answer", "no")]).await;
    assert_eq!(no.status, 200, "{no:?}");
    assert_eq!(word(&poll(&service, &codes).await), "access_denied");
    let late = winner.post("/device", &[("form", &form(&again)), ("provider", "corp")]).await;
    assert_eq!(late.status, 409);
}

#[tokio::test]
async fn a_sign_in_counts_for_the_code_that_its_browser_confirmed_and_in_time() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)], "").await;
    let codes_1 = codes(&service, &[]).await;
    let mut browser = Client::new(&service, BROWSER);
    let url = browser.go_on(&text(&codes_1, "user_code"), "corp").await;
    let back = provider.sign_in(&url, claims("al-1", &["oncall"]));
    // An attacker's browser brings what the provider sent the person back with.
    let stolen = Client::new(&service, "203.0.113.1").get(&back).await;
    assert_eq!((stolen.status.as_u16(), provider.exchanges()), (400, 0));
    service.advance(300);
    let late = browser.get(&back).await;
    assert_eq!(late.status, 400, "{late:?}");
    assert_eq!(word(&poll(&service, &codes_1).await), "expired_token");
    // The device has as long as the code counts, too.
    let codes_2 = codes(&service, &[]).await;
    sign_in(&service, &codes_2, ("corp", &provider), claims_at("al-1", 300)).await;
    service.advance(300);
    assert_eq!(word(&poll(&service, &codes_2).await), "expired_token");
    // Who declines at the provider has said no; a provider that is silent is asked again in the same browser.
    let codes_3 = codes(&service, &[]).await;
    let mut browser = Client::new(&service, BROWSER);
    let mut url = browser.go_on(&text(&codes_3, "user_code"), "corp").await;
    for fault in ["temporarily_unavailable", "invalid_client"] {
        let page = browser.get(&provider.decline(&url, fault)).await;
        assert_eq!(page.status, 503, "{fault}: {page:?}");
        assert_eq!(word(&poll(&service, &codes_3).await), "authorization_pending");
        service.advance(5);
        url = browser.go_on(&text(&codes_3, "user_code"), "corp").await;
    }
    let page = browser.get(&provider.decline(&url, "login_required")).await;
    assert_eq!(page.status, 403, "{page:?}");
    let answer = poll(&service, &codes_3).await;
    // RFC 8628 has one word for it; which it was at the provider stands beside it.
    assert_eq!(word(&answer), "access_denied");
    let description = text(&answer.body, "error_description");
    assert!(description.contains("login_required (the person is not signed in"), "{description}");
}

fn claims_at(subject: &str, seconds: i64) -> serde_json::Value {
    let mut claims = claims(subject, &["oncall"]);
    for time in ["iat", "exp"] {
        claims[time] = json!(claims[time].as_i64().unwrap() + seconds);
    }
    claims
}

#[tokio::test]
async fn guesses_are_limited_for_an_address_and_in_all() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)], "").await;
    let codes = codes(&service, &[]).await;
    let mut attacker = Client::new(&service, "203.0.113.1");
    let page = form(&attacker.get("/device").await);
    let long = "W".repeat(1 << 20);
    for guess in ["BBBB-BBBB", "", "AAAA-AAAA", "<script>", "\u{202e}WDJB", "WDJB-MJHTW"] {
        let answer = attacker.post("/device", &[("form", &page), ("code", guess)]).await;
        assert_eq!(answer.status, 400, "{guess}");
        assert!(!answer.body.as_str().unwrap().contains("<script"), "{answer:?}");
    }
    assert_eq!(attacker.post("/device", &[("form", &page), ("code", &long)]).await.status, 400);
    for _ in 0..24 {
        let answer = attacker.post("/device", &[("form", &page), ("code", "BBBB-BBBB")]).await;
        assert_eq!(answer.status, 400);
    }
    let code = text(&codes, "user_code");
    let answer = attacker.post("/device", &[("form", &page), ("code", &code)]).await;
    assert_eq!(answer.status, 429, "the right one too");
    assert!(answer.headers.contains_key("retry-after"));
    // From many addresses.
    for number in 0..9 {
        let mut other = Client::new(&service, &format!("203.0.113.{}", number + 2));
        let page = form(&other.get("/device").await);
        for _ in 0..30 {
            other.post("/device", &[("form", &page), ("code", "BBBB-BBBB")]).await;
        }
    }
    let mut person = Client::new(&service, BROWSER);
    assert_eq!(person.type_code(&code).await.status, 429);
    service.advance(60);
    assert_eq!(person.type_code(&code).await.status, 200);
    let rows: i64 = sqlx::query_scalar("SELECT count(*) FROM events")
        .fetch_one(&service.database().await)
        .await
        .unwrap();
    assert_eq!((rows, provider.exchanges()), (0, 0), "strangers leave no event");
}

#[tokio::test]
async fn a_device_is_told_what_is_wrong_as_the_rfc_has_it() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)], "").await;
    let mut device = Client::new(&service, DEVICE);
    for (more, error, what) in [
        (vec![], "invalid_client", "client_id"),
        (vec![("client_id", "other")], "invalid_client", "client_id"),
        (vec![("client_id", CLIENT), ("client_id", CLIENT)], "invalid_request", "once"),
        (vec![("client_id", CLIENT), ("provider", "other")], "invalid_request", "corp"),
        (
            vec![("client_id", CLIENT), ("provider", "corp"), ("level", "gold")],
            "invalid_request",
            "mfa",
        ),
        (vec![("client_id", CLIENT), ("level", "gold")], "invalid_request", "level"),
        (vec![("client_id", CLIENT), ("max_age", "5")], "invalid_request", "max_age"),
        (
            vec![("client_id", CLIENT), ("level", "mfa"), ("max_age", "x")],
            "invalid_request",
            "max_age",
        ),
        (vec![("client_id", CLIENT), ("account", "alice")], "invalid_request", "account"),
        (vec![("client_id", CLIENT), ("account", "other:alice")], "invalid_request", "account"),
    ] {
        let answer = device.post("/oauth2/device_authorization", &more).await;
        assert_eq!(word(&answer), error, "{more:?}");
        let description = text(&answer.body, "error_description");
        assert!(description.contains(what), "{more:?}: {description}");
    }
    let long = "x".repeat(1 << 20);
    for (code, error) in
        [("", "expired_token"), ("breakglass_dc_x", "expired_token"), (&long, "invalid_request")]
    {
        let form = [("grant_type", GRANT_TYPE), ("client_id", CLIENT), ("device_code", code)];
        assert_eq!(word(&device.post("/oauth2/token", &form).await), error);
    }
    let form = [("grant_type", GRANT_TYPE), ("client_id", CLIENT)];
    assert_eq!(word(&device.post("/oauth2/token", &form).await), "invalid_request");
    let json =
        Request::post("/oauth2/device_authorization").header("content-type", "application/json");
    let answer = service.send(json.body(Body::from("{}")).unwrap()).await;
    assert_eq!(word(&answer), "invalid_request");
}

#[tokio::test]
async fn one_address_does_not_take_all_places() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)], "").await;
    for _ in 0..256 {
        codes(&service, &[]).await;
    }
    let form = [("client_id", CLIENT)];
    let answer = Client::new(&service, DEVICE).post("/oauth2/device_authorization", &form).await;
    assert_eq!(
        (answer.status.as_u16(), answer.headers["retry-after"].as_bytes()),
        (429, &b"60"[..])
    );
    let other = Client::new(&service, BROWSER).post("/oauth2/device_authorization", &form).await;
    assert_eq!(other.status, 200);
    service.advance(300);
    codes(&service, &[]).await;
}
