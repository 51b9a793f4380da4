//! `[[sinks]]`: where events go, and which of them. Each kind of sink has its own fields; what a sink is sent is in
//! [`crate::sinks`].

use std::path::PathBuf;
use std::time::Duration;

use breakglass_api::deliveries::Severity;
use url::Url;

/// A place that is told of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sink {
    /// Its name.
    pub name: String,
    /// What it is, and how it is reached.
    pub to: SinkTo,
    /// Which events it is told of.
    pub filter: SinkFilter,
    /// How it is reached.
    pub reach: Reach,
    /// A file with the template of its messages.
    pub template_file: Option<PathBuf>,
    /// How long a delivery is tried.
    pub retry_for: Duration,
}

/// How a sink is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reach {
    /// The certificates to trust for it, instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// The HTTP proxy.
    pub proxy: Option<Url>,
    /// How long one attempt may take.
    pub timeout: Duration,
}

/// Which events a sink is told of: those that meet all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SinkFilter {
    /// Of these types; each may end with `*`. None: of every type.
    pub types: Vec<String>,
    /// That matter so much, or more.
    pub severity: Severity,
    /// Of these audiences. None: of every audience, and of none.
    pub audiences: Vec<String>,
    /// Of requests with one of these scopes. None: of every request, and of none.
    pub scopes: Vec<String>,
    /// Of requests that members of one of these groups may approve, by one of the scopes. None: of every request, and of none.
    pub approver_groups: Vec<String>,
}

impl SinkFilter {
    /// Whether it is of events of this type.
    #[must_use]
    pub fn takes_type(&self, kind: &str) -> bool {
        let is_of = |pattern: &String| match pattern.strip_suffix('*') {
            Some(start) => kind.starts_with(start),
            None => kind == *pattern,
        };
        self.types.is_empty() || self.types.iter().any(is_of)
    }
}

/// What a sink is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkTo {
    /// A URL to which the CloudEvent is posted.
    Webhook {
        /// Where.
        url: Url,
        /// Files with the secrets by which it is signed.
        secret_files: Vec<PathBuf>,
    },
    /// A mail server.
    Mail(Mail),
    /// A Slack channel.
    Slack {
        /// A file with the URL of its incoming webhook, which is a secret.
        url_file: PathBuf,
    },
    /// A PagerDuty service.
    PagerDuty {
        /// Where events are taken.
        url: Url,
        /// A file with the service's routing key.
        routing_key_file: PathBuf,
    },
    /// A collector of OpenTelemetry.
    Otlp {
        /// Where logs are taken.
        url: Url,
        /// A file with a bearer token.
        token_file: Option<PathBuf>,
    },
}

/// How mail is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// The mail server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is encrypted.
    pub encryption: Encryption,
    /// Who sends it.
    pub from: String,
    /// Who gets it.
    pub to: MailTo,
    /// By which name the service signs in there, and a file with the password.
    pub login: Option<(String, PathBuf)>,
}

/// Who gets mail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailTo {
    /// These mailboxes, one letter for all of them.
    Mailboxes(Vec<String>),
    /// The people whom an event concerns, each at their own address.
    People,
}

/// How a connection to a mail server is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encryption {
    /// By STARTTLS, and otherwise nothing is sent (RFC 3207).
    StartTls,
    /// From its beginning (RFC 8314).
    Tls,
    /// Not at all.
    None,
}

impl Sink {
    /// Whether each person whom an event concerns gets a letter of their own.
    #[must_use]
    pub fn writes_to_people(&self) -> bool {
        matches!(&self.to, SinkTo::Mail(Mail { to: MailTo::People, .. }))
    }

    /// Whether approvers are told of requests by it.
    #[must_use]
    pub fn tells_approvers(&self) -> bool {
        self.is_channel() || self.writes_to_people()
    }

    /// Whether it is the channel of groups of approvers.
    #[must_use]
    pub fn is_channel(&self) -> bool {
        !self.filter.approver_groups.is_empty() && !self.writes_to_people()
    }
}

impl SinkTo {
    /// The word of the configuration for it.
    #[must_use]
    pub const fn word(&self) -> &'static str {
        match self {
            SinkTo::Webhook { .. } => "webhook",
            SinkTo::Mail(_) => "mail",
            SinkTo::Slack { .. } => "slack",
            SinkTo::PagerDuty { .. } => "pagerduty",
            SinkTo::Otlp { .. } => "otlp",
        }
    }
}
