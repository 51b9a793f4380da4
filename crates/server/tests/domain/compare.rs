//! Compares what an auditor sees with what the reference says.

use std::collections::BTreeSet;

use breakglass_api::Instant;
use breakglass_server::duration::format;
use serde_json::{Value, json};

use crate::driver::Driver;
use crate::model::{BECAUSE, Model, Person, Request};

/// Every state of a request.
const STATES: [&str; 8] =
    ["active", "approved", "cancelled", "denied", "expired", "lapsed", "pending", "revoked"];

fn at(seconds: i64) -> Value {
    json!(Instant::from_seconds(seconds).text())
}

/// What an auditor should see of the request of this number, but for what the service made up: ids and digests.
fn expected(model: &Model, on: usize, seen: &Value) -> Value {
    let request = &model.requests[on];
    let state = request.state(model.clock.believed);
    let mut view = json!({
        "id": seen["id"], "digest": seen["digest"], "state": state, "requester": request.requester,
        "audience": request.audience, "scopes": request.scopes, "reason": BECAUSE, "incident": request.incident,
        "emergency": request.emergency, "duration": format(request.duration_s),
        "submitted_at": at(request.submitted_at), "lapses_at": at(request.lapses_at),
    });
    if state == "pending" {
        let open = model.open_to(request);
        let mut seen_open: Vec<String> =
            serde_json::from_value(seen["approvers"].clone()).unwrap_or_default();
        seen_open.sort_unstable();
        assert_eq!(seen_open, open, "request {on}: the configuration has the people in this order");
        view["approvers"] = seen["approvers"].clone();
        needs(model, request, seen);
        // Which of several people counts where is for the service to choose.
        if let Some(needs) = seen.get("needs") {
            view["needs"] = needs.clone();
        }
    }
    if let Some((by, when)) = &request.denied {
        view["denied"] = json!({ "by": by, "at": at(*when), "reason": BECAUSE });
    }
    if let Some(when) = request.cancelled_at {
        view["cancelled_at"] = at(when);
    }
    if request.grant.is_none() && !request.approvals.is_empty() {
        view["approvals"] = approvals(request, seen);
    }
    if let Some(grant) = grant(request, seen) {
        view["grant"] = grant;
    }
    view
}

/// Who approved it.
fn approvals(request: &Request, seen: &Value) -> Value {
    let approvals = request.approvals.iter().map(|yes| {
        let mut approval = json!({ "by": yes.by, "at": at(yes.at), "digest": seen["digest"] });
        if let Some(note) = yes.note {
            approval["note"] = json!(note);
        }
        if let Some(scopes) = &yes.fewer {
            approval["scopes"] = json!(scopes);
        }
        if let Some(seconds) = yes.shorter_s {
            approval["duration"] = json!(format(seconds));
        }
        approval
    });
    approvals.collect()
}

/// What is needed, and that as many people count as can.
fn needs(model: &Model, request: &Request, seen: &Value) {
    let expected = model.needed(request);
    let rows: Vec<&Value> =
        seen.get("needs").iter().flat_map(|all| all.as_array().unwrap()).collect();
    assert_eq!(rows.len(), expected.len(), "{seen:#}");
    for (row, (need, count)) in rows.iter().zip(expected) {
        let stages = row["stages"].as_array().unwrap();
        let counted = stages.iter().map(|stage| stage["approved_by"].as_array().unwrap().len());
        let of = |stage: &Value| (stage["from"][0].clone(), stage["count"].as_u64().unwrap());
        let seen_stages: Vec<(Value, u64)> = stages.iter().map(of).collect();
        let expected: Vec<(Value, u64)> =
            need.stages.iter().map(|(from, count)| (json!(from), *count as u64)).collect();
        assert_eq!(seen_stages, expected);
        assert_eq!(counted.sum::<usize>(), count, "{row:#} {request:#?}");
        assert_eq!(row.get("rule").and_then(Value::as_str), need.rule);
        assert_eq!(
            (&row["scopes"], &row["in_order"]),
            (&json!(need.scopes), &json!(need.in_order))
        );
    }
}

