//! What a scope asks of the approval: which rules it was for (`same_digest`), why the grant exists (`require.basis`), and
//! how many people approved it (`require.approvals`); and what records say of it.

use std::rc::Rc;

use breakglass_core::step::Step;
use serde_json::{Value, json};

use crate::support::{
    Key, Request, Stage, assert_permitted, assert_refused, claims, config, parse, test, with,
};

/// A configuration whose scope `orders:read` is this one, with changes.
fn scoped(changes: Value) -> Value {
    let mut config = config();
    config["scopes"][0] = with(config["scopes"][0].clone(), changes);
    config
}

fn digest(config: &Value, scope: &str) -> String {
    parse(config).unwrap().scopes.digests()[scope].text()
}

/// A token with these members of `breakglass`.
fn approved(members: Value) -> String {
    let mut claims = claims();
    claims["breakglass"] = with(claims["breakglass"].clone(), members);
    Key::new(1).sign(&claims)
}

fn decide(config: &Value, token: &str) -> Step {
    Stage::new(config).request(1, &Request::under(token))
}

/// The body of a refusal.
fn told(step: &Step) -> Value {
    let Step::Refuse(refusal, _) = step else { panic!("{step:?}") };
    serde_json::from_slice(&refusal.body).unwrap()
}

/// What a person is told, and by which command to go on.
fn words(step: &Step) -> (String, Option<String>) {
    let told = told(step);
    let text = |name: &str| told.get(name).map(|value| value.as_str().unwrap().to_owned());
    (text("detail").unwrap(), text("remedy"))
}

const ASK_AGAIN: &str = "breakglass request --scope orders:read --reason '<why>' --incident INC-1 --duration 30m --wait";

#[test]
fn a_scope_with_same_digest_opens_for_the_rules_that_were_approved_and_for_no_others() {
    let narrow = scoped(json!({"same_digest": true}));
    let approved_for = digest(&narrow, "orders:read");
    let token = approved(json!({"scopes": {"orders:read": approved_for}}));
    assert_permitted(&decide(&narrow, &token));
    // What becomes of a request after its permit is not among the rules, nor is the order of lists.
    let alike = scoped(json!({"same_digest": true, "cut": "finish", "methods": ["HEAD", "GET"]}));
    assert_permitted(&decide(&alike, &token));
    for wider in [
        json!({"paths": ["/v1/orders", "/v1/orders/{id}", "/v1/payments/**"]}),
        json!({"upgrades": ["websocket"]}),
        json!({"methods": ["GET", "HEAD", "DELETE"]}),
        json!({"hosts": ["orders.internal"]}),
        json!({"on_unavailable": "allow"}),
    ] {
        let wider = scoped(with(wider, json!({"same_digest": true})));
        let step = decide(&wider, &token);
        assert_refused(&step, "scope_changed");
        let (detail, remedy) = words(&step);
        assert!(detail.contains("orders:read") && detail.contains("not those that were approved"));
        assert_eq!(remedy.as_deref(), Some(ASK_AGAIN));
        // Where the scope does not ask for it, nothing is refused.
        let wider = with(wider.clone(), json!({}));
        let mut lenient = wider;
        lenient["scopes"][0]["same_digest"] = json!(false);
        assert_permitted(&decide(&lenient, &token));
    }
}

#[test]
fn a_token_that_names_no_rules_does_not_open_a_scope_with_same_digest() {
    let strict = scoped(json!({"same_digest": true}));
    let of_another = json!({"scopes": {"orders:write": digest(&strict, "orders:read")}});
    for token in [Key::new(1).sign(&claims()), approved(of_another)] {
        let step = decide(&strict, &token);
        assert_refused(&step, "scope_changed");
        let (detail, remedy) = words(&step);
        assert!(detail.contains("names none"), "{detail}");
        assert_eq!(remedy.as_deref(), Some(ASK_AGAIN));
        assert_permitted(&decide(&config(), &token));
    }
}

