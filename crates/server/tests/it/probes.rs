//! `POST /v1/probes` and `POST /v1/probes/{id}/answers`: challenges for entrances, and what their answers prove.

use axum::body::Body;
use axum::http::Request;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_core::probe::{Answering, Asked, PROBE_AUDIENCE, PROBE_TYPE, ProbeAnswer, ProbeKey};
use serde_json::{Value, json};

use breakglass_testing::service::{Answer, START, Service, config, token_of};

const DIGEST: &str = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
const OTHER_DIGEST: &str = "54136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

/// A filter in the process `1..1`, `2..2` and so on.
struct Filter {
    credential: &'static str,
    process: String,
    config: &'static str,
}

impl Filter {
    fn new(process: &str) -> Filter {
        Filter { credential: "envoy", process: process.repeat(32), config: DIGEST }
    }

    /// Polls as it does, with these reports if there are any.
    async fn poll(&self, service: &Service, reports: Option<&str>) -> Answer {
        let mut request = Request::get("/v1/revocations?after=0&node=gate")
            .header("authorization", format!("Bearer {}", token_of(self.credential)))
            .header("breakglass-version", "1.2.3")
            .header("breakglass-config", self.config)
            .header("breakglass-max-staleness", "10s")
            .header("breakglass-cache", "5s")
            .header("breakglass-on-unavailable", "deny");
        if !self.process.is_empty() {
            request = request.header("breakglass-process", &self.process);
        }
        if let Some(reports) = reports {
            request = request.header("breakglass-probes", reports);
        }
        service.send(request.body(Body::empty()).unwrap()).await
    }

    fn answering(&self) -> Answering<'_> {
        Answering { process: &self.process, version: "1.2.3", config: self.config }
    }

    fn answer(&self, challenge: &str, authority: &str) -> ProbeAnswer {
        let asked = Asked { challenge, authority: authority.as_bytes() };
        ProbeKey::from_credential(&token_of(self.credential)).answer(&asked, &self.answering())
    }
}

/// A challenge of grace's: its id, and the JWT.
async fn challenge(service: &Service) -> (String, String) {
    let answer = service.post("grace", "/v1/probes", json!({})).await.ok();
    let text = |name: &str| answer[name].as_str().unwrap().to_owned();
    (text("id"), text("challenge"))
}

async fn post(service: &Service, id: &str, answers: Value) -> Answer {
    let path = format!("/v1/probes/{id}/answers");
    service.post("grace", &path, json!({ "answers": answers })).await
}

/// The verdict on one answer.
async fn verdict(service: &Service, id: &str, authority: &str, answer: Option<&str>) -> Value {
    let one = json!({ "entrance": "e", "authority": authority, "answer": answer });
    post(service, id, json!([one])).await.ok()["verdicts"][0].clone()
}

fn part(jwt: &str, index: usize) -> Value {
    let bytes = URL_SAFE_NO_PAD.decode(jwt.split('.').nth(index).unwrap()).unwrap();
    serde_json::from_slice(&bytes).unwrap()
}

#[tokio::test]
async fn a_challenge_is_no_token_and_opens_nothing() {
    let service = Service::start().await;
    let answer = service.post("grace", "/v1/probes", json!({})).await;
    assert_eq!(
        (answer.status.as_u16(), &answer.headers["cache-control"]),
        (201, &"no-store".parse().unwrap())
    );
    let body = answer.ok();
    assert_eq!(
        (&body["header"], &body["expires_at"]),
        (&json!("x-breakglass-probe"), &json!("2026-11-22T02:14:00Z"))
    );
    let challenge = body["challenge"].as_str().unwrap();
    let header = part(challenge, 0);
    assert_eq!((&header["typ"], &header["alg"]), (&json!(PROBE_TYPE), &json!("ES256")));
    let claims = json!({ "iss": "https://approvals.test", "aud": PROBE_AUDIENCE, "jti": body["id"],
        "iat": START, "exp": START + 60 });
    assert_eq!(part(challenge, 1), claims);
    let introspected = service.introspect(challenge).await;
    assert_eq!(introspected, json!({ "active": false }));
}

