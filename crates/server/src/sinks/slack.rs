//! A Slack channel, by an incoming webhook, in Block Kit. The message has no button: a chat account has no second factor of
//! ours, and cannot show the digest of what is approved.
//!
//! Slack's bounds: a text 3,000 characters, a header 150, 10 fields of 2,000 each, 50 blocks.

use std::path::Path;

use breakglass_identity::{endpoint, secret_text};
use serde_json::{Value, json};
use url::Url;

use super::call::Call;
use super::event::{Event, For};
use super::one_line::shown;
use super::template;
use super::titles::Command;
use super::words::{Words, words};
use crate::config::Sink;

/// Slack's bounds, in characters, and a little less.
const MAX_TEXT: usize = 2_900;
const MAX_HEADER: usize = 150;
const MAX_VALUE: usize = 500;

pub(super) fn call(sink: &Sink, url_file: &Path, event: Event<'_>) -> Result<Call, String> {
    let url = match event.purpose {
        For::Preview => {
            Url::parse("https://hooks.slack.com/").map_err(|error| error.to_string())?
        }
        For::Sending => {
            let text = secret_text(url_file).map_err(|error| error.to_string())?;
            // What is in the file is a secret.
            endpoint(&text).map_err(|_| {
                format!(
                    "{}: expected the URL of an incoming webhook, `https://..`",
                    url_file.display()
                )
            })?
        }
    };
    let mut words = words(event.notice);
    let text = template::body(sink, value, &mut words, event);
    let body = message(&words, text, event).to_string().into_bytes();
    let headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
    Ok(Call { url, is_secret: true, headers, body })
}

/// The three characters that mrkdwn gives a meaning to, as Slack escapes them: nothing in the text is a mention, a link or a
/// special command then. Backticks and other marks of style are shown as they are.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// A value in mrkdwn, without marks of style: signs that look like them stand in their place. `_` is in names, and stays.
pub(super) fn value(text: &str) -> String {
    let plain: String = shown(text, MAX_VALUE)
        .chars()
        .map(|one| match one {
            // Style, code and strike-through, which could hide what comes after.
            '*' => '∗',
            '~' => '∼',
            '`' => 'ˋ',
            one => one,
        })
        .collect();
    escaped(&plain)
}

/// As many of these as fit into one text.
fn joined(lines: impl Iterator<Item = String>) -> String {
    let mut text = String::new();
    for line in lines {
        let length = text.chars().count().saturating_add(line.chars().count());
        if length >= MAX_TEXT {
            text.push('…');
            break;
        }
        if !text.is_empty() {
            text.push('\n');
        }
        text.push_str(&line);
    }
    text
}

/// A section of mrkdwn in which only what is marked as a link is one.
fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text, "verbatim": true } })
}

/// The sections between the title and the foot: by the template, or the facts, the command and the link.
fn sections(words: &Words, text: Option<String>, event: Event<'_>) -> Vec<Value> {
    if let Some(text) = text {
        let text = joined(text.trim_end().lines().map(str::to_owned));
        return if text.trim().is_empty() { Vec::new() } else { vec![section(&text)] };
    }
    let Words { lines, command, .. } = words;
    let facts = joined(lines.iter().map(|(label, text)| format!("*{label}:* {}", value(text))));
    let facts = (!facts.is_empty()).then_some(facts);
    let command = command.as_ref();
    let command = command.map(|Command { label, text }| format!("{label}: `{}`", escaped(text)));
    // The one link, to the service itself: it has no character that would have to be escaped.
    let link = event.link().map(|link| format!("<{link}>"));
    facts.into_iter().chain(command).chain(link).map(|text| section(&text)).collect()
}

fn message(words: &Words, text: Option<String>, event: Event<'_>) -> Value {
    let title = &words.title;
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": shown(title, MAX_HEADER.saturating_sub(1)), "emoji": false },
    })];
    blocks.extend(sections(words, text, event));
    let foot =
        format!("{} · {} · {}", event.notice.severity().word(), event.notice.kind, event.notice.id);
    blocks.push(json!({
        "type": "context",
        "elements": [{ "type": "plain_text", "text": shown(&foot, MAX_VALUE), "emoji": false }],
    }));
    // For notifications, and for readers of screens.
    json!({ "text": escaped(title), "blocks": blocks, "unfurl_links": false, "unfurl_media": false })
}