#[test]
fn the_basis_must_be_one_that_the_scope_names() {
    let config = scoped(json!({"require": {"basis": ["approved", "pre_approved"]}}));
    for basis in ["approved", "pre_approved"] {
        assert_permitted(&decide(&config, &approved(json!({"basis": basis}))));
    }
    for (members, has) in [
        (json!({"basis": "emergency"}), "this one is `emergency`"),
        (json!({}), "the token does not say"),
        // The older member says less, and stands for nothing here.
        (json!({"emergency": false}), "the token does not say"),
    ] {
        let step = decide(&config, &approved(members));
        assert_refused(&step, "basis_not_allowed");
        let (detail, remedy) = words(&step);
        assert!(
            detail.contains(has) && detail.contains("`approved` or `pre_approved`"),
            "{detail}"
        );
        assert_eq!(remedy, None);
        let Step::Refuse(refusal, _) = &step else { panic!() };
        assert_eq!(refusal.reason.status(), 403);
    }
    // All of them named is still that the token must say one.
    let all = scoped(json!({"require": {"basis": ["approved", "pre_approved", "emergency"]}}));
    assert_permitted(&decide(&all, &approved(json!({"basis": "emergency"}))));
    assert_refused(&decide(&all, &approved(json!({}))), "basis_not_allowed");
}

#[test]
fn as_many_people_must_have_approved_as_the_scope_asks_for() {
    let config = scoped(json!({"require": {"approvals": 2}}));
    for approvals in [2, 3, 4_294_967_295_u32] {
        assert_permitted(&decide(&config, &approved(json!({"approvals": approvals}))));
    }
    for (members, has) in [
        (json!({"approvals": 1}), "1 approved this one"),
        (json!({"approvals": 0}), "0 approved this one"),
        // Names are not counted: an issuer can list whomever it likes there.
        (json!({"approvers": ["bob", "carol", "dave"]}), "does not say how many"),
    ] {
        let step = decide(&config, &approved(members));
        assert_refused(&step, "approvals_missing");
        assert!(words(&step).0.contains(has), "{}", words(&step).0);
    }
    assert_refused(&decide(&config, &approved(json!({"approvals": "2"}))), "claim_invalid");
}

#[test]
fn another_scope_that_covers_and_meets_all_is_enough() {
    let read = json!({"methods": ["GET"], "paths": ["/v1/orders"]});
    let scope =
        |name: &str, changes: Value| with(with(read.clone(), json!({"name": name})), changes);
    let config = with(
        config(),
        json!({"scopes": [
            scope("strict", json!({"same_digest": true})),
            scope("people", json!({"require": {"approvals": 2}})),
            scope("planned", json!({"require": {"basis": ["pre_approved"]}})),
            scope("free", json!({"require": {"roles": ["sre"]}})),
        ]}),
    );
    let token = |scopes: &str, roles: Value| {
        Key::new(1).sign(&with(claims(), json!({"scope": scopes, "roles": roles})))
    };
    let all = "strict people planned free";
    assert_permitted(&decide(&config, &token(all, json!(["sre"]))));
    // The first that covers it gives the reason.
    for (scopes, wanted) in [
        (all, "scope_changed"),
        ("people strict", "approvals_missing"),
        ("planned people", "basis_not_allowed"),
        ("free strict", "role_missing"),
    ] {
        assert_refused(&decide(&config, &token(scopes, json!([]))), wanted);
    }
}

#[test]
fn under_rules_that_nobody_approved_nothing_else_is_asked() {
    let strict =
        scoped(json!({"same_digest": true, "require": {"roles": ["sre"], "approvals": 2}}));
    assert_refused(&decide(&strict, &approved(json!({}))), "scope_changed");
    let same = json!({"orders:read": digest(&strict, "orders:read")});
    assert_refused(&decide(&strict, &approved(json!({ "scopes": same }))), "role_missing");
}

