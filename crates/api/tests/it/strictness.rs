//! What the service reads from clients: members that it does not know are refused, but where a proxy may be newer. What
//! is missing of a body is read all the same, so that the service can say all that is wrong at once.

use breakglass_api::alerts::{AlertReport, AlertsQuery};
use breakglass_api::deliveries::{DeliveriesQuery, Replay};
use breakglass_api::directory::ConfirmHeldEnds;
use breakglass_api::evidence::EvidenceQuery;
use breakglass_api::feed::FeedQuery;
use breakglass_api::heads::{HeadReport, HeadsQuery};
use breakglass_api::probe::{ProbeAnswer, ProbeAnswers, ProbeAsk};
use breakglass_api::problem::Problem;
use breakglass_api::request::{Approve, Ask, ListQuery, Nothing, ShowQuery, Why};
use breakglass_api::reviews::{DisputeReview, LogVerdict, ReviewsQuery, SignReview};
use breakglass_api::revocation::Kill;
use breakglass_api::rotations::{RotationDone, RotationsQuery};
use breakglass_api::scopes::ScopesQuery;
use breakglass_api::session::{
    AuthorizeQuery, DeviceAuthorizationRequest, DeviceForm, SessionsQuery, TokenRequest,
};
use breakglass_api::token::{RevocationForm, TokenForm};
use breakglass_api::trail::AfterQuery;
use breakglass_api::watch::WatchQuery;
use breakglass_api::whoami::SetNotify;
use breakglass_api::{Reason, words::Vocabulary};
use breakglass_types::configurations::ReportedConfiguration;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

/// Whether `T` reads this body, and the same with a member that it does not know.
fn reads<T: DeserializeOwned>(mut body: Value) -> (bool, bool) {
    let read = serde_json::from_value::<T>(body.clone()).is_ok();
    body["unknown"] = json!(1);
    (read, serde_json::from_value::<T>(body).is_ok())
}

#[test]
fn a_member_that_the_service_does_not_know_is_refused() {
    let answer = json!({ "entrance": "e", "authority": "a" });
    for (name, read) in [
        ("Ask", reads::<Ask>(json!({}))),
        ("Why", reads::<Why>(json!({}))),
        ("Kill", reads::<Kill>(json!({}))),
        ("Approve", reads::<Approve>(json!({}))),
        ("Nothing", reads::<Nothing>(json!({}))),
        ("ProbeAsk", reads::<ProbeAsk>(json!({}))),
        ("ProbeAnswers", reads::<ProbeAnswers>(json!({ "answers": [answer] }))),
        ("ProbeAnswer", reads::<ProbeAnswer>(answer)),
        ("ListQuery", reads::<ListQuery>(json!({}))),
        ("WatchQuery", reads::<WatchQuery>(json!({}))),
        ("ShowQuery", reads::<ShowQuery>(json!({}))),
        ("FeedQuery", reads::<FeedQuery>(json!({}))),
        ("HeadsQuery", reads::<HeadsQuery>(json!({}))),
        ("EvidenceQuery", reads::<EvidenceQuery>(json!({}))),
        ("ScopesQuery", reads::<ScopesQuery>(json!({}))),
        (
            "ReportedConfiguration",
            reads::<ReportedConfiguration>(
                json!({ "configuration": "d", "audiences": ["a"], "scopes": {} }),
            ),
        ),
        ("AlertsQuery", reads::<AlertsQuery>(json!({}))),
        ("AfterQuery", reads::<AfterQuery>(json!({}))),
        ("ConfirmHeldEnds", reads::<ConfirmHeldEnds>(json!({}))),
        ("DisputeReview", reads::<DisputeReview>(json!({}))),
        ("ReviewsQuery", reads::<ReviewsQuery>(json!({}))),
        ("SignReview", reads::<SignReview>(json!({}))),
        ("LogVerdict", reads::<LogVerdict>(json!({ "sha256": "", "verdict": "ok", "checked": 0 }))),
        ("RotationDone", reads::<RotationDone>(json!({}))),
        ("RotationsQuery", reads::<RotationsQuery>(json!({}))),
        ("DeliveriesQuery", reads::<DeliveriesQuery>(json!({}))),
        ("SetNotify", reads::<SetNotify>(json!({ "mail": true }))),
        ("Replay", reads::<Replay>(json!({}))),
        ("SessionsQuery", reads::<SessionsQuery>(json!({}))),
    ] {
        assert_eq!(read, (true, false), "{name}");
    }
    // RFC 6749 sections 3.1 and 3.2: parameters that are not known are ignored.
    assert_eq!(reads::<AuthorizeQuery>(json!({})), (true, true));
    assert_eq!(reads::<TokenRequest>(json!({})), (true, true));
    assert_eq!(reads::<DeviceAuthorizationRequest>(json!({})), (true, true));
    assert_eq!(reads::<DeviceForm>(json!({})), (true, true));
    // RFC 7662 section 2.1 has other parameters, and a filter may be newer than the service.
    assert_eq!(reads::<TokenForm>(json!({ "token": "t" })), (true, true));
    assert_eq!(reads::<RevocationForm>(json!({ "token": "t" })), (true, true));
    let head = json!({ "chain": "c", "seq": 1, "hash": "h", "began": "b", "unknown": 1 });
    assert_eq!(reads::<HeadReport>(json!({ "heads": [head] })), (true, true));
    let unverified = json!({ "kid": "k", "unknown": 1 });
    let alert = json!({
        "kind": "solar_flare", "first": "f", "last": "l", "count": 1, "unverified": unverified, "unknown": 1,
    });
    assert_eq!(reads::<AlertReport>(json!({ "alerts": [alert] })), (true, true));
}

#[test]
fn only_what_is_named_is_sent_to_the_kill_switch() {
    let kill =
        Kill { subject: Some("mallory".to_owned()), reason: "r".to_owned(), ..Kill::default() };
    assert_eq!(serde_json::to_value(kill).unwrap(), json!({ "subject": "mallory", "reason": "r" }));
}

#[test]
fn every_reason_is_one_word_with_the_status_of_a_refusal() {
    for reason in Reason::ALL {
        let problem = Problem::new(*reason, "d".to_owned(), vec![]);
        let json = serde_json::to_value(&problem).unwrap();
        let word = reason.word();
        assert!(word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{word}");
        assert_eq!(json["type"], format!("urn:breakglass:reason:{word}"));
        assert!((400..600).contains(&problem.status), "{word}");
        assert!(!problem.title.is_empty(), "{word}");
        assert!(json.get("errors").is_none());
        // One that can only be waited for says how long, and is no fault of the caller's.
        let waits = reason.retry_after_s().is_some();
        assert!(!waits || matches!(problem.status, 429 | 503), "{word}");
    }
}
