//! What the sequences of [`crate::sequences`] reach: a rule that no sequence meets is not tested by them.

use std::collections::{BTreeMap, BTreeSet};

use breakglass_testing::service::START;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use crate::action;
use crate::model::Model;

/// How many sequences are made up, for the reference alone.
const SEQUENCES: usize = 3000;

/// How often each is reached in them at least: about once in an ordinary run of [`crate::sequences`].
const SELDOM: usize = 10;

#[test]
fn the_sequences_reach_every_refusal_every_event_and_every_state() {
    let mut runner = TestRunner::deterministic();
    let sequences = action::sequence();
    let (mut counts, mut states) = (BTreeMap::new(), BTreeSet::new());
    for _ in 0..SEQUENCES {
        let mut model = Model::new(START);
        for action in sequences.new_tree(&mut runner).unwrap().current() {
            let outcome = model.act(&action);
            let events = outcome.happened.iter().map(|one| one.event);
            for word in outcome.answer.1.into_iter().chain(events) {
                *counts.entry(word).or_insert(0_usize) += 1;
            }
            let now = model.clock.believed;
            states.extend(model.requests.iter().map(|request| request.state(now)));
        }
    }
    let expected = [
        "approved_already",
        "audiences_differ",
        "breakglass.grant.activated",
        "breakglass.grant.ending",
        "breakglass.grant.expired",
        "breakglass.grant.revoked",
        "breakglass.grant.token_issued",
        "breakglass.request.answered",
        "breakglass.request.approved",
        "breakglass.request.cancelled",
        "breakglass.request.denied",
        "breakglass.request.lapsed",
        "breakglass.request.partly_approved",
        "breakglass.request.questioned",
        "breakglass.request.submitted",
        "breakglass.service.holder_left",
        "clock_stepped",
        "clock_unknown",
        "credential_changed",
        "credential_unknown",
        "digest_required",
        "duration_too_long",
        "grant_expired",
        "grant_lapsed",
        "grant_revoked",
        "grant_unknown",
        "idempotency_key_reused",
        "invalid_request",
        "no_approver",
        "no_longer_allowed",
        "not_a_requester",
        "not_an_approver",
        "not_approved",
        "not_needed",
        "not_pending",
        "not_the_requester",
        "not_your_turn",
        "people_only",
        "request_changed",
        "request_unknown",
        "scope_unknown",
        "self_approval",
        "too_many_pending",
    ];
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), expected);
    let rare: Vec<_> = counts.iter().filter(|(_, count)| **count < SELDOM).collect();
    assert!(rare.is_empty(), "{rare:?}");
    let expected =
        ["active", "approved", "cancelled", "denied", "expired", "lapsed", "pending", "revoked"];
    assert_eq!(states, BTreeSet::from(expected));
}
