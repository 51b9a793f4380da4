//! The fields of an entry of `sinks`, and what they come to.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use breakglass_api::deliveries::Severity;
use breakglass_config_schema::{
    Object, Place, Reader, Takes, boolean, duration, list, number, object, one_of, optional, or,
    or_none, parsed, required,
};
use breakglass_identity::proxy;
use breakglass_types::json::Json;
use url::{Host, Url};

use super::read::{audience, distinct, name, path, scope_name};
use super::sink_texts::{event_type, host, login, mail_address, sink_name, url};
use super::sinks::{Encryption, Mail, MailTo, Reach, Sink, SinkFilter, SinkTo};

/// How long a delivery may be tried.
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// The most sinks.
const MAX_SINKS: usize = 32;

/// Where PagerDuty takes events (Events API v2).
const PAGERDUTY: &str = "https://events.pagerduty.com/v2/enqueue";

/// The kinds of sinks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Webhook,
    Mail,
    Slack,
    PagerDuty,
    Otlp,
}

const KINDS: &[(&str, Kind)] = &[
    ("webhook", Kind::Webhook),
    ("mail", Kind::Mail),
    ("slack", Kind::Slack),
    ("pagerduty", Kind::PagerDuty),
    ("otlp", Kind::Otlp),
];

const ENCRYPTIONS: &[(&str, Encryption)] =
    &[("starttls", Encryption::StartTls), ("tls", Encryption::Tls), ("none", Encryption::None)];

const SEVERITIES: &[(&str, Severity)] = &[
    ("info", Severity::Info),
    ("notice", Severity::Notice),
    ("warning", Severity::Warning),
    ("critical", Severity::Critical),
];

object! {
    /// A place that is told of events, such as of requests that wait for a decision ([notifications](notifications.md)).
    /// Files are read at each delivery, so that they can be replaced.
    #[derive(Debug)]
    struct SinkFields {
        /// Its name: lower-case letters, digits and hyphens. Deliveries are kept by it.
        name: String = required(parsed("name", sink_name)),
        /// What it is; each kind has fields of its own.
        r#type: Kind = required(one_of(KINDS)),
        /// `webhook`, `otlp`: where it is, required there. `pagerduty`: `https://events.pagerduty.com/v2/enqueue` without it.
        url: Option<Url> = optional("none", parsed("URL", url)),
        /// Whether `url` may be plain HTTP, or `encryption` be `none`, although the place is not this machine: everything
        /// that is sent can then be read and changed on the way.
        insecure: bool = or(false, boolean()),
        /// `webhook`: files with secrets (`whsec_` and base64), required there. Each delivery is signed with all of them, so
        /// that one can be replaced.
        secret_files: Vec<PathBuf> = or_none(list(parsed("path", path)).and_then(distinct)),
        /// `slack`: a file with the URL of an incoming webhook, required there. The URL is a secret.
        url_file: Option<PathBuf> = optional("none", parsed("path", path)),
        /// `pagerduty`: a file with the service's routing key (integration key), required there.
        routing_key_file: Option<PathBuf> = optional("none", parsed("path", path)),
        /// `otlp`: a file with a bearer token.
        token_file: Option<PathBuf> = optional("none", parsed("path", path)),
        /// `mail`: the mail server, required there.
        host: Option<String> = optional("none", parsed("host", host)),
        /// `mail`: its port.
        port: Option<u16> = optional("587; 465 with `encryption = \"tls\"`", number(1, 65_535)),
        /// `mail`: `starttls`, without which nothing is sent; `tls` from the beginning; or `none`, on this machine itself.
        encryption: Option<Encryption> = optional("starttls", one_of(ENCRYPTIONS)),
        /// `mail`: who sends it, required there.
        from: Option<String> = optional("none", parsed("address", mail_address)),
        /// `mail`: who gets it, required there without `to_people`.
        to: Vec<String> = or_none(list(parsed("address", mail_address)).and_then(distinct)),
        /// `mail`: whether the [people whom an event concerns](notifications.md#who-is-told) get it in place of `to`, each
        /// at their own address.
        to_people: bool = or(false, boolean()),
        /// `mail`: by which name the service signs in at the mail server.
        username: Option<String> = optional("none", parsed("name", login)),
        /// `mail`: a file with the password for it.
        password_file: Option<PathBuf> = optional("none", parsed("path", path)),
        /// A PEM file with the certificates to trust for it, instead of the public ones.
        ca_file: Option<PathBuf> = optional("the public ones", parsed("path", path)),
        /// An HTTP proxy by which it is reached; not for `mail`. Variables of the environment name none.
        proxy: Option<Url> = optional("none", parsed("URL", proxy)),
        /// `mail`, `slack`: a file with the [template](notifications.md#templates) of its messages.
        template_file: Option<PathBuf> = optional("the usual words", parsed("path", path)),
        /// How long one attempt may take.
        timeout: Duration = or("10s", duration().at_most(Duration::from_secs(60), "others wait for it")),
        /// How long a delivery is tried before it is a dead letter.
        retry_for: Duration = or("24h", duration().at_most(DAY, "what is older is no news")),
        /// Of which types of events it is told: `breakglass.request.submitted`, or `breakglass.request.*`.
        types: Vec<String> = or_none(list(parsed("type", event_type)).and_then(distinct)),
        /// How much an event must matter at least.
        severity: Severity = or("info", one_of(SEVERITIES)),
        /// Of which audiences' events it is told. Those of the service itself have none.
        audiences: Vec<String> = or_none(list(parsed("audience", audience)).and_then(distinct)),
        /// Of requests for which scopes it is told.
        scopes: Vec<String> = or_none(list(parsed("scope name", scope_name)).and_then(distinct)),
        /// The groups of which it is the [channel](notifications.md#who-is-told): it is told of requests that their members
        /// may approve, by one of the scopes, and of nothing else.
        approver_groups: Vec<String> = or_none(list(parsed("group", name)).and_then(distinct)),
    }
}

