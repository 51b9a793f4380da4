//! `breakglass keygen certificates`: a service and its clients take what it makes, and each for its own purpose alone.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use breakglass_testing::service::config;

use crate::process::{Ran, Server, breakglass, until};
use crate::serve_tls::feed;

fn keygen(out: &Path, arguments: &[&str]) -> Ran {
    let mut command = breakglass();
    command.args(["--json", "keygen", "certificates", "--out"]).arg(out).args(arguments);
    Ran::from(command.output().unwrap())
}

/// A certificate and its key, in PEM.
fn identity(directory: &Path, name: &str) -> (String, String) {
    let read = |end: &str| fs::read_to_string(directory.join(format!("{name}.{end}"))).unwrap();
    (read("crt"), read("key"))
}

/// The names in a directory, with their modes.
fn files(directory: &Path) -> Vec<(String, u32)> {
    let of = |entry: fs::DirEntry| {
        let mode = entry.metadata().unwrap().permissions().mode() & 0o7777;
        (entry.file_name().into_string().unwrap(), mode)
    };
    let mut files: Vec<_> =
        fs::read_dir(directory).unwrap().map(|entry| of(entry.unwrap())).collect();
    files.sort();
    files
}

/// A service with the certificate in `made`, which asks for client certificates of the authority there.
fn serve(directory: tempfile::TempDir, made: &Path, proxies: &str) -> Server {
    let at = made.display();
    let tls = format!(
        "[tls]\ncertificate_file = \"{at}/service.crt\"\nkey_file = \"{at}/service.key\"\nclient_ca_file = \"{at}/ca.crt\"\n"
    );
    let text = format!("{}\n{proxies}{tls}", config(&directory));
    Server::start_with(directory, &text)
}

#[test]
fn a_service_and_its_clients_take_what_it_makes() {
    let directory = tempfile::tempdir().unwrap();
    let made = directory.path().join("made");
    let spiffe = "spiffe://cluster.local/ns/edge/sa/envoy";
    let edge = format!("edge-2={spiffe}");
    let names = ["--dns", "approvals.test", "--dns", "127.0.0.1"];
    let ran = keygen(&made, &[&names[..], &["--proxy", "edge-1", "--proxy", &edge]].concat());
    assert_eq!(ran.code, 0, "{ran:?}");
    let told = ran.json();
    assert_eq!(told["service"]["names"], serde_json::json!(["approvals.test", "127.0.0.1"]));
    assert_eq!(told["proxies"][0]["certificate_san"], "edge-1");
    assert_eq!(told["proxies"][1]["certificate_san"], spiffe);
    assert_eq!(told["service"]["key"], made.join("service.key").to_str().unwrap());
    let sha256 = told["proxies"][1]["certificate_sha256"].as_str().unwrap();
    assert_eq!(fs::metadata(&made).unwrap().permissions().mode() & 0o7777, 0o700);
    let both = |name: &str| [(format!("{name}.crt"), 0o644), (format!("{name}.key"), 0o600)];
    assert_eq!(files(&made), ["ca", "edge-1", "edge-2", "service"].map(both).concat());

    let proxies = format!(
        "[[proxies]]\nname = \"edge-1\"\ncertificate_san = \"edge-1\"\n\
         [[proxies]]\nname = \"edge-2\"\ncertificate_san = \"{spiffe}\"\ncertificate_sha256 = \"{sha256}\"\n"
    );
    let server = serve(directory, &made, &proxies);
    let authority = fs::read_to_string(made.join("ca.crt")).unwrap();
    for name in ["edge-1", "edge-2"] {
        let answer = feed(&server, &authority, identity(&made, name));
        assert!(answer.starts_with("HTTP/1.1 200"), "{name}: {answer}");
    }
    // The service's own certificate is no client's, so who has its key cannot be a proxy.
    let answer = feed(&server, &authority, identity(&made, "service"));
    assert_eq!(answer, "", "a handshake with the service's certificate as the client's");
    // The command line, by the address that the certificate names.
    let ca_file = made.join("ca.crt");
    let arguments = ["status", "--ca-file", ca_file.to_str().unwrap()];
    server.run("alice", &arguments).done();
    assert_eq!(server.run("alice", &["status"]).code, 1, "without the authority");
}

