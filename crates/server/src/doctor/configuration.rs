//! The configuration: its errors, its warnings, and what it says of plain HTTP.

use std::path::Path;

use super::report::{Finding, Report, quoted};
use crate::config::{Config, Files, Plain, ResolvedListener, Transport};
use crate::reload::{ConfigFile, InvalidConfigFile};

/// The configuration at `path`, if it is valid.
pub(super) fn look(path: &Path, report: &mut Report) -> Option<ConfigFile> {
    if let Err(errors) = Files::read(path) {
        for error in errors {
            report.not_checked("the configuration", format!("{error}: `--config PATH` names it"));
        }
        return None;
    }
    let validate = format!("`breakglass config validate {}`", quoted(path));
    match ConfigFile::read(path, &[]).result {
        Err(InvalidConfigFile(errors)) => {
            let fix = format!("correct this field; {validate} says whether it is right");
            report.checked(errors.iter().map(|error| Finding::new(error.to_string(), fix.clone())));
            report.not_checked(
                "listeners, keys, databases and clock",
                "the configuration is not valid, and it says where they are",
            );
            None
        }
        Ok(file) => {
            let fix = format!("change this entry; {validate} says whether it is right");
            // One thing for the errors, one for the warnings.
            report.checked([]);
            report.checked(
                file.warnings().into_iter().map(|warning| Finding::new(warning, fix.clone())),
            );
            plain_http(&file.config, report);
            enrolment(&file.config, report);
            Some(file)
        }
    }
}

/// No answer of a provider says how a person came to a second factor.
fn enrolment(config: &Config, report: &mut Report) {
    for entry in config.identity_providers.iter().filter(|entry| !entry.levels.is_empty()) {
        report.note(format!(
            "whether the identity provider `{}` enrols a second factor for a person who has none, in a sign-in that asks \
             for it, is not known here: where it does, everyone who has the password has its levels (Keycloak: disable \
             the required action \"Configure OTP\")",
            entry.name
        ));
    }
}

/// What is not declared is a warning of the configuration.
fn plain_http(config: &Config, report: &mut Report) {
    for ResolvedListener { address, transport, .. } in config.resolved_listeners() {
        let declared = transport == Transport::Plain(Plain::Declared);
        report.checked(declared.then(|| {
            Finding::new(
                format!(
                    "insecure_http: {address} is plain HTTP, and other machines can connect to it: API tokens and \
                     tokens can be read on the way"
                ),
                "replace `insecure_http = true` by `[tls]` with `certificate_file` and `key_file`, or let a proxy on \
                 this machine terminate TLS and listen on a loopback address or `unix:/path`",
            )
        }));
    }
}
