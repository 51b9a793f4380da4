//! A person signs in for a device, by the service's page and Keycloak's.

use breakglass_testing::keycloak::Browser;
use breakglass_testing::service::Answer;
use breakglass_testing::sessions::CLIENT;
use serde_json::Value;
use url::Url;

use crate::corp::{Corp, Person, post, text};
use crate::person::alice;

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// The codes of a device that asks for this level.
async fn codes(corp: &Corp, level: Option<&str>) -> Value {
    let mut form = vec![("client_id", CLIENT)];
    form.extend(level.map(|level| ("level", level)));
    post(&corp.service, "/oauth2/device_authorization", &form).await.ok()
}

async fn poll(corp: &Corp, codes: &Value) -> Answer {
    corp.service.advance(5);
    let code = text(codes, "device_code");
    let form = [("grant_type", GRANT_TYPE), ("client_id", CLIENT), ("device_code", &code)];
    post(&corp.service, "/oauth2/token", &form).await
}

/// The person types the code, goes on, and signs in: what was asked for, and the last page.
async fn sign_in(corp: &Corp, person: &mut Person, codes: &Value) -> (Vec<&'static str>, Answer) {
    let page = person.get(&corp.service, "/device").await;
    let code = text(codes, "user_code");
    let form = [("form", hidden(&page)), ("code", code)];
    let shown = send(corp, person, &form).await;
    let form = [("form", hidden(&shown)), ("provider", "corp".to_owned())];
    let onward = send(corp, person, &form).await;
    let link = between(&onward, "<a href=\"").replace("&amp;", "&");
    let there = person.browser.visit(&Url::parse(&link).unwrap());
    assert_eq!(poll(corp, codes).await.body["error"], "authorization_pending");
    let back = format!("{}?{}", there.callback.as_ref().unwrap().path(), there.query());
    (there.asked, person.get(&corp.service, &back).await)
}

async fn send(corp: &Corp, person: &mut Person, form: &[(&str, String)]) -> Answer {
    let form: Vec<(&str, &str)> =
        form.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let answer = person.post(&corp.service, "/device", &form).await;
    assert_eq!(answer.status, 200, "{answer:?}");
    answer
}

fn hidden(page: &Answer) -> String {
    between(page, "name=\"form\" value=\"")
}

fn between(page: &Answer, before: &str) -> String {
    let html = page.body.as_str().unwrap();
    let rest = html.split_once(before).unwrap_or_else(|| panic!("{html}")).1;
    rest.split_once('"').unwrap().0.to_owned()
}

pub(crate) async fn signs_in_for_a_device(corp: &mut Corp) {
    // Keycloak's own device grant would ignore the level; the page's sign-in asks for it.
    let wanted = codes(corp, Some("mfa")).await;
    let (asked, page) = sign_in(corp, &mut Person::new(alice()), &wanted).await;
    assert_eq!(asked, ["password", "otp"]);
    assert!(page.body.as_str().unwrap().contains("Signed in"), "{page:?}");
    let access = text(&poll(corp, &wanted).await.ok(), "access_token");
    let who = corp.service.get(&access, "/v1/whoami").await.ok();
    assert_eq!(who["factor"]["level"], "mfa", "{who}");
    assert!(who["session"]["device"].is_object(), "{who}");
    let id = corp.approved(&access, "payments:fix").await;
    corp.service.act(&access, &id, "token").await.ok();

    // Bob may approve, so that no one has to be able to talk him into typing a code.
    let wanted = codes(corp, None).await;
    let bob = Browser::new("bob", "bob-pw", None);
    let (asked, page) = sign_in(corp, &mut Person::new(bob), &wanted).await;
    assert_eq!((asked.as_slice(), page.status.as_u16()), (["password"].as_slice(), 403));
    assert_eq!(poll(corp, &wanted).await.body["error"], "access_denied");
}
