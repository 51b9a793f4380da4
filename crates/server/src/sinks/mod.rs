//! What each kind of sink is sent of an event, and one attempt to send it. Pure but for the attempt itself: [`prepare`] makes
//! a [`Message`], which `breakglass events preview` shows, and [`send`] carries it.
//!
//! Everything that is secret is read from its file for each attempt. No error holds one.

mod attempt;
mod call;
mod event;
mod incident;
mod mail;
pub mod notice;
mod one_line;
mod otlp;
mod outcome;
mod pagerduty;
mod rotation;
mod slack;
mod template;
mod titles;
mod webhook;
pub mod words;

use crate::config::{Sink, SinkTo};

pub use attempt::on_own_thread;
pub use call::Call;
pub use event::{Addressee, Event, For};
pub use mail::Letter;
pub use notice::Notice;
use outcome::Judge;
pub use outcome::Outcome;
pub use rotation::{call_hook, prepare_hook};
pub use template::check_templates;

/// What is sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// By HTTP.
    Call(Call),
    /// By mail.
    Letter(Letter),
}

/// Whether this kind of sink has something to say of such an event, by its filter and by what it is.
#[must_use]
pub fn takes(sink: &Sink, notice: &Notice) -> bool {
    let is_of_kind = match &sink.to {
        SinkTo::PagerDuty { .. } => pagerduty::action(notice).is_some(),
        SinkTo::Webhook { .. } | SinkTo::Mail(_) | SinkTo::Slack { .. } | SinkTo::Otlp { .. } => {
            true
        }
    };
    is_of_kind && notice.passes(&sink.filter)
}

/// What this sink is sent of an event.
///
/// # Errors
/// Says which file cannot be used, and why.
pub fn prepare(sink: &Sink, event: Event<'_>) -> Result<Message, String> {
    match &sink.to {
        SinkTo::Webhook { url, secret_files } => {
            webhook::call(url, secret_files, event).map(Message::Call)
        }
        SinkTo::Slack { url_file } => slack::call(sink, url_file, event).map(Message::Call),
        SinkTo::PagerDuty { url, routing_key_file } => {
            pagerduty::call(url, routing_key_file, event).map(Message::Call)
        }
        SinkTo::Otlp { url, token_file } => {
            otlp::call(url, token_file.as_deref(), event).map(Message::Call)
        }
        SinkTo::Mail(mail) => mail::letter(sink, mail, event).map(Message::Letter),
    }
}

/// Makes one attempt. It takes at most [`Reach::timeout`](crate::config::Reach), but for a system that does not answer, and
/// is for a thread of its own.
#[must_use]
pub fn send(sink: &Sink, event: Event<'_>) -> Outcome {
    if sink.writes_to_people() && event.to.is_none() {
        return Outcome::failed("no person is named to whom it goes".to_owned());
    }
    let message = match prepare(sink, event) {
        Ok(message) => message,
        Err(cause) => return Outcome::failed(cause),
    };
    match (&message, &sink.to) {
        (Message::Letter(letter), SinkTo::Mail(mail)) => mail::send(mail, &sink.reach, letter),
        (Message::Call(call), to) => {
            let judge = match to {
                SinkTo::Slack { .. } => Judge::Slack,
                SinkTo::PagerDuty { .. } => Judge::PagerDuty,
                SinkTo::Otlp { .. } => Judge::Otlp,
                SinkTo::Webhook { .. } | SinkTo::Mail(_) => Judge::Webhook,
            };
            call::send(call, &sink.reach, judge)
        }
        (Message::Letter(_), _) => Outcome::failed("no mail server".to_owned()),
    }
}
