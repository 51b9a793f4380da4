//! Signing in over HTTP at a provider that answers what the test says.

use std::collections::BTreeMap;
use std::time::{Duration, Instant as Measured};

use breakglass_identity::{
    Callback, Groups, Provider, SignIn, SignInError, SignInRequest, SignedIn,
};
use serde_json::{Value, json};
use url::Url;

use crate::support::{FakeProvider, at};

pub(crate) const NOW: u64 = 1_795_673_720;
pub(crate) const REDIRECT: &str = "https://approvals.internal/signin/corp/callback";
pub(crate) const LEVELS: &str = "levels.mfa = { acr_values = ['mfa', 'phr'], counts = { acr = ['mfa'], amr = ['otp'] } }\n\
     levels.entra = { acrs = ['c1'], prompt = 'login', counts = { acrs = ['c1'] } }";

/// The parameters of an authorization URL.
pub(crate) fn parameters(url: &Url) -> BTreeMap<String, String> {
    url.query_pairs().into_owned().collect()
}

/// The callback with which the provider answers a sign-in.
pub(crate) fn callback(fake: &FakeProvider, sign_in: &SignIn) -> Callback {
    let query = format!("code=c-1&state={}&iss={}", sign_in.state(), fake.url);
    Callback::from_query(&query).unwrap()
}

/// Signs in: begins, lets the provider give an ID token with these claims, and finishes.
pub(crate) fn sign_in(
    fake: &FakeProvider,
    provider: &Provider,
    request: &SignInRequest<'_>,
    mut claims: Value,
) -> Result<SignedIn, SignInError> {
    let (url, sign_in) = provider.begin(request, at(NOW)).unwrap();
    if claims.get("nonce").is_none() {
        claims["nonce"] = parameters(&url)["nonce"].clone().into();
    }
    fake.answer_token(&claims, NOW + 5);
    // As it is kept: through a database and back.
    let sign_in: SignIn = serde_json::from_value(serde_json::to_value(&sign_in).unwrap()).unwrap();
    let callback = callback(fake, &sign_in);
    provider.finish(sign_in, &callback, at(NOW + 5))
}

pub(crate) fn plain() -> SignInRequest<'static> {
    SignInRequest { redirect_uri: REDIRECT, ..SignInRequest::default() }
}

fn with_level(level: &'static str, max_age: u64) -> SignInRequest<'static> {
    SignInRequest { level: Some((level, Duration::from_secs(max_age))), ..plain() }
}

#[test]
fn a_person_signs_in() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let provider = fake.provider(&folder, "");
    let signed_in = sign_in(&fake, &provider, &plain(), json!({})).unwrap();
    assert_eq!(
        (signed_in.person.subject.as_str(), signed_in.person.name.as_deref()),
        ("alice", Some("Alice"))
    );
    assert_eq!(signed_in.groups, Groups::Known(vec!["/sre".to_owned()]));
    // No level was asked for, so there is none, even if the token names one.
    assert_eq!(signed_in.factor, None);
    assert_eq!(signed_in.session.sid.as_deref(), Some("s-1"));
    // What was sent: the code with its verifier, and the secret by HTTP Basic alone.
    let request = &fake.requests("/token")[0];
    let challenge =
        parameters(&provider.begin(&plain(), at(NOW)).unwrap().0)["code_challenge"].clone();
    assert_eq!(challenge.len(), 43);
    assert_eq!(request.form["grant_type"], "authorization_code");
    assert_eq!(
        (request.form["code"].as_str(), request.form["redirect_uri"].as_str()),
        ("c-1", REDIRECT)
    );
    assert_eq!(request.form["code_verifier"].len(), 43);
    assert!(!request.form.contains_key("client_id") && !request.form.contains_key("client_secret"));
    // Base64 of `breakglass:s3cret+with+%2F+and+%C3%A9`.
    assert_eq!(
        request.headers["authorization"],
        "Basic YnJlYWtnbGFzczpzM2NyZXQrd2l0aCslMkYrYW5kKyVDMyVBOQ=="
    );
    // The documents are fetched once.
    let counts =
        ["/.well-known/openid-configuration", "/jwks"].map(|path| fake.requests(path).len());
    assert_eq!(counts, [1, 1]);
    // Nothing that is kept or logged shows a secret.
    let debug = format!("{provider:?} {signed_in:?}");
    for secret in ["rt-1", "at-1", "s3cret", "eyJ"] {
        assert!(!debug.contains(secret), "{debug}");
    }
}

