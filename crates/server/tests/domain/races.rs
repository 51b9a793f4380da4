//! Two hundred callers at once, at two services on one database: one outcome, which the trail explains.

use std::collections::BTreeMap;
use std::sync::Arc;

use breakglass_testing::service::{Answer, START, Service, config};
use serde_json::{Value, json};
use tokio::sync::Barrier;

use crate::written::Written;

/// How many at once.
const CALLERS: usize = 200;

/// How many may be told that the database is busy: two processes wait for one lock, each for 3 s at most.
const BUSY: usize = 20;

/// A call of a race.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) verb: &'static str,
    pub(crate) who: &'static str,
    pub(crate) path: String,
    pub(crate) body: Value,
    /// In the body, and in no other one.
    pub(crate) mark: String,
}

/// A call and its answer.
pub(crate) struct Called {
    pub(crate) call: Call,
    pub(crate) answer: Answer,
}

impl Called {
    fn is(&self, verbs: &[&str]) -> bool {
        verbs.contains(&self.call.verb)
    }

    pub(crate) fn is_done(&self) -> bool {
        self.answer.status.is_success()
    }

    /// It says that nothing was changed unless the request shows it.
    pub(crate) fn is_busy(&self) -> bool {
        self.answer.status == 503 && self.answer.refusal().1 == "storage_busy"
    }
}

/// Two services on one database. The ids of the second one come of another time.
async fn two() -> [Arc<Service>; 2] {
    let first = Service::start().await;
    let text = config(&first.directory);
    let second = Service::start_with(tempfile::tempdir().unwrap(), &text, START + 1).await;
    [Arc::new(first), Arc::new(second)]
}

/// Makes all calls at once.
pub(crate) async fn at_once(services: &[Arc<Service>; 2], calls: Vec<Call>) -> Vec<Called> {
    let barrier = Arc::new(Barrier::new(calls.len()));
    let mut tasks = Vec::new();
    for (index, call) in calls.into_iter().enumerate() {
        let (service, barrier) = (Arc::clone(&services[index % 2]), Arc::clone(&barrier));
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            let answer = service.post(call.who, &call.path, call.body.clone()).await;
            Called { call, answer }
        }));
    }
    let mut called = Vec::new();
    for task in tasks {
        called.push(task.await.unwrap());
    }
    let busy = called.iter().filter(|one| one.is_busy()).count();
    assert!(busy <= BUSY, "{:?}", counted(&called));
    called
}

/// How often each verb had each answer.
pub(crate) fn counted(called: &[Called]) -> BTreeMap<(&'static str, String), usize> {
    let mut counts = BTreeMap::new();
    for one in called {
        let answer = if one.is_done() { "done" } else { one.answer.refusal().1 };
        *counts.entry((one.call.verb, answer.to_owned())).or_default() += 1;
    }
    counts
}

fn call(index: usize, verb: &'static str, id: &str, digest: &Value) -> Call {
    let mark = format!("mark-{index:03}.");
    let request = |verb: &str| format!("/v1/requests/{id}/{verb}");
    let approver = ["carol", "bob", "frank"][index % 3];
    let (who, path, body) = match verb {
        "approve" => (approver, request(verb), json!({ "digest": digest, "note": mark })),
        "approve less" => {
            let scopes = [["orders:read"], ["orders:write"]][index % 2];
            let duration = format!("{}s", 600 + index);
            let body =
                json!({ "digest": digest, "note": mark, "scopes": scopes, "duration": duration });
            (approver, request("approve"), body)
        }
        "deny" => (approver, request(verb), json!({ "reason": mark })),
        "cancel" => ("alice", request(verb), json!({})),
        "question" => (approver, request(verb), json!({ "text": mark })),
        "answer" => ("alice", request(verb), json!({ "text": mark })),
        "token" => ("alice", request(verb), json!({})),
        "revoke" => (approver, format!("/v1/grants/{id}/revoke"), json!({ "reason": mark })),
        "give back" => ("alice", format!("/v1/grants/{id}/revoke"), json!({ "reason": mark })),
        "kill" => (approver, "/v1/revocations".to_owned(), json!({ "grant": id, "reason": mark })),
        other => panic!("no call {other}"),
    };
    Call { verb, who, path, body, mark }
}