#[tokio::test]
async fn challenges_are_for_auditors_and_verdicts_for_those_who_asked() {
    let service = Service::start().await;
    let (id, _) = challenge(&service).await;
    let one = json!({ "answers": [{ "entrance": "e", "authority": "a", "answer": null }] });
    let path = format!("/v1/probes/{id}/answers");
    for who in ["alice", "carol"] {
        for (path, body) in [("/v1/probes", json!({})), (path.as_str(), one.clone())] {
            let refused = service.post(who, path, body).await;
            assert_eq!(refused.refusal(), (403, "not_an_auditor"), "{who} {path}");
        }
    }
    assert_eq!(
        service.post("envoy", "/v1/probes", json!({})).await.refusal(),
        (403, "people_only")
    );
    for id in ["prb_none", "x"] {
        assert_eq!(
            post(&service, id, one["answers"].clone()).await.refusal(),
            (404, "probe_unknown")
        );
    }
    service.advance(60);
    assert_eq!(post(&service, &id, one["answers"].clone()).await.refusal(), (404, "probe_unknown"));
    let trail = service.get("grace", "/v1/audit/service").await.ok();
    let acts: Vec<_> = trail["acts"].as_array().unwrap().iter().map(|act| &act["action"]).collect();
    assert_eq!(acts, ["probe"], "what was refused is no act");
}

#[tokio::test]
async fn the_answer_of_a_proxy_that_polls_names_it() {
    let service = Service::start().await;
    let (one, two) = (Filter::new("1"), Filter::new("2"));
    one.poll(&service, None).await.ok();
    service.advance(7);
    two.poll(&service, None).await.ok();
    let (id, challenge) = challenge(&service).await;
    for (filter, stale) in [(&one, 7), (&two, 0)] {
        let answer = filter.answer(&challenge, "orders.internal");
        let verdict = verdict(&service, &id, "orders.internal", Some(&answer.text())).await;
        assert_eq!(
            verdict,
            json!({ "entrance": "e", "authority": "orders.internal", "verdict": "guarded",
                "received_as": "orders.internal", "node": {
                    "id": filter.process, "node": "gate", "proxy": "envoy", "version": "1.2.3",
                    "config": DIGEST, "enforcement": "enforce", "epoch": 0, "stale_for_s": stale,
                    "alive": true } })
        );
    }
    let trail = service.get("grace", "/v1/audit/service").await.ok();
    let act = &trail["acts"][1];
    assert_eq!((&act["actor"], &act["action"]), (&json!("grace"), &json!("probe_verdict")));
    assert_eq!(
        act["detail"],
        json!({ "id": id, "verdicts": [{ "entrance": "e", "verdict": "guarded", "proxy": "envoy",
            "node": "gate", "config": DIGEST }] })
    );
}

#[tokio::test]
async fn a_proxy_whose_feed_is_stale_is_guarded_and_not_alive() {
    let service = Service::start().await;
    let filter = Filter::new("1");
    filter.poll(&service, None).await.ok();
    service.advance(40);
    let (id, challenge) = challenge(&service).await;
    let answer = filter.answer(&challenge, "a");
    let verdict = verdict(&service, &id, "a", Some(&answer.text())).await;
    let node = &verdict["node"];
    assert_eq!((&node["stale_for_s"], &node["alive"]), (&json!(40), &json!(false)));
}

/// Everything that an entrance without the filter could send back, or one with another answer.
#[tokio::test]
async fn nothing_else_is_guarded() {
    let service = Service::start().await;
    let filter = Filter::new("1");
    filter.poll(&service, None).await.ok();
    let (before, old) = challenge(&service).await;
    let (id, challenge) = challenge(&service).await;
    let key = |secret: &str| ProbeKey::from_credential(secret);
    let asked = Asked { challenge: &challenge, authority: b"orders.internal" };
    let text = |answer: ProbeAnswer| answer.text();
    let person = key("token-grace").answer(&asked, &filter.answering());
    let bytes =
        URL_SAFE_NO_PAD.decode(filter.answer(&challenge, "orders.internal").text()).unwrap();
    let mut halves = bytes.clone();
    halves.rotate_left(32);
    let mut first = bytes.clone();
    first[40] ^= 1;
    for (name, answer, expected) in [
        ("the challenge itself", challenge.clone(), "no_answer"),
        ("nothing", String::new(), "no_answer"),
        ("a word", "guarded".into(), "no_answer"),
        ("half an answer", URL_SAFE_NO_PAD.encode(&bytes[..32]), "no_answer"),
        ("zeros", URL_SAFE_NO_PAD.encode([0; 64]), "not_proven"),
        ("the halves changed", URL_SAFE_NO_PAD.encode(&halves), "not_proven"),
        (
            "another credential",
            text(key("token-other").answer(&asked, &filter.answering())),
            "not_proven",
        ),
        ("a person's credential", text(person), "not_proven"),
        ("an old answer", text(filter.answer(&old, "orders.internal")), "not_proven"),
        ("another authority's", text(filter.answer(&challenge, "other.internal")), "not_proven"),
        ("another port's", text(filter.answer(&challenge, "orders.internal:1")), "not_proven"),
        ("a second half that no proxy has made", URL_SAFE_NO_PAD.encode(&first), "unreported"),
    ] {
        let verdict = verdict(&service, &id, "orders.internal", Some(&answer)).await;
        assert_eq!(verdict["verdict"], expected, "{name}: {verdict}");
        assert_eq!(verdict.get("node"), None, "{name}");
    }
    // The old challenge is another one's still.
    let answer = filter.answer(&old, "orders.internal").text();
    assert_eq!(
        verdict(&service, &before, "orders.internal", Some(&answer)).await["verdict"],
        "guarded"
    );
}

