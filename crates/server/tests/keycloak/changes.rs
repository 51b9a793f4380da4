//! What changes at the provider while a session is there.

use std::time::Duration;

use breakglass_identity::{Callback, Groups};
use breakglass_testing::keycloak::Keycloak;
use serde_json::{Value, json};

use crate::person::{alice, now, plain, provider, sign_in, visit};

/// From now on Keycloak signs with another key, if its priority is higher than that of those before.
pub(crate) fn new_signing_key(keycloak: &Keycloak, priority: u32) {
    let realm = keycloak.admin("GET", "/realms/corp", &Value::Null)["id"].clone();
    let component = json!({
        "name": format!("next-{priority}"), "providerId": "rsa-generated",
        "providerType": "org.keycloak.keys.KeyProvider", "parentId": realm,
        "config": {"priority": [priority.to_string()], "enabled": ["true"], "active": ["true"]},
    });
    keycloak.admin("POST", "/realms/corp/components", &component);
}

pub(crate) fn keys_are_rotated(keycloak: &Keycloak) {
    let provider = provider(keycloak, "corp", "");
    let mut browser = alice();
    let session = sign_in(&provider, &mut browser).session;
    new_signing_key(keycloak, 1000);
    let (page, begun) = visit(&provider, &mut browser, &plain(), &[]);
    // An unknown `kid` has the keys fetched again, once in ten seconds.
    let callback = Callback::from_query(page.query()).unwrap();
    let later = now().after(Duration::from_secs(11));
    assert!(provider.finish(begun, &callback, later).is_ok());
    assert!(provider.refresh(&session, later).is_ok());
}

pub(crate) fn a_group_is_lost_and_a_person_disabled(keycloak: &Keycloak) {
    let unknown = provider(keycloak, "corp", "");
    let none = provider(keycloak, "corp", "groups_absent = 'none'");
    let session = sign_in(&unknown, &mut alice()).session;
    let id = keycloak.id_of("corp", "alice");
    let groups = keycloak.admin("GET", &format!("/realms/corp/users/{id}/groups"), &Value::Null);
    let group = groups[0]["id"].as_str().unwrap();
    keycloak.admin("DELETE", &format!("/realms/corp/users/{id}/groups/{group}"), &Value::Null);
    // The claim is absent then, as it is where no mapper sends it: what that means, the entry says.
    let refreshed = unknown.refresh(&session, now()).unwrap();
    assert!(matches!(refreshed.groups, Groups::Unknown(_)), "{:?}", refreshed.groups);
    let refreshed = none.refresh(&refreshed.session, now()).unwrap();
    assert_eq!(refreshed.groups, Groups::None);
    keycloak.admin("PUT", &format!("/realms/corp/users/{id}"), &json!({"enabled": false}));
    let error = none.refresh(&refreshed.session, now()).unwrap_err();
    assert!(error.ends_session() && error.to_string().contains("invalid_grant"), "{error}");
    keycloak.admin("PUT", &format!("/realms/corp/users/{id}"), &json!({"enabled": true}));
}
