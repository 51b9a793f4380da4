//! Mail by a real mail server: STARTTLS or nothing, letters in plain text and HTML, and no text of a client is a header or
//! a tag.

use std::fs;

use breakglass_server::clock::Moment;
use breakglass_server::sinks::{Event, For, Message, prepare};
use breakglass_testing::service::START;
use breakglass_testing::smtp::MailServer;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use serde_json::{Value, json};

use super::deliveries::{list, service, until};
use super::hostile::all_hostile;
use super::sinks::sinks;

/// A certificate for `localhost` with its key, and the authority that it is of.
fn certificate() -> (String, String, String) {
    let authority_key = KeyPair::generate().unwrap();
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let root = authority.self_signed(&authority_key).unwrap().pem();
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let certificate = certificate.signed_by(&key, &issuer).unwrap().pem();
    (certificate, key.serialize_pem(), root)
}

fn entry(server: &MailServer, more: &str) -> String {
    format!(
        "[[sinks]]\nname = \"mail\"\ntype = \"mail\"\nhost = \"localhost\"\nport = {}\nfrom = \"Breakglass <breakglass@corp.example>\"\n\
         to = [\"oncall@corp.example\", \"leads@corp.example\"]\n{more}\n",
        server.port
    )
}

fn header<'a>(letter: &'a Value, name: &str) -> &'a str {
    let headers = letter["headers"].as_array().unwrap();
    let found: Vec<&Value> = headers.iter().filter(|one| one[0] == name).collect();
    assert_eq!(found.len(), 1, "{name}: {headers:?}");
    found[0][1].as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_letter_goes_by_starttls_to_a_server_that_proves_itself_and_is_tried_again() {
    let (certificate, key, root) = certificate();
    let server = MailServer::with_tls(&certificate, &key, &["451 later", "554 never"]);
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display();
    fs::write(folder.path().join("ca"), root).unwrap();
    fs::write(folder.path().join("password"), "secret\n").unwrap();
    let login = format!("username = \"breakglass\"\npassword_file = \"{at}/password\"");
    let service = service(&entry(&server, &format!("ca_file = \"{at}/ca\"\n{login}"))).await;
    let reason = "orders are stuck <script>x</script> <img src=x onerror=\"x\"> ünïcode";
    let body = json!({ "scopes": ["orders:read"], "reason": reason, "duration": "30m" });
    let id =
        service.post("alice", "/v1/requests", body).await.ok()["id"].as_str().unwrap().to_owned();
    until(async || {
        service.advance(1);
        server.letters().len() == 1
    })
    .await;
    let letter = &server.letters()[0];
    assert_eq!((&letter["tls"], &letter["user"]), (&json!(true), &json!("breakglass")));
    assert_eq!(letter["from"], "breakglass@corp.example");
    assert_eq!(letter["to"], json!(["oncall@corp.example", "leads@corp.example"]));
    assert_eq!(header(letter, "Subject"), "[breakglass] alice asks for orders:read");
    assert_eq!(header(letter, "Auto-Submitted"), "auto-generated");
    let event = service.get("grace", "/v1/audit/events").await.ok()["events"][0]["id"].clone();
    let event = event.as_str().unwrap();
    assert_eq!(header(letter, "X-Breakglass-Event"), event);
    assert_eq!(header(letter, "Message-ID"), format!("<{event}@corp.example>"));
    let link = format!("https://approvals.test/requests/{id}");
    for part in ["plain", "html"] {
        let text = letter[part].as_str().unwrap();
        for expected in
            ["orders are stuck", "30m from approval", &format!("breakglass approve {id}"), &link]
        {
            assert!(text.contains(expected), "{part}: {expected}: {text}");
        }
    }
    assert!(letter["plain"].as_str().unwrap().contains(reason));
    let html = letter["html"].as_str().unwrap();
    assert!(html.contains("&lt;img src=x onerror=&quot;x&quot;&gt; ünïcode"), "{html}");
    assert!(!html.contains("<script") && !html.contains("<img"), "{html}");
    until(async || list(&service, "").await["deliveries"][0]["state"] == "delivered").await;
    let delivery = &list(&service, "").await["deliveries"][0];
    assert_eq!((&delivery["attempts"], &delivery["outcome"]), (&json!(3), &json!("250 kept as 3")));
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_without_tls_or_to_a_server_that_another_authority_proves() {
    let (certificate, key, _) = certificate();
    let other = self::certificate().2;
    let folder = tempfile::tempdir().unwrap();
    let ca = folder.path().join("ca");
    fs::write(&ca, other).unwrap();
    let ca = format!("ca_file = \"{}\"", ca.display());
    for (name, server, expected) in [
        ("no STARTTLS", MailServer::plain(), "STARTTLS"),
        ("another authority", MailServer::with_tls(&certificate, &key, &[]), "certificate"),
    ] {
        let service = service(&entry(&server, &ca)).await;
        service.pending().await;
        until(async || list(&service, "").await["sinks"][0].get("error").is_some()).await;
        let error = list(&service, "").await["sinks"][0]["error"].clone();
        assert!(error.as_str().unwrap().contains(expected), "{name}: {error}");
        assert!(server.letters().is_empty(), "{name}");
    }
    // On this machine itself it may be meant.
    let server = MailServer::plain();
    let service = service(&entry(&server, "encryption = \"none\"")).await;
    service.pending().await;
    assert_eq!(server.until(1).await[0]["tls"], false);
}

#[test]
fn no_text_of_a_client_is_a_header_or_a_tag() {
    let directory = tempfile::tempdir().unwrap();
    let text = "[[sinks]]\nname = \"m\"\ntype = \"mail\"\nhost = \"localhost\"\nfrom = \"b@corp.example\"\nto = [\"o@corp.example\"]";
    let sink = &sinks(&directory, text)[0];
    let names = |text: &str| -> Vec<String> {
        let head = text.split("\r\n\r\n").next().unwrap();
        let lines = head.split("\r\n").filter(|line| !line.starts_with([' ', '\t']));
        lines.map(|line| line.split(':').next().unwrap().to_owned()).collect()
    };
    let mut expected = None;
    for notice in all_hostile() {
        let event = Event {
            notice: &notice,
            source: "https://approvals.test",
            now: Moment::from_seconds(START),
            purpose: For::Sending,
            to: None,
        };
        let Message::Letter(letter) = prepare(sink, event).unwrap() else { panic!() };
        let text = String::from_utf8(letter.text).unwrap();
        assert!(text.lines().all(|line| line.len() <= 998), "RFC 5322 section 2.1.1");
        let names = names(&text).into_iter().filter(|name| name != "References");
        let names: Vec<String> = names.collect();
        assert_eq!(expected.get_or_insert_with(|| names.clone()), &names, "{text}");
        let to: Vec<String> = letter.envelope.to().iter().map(ToString::to_string).collect();
        assert_eq!(to, ["o@corp.example"]);
    }
}
