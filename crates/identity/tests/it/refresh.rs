//! Refreshing and ending a session at a provider.

use breakglass_identity::{Groups, ProviderSession, SignInError};
use serde_json::{Value, json};

use crate::sign_in::{NOW, parameters, plain, sign_in};
use crate::support::{FakeProvider, at};

#[test]
fn a_refresh_says_who_and_which_groups_and_nothing_of_a_factor() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let provider = fake.provider(&folder, "");
    let session = sign_in(&fake, &provider, &plain(), json!({})).unwrap().session;
    // As it is kept: through a database and back.
    let session: ProviderSession =
        serde_json::from_value(serde_json::to_value(&session).unwrap()).unwrap();
    let refresh = |claims: Value| {
        fake.answer_token(&claims, NOW + 100);
        provider.refresh(&session, at(NOW + 100))
    };
    let later = json!({"auth_time": NOW + 99, "amr": ["pwd"], "acr": "mfa", "groups": [], "name": "Alice B."});
    let refreshed = refresh(later).unwrap();
    assert_eq!(refreshed.person.unwrap().name.as_deref(), Some("Alice B."));
    assert_eq!(refreshed.groups, Groups::None);
    let request = fake.requests("/token").pop().unwrap();
    assert_eq!(
        (request.form["grant_type"].as_str(), request.form["refresh_token"].as_str()),
        ("refresh_token", "rt-1")
    );
    for (claims, said) in [
        (json!({"sub": "mallory"}), "`sub`: expected the person who signed in"),
        (json!({"iss": "https://evil.example"}), "`iss`: expected"),
        (json!({"nonce": "of-another"}), "`nonce`: expected"),
    ] {
        let error = refresh(claims).unwrap_err().to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
    // Without an ID token, nothing is known anew; the new refresh token takes the place of the old one.
    let bare = json!({"access_token": "at-2", "token_type": "bearer", "refresh_token": "rt-2"});
    fake.answer_json("/token", 200, &bare);
    let refreshed = provider.refresh(&session, at(NOW + 200)).unwrap();
    assert!(refreshed.person.is_none() && matches!(refreshed.groups, Groups::Unknown(_)));
    assert_eq!(serde_json::to_value(&refreshed.session).unwrap()["refresh_token"], "rt-2");
}

#[test]
fn only_the_providers_word_ends_a_session() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let provider = fake.provider(&folder, "timeout = '300ms'");
    let session = sign_in(&fake, &provider, &plain(), json!({})).unwrap().session;
    for (status, body, ends, is_outage) in [
        (400, json!({"error": "invalid_grant", "error_description": "User disabled"}), true, false),
        (401, json!({"error": "invalid_client"}), false, false),
        (400, json!({"error": "temporarily_unavailable"}), false, true),
        (503, json!({}), false, true),
        (500, json!({"error": "server_error"}), false, true),
        (404, json!({}), false, false),
        (200, json!({}), false, false),
    ] {
        fake.answer_json("/token", status, &body);
        let error = provider.refresh(&session, at(NOW + 100)).unwrap_err();
        assert_eq!((error.ends_session(), error.is_outage()), (ends, is_outage), "{error}");
        assert!(error.session.is_none(), "{error}");
    }
    fake.fall_silent();
    let error = provider.refresh(&session, at(NOW + 100)).unwrap_err();
    assert!(
        !error.ends_session()
            && error.is_outage()
            && error.to_string().contains("none came within 300ms"),
        "{error}"
    );
}

/// The provider has taken the old refresh token by then: to use that again would end the session.
#[test]
fn a_new_refresh_token_is_told_where_what_comes_with_it_cannot_be_used() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let provider = fake.provider(&folder, "groups_from = 'userinfo'");
    fake.answer_json("/userinfo", 200, &json!({"sub": "alice-1", "groups": ["oncall"]}));
    let session = sign_in(&fake, &provider, &plain(), json!({"sub": "alice-1"})).unwrap().session;
    fake.answer_json("/userinfo", 503, &json!({}));
    let token = fake.issuer.sign(&json!({
        "iss": fake.url, "aud": "breakglass", "sub": "alice-1", "iat": NOW, "exp": NOW + 60,
    }));
    let answer = json!({"access_token": "at-2", "token_type": "bearer", "refresh_token": "rt-2", "id_token": token});
    fake.answer_json("/token", 200, &answer);
    let failed = provider.refresh(&session, at(NOW + 1)).unwrap_err();
    assert!(failed.is_outage(), "{failed}");
    let kept = serde_json::to_value(failed.session.unwrap()).unwrap();
    assert_eq!(kept["refresh_token"], "rt-2");
}

#[test]
fn a_session_is_ended_there_with_its_id_token_as_a_hint() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let provider = fake.provider(&folder, "");
    let session = sign_in(&fake, &provider, &plain(), json!({})).unwrap().session;
    let url = provider
        .end_session_url(&session, "https://approvals.internal/", at(NOW))
        .unwrap()
        .unwrap();
    let sent = parameters(&url);
    assert_eq!(url.path(), "/logout");
    assert!(sent["id_token_hint"].starts_with("eyJ") && sent["client_id"] == "breakglass");
    assert_eq!(sent["post_logout_redirect_uri"], "https://approvals.internal/");
    // A provider without such a page.
    let mut discovery = fake.discovery();
    discovery.as_object_mut().unwrap().remove("end_session_endpoint");
    fake.answer_json("/.well-known/openid-configuration", 200, &discovery);
    let later = at(NOW + 301);
    assert_eq!(provider.end_session_url(&session, "https://approvals.internal/", later), Ok(None));
}

#[test]
fn a_logout_token_is_verified_by_the_providers_keys() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let provider = fake.provider(&folder, "");
    let claims = json!({
        "iss": fake.url, "aud": "breakglass", "iat": NOW, "exp": NOW + 60, "jti": "j-1", "sid": "s-1",
        "events": {"http://schemas.openid.net/event/backchannel-logout": {}},
    });
    let token = provider.logout_token(&fake.issuer.sign(&claims), at(NOW)).unwrap();
    assert_eq!((token.sid.as_deref(), token.jti.as_str()), (Some("s-1"), "j-1"));
    let stranger = crate::support::TestIssuer::new("k").sign(&claims);
    let error = provider.logout_token(&stranger, at(NOW)).unwrap_err();
    assert!(matches!(error, SignInError::Token(_)), "{error}");
    // A key that was rotated in is fetched; keys that cannot be fetched are no word about the token.
    let next = crate::support::TestIssuer::new("next");
    fake.answer_json("/jwks", 200, &next.jwks());
    assert!(provider.logout_token(&next.sign(&claims), at(NOW + 11)).is_ok());
    let fresh = fake.provider(&folder, "");
    fake.answer_json("/jwks", 500, &json!({}));
    let error = fresh.logout_token(&next.sign(&claims), at(NOW)).unwrap_err();
    assert!(matches!(error, SignInError::Provider(_)), "{error}");
}
