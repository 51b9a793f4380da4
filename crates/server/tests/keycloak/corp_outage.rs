//! Keycloak does not answer the service.

use breakglass_testing::keycloak::Keycloak;

use crate::corp::{AGE, Corp, OUTAGE_AGE, Person, text};
use crate::person::alice;

/// A service at which alice has signed in, and whose answer about her counts no longer.
pub(crate) struct Outage {
    corp: Corp,
    person: Person,
    access: String,
}

impl Outage {
    pub(crate) async fn prepare(keycloak: &Keycloak) -> Outage {
        let mut corp = Corp::start(keycloak).await;
        let mut person = Person::new(alice());
        let signed_in = corp.sign_in(&mut person, &[]).await.unwrap();
        corp.service.advance(AGE + 1);
        Outage { corp, person, access: text(&signed_in.tokens, "access_token") }
    }

    /// Now Keycloak does not answer: the last answer counts for a while, and then none does; a new sign-in says so at once.
    pub(crate) async fn check(self) {
        let Outage { mut corp, mut person, access } = self;
        let asked = corp.ask(&access, "payments:read").await.ok();
        let old = &asked["old_groups"][0];
        assert_eq!(old["provider"], "corp", "{asked}");
        assert!(text(old, "cause").contains("no answer from the identity provider"), "{asked}");
        corp.service.advance(OUTAGE_AGE);
        let refused = corp.ask(&access, "payments:read").await;
        assert_eq!(refused.refusal(), (503, "membership_unknown"));
        assert!(text(&refused.body, "detail").contains("`corp`"), "{refused:?}");
        let (error, description) = corp.sign_in(&mut person, &[]).await.err().unwrap();
        assert_eq!(error, "temporarily_unavailable", "{description}");
        assert!(
            description.contains("corp: no answer from the identity provider"),
            "{description}"
        );
    }
}
