//! `GET /v1/audit/requests`: an auditor sees what became of a request, step by step.

use serde_json::{Value, json};

use breakglass_testing::service::Service;

async fn evidence(service: &Service, query: &str) -> Vec<Value> {
    let answer = service.get("grace", &format!("/v1/audit/requests?{query}")).await.ok();
    answer["requests"].as_array().unwrap().clone()
}

#[tokio::test]
async fn tells_the_whole_story_of_a_grant() {
    let service = Service::start().await;
    let (id, jti) = service.approved().await;
    service.token(&id).await;
    service.advance(30);
    service.revoke("carol", &jti).await.ok();
    service.pending().await;
    let found = evidence(&service, &format!("grant={jti}")).await;
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["request"]["id"], id);
    assert_eq!(found[0]["request"]["grant"]["approved_by"], "carol");
    let trail = found[0]["trail"].as_array().unwrap();
    let steps: Vec<_> =
        trail.iter().map(|step| (step["actor"].clone(), step["action"].clone())).collect();
    let step = |actor: &str, action: &str| (json!(actor), json!(action));
    assert_eq!(
        steps,
        [
            step("alice", "submit"),
            step("carol", "approve"),
            step("alice", "issue_token"),
            step("carol", "revoke")
        ]
    );
    assert_eq!(trail[3]["at"], "2026-11-22T02:13:30Z");
    assert_eq!(trail[3]["detail"]["reason"], "laptop lost");
}

#[tokio::test]
async fn finds_by_incident_and_by_person_in_pages() {
    let service = Service::start().await;
    let body = json!({
        "scopes": ["orders:read"], "reason": "stuck", "duration": "30m", "incident": "INC+7&8",
    });
    service.post("bob", "/v1/requests", body).await.ok();
    for _ in 0..201 {
        service.pending().await;
    }
    assert_eq!(evidence(&service, "incident=INC%2B7%268").await.len(), 1);
    assert_eq!(evidence(&service, "subject=bob").await.len(), 1);
    assert_eq!(evidence(&service, "subject=nobody").await.len(), 0);
    let page = service.get("grace", "/v1/audit/requests?subject=alice").await.ok();
    assert_eq!(page["requests"].as_array().unwrap().len(), 200);
    let next = page["next"].as_str().unwrap();
    assert_eq!(evidence(&service, &format!("subject=alice&after={next}")).await.len(), 1);
}

#[tokio::test]
async fn it_is_for_auditors_and_about_one_thing() {
    let service = Service::start().await;
    let answer = service.get("carol", "/v1/audit/requests?subject=alice").await;
    assert_eq!(answer.refusal(), (403, "not_an_auditor"));
    let answer = service.get("envoy", "/v1/audit/requests?subject=alice").await;
    assert_eq!(answer.refusal(), (403, "people_only"));
    for query in ["", "?subject=a&grant=b"] {
        let answer = service.get("grace", &format!("/v1/audit/requests{query}")).await;
        assert_eq!(answer.refusal(), (400, "invalid_request"), "{query}");
    }
}

/// A requester takes as many tokens as they like.
#[tokio::test]
async fn a_long_trail_is_on_several_pages() {
    let service = Service::start().await;
    let first = service.pending().await;
    service.advance(1);
    let (id, _) = service.approved().await;
    service.advance(1);
    let last = service.pending().await;
    sqlx::query(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000)
         INSERT INTO audit (at_ms, actor, action, request_id, detail)
         SELECT i, 'alice', 'issue_token', ?1, '{}' FROM n",
    )
    .bind(&id)
    .execute(&service.database().await)
    .await
    .unwrap();
    let (mut after, mut pages, mut found) = (String::new(), Vec::new(), Vec::new());
    loop {
        let path = format!("/v1/audit/requests?subject=alice&after={after}");
        let page = service.get("grace", &path).await.ok();
        let requests = page["requests"].as_array().unwrap().clone();
        let steps = |entry: &Value| entry["trail"].as_array().unwrap().len();
        pages.push(requests.iter().map(steps).sum::<usize>());
        for entry in requests {
            found.push((entry["request"]["id"].as_str().unwrap().to_owned(), steps(&entry)));
        }
        let Some(next) = page["next"].as_str() else { break };
        assert!(*next > *after, "{next} after {after}");
        after = next.to_owned();
    }
    assert_eq!(pages, [10_000, 10_000, 5004]);
    let of = |id: &str| -> Vec<usize> {
        found.iter().filter(|(other, _)| other == id).map(|(_, steps)| *steps).collect()
    };
    assert_eq!((of(&first), of(&last)), (vec![1], vec![1]));
    assert_eq!(of(&id), [9999, 10_000, 5003]);
}