#[test]
fn a_proxys_certificate_is_no_services() {
    let directory = tempfile::tempdir().unwrap();
    let made = directory.path().join("made");
    let names =
        ["--dns", "approvals.test", "--proxy", "imposter=approvals.test", "--proxy", "edge"];
    assert_eq!(keygen(&made, &names).code, 0);
    for end in ["crt", "key"] {
        let at = |name: &str| made.join(format!("{name}.{end}"));
        fs::rename(at("imposter"), at("service")).unwrap();
    }
    let server =
        serve(directory, &made, "[[proxies]]\nname = \"edge\"\ncertificate_san = \"edge\"\n");
    let authority = fs::read_to_string(made.join("ca.crt")).unwrap();
    assert_eq!(feed(&server, &authority, identity(&made, "edge")), "", "a handshake");
}

#[test]
fn a_renewal_signs_what_is_named_with_the_authority_that_is_there() {
    let directory = tempfile::tempdir().unwrap();
    let made = directory.path().join("made");
    let first = ["--dns", "approvals.test", "--proxy", "edge-1", "--proxy", "edge-2"];
    assert_eq!(keygen(&made, &first).code, 0);
    let read = |name: &str| identity(&made, name);
    let before = ["ca", "service", "edge-1", "edge-2"].map(read);

    let proxies = ["edge-1", "edge-3"];
    let entry = |name| format!("[[proxies]]\nname = \"{name}\"\ncertificate_san = \"{name}\"\n");
    let server = serve(directory, &made, &proxies.map(entry).concat());
    let renewal = ["--renew", "--dns", "approvals.test", "--proxy", "edge-1", "--proxy", "edge-3"];
    let ran = keygen(&made, &renewal);
    assert_eq!(ran.code, 0, "{ran:?}");
    let after = ["ca", "service", "edge-1", "edge-2"].map(read);
    let is_new: Vec<bool> = before.iter().zip(&after).map(|(old, new)| old != new).collect();
    assert_eq!(is_new, [false, true, true, false]);
    until(|| server.log().contains("certificate read again"));
    let (authority, _) = read("ca");
    for identity in [read("edge-1"), read("edge-3"), before[2].clone()] {
        let answer = feed(&server, &authority, identity);
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }

    // Another proxy, and nothing for the service.
    assert_eq!(keygen(&made, &["--renew", "--proxy", "edge-4"]).code, 0);
    assert_eq!(read("service"), after[1]);
}

#[test]
fn what_cannot_be_right_is_refused_before_a_file_is_written() {
    let directory = tempfile::tempdir().unwrap();
    let made = directory.path().join("made");
    for (arguments, words) in [
        (&["--dns", "https://approvals.test"][..], "without scheme and port"),
        (&["--dns", "approvals.test:8443"], "without scheme and port"),
        (&["--dns", ""], "expected a DNS name"),
        (&[], "--dns"),
        (&["--dns", "a.test", "--proxy", "../gate"], "letters, digits"),
        (&["--dns", "a.test", "--proxy", "ca"], "choose another name"),
        (&["--dns", "a.test", "--proxy", "gate=*.test"], "without `*`"),
        (&["--dns", "a.test", "--proxy", "gate", "--proxy", "gate=b.test"], "there twice"),
        (&["--dns", "a.test", "--valid-for", "3650d"], "days of the authority"),
        (&["--dns", "a.test", "--valid-for", "0s"], "expected a duration"),
    ] {
        let ran = keygen(&made, arguments);
        assert_eq!((ran.code, ran.stderr.contains(words)), (3, true), "{arguments:?}: {ran:?}");
        assert!(!made.exists(), "{arguments:?}");
    }
    assert_eq!(
        keygen(&made, &["--renew", "--dns", "a.test"]).code,
        1,
        "no authority to renew with"
    );

    assert_eq!(keygen(&made, &["--dns", "a.test"]).code, 0);
    let before = identity(&made, "ca");
    let ran = keygen(&made, &["--dns", "a.test"]);
    assert_eq!((ran.code, ran.stderr.contains("--renew")), (3, true), "{ran:?}");
    assert_eq!(identity(&made, "ca"), before);
    // The authority must not end before what it signs.
    let file: PathBuf = made.join("ca.crt");
    fs::write(&file, short_lived(&before.1)).unwrap();
    let ran = keygen(&made, &["--renew", "--dns", "a.test"]);
    assert_eq!((ran.code, ran.stderr.contains("the authority itself ends")), (3, true), "{ran:?}");
}

/// A certificate of this key that has ended.
fn short_lived(key: &str) -> String {
    let mut parameters = rcgen::CertificateParams::default();
    parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    parameters.not_after = rcgen::date_time_ymd(2021, 1, 1);
    let key = rcgen::KeyPair::from_pem(key).unwrap();
    parameters.self_signed(&key).unwrap().pem()
}
