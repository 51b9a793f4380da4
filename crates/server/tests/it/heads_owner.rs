//! Whose an audit chain is: one wrong witness cannot speak for another proxy's chain.

use breakglass_core::audit::ChainKey;
use serde_json::{Value, json};

use breakglass_testing::credentials::proxy;
use breakglass_testing::heads::{CHAIN, head, listed};
use breakglass_testing::service::{START, Service, config, token_of};

/// The service with the proxies `envoy`, `mallory` and `edge`.
async fn three_proxies() -> Service {
    let directory = tempfile::tempdir().unwrap();
    let others: String =
        ["mallory", "edge"].iter().map(|name| proxy(name, &token_of(name))).collect();
    let text = format!("{}{others}", config(&directory));
    Service::start_with(directory, &text, START).await
}

/// The same service under another configuration.
async fn again(service: Service, change: impl Fn(String) -> String) -> Service {
    let text = change(config(&service.directory));
    let Service { app, directory, .. } = service;
    app.store().close().await;
    app.close_evidence().await;
    Service::start_with(directory, &text, START + 3600).await
}

/// The id that the filter of the proxy with this name makes.
fn made_by(name: &str) -> String {
    let id = ChainKey::from_credential(&token_of(name)).id([1, 2, 3, 4, 5, 6, 7, 8]);
    id.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn report(service: &Service, who: &str, chain: &str, seq: i64, digit: char) -> Value {
    let mut head = head(seq, digit);
    head["chain"] = json!(chain);
    let body = json!({ "node": who, "heads": [head] });
    service.post(who, "/v1/audit/heads", body).await.ok()
}

/// Who reported, the proof, the owner, and the contradiction, of each head.
async fn claims(service: &Service) -> Vec<[Value; 4]> {
    let heads = listed(service, "").await;
    let member = |head: &Value, name: &str| head[name].clone();
    heads
        .iter()
        .map(|head| ["proxy", "proof", "owner", "conflict"].map(|name| member(head, name)))
        .collect()
}

fn claim(proxy: &str, proof: &str, owner: Option<&str>, conflict: Option<&str>) -> [Value; 4] {
    [json!(proxy), json!(proof), json!(owner), json!(conflict)]
}

#[tokio::test]
async fn a_chain_is_the_proxys_whose_credential_made_its_id() {
    let service = three_proxies().await;
    let chain = made_by("envoy");
    assert_eq!(report(&service, "envoy", &chain, 5, 'a').await["conflicts"], 0);
    assert_eq!(report(&service, "mallory", &chain, 9, 'f').await["conflicts"], 1);
    // The owner's later heads contradict nothing of its own.
    for (seq, digit) in [(6, 'b'), (9, 'c'), (10, 'd')] {
        assert_eq!(report(&service, "envoy", &chain, seq, digit).await["conflicts"], 0);
    }
    assert_eq!(report(&service, "envoy", &chain, 10, 'e').await["conflicts"], 1);
    let envoy = || claim("envoy", "proven", None, None);
    assert_eq!(
        claims(&service).await,
        [
            envoy(),
            claim("mallory", "disputed", Some("envoy"), Some("other_node")),
            envoy(),
            envoy(),
            envoy(),
            claim("envoy", "proven", None, Some("other_hash")),
        ]
    );
    for (result, count) in [("accepted", 4), ("disputed", 1), ("conflict", 1)] {
        let name = format!("breakglass_audit_heads_total{{result=\"{result}\"}}");
        assert_eq!(service.counter(&name).await, count, "{result}");
    }
}

#[tokio::test]
async fn whoever_came_first_does_not_own_a_chain_whose_id_names_another_proxy() {
    let service = three_proxies().await;
    let chain = made_by("envoy");
    // The owner has not reported yet, and need not.
    assert_eq!(report(&service, "mallory", &chain, 9, 'f').await["conflicts"], 1);
    let disputed = || claim("mallory", "disputed", Some("envoy"), Some("other_node"));
    assert_eq!(claims(&service).await, [disputed()]);
    assert_eq!(report(&service, "envoy", &chain, 5, 'a').await["conflicts"], 0);
    assert_eq!(claims(&service).await, [disputed(), claim("envoy", "proven", None, None)]);
}

#[tokio::test]
async fn a_chain_whose_id_proves_nothing_is_its_first_reporters() {
    let service = three_proxies().await;
    report(&service, "edge", CHAIN, 5, 'a').await;
    report(&service, "mallory", CHAIN, 9, 'f').await;
    assert_eq!(report(&service, "edge", CHAIN, 6, 'b').await["conflicts"], 0);
    assert_eq!(
        claims(&service).await,
        [
            claim("edge", "first_report", None, None),
            claim("mallory", "disputed", Some("edge"), Some("other_node")),
            claim("edge", "first_report", None, None),
        ]
    );
}

/// The other proxy reports first, and again and again, more of the chain than there is.
#[tokio::test]
async fn no_number_of_false_heads_makes_the_owner_a_liar() {
    let service = three_proxies().await;
    let chain = made_by("edge");
    for round in 1..=20 {
        report(&service, "mallory", &chain, round * 100, 'f').await;
        report(&service, "envoy", &chain, round, 'e').await;
        assert_eq!(report(&service, "edge", &chain, round, 'a').await["conflicts"], 0);
    }
    for head in listed(&service, "").await {
        if head["proxy"] == "edge" {
            assert_eq!((&head["proof"], &head["conflict"]), (&json!("proven"), &Value::Null));
        } else {
            assert_eq!((&head["proof"], &head["owner"]), (&json!("disputed"), &json!("edge")));
        }
    }
}

#[tokio::test]
async fn a_disputed_head_that_is_repeated_is_kept_once_and_counted_each_time() {
    let service = three_proxies().await;
    for _ in 0..3 {
        report(&service, "mallory", &made_by("envoy"), 9, 'f').await;
    }
    assert_eq!(listed(&service, "").await.len(), 1);
    assert_eq!(service.counter("breakglass_audit_heads_total{result=\"disputed\"}").await, 3);
}

/// One of them is proven, and the others in the report are not.
#[tokio::test]
async fn each_chain_of_a_report_is_judged_by_itself() {
    let service = three_proxies().await;
    let chains = [made_by("mallory"), CHAIN.to_owned(), made_by("envoy"), made_by("edge")];
    let heads: Vec<Value> = chains
        .iter()
        .flat_map(|chain| [1, 2].map(|seq| (chain, seq)))
        .map(|(chain, seq)| {
            let mut head = head(seq, 'a');
            head["chain"] = json!(chain);
            head
        })
        .collect();
    let body = json!({ "heads": heads });
    let answer = service.post("mallory", "/v1/audit/heads", body).await.ok();
    assert_eq!(answer, json!({ "accepted": 8, "conflicts": 4 }));
    let claims: Vec<_> = claims(&service).await.into_iter().step_by(2).collect();
    assert_eq!(
        claims,
        [
            claim("mallory", "proven", None, None),
            claim("mallory", "first_report", None, None),
            claim("mallory", "disputed", Some("envoy"), Some("other_node")),
            claim("mallory", "disputed", Some("edge"), Some("other_node")),
        ]
    );
}

/// The id names a proxy that was not configured when the chain was first reported.
#[tokio::test]
async fn a_proxy_that_is_configured_later_proves_its_chain() {
    let service = three_proxies().await;
    let chain = made_by("late");
    report(&service, "mallory", &chain, 9, 'f').await;
    assert_eq!(claims(&service).await, [claim("mallory", "first_report", None, None)]);
    let service = again(service, |text| {
        let (mallory, late) = (token_of("mallory"), token_of("late"));
        format!("{text}{}{}", proxy("mallory", &mallory), proxy("late", &late))
    })
    .await;
    assert_eq!(report(&service, "late", &chain, 5, 'a').await["conflicts"], 0);
    report(&service, "mallory", &chain, 10, 'f').await;
    assert_eq!(
        claims(&service).await,
        [
            claim("mallory", "disputed", Some("late"), None),
            claim("late", "proven", None, None),
            claim("mallory", "disputed", Some("late"), Some("other_node")),
        ]
    );
}

#[tokio::test]
async fn a_proxy_that_is_renamed_keeps_its_chains() {
    let service = three_proxies().await;
    let chain = made_by("edge");
    report(&service, "edge", &chain, 5, 'a').await;
    // The credential is that of `edge`; the tests send it as that name's.
    let service =
        again(service, |text| format!("{text}{}", proxy("edge-2", &token_of("edge")))).await;
    assert_eq!(report(&service, "edge", &chain, 6, 'b').await["conflicts"], 0);
    assert_eq!(
        claims(&service).await,
        [claim("edge", "proven", None, None), claim("edge-2", "proven", None, None)]
    );
}
