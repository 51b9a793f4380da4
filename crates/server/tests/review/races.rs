//! Fifty reviewers at once, at two services on one database: one outcome, which the trail explains.

use std::sync::Arc;

use breakglass_testing::service::START;
use serde_json::json;
use tokio::sync::Barrier;

use crate::common::{RULE, beside, digest, events, owed, service, shown};

const CALLERS: usize = 50;

#[tokio::test(flavor = "multi_thread")]
async fn of_many_decisions_at_once_one_counts() {
    let service = service(RULE).await;
    let id = owed(&service).await;
    let digest = digest(&service, &id).await;
    let other = beside(service.directory.path(), RULE, START + 1).await;
    let services = [Arc::new(service), Arc::new(other)];
    let barrier = Arc::new(Barrier::new(CALLERS));
    let mut tasks = Vec::new();
    for index in 0..CALLERS {
        let (service, barrier) = (Arc::clone(&services[index % 2]), Arc::clone(&barrier));
        let who = ["frank", "bob", "frank", "bob", "carol"][index % 5];
        let verb = ["sign", "dispute", "dispute", "sign"][index % 4];
        let path = format!("/v1/reviews/{id}/{verb}");
        // The note tells whose decision counts.
        let body = json!({ "digest": digest, "note": format!("{index}") });
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            (who, verb, service.post(who, &path, body).await)
        }));
    }
    let mut done = Vec::new();
    for task in tasks {
        let (who, verb, answer) = task.await.unwrap();
        match answer.status.is_success() {
            true => done.push((who, verb, answer.body)),
            false => {
                let allowed = match who {
                    "carol" => [(403, "took_part")].as_slice(),
                    _ => [(409, "already_reviewed"), (503, "storage_busy")].as_slice(),
                };
                assert!(allowed.contains(&answer.refusal()), "{who} {verb}: {answer:?}");
            }
        }
    }
    // The first, and those of the same person that said the same.
    let (who, verb, first) = done.first().unwrap().clone();
    assert!(done.iter().all(|(one, what, body)| *one == who && *what == verb && *body == first));
    let kept = shown(&services[0], "grace", &id).await["review"].clone();
    assert_eq!(kept, first);
    let events = events(&services[0]).await;
    let state = kept["state"].as_str().unwrap().to_owned();
    let kept_by = kept["decision"]["by"].as_str().unwrap().to_owned();
    assert_eq!(events[1..], [(state, kept_by)]);
}
