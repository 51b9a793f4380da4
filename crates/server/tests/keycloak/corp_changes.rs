//! What changes at Keycloak while people have sessions and grants here.

use breakglass_testing::keycloak::Keycloak;
use serde_json::{Value, json};

use crate::changes::new_signing_key;
use crate::corp::{AGE, Corp, Person, text};
use crate::person::alice;

/// A session of alice's in a new browser.
async fn session(corp: &mut Corp) -> String {
    let signed_in = corp.sign_in(&mut Person::new(alice()), &[]).await.unwrap();
    text(&signed_in.tokens, "access_token")
}

async fn request(corp: &Corp, id: &str) -> Value {
    corp.service.get("carol", &format!("/v1/requests/{id}")).await.ok()
}

pub(crate) async fn keys_people_and_groups(keycloak: &Keycloak) {
    let mut corp = Corp::start(keycloak).await;
    let before = session(&mut corp).await;
    let id = corp.approved(&before, "payments:read").await;
    corp.service.act(&before, &id, "token").await.ok();

    // By another key Keycloak answers about the session that was there, and signs people in.
    new_signing_key(keycloak, 2000);
    corp.service.advance(AGE + 1);
    corp.ask(&before, "payments:read").await.ok();
    session(&mut corp).await;

    // Who is disabled has no session any more; a grant ends by evidence that its holder may not have it.
    let person = format!("/realms/corp/users/{}", keycloak.id_of("corp", "alice"));
    keycloak.admin("PUT", &person, &json!({"enabled": false}));
    corp.service.advance(AGE + 1);
    let refused = corp.ask(&before, "payments:read").await;
    assert_eq!(refused.refusal(), (401, "session_ended"));
    assert_eq!(request(&corp, &id).await["state"], "active");
    keycloak.admin("PUT", &person, &json!({"enabled": true}));

    // Such as an answer without the group.
    let after = session(&mut corp).await;
    let group = keycloak.admin("GET", &format!("{person}/groups"), &Value::Null);
    let group = format!("{person}/groups/{}", text(&group[0], "id"));
    keycloak.admin("DELETE", &group, &Value::Null);
    corp.service.advance(AGE + 1);
    let refused = corp.ask(&after, "payments:read").await;
    assert_eq!(refused.refusal(), (403, "not_a_requester"));
    let ended = request(&corp, &id).await;
    assert_eq!(ended["state"], "revoked", "{ended}");
    assert_eq!(ended["grant"]["revoked"]["reason"], "holder_left", "{ended}");
    keycloak.admin("PUT", &group, &Value::Null);
}
