//! Tokens of workloads, and JWT-SVIDs.

use std::time::Duration;

use breakglass_core::token::Algorithm;
use breakglass_identity::{ExpectedJwtSvid, WorkloadIssuer, svid_keys};
use serde_json::{Value, json};

use crate::support::{TestIssuer, bytes, example};

const NOW: u64 = 1_795_675_600;

#[test]
fn a_workload_is_known_by_a_token_of_its_issuer() {
    let issuer = TestIssuer::new("k");
    let expected = WorkloadIssuer {
        issuer: "https://gitlab.corp.example".to_owned(),
        audiences: vec!["breakglass".to_owned()],
        algorithms: vec![Algorithm::Es256],
        max_lifetime: Duration::from_secs(3600),
    };
    let claims = json!({
        "iss": "https://gitlab.corp.example", "sub": "project_path:sre/deploy:ref:main", "aud": ["breakglass"],
        "iat": NOW, "exp": NOW + 3600, "project_id": "7", "ref_protected": "true",
    });
    // Kubernetes writes no `typ`.
    for header in
        [json!({"alg": "ES256", "kid": "k"}), json!({"alg": "ES256", "kid": "k", "typ": "JWT"})]
    {
        let token = issuer.sign_with(&header, &claims);
        let read = issuer.verify(&token, &expected, NOW).unwrap();
        assert_eq!(read.sub, "project_path:sre/deploy:ref:main");
        assert_eq!(read.json.member("ref_protected").and_then(|one| one.as_str()), Some("true"));
        assert_eq!(read.ends.seconds(), NOW + 3600);
    }
    for (claim, value, said) in [
        ("iss", json!("https://gitlab.com"), "`iss`: expected"),
        ("aud", json!("other"), "`aud`: expected"),
        ("exp", json!(NOW + 3601), "at most 1h after `iat`"),
        ("sub", json!(null), "`sub`: expected"),
    ] {
        let mut changed = claims.clone();
        changed[claim] = value;
        let error = issuer.verify(&issuer.sign(&changed), &expected, NOW).unwrap_err().to_string();
        assert!(error.contains(said), "{said}: {error}");
    }
    let access = issuer.sign_with(&json!({"alg": "ES256", "kid": "k", "typ": "at+jwt"}), &claims);
    assert!(issuer.verify(&access, &expected, NOW).is_err());
}

#[test]
fn a_jwt_svid_is_known_by_the_keys_of_its_trust_domain() {
    // The bundle as SPIRE writes it: a key for certificates, and one for JWT-SVIDs without `alg`.
    let real = svid_keys(&bytes("spire-bundle.json")).unwrap();
    assert_eq!(real.kids().collect::<Vec<_>>(), ["ezKMJHcq5sGUiRPIgfWc6icWnkCmED6G"]);
    let none = svid_keys(br#"{"keys": [{"kty": "EC", "use": "x509-svid"}]}"#).unwrap_err();
    assert!(none.to_string().contains("SPIFFE bundle: no usable key"), "{none}");

    let issuer = TestIssuer::new("ezKMJHcq5sGUiRPIgfWc6icWnkCmED6G");
    let expected = ExpectedJwtSvid {
        trust_domain: "corp.example".to_owned(),
        audiences: vec!["breakglass".to_owned()],
        algorithms: vec![Algorithm::Es256],
    };
    let whole = example("spire-jwt-svid.json");
    let judged = |change: &dyn Fn(&mut Value)| {
        let mut token = whole.clone();
        change(&mut token);
        let verified = issuer.verify(&issuer.sign_example(&token), &expected, NOW);
        verified.map(|svid| svid.spiffe_id.clone()).map_err(|error| error.to_string())
    };
    let id = "spiffe://corp.example/ns/ci/sa/deployer";
    assert_eq!(judged(&|_| ()).as_deref(), Ok(id));
    assert_eq!(judged(&|token| token["header"]["typ"] = "JOSE".into()).as_deref(), Ok(id));
    for sub in [
        "spiffe://corp.example.evil.example/ns/ci",
        "spiffe://evil.example/corp.example/",
        "spiffe://corp.example",
        "spiffe://corp.example/",
        "spiffe://corp.example/ns/../admin",
        "spiffe://corp.example/ns//ci",
        "spiffe://corp.example/ns?x",
        "spiffe://corp.example:443/ns",
        "https://corp.example/ns",
    ] {
        let error = judged(&|token| token["payload"]["sub"] = sub.into()).unwrap_err();
        assert!(error.contains("`sub`: expected `spiffe://corp.example/..`"), "{sub}: {error}");
    }
    let error = judged(&|token| token["payload"]["aud"] = "other".into()).unwrap_err();
    assert!(error.contains("`aud`: expected"), "{error}");
}