#[tokio::test]
async fn an_authority_without_its_port_is_the_same_and_with_another_one_is_not() {
    let service = Service::start().await;
    let filter = Filter::new("1");
    filter.poll(&service, None).await.ok();
    let (id, challenge) = challenge(&service).await;
    let answer = filter.answer(&challenge, "orders.internal").text();
    for (sent, expected) in [
        ("orders.internal:8443", "guarded"),
        ("other.internal:8443", "not_proven"),
        ("orders.internal:8443:1", "not_proven"),
    ] {
        let verdict = verdict(&service, &id, sent, Some(&answer)).await;
        assert_eq!(verdict["verdict"], expected, "{sent}");
        if expected == "guarded" {
            assert_eq!(verdict["received_as"], "orders.internal");
        }
    }
}

#[tokio::test]
async fn another_configuration_of_a_process_is_known_by_its_report() {
    let service = Service::start().await;
    let polls = Filter::new("1");
    polls.poll(&service, None).await.ok();
    let (id, challenge) = challenge(&service).await;
    let other = Filter { config: OTHER_DIGEST, ..Filter::new("1") };
    let answer = other.answer(&challenge, "a");
    let verdict_now = verdict(&service, &id, "a", Some(&answer.text())).await;
    assert_eq!(
        (&verdict_now["verdict"], &verdict_now["proxy"]),
        (&json!("unreported"), &json!("envoy"))
    );
    let asked = Asked { challenge: &challenge, authority: b"a" };
    let report = format!("{id}={}", answer.report(&asked));
    other.poll(&service, Some(&report)).await.ok();
    let verdict = verdict(&service, &id, "a", Some(&answer.text())).await;
    assert_eq!(
        (&verdict["verdict"], &verdict["node"]["config"]),
        (&json!("guarded"), &json!(OTHER_DIGEST))
    );
    // The report does not stand for what the process polls with.
    let proxies = service.get("grace", "/v1/proxies").await.ok();
    assert_eq!(proxies["proxies"].as_array().unwrap().len(), 1);
    assert_eq!(proxies["proxies"][0]["config"], DIGEST);
}

/// A proxy that is known by its certificate alone: what stands before the service puts a credential in.
#[tokio::test]
async fn a_proxy_without_a_key_is_known_by_its_report_alone() {
    let service = Service::start().await;
    let filter = Filter { process: String::new(), ..Filter::new("1") };
    filter.poll(&service, None).await.ok();
    let (id, challenge) = challenge(&service).await;
    let asked = Asked { challenge: &challenge, authority: b"a" };
    // As a filter without a credential makes it: by a random key of its own.
    let answer = ProbeKey::from_credential("drawn at random").answer(&asked, &filter.answering());
    assert_eq!(verdict(&service, &id, "a", Some(&answer.text())).await["verdict"], "not_proven");
    let report = format!("prb_other={},{id}={}", "0".repeat(64), answer.report(&asked));
    let reports = async {
        // While the verdict is waited for.
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        filter.poll(&service, Some(&report)).await.ok();
    };
    let text = answer.text();
    let (verdict_late, ()) = tokio::join!(verdict(&service, &id, "a", Some(&text)), reports);
    assert_eq!(verdict_late["verdict"], "guarded", "{verdict_late}");
    let node = &verdict_late["node"];
    assert_eq!(
        (&node["proxy"], &node["node"], &node["config"]),
        (&json!("envoy"), &json!("gate"), &json!(DIGEST))
    );
    // Its report is for this answer, this challenge and this authority.
    let other = ProbeKey::from_credential("drawn again").answer(&asked, &filter.answering());
    assert_eq!(verdict(&service, &id, "a", Some(&other.text())).await["verdict"], "not_proven");
    assert_eq!(verdict(&service, &id, "b", Some(&text)).await["verdict"], "not_proven");
    let (second, _) = challenge_of(&service).await;
    assert_eq!(verdict(&service, &second, "a", Some(&text)).await["verdict"], "not_proven");
}

