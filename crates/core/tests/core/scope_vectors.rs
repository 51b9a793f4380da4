//! Digests of scopes that another program made (`tests/vectors/generate_scope_digests.py`): those of version 0.1 among
//! them, which no later version may change.

use serde_json::{Value, json};

use crate::support::{config, parse, test, with};

#[test]
fn the_digests_of_scopes_are_those_of_another_program() {
    let vectors: Vec<Value> =
        serde_json::from_str(include_str!("../vectors/scope_digests.json")).unwrap();
    assert!(vectors.len() >= 6);
    for vector in vectors {
        let name = vector["scope"]["name"].as_str().unwrap();
        let config = with(config(), json!({"scopes": [vector["scope"]]}));
        let config = parse(&config).unwrap_or_else(|errors| panic!("{name}: {errors:?}"));
        let rules = config.scopes.get(name).unwrap().rules();
        assert_eq!(rules.canonical(), vector["canonical"], "{name}");
        assert_eq!(config.scopes.digests()[name].text(), vector["digest"], "{name}");
        assert_eq!(config.scopes.digest_text(name), vector["digest"].as_str(), "{name}");
    }
}