#[test]
fn the_url_asks_for_a_level_together_with_its_age() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let provider = fake.provider(&folder, LEVELS);
    let url = |request: &SignInRequest<'_>| provider.begin(request, at(NOW)).unwrap().0;
    let plain_url = url(&plain());
    let sent = parameters(&plain_url);
    assert_eq!(plain_url.path(), "/authorize");
    for (name, value) in [
        ("tenant", "x"),
        ("response_type", "code"),
        ("client_id", "breakglass"),
        ("redirect_uri", REDIRECT),
        ("scope", "openid profile email"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(sent[name], value);
    }
    for name in ["max_age", "acr_values", "claims", "prompt"] {
        assert!(!sent.contains_key(name), "{name}");
    }
    let again = parameters(&url(&plain()));
    for name in ["state", "nonce", "code_challenge"] {
        assert!(sent[name].len() == 43 && sent[name] != again[name], "{name}");
    }
    let mfa = parameters(&url(&with_level("mfa", 300)));
    assert_eq!((mfa["acr_values"].as_str(), mfa["max_age"].as_str()), ("mfa phr", "300"));
    let entra = parameters(&url(&with_level("entra", 0)));
    assert_eq!((entra["prompt"].as_str(), entra["max_age"].as_str()), ("login", "0"));
    assert_eq!(entra["claims"], r#"{"id_token":{"acrs":{"essential":true,"values":["c1"]}}}"#);
    let error = provider.begin(&with_level("mfaa", 300), at(NOW)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the identity provider `corp` has no level `mfaa`; its levels are: entra, mfa"
    );
}

#[test]
fn a_level_is_judged_by_what_came_back() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let provider = fake.provider(&folder, LEVELS);
    let asked = with_level("mfa", 60);
    let reached = json!({"acr": "mfa", "amr": ["pwd", "otp"], "auth_time": NOW + 4});
    let factor = sign_in(&fake, &provider, &asked, reached.clone()).unwrap().factor.unwrap();
    assert_eq!((factor.level(), factor.amr().len(), factor.auth_time()), ("mfa", 2, at(NOW + 4)));
    for claims in [
        json!({}),
        json!({"acr": "mfa", "amr": ["pwd"], "auth_time": NOW + 4}),
        json!({"acr": "mfa", "amr": ["pwd", "otp"], "auth_time": NOW - 100}),
    ] {
        let error = sign_in(&fake, &provider, &asked, claims.clone()).unwrap_err();
        assert!(matches!(error, SignInError::Level(_)), "{claims}: {error}");
    }
    // Another person with a fresh second factor is no confirmation by this one.
    let mine = SignInRequest { person: Some("alice"), ..asked };
    assert!(sign_in(&fake, &provider, &mine, reached.clone()).is_ok());
    let mallory = json!({"sub": "mallory", "acr": "mfa", "amr": ["otp"], "auth_time": NOW + 4});
    assert_eq!(sign_in(&fake, &provider, &mine, mallory).unwrap_err(), SignInError::OtherPerson);
}