#[test]
fn what_runs_ends_where_a_new_configuration_changes_what_was_approved() {
    let before = scoped(json!({"same_digest": true}));
    let wider = json!({"same_digest": true, "paths": ["/v1/**"]});
    let token = approved(json!({"scopes": {"orders:read": digest(&before, "orders:read")}}));
    let run = |config: &Value| {
        let mut stage = Stage::new(config);
        assert_permitted(&stage.request(1, &Request::under(&token)));
        stage
    };
    let push = |stage: &mut Stage, next: &Value| {
        stage.worker.supersede(Rc::new(parse(next).unwrap()), stage.now)
    };
    let mut stage = run(&before);
    assert!(push(&mut stage, &before).is_empty(), "the same rules end nothing");
    let steps = push(&mut stage, &scoped(wider.clone()));
    assert_refused(&steps[0].1, "scope_changed");
    let (detail, remedy) = words(&steps[0].1);
    assert!(detail.contains("not those that were approved"), "{detail}");
    assert_eq!(remedy.as_deref(), Some(ASK_AGAIN));
    assert_eq!(stage.logged(1).unwrap()["decision"], "cut");
    let notices = stage.tick().notices;
    assert!(notices.iter().any(|notice| notice.contains("1 by scope_changed")), "{notices:?}");
    // What still comes under the old one is refused too.
    assert_refused(&stage.request(2, &Request::under(&token)), "scope_changed");
    // Without `same_digest` what runs goes on.
    assert!(
        push(&mut run(&before), &scoped(with(wider.clone(), json!({"same_digest": false}))))
            .is_empty()
    );
    // In shadow mode nothing ends.
    let shadow = with(scoped(wider.clone()), json!({"enforcement": "shadow"}));
    assert!(push(&mut run(&before), &shadow).is_empty());
    // `cut: finish` lets it end by itself, for a while.
    let finish = scoped(json!({"same_digest": true, "cut": "finish", "drain": "20s"}));
    let mut stage = run(&finish);
    assert!(push(&mut stage, &scoped(wider)).is_empty());
    stage.wait_millis(19_999);
    assert!(stage.ended().is_empty());
    stage.wait_millis(1);
    let steps = stage.ended();
    assert_refused(&steps[0].1, "scope_changed");
    assert_eq!(words(&steps[0].1).1.as_deref(), Some(ASK_AGAIN));
}

#[test]
fn what_runs_ends_where_a_new_configuration_asks_for_another_approval() {
    let mut stage = Stage::new(&config());
    assert_permitted(&stage.request(1, &Request::under(&approved(json!({"approvals": 1})))));
    let next = scoped(json!({"require": {"approvals": 2}}));
    let steps = stage.worker.supersede(Rc::new(parse(&next).unwrap()), stage.now);
    assert_refused(&steps[0].1, "scope_withdrawn");
    assert!(words(&steps[0].1).0.contains("(approvals_missing)"), "{:?}", words(&steps[0].1));
}

/// The members of a record that this is about.
fn recorded(record: &Value) -> [Option<&Value>; 3] {
    ["basis", "scope_digest", "approved_digest"].map(|name| record.get(name))
}

#[test]
fn a_record_names_the_rules_that_decided_and_others_that_were_approved() {
    let config = config();
    let own = json!(digest(&config, "orders:read"));
    let other = json!("a".repeat(64));
    let null = Value::Null;
    for (members, wanted) in [
        (json!({}), [Some(&null), Some(&own), None]),
        (
            json!({"basis": "pre_approved", "scopes": {"orders:read": own}}),
            [Some(&json!("pre_approved")), Some(&own), None],
        ),
        (json!({"scopes": {"orders:read": other}}), [Some(&null), Some(&own), Some(&other)]),
        // That of a scope that did not decide says nothing.
        (json!({"scopes": {"orders:write": other}}), [Some(&null), Some(&own), None]),
    ] {
        let mut stage = Stage::new(&config);
        assert_permitted(&stage.request(1, &Request::under(&approved(members))));
        assert_eq!(recorded(&stage.logged(1).unwrap()), wanted);
    }
    // Of a refusal too, where a scope decided.
    let strict = scoped(json!({"same_digest": true}));
    let mut stage = Stage::new(&strict);
    let request = Request::under(&approved(json!({"scopes": {"orders:read": other}})));
    assert_refused(&stage.request(1, &request), "scope_changed");
    assert_eq!(recorded(&stage.logged(1).unwrap()), [Some(&null), Some(&own), Some(&other)]);
    let none = Key::new(1).sign(&with(claims(), json!({"scope": "nothing:here"})));
    assert_refused(&stage.request(2, &Request::under(&none)), "out_of_scope");
    assert_eq!(recorded(&stage.logged(2).unwrap()), [Some(&null), Some(&null), None]);
}
