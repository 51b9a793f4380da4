//! The certificates of the listeners, their keys, and the certificate authorities of clients.

use super::report::{Finding, Report, quoted};
use crate::clock::{Moment, rfc3339};
use crate::config::{Config, Tls, Transport};
use crate::tls::{Endpoint, Now, TlsError};

/// How long before its end a certificate is a finding, in seconds: two weeks.
const SOON_S: i64 = 14 * 24 * 60 * 60;

/// What the service does once the files are replaced.
const READ_AGAIN: &str = "the service reads them again within two seconds";

pub(super) fn look(config: &Config, now: Moment, report: &mut Report) {
    let mut seen: Vec<Tls> = Vec::new();
    for listener in config.resolved_listeners() {
        let Transport::Tls(tls) = listener.transport else { continue };
        // Most listeners share one.
        if seen.contains(&tls) {
            continue;
        }
        files(&listener.address.to_string(), &tls, now, report);
        seen.push(tls);
    }
}

fn files(listener: &str, tls: &Tls, now: Moment, report: &mut Report) {
    let endpoint =
        match Endpoint::open(listener.to_owned(), tls.clone(), Now::new(move || now)) {
            Ok(endpoint) => endpoint,
            Err(errors) => {
                report.checked(errors.iter().map(|error| {
                    Finding::new(format!("tls of {listener}: {error}"), fix(error, tls))
                }));
                return;
            }
        };
    let certificate = endpoint.certificate();
    let path = quoted(&tls.certificate_file);
    report.checked(soon(certificate.not_after, now).map(|at| {
        Finding::new(
            format!("tls of {listener}: the certificate in {path} expires at {at}"),
            format!("renew it, and replace {path} and {}; {READ_AGAIN}", quoted(&tls.key_file)),
        )
    }));
    if let (Some(last), Some(path)) = (endpoint.authorities_expire(), &tls.client_ca_file) {
        let path = quoted(path);
        report.checked(soon(last, now).map(|at| {
            Finding::new(
                format!(
                    "tls of {listener}: the last certificate authority of clients in {path} expires at {at}"
                ),
                format!("add its successor to {path}; {READ_AGAIN}"),
            )
        }));
    }
}

/// The end, where it is near.
fn soon(not_after: Moment, now: Moment) -> Option<String> {
    let left = not_after.seconds().saturating_sub(now.seconds());
    (left < SOON_S).then(|| rfc3339(not_after.seconds()))
}

fn fix(error: &TlsError, tls: &Tls) -> String {
    let (certificate, key) = (quoted(&tls.certificate_file), quoted(&tls.key_file));
    match error {
        TlsError::Access(_) => format!("chmod 600 {key}, as the service's user or root owns it"),
        TlsError::OtherKey { .. } => {
            format!("replace {certificate} and {key} by files that belong together; {READ_AGAIN}")
        }
        TlsError::Expired { path, .. } => {
            format!("renew the certificate, and replace {}; {READ_AGAIN}", quoted(path))
        }
        TlsError::NotYet { .. } => {
            "set the clock if it is behind: `timedatectl` says whether NTP keeps it".to_owned()
        }
        TlsError::Io(path, _) => {
            format!("put the file there, readable for the service's user: `ls -l {}`", quoted(path))
        }
        TlsError::Content { path, .. } => format!(
            "replace {} by PEM that `openssl storeutl -noout -text {}` reads",
            quoted(path),
            quoted(path)
        ),
        TlsError::Library(_) => format!("replace {certificate} and {key}"),
    }
}