#[test]
fn an_answer_that_is_not_to_this_sign_in_is_refused() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let provider = fake.provider(&folder, "");
    let begun = || provider.begin(&plain(), at(NOW)).unwrap().1;
    let finish = |sign_in: SignIn, query: &str, now: u64| {
        let callback = Callback::from_query(query).unwrap();
        provider.finish(sign_in, &callback, at(now)).unwrap_err().to_string()
    };
    let (one, other) = (begun(), begun());
    let state = other.state().to_owned();
    let iss = &fake.url;
    let error = finish(one, &format!("code=c&state={state}&iss={iss}"), NOW);
    assert!(error.contains("`state`: expected that of this sign-in"), "{error}");
    let error = finish(other.clone(), &format!("code=c&state={state}"), NOW);
    assert!(error.contains("the callback has no `iss`"), "{error}");
    let error =
        finish(other.clone(), &format!("code=c&state={state}&iss=https://evil.example"), NOW);
    assert!(error.contains("`iss` of the callback: expected"), "{error}");
    let error = finish(other.clone(), &format!("state={state}&iss={iss}"), NOW);
    assert!(error.contains("neither `code` nor `error`"), "{error}");
    for late in [NOW + 600, NOW - 1] {
        let error = finish(other.clone(), &format!("code=c&state={state}&iss={iss}"), late);
        assert!(
            error.contains("no answer from the identity provider's pages within 10m"),
            "{error}"
        );
    }
    // Nothing of that was sent anywhere.
    assert!(fake.requests("/token").is_empty());
    // Mixed-up providers: begun at one, and brought to the callback of the other.
    let mut entry = fake.entry("");
    entry.name = "other".to_owned();
    let mixed_up = Provider::new(entry, crate::support::random());
    let callback = callback(&fake, &other);
    let error = mixed_up.finish(other.clone(), &callback, at(NOW)).unwrap_err().to_string();
    assert!(
        error.contains("came to the callback of `other`, and the sign-in was begun at `corp`"),
        "{error}"
    );
    // What a provider sends in another sign-in, or what another one sent.
    for (claims, said) in [
        (json!({"nonce": "of-another"}), "`nonce`: expected"),
        (json!({"iss": "https://evil.example"}), "`iss`: expected"),
        (json!({"aud": "another-client"}), "`aud`: expected"),
        (json!({"exp": NOW - 100, "iat": NOW - 200}), "`exp`: expected"),
    ] {
        let error = sign_in(&fake, &provider, &plain(), claims).unwrap_err().to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
}

#[test]
fn refusals_are_said_in_plain_words() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let provider = fake.provider(&folder, "");
    let finish = |query: &str| {
        let (_, sign_in) = provider.begin(&plain(), at(NOW)).unwrap();
        let query = format!("{query}&state={}&iss={}", sign_in.state(), fake.url);
        provider.finish(sign_in, &Callback::from_query(&query).unwrap(), at(NOW)).unwrap_err()
    };
    for (error, said) in [
        ("access_denied", "the person, or a policy there, declined the sign-in"),
        ("authorization_declined", "declined the sign-in"),
        ("login_required", "not signed in there: sign in again"),
        ("unmet_authentication_requirements", "could not meet the level that was asked for"),
        ("something_new", "only its own log can explain"),
    ] {
        let told = finish(&format!("error={error}")).to_string();
        assert!(told.contains(error) && told.contains(said), "{told}");
    }
    // Its own words are shown, and do nothing.
    let told = finish("error=access_denied&error_description=no%1b%5b2J%e2%80%ae+way").to_string();
    assert!(told.ends_with("it says: \"no\u{fffd}[2J\u{fffd} way\""), "{told:?}");
    // A replayed code.
    fake.answer_json(
        "/token",
        400,
        &json!({"error": "invalid_grant", "error_description": "Code not valid"}),
    );
    let (_, sign_in) = provider.begin(&plain(), at(NOW)).unwrap();
    let callback = callback(&fake, &sign_in);
    let error = provider.finish(sign_in, &callback, at(NOW)).unwrap_err();
    assert!(error.to_string().contains("not valid any more"), "{error}");
    assert!(error.ends_session());
}

