//! How the service authenticates itself to a provider, and which providers' certificates it trusts: over real TLS.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;
use std::sync::Arc;
use std::thread;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass_identity::{ClientAuthentication, Provider, SignInError};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use serde_json::{Value, json};

use crate::sign_in::{NOW, plain, sign_in};
use crate::support::{FakeProvider, at, random};

/// A certificate authority with a certificate for `localhost`, and what a client needs, in files.
struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Authority {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Authority {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
        }
    }

    /// A certificate and its key, in PEM.
    fn sign(&self, name: &str) -> (CertificateDer<'static>, String, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        (certificate.der().clone(), certificate.pem(), key)
    }

    /// TLS for a provider that asks each client for a certificate of this authority, and takes clients without.
    fn server(&self) -> ServerConfig {
        let (certificate, _, key) = self.sign("localhost");
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
        let verifier = verifier.allow_unauthenticated().build().unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        config
            .unwrap()
            .with_client_cert_verifier(verifier)
            .with_single_cert(vec![certificate], key)
            .unwrap()
    }

    fn write(&self, path: &Path) {
        fs::write(path, self.issuer.pem()).unwrap();
    }
}

/// Signs in by this way of proving who the service is, and says what came with the code.
fn signs_in_by(
    fake: &FakeProvider,
    authentication: ClientAuthentication,
    more: &str,
) -> Result<crate::support::FakeRequest, SignInError> {
    let mut entry = fake.entry(more);
    entry.client_authentication = authentication;
    let provider = Provider::new(entry, random());
    sign_in(fake, &provider, &plain(), json!({}))?;
    Ok(fake.requests("/token").pop().unwrap())
}

#[test]
fn a_provider_is_trusted_by_its_ca_file_alone() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let ca = folder.path().join("ca.pem");
    authority.write(&ca);
    let fake = FakeProvider::start_tls(authority.server());
    let trusting = fake.provider(&folder, &format!("ca_file = '{}'", ca.display()));
    assert!(sign_in(&fake, &trusting, &plain(), json!({})).is_ok());
    let public = fake.provider(&folder, "");
    let error = public.begin(&plain(), at(NOW)).unwrap_err().to_string();
    assert!(error.starts_with("no answer from") && error.contains("certificate"), "{error}");
    let missing = fake.provider(&folder, "ca_file = '/nonexistent/ca.pem'");
    let error = missing.begin(&plain(), at(NOW)).unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent/ca.pem: "), "{error}");
}

#[test]
fn a_provider_is_reached_by_the_proxy_of_its_entry() {
    let folder = tempfile::tempdir().unwrap();
    let fake = FakeProvider::start();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at_proxy = listener.local_addr().unwrap();
    let asked = thread::spawn(move || {
        let mut line = String::new();
        BufReader::new(listener.accept().unwrap().0).read_line(&mut line).unwrap();
        line
    });
    let provider = fake.provider(&folder, &format!("proxy = 'http://{at_proxy}'"));
    let error = provider.begin(&plain(), at(NOW)).unwrap_err().to_string();
    assert!(error.starts_with("no answer from") || error.contains("no HTTP"), "{error}");
    let host = fake.url.strip_prefix("http://").unwrap();
    let line = asked.join().unwrap();
    assert!(line.contains(host), "{line}");
    assert!(fake.requests("/.well-known/openid-configuration").is_empty());
}

#[test]
fn by_a_client_certificate() {
    let (authority, folder) = (Authority::new(), tempfile::tempdir().unwrap());
    let [ca, file, key_file] =
        ["ca.pem", "client.pem", "client-key.pem"].map(|name| folder.path().join(name));
    authority.write(&ca);
    let (_, certificate, key) = authority.sign("breakglass");
    fs::write(&file, certificate).unwrap();
    fs::write(&key_file, key.serialize_pem()).unwrap();
    let fake = FakeProvider::start_tls(authority.server());
    // RFC 8705 section 5: such clients may have an endpoint of their own.
    let mut discovery = fake.discovery();
    discovery["token_endpoint"] = format!("{}/token-without", fake.url).into();
    discovery["mtls_endpoint_aliases"] = json!({"token_endpoint": format!("{}/token", fake.url)});
    fake.answer_json("/.well-known/openid-configuration", 200, &discovery);
    let authentication = ClientAuthentication::Certificate { file, key_file: key_file.clone() };
    let ca = format!("ca_file = '{}'", ca.display());
    let request = signs_in_by(&fake, authentication.clone(), &ca).unwrap();
    assert!(request.has_certificate && request.form["client_id"] == "breakglass");
    assert!(!request.headers.contains_key("authorization"));
    fs::write(&key_file, "not a key").unwrap();
    let mut entry = fake.entry(&ca);
    entry.client_authentication = authentication;
    let error = Provider::new(entry, random()).begin(&plain(), at(NOW)).unwrap_err().to_string();
    assert!(error.ends_with("client-key.pem: expected a private key in PEM"), "{error}");
}

