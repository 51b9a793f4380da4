//! Who sees which reviews, and which of them a person may sign.

use std::time::Duration;

use breakglass_server::tasks::reviews::keep_counting_reviews;
use breakglass_testing::service::Service;
use serde_json::{Value, json};

use crate::common::{RULE, WITHIN_S, decide, owed, service, used, used_by};

async fn ids(service: &Service, who: &str, query: &str) -> Vec<String> {
    let listed = service.get(who, &format!("/v1/reviews{query}")).await.ok();
    let reviews = listed["reviews"].as_array().unwrap().iter();
    reviews.map(|one| one["id"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn those_who_may_see_a_review_do_and_others_do_not() {
    let service = service(RULE).await;
    let id = owed(&service).await;
    // The holder, approvers of the scope, an auditor; dave approves another scope, erin none.
    for (who, sees) in [
        ("alice", true),
        ("carol", true),
        ("frank", true),
        ("bob", true),
        ("grace", true),
        ("dave", false),
        ("erin", false),
    ] {
        let expected: Vec<String> = sees.then(|| id.clone()).into_iter().collect();
        assert_eq!(ids(&service, who, "").await, expected, "{who}");
        assert_eq!(ids(&service, who, "?state=owed").await, expected, "{who}");
        for state in ["waiting", "overdue", "signed", "disputed"] {
            let listed = ids(&service, who, &format!("?state={state}")).await;
            assert_eq!(listed, [""; 0], "{who} {state}");
        }
        let one = service.get(who, &format!("/v1/reviews/{id}")).await;
        match sees {
            true => assert_eq!(one.ok()["review"]["id"], json!(id), "{who}"),
            false => assert_eq!(one.refusal(), (403, "not_involved"), "{who}"),
        }
    }
    assert_eq!(service.get("envoy", "/v1/reviews").await.refusal(), (403, "people_only"));
    let unknown = service.get("grace", "/v1/reviews/rev_1").await;
    assert_eq!(unknown.refusal(), (404, "review_unknown"));
    for query in ["?state=lost", "?mine=true&state=signed", "?mine=maybe", "?page=2"] {
        let refused = service.get("grace", &format!("/v1/reviews{query}")).await;
        assert_eq!(refused.refusal(), (400, "invalid_request"), "{query}");
    }
}

#[tokio::test]
async fn each_state_lists_its_own() {
    let service = service(RULE).await;
    let mut expected = Vec::new();
    for state in ["signed", "disputed", "overdue", "owed"] {
        let id = owed(&service).await;
        match state {
            "signed" => drop(decide(&service, "frank", &id, "sign").await.ok()),
            "disputed" => drop(decide(&service, "frank", &id, "dispute").await.ok()),
            "overdue" => {
                service.advance(WITHIN_S);
                service.tick().await;
            }
            _ => {}
        }
        expected.push((state, id));
        service.advance(1);
    }
    let (request, _) = used(&service, &["orders:read"]).await;
    let waiting = crate::common::of_request(&service, &request).await["id"].clone();
    expected.push(("waiting", waiting.as_str().unwrap().to_owned()));
    for who in ["grace", "alice"] {
        for (state, id) in &expected {
            let listed = ids(&service, who, &format!("?state={state}")).await;
            assert_eq!(listed, std::slice::from_ref(id), "{who}");
        }
    }
    let newest_first: Vec<String> = expected.iter().rev().map(|(_, id)| id.clone()).collect();
    assert_eq!(ids(&service, "grace", "").await, newest_first);
    let after = ids(&service, "grace", &format!("?after={}", newest_first[1])).await;
    assert_eq!(after, newest_first[2..]);
    // What can be signed: by those who took no part.
    let open = [expected[3].1.clone(), expected[2].1.clone()];
    assert_eq!(ids(&service, "frank", "?mine=true").await, open);
    assert_eq!(ids(&service, "frank", "?mine=true&state=overdue").await, open[1..]);
    for who in ["alice", "carol", "dave", "erin", "grace"] {
        assert_eq!(ids(&service, who, "?mine=true").await, [""; 0], "{who}");
    }
    tokio::spawn(keep_counting_reviews(service.app.clone()));
    for state in ["owed", "overdue"] {
        let counted = format!("breakglass_reviews{{state=\"{state}\"}}");
        while service.counter(&counted).await != 1 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

#[tokio::test]
async fn pages_list_each_once() {
    let service = service(RULE).await;
    let id = owed(&service).await;
    // One that frank may not sign, which is older than the others.
    service.advance(1);
    let (_, jti) = used_by(&service, ("alice", "frank"), &["orders:read"]).await;
    service.revoke("alice", &jti).await.ok();
    service.tick().await;
    let database = service.database().await;
    sqlx::raw_sql(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 450)
         INSERT INTO requests (id, requester, requester_roles, requester_groups, audience, scopes, reason, emergency, duration_s,
             submitted_at, lapses_at, needs)
         SELECT 'req_' || i, requester, requester_roles, requester_groups, audience, scopes, reason, emergency, duration_s,
             submitted_at, lapses_at, needs FROM (SELECT * FROM requests LIMIT 1), n;
         INSERT INTO reviews (id, request_id, jti, requester, scopes, rules, within_s, needs_approval, ends_at_ms)
         SELECT printf('rev_%03d', substr(id, 5)), id, 'g_' || id, requester, '[\"orders:read\"]', '[\"orders\"]', 3600, 0, 0
         FROM requests WHERE length(id) < 10;
         UPDATE reviews SET owed_at_ms = 1, due_at_ms = 9000000000000 WHERE owed_at_ms IS NULL",
    )
    .execute(&database)
    .await
    .unwrap();
    for (who, query, count) in
        [("grace", "?", 452), ("alice", "?", 452), ("frank", "?mine=true&", 451)]
    {
        let (mut all, mut after) = (Vec::new(), String::new());
        for _ in 0..9 {
            let listed = service.get(who, &format!("/v1/reviews{query}{after}")).await.ok();
            let reviews = listed["reviews"].as_array().unwrap().iter();
            all.extend(reviews.map(|one| one["id"].as_str().unwrap().to_owned()));
            match &listed["next"] {
                Value::String(next) => after = format!("after={next}"),
                _ => break,
            }
        }
        assert_eq!(all.len(), count, "{who}");
        assert!(all.is_sorted_by(|one, other| one > other), "{who}");
        assert!(all.contains(&id), "{who}");
    }
    // A person of none of the groups is told where to go on, and not after the reading of everything.
    let listed = service.get("dave", "/v1/reviews?mine=true").await.ok();
    assert_eq!(listed["reviews"], json!([]));
    assert!(listed["next"].is_string());
}
