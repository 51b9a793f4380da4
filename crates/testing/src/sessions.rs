//! People who have signed in, without the pages of a provider: what it said of them is given.

use breakglass_server::domain::begin_by_device;
use breakglass_server::domain::sessions::{
    Binding, DeviceBinding, Exchange, SaidGroups, SignInRefused, SignedIn, TokenRefused, Tokens,
    begin, refresh, sign_in, sign_in_for_device,
};
use breakglass_server::signin::devices::{Device, Devices};
use serde_json::json;
use tempfile::TempDir;

use crate::service::{START, Service, config};

pub const CLIENT: &str = "breakglass-cli";
pub const REDIRECT: &str = "http://127.0.0.1:4711/callback";
/// The example of RFC 7636, appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// The issuer of a provider that no test asks.
pub fn issuer(provider: &str) -> String {
    format!("https://{provider}.test")
}

/// The configuration that all tests share, with `top` fields and the providers `corp`, whose people may approve, and
/// `partner`, whose groups are called `partner:..`.
pub fn config_with_providers(directory: &TempDir, top: &str) -> String {
    let secret = directory.path().join("secret");
    std::fs::write(&secret, "s3cret").unwrap();
    let entry = |name: &str, more: &str| {
        format!(
            "[[identity_providers]]\nname = \"{name}\"\nissuer = \"{}\"\nclient_id = \"breakglass\"\n\
             client_authentication.secret_file = \"{}\"\n{more}\n",
            issuer(name),
            secret.display()
        )
    };
    let providers =
        [entry("corp", "may_approve = true"), entry("partner", "qualify_groups = true")].concat();
    let people = approving_by_token(&config(directory));
    format!("administrators = [\"admins\"]\n{top}\n{people}{providers}")
}

/// This configuration, of whose people carol may approve with her API token.
pub fn approving_by_token(config: &str) -> String {
    config.replacen("name = \"carol\"\n", "name = \"carol\"\nmay_approve_by_token = true\n", 1)
}

/// Beside what was said, the session at the provider, as a sign-in there brings it: with this refresh token.
pub fn at_provider(mut said: SignedIn, refresh_token: &str) -> SignedIn {
    let session = json!({
        "provider": said.provider, "iss": said.issuer, "sub": said.subject, "sid": null, "nonce": "n", "id_token": "i",
        "refresh_token": refresh_token,
    });
    said.at_provider = Some(serde_json::from_value(session).unwrap());
    said
}

pub async fn service() -> Service {
    let directory = tempfile::tempdir().unwrap();
    let text = config_with_providers(&directory, "");
    Service::start_with(directory, &text, START).await
}

/// What `provider` says of the person `subject`.
pub fn said(provider: &str, subject: &str, groups: &[&str]) -> SignedIn {
    SignedIn {
        provider: provider.to_owned(),
        issuer: issuer(provider),
        subject: subject.to_owned(),
        shown_name: Some(subject.to_uppercase()),
        mail: None,
        mail_verified: false,
        groups: SaidGroups::Known(groups.iter().map(|&group| group.to_owned()).collect()),
        factor: None,
        at_provider: None,
        source: Some("192.0.2.1".to_owned()),
    }
}

pub fn binding() -> Binding<'static> {
    Binding { client: CLIENT, redirect_uri: REDIRECT, code_challenge: CHALLENGE }
}

pub fn exchange(code: &str) -> Exchange<'_> {
    let source = Some("192.0.2.2");
    Exchange { code, client: CLIENT, redirect_uri: REDIRECT, verifier: VERIFIER, source }
}

pub async fn code(service: &Service, who: &SignedIn) -> Result<String, SignInRefused> {
    sign_in(&service.app, service.app.now(), who, binding()).await
}

pub async fn begun(service: &Service, code: &str) -> Result<Tokens, TokenRefused> {
    begin(&service.app, service.app.now(), &exchange(code)).await
}

pub async fn refreshed(service: &Service, token: &str) -> Result<Tokens, TokenRefused> {
    refresh(&service.app, service.app.now(), token, CLIENT, Some("192.0.2.3")).await
}

/// The tokens of a session of this person.
pub async fn session(service: &Service, who: &SignedIn) -> Tokens {
    let code = code(service, who).await.unwrap();
    begun(service, &code).await.unwrap()
}

/// The tokens of a session of this person that a device code began.
pub async fn device_session(service: &Service, who: &SignedIn) -> Tokens {
    let (app, now, browser) = (&service.app, service.app.now(), [7; 32]);
    let devices = &app.sign_ins().devices;
    let ends_at = Devices::end(now);
    let device = Device {
        source: None,
        started_at: now,
        ends_at,
        provider: None,
        level: None,
        max_age: None,
        account: None,
    };
    let codes = devices.begin(now, device, app.randomness()).unwrap();
    let (code, _) = devices.find(now, &codes.user_code, &browser).unwrap();
    devices.confirm(now, &code, &browser).unwrap();
    let binding = DeviceBinding { client: CLIENT, code, ends_at, source: None };
    sign_in_for_device(app, now, who, &binding).await.unwrap();
    devices.signed_in(now, &code, &browser).unwrap();
    begin_by_device(app, now, &codes.device_code, CLIENT, None).await.unwrap()
}
