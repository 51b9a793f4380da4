//! A second configuration under one plugin name: the log says once why new requests are `scope_withdrawn`.

use std::rc::Rc;

use serde_json::json;

use crate::support::{
    Key, Request, Stage, assert_permitted, assert_refused, claims, config, parse, test, with,
};

fn stage() -> Stage {
    let mut stage = Stage::new(&config());
    let next = with(
        config(),
        json!({"scopes": [
        {"name": "orders:write", "methods": ["POST"], "paths": ["/v1/orders"]}]}),
    );
    drop(stage.worker.supersede(Rc::new(parse(&next).unwrap()), stage.now));
    stage
}

fn said(stage: &mut Stage) -> Vec<String> {
    let warnings = stage.tick().warnings.into_iter();
    warnings.filter(|warning| warning.contains("plugin name of its own")).collect()
}

#[test]
fn the_first_refusal_is_explained_and_no_other() {
    let mut stage = stage();
    assert!(said(&mut stage).is_empty(), "nothing was refused");
    for stream in 1..4 {
        let step = stage.request(stream, &Request::under(&Key::new(1).sign(&claims())));
        assert_refused(&step, "scope_withdrawn");
    }
    assert_eq!(said(&mut stage).len(), 1);
    let step = stage.request(9, &Request::under(&Key::new(1).sign(&claims())));
    assert_refused(&step, "scope_withdrawn");
    assert!(said(&mut stage).is_empty());
}

#[test]
fn what_both_configurations_cover_is_explained_to_nobody() {
    let mut stage = stage();
    let token = Key::new(1).sign(&with(claims(), json!({"scope": "orders:write"})));
    let request = Request::new("POST", "/v1/orders").header("x-breakglass-token", token);
    assert_permitted(&stage.request(1, &request));
    assert!(said(&mut stage).is_empty());
}
