//! A person signs in at the service, and again at the level that a scope requires.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_testing::keycloak::Keycloak;
use serde_json::{Value, json};

use crate::corp::{Corp, Person, text};
use crate::person::{alice, now};

pub(crate) async fn signs_in_and_steps_up(corp: &mut Corp, keycloak: &Keycloak) {
    let mut person = Person::new(alice());
    let first = corp.sign_in(&mut person, &[]).await.unwrap();
    assert_eq!(first.asked, ["password"]);
    let account = format!("corp:{}", keycloak.id_of("corp", "alice"));
    assert_eq!(text(&first.tokens, "account"), account);
    let access = text(&first.tokens, "access_token");
    let who = corp.service.get(&access, "/v1/whoami").await.ok();
    assert_eq!(who["shown_name"], "Alice Archer", "{who}");
    assert_eq!(who["groups"]["names"], json!(["/sre/payments"]), "{who}");

    // By the password she asks for it. Taking the token takes the second factor, not older than five minutes.
    let id = corp.approved(&access, "payments:fix").await;
    let refused = corp.service.act(&access, &id, "token").await;
    assert_eq!(refused.refusal(), (401, "insufficient_user_authentication"));
    let (level, max_age) = (text(&refused.body, "acr_values"), refused.body["max_age"].to_string());
    assert_eq!((level.as_str(), max_age.as_str()), ("mfa", "300"));
    let more = [("level", level.as_str()), ("max_age", &max_age), ("account", &account)];
    let again = corp.sign_in(&mut person, &more).await.unwrap();
    assert!(again.asked.contains(&"otp"), "{:?}", again.asked);
    let stronger = text(&again.tokens, "access_token");
    let token = text(&corp.service.act(&stronger, &id, "token").await.ok(), "token");
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let claims: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!(claims["acr"], "mfa", "{claims}");
    assert!(claims["amr"].as_array().unwrap().contains(&json!("otp")), "{claims}");
    let age = now().seconds().abs_diff(claims["auth_time"].as_u64().unwrap());
    assert!(age < 60, "{claims}");
    // The session of before is as it was.
    assert_eq!(corp.service.act(&access, &id, "token").await.status, 401);

    // Another person than the one who has to confirm is no confirmation, and no session.
    let other = [("account", "corp:another"), ("level", "mfa")];
    let (error, description) = corp.sign_in(&mut person, &other).await.err().unwrap();
    assert_eq!(error, "access_denied", "{description}");
    assert!(description.contains("another person signed in"), "{description}");
}
