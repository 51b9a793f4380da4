//! Signing in over HTTP, with a provider that signs: from the client's browser to its session and its end.

use axum::body::Body;
use axum::http::Request;
use breakglass_testing::provider::TestProvider;
use breakglass_testing::service::{Answer, START, Service, config};
use breakglass_testing::sessions::{CHALLENGE, CLIENT, REDIRECT, VERIFIER};
use serde_json::{Value, json};
use url::Url;

const STATE: &str = "client-state";

const MFA: &str =
    "[identity_providers.levels.mfa]\nacr_values = [\"mfa\"]\ncounts.amr = [\"otp\"]\n";

/// The service with these providers, of which the people of the first may approve.
pub(crate) async fn with(providers: &[(&str, &TestProvider)]) -> Service {
    with_seed(providers, START).await
}

/// The same at another time, which is also the seed of its random numbers.
async fn with_seed(providers: &[(&str, &TestProvider)], now: i64) -> Service {
    let directory = tempfile::tempdir().unwrap();
    let secret = directory.path().join("secret");
    std::fs::write(&secret, TestProvider::secret()).unwrap();
    let mut text = format!("administrators = [\"admins\"]\n{}", config(&directory));
    for (index, (name, provider)) in providers.iter().enumerate() {
        let is_first = index == 0;
        let more = format!("may_approve = {is_first}\nqualify_groups = {}\n{MFA}", !is_first);
        text += &provider.entry(name, &secret.display().to_string(), &more);
    }
    Service::start_with(directory, &text, now).await
}

/// What the client asks, with these parameters in the place of others.
pub(crate) fn authorize(changes: &[(&str, Option<&str>)]) -> String {
    let mut pairs = vec![
        ("response_type", "code"),
        ("client_id", CLIENT),
        ("redirect_uri", REDIRECT),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("state", STATE),
    ];
    for (name, value) in changes {
        pairs.retain(|(other, _)| other != name);
        pairs.extend(value.map(|value| (*name, value)));
    }
    let mut query = url::form_urlencoded::Serializer::new(String::new());
    format!("/oauth2/authorize?{}", query.extend_pairs(pairs).finish())
}

pub(crate) async fn get(service: &Service, path: &str, cookie: Option<&str>) -> Answer {
    let mut request = Request::get(path);
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    service.send(request.body(Body::empty()).unwrap()).await
}

/// Where the browser is sent.
pub(crate) fn location(answer: &Answer) -> &str {
    assert_eq!(answer.status, 302, "{answer:?}");
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer.headers["location"].to_str().unwrap()
}

fn cookie(answer: &Answer) -> String {
    let cookie = answer.headers["set-cookie"].to_str().unwrap();
    cookie.split(';').next().unwrap().to_owned()
}

/// The answer to the client: code or error with its description.
pub(crate) fn answered(answer: &Answer) -> Result<String, (String, String)> {
    let url = Url::parse(location(answer)).unwrap();
    assert!(url.as_str().starts_with(REDIRECT), "{url}");
    let query: std::collections::BTreeMap<String, String> =
        url.query_pairs().into_owned().collect();
    assert_eq!(query["iss"], "https://approvals.test");
    assert_eq!(query.get("state").map(String::as_str), Some(STATE));
    match query.get("code") {
        Some(code) => Ok(code.clone()),
        None => Err((query["error"].clone(), query["error_description"].clone())),
    }
}

pub(crate) fn claims(subject: &str, groups: &[&str]) -> Value {
    json!({ "sub": subject, "name": "A. Person", "groups": groups, "iat": START, "exp": START + 300 })
}

/// Signs a person in at the only provider, and returns the client's answer.
pub(crate) async fn sign_in(service: &Service, provider: &TestProvider, claims: Value) -> Answer {
    let begun = get(service, &authorize(&[]), None).await;
    let back = provider.sign_in(location(&begun), claims);
    get(service, &back, Some(&cookie(&begun))).await
}

