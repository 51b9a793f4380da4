//! Mail, in plain text and HTML. Headers are written by the library from values that are one line each; the HTML has
//! everything escaped, and nothing that a client could load.

use std::time::Duration;

use breakglass_identity::secret_text;
use breakglass_types::hex;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message, MultiPart, SinglePart};
use lettre::transport::smtp;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{
    Certificate, CertificateStore, Tls, TlsParameters, TlsParametersBuilder,
};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::response::Code;
use lettre::{SmtpTransport, Transport as _};
use sha2::{Digest as _, Sha256};

use super::event::Event;
use super::one_line::{MAX_VALUE, shown};
use super::outcome::Outcome;
use super::template;
use super::titles::Command;
use super::words::{Words, words};
use crate::clock::rfc3339;
use crate::config::{Encryption, Mail, MailTo, Reach, Sink};

/// How much of a mail server's words is kept, in characters.
const SHOWN: usize = 200;

/// How many digits of the digest of a person's name are in the id of a letter.
const PERSON_DIGITS: usize = 16;

/// Who gets a letter to people that is only looked at.
const EXAMPLE: &str = "Each person whom it concerns <person@example.invalid>";

/// A letter, as it is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    /// From whom and to whom, for the mail servers.
    pub envelope: Envelope,
    /// Headers and parts.
    pub text: Vec<u8>,
}

pub(super) fn letter(sink: &Sink, mail: &Mail, event: Event<'_>) -> Result<Letter, String> {
    let failed = |error: &dyn std::fmt::Display| format!("no letter can be made of it: {error}");
    let mut words = words(event.notice);
    let text = template::body(sink, one_line, &mut words, event);
    let text = text.as_deref();
    let from: Mailbox = mail.from.parse().map_err(|error| failed(&error))?;
    let id = format!("<{}@{}>", message_id(event), from.email.domain());
    let mut builder = Message::builder()
        .from(from)
        .subject(shown(&format!("[breakglass] {}", words.title), SHOWN))
        .message_id(Some(id))
        .date(date(event))
        // No letter of an absence comes back (RFC 3834).
        .raw_header(header("Auto-Submitted", "auto-generated"))
        .raw_header(header("X-Breakglass-Event", &event.notice.id))
        .raw_header(header("X-Breakglass-Type", &event.notice.kind));
    if let Some(request) = &event.notice.request {
        // Mail programs show the letters of one request together.
        let thread = format!("<{request}@breakglass>");
        builder = builder.references(thread);
    }
    match (&mail.to, event.to) {
        (MailTo::Mailboxes(all), _) => {
            for to in all {
                builder = builder.to(to.parse().map_err(|error| failed(&error))?);
            }
        }
        (MailTo::People, Some(to)) => builder = builder.to(Mailbox::new(None, to.address.clone())),
        (MailTo::People, None) => {
            builder = builder.to(EXAMPLE.parse().map_err(|error| failed(&error))?);
        }
    }
    let part = |kind: ContentType, text: String| SinglePart::builder().header(kind).body(text);
    let parts = MultiPart::alternative()
        .singlepart(part(ContentType::TEXT_PLAIN, plain(&words, text, event)))
        .singlepart(part(ContentType::TEXT_HTML, html(&words, text, event)));
    let message = builder.multipart(parts).map_err(|error| failed(&error))?;
    Ok(Letter { envelope: message.envelope().clone(), text: message.formatted() })
}

/// The same for each attempt, and another one for each person: some servers drop a second letter with the same one.
fn message_id(event: Event<'_>) -> String {
    let Some(to) = event.to else { return event.notice.id.clone() };
    let person = hex::lower(&Sha256::digest(to.person.as_bytes()));
    format!("{}.{}", event.notice.id, person.get(..PERSON_DIGITS).unwrap_or(&person))
}

/// A header of ours. Its value is an id or a word of the service, and the library encodes what is not ASCII.
fn header(name: &'static str, value: &str) -> HeaderValue {
    HeaderValue::new(HeaderName::new_from_ascii_str(name), shown(value, SHOWN))
}

/// When it happened.
fn date(event: Event<'_>) -> std::time::SystemTime {
    let millis = u64::try_from(event.notice.time_ms).unwrap_or(0);
    let since = Duration::from_millis(millis);
    std::time::UNIX_EPOCH.checked_add(since).unwrap_or(std::time::UNIX_EPOCH)
}

fn plain(words: &Words, text: Option<&str>, event: Event<'_>) -> String {
    if let Some(text) = text {
        let lines: String = text.trim_end().lines().map(|line| format!("{line}\r\n")).collect();
        return format!("{lines}\r\n{}\r\n", foot(event));
    }
    let Words { title, lines, command } = words;
    let mut text = format!("{title}\r\n\r\n");
    for (label, value) in lines {
        text.push_str(&format!("{label}: {value}\r\n"));
    }
    if let Some(Command { label, text: command }) = command {
        text.push_str(&format!("\r\n{label}: {command}\r\n"));
    }
    if let Some(link) = event.link() {
        text.push_str(&format!("\r\n{link}\r\n"));
    }
    text.push_str(&format!("\r\n{}\r\n", foot(event)));
    text
}

fn foot(event: Event<'_>) -> String {
    format!(
        "{} · {} · {} · sent {} by {}",
        event.notice.severity().word(),
        event.notice.kind,
        event.notice.id,
        rfc3339(event.now.seconds()),
        shown(event.source, SHOWN)
    )
}

/// As HTML shows it: no character of it has a meaning there.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for one in text.chars() {
        match one {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            one => escaped.push(one),
        }
    }
    escaped
}