impl SinkFields {
    /// Each field that is of some kinds alone: its name, whether it is there, of which kinds, and whether it is needed there.
    fn special(&self) -> [(&'static str, bool, &'static [Kind], bool); 15] {
        const MAIL: &[Kind] = &[Kind::Mail];
        [
            (
                "url",
                self.url.is_some(),
                &[Kind::Webhook, Kind::Otlp, Kind::PagerDuty],
                self.r#type != Kind::PagerDuty,
            ),
            ("secret_files", !self.secret_files.is_empty(), &[Kind::Webhook], true),
            ("url_file", self.url_file.is_some(), &[Kind::Slack], true),
            ("routing_key_file", self.routing_key_file.is_some(), &[Kind::PagerDuty], true),
            ("token_file", self.token_file.is_some(), &[Kind::Otlp], false),
            ("host", self.host.is_some(), MAIL, true),
            ("from", self.from.is_some(), MAIL, true),
            ("to", !self.to.is_empty(), MAIL, !self.to_people),
            ("to_people", self.to_people, MAIL, false),
            ("port", self.port.is_some(), MAIL, false),
            ("encryption", self.encryption.is_some(), MAIL, false),
            ("username", self.username.is_some(), MAIL, self.password_file.is_some()),
            ("template_file", self.template_file.is_some(), &[Kind::Mail, Kind::Slack], false),
            ("password_file", self.password_file.is_some(), MAIL, self.username.is_some()),
            (
                "proxy",
                self.proxy.is_some(),
                &[Kind::Webhook, Kind::Otlp, Kind::PagerDuty, Kind::Slack],
                false,
            ),
        ]
    }

    /// Whether the connection can be read and changed on the way, and by which field.
    fn unencrypted(&self) -> Option<&'static str> {
        if self.url.as_ref().is_some_and(is_plain_to_another_machine) {
            return Some("url");
        }
        let host = self.host.as_deref().unwrap_or_default();
        let is_local = host == "localhost"
            || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
        (self.encryption == Some(Encryption::None) && !is_local).then_some("encryption")
    }
}

/// Whether what is sent to this URL can be read and changed on the way.
pub(super) fn is_plain_to_another_machine(url: &Url) -> bool {
    url.scheme() == "http" && !is_this_machine(url.host())
}

