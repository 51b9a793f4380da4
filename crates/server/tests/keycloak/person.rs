//! A person, and what the other parts share.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use breakglass_config_schema::Reading;
use breakglass_identity::{
    Callback, ClientAuthentication, Groups, Provider, SignIn, SignInError, SignInRequest, SignedIn,
    identity_providers,
};
use breakglass_testing::keycloak::{ALICE, Browser, Keycloak, Page};
use breakglass_types::instant::Instant;
use breakglass_types::json::Json;
use ring::rand::{SecureRandom as _, SystemRandom};
use url::Url;

const REDIRECT: &str = "http://127.0.0.1:18090/signin/corp/callback";

/// The levels, as the documentation has them for Keycloak.
const LEVELS: &str = "algorithms = ['RS256']\n\
    levels.mfa = { acr_values = ['mfa'], counts = { acr = ['mfa'], amr = ['otp'] } }\n\
    levels.anew = { acr_values = ['mfa'], prompt = 'login', counts = { acr = ['mfa'], amr = ['otp'] } }";

pub(crate) fn now() -> Instant {
    #[expect(clippy::disallowed_methods, reason = "the clock that Keycloak reads too")]
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    Instant::from_millis(u64::try_from(now.as_millis()).unwrap())
}

pub(crate) fn alice() -> Browser {
    Browser::new("alice", "alice-pw", Some(ALICE))
}

/// The provider of a realm, with `more` fields, by the secret of the client `breakglass`.
pub(crate) fn provider(keycloak: &Keycloak, realm: &str, more: &str) -> Provider {
    let file = keycloak.folder().join("client-secret");
    fs::write(&file, "s3cret-breakglass").unwrap();
    provider_by(keycloak, realm, "breakglass", ClientAuthentication::Secret(file), more)
}

pub(crate) fn provider_by(
    keycloak: &Keycloak,
    realm: &str,
    client: &str,
    by: ClientAuthentication,
    more: &str,
) -> Provider {
    let text = format!(
        "[[all]]\nname = 'corp'\nissuer = '{}'\nclient_id = '{client}'\n\
         client_authentication.secret_file = '/s'\n{LEVELS}\n{more}",
        keycloak.issuer(realm)
    );
    let table: Json = toml::from_str(&text).unwrap();
    let entries = Reading::new().read(&identity_providers(), table.member("all").unwrap());
    let mut entry = entries.unwrap().remove(0);
    entry.client_authentication = by;
    Provider::new(
        entry,
        Box::new(|| {
            let mut bytes = [0; 32];
            SystemRandom::new().fill(&mut bytes).unwrap();
            bytes
        }),
    )
}

pub(crate) fn plain() -> SignInRequest<'static> {
    SignInRequest { redirect_uri: REDIRECT, ..SignInRequest::default() }
}

/// Begins a sign-in, changes its URL as a naive client would have made it, and visits it.
pub(crate) fn visit(
    provider: &Provider,
    browser: &mut Browser,
    request: &SignInRequest<'_>,
    leave_out: &[&str],
) -> (Page, SignIn) {
    let (url, sign_in) = provider.begin(request, now()).unwrap();
    let kept = url.query_pairs().filter(|(name, _)| !leave_out.contains(&name.as_ref()));
    let kept: Vec<(String, String)> = kept.map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
    let mut url: Url = url.clone();
    url.query_pairs_mut().clear().extend_pairs(kept);
    (browser.visit(&url), sign_in)
}

pub(crate) fn finish(
    provider: &Provider,
    page: &Page,
    sign_in: SignIn,
) -> Result<SignedIn, SignInError> {
    provider.finish(sign_in, &Callback::from_query(page.query()).unwrap(), now())
}

/// Signs in without a level.
pub(crate) fn sign_in(provider: &Provider, browser: &mut Browser) -> SignedIn {
    let (page, sign_in) = visit(provider, browser, &plain(), &[]);
    finish(provider, &page, sign_in).unwrap()
}

pub(crate) fn signs_in_and_a_code_is_good_once(keycloak: &Keycloak) {
    let provider = provider(keycloak, "corp", "");
    let (page, sign_in) = visit(&provider, &mut alice(), &plain(), &[]);
    assert_eq!(page.asked, ["password"]);
    let first = finish(&provider, &page, sign_in.clone()).unwrap();
    assert_eq!(first.person.subject, keycloak.id_of("corp", "alice"));
    assert_eq!(first.person.name.as_deref(), Some("Alice Archer"));
    assert_eq!(first.groups, Groups::Known(vec!["/sre/payments".to_owned()]));
    assert!(first.factor.is_none() && first.session.sid.is_some());
    assert!(provider.refresh(&first.session, now()).is_ok());
    // A replayed code is refused, and ends the session that it opened.
    let error = finish(&provider, &page, sign_in).unwrap_err();
    assert!(error.to_string().contains("invalid_grant"), "{error}");
    let error = provider.refresh(&first.session, now()).unwrap_err();
    assert!(error.ends_session(), "{error}");
    // Where the provider shows a page with an error, nothing comes back, and the sign-in ends by its time.
    // That is so for a wrong client, a wrong redirect, and a level that it does not know and has to reach (trap 9).
    let essential = r#"{"id_token":{"acr":{"essential":true,"values":["unknown"]}}}"#;
    for (name, value) in [
        ("client_id", "another"),
        ("redirect_uri", "https://elsewhere.test/callback"),
        ("claims", essential),
    ] {
        let (url, _) = provider.begin(&plain(), now()).unwrap();
        let kept = url.query_pairs().filter(|(other, _)| other != name);
        let kept: Vec<_> = kept.map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
        let mut wrong = url.clone();
        wrong.query_pairs_mut().clear().extend_pairs(kept).append_pair(name, value);
        let page = alice().visit(&wrong);
        assert!(page.status == 400 && page.callback.is_none(), "{name}: {page:?}");
    }
    let (_, sign_in) = provider.begin(&plain(), now()).unwrap();
    let callback = Callback::from_query(&format!("state={}&code=x", sign_in.state())).unwrap();
    let ends_at = sign_in.ends_at();
    let error = provider.finish(sign_in, &callback, ends_at).unwrap_err().to_string();
    assert!(error.contains("within 10m: start again"), "{error}");
}
