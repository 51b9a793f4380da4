//! A proxy with a wrong credential is in the log of the service, by its address, with what to do; and the other way
//! round a credential at an endpoint that it is not for.

use serde_json::json;

use crate::process::{Server, until};
use breakglass_testing::service::token_of;

/// Asks the service, and returns the status.
fn ask(server: &Server, method: &str, path: &str, token: Option<&str>) -> u16 {
    let url = format!("{}{path}", server.url);
    let authorization = token.map(|token| format!("Bearer {token}"));
    let answer = match method {
        "GET" => {
            let mut request = ureq::get(url).config().http_status_as_error(false).build();
            if let Some(value) = authorization {
                request = request.header("authorization", value);
            }
            request.call()
        }
        _ => {
            let mut request = ureq::post(url).config().http_status_as_error(false).build();
            if let Some(value) = authorization {
                request = request.header("authorization", value);
            }
            request.send(json!({ "reason": "r" }).to_string())
        }
    };
    answer.unwrap().status().as_u16()
}

/// The lines of the log with this in them.
fn lines(server: &Server, part: &str) -> Vec<String> {
    server.log().lines().filter(|line| line.contains(part)).map(str::to_owned).collect()
}

#[test]
fn a_proxy_with_a_wrong_credential_is_logged_once_a_minute_with_what_to_do() {
    let server = Server::start();
    for _ in 0..5 {
        let poll = "/v1/revocations?wait=1s&node=edge-1";
        assert_eq!(ask(&server, "GET", poll, Some("an-unknown-secret")), 401);
        assert_eq!(ask(&server, "POST", "/oauth2/introspect", Some("an-unknown-secret")), 401);
        assert_eq!(ask(&server, "POST", "/v1/audit/heads", Some("an-unknown-secret")), 401);
    }
    until(|| !lines(&server, "refused a proxy").is_empty());
    let logged = lines(&server, "refused a proxy");
    let [line] = &logged[..] else { panic!("{logged:#?}") };
    for part in [
        "/v1/revocations",
        "127.0.0.1",
        "credential_unknown",
        "token_sha256 of [[proxies]]",
        "SIGHUP",
    ] {
        assert!(line.contains(part), "{part}: {line}");
    }
    let log = server.log();
    assert!(!log.contains("an-unknown-secret") && !log.contains("refused a stranger"), "{log}");
    let metrics = server.get("carol", "/metrics").to_string();
    for endpoint in ["/v1/revocations", "/oauth2/introspect", "/v1/audit/heads"] {
        let counted =
            format!("breakglass_unknown_proxies_refused_total{{endpoint=\\\"{endpoint}\\\"}} 5");
        assert!(metrics.contains(&counted), "{counted}: {metrics}");
    }
}

#[test]
fn a_proxy_without_a_credential_is_told_from_one_with_a_wrong_one() {
    let server = Server::start();
    assert_eq!(ask(&server, "GET", "/v1/revocations?wait=1s", None), 401);
    until(|| !lines(&server, "credential_missing").is_empty());
    let line = &lines(&server, "credential_missing")[0];
    assert!(line.contains("without a credential: set revocation.credential"), "{line}");
}

#[test]
fn a_credential_at_an_endpoint_that_it_is_not_for_is_named() {
    let server = Server::start();
    let (person, proxy) = (token_of("alice"), token_of("envoy"));
    assert_eq!(ask(&server, "GET", "/v1/revocations?wait=1s", Some(&person)), 403);
    assert_eq!(ask(&server, "POST", "/v1/requests", Some(&proxy)), 403);
    until(|| !lines(&server, "people_only").is_empty());
    let line = &lines(&server, "proxies_only")[0];
    assert!(line.contains("alice") && line.contains("a person's credential"), "{line}");
    assert!(line.contains("[[proxies]]"), "{line}");
    let line = &lines(&server, "people_only")[0];
    assert!(line.contains("envoy") && line.contains("a proxy's credential"), "{line}");
}
