//! The shapes of Entra's, Okta's and Google's ID tokens, from their documentation.

use std::time::Duration;

use breakglass_identity::{AskedLevel, ExpectedIdToken, Factor, Groups, IdentityProvider, Person};
use serde_json::{Value, json};

use crate::support::{TestIssuer, at, provider};

const NOW: u64 = 1_795_673_720;
const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

fn with(mut claims: Value, changes: &Value) -> Value {
    for (claim, value) in changes.as_object().unwrap() {
        match value.is_null() {
            true => drop(claims.as_object_mut().unwrap().remove(claim)),
            false => claims[claim] = value.clone(),
        }
    }
    claims
}

/// Who signs in with these claims, in which groups, and whether a level `mfa` of at most a minute is reached.
fn sign_in(
    entry: &IdentityProvider,
    claims: &Value,
) -> Result<(String, Groups, Result<Factor, String>), String> {
    let issuer = TestIssuer::new("k");
    let expected = ExpectedIdToken { provider: entry, nonce: "n" };
    let verified = issuer.verify(&issuer.sign(claims), &expected, NOW);
    let verified = verified.map_err(|error| error.to_string())?;
    let person =
        Person::read(entry, verified.identity(), None).map_err(|error| error.to_string())?;
    let groups = Groups::read(entry, verified.identity(), None);
    let max_age = Duration::from_secs(60);
    let asked = AskedLevel { name: "mfa".to_owned(), max_age, asked_at: at(NOW - 5) };
    let factor = Factor::judge(&asked, &entry.levels["mfa"], &verified, at(NOW));
    Ok((person.subject, groups, factor.map_err(|error| error.to_string())))
}

#[test]
fn entra() {
    let entry = provider(
        "https://login.microsoftonline.com/{tenantid}/v2.0",
        "6cb04018-a3f5-46a7-b995-940c78f5aef3",
        &format!(
            "algorithms = ['ES256']\nsubject = ['tid', 'oid']\n\
             required_claims = {{ tid = ['{TENANT}'], acct = ['0'] }}\n\
             levels.mfa = {{ acrs = ['c1'], counts = {{ acrs = ['c1'] }} }}"
        ),
    );
    let claims = json!({
        "ver": "2.0", "iss": format!("https://login.microsoftonline.com/{TENANT}/v2.0"),
        "sub": "AAAAAAAAAAAAAAAAAAAAAIkzqFVrSaSaFHy782bbtaQ", "aud": "6cb04018-a3f5-46a7-b995-940c78f5aef3",
        "exp": NOW + 3600, "iat": NOW - 300, "nbf": NOW - 300, "name": "Abe Lincoln", "nonce": "n", "aio": "Df2UV",
        "preferred_username": "AbeLi@corp.example", "oid": "00000000-0000-0000-66f3-3332eca7ea81", "tid": TENANT,
        "acct": 0, "acrs": ["p1", "c1"], "auth_time": NOW - 301, "uti": "x", "rh": "0.x",
        "groups": ["9f0d0e1c-1111-4c4c-8f2e-0d6a3b6f6c11"],
    });
    let (subject, groups, factor) = sign_in(&entry, &claims).unwrap();
    assert_eq!(subject, format!("{TENANT}/00000000-0000-0000-66f3-3332eca7ea81"));
    assert_eq!(groups.contains("9f0d0e1c-1111-4c4c-8f2e-0d6a3b6f6c11"), Some(true));
    assert_eq!(factor.unwrap().level(), "mfa");
    // Another tenant, also one that writes ours into its token; a guest; a personal account.
    for (changes, said) in [
        (
            json!({"tid": "evil", "iss": "https://login.microsoftonline.com/evil/v2.0"}),
            "`tid`: expected",
        ),
        (json!({"iss": "https://login.microsoftonline.com/evil/v2.0"}), "`iss`: expected"),
        (json!({"iss": "https://login.microsoftonline.com/{tenantid}/v2.0"}), "`iss`: expected"),
        (json!({"iss": format!("https://sts.windows.net/{TENANT}/")}), "`iss`: expected"),
        (json!({"tid": null}), "`iss`: expected"),
        (json!({"acct": 1}), "`acct`: expected"),
        (json!({"acct": null}), "`acct`: expected"),
        (json!({"oid": null}), "`oid` says who a person is"),
    ] {
        let error = sign_in(&entry, &with(claims.clone(), &changes)).unwrap_err();
        assert!(error.contains(said), "{changes}: {error}");
    }
    // `auth_time` and `acrs` are optional claims; more than 200 groups are left out.
    for (changes, said) in [
        (json!({"auth_time": null}), "at Entra it is an optional claim"),
        (json!({"acrs": null}), "`acrs`: expected `c1`, got nothing"),
        (json!({"acrs": ["c2"]}), "`acrs`: expected `c1`, got `c2`"),
        (json!({"auth_time": NOW - 3600}), "did not ask the person again"),
    ] {
        let (_, _, factor) = sign_in(&entry, &with(claims.clone(), &changes)).unwrap();
        let error = factor.unwrap_err();
        assert!(error.contains(said), "{changes}: {error}");
    }
    let overage = json!({"groups": null, "_claim_names": {"groups": "src1"},
        "_claim_sources": {"src1": {"endpoint": "https://graph.windows.net/x/getMemberObjects"}}});
    let (_, groups, _) = sign_in(&entry, &with(claims, &overage)).unwrap();
    assert!(matches!(groups, Groups::Unknown(_)), "{groups:?}");
}

