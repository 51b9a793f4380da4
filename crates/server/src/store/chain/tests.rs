//! The vectors of the chain's form, which the auditor's reader is tested with (crates/audit/tests/it/trail_vectors.rs). A
//! change of the form fails here, and needs a new version of the form: the events of running services stay as they are.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use ed25519_compact::{KeyPair, Seed};

use super::*;
use crate::clock::{Moment, written};

const VECTORS: &str = include_str!("../../../../types/tests/vectors/trail.json");
const PATH: &str = "/../types/tests/vectors/trail.json";

/// The key of the vectors, which signs for no service.
const SEED: [u8; 32] = [7; 32];

fn keys(directory: &Path) -> TrailKeys {
    let pair = KeyPair::from_seed(Seed::new(SEED));
    let kid = breakglass_types::hex::lower(&Sha256::digest(*pair.pk)[..16]);
    let file = directory.join(format!("trail-1-{kid}.pem"));
    fs::write(&file, pair.to_pem()).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    TrailKeys::existing(directory, &directory.join("none.db")).unwrap().unwrap()
}

/// An event without optional members, and without a link.
fn event(seq: i64, kind: &str, data: Value) -> Event {
    Event {
        seq,
        id: format!("event_{seq}"),
        time_ms: 1_795_312_380_001,
        kind: kind.to_owned(),
        version: 1,
        actor: "service".to_owned(),
        request_id: None,
        request_seq: None,
        audience: None,
        subject: None,
        incident: None,
        jti: None,
        data,
        prev: None,
        hash: None,
        kid: None,
        signature: None,
    }
}

/// An event with every member.
fn of_request(seq: i64, request_seq: i64, kind: &str, data: Value) -> Event {
    let text = |text: &str| Some(text.to_owned());
    Event {
        actor: "carol@example.com".to_owned(),
        request_id: text("req_1"),
        request_seq: Some(request_seq),
        audience: text("prod"),
        subject: text("alice@example.com"),
        incident: text("INC-1"),
        jti: text("grant_1"),
        ..event(seq, kind, data)
    }
}

/// The events: of before the chain, and of it, with gaps between the places, and whatever JSON writers may disagree on.
fn events() -> Vec<Event> {
    let hostile =
        "\"\\/\u{8}\u{c}\n\r\t\u{0}\u{1f}\u{7f}\u{80}ü\u{2028}\u{2029}\u{feff}😀</script>";
    let submitted =
        json!({ "digest": "0".repeat(64), "scopes": ["orders:read"], "duration_s": 1800 });
    let nested = json!({
        "z": [], "a": {}, "B": null, "_": true, "10": false, "9": [[1, -1], { "b": 0, "a": i64::MAX }], "": "",
        "least": i64::MIN, "text": hostile,
    });
    vec![
        event(1, "breakglass.service.configuration_read", json!({})),
        of_request(2, 1, "breakglass.request.submitted", submitted),
        of_request(
            3,
            2,
            "breakglass.request.approved",
            json!({ "duration_s": 1800, "approvers": ["carol"] }),
        ),
        event(5, "breakglass.service.clock_accepted", json!({ "by": "operator" })),
        Event {
            actor: hostile.to_owned(),
            incident: None,
            jti: None,
            ..of_request(6, 3, "breakglass.request.questioned", nested)
        },
        of_request(9_007_199_254_740_993, 4, "breakglass.grant.revoked", json!({ "epoch": 1 })),
    ]
}

/// How many of them are of before the chain.
const BEFORE: usize = 2;

/// What the interface shows, with the form that is hashed of each, as the writer makes them.
fn made() -> Value {
    let directory = tempfile::tempdir().unwrap();
    let keys = keys(directory.path());
    let mut events = events();
    let (before, chained) = events.split_at_mut(BEFORE);
    let mut begin = OfBefore::new();
    before.iter().for_each(|event| begin.add(event));
    let (mut last, mut head) = (0, begin.end());
    for event in chained {
        let Sealed { prev, hash, signature } = event.form().seal(&head, &keys);
        (event.prev, event.hash) = (Some(prev), Some(hash.clone()));
        (event.kid, event.signature) = (Some(keys.kid().to_owned()), Some(signature));
        (last, head) = (event.seq, hash);
    }
    let vector = |event: &Event| {
        let mut shown = event.shown(event.data.to_string());
        shown["time"] = json!(written(Moment::from_millis(event.time_ms)));
        json!({ "event": shown, "form": String::from_utf8(event.form().text()).unwrap() })
    };
    let time = "2026-11-22T02:13:00Z";
    let signature = keys.sign(&signed_text(time, last, &head));
    json!({
        "about": "Events of the approval service as GET /v1/audit/events shows them, with the form of each that is hashed, \
                  and a head that is told: docs/approval-service.md, The database.",
        "public_key": keys.public()[0].1,
        "vectors": events.iter().map(vector).collect::<Vec<Value>>(),
        "head": {
            "time": time, "seq": last, "hash": head, "kid": keys.kid(), "signature": signature,
        },
    })
}

#[test]
fn the_writer_makes_the_vectors_that_are_documented() {
    let made = format!("{:#}\n", made());
    if made != VECTORS && std::env::var_os("BREAKGLASS_GENERATE").is_some() {
        return fs::write(format!("{}{PATH}", env!("CARGO_MANIFEST_DIR")), made).unwrap();
    }
    assert!(
        made == VECTORS,
        "the form of the trail is another one than that of the vectors: {made}"
    );
}
