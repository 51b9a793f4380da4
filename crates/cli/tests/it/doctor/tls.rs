//! Faults of certificates and their keys.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};

use super::{doctor, found_alone, healthy, server};
use crate::serve_tls::{Authority, authority, issue, write};

type Case = (fn(&Path, &Authority), &'static str, &'static str);

/// An authority that is valid until then.
fn authority_until(year: i32) -> String {
    let mut parameters = CertificateParams::new(Vec::new()).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    parameters.not_after = rcgen::date_time_ymd(year, 1, 1);
    let issuer: Authority =
        CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap();
    issuer.pem()
}

/// A certificate that ends in twelve days.
#[expect(clippy::disallowed_methods, reason = "certificates are judged by the real time")]
fn ends_soon(authority: &Authority) -> (String, String) {
    let mut parameters = CertificateParams::new(vec!["approvals.test".to_owned()]).unwrap();
    parameters.not_before = rcgen::date_time_ymd(2020, 1, 1);
    let soon = std::time::SystemTime::now() + std::time::Duration::from_secs(12 * 86_400);
    parameters.not_after = soon.into();
    let key = KeyPair::generate().unwrap();
    (parameters.signed_by(&key, authority).unwrap().pem(), key.serialize_pem())
}

const FAULTS: &[Case] = &[
    (
        |at, authority| drop(write(at, authority, issue(authority, "a.test", 2021))),
        "got one that expired at 2021-01-01T00:00:00Z",
        "renew the certificate, and replace ",
    ),
    (
        |at, authority| drop(write(at, authority, ends_soon(authority))),
        "tls.crt expires at ",
        "the service reads them again within two seconds",
    ),
    (
        |at, authority| fs::write(at.join("tls.key"), issue(authority, "a.test", 2090).1).unwrap(),
        "got another one: replace both files",
        "by files that belong together",
    ),
    (
        |at, _| fs::set_permissions(at.join("tls.key"), Permissions::from_mode(0o644)).unwrap(),
        "others than its owner may read it",
        "chmod 600 ",
    ),
    (|at, _| fs::remove_file(at.join("tls.crt")).unwrap(), "No such file", "ls -l "),
    (
        |at, _| fs::write(at.join("tls.crt"), "no certificate").unwrap(),
        "expected at least one certificate",
        "openssl storeutl -noout -text ",
    ),
    (
        |at, _| fs::write(at.join("ca.crt"), authority_until(2021)).unwrap(),
        "ca.crt",
        "renew the certificate",
    ),
];

#[test]
fn each_fault_of_a_certificate_is_found_alone_with_what_fixes_it() {
    let folder = server().leave("TERM");
    let authority = authority();
    for (provoke, what, fix) in FAULTS {
        let tls = write(folder.path(), &authority, issue(&authority, "approvals.test", 2090));
        fs::write(folder.path().join("config.toml"), format!("{}\n{tls}", healthy(&folder)))
            .unwrap();
        let ran = doctor(folder.path());
        assert_eq!(ran.code, 0, "{ran:?}");
        provoke(folder.path(), &authority);
        found_alone(&doctor(folder.path()), what, fix);
    }
}
