//! Signing in at a real Keycloak, by its pages. One is started, and the parts share it, in this order.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "test code: what is not as expected ends the test"
)]

mod changes;
mod client;
mod outage;
mod person;
mod step_up;

use breakglass_testing::keycloak::Keycloak;

#[test]
fn a_real_keycloak() {
    let mut keycloak = Keycloak::start();
    person::signs_in_and_a_code_is_good_once(&keycloak);
    step_up::traps_of_a_session_that_is_there(&keycloak);
    step_up::a_realm_as_it_comes(&keycloak);
    step_up::a_factor_that_is_enrolled_on_the_way(&keycloak);
    client::proves_itself_by_a_key(&keycloak);
    changes::keys_are_rotated(&keycloak);
    changes::a_group_is_lost_and_a_person_disabled(&keycloak);
    outage::frozen_and_killed(&mut keycloak);
}