async fn challenge_of(service: &Service) -> (String, String) {
    challenge(service).await
}

#[tokio::test]
async fn a_proxy_in_shadow_mode_says_so() {
    let service = Service::start().await;
    let filter = Filter::new("1");
    let request = Request::get("/v1/revocations?after=0&node=gate")
        .header("authorization", format!("Bearer {}", token_of("envoy")))
        .header("breakglass-process", &filter.process)
        .header("breakglass-version", "1.2.3")
        .header("breakglass-config", DIGEST)
        .header("breakglass-enforcement", "shadow");
    service.send(request.body(Body::empty()).unwrap()).await.ok();
    let (id, challenge) = challenge(&service).await;
    let answer = filter.answer(&challenge, "a").text();
    let verdict = verdict(&service, &id, "a", Some(&answer)).await;
    assert_eq!(
        (&verdict["verdict"], &verdict["node"]["enforcement"]),
        (&json!("guarded"), &json!("shadow"))
    );
    let proxies = service.get("grace", "/v1/proxies").await.ok();
    assert_eq!(proxies["proxies"][0]["enforcement"], "shadow");
}

#[tokio::test]
async fn bodies_are_bounded_and_read_strictly() {
    let service = Service::start().await;
    let (id, _) = challenge(&service).await;
    let one = json!({ "entrance": "e", "authority": "a" });
    let many = Value::Array(vec![one.clone(); 65]);
    let long = json!({ "entrance": "e", "authority": "a".repeat(301) });
    for answers in [
        json!([]),
        many,
        json!([long]),
        json!([{ "entrance": "", "authority": "a" }]),
        json!([{ "entrance": "e", "authority": "\u{1b}[2J" }]),
        json!([{ "entrance": "e", "authority": "a", "token": "t" }]),
        json!([{ "authority": "a" }]),
    ] {
        assert_eq!(post(&service, &id, answers).await.refusal(), (400, "invalid_request"));
    }
    let long = json!({ "entrance": "e".repeat(512), "authority": "a".repeat(300), "answer": "x".repeat(86) });
    let most = Value::Array(vec![long; 64]);
    let answer = post(&service, &id, most).await.ok();
    assert_eq!(answer["verdicts"].as_array().unwrap().len(), 64);
    assert_eq!(
        service.post("grace", "/v1/probes", json!({ "x": 1 })).await.refusal(),
        (400, "invalid_request")
    );
    let mut refused = None;
    for _ in 0..64 {
        let answer = service.post("grace", "/v1/probes", json!({})).await;
        refused = (!answer.status.is_success()).then_some(answer);
    }
    assert_eq!(refused.unwrap().refusal(), (429, "too_many_probes"));
}

/// By a clock that is wrong every entrance would look open.
#[tokio::test]
async fn a_clock_that_is_not_believed_makes_no_challenge() {
    let service = Service::start().await;
    service.step(100);
    let refused = service.post("grace", "/v1/probes", json!({})).await;
    assert_eq!(refused.refusal(), (503, "clock_stepped"));
}

/// Proxies answer by keys that they have: for an hour after a rotation that is the one before.
#[tokio::test]
async fn a_new_key_signs_challenges_when_proxies_have_it() {
    let service = Service::start().await;
    let kid = |jwt: &str| part(jwt, 0)["kid"].as_str().unwrap().to_owned();
    let first = kid(&challenge(&service).await.1);
    service.advance(10);
    let ring = service.app.issuer().default_ring();
    let newest = ring.directory().add(service.app.now(), service.app.randomness()).unwrap();
    ring.reload().unwrap();
    service.advance(3589);
    assert_eq!(kid(&challenge(&service).await.1), first);
    service.advance(12);
    assert_eq!(kid(&challenge(&service).await.1), newest);
}

#[test]
fn no_environment_is_called_like_the_audience_of_a_challenge() {
    let directory = tempfile::tempdir().unwrap();
    let text = config(&directory);
    for (from, path) in [
        ("audience = \"prod\"", "scopes[0].audience"),
        ("audiences = [\"prod\"", "proxies[0].audiences[0]"),
    ] {
        let to = from.replace("prod", PROBE_AUDIENCE);
        let error = breakglass_server::config::Config::parse(&text.replace(from, &to)).unwrap_err();
        assert!(error.to_string().contains(path), "{error}");
        assert!(error.to_string().contains("breakglass probe"), "{error}");
    }
}