fn grant(request: &Request, seen: &Value) -> Option<Value> {
    let grant = request.grant.as_ref()?;
    let last = request.approvals.last()?;
    let mut view = json!({
        "id": seen["grant"]["id"], "approved_by": last.by, "approved_at": at(grant.approved_at),
        "expires_at": at(grant.expires_at), "scopes": grant.scopes, "activate_by": at(grant.activate_by), "basis": "approved",
        "approvals": approvals(request, seen),
    });
    if let Some(when) = grant.activated_at {
        view["activated_at"] = at(when);
    }
    if let Some((by, when, why)) = &grant.revoked {
        view["revoked"] = json!({ "by": by, "at": at(*when), "reason": why });
    }
    Some(view)
}

/// All requests are as the reference says.
pub(crate) async fn requests(driver: &mut Driver, model: &Model) {
    driver.look().await;
    assert_eq!(driver.views.len(), model.requests.len(), "{:#?}", driver.views);
    for (on, request) in model.requests.iter().enumerate() {
        let mut expected = expected(model, on, &driver.views[on]);
        if let Some(parent) = request.extends {
            expected["extends"] = json!({ "id": driver.views[parent]["id"] });
        }
        assert_eq!(driver.views[on], expected, "request {on}");
    }
}

/// So is what was said about this one.
pub(crate) async fn discussion(driver: &Driver, model: &Model, on: usize) {
    let path = format!("/v1/requests/{}", driver.views[on]["id"].as_str().unwrap());
    let view = driver.service.get("grace", &path).await.ok();
    let remarks = model.requests[on].discussion.iter();
    let remarks: Vec<Value> = remarks
        .map(|(by, kind, when)| json!({ "by": by, "kind": kind, "at": at(*when), "text": BECAUSE }))
        .collect();
    assert_eq!(
        view.get("discussion").cloned().unwrap_or(json!([])),
        json!(remarks),
        "request {on}"
    );
}

/// The feed lists the grants that are revoked and not over for every filter, and a proxy is told of each token whether it
/// holds: by the wall clock and by the believed time.
pub(crate) async fn proxies(driver: &Driver, model: &Model) {
    let feed = driver.service.feed("").await.ok();
    let mut listed: Vec<&Value> =
        feed["revoked"].as_array().unwrap().iter().map(|entry| &entry["jti"]).collect();
    let is_listed = |on: &usize| {
        let grant = model.requests[*on].grant.as_ref();
        grant.is_some_and(|one| {
            one.revoked.is_some() && !model.clock.is_over_for_all(one.expires_at)
        })
    };
    let all = 0..model.requests.len();
    let mut expected: Vec<&Value> =
        all.filter(is_listed).map(|on| &driver.views[on]["grant"]["id"]).collect();
    listed.sort_by_key(|jti| jti.as_str());
    expected.sort_by_key(|jti| jti.as_str());
    assert_eq!(listed, expected, "feed");
    let Some(wall) = model.clock.wall else { return };
    for (on, token) in &driver.tokens {
        let request = &model.requests[*on];
        let begun = request.grant.as_ref().unwrap().approved_at - 5 <= wall;
        let holds = request.holds(model.clock.believed) && request.holds(wall) && begun;
        let answer = driver.service.introspect(token).await;
        assert_eq!(answer["active"], holds, "token of request {on}");
    }
}

/// The lists of these people, by state: of what is theirs, and of what they may approve.
pub(crate) async fn lists(driver: &Driver, model: &Model) {
    for name in ["alice", "bob", "frank"] {
        if let Some(person) = model.setup.people.iter().find(|person| person.name == name) {
            for state in STATES {
                let path = format!("/v1/requests?state={state}");
                let answer = driver.service.get(person.token, &path).await.ok();
                let listed = answer["requests"].as_array().unwrap().iter();
                let listed: BTreeSet<&str> =
                    listed.filter_map(|view| view["id"].as_str()).collect();
                assert_eq!(listed, on_list(driver, model, person, state), "{name} {state}");
            }
        }
    }
}

fn on_list<'a>(
    driver: &'a Driver,
    model: &Model,
    person: &Person,
    state: &str,
) -> BTreeSet<&'a str> {
    let is = |request: &Request| match request.state(model.clock.believed) {
        // Every grant that holds, as before there was a word for those that were activated.
        "active" => matches!(state, "active" | "approved"),
        other => state == other,
    };
    let visible = |request: &Request| {
        request.requester == person.name
            || request.scopes.iter().any(|scope| model.setup.may_approve(person, scope))
    };
    let all = model.requests.iter().zip(&driver.views);
    all.filter(|(request, _)| is(request) && visible(request))
        .filter_map(|(_, view)| view["id"].as_str())
        .collect()
}
