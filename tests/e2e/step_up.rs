//! The second factor reaches the token: a person signs in at a provider, and a real Envoy asks for what the service had the
//! person sign in for.

use std::collections::BTreeMap;
use std::fs;

use breakglass_testing::provider::TestProvider;
use breakglass_tests::client::{Answer, Request, get, request};
use breakglass_tests::gate::Plan;
use breakglass_tests::policy::{APPROVER, AUDIENCE, JUSTIFICATION};
use breakglass_tests::service::Service;
use breakglass_tests::tokens::now;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The example of RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
const REDIRECT: &str = "http%3A%2F%2F127.0.0.1%3A4711%2Fcallback";

/// A scope whose token takes a second factor that is at most five minutes old.
const SCOPE: &str = "orders:cancel";

/// The service with that scope, and a provider at which people sign in.
fn start(provider: &TestProvider, files: &TempDir) -> Service {
    let secret = files.path().join("secret");
    fs::write(&secret, TestProvider::secret()).unwrap();
    let level = "[identity_providers.levels.mfa]\nacr_values = [\"aal2\"]\n\
                 counts = { acr = [\"aal2\"], amr = [\"otp\"] }\n";
    let entry = provider.entry("corp", secret.to_str().unwrap(), level);
    let scope = format!(
        "[[scopes]]\nname = \"{SCOPE}\"\naudience = \"{AUDIENCE}\"\nrequesters = [\"oncall\"]\n\
         approvers = [\"commanders\"]\nmax_duration = \"1h\"\n\
         sign_in = {{ activation = {{ level = \"mfa\", max_age = \"5m\" }} }}\n"
    );
    let mut service = Service::start();
    service.let_token_approve();
    service.add(&format!("{scope}{entry}"));
    service
}

/// Signs the person in at the provider, which says `amr` and `acr` of it; `more` is what the client asks for. The tokens of
/// the session.
pub(crate) fn sign_in(
    service: &Service,
    provider: &TestProvider,
    more: &str,
    how: &Value,
) -> Value {
    let query = format!(
        "response_type=code&client_id=breakglass-cli&redirect_uri={REDIRECT}&state=s&\
         code_challenge={CHALLENGE}&code_challenge_method=S256{more}"
    );
    let begun = get(format!("/oauth2/authorize?{query}")).send(service.address());
    let location = begun.header("location").unwrap();
    let mut said =
        json!({ "sub": "alice-1", "groups": ["oncall"], "iat": now(), "exp": now() + 300 });
    said.as_object_mut().unwrap().extend(how.as_object().unwrap().clone());
    let back = provider.sign_in(location, said);
    let cookie = begun.header("set-cookie").unwrap().split(';').next().unwrap();
    let answer = get(back).header("cookie", cookie).send(service.address());
    let location = answer.header("location").unwrap_or_else(|| panic!("{answer:?}"));
    let code = location.split(['?', '&']).find_map(|pair| pair.strip_prefix("code="));
    let code = code.unwrap_or_else(|| panic!("{answer:?}"));
    let form = format!(
        "grant_type=authorization_code&client_id=breakglass-cli&code={code}&redirect_uri={REDIRECT}&\
         code_verifier={VERIFIER}"
    );
    let request = request("POST", "/oauth2/token")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(form);
    let answer = request.send(service.address());
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.json()
}

/// A call of the person whose session this is.
pub(crate) fn call(service: &Service, tokens: &Value, path: &str, body: &Value) -> Answer {
    let access = tokens["access_token"].as_str().unwrap();
    request("POST", path)
        .header("authorization", format!("Bearer {access}"))
        .header("content-type", "application/json")
        .body(body.to_string())
        .send(service.address())
}

/// The parameters of a challenge (RFC 9470 section 3).
fn challenge(answer: &Answer) -> BTreeMap<String, String> {
    let text = answer.header("www-authenticate").unwrap();
    let (_, parameters) = text.split_once(' ').unwrap();
    let pair = |pair: &str| {
        let (name, value) = pair.trim_start_matches([',', ' ']).split_once("=\"").unwrap();
        (name.to_owned(), value.to_owned())
    };
    parameters
        .split_terminator("\"")
        .collect::<Vec<_>>()
        .chunks(2)
        .map(|one| pair(&one.join("\"")))
        .collect()
}

fn cancel(token: &str) -> Request {
    request("POST", "/v1/orders/17/cancel").token(token).body("{}")
}