#[test]
fn okta() {
    let entry = provider(
        "https://corp.okta.example/oauth2/default",
        "0oabucvy",
        "algorithms = ['ES256']\n\
         levels.mfa = { acr_values = ['urn:okta:loa:2fa:any'], counts = { acr = ['urn:okta:loa:2fa:any', 'phr'], amr = ['otp', 'hwk'] } }",
    );
    let claims = json!({
        "ver": 1, "sub": "00uid4BxXw6I6TV4m0g3", "iss": "https://corp.okta.example/oauth2/default", "aud": "0oabucvy",
        "iat": NOW, "exp": NOW + 3600, "jti": "ID.4eAWJOCMB3SX8XewDfVR", "amr": ["pwd", "otp", "mfa"], "nonce": "n",
        "idp": "00ok1u7AsAkrwdZL3z0g3", "auth_time": NOW - 2, "at_hash": "cpqKfdQA5eH891Ff5oJr_Q",
        "acr": "urn:okta:loa:2fa:any", "groups": ["Everyone", "sre"],
    });
    let (subject, groups, factor) = sign_in(&entry, &claims).unwrap();
    assert_eq!((subject.as_str(), groups.contains("sre")), ("00uid4BxXw6I6TV4m0g3", Some(true)));
    assert!(factor.is_ok());
    // The organisation's own authorization server is another issuer.
    let org = with(claims.clone(), &json!({"iss": "https://corp.okta.example"}));
    assert!(sign_in(&entry, &org).unwrap_err().contains("`iss`: expected"));
    // It ignores levels that it does not support; groups need a filter.
    let ignored = json!({"acr": "urn:okta:loa:1fa:any", "amr": ["pwd"], "groups": null});
    let (_, groups, factor) = sign_in(&entry, &with(claims, &ignored)).unwrap();
    assert!(matches!(groups, Groups::Unknown(_)), "{groups:?}");
    assert!(
        factor
            .unwrap_err()
            .contains("expected `urn:okta:loa:2fa:any` or `phr`, got `urn:okta:loa:1fa:any`")
    );
}

#[test]
fn google() {
    let entry = provider(
        "https://accounts.google.com",
        "1234987819200.apps.googleusercontent.com",
        "algorithms = ['ES256']\nrequired_claims = { hd = ['corp.example'] }\n\
         levels.mfa = { prompt = 'login', counts = { amr = ['mfa', 'hwk'] } }",
    );
    let claims = json!({
        "iss": "https://accounts.google.com", "azp": "1234987819200.apps.googleusercontent.com",
        "aud": "1234987819200.apps.googleusercontent.com", "sub": "10769150350006150715113082367", "at_hash": "HK6E",
        "hd": "corp.example", "email": "jsmith@corp.example", "email_verified": true, "iat": NOW, "exp": NOW + 3600,
        "nonce": "n",
    });
    for iss in ["https://accounts.google.com", "accounts.google.com"] {
        let (subject, groups, factor) =
            sign_in(&entry, &with(claims.clone(), &json!({"iss": iss}))).unwrap();
        assert_eq!(subject, "10769150350006150715113082367");
        // It never says groups, and says neither how nor when a person authenticated.
        assert!(matches!(groups, Groups::Unknown(_)), "{groups:?}");
        assert!(factor.is_err());
    }
    // Without `hd` it is a private account, even if its address is of the company.
    for (changes, said) in [
        (json!({"hd": null}), "`hd`: expected"),
        (json!({"hd": "evil.example"}), "`hd`: expected"),
        (json!({"hd": "corp.example.evil.example"}), "`hd`: expected"),
        (json!({"iss": "http://accounts.google.com"}), "`iss`: expected"),
        (json!({"iss": "//accounts.google.com"}), "`iss`: expected"),
    ] {
        let error = sign_in(&entry, &with(claims.clone(), &changes)).unwrap_err();
        assert!(error.contains(said), "{changes}: {error}");
    }
    // Another provider's issuer is not found without its scheme.
    let other = provider("https://id.example", "c", "algorithms = ['ES256']");
    assert!(!other.is_issuer("id.example", None) && other.is_issuer("https://id.example", None));
}