#[test]
fn an_answer_that_cannot_be_right_is_refused() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let provider = fake.provider(&folder, "");
    let tokens = |more: Value| {
        let mut body = json!({"access_token": "a", "token_type": "Bearer", "id_token": "a.b.c"});
        for (name, value) in more.as_object().unwrap() {
            body[name] = value.clone();
        }
        (200, "application/json", body.to_string())
    };
    for (answer, said) in [
        (tokens(json!({})), "expected a signed JWT"),
        (tokens(json!({"id_token": null})), "`id_token`: expected a text"),
        (tokens(json!({"access_token": "a\nb"})), "`access_token`: expected"),
        (tokens(json!({"token_type": "mac"})), "`token_type`: expected `Bearer`"),
        (tokens(json!({"error": "server_error"})), "a fault of its own"),
        (tokens(json!({"id_token": "x".repeat(600_000)})), "expected at most 524288 bytes"),
        ((200, "text/html", "<html>".to_owned()), "token endpoint:"),
        ((200, "application/json", "[]".to_owned()), "token endpoint:"),
        (
            (200, "application/json", r#"{"access_token":"a","access_token":"b"}"#.to_owned()),
            "twice",
        ),
        ((502, "text/html", "<html>".to_owned()), "expected a status 200, got 502"),
        ((302, "text/html", format!("{}/elsewhere", fake.url)), "expected a status 200, got 302"),
    ] {
        fake.answer("/token", answer);
        let (_, sign_in) = provider.begin(&plain(), at(NOW)).unwrap();
        let callback = callback(&fake, &sign_in);
        let error = provider.finish(sign_in, &callback, at(NOW)).unwrap_err();
        assert!(error.to_string().contains(said), "{said}: {error}");
        assert!(!error.ends_session());
    }
    // The code and the secret went to the place that was named, and to no other.
    assert!(fake.requests("/elsewhere").is_empty());
}

#[test]
fn userinfo_is_asked_where_it_is_needed_and_counts_for_the_same_person() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let from_userinfo = fake.provider(&folder, "groups_from = 'userinfo'");
    let sign_in = |provider: &Provider, claims: Value| sign_in(&fake, provider, &plain(), claims);
    fake.answer_json("/userinfo", 200, &json!({"sub": "alice", "groups": ["/a"], "email": "a@x"}));
    let signed_in = sign_in(&from_userinfo, json!({})).unwrap();
    assert_eq!(signed_in.groups, Groups::Known(vec!["/a".to_owned()]));
    assert_eq!(signed_in.person.mail.as_deref(), Some("a@x"));
    assert_eq!(fake.requests("/userinfo")[0].headers["authorization"], "Bearer at-1");
    for (answer, said) in [
        (
            (200, "application/json", r#"{"sub":"mallory","groups":["/b"]}"#.to_owned()),
            "another person's",
        ),
        ((200, "application/jwt", "a.b.c".to_owned()), "got a signed answer"),
        ((401, "text/plain", String::new()), "invalid_token"),
        ((500, "text/plain", String::new()), "got 500"),
        ((200, "application/json", "x".repeat(300_000)), "expected at most 262144 bytes"),
    ] {
        fake.answer("/userinfo", answer);
        let error = sign_in(&from_userinfo, json!({})).unwrap_err().to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
    // Where it is for showing alone, that it fails is no failure; and that it speaks of another person is one.
    let for_showing = fake.provider(&folder, "");
    let asked = fake.requests("/userinfo").len();
    assert!(sign_in(&for_showing, json!({})).is_ok());
    assert_eq!(fake.requests("/userinfo").len(), asked);
    assert_eq!(sign_in(&for_showing, json!({"name": 7, "sub": "x"})).unwrap().person.name, None);
}

#[test]
fn every_wait_has_an_end() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let provider = fake.provider(&folder, "timeout = '300ms'");
    let (_, sign_in) = provider.begin(&plain(), at(NOW)).unwrap();
    let callback = callback(&fake, &sign_in);
    fake.fall_silent();
    #[expect(clippy::disallowed_methods, reason = "a measurement of how long the call took")]
    let began = Measured::now();
    let error = provider.finish(sign_in, &callback, at(NOW)).unwrap_err();
    assert!(began.elapsed() < Duration::from_secs(5));
    let at_token = format!(
        "no answer from the identity provider at {}/token: none came within 300ms",
        fake.url
    );
    assert_eq!(error.to_string(), at_token);
    assert!(!error.ends_session());
    // No server listens there.
    let mut entry = fake.entry("");
    entry.issuer = "http://127.0.0.1:1".to_owned();
    let gone = Provider::new(entry, crate::support::random());
    let error = gone.begin(&plain(), at(NOW)).unwrap_err().to_string();
    assert!(
        error.starts_with("no answer from the identity provider at http://127.0.0.1:1/.well-known"),
        "{error}"
    );
}