#[test]
fn a_password_alone_gets_no_token_and_the_factor_of_a_token_grows_old_at_the_proxy() {
    let (provider, files) = (TestProvider::start(), TempDir::new().unwrap());
    let service = start(&provider, &files);
    let plan = Plan::asking(&service).own_clock();
    let gate = plan
        .filter(|filter| {
            let scopes = filter["scopes"].as_array_mut().unwrap();
            scopes.push(json!({
                "name": SCOPE, "methods": ["POST"], "paths": ["/v1/orders/{id}/cancel"],
                "require": { "acr": ["aal2"], "amr": ["otp"], "max_auth_age": "5m" },
            }));
        })
        .start();

    // With the password alone the person asks, and is approved.
    let password = sign_in(&service, &provider, "", &json!({ "acr": "aal1", "amr": ["pwd"] }));
    let body = json!({ "scopes": [SCOPE], "reason": JUSTIFICATION, "duration": "30m" });
    let asked = call(&service, &password, "/v1/requests", &body);
    assert_eq!(asked.status, 201, "{asked:?}");
    let id = asked.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(service.run(APPROVER, &["approve", &id, "--yes"]).code, 0);

    // The token takes more than that: the challenge says what.
    let path = format!("/v1/requests/{id}/token");
    let refused = call(&service, &password, &path, &json!({}));
    assert_eq!(refused.status, 401, "{refused:?}");
    assert_eq!(refused.json()["reason"], "insufficient_user_authentication");
    let asks = challenge(&refused);
    assert_eq!(asks["error"], "insufficient_user_authentication");
    assert_eq!((asks["acr_values"].as_str(), asks["max_age"].as_str()), ("mfa", "300"));

    // The person signs in again, as the same person and at that level, and gets the token.
    let account = password["account"].as_str().unwrap();
    let more = format!(
        "&level={}&max_age={}&account={}",
        asks["acr_values"],
        asks["max_age"],
        account.replace(':', "%3A")
    );
    let authenticated = now();
    let how = json!({ "acr": "aal2", "amr": ["pwd", "otp"], "auth_time": authenticated });
    let stepped_up = sign_in(&service, &provider, &more, &how);
    assert_eq!(stepped_up["account"], *account);
    let issued = call(&service, &stepped_up, &path, &json!({}));
    assert_eq!(issued.status, 200, "{issued:?}");
    let token = issued.json()["token"].as_str().unwrap().to_owned();
    let allowed = gate.allows(&cancel(&token));
    assert_eq!(allowed.audit.text_of("subject"), Some(account));

    // Six minutes later the proxy asks for a new one, although the grant holds.
    gate.envoy.set_clock(360);
    let refused = gate.refuses(&cancel(&token), 401, "step_up_required");
    let asks = challenge(&refused.answer);
    assert_eq!(asks["error"], "insufficient_user_authentication");
    assert_eq!((asks["acr_values"].as_str(), asks["max_age"].as_str()), ("aal2", "300"));
    gate.envoy.set_clock(0);
    gate.allows(&cancel(&token));
}

/// Where the service asks for no level, its tokens say nothing of one, and a proxy that requires one takes none of them.
#[test]
fn a_token_that_was_taken_without_a_level_does_not_pass_where_the_proxy_requires_one() {
    let (provider, files) = (TestProvider::start(), TempDir::new().unwrap());
    let service = start(&provider, &files);
    let gate = Plan::asking(&service)
        .filter(|filter| {
            let scopes = filter["scopes"].as_array_mut().unwrap();
            let orders = scopes.iter_mut().find(|scope| scope["name"] == "orders:read").unwrap();
            orders["require"] = json!({ "acr": ["aal2"], "max_auth_age": "5m" });
        })
        .start();
    // What the provider says unasked proves nothing.
    let how = json!({ "acr": "aal2", "amr": ["pwd", "otp"], "auth_time": now() });
    let tokens = sign_in(&service, &provider, "", &how);
    let body = json!({ "scopes": ["orders:read"], "reason": JUSTIFICATION, "duration": "30m" });
    let asked = call(&service, &tokens, "/v1/requests", &body);
    let id = asked.json()["id"].as_str().unwrap().to_owned();
    assert_eq!(service.run(APPROVER, &["approve", &id, "--yes"]).code, 0);
    let token = |tokens: &Value| {
        let issued = call(&service, tokens, &format!("/v1/requests/{id}/token"), &json!({}));
        issued.json()["token"].as_str().unwrap().to_owned()
    };
    gate.refuses(&get("/v1/orders/17").token(token(&tokens)), 401, "step_up_required");
    // The same grant, taken again after a sign-in at the level, passes.
    let stepped_up = sign_in(&service, &provider, "&level=mfa&max_age=300", &how);
    gate.allows(&get("/v1/orders/17").token(token(&stepped_up)));
}
