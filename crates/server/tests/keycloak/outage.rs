//! A provider that does not answer, and one that is gone.

use breakglass_identity::ProviderError;
use breakglass_testing::keycloak::Keycloak;

use crate::person::{alice, now, plain, provider, sign_in};

pub(crate) fn frozen_and_killed(keycloak: &mut Keycloak) {
    let fresh = provider(keycloak, "corp", "");
    let patient = provider(keycloak, "corp", "");
    let session = sign_in(&patient, &mut alice()).session;
    // It knows the endpoints, so that the refresh itself is what waits.
    let hasty = provider(keycloak, "corp", "timeout = '2s'");
    hasty.begin(&plain(), now()).unwrap();
    keycloak.freeze();
    let error = hasty.refresh(&session, now()).unwrap_err();
    assert!(!error.ends_session() && error.to_string().contains("none came within 2s"), "{error}");
    keycloak.thaw();
    keycloak.kill();
    let error = hasty.refresh(&session, now()).unwrap_err();
    assert!(!error.ends_session() && error.to_string().contains("no answer from"), "{error}");
    let error = fresh.begin(&plain(), now()).unwrap_err();
    assert!(matches!(error, ProviderError::NoAnswer { .. }), "{error}");
}
