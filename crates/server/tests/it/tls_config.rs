//! The configuration of listeners: what is refused, what is warned of, and what of before goes on.

use breakglass_server::config::{Config, InvalidConfig, Plain, Transport};

use crate::tls::configuration;

fn parse(head: &str, tail: &str) -> Result<Config, Vec<String>> {
    let directory = tempfile::tempdir().unwrap();
    match Config::parse(&configuration(&directory, head, tail)) {
        Ok(config) => Ok(config),
        Err(InvalidConfig::Fields(errors)) => Err(errors.iter().map(ToString::to_string).collect()),
        Err(other) => panic!("{other}"),
    }
}

const FILES: &str = "certificate_file = \"c\"\nkey_file = \"k\"\n";

#[test]
fn what_is_wrong_is_said_with_its_field() {
    let plain = |index: usize, address: &str| {
        format!(
            "listeners[{index}]: {address} would be plain HTTP, and other machines can connect to it: give it `tls`, \
             or say `insecure_http = true`"
        )
    };
    let rows: [(String, Vec<String>); 9] = [
        (
            "[[listeners]]\naddress = \"0.0.0.0:1\"\n[[listeners]]\naddress = \"[::]:1\"\n".to_owned(),
            vec![plain(0, "0.0.0.0:1"), plain(1, "[::]:1")],
        ),
        (
            "[[listeners]]\naddress = \"0.0.0.0:1\"\nserves = [\"proxies\"]\ninsecure_http = true\n".to_owned(),
            vec!["listeners: no listener serves people: without one nothing can be asked for, approved or revoked".to_owned()],
        ),
        (
            "[[listeners]]\naddress = \"127.0.0.1:1\"\n[[listeners]]\naddress = \"127.0.0.1:1\"\n".to_owned(),
            vec!["listeners[1].address: also the address of listeners[0]".to_owned()],
        ),
        (
            format!("[[listeners]]\naddress = \"unix:/a\"\n[listeners.tls]\n{FILES}"),
            vec!["listeners[0].tls: a Unix socket is plain HTTP: leave `tls` out".to_owned()],
        ),
        (
            format!("[[listeners]]\naddress = \"0.0.0.0:1\"\ninsecure_http = true\n[listeners.tls]\n{FILES}"),
            vec!["listeners[0].insecure_http: this listener has `tls`: leave out one of the two".to_owned()],
        ),
        (
            "[[listeners]]\naddress = \"localhost:1\"\nserves = [\"people\", \"people\"]\n".to_owned(),
            vec![
                "listeners[0].address: expected an address such as `127.0.0.1:8300` or `unix:/run/breakglass/api.sock`, got `localhost:1`".to_owned(),
                "listeners[0].serves[1]: named twice".to_owned(),
            ],
        ),
        (
            format!("[tls]\n{FILES}client_certificates = \"required\"\n"),
            vec!["tls.client_certificates: `required` needs `client_ca_file`: the certificate authorities of client certificates".to_owned()],
        ),
        (
            "[[proxies]]\nname = \"other\"\n".to_owned(),
            vec!["proxies[1]: expected `token_sha256`, `certificate_san` or `certificate_sha256`: by what the proxy is known".to_owned()],
        ),
        (
            "[[proxies]]\nname = \"one\"\ncertificate_san = \"a.test\"\n[[proxies]]\nname = \"two\"\ncertificate_san = [\"b.test\", \"a.test\"]\n".to_owned(),
            vec!["proxies[2].certificate_san: also a certificate of proxies[1]".to_owned()],
        ),
    ];
    for (tail, expected) in rows {
        assert_eq!(parse("", &tail).unwrap_err(), expected, "{tail}");
    }
    let found = parse("insecure_http = true", &format!("[tls]\n{FILES}")).unwrap_err();
    assert_eq!(found, ["insecure_http: there is a top-level `tls`: leave out one of the two"]);
    // Both, and the words of the short form.
    let directory = tempfile::tempdir().unwrap();
    let short = configuration(&directory, "insecure_http = true", "");
    let both = format!("{short}\n[[listeners]]\naddress = \"127.0.0.1:1\"\n");
    let Err(InvalidConfig::Fields(found)) = Config::parse(&both) else { panic!("{both}") };
    let paths: Vec<&str> = found.iter().map(|error| error.path.as_str()).collect();
    assert_eq!(paths, ["listen", "insecure_http"]);
}

#[test]
fn a_configuration_of_before_is_valid_with_a_warning_where_it_is_plain_http_for_others() {
    let directory = tempfile::tempdir().unwrap();
    let before = configuration(&directory, "", "");
    let listening = |address: &str, head: &str| {
        let text = before.replace("127.0.0.1:0", address);
        Config::parse(&format!("{head}\n{text}")).unwrap()
    };
    let rows = [
        ("127.0.0.1:1", "", Plain::Local, false),
        ("[::1]:1", "", Plain::Local, false),
        ("0.0.0.0:1", "", Plain::Undeclared, true),
        ("10.0.0.1:1", "", Plain::Undeclared, true),
        ("10.0.0.1:1", "insecure_http = true", Plain::Declared, false),
    ];
    for (address, head, plain, warned) in rows {
        let config = listening(address, head);
        let listeners = config.resolved_listeners();
        assert_eq!(listeners.len(), 1);
        assert_eq!(listeners[0].transport, Transport::Plain(plain), "{address}");
        let warnings = config.warnings();
        let warning = warnings.iter().any(|warning| warning.starts_with("listen: "));
        assert_eq!(warning, warned, "{address} {warnings:?}");
    }
}

#[test]
fn a_proxy_whose_certificate_no_listener_asks_for_is_warned_of() {
    let proxy =
        "[[proxies]]\nname = \"edge\"\ncertificate_san = \"a.test\"\naudiences = [\"prod\"]\n";
    let warned = |tail: &str| {
        let warnings = parse("", &format!("{proxy}{tail}")).unwrap().warnings();
        warnings.iter().any(|warning| warning.starts_with("proxies[1] (`edge`): no listener asks"))
    };
    assert!(warned(""));
    assert!(warned(&format!("[tls]\n{FILES}")));
    assert!(!warned(&format!("[tls]\n{FILES}client_ca_file = \"a\"\n")));
}
