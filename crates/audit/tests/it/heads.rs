//! Lists of heads, as the service and its exports have them.

use breakglass_audit::digest::ChainId;
use breakglass_audit::heads::{Heads, Window};
use serde_json::{Value, json};

fn head(seq: u64, configuration: Value) -> Value {
    let mut head = json!({
        "reported_at": "2026-11-22T02:20:00Z", "proxy": "envoy", "node": "n1", "chain": "a".repeat(32), "seq": seq,
        "hash": "b".repeat(64), "began": "2026-11-22T02:12:00Z", "ended": false, "grants": {}, "proof": "proven",
    });
    if configuration != json!("absent") {
        head["configuration"] = configuration;
    }
    head
}

fn read(heads: &[Value]) -> Result<Vec<String>, String> {
    let page = json!({ "as_of": "2026-11-22T02:21:00Z", "heads": heads, "next": null }).to_string();
    let mut heads = Heads::new(Window::default());
    heads.read(page.as_bytes()).map_err(|error| error.to_string())?;
    let chain = heads.chain(ChainId::parse(&"a".repeat(32)).unwrap()).unwrap();
    Ok(chain.configurations.iter().map(ToString::to_string).collect())
}

#[test]
fn a_chain_has_the_configuration_that_any_of_its_heads_names() {
    let (one, other) = ("c".repeat(64), "d".repeat(64));
    for (heads, expected) in [
        // Of an older service, or of an older filter.
        (vec![head(1, json!("absent")), head(2, Value::Null)], vec![]),
        (vec![head(1, json!(one)), head(2, json!("absent"))], vec![one.clone()]),
        (
            vec![head(1, json!("absent")), head(2, json!(one)), head(3, json!(one))],
            vec![one.clone()],
        ),
        // Both of a proxy that contradicts itself.
        (vec![head(1, json!(other)), head(2, json!(one))], vec![one.clone(), other.clone()]),
    ] {
        assert_eq!(read(&heads), Ok(expected), "{heads:?}");
    }
}

#[test]
fn what_another_proxy_says_of_the_chain_is_not_its_configuration() {
    let mut usurper = head(2, json!("d".repeat(64)));
    usurper["proxy"] = json!("mallory");
    usurper["proof"] = json!("disputed");
    assert_eq!(read(&[head(1, json!("c".repeat(64))), usurper]), Ok(vec!["c".repeat(64)]));
}

#[test]
fn a_configuration_that_is_no_digest_is_refused() {
    for wrong in [json!(""), json!("c".repeat(63)), json!("C".repeat(64)), json!(1)] {
        assert!(read(&[head(1, wrong.clone())]).is_err(), "{wrong}");
    }
}