/// A pending request, with its digest.
async fn pending(service: &Service) -> (String, Value) {
    let id = service.pending_for(&["orders:read", "orders:write"]).await;
    let view = service.get("alice", &format!("/v1/requests/{id}")).await.ok();
    (id, view["digest"].clone())
}

const DECISIONS: &[&str] = &["approve", "approve less", "deny", "cancel"];

/// Calls of these verbs, in turn, about one request; returns its id and the call that decided.
async fn decided(services: &[Arc<Service>; 2], verbs: &[&'static str]) -> (String, Called) {
    let (id, digest) = pending(&services[0]).await;
    let calls =
        (0..CALLERS).map(|index| call(index, verbs[index % verbs.len()], &id, &digest)).collect();
    let called = at_once(services, calls).await;
    let counts = counted(&called);
    for one in called.iter().filter(|one| !one.is_done() && !one.is_busy()) {
        let refusal = one.answer.refusal();
        let late = refusal == (409, "not_pending");
        let full = refusal == (429, "too_many_remarks") && one.is(&["question", "answer"]);
        assert!(late || full, "{:?} {:?}", one.call, one.answer);
    }
    let (mut won, lost): (Vec<Called>, Vec<Called>) =
        called.into_iter().partition(|one| one.is(DECISIONS) && one.is_done());
    assert_eq!(won.len(), 1, "{counts:?}");
    let won = won.pop().unwrap();
    let written = Written::of(&services[0], &id).await;
    let said: Vec<&Called> = lost.iter().filter(|one| one.is_done()).collect();
    written.says(&won.call.mark, usize::from(won.call.verb != "cancel"));
    said.iter().for_each(|one| written.says(&one.call.mark, 1));
    for one in lost.iter().filter(|one| !one.is_done()) {
        written.says(&one.call.mark, 0);
    }
    // What was said before the decision, and nothing after it.
    let action = won.call.verb.split(' ').next().unwrap();
    let mut actions = written.actions();
    assert_eq!(actions.pop(), Some((won.call.who.to_owned(), action.to_owned())), "{counts:?}");
    assert_eq!(actions.remove(0), ("alice".to_owned(), "submit".to_owned()));
    assert_eq!(actions.len(), said.len());
    assert!(actions.iter().all(|(_, action)| action == "question" || action == "answer"));
    explained(&services[1], &id, &won).await;
    (id, won)
}

/// The request is as the one call says that had its way.
async fn explained(service: &Service, id: &str, won: &Called) {
    let view = service.get("grace", &format!("/v1/requests/{id}")).await.ok();
    match won.call.verb {
        "cancel" => assert_eq!(view["state"], "cancelled"),
        "deny" => {
            assert_eq!(view["state"], "denied");
            assert_eq!(view["denied"]["by"], won.call.who);
            assert_eq!(view["denied"]["reason"], won.call.mark);
        }
        _ => {
            let approvals = view["grant"]["approvals"].as_array().unwrap();
            assert_eq!((&view["state"], approvals.len()), (&json!("approved"), 1));
            let approval = &approvals[0];
            assert_eq!(approval["by"], won.call.who);
            assert_eq!(approval["note"], won.call.mark);
            assert_eq!(approval["scopes"], won.call.body["scopes"]);
            let held = won.call.body.get("scopes").unwrap_or(&view["scopes"]);
            assert_eq!(&view["grant"]["scopes"], held);
            assert_eq!(view["grant"]["id"], won.answer.body["grant"]["id"]);
        }
    }
}

/// Tokens are taken of a grant while it is ended in every way.
async fn ended(services: &[Arc<Service>; 2], id: &str, jti: &str) {
    const VERBS: &[&str] = &["token", "revoke", "token", "kill", "token", "give back", "token"];
    let verb = |index: usize| VERBS[index % VERBS.len()];
    let about = |index: usize| if verb(index) == "token" { id } else { jti };
    let calls = (0..CALLERS)
        .map(|index| call(index + CALLERS, verb(index), about(index), &Value::Null))
        .collect();
    let called = at_once(services, calls).await;
    for one in called.iter().filter(|one| !one.is_done() && !one.is_busy()) {
        assert!(one.is(&["token"]), "{:?} {:?}", one.call, one.answer);
        assert_eq!(one.answer.refusal(), (409, "grant_revoked"));
    }
    let written = Written::of(&services[0], id).await;
    let tokens = called.iter().filter(|one| one.is(&["token"]) && one.is_done()).count();
    let mut actions = written.actions();
    let (by, action) = actions.pop().unwrap();
    assert_eq!(action, "revoke", "no token after it");
    let issued = actions.iter().filter(|(_, action)| action == "issue_token").count();
    assert_eq!(
        (issued, actions.iter().filter(|(_, action)| action == "revoke").count()),
        (tokens, 0)
    );
    let activated = written.events.iter().filter(|one| one.kind == "breakglass.grant.activated");
    assert_eq!(activated.count(), tokens.min(1));
    // Every caller that ended it is told of the first revocation, and only the reason of that one is written down.
    let reason = written.last_reason();
    let (mut killed, mut told) = (0, 0);
    for one in called.iter().filter(|one| one.is_done() && !one.is(&["token"])) {
        let body = &one.answer.body;
        let mine = one.call.mark == reason;
        written.says(&one.call.mark, usize::from(mine));
        if one.is(&["kill"]) {
            killed += body["revoked"].as_u64().unwrap();
            assert_eq!(body["revoked"], u64::from(mine));
        } else {
            assert_eq!(
                (&body["revoked"]["by"], &body["revoked"]["reason"]),
                (&json!(by), &json!(reason))
            );
            told += usize::from(mine);
        }
    }
    // The kill switch looks once more when it has revoked, and may find the database busy then.
    let half_way = called.iter().filter(|one| one.is_busy() && one.call.mark == reason).count();
    assert_eq!(killed as usize + told + half_way, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_hundred_decisions_one_counts() {
    let services = two().await;
    let everything: &[&str] = &["question", "approve", "answer", "approve less", "deny", "cancel"];
    let talk: &[&str] = &["question", "answer", "question", "answer", "approve less"];
    for verbs in
        [&["approve"], &["approve less"], &["approve", "deny", "cancel"][..], everything, talk]
    {
        let (id, won) = decided(&services, verbs).await;
        if let Some(jti) = won.answer.body["grant"]["id"].as_str() {
            ended(&services, &id, jti).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn the_same_submission_two_hundred_times_is_one_request() {
    let services = two().await;
    let text = json!({ "scopes": ["orders:read"], "reason": "r", "duration": "30m" }).to_string();
    let barrier = Arc::new(Barrier::new(CALLERS));
    let mut tasks = Vec::new();
    for index in 0..CALLERS {
        let (service, barrier) = (Arc::clone(&services[index % 2]), Arc::clone(&barrier));
        let request = axum::http::Request::post("/v1/requests")
            .header("authorization", "Bearer token-alice")
            .header("content-type", "application/json")
            .header("idempotency-key", "k")
            .body(axum::body::Body::from(text.clone()))
            .unwrap();
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            service.send(request).await
        }));
    }
    let (mut ids, mut made) = (Vec::new(), 0);
    for task in tasks {
        let answer = task.await.unwrap();
        if answer.status == 503 {
            assert_eq!(answer.refusal().1, "storage_busy");
            continue;
        }
        made += usize::from(!answer.headers.contains_key("idempotency-replayed"));
        ids.push(answer.ok()["id"].clone());
    }
    assert!(ids.len() >= CALLERS - BUSY);
    ids.dedup();
    assert_eq!((ids.len(), made), (1, 1));
    let written = Written::of(&services[0], ids[0].as_str().unwrap()).await;
    assert_eq!(written.actions(), [("alice".to_owned(), "submit".to_owned())]);
}
