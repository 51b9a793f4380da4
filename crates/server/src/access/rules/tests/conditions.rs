//! Each condition by itself: what holds, beside what does not.

use super::super::conditions::hold;
use super::super::{Facts, HeldTime};
use super::owned;
use crate::access::{Directory, Members, Membership};
use crate::clock::{Moment, parse_rfc3339};
use crate::config::{ApprovalRule, Config};

/// Gives one answer to all questions.
struct Says(Membership);

impl Directory for Says {
    fn is_member(&self, _: &str, _: &str) -> Membership {
        self.0
    }

    fn members(&self, _: &str) -> Members {
        Members::Unknown
    }
}

fn rule(when: &str) -> ApprovalRule {
    let text = format!(
        "listen = '127.0.0.1:0'\nissuer = 'https://approvals.test'\ndatabase = 'd'\nkey_directory = 'k'\n\
         [[people]]\nname = 'ann'\ntoken_sha256 = '{:064x}'\n\
         [[scopes]]\nname = 'orders'\naudience = 'prod'\nrequesters = ['ops']\napprovers = ['leads']\nmax_duration = '1h'\n\
         [[approval_rules]]\nname = 'r'\nscopes = ['orders']\nneed = [{{ from = ['leads'] }}]\n{when}",
        1
    );
    Config::parse(&text).unwrap().approval_rules.remove(0)
}

fn facts<'a>(scopes: &'a [String], held: &'a [HeldTime]) -> Facts<'a> {
    let submitted_at = Moment::from_seconds(1_795_000_000);
    Facts { requester: "ann", scopes, duration_s: 600, held, emergency: false, submitted_at }
}

#[test]
fn a_group_that_is_not_known_counts_as_one_that_the_requester_is_in() {
    let rule = rule("when = { requester_in = ['contractors'] }");
    let scopes = owned(["orders"]);
    for (says, holds) in
        [(Membership::Yes, true), (Membership::Unknown, true), (Membership::No, false)]
    {
        assert_eq!(hold(&rule, &Says(says), &facts(&scopes, &[])), holds, "{says:?}");
    }
}

#[test]
fn time_is_counted_up_and_never_down() {
    let rule = rule("when = { duration_over = '20m' }");
    let scopes = owned(["orders"]);
    let held = |name, seconds| HeldTime { scopes: owned([name]), seconds };
    for (before, holds) in [
        (vec![], false),
        (vec![held("orders", 600)], false),
        (vec![held("orders", 601)], true),
        (vec![held("orders", 601), held("orders", -600)], true),
        (vec![held("orders", i64::MAX), held("orders", i64::MAX)], true),
        (vec![held("else", i64::MAX)], false),
    ] {
        let found = hold(&rule, &Says(Membership::No), &facts(&scopes, &before));
        assert_eq!(found, holds, "{before:?}");
    }
}

#[test]
fn the_mark_of_an_emergency_and_the_time_of_submission_count() {
    let (no, scopes) = (Says(Membership::No), owned(["orders"]));
    let plain = facts(&scopes, &[]);
    let marked = Facts { emergency: true, ..plain.clone() };
    let emergency = rule("when = { emergency = true }");
    assert!(hold(&emergency, &no, &marked) && !hold(&emergency, &no, &plain));
    let between = rule("when = { between = { days = ['sat'], zone = 'UTC' } }");
    let at = |text| Facts { submitted_at: parse_rfc3339(text).unwrap(), ..plain.clone() };
    assert!(hold(&between, &no, &at("2026-11-28T12:00:00Z")));
    assert!(!hold(&between, &no, &at("2026-11-29T12:00:00Z")));
    // All of them, or none.
    let all = rule("when = { emergency = true, duration_over = '10m' }");
    assert!(!hold(&all, &no, &marked));
    assert!(hold(&all, &no, &Facts { duration_s: 601, ..marked }));
    assert!(hold(&rule(""), &no, &plain));
}