pub(crate) async fn token(service: &Service, form: &[(&str, &str)]) -> Answer {
    let mut body = url::form_urlencoded::Serializer::new(String::new());
    let request =
        Request::post("/oauth2/token").header("content-type", "application/x-www-form-urlencoded");
    let body = body.extend_pairs(form).finish();
    let answer = service.send(request.body(Body::from(body)).unwrap()).await;
    assert_eq!(answer.headers["cache-control"], "no-store");
    answer
}

pub(crate) async fn exchange(service: &Service, code: &str) -> Answer {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", CLIENT),
        ("code", code),
        ("redirect_uri", REDIRECT),
        ("code_verifier", VERIFIER),
    ];
    token(service, &form).await
}

pub(crate) async fn refresh(service: &Service, token_text: &str) -> Answer {
    token(
        service,
        &[("grant_type", "refresh_token"), ("client_id", CLIENT), ("refresh_token", token_text)],
    )
    .await
}

pub(crate) fn text(tokens: &Value, member: &str) -> String {
    tokens[member].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_person_signs_in_asks_and_signs_out() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)]).await;
    let answer = sign_in(&service, &provider, claims("al-1", &["oncall", "admins"])).await;
    let cleared = answer.headers["set-cookie"].to_str().unwrap();
    assert!(cleared.starts_with("__Host-breakglass_signin=; Path=/; Max-Age=0"), "{cleared}");
    let tokens = exchange(&service, &answered(&answer).unwrap()).await.ok();
    assert_eq!((&tokens["account"], &tokens["expires_in"]), (&json!("corp:al-1"), &json!(600)));
    let access = text(&tokens, "access_token");
    let body = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" });
    assert_eq!(service.post(&access, "/v1/requests", body).await.ok()["requester"], "corp:al-1");

    let listed = service.get(&access, "/v1/sessions").await.ok();
    let session = &listed["sessions"][0];
    assert_eq!(
        (&session["state"], &session["current"]),
        (&json!("live"), &json!(true)),
        "{listed}"
    );
    // Of a person without a session there is none to see, and only administrators see those of others.
    assert_eq!(service.get("erin", "/v1/sessions").await.ok()["sessions"], json!([]));
    assert_eq!(
        service.get("erin", "/v1/sessions?all=true").await.refusal(),
        (403, "not_an_administrator")
    );
    assert_eq!(service.get(&access, "/v1/sessions?all=true").await.ok(), listed);

    let next = refresh(&service, &text(&tokens, "refresh_token")).await.ok();
    let path = format!("/v1/sessions/{}/end", text(session, "id"));
    assert_eq!(
        service.post("erin", &path, json!({})).await.refusal(),
        (403, "not_an_administrator")
    );
    let unknown = service.post("erin", "/v1/sessions/ses_x/end", json!({})).await;
    assert_eq!(unknown.refusal(), (404, "session_unknown"));
    let ended = service.post(&access, &path, json!({})).await.ok();
    assert_eq!((&ended["state"], &ended["end_reason"]), (&json!("ended"), &json!("signed_out")));
    let refused = service.get(&text(&next, "access_token"), "/v1/scopes").await;
    assert_eq!(refused.refusal(), (401, "session_ended"));
    let refused = refresh(&service, &text(&next, "refresh_token")).await;
    assert_eq!((refused.status.as_u16(), &refused.body["error"]), (400, &json!("invalid_grant")));
}

#[tokio::test]
async fn a_session_ends_with_its_token() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)]).await;
    for kind in ["access_token", "refresh_token"] {
        let answer = sign_in(&service, &provider, claims("al-1", &[])).await;
        let tokens = exchange(&service, &answered(&answer).unwrap()).await.ok();
        let access = text(&tokens, "access_token");
        let form = format!("token={}", text(&tokens, kind));
        service.form(&access, "/oauth2/revoke", &form).await.ok();
        assert_eq!(service.get(&access, "/v1/scopes").await.refusal(), (401, "session_ended"));
        // One that is not known is as good as revoked.
        service.form("erin", "/oauth2/revoke", &form).await.ok();
    }
}

