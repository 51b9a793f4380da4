//! A poll says which keys of the service's issuer this VM has, and how often it fetches them.

use breakglass_core::calls::Call;
use serde_json::{Value, json};

use crate::support::{Key, Stage, feeding_config, fetching_config, test, with};

fn config(changes: Value) -> Value {
    let mut config = with(feeding_config(), json!({ "issuers": fetching_config()["issuers"] }));
    let remote = &mut config["issuers"][0]["jwks"]["remote"];
    *remote = with(remote.clone(), changes);
    config
}

/// What the poll says after the keys were fetched: the `kid`s, and how often.
fn said(config: &Value, keys: &[Value]) -> [Option<String>; 2] {
    let mut stage = Stage::new(config);
    let calls = stage.tick().calls;
    let path = |call: &Call| call.headers[1].1.clone();
    let fetch = calls.iter().find(|call| path(call).ends_with("jwks.json")).unwrap();
    stage.answer(fetch, 200, &json!({ "keys": keys }));
    let first = calls.iter().find(|call| path(call).starts_with("/v1/revocations")).unwrap();
    stage.answer(first, 200, &json!({ "epoch": 1, "revoked": [], "reset": false }));
    stage.wait_millis(1000);
    let calls = stage.tick().calls;
    let poll = calls.iter().find(|call| path(call).starts_with("/v1/revocations")).unwrap();
    ["breakglass-keys", "breakglass-keys-refresh"].map(|name| {
        poll.headers.iter().find(|(header, _)| *header == name).map(|(_, value)| value.clone())
    })
}

fn key(kid: &str) -> Value {
    with(Key::new(1).jwk(), json!({ "kid": kid }))
}

#[test]
fn a_poll_says_which_keys_there_are_and_how_often_they_are_fetched() {
    let five_minutes = Some("5m".to_owned());
    let of = |kids: &[&str]| {
        let keys: Vec<Value> = kids.iter().map(|kid| key(kid)).collect();
        said(&config(json!({})), &keys)
    };
    assert_eq!(of(&["b", "a-_9"]), [Some("a-_9,b".to_owned()), five_minutes.clone()]);
    // What cannot be said as a whole is not said: half of it would look like a key that is missing.
    assert_eq!(of(&["a", "b,c"]), [None, five_minutes.clone()]);
    let many: Vec<String> = (0..17).map(|number| format!("key-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(of(&many), [None, five_minutes]);
    let slow = config(json!({ "refresh": "1h" }));
    assert_eq!(said(&slow, &[key("a")])[1].as_deref(), Some("1h"));
}

#[test]
fn inline_keys_count_and_those_of_another_cluster_are_not_said() {
    let mut both = config(json!({}));
    both["issuers"][0]["jwks"]["inline"] = json!({ "keys": [key("inline")] });
    assert_eq!(said(&both, &[key("a")])[0].as_deref(), Some("a,inline"));
    let elsewhere = config(json!({ "cluster": "another" }));
    assert_eq!(said(&elsewhere, &[key("a")]), [None, None]);
}