#[test]
fn by_a_secret_in_the_form_where_the_provider_takes_no_other_way() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let mut discovery = fake.discovery();
    discovery["token_endpoint_auth_methods_supported"] = json!(["client_secret_post"]);
    fake.answer_json("/.well-known/openid-configuration", 200, &discovery);
    let file = folder.path().join("secret");
    fs::write(&file, "s3cret\n").unwrap();
    let request = signs_in_by(&fake, ClientAuthentication::Secret(file.clone()), "").unwrap();
    assert_eq!(
        (request.form["client_id"].as_str(), request.form["client_secret"].as_str()),
        ("breakglass", "s3cret")
    );
    assert!(!request.headers.contains_key("authorization"));
    // It is read each time.
    fs::write(&file, "  \n").unwrap();
    let error = signs_in_by(&fake, ClientAuthentication::Secret(file), "").unwrap_err().to_string();
    assert!(error.ends_with("secret: expected a secret or a token, got an empty file"), "{error}");
}

#[test]
fn by_an_assertion_that_another_program_keeps() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let file = folder.path().join("token");
    for assertion in ["eyJ.first.x", "eyJ.second.x"] {
        fs::write(&file, format!("{assertion}\n")).unwrap();
        let request =
            signs_in_by(&fake, ClientAuthentication::Assertion(file.clone()), "").unwrap();
        assert_eq!(request.form["client_assertion"], assertion);
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        assert_eq!(request.form["client_assertion_type"], kind);
    }
}

#[test]
fn by_an_assertion_that_it_signs() {
    let (fake, folder) = (FakeProvider::start(), tempfile::tempdir().unwrap());
    let file = folder.path().join("key.pem");
    for (algorithm, name) in [
        (&rcgen::PKCS_ECDSA_P256_SHA256, "ES256"),
        (&rcgen::PKCS_ECDSA_P384_SHA384, "ES384"),
        (&rcgen::PKCS_ED25519, "EdDSA"),
    ] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        fs::write(&file, key.serialize_pem()).unwrap();
        let by = ClientAuthentication::PrivateKey { file: file.clone(), id: "key-1".to_owned() };
        let request = signs_in_by(&fake, by, "").unwrap();
        let assertion = &request.form["client_assertion"];
        let parts: Vec<&str> = assertion.split('.').collect();
        let [header, claims] = [parts[0], parts[1]].map(|part| {
            serde_json::from_slice::<Value>(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        });
        assert_eq!(header, json!({"alg": name, "typ": "JWT", "kid": "key-1"}));
        // For one audience, not from the future, short, and not the same twice.
        assert_eq!(claims["aud"], format!("{}/token", fake.url));
        assert_eq!(
            (claims["iss"].as_str(), claims["sub"].as_str()),
            (Some("breakglass"), Some("breakglass"))
        );
        let times = (claims["iat"].as_u64(), claims["exp"].as_u64());
        assert_eq!(times, (Some(NOW + 5), Some(NOW + 65)));
        assert!(claims["jti"].as_str().unwrap().len() == 43 && claims.get("nbf").is_none());
        assert!(is_signed_by(&key, name, &parts));
    }
    fs::write(&file, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n").unwrap();
    let by = ClientAuthentication::PrivateKey { file, id: "key-1".to_owned() };
    let error = signs_in_by(&fake, by, "").unwrap_err().to_string();
    assert!(error.contains("expected a private key of P-256, P-384, Ed25519 or RSA"), "{error}");
}

fn is_signed_by(key: &KeyPair, algorithm: &str, parts: &[&str]) -> bool {
    use rcgen::PublicKeyData as _;
    use ring::signature as ring;
    let algorithm: &dyn ring::VerificationAlgorithm = match algorithm {
        "ES256" => &ring::ECDSA_P256_SHA256_FIXED,
        "ES384" => &ring::ECDSA_P384_SHA384_FIXED,
        _ => &ring::ED25519,
    };
    let text = format!("{}.{}", parts[0], parts[1]);
    let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
    let public = ring::UnparsedPublicKey::new(algorithm, key.der_bytes());
    public.verify(text.as_bytes(), &signature).is_ok()
}
