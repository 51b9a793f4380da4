//! Signing in at a real Keycloak, by its pages. One is started, and the parts share it, in this order: those of the crate of
//! identity providers alone, and those of the service.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "test code: what is not as expected ends the test"
)]

mod by_code;
mod by_device;
mod changes;
mod client;
mod corp;
mod corp_changes;
mod corp_outage;
mod outage;
mod person;
mod step_up;

use breakglass_testing::keycloak::Keycloak;

use crate::corp::Corp;
use crate::corp_outage::Outage;

#[tokio::test]
async fn a_real_keycloak() {
    let mut keycloak = Keycloak::start();
    person::signs_in_and_a_code_is_good_once(&keycloak);
    step_up::traps_of_a_session_that_is_there(&keycloak);
    step_up::a_realm_as_it_comes(&keycloak);
    step_up::a_factor_that_is_enrolled_on_the_way(&keycloak);
    client::proves_itself_by_a_key(&keycloak);
    let mut corp = Corp::start(&keycloak).await;
    by_code::signs_in_and_steps_up(&mut corp, &keycloak).await;
    by_device::signs_in_for_a_device(&mut corp).await;
    changes::keys_are_rotated(&keycloak);
    corp_changes::keys_people_and_groups(&keycloak).await;
    let (frozen, killed) = (Outage::prepare(&keycloak).await, Outage::prepare(&keycloak).await);
    changes::a_group_is_lost_and_a_person_disabled(&keycloak);
    keycloak.freeze();
    frozen.check().await;
    keycloak.thaw();
    outage::frozen_and_killed(&mut keycloak);
    killed.check().await;
}