#[tokio::test]
async fn what_the_provider_declines_and_its_silence_are_told_in_words() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)]).await;
    let begun = get(&service, &authorize(&[]), None).await;
    let back = provider.decline(location(&begun), "access_denied");
    let answer = get(&service, &back, Some(&cookie(&begun))).await;
    let (error, description) = answered(&answer).unwrap_err();
    assert_eq!(error, "access_denied");
    assert!(description.contains("declined"), "{description}");

    let begun = get(&service, &authorize(&[]), None).await;
    let back = provider.sign_in(location(&begun), claims("al-1", &[]));
    provider.fall_silent();
    let answer = get(&service, &back, Some(&cookie(&begun))).await;
    let (error, description) = answered(&answer).unwrap_err();
    assert_eq!(error, "temporarily_unavailable");
    assert!(description.contains("no answer"), "{description}");
    let silent = with(&[("corp", &provider)]).await;
    let (error, _) = answered(&get(&silent, &authorize(&[]), None).await).unwrap_err();
    assert_eq!(error, "temporarily_unavailable");
}

#[tokio::test]
async fn a_callback_counts_in_the_browser_that_began_it_alone() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)]).await;
    let other = with_seed(&[("corp", &provider)], START + 1).await;
    let begun = get(&service, &authorize(&[]), None).await;
    let (mine, back) = (cookie(&begun), provider.sign_in(location(&begun), claims("al-1", &[])));
    let another = cookie(&get(&service, &authorize(&[]), None).await);
    let elsewhere = cookie(&get(&other, &authorize(&[]), None).await);
    let mut changed = mine.clone();
    let last = changed.pop().unwrap();
    changed.push(if last == 'A' { 'B' } else { 'A' });
    let state = back.replace("state=", "state=x");
    for (path, cookie) in [
        (&back, None),
        (&back, Some(another.as_str())),
        (&back, Some(elsewhere.as_str())),
        (&back, Some(changed.as_str())),
        (&state, Some(mine.as_str())),
    ] {
        let answer = get(&service, path, cookie).await;
        assert_eq!(answer.status, 400, "{path} {cookie:?}: {answer:?}");
    }
    assert_eq!(provider.exchanges(), 0, "the provider's code goes nowhere");
    answered(&get(&service, &back, Some(&mine)).await).unwrap();
    // The provider's code is good for one answer.
    answered(&get(&service, &back, Some(&mine)).await).unwrap_err();
    // Ten minutes are the limit.
    let begun = get(&service, &authorize(&[]), None).await;
    let back = provider.sign_in(location(&begun), claims("al-1", &[]));
    service.advance(600);
    answered(&get(&service, &back, Some(&cookie(&begun))).await).unwrap_err();
    let accounts: i64 = sqlx::query_scalar("SELECT count(*) FROM accounts")
        .fetch_one(&service.database().await)
        .await
        .unwrap();
    assert_eq!(accounts, 1, "what was refused left no row");
}

#[tokio::test]
async fn where_there_are_several_providers_a_page_lets_the_person_choose_and_none_is_mixed_up() {
    let (corp, partner) = (TestProvider::start(), TestProvider::start());
    let service = with(&[("corp", &corp), ("partner", &partner)]).await;
    let page = get(&service, &authorize(&[]), None).await;
    let text = page.body.as_str().unwrap();
    assert_eq!(text.matches("<a href=").count(), 2, "{text}");
    assert!(!text.contains("<script") && text.contains("&amp;provider=partner"), "{text}");
    let at = |name: &'static str| authorize(&[("provider", Some(name))]);
    let begun = get(&service, &at("partner"), None).await;
    let back = partner.sign_in(location(&begun), claims("al-1", &[]));
    let mixed_up = back.replace("/signin/partner/", "/signin/corp/");
    let refused = get(&service, &mixed_up, Some(&cookie(&begun))).await;
    assert_eq!(refused.status, 400, "{refused:?}");
    // The answer of another issuer, at the right path.
    let other_issuer = back.replace(&partner.issuer, &corp.issuer);
    let refused = get(&service, &other_issuer, Some(&cookie(&begun))).await;
    answered(&refused).unwrap_err();
    assert_eq!((corp.exchanges(), partner.exchanges()), (0, 0));
    let answer = get(&service, &back, Some(&cookie(&begun))).await;
    let tokens = exchange(&service, &answered(&answer).unwrap()).await.ok();
    assert_eq!(tokens["account"], "partner:al-1");
}

