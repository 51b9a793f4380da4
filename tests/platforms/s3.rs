//! S3: `moto` with boto3.

use breakglass_tests::client::request;
use serde_json::{Value, json};

use crate::application::{Application, python};
use crate::application_gate::ApplicationGate;
use crate::spelled::Resource;

const MARKER: &str = "only-the-owner-of-secret-reads-this";

/// An S3 with the buckets `pub` and `secret`, in which `s.txt` has the marker.
fn s3() -> Application {
    let mut moto = Application::new();
    let (ip, port) = (moto.address().ip().to_string(), moto.address().port().to_string());
    moto.spawn(python(), |command| {
        command.args(["-m", "moto.server", "--host", &ip, "--port", &port]);
    });
    moto.until_ready("/", &[]);
    for bucket in ["/pub", "/secret"] {
        put(&moto, bucket, "");
    }
    put(&moto, "/secret/s.txt", MARKER);
    moto
}

fn put(moto: &Application, path: &str, body: &str) {
    let host = moto.address().to_string();
    let answer =
        moto.ask(&request("PUT", path).host(&host).header("authorization", SIGNED).body(body));
    assert_eq!(answer.status, 200, "{answer:?}");
}

/// What tells moto that it is asked for S3; it looks at no signature.
const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=test/20261101/us-east-1/s3/aws4_request, \
    SignedHeaders=host, Signature=00";

/// Work in the bucket `pub`.
fn scopes() -> Value {
    json!([{"name": "pub:work", "methods": ["GET", "HEAD", "PUT"], "paths": ["/pub", "/pub/{key}"]},
        {"name": "any:read", "methods": ["GET"], "paths": ["/**"]}])
}

fn boto3(moto: &Application, gate: &ApplicationGate, token: &str, arguments: &[&str]) -> Value {
    let url = gate.url();
    let ran = moto.python_client("s3.py", &[&[url.as_str(), token], arguments].concat());
    serde_json::from_str(&ran.done()).unwrap()
}

#[test]
fn boto3_works_in_the_bucket_of_its_scope_and_in_no_other() {
    let moto = s3();
    let gate = ApplicationGate::new(
        moto.address(),
        &json!({"scopes": scopes(), "unauthenticated": "deny"}),
    );
    let token = gate.token(&["pub:work"]);
    let run = |arguments: &[&str]| boto3(&moto, &gate, &token, arguments);
    assert!(run(&["put", "pub", "a.txt", "hello"])["found"].is_string());
    assert_eq!(run(&["get", "pub", "a.txt"]), json!({"found": "hello"}));
    assert_eq!(run(&["list", "pub"]), json!({"found": ["a.txt"]}));
    for (method, path) in [("PUT", "/pub/a.txt"), ("GET", "/pub/a.txt"), ("GET", "/pub")] {
        gate.recorded(method, path, "allow", "permit");
    }
    // A client of S3 shows a number and its own words.
    assert_eq!(run(&["get", "secret", "s.txt"])["status"], 403);
    assert_eq!(boto3(&moto, &gate, "none", &["get", "pub", "a.txt"])["status"], 401);
    gate.recorded("GET", "/secret/s.txt", "deny", "out_of_scope");
    gate.recorded("GET", "/pub/a.txt", "deny", "token_malformed");
    assert_eq!(gate.verified(), 5);
}

#[test]
fn a_copy_does_not_bring_what_is_protected() {
    let moto = s3();
    let gate = ApplicationGate::new(
        moto.address(),
        &json!({"scopes": scopes(), "protected": [{"paths": ["/secret/**"]}]}),
    );
    let copy = |source: &str| {
        let request = gate.request("PUT", "/pub/loot").header("authorization", SIGNED);
        request.header("x-amz-copy-source", source)
    };
    for source in
        ["secret/s.txt", "/secret/s.txt", "%2Fsecret%2Fs.txt", "/secret/s.txt?versionId=null"]
    {
        gate.refuses(&copy(source), 401, "token_missing");
    }
    let token = gate.token(&["pub:work"]);
    let problem = gate.refuses(&copy("secret/s.txt").token(&token), 400, "second_resource");
    assert!(problem["detail"].as_str().unwrap().contains("x-amz-copy-source"), "{problem}");
    let ran = boto3(&moto, &gate, &token, &["copy", "pub", "loot", "secret/s.txt"]);
    assert_eq!(ran["status"], 400, "{ran}");
    assert_eq!(boto3(&moto, &gate, &token, &["list", "pub"]), json!({"found": []}));
    gate.verified();

    // Without the rule it is how it is read.
    let open = ApplicationGate::new(moto.address(), &json!({"scopes": scopes()}));
    let copy = open.request("PUT", "/pub/loot").header("authorization", SIGNED);
    open.passes(&copy.header("x-amz-copy-source", "secret/s.txt"));
    let read = open.passes(&open.get("/pub/loot").header("authorization", SIGNED));
    assert_eq!(String::from_utf8_lossy(&read.body), MARKER);
}

#[test]
fn a_bucket_in_the_host_is_known_to_no_rule_about_paths() {
    let moto = s3();
    let virtual_host = "secret.s3.amazonaws.com";
    let ask = |gate: &ApplicationGate| {
        gate.get("/s.txt").host(virtual_host).header("authorization", SIGNED)
    };
    // That is a limit: a rule about the path, a scope without `hosts`.
    let limit = json!({"scopes": scopes(), "protected": [{"paths": ["/secret/**"]}]});
    let gate = ApplicationGate::new(moto.address(), &limit);
    assert_eq!(gate.passes(&ask(&gate)).body, MARKER.as_bytes());
    let token = gate.token(&["any:read"]);
    assert_eq!(gate.permits(&ask(&gate).token(&token)).body, MARKER.as_bytes());
    gate.verified();
    // What is recommended: name what is open, with `hosts`.
    let narrow = json!({"scopes": [{"name": "pub:read", "methods": ["GET"], "paths": ["/pub/{key}", "/{key}"],
        "hosts": ["pub.s3.amazonaws.com", "127.0.0.1"]}]});
    for (rule, value) in
        [("unauthenticated", json!("deny")), ("protected", json!([{"paths": ["/**"]}]))]
    {
        let mut rules = narrow.clone();
        rules[rule] = value;
        let gate = ApplicationGate::new(moto.address(), &rules);
        gate.refuses(&ask(&gate), 401, "token_missing");
        let token = gate.token(&["pub:read"]);
        gate.refuses(&ask(&gate).token(&token), 403, "out_of_scope");
        // Its own bucket, in either form.
        put(&moto, "/pub/s.txt", "open");
        let by_host =
            gate.get("/s.txt").host("pub.s3.amazonaws.com").header("authorization", SIGNED);
        assert_eq!(gate.permits(&by_host.token(&token)).body, b"open");
        let by_path = gate.get("/pub/s.txt").header("authorization", SIGNED);
        assert_eq!(gate.permits(&by_path.token(&token)).body, b"open");
        gate.verified();
    }
}

#[test]
fn no_spelling_of_an_object_passes() {
    let moto = s3();
    let headers = &[("authorization", SIGNED)];
    let object = Resource {
        path: "/secret/s.txt",
        rule: "/secret/s.txt",
        marker: MARKER,
        headers,
        reachable: 5,
    };
    object.assert_held(moto.address());
}