pub(super) fn is_this_machine(host: Option<Host<&str>>) -> bool {
    match host {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn word(kind: Kind) -> &'static str {
    KINDS.iter().find(|(_, one)| *one == kind).map_or("", |(word, _)| *word)
}

impl Object for SinkFields {
    fn check(&self, place: &Place<'_>) -> Option<()> {
        let mut clean = Some(());
        let kind = self.r#type;
        for (name, is_there, kinds, is_needed) in self.special() {
            if is_there && !kinds.contains(&kind) {
                let of: Vec<String> = kinds.iter().map(|one| format!("`{}`", word(*one))).collect();
                let message =
                    format!("it is for {}, and this is a `{}`", of.join(", "), word(kind));
                clean = place.field(name).error(message);
            }
            if !is_there && is_needed && kinds.contains(&kind) {
                clean = place.field(name).error(format!("is required for a `{}`", word(kind)));
            }
        }
        if self.to_people && !self.to.is_empty() {
            clean = place.field("to_people").error(
                "expected either `to` or `to_people`, got both: let each be a sink of its own",
            );
        }
        match (self.unencrypted(), self.insecure) {
            (Some(name), false) => clean = place.field(name).error(
                "other machines are on the way, who can read and change what is sent: expected an encrypted connection \
                 (`https://..`, `starttls`, `tls`), or `insecure = true` to say that this is meant",
            ),
            (None, true) => {
                clean = place.field("insecure").error("the connection is encrypted, or on this machine: leave it out");
            }
            _ => {}
        }
        clean
    }
}

impl SinkFields {
    fn into_sink(self) -> Option<Sink> {
        let to = match self.r#type {
            Kind::Webhook => SinkTo::Webhook { url: self.url?, secret_files: self.secret_files },
            Kind::Slack => SinkTo::Slack { url_file: self.url_file? },
            Kind::PagerDuty => SinkTo::PagerDuty {
                url: self.url.or_else(|| Url::parse(PAGERDUTY).ok())?,
                routing_key_file: self.routing_key_file?,
            },
            Kind::Otlp => SinkTo::Otlp { url: self.url?, token_file: self.token_file },
            Kind::Mail => {
                let encryption = self.encryption.unwrap_or(Encryption::StartTls);
                let port = if encryption == Encryption::Tls { 465 } else { 587 };
                SinkTo::Mail(Mail {
                    host: self.host?,
                    port: self.port.unwrap_or(port),
                    encryption,
                    from: self.from?,
                    to: match self.to_people {
                        true => MailTo::People,
                        false => MailTo::Mailboxes(self.to),
                    },
                    login: self.username.zip(self.password_file),
                })
            }
        };
        let filter = SinkFilter {
            types: self.types,
            severity: self.severity,
            audiences: self.audiences,
            scopes: self.scopes,
            approver_groups: self.approver_groups,
        };
        let reach = Reach { ca_file: self.ca_file, proxy: self.proxy, timeout: self.timeout };
        let Self { name, template_file, retry_for, .. } = self;
        Some(Sink { name, to, filter, reach, template_file, retry_for })
    }
}

/// Reads the fields into what they come to.
#[derive(Debug)]
struct SinkReader;

impl Reader for SinkReader {
    type Value = Sink;

    fn read(&self, json: &Json, place: &Place<'_>) -> Option<Sink> {
        // The check reported what is missing.
        object::<SinkFields>().read(json, place)?.into_sink()
    }

    fn takes(&self) -> Takes {
        object::<SinkFields>().takes()
    }
}

/// Reads all sinks.
pub(super) fn sinks() -> impl Reader<Value = Vec<Sink>> {
    list(SinkReader).and_then(check)
}

fn check(sinks: Vec<Sink>, place: &Place<'_>) -> Option<Vec<Sink>> {
    let mut clean = Some(());
    let mut names = BTreeSet::new();
    for (index, sink) in sinks.iter().enumerate() {
        if !names.insert(sink.name.as_str()) {
            let message = format!("`{}` is also the name of another sink", sink.name);
            clean = place.item(index).field("name").error(message);
        }
    }
    if sinks.len() > MAX_SINKS {
        clean = place.error(format!("expected at most {MAX_SINKS} sinks, got {}", sinks.len()));
    }
    clean.map(|()| sinks)
}