#[tokio::test]
async fn a_level_is_asked_for_and_its_answer_is_kept() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)]).await;
    let asked = authorize(&[
        ("level", Some("mfa")),
        ("max_age", Some("60")),
        ("login_hint", Some("al@corp.test")),
    ]);
    for (amr, reached) in [("pwd", false), ("otp", true)] {
        let begun = get(&service, &asked, None).await;
        let (_, query) = provider.asked(location(&begun));
        assert_eq!((query["acr_values"].as_str(), query["max_age"].as_str()), ("mfa", "60"));
        assert_eq!(query["login_hint"], "al@corp.test");
        let mut said = claims("al-1", &[]);
        said["amr"] = json!([amr]);
        said["auth_time"] = json!(START);
        let back = provider.sign_in(location(&begun), said);
        let answer = answered(&get(&service, &back, Some(&cookie(&begun))).await);
        match answer {
            Ok(code) => {
                assert!(reached);
                let access = text(&exchange(&service, &code).await.ok(), "access_token");
                let listed = service.get(&access, "/v1/sessions").await.ok();
                assert_eq!(listed["sessions"][0]["level"], "mfa");
            }
            Err((error, description)) => {
                assert!(!reached, "{description}");
                assert_eq!(error, "unmet_authentication_requirements");
            }
        }
    }
}

#[tokio::test]
async fn a_person_who_signs_in_again_comes_back_as_the_same_account() {
    let (corp, partner) = (TestProvider::start(), TestProvider::start());
    let service = with(&[("corp", &corp), ("partner", &partner)]).await;
    // The account says the provider too; a subject may have any characters.
    let asked = authorize(&[("account", Some("partner:a:1")), ("level", Some("mfa"))]);
    for (subject, is_same) in [("a:2", false), ("1", false), ("a:1", true)] {
        let begun = get(&service, &asked, None).await;
        let (_, query) = partner.asked(location(&begun));
        assert_eq!((query["acr_values"].as_str(), query["max_age"].as_str()), ("mfa", "300"));
        let mut said = claims(subject, &[]);
        said["amr"] = json!(["otp"]);
        said["auth_time"] = json!(START);
        let back = partner.sign_in(location(&begun), said);
        let answer = answered(&get(&service, &back, Some(&cookie(&begun))).await);
        match answer {
            Ok(code) => {
                assert!(is_same, "{subject}");
                assert_eq!(exchange(&service, &code).await.ok()["account"], "partner:a:1");
            }
            Err((error, description)) => {
                assert!(!is_same, "{subject}: {description}");
                assert_eq!(error, "access_denied");
                assert!(description.contains("another person signed in"), "{description}");
            }
        }
    }
    let accounts: Vec<String> = sqlx::query_scalar("SELECT name FROM accounts")
        .fetch_all(&service.database().await)
        .await
        .unwrap();
    assert_eq!(accounts, ["partner:a:1"], "of the others nothing is kept");
    for (account, provider) in
        [("a", None), ("corp:", None), (":a", None), ("corp:a", Some("partner")), ("none:a", None)]
    {
        let wrong = authorize(&[("account", Some(account)), ("provider", provider)]);
        let (error, description) = answered(&get(&service, &wrong, None).await).unwrap_err();
        assert_eq!(error, "invalid_request", "{account}: {description}");
    }
    let long = format!("corp:{}", "x".repeat(600));
    answered(&get(&service, &authorize(&[("account", Some(&long))]), None).await).unwrap_err();
}

#[tokio::test]
async fn who_is_not_let_in_is_told_and_noted() {
    let provider = TestProvider::start();
    let service = with(&[("corp", &provider)]).await;
    let answer = sign_in(&service, &provider, claims(&"x".repeat(255), &[])).await;
    let (error, description) = answered(&answer).unwrap_err();
    assert_eq!(error, "access_denied");
    assert!(description.contains("at most 256 bytes"), "{description}");
    let attempts = crate::attempts::until(&service, |attempts| !attempts.is_empty()).await;
    assert_eq!(attempts[0]["reason"], "sign_in_refused", "{attempts:?}");
}