/// As plain text shows it.
fn one_line(text: &str) -> String {
    shown(text, MAX_VALUE)
}

/// The document around a `body` in HTML.
fn document(title: &str, body: &str, event: Event<'_>) -> String {
    format!(
        "<!doctype html>\r\n<html><head><meta charset=\"utf-8\"><title>{}</title></head>\r\n<body>\r\n\
         {body}<p><small>{}</small></p>\r\n</body></html>\r\n",
        escaped(title),
        escaped(&foot(event)),
    )
}

fn html(words: &Words, text: Option<&str>, event: Event<'_>) -> String {
    if let Some(text) = text {
        let lines = text.trim_end().lines().map(|line| format!("{}<br>\r\n", escaped(line)));
        let body = format!("<p>\r\n{}</p>\r\n", lines.collect::<String>());
        return document(&words.title, &body, event);
    }
    let Words { title, lines, command } = words;
    let rows: String = lines
        .iter()
        .map(|(label, value)| {
            format!(
                "<tr><th align=\"left\">{}</th><td>{}</td></tr>\r\n",
                escaped(label),
                escaped(value)
            )
        })
        .collect();
    let command = command.as_ref().map(|Command { label, text }| {
        format!("<p>{label}:</p>\r\n<pre>{}</pre>\r\n", escaped(text))
    });
    let link = event.link().map(|link| {
        let link = escaped(&link);
        format!("<p><a href=\"{link}\">{link}</a></p>\r\n")
    });
    let body = format!(
        "<h1>{}</h1>\r\n<table>\r\n{rows}</table>\r\n{}{}",
        escaped(title),
        command.unwrap_or_default(),
        link.unwrap_or_default(),
    );
    document(title, &body, event)
}

pub(super) fn send(mail: &Mail, reach: &Reach, letter: &Letter) -> Outcome {
    match try_to_send(mail, reach, letter) {
        Ok(receipt) => Outcome::Delivered { receipt },
        Err(NotTaken { cause, bounced }) => {
            let cause = format!("{}:{}: {cause}", mail.host, mail.port);
            match bounced.filter(|_| mail.to == MailTo::People) {
                Some(again) => Outcome::Bounced { cause, again },
                None => Outcome::failed(cause),
            }
        }
    }
}

/// A letter was not taken.
struct NotTaken {
    cause: String,
    /// Where the server answered, and so works: whether the same letter may be taken later.
    bounced: Option<bool>,
}

impl From<String> for NotTaken {
    fn from(cause: String) -> NotTaken {
        NotTaken { cause, bounced: None }
    }
}

/// What a server's refusal says. It is about the mailbox for good where its enhanced status code says so (RFC 3463 section
/// 3.2: `5.1.1`, `5.1.2`, `5.1.3`, `5.1.6`, `5.1.10`), and otherwise may be about the sender, or about what is wrong for an hour.
fn not_taken(error: &smtp::Error) -> NotTaken {
    let cause = shown(&error.to_string(), SHOWN);
    let is_mailbox =
        ["5.1.1 ", "5.1.2 ", "5.1.3 ", "5.1.6 ", "5.1.10 "].iter().any(|one| cause.contains(one));
    let bounced = match error.status() {
        Some(_) if error.is_permanent() && is_mailbox => Some(false),
        Some(code) if !is_about_login(code) => Some(true),
        _ => None,
    };
    NotTaken { cause, bounced }
}

/// Whether it is about the service's own sign-in there (RFC 4954 section 6), and so about every letter.
fn is_about_login(code: Code) -> bool {
    [454, 500, 530, 534, 535, 538].contains(&u16::from(code))
}

fn try_to_send(mail: &Mail, reach: &Reach, letter: &Letter) -> Result<String, NotTaken> {
    let tls = || parameters(mail, reach);
    let tls = match mail.encryption {
        Encryption::StartTls => Tls::Required(tls()?),
        Encryption::Tls => Tls::Wrapper(tls()?),
        Encryption::None => Tls::None,
    };
    let mut transport = SmtpTransport::builder_dangerous(mail.host.as_str())
        .port(mail.port)
        .tls(tls)
        .timeout(Some(reach.timeout))
        .hello_name(ClientId::Domain("breakglass.invalid".to_owned()));
    if let Some((name, password_file)) = &mail.login {
        let password = secret_text(password_file).map_err(|error| error.to_string())?;
        transport = transport.credentials(Credentials::new(name.clone(), password));
    }
    let answer = transport.build().send_raw(&letter.envelope, &letter.text);
    let answer = answer.map_err(|error| not_taken(&error))?;
    let words: Vec<&str> = answer.message().collect();
    Ok(shown(&format!("{} {}", answer.code(), words.join(" ")), SHOWN))
}

fn parameters(mail: &Mail, reach: &Reach) -> Result<TlsParameters, String> {
    let mut builder = TlsParametersBuilder::new(mail.host.clone());
    if let Some(path) = &reach.ca_file {
        let failed = |error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let pem = std::fs::read(path).map_err(|error| failed(&error))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| failed(&error))?;
        builder =
            builder.certificate_store(CertificateStore::None).add_root_certificate(certificate);
    }
    builder.build().map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_shows_every_character_as_itself() {
        let text = "<img src=x onerror=\"alert('1')\">&amp;";
        assert_eq!(
            escaped(text),
            "&lt;img src=x onerror=&quot;alert(&#39;1&#39;)&quot;&gt;&amp;amp;"
        );
    }
}
